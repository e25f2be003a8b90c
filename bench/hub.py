#!/usr/bin/env python3
"""How fast a check of a Hub repository and of a folder is, beside other tools. See README.md.

    bench/hub.py [--runs 5] [--rtt-ms 80] [--profile release|debug] [--only WORD]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRATCH = ROOT / "target" / "bench"
sys.path.insert(0, str(ROOT / "tests" / "outside"))
sys.dont_write_bytecode = True
import checkpoints

PACKAGES = ["huggingface_hub==2.4.0", "hf-mem==0.5.6"]
# Shape, shards and the target of a check: wall time as a multiple of three round trips.
MODELS = {"one-file": (checkpoints.EIGHT, 1, None), "30-shards": (checkpoints.SEVENTY, 30, 1.4), "250-shards": (checkpoints.SEVENTY, 250, 2.0)}
BYTES_TARGET = 1.5
RSS_TARGET = 40
LOCAL_TARGET = 20
THEIRS = "import sys, huggingface_hub as h; print(h.{call}(sys.argv[1]).parameter_count)"
LOCAL = """
import sys, time, huggingface_hub as h
started = time.perf_counter()
h.get_local_safetensors_metadata(sys.argv[1])
print(time.perf_counter() - started)
"""


def make_models(root):
    """An 8B model in one file and a 70B model cut two ways; the bytes of all headers of each."""
    shutil.rmtree(root, ignore_errors=True)
    return {name: checkpoints.write_model(root / "bench" / name, shape, shards) for name, (shape, shards, _) in MODELS.items()}


def python():
    python = SCRATCH / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", SCRATCH / "venv"], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES], check=True)
    return python


def run(command, env):
    """Seconds from the start of a process to its end, its largest memory in MiB, its exit code and output."""
    output = SCRATCH / "output"
    with open(output, "wb") as file:
        started = time.perf_counter()
        child = subprocess.Popen([str(word) for word in command], env=env, stdout=file, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    return seconds, used.ru_maxrss / 1024, child.returncode, output.read_text(errors="replace")


class Hub:
    """The loopback hub with a latency."""

    def __init__(self, profile, root, rtt_ms):
        command = [ROOT / "target" / profile / "loopback-hub", "--root", root, "--rtt-ms", str(rtt_ms)]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.endpoint = json.loads(self.child.stdout.readline())["hub"]

    def take_log(self):
        with urllib.request.urlopen(self.endpoint + "/__loopback__/log") as answer:
            return json.load(answer)

    def stop(self):
        self.child.stdin.close()
        self.child.wait()


def measure(hub, command, model, runs):
    """Medians over the runs; requests and bytes of the last one."""
    seconds, memory = [], []
    for _ in range(runs):
        home = SCRATCH / "home"
        shutil.rmtree(home, ignore_errors=True)
        hub.take_log()
        env = {"PATH": os.environ["PATH"], "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), "HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}  # fmt: skip
        took, used, code, output = run([*command, model], env)
        if code != 0:
            raise SystemExit(f"{command} ended with {code}: {output[-500:]}")
        seconds.append(took)
        memory.append(used)
    log = hub.take_log()
    sent = sum(seen["bytes"] for seen in log)
    weights = sum(seen["bytes"] for seen in log if seen["host"] == "Cdn")
    return statistics.median(seconds), statistics.median(memory), len(log), sent, weights


def verdict(value, most):
    return "" if most is None else f" (at most {most:g}: {'met' if value <= most else 'NOT met'})"


def on_the_hub(options, headers, venv):
    trips = 3 * options.rtt_ms / 1000
    hub = Hub(options.profile, SCRATCH / "root", options.rtt_ms)
    ours = ROOT / "target" / options.profile / "byom-preflight"
    tools = {
        "byom-preflight": [ours, "check", "--no-cache", "--format", "json"],
        "huggingface_hub": [venv, "-c", THEIRS.format(call="get_safetensors_metadata")],
        "huggingface_hub, one request": [venv, "-c", THEIRS.format(call="get_sharded_safetensors_metadata")],
        "hf-mem": [venv, ROOT / "bench" / "hf_mem_here.py", "--model-id"],
    }
    try:
        for model, (_, shards, most) in MODELS.items():
            print(f"\n{model}, {options.rtt_ms} ms a request, {headers[model]} bytes of headers")
            first = None
            for tool, command in tools.items():
                if options.only not in tool or (shards == 1 and "one request" in tool):
                    continue
                is_ours = command[0] == ours
                seconds, memory, requests, sent, weights = measure(hub, command, f"bench/{model}", options.runs)
                first = first or seconds
                ratio, share = seconds / trips, weights / headers[model]
                print(f"  {tool}: {seconds * 1000:.0f} ms = {ratio:.2f} x three round trips{verdict(ratio, most if is_ours else None)}, {seconds / first:.1f} x ours")
                print(f"    {requests} requests, {sent} bytes, of weight files {share:.2f} x their headers{verdict(share, BYTES_TARGET if is_ours else None)}, {memory:.0f} MiB{verdict(memory, RSS_TARGET if is_ours else None)}")
    finally:
        hub.stop()


def on_disk(options, venv):
    folder = SCRATCH / "root" / "bench" / "30-shards"
    ours = [ROOT / "target" / options.profile / "byom-preflight", "check", "--format", "json", folder]
    theirs = [venv, "-c", LOCAL, folder]
    env = {"PATH": os.environ["PATH"], "HOME": str(SCRATCH)}
    # In turns, so that a busy moment is shared.
    pairs = [(run(ours, env), run(theirs, env)) for _ in range(options.runs * 3)]
    seconds, memory = (statistics.median(one[place] for one, _ in pairs) for place in (0, 1))
    whole = statistics.median(other[0] for _, other in pairs)
    parser = statistics.median(float(other[3]) for _, other in pairs)
    met = "met" if whole / seconds >= LOCAL_TARGET else "NOT met"
    print(f"\n30 shards in a local folder\n  byom-preflight: {seconds * 1000:.1f} ms, {memory:.0f} MiB")
    print(f"  huggingface_hub: {whole * 1000:.0f} ms = {whole / seconds:.1f} x ours (at least {LOCAL_TARGET}: {met}); its parser alone, without starting Python, {parser * 1000:.1f} ms = {parser / seconds:.2f} x our whole process")


def main():
    parser = argparse.ArgumentParser(description="See bench/README.md.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rtt-ms", type=int, default=80)
    parser.add_argument("--profile", default="release", choices=["release", "debug"])
    parser.add_argument("--only", default="", help="a word of the tool's name, or `local`")
    parser.add_argument("--as-built", action="store_true", help="do not build anew")
    options = parser.parse_args()
    flags = ["--release"] if options.profile == "release" else []
    if not options.as_built:
        subprocess.run(["cargo", "build", *flags, "-p", "byom-preflight", "-p", "loopback-hub"], cwd=ROOT, check=True)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    headers = make_models(SCRATCH / "root")
    venv = python()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, medians of {options.runs} runs")
    if options.only != "local":
        on_the_hub(options, headers, venv)
    on_disk(options, venv)


main()
