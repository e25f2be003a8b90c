#!/usr/bin/env python3
"""Regenerates the two tables about transformers from the packages published on PyPI.

    data/transformers.json      which release knows which model types, classes, tokenizers and
                                quantisation methods: one wheel per minor release, read as text
    data/config-defaults.json   what config.json may leave out, for the release named below:
                                its config classes are built (no torch), its model classes read

(both in crates/preflight-model/; docs/data.md says how to read them)

    tools/transformers_tables.py             write both, from the releases the table lists now
    tools/transformers_tables.py --refresh   the same, with the newest patch of every minor release
    tools/transformers_tables.py --check     write nothing; exit 1 where a committed file differs

Needs Python 3.11 and pip. The first run downloads about 0.6 GB of wheels to target/transformers/
and makes a virtual environment there; later runs take half a minute and, unless --refresh is
given, no network. The result depends on the wheels alone: no time stamp, everything sorted.
"""
import argparse
import json
import re
import subprocess
import sys
import venv
from pathlib import Path

sys.dont_write_bytecode = True  # no __pycache__ beside the scripts
import release_tables

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "crates/preflight-model/data"
CACHE = ROOT / "target/transformers"
DEFAULTS_RELEASE = "4.55.4"  # the newest patch under the ceiling of the default policy
OLDEST = (4, 20)  # everything before is "4.20 or earlier"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--refresh", action="store_true", help="ask PyPI for newer releases")
    arguments.add_argument("--check", action="store_true", help="compare with the committed files")
    options = arguments.parse_args()

    versions = published() if options.refresh else listed()
    written = {
        DATA / "transformers.json": text(release_tables.combine({v: release_tables.read(wheel(v)) for v in versions})),
        DATA / "config-defaults.json": text(config_defaults()),
    }
    stale = [path for path, new in written.items() if not path.exists() or path.read_text() != new]
    for path in stale:
        print(path.relative_to(ROOT), "differs" if options.check else "written")
        if not options.check:
            path.write_text(written[path])
    return 1 if options.check and stale else 0


def listed():
    """The releases that the committed table was made from."""
    return json.loads((DATA / "transformers.json").read_text())["releases"]


def published():
    """The newest patch of every minor release on PyPI, oldest first; no pre-releases."""
    answer = run([sys.executable, "-m", "pip", "index", "versions", "transformers"])
    available = re.search(r"^Available versions: (.*)$", answer, re.M).group(1).split(", ")
    newest = {}
    for version in (tuple(map(int, v.split("."))) for v in available if re.fullmatch(r"\d+\.\d+\.\d+", v)):
        minor = version[:2]
        if minor >= OLDEST:
            newest[minor] = max(version, newest.get(minor, version))
    return [".".join(map(str, version)) for _, version in sorted(newest.items())]


def wheel(version):
    folder = CACHE / "wheels"
    path = folder / f"transformers-{version}-py3-none-any.whl"
    if not path.exists():
        download = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
        run([sys.executable, "-m", "pip", *download, f"transformers=={version}"])
    return path


def config_defaults():
    environment = CACHE / f"venv-{DEFAULTS_RELEASE}"
    python = environment / "bin/python"
    if not any(environment.glob("lib/python*/site-packages/transformers-*.dist-info")):
        venv.create(environment, with_pip=True)
        run([python, "-m", "pip", "install", "--quiet", f"transformers=={DEFAULTS_RELEASE}"])
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1"}
    return json.loads(run([python, "-B", "-W", "ignore", ROOT / "tools/config_defaults.py"], env=quiet))


def run(command, env=None):
    return subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout


def text(table):
    """JSON with one line for each entry of a table, so that a new release makes a readable diff."""
    parts = []
    for name, value in table.items():
        if isinstance(value, dict):
            rows = (f"{json.dumps(key)}:{json.dumps(row, separators=(',', ':'))}" for key, row in value.items())
            parts.append(f"{json.dumps(name)}:{{\n" + ",\n".join(rows) + "\n}")
        else:
            parts.append(f"{json.dumps(name)}:{json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
