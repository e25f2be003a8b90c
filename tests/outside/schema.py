"""The JSON report against our schema, by Python's jsonschema."""

import json
import subprocess
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

from program import report, result


def main():
    binary = sys.argv[1]
    text = subprocess.run([binary, "schema"], capture_output=True, text=True, check=True).stdout
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    result(schema["$schema"].startswith("https://json-schema.org/draft/2020-12"), "schema is of draft 2020-12", text[:80])
    validator = Draft202012Validator(schema)
    for folder in sorted(path.parent for path in Path("fixtures").glob("*/recording.json")):
        error = next(validator.iter_errors(report(binary, folder)), None)
        result(error is None, f"report of {folder.name} is valid", getattr(error, "message", ""))
    broken = report(binary, "fixtures/smollm2-1.7b-instruct")
    del broken["models"][0]["verdicts"]
    result(not validator.is_valid(broken), "a report without verdicts is not valid", "it is")


main()
