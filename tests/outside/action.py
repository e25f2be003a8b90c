"""The action for GitHub: its steps run in bash on models that pass, fail and are undecided, and with hostile inputs."""

import json
import os
import shutil
import sys
from pathlib import Path

import checkpoints
from composite import ACTION, EXPRESSION, run_action, tool_path
from program import result

# Each would do or show something if it were more than a value.
HOSTILE = [
    "$(touch owned)",
    "`touch owned`",
    '"; touch owned; "',
    "'; touch owned; '",
    "--exit-zero",
    "-h",
    "x=1\n::warning::owned",
    "${{ github.token }}",
]
TOKEN = "hf_SesameOpenSesame"


def make_checkout(folder):
    checkpoints.write_model(folder / "good")
    checkpoints.write_model(folder / "bad")
    (folder / "bad/tokenizer.json").unlink()
    checkpoints.write_model(folder / "pointers")
    (folder / "pointers/model.safetensors").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 213632\n"
    )


def is_sound():
    """What holds of action.yml as a text."""
    scripts = [step["run"] for step in ACTION["runs"]["steps"]]
    result(not any(EXPRESSION.search(script) for script in scripts), "action, no script has an expression in it", "one has")
    texts = [value for step in ACTION["runs"]["steps"] for value in step.get("env", {}).values()]
    used = {EXPRESSION.fullmatch(text)[1].removeprefix("inputs.") for text in texts}
    result(used == set(ACTION["inputs"]), "action, every input is used", used ^ set(ACTION["inputs"]))
    page = Path("docs/ci.md").read_text()
    missing = [name for name in [*ACTION["inputs"], *ACTION["outputs"]] if f"| `{name}` |" not in page]
    result(not missing, "action, docs/ci.md has every input and output", missing)


def main():
    program, scratch = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    shutil.rmtree(scratch, ignore_errors=True)
    workspace = scratch / "workspace"
    make_checkout(workspace)
    is_sound()
    env = tool_path(scratch / "tools", program) | {"HF_ENDPOINT": "http://127.0.0.1:1"}

    def run(**given):
        return run_action({name.replace("_", "-"): value for name, value in given.items()}, workspace, scratch / "temp", env)

    def expect(name, done, code, verdict):
        got = (done.code, done.outputs["verdict"], done.outputs["exit-code"])
        program_code = {"pass": "0", "fail": "1", "undecided": "3", "": "2"}[verdict]
        result(got == (code, verdict, program_code), f"action, {name}", f"{got}: {done.log[-500:]}")

    first = run(model="good")
    expect("a model that passes", first, 0, "pass")
    asked = f"cargo in {os.getcwd()}: install --locked --path crates/byom-preflight\n"
    is_there = Path("crates/byom-preflight/Cargo.toml").is_file()
    result(asked in first.log and is_there, "action, it installs the program of its own commit", first.log[:200])
    env["PATH"] = f"{program.parent}:{env['PATH']}"

    bad = run(model="bad", base_model="meta-llama/Meta-Llama-3-8B", location="good/config.json:2")
    expect("a model that fails", bad, 1, "fail")
    result("cargo in" not in bad.log, "action, a program on the path is used", bad.log[:200])
    result("::error file=good/config.json,line=2," in bad.log, "action, annotations stand where `location` says", bad.log[:500])
    report = json.loads(Path(bad.outputs["report"]).read_text())
    result("tokenizer-missing" in bad.summary, "action, the job has a summary", bad.summary[:200])
    failed = [row["id"] for row in report["models"][0]["rules"] if row["outcome"] == "fail"]
    result("tokenizer-missing" in failed, "action, the JSON report is where the output says", failed)
    sarif = json.loads(Path(bad.outputs["sarif"]).read_text())
    result("tokenizer-missing" in [found["ruleId"] for found in sarif["runs"][0]["results"]], "action, so is the SARIF report", "no result")

    expect("a model that fails, with `exit-zero`", run(model="bad", exit_zero="true"), 0, "fail")
    expect("a checkout of pointers", run(model="pointers"), 3, "undecided")
    expect("a checkout of pointers, with `exit-zero`", run(model="pointers", exit_zero="true"), 3, "undecided")
    expect("several models, the worst of all", run(model="good\n\n  bad\n", target="upload"), 1, "fail")
    expect("more arguments", run(model="good", args="--gpu\nh100\n--format\ntable=table.txt"), 0, "pass")
    result((workspace / "table.txt").read_text().startswith("PASS"), "action, arguments are taken as they are", "another file")
    expect("a policy that fails the model", run(model="bad", policy="together-2026-07", fail_on="warning"), 1, "fail")
    expect("a target that is none", run(model="good", target="down"), 2, "")
    expect("arguments that check nothing", run(model="bad", args="--help"), 2, "")
    hidden = run(model="bad", args="--exit-zero")
    result((hidden.code, hidden.outputs["verdict"]) == (0, "fail"), "action, `--exit-zero` among the arguments hides no verdict", hidden.outputs)
    remote = run(model="org/name", token=TOKEN)
    expect("a Hub that does not answer", remote, 3, "undecided")
    result(TOKEN not in remote.log, "action, the token is not shown", remote.log)

    broken = []
    for name in ACTION["inputs"]:
        for text in HOSTILE:
            done = run_action({"model": "bad", name: text}, workspace, scratch / "temp", env)
            owned = [path for path in [workspace, Path.cwd()] if (path / "owned").exists()]
            commands = [line for line in done.log.splitlines() if line.startswith("::") and line.endswith("::owned")]
            # `args` are arguments, by intent.
            is_zero = done.code == 0 and (name, text) != ("args", "--exit-zero")
            odd = done.outputs["verdict"] not in ("fail", "undecided", "")
            if owned or commands or is_zero or odd:
                broken.append((name, text, done.code, done.outputs["verdict"]))
    count = f"{len(HOSTILE)} hostile texts in each of {len(ACTION['inputs'])} inputs"
    result(not broken, f"action, {count} are values and no more", broken)


main()
