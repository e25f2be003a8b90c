"""Runs the composite action of this repository as GitHub's runner does, as far as action.yml uses what the runner has."""

import os
import re
import subprocess
from pathlib import Path

import yaml

ACTION = yaml.safe_load(Path("action.yml").read_text())
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def resolved(text, inputs, outputs):
    """A value with its expressions replaced: `inputs.NAME`, `steps.ID.outputs.NAME`, and secrets, of which there are none."""

    def value(match):
        context, *path = match[1].split(".")
        if context == "inputs":
            return inputs[path[0]]
        if context == "steps" and path[1] == "outputs":
            return outputs.get(path[0], {}).get(path[2], "")
        if context == "secrets":
            return ""
        raise SystemExit(f"no test knows the expression `{match[0]}`")

    return EXPRESSION.sub(value, text)


def assignments(path):
    """What a step wrote to `GITHUB_OUTPUT`."""
    lines = path.read_text().splitlines()
    for line in lines:
        if "=" not in line:
            raise SystemExit(f"no output: {line!r}")
    return dict(line.split("=", 1) for line in lines)


def run_script(script, env, cwd):
    """A step of `shell: bash`."""
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=300)


class Done:
    """How a run of the action ended."""

    def __init__(self):
        self.code, self.log, self.outputs, self.summary = 0, "", {}, ""


def run_action(given, workspace, scratch, env):
    """The action with these inputs in this checkout. `scratch` holds what the runner keeps outside it."""
    scratch.mkdir(parents=True, exist_ok=True)
    unknown = given.keys() - ACTION["inputs"].keys()
    if unknown:
        raise SystemExit(f"the action has no inputs {unknown}")
    inputs = {name: about["default"] for name, about in ACTION["inputs"].items()} | given
    done, steps = Done(), {}
    files = {name: scratch / name for name in ["GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"]}
    env = env | {name: str(path) for name, path in files.items()}
    env |= {"GITHUB_WORKSPACE": str(workspace), "GITHUB_ACTION_PATH": os.getcwd(), "RUNNER_TEMP": str(scratch)}
    for step in ACTION["runs"]["steps"]:
        for path in files.values():
            path.write_text("")
        own = {name: resolved(value, inputs, steps) for name, value in step.get("env", {}).items()}
        ran = run_script(step["run"], env | own, workspace)
        done.log += ran.stdout + ran.stderr
        done.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        steps[step.get("id")] = assignments(files["GITHUB_OUTPUT"])
        for folder in files["GITHUB_PATH"].read_text().splitlines():
            env["PATH"] = f"{folder}:{env['PATH']}"
        if ran.returncode != 0:
            done.code = ran.returncode
            break
    done.outputs = {name: resolved(about["value"], inputs, steps) for name, about in ACTION["outputs"].items()}
    return done


def tool_path(folder, program):
    """A folder for `PATH` with a `cargo` whose `install` is a copy of `program`, and tells on the way what it was asked."""
    folder.mkdir(parents=True)
    cargo = folder / "cargo"
    cargo.write_text(
        f"""#!/bin/sh
echo "cargo in $PWD: $*"
mkdir -p "$CARGO_HOME/bin" && cp '{program}' "$CARGO_HOME/bin/byom-preflight"
"""
    )
    cargo.chmod(0o755)
    home = folder / "home"
    return {"PATH": f"{folder}:/usr/bin:/bin", "CARGO_HOME": str(home / ".cargo"), "HOME": str(home)}
