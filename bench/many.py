#!/usr/bin/env python3
"""Judges 10 000 recorded models in one run and says how many a second, and the memory at its peak.

    python3 bench/many.py [--models 10000] [--binary target/release/byom-preflight] [--runs 3] [--jobs N] [--equal]

The recordings are those of fixtures/, copied under target/bench/many with hard links; each has an id and a
commit of its own. Most models of the Hub are small and dense: the giants (tens of thousands of tensors) come
once in a thousand, and --equal has every fixture equally often.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# More than ten thousand tensors.
GIANTS = {"deepseek-v3", "qwen3-next-80b-a3b-instruct"}
GIANT_EVERY = 1000


def fixtures():
    found = [path.parent for path in sorted((ROOT / "fixtures").glob("*/recording.json"))]
    if not found:
        sys.exit("no fixtures")
    return found


def choose(count, equal):
    """The fixture of each model."""
    every = fixtures()
    if equal:
        return [every[number % len(every)] for number in range(count)]
    giants = [path for path in every if path.name in GIANTS]
    others = [path for path in every if path.name not in GIANTS]
    chosen = []
    for number in range(count):
        pool = giants if number % GIANT_EVERY == GIANT_EVERY - 1 else others
        chosen.append(pool[(number // GIANT_EVERY if pool is giants else number) % len(pool)])
    return chosen


def make(folder, chosen):
    shutil.rmtree(folder, ignore_errors=True)
    for number, source in enumerate(chosen):
        target = folder / f"{number:05}"
        shutil.copytree(source, target, copy_function=os.link)
        path = target / "recording.json"
        document = json.loads(path.read_text())
        document["id"] = f"bench/model-{number:05}"
        document["commit"] = hashlib.sha1(str(number).encode()).hexdigest()
        path.unlink()
        path.write_text(json.dumps(document))
    (folder / "models.txt").write_text("".join(f"{folder}/{number:05}\n" for number in range(len(chosen))))


def peak_kib(process):
    """The highest resident memory so far, as the kernel counts it."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) if lines else 0


def run(binary, folder, count, jobs):
    command = [binary, "check", "-", "--format", "jsonl", *(["--jobs", str(jobs)] if jobs else [])]
    out = folder / "report.jsonl"
    started, peak = time.monotonic(), 0
    with open(folder / "models.txt") as models, open(out, "w") as report:
        process = subprocess.Popen(command, stdin=models, stdout=report, stderr=subprocess.PIPE, text=True)
        while process.poll() is None:
            peak = max(peak, peak_kib(process))
            time.sleep(0.02)
    seconds = time.monotonic() - started
    user = os.times().children_user + os.times().children_system
    ids = [json.loads(line)["model"]["id"] for line in open(out)]
    assert len(ids) == count == len(set(ids)), f"{len(set(ids))} of {count} models were judged"
    print(process.stderr.read().strip().splitlines()[-1])
    print(f"{count / seconds:.0f} models a second, {peak / 1024:.0f} MiB at the peak, {user:.1f} s of processor time so far, load {os.getloadavg()[0]:.1f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--binary", default=ROOT / "target/release/byom-preflight")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--equal", action="store_true")
    options = parser.parse_args()
    folder = ROOT / "target/bench" / ("many-equal" if options.equal else "many")
    make(folder, choose(options.models, options.equal))
    for _ in range(options.runs):
        run(options.binary, folder, options.models, options.jobs)


main()
