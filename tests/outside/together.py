"""`refresh` against a mock of the platform that Prism makes from the published OpenAPI description: the paths, the
query, the credential and the shapes are then the platform's own account, not ours.

    together.py BINARY SCRATCH PRISM DESCRIPTION
"""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import checkpoints
from program import result
from servers import free_port, wait_for

KEY = "sk-outside-secret"
# Runs against random answers of the description's shapes.
RANDOM_RUNS = 12


@contextmanager
def prism(program, description, log, *options):
    """The mock; gives its address. Prism mounts the paths without the `/v1` of the description's server."""
    port = free_port()
    command = [program, "mock", "--host", "127.0.0.1", "--port", str(port), *options, description]
    with open(log, "w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_for(port, server, "prism")
            yield f"http://127.0.0.1:{port}"
        finally:
            # It keeps nothing that an end in order would save, and may not heed a request to end.
            server.kill()
            server.wait()


def run(binary, home, *arguments, **environment):
    env = {"XDG_DATA_HOME": str(home), "TOGETHER_API_KEY": KEY, **environment}
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=300, env=env)
    if KEY in done.stdout + done.stderr:
        result(False, f"together, {arguments[0]} keeps the key to itself", done.stdout + done.stderr)
    return done


def by_the_description(binary, scratch, address, log):
    home = scratch / "home"
    done = run(binary, home, "refresh", TOGETHER_BASE_URL=address)
    copy = home / "byom-preflight/catalog.json"
    result(done.returncode == 0 and copy.is_file(), "together, refresh by the description", done.stderr)
    if not copy.is_file():
        return
    fetched = json.loads(copy.read_text())["fetched"]
    base = fetched["base_models"][0]
    # The description of April 2026 has no sequence lengths, so they are not known: neither 0 nor a guess.
    result(base["context_sft"] is None and base["context_dpo"] is None, "together, lengths that are not described are not known", base)
    result(base["training_types"] == ["lora"], "together, limits of zero are none", base)
    expected = {"id": "2x_nvidia_a100_80gb_sxm", "gpu_type": "a100-80gb", "gpu_memory_gb": 80.0, "gpu_count": 2}
    result(fetched["hardware"] == [expected], "together, hardware of the description's example", fetched["hardware"])
    asked = Path(log).read_text()
    for path in ["/fine-tunes/models/supported", "/fine-tunes/models/limits", "/hardware"]:
        result(f"get {path}" in asked.lower(), f"together, {path} is asked", asked[-2000:])
    violations = [line for line in asked.splitlines() if "violation" in line.lower()]
    result(not violations, "together, every request is as described", violations)

    model = scratch / "model"
    checkpoints.write_model(model)
    done = run(binary, home, "check", str(model), "--format", "json")
    report = json.loads(done.stdout)
    result(report["catalog"]["origin"] == f"refreshed from {address}", "together, the report names the origin", report["catalog"])
    names = [row["name"] for row in report["models"][0]["base_models"]]
    result(names == [base["name"]], "together, the ranking is of what was fetched", names)
    options = [row["hardware"] for row in report["models"][0]["fit"]["options"]]
    result(options == [expected["id"]], "together, the hardware is what was fetched", options)


def with_random_answers(binary, scratch, address):
    """Whatever the shapes allow: a copy or one message, never a crash, and the old copy where it fails."""
    home = scratch / "random"
    copy = home / "byom-preflight/catalog.json"
    codes, wrong = [], []
    for _ in range(RANDOM_RUNS):
        before = copy.read_bytes() if copy.is_file() else None
        done = run(binary, home, "refresh", "--timeout", "20", TOGETHER_BASE_URL=address)
        after = copy.read_bytes() if copy.is_file() else None
        codes.append(done.returncode)
        is_told = done.returncode == 3 and done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
        if not (done.returncode == 0 or is_told and after == before):
            wrong.append((done.returncode, done.stderr))
    result(not wrong, f"together, random answers end well ({codes.count(0)} of {len(codes)} used)", wrong)


def main(binary, scratch, program, description):
    scratch = Path(scratch).resolve()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    binary = os.path.abspath(binary)
    log = scratch / "prism.log"
    with prism(program, description, log) as address:
        by_the_description(binary, scratch, address, log)
        done = run(binary, scratch / "other", "refresh", TOGETHER_BASE_URL=address + "/v2")
        result(done.returncode == 3 and "answers 404" in done.stderr, "together, an address with another version", done.stderr)
    with prism(program, description, scratch / "random.log", "--dynamic") as address:
        with_random_answers(binary, scratch, address)


if __name__ == "__main__":
    main(*sys.argv[1:])
