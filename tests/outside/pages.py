"""The files that a page shows: its `yaml` blocks whose first line is a comment with the file's name."""

import re
from pathlib import Path


def blocks(page):
    """Text of each file, by its name."""
    found = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", Path(page).read_text(), re.DOTALL | re.MULTILINE)
    return dict(found)
