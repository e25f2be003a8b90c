"""Our count of stored elements against that of huggingface_hub, on fixtures written out as folders."""

import shutil
import subprocess
import sys
from pathlib import Path

from huggingface_hub import get_local_safetensors_metadata

from program import report, result

# Plain, tied and stored twice, packed integers, two kinds of 8 bit, many shards.
FIXTURES = [
    "smollm2-1.7b-instruct",
    "qwen3-0.6b",
    "llama-3.1-8b-instruct",
    "llama-2-7b-chat-gptq",
    "llama-3.1-8b-instruct-bnb-4bit",
    "gpt-oss-120b",
    "mixtral-8x22b-instruct-v0.1",
]


def main():
    binary, scratch = sys.argv[1], Path(sys.argv[2])
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for name in FIXTURES:
        folder = scratch / name
        command = ["cargo", "xtask", "materialise", name, str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        theirs = dict(get_local_safetensors_metadata(folder).parameter_count)
        parameters = report(binary, folder)["models"][0]["facts"]["parameters"]
        ours = parameters["by_dtype"]
        result(theirs == ours, f"elements by dtype: {name}", f"huggingface_hub {theirs}, we {ours}")
        stored = parameters["stored_elements"]
        result(stored == sum(theirs.values()), f"stored elements: {name}", f"{sum(theirs.values())}, we {stored}")


main()
