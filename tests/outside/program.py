"""Runs the program and tells results the way `run` counts them."""

import json
import subprocess


def report(binary, model, *args):
    """The JSON report of `check` on one model, whatever its verdict."""
    command = [binary, "check", str(model), "--format", "json", *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={})
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"{command} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def result(is_passed, name, why=""):
    """Prints one line of `run`'s count."""
    print(f"passed {name}" if is_passed else f"failed {name}: {why}", flush=True)
