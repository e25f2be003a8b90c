"""The example of docs/scale.md under Spark, in local-cluster mode: two executors, each a process of its own.

    spark.py PROGRAM SCRATCH [MODELS]

Needs pyspark and Java. Recordings are those of fixtures/, copied with hard links.
"""

import json
import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Small ones: this is about the pipe, not about the speed.
FIXTURES = ["smollm2-1.7b-instruct", "qwen3-0.6b", "bert-base-uncased", "gated-llama-3.3-70b-instruct", "cerebras-gpt-1.3b"]


def result(ok, name, why=""):
    print(f"{'passed' if ok else 'failed'} spark, {name}" + ("" if ok else f": {why}"), flush=True)


def recordings(scratch, count):
    shutil.rmtree(scratch, ignore_errors=True)
    paths = []
    for number in range(count):
        target = scratch / f"{number:05}"
        shutil.copytree(ROOT / "fixtures" / FIXTURES[number % len(FIXTURES)], target, copy_function=os.link)
        paths.append(str(target))
    return paths


def example():
    """The Python that the page shows."""
    (text,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/scale.md").read_text(), re.DOTALL | re.MULTILINE)
    return text


def main():
    program, scratch = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    import pyspark
    from pyspark import SparkConf, SparkContext

    # local-cluster starts its workers from here.
    os.environ.setdefault("SPARK_HOME", os.path.dirname(pyspark.__file__))
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    paths = recordings(scratch / "models", count)
    lost = ["./no-such-folder", "not a model"]
    # The example names its files, and finds the program on the path of the executors, which is ours.
    os.chdir(scratch)
    shutil.rmtree("refused", ignore_errors=True)
    Path("models.txt").write_text("".join(f"{word}\n" for word in paths + lost))
    os.environ["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    conf = (
        SparkConf()
        .setMaster("local-cluster[2,1,1024]")
        .setAppName("byom-preflight")
        .set("spark.ui.enabled", "false")
        .set("spark.executor.memory", "512m")
        .set("spark.driver.bindAddress", "127.0.0.1")
        .set("spark.driver.host", "127.0.0.1")
    )
    spark = SparkContext(conf=conf)
    spark.setLogLevel("ERROR")
    try:
        shown = {}
        exec(example(), shown)
        verdicts = shown["reports"].map(lambda report: (report["model"]["input"], report["verdicts"]["fine-tune"]))
        found = dict(verdicts.collect())
        workers = spark.range(64, numSlices=8).map(lambda _: os.getpid()).distinct().count()
    finally:
        spark.stop()
    result(set(paths) <= set(found), f"{count} models have a line each", f"{len(found)} lines")
    result(len(found) == count + len(lost) and {found.get(word) for word in lost} == {"undecided"}, "what is no model has one too", str(found)[:300])
    by_fixture = {}
    for number, path in enumerate(paths):
        by_fixture.setdefault(FIXTURES[number % len(FIXTURES)], set()).add(found.get(path))
    result(all(len(seen) == 1 for seen in by_fixture.values()), "equal models have equal verdicts", str(by_fixture))
    refused = [line for part in Path("refused").glob("part-*") for line in part.read_text().splitlines()]
    failed = [word for word, verdict in found.items() if verdict == "fail"]
    result(len(failed) > 0 and sorted(refused) == sorted(failed), "the example keeps those that fail", f"{len(refused)} of {len(failed)}")
    result(workers >= 2, "on two executors at least", f"{workers} processes")


main()
