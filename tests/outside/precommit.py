"""The hook in the example of docs/ci.md, run by the genuine pre-commit on a model that passes and on one that fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

import checkpoints
from pages import blocks
from program import result


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"git {words}: {done.stderr}")
    return done.stdout.strip()


def with_dependencies(build):
    """A target folder that has what this checkout has built of the dependencies, so that only our own crates are built."""
    ours = [path.parent.name for path in Path.cwd().glob("**/Cargo.toml") if "target" not in path.parts]
    for part in ["deps", "build", ".fingerprint"]:
        (build / "debug" / part).mkdir(parents=True, exist_ok=True)
        for path in Path("target/debug", part).iterdir():
            name = path.name.removeprefix("lib")
            to = build / "debug" / part / path.name
            if to.exists() or any(name.startswith((own + "-", own.replace("-", "_") + "-")) for own in ours):
                continue
            if path.is_dir():
                shutil.copytree(path, to)
            else:
                os.link(path, to)
    return build


def main():
    scratch = Path(sys.argv[1]).absolute()
    pre_commit = Path(sys.executable).parent / "pre-commit"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    config = yaml.safe_load(blocks("docs/ci.md")[".pre-commit-config.yaml"])
    (repo,) = config["repos"]
    # The last commit, not what is being changed: pre-commit clones it as it would from GitHub.
    git(Path.cwd(), "clone", "--quiet", "--no-hardlinks", ".", scratch / "clone")
    repo |= {"repo": str(scratch / "clone"), "rev": git(scratch / "clone", "rev-parse", "HEAD")}
    env = os.environ | {
        "PRE_COMMIT_HOME": str(scratch / "home"),
        # The profile for users is built by packaging.py. Not in `target`: cargo would take the clone's crates for those
        # of this checkout.
        "MATURIN_PEP517_ARGS": "--profile dev",
        "CARGO_TARGET_DIR": str(with_dependencies(scratch.parent / "hook-build")),
    }

    model = scratch / "model"
    checkpoints.write_model(model)
    (model / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    git(scratch, "init", "--quiet", model)
    git(model, "add", ".")

    def hook(*words):
        done = subprocess.run([pre_commit, "run", *words], cwd=model, env=env, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    code, said = hook()
    result(code == 0 and "Passed" in said, "pre-commit, a model that passes", said[-2000:])
    git(model, "commit", "--quiet", "--message", "a model")
    (model / "notes.md").write_text("a note\n")
    git(model, "add", ".")
    code, said = hook()
    result(code == 0 and "Skipped" in said, "pre-commit, nothing to check where no file of the model changes", said[-2000:])
    git(model, "rm", "--quiet", "tokenizer.json")
    (model / "config.json").write_text((model / "config.json").read_text() + "\n")
    git(model, "add", ".")
    code, said = hook()
    result(code == 1 and "tokenizer-missing" in said, "pre-commit, a model that fails", said[-2000:])


main()
