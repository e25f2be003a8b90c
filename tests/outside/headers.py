"""Our verdict on the header of a weight file against that of safetensors itself, on sound and broken files."""

import json
import shutil
import struct
import sys
from pathlib import Path

import numpy
from safetensors import safe_open
from safetensors.numpy import save_file

from program import report, result

CONFIG = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
FORMAT = {"format": "pt"}
# What the library reads and we refuse, and why.
STRICTER = {
    "no tensor at all": "a model without tensors is none",
}
U8 = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}


def raw(header, data, length=None):
    """A file with this header, written as it stands, and so many bytes of data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(data)


def one(**changes):
    """A file of one tensor that differs from a sound one."""
    return raw({"__metadata__": FORMAT, "w": {**U8, **changes}}, 4)


def two(first, second, data=8):
    """A file of two tensors at these offsets."""
    tensor = lambda at: {"dtype": "U8", "shape": [at[1] - at[0]], "data_offsets": list(at)}
    return raw({"__metadata__": FORMAT, "a": tensor(first), "b": tensor(second)}, data)


def written():
    """What the library itself writes."""
    tensors = {
        "half": numpy.zeros((3, 5), numpy.float16),
        "whole": numpy.arange(7, dtype=numpy.int64),
        "empty": numpy.zeros((0, 4), numpy.float32),
        "scalar": numpy.zeros((), numpy.float64),
        "flag": numpy.ones(3, numpy.bool_),
    }
    path = Path(sys.argv[2]) / "written.safetensors"
    save_file(tensors, path, metadata=FORMAT)
    return path.read_bytes()


def files():
    sound = written()
    text = json.dumps({"__metadata__": FORMAT, "w": U8}).encode()
    yield "written by the library", sound
    yield "two in a row", two([0, 4], [4, 8])
    yield "spaces after the header", raw(text + b"   ", 4)
    yield "bfloat16", one(dtype="BF16", shape=[2])
    yield "8 bit floats", one(dtype="F8_E4M3")
    yield "4 bit floats", one(dtype="F4", shape=[8])
    yield "no tensor at all", raw({"__metadata__": FORMAT}, 0)
    yield "empty file", b""
    yield "three bytes", b"abc"
    yield "one byte cut", sound[:-1]
    yield "half cut", sound[: len(sound) // 2]
    yield "one byte more", sound + b"\0"
    yield "length beyond the file", raw(text, 4, length=5000)
    yield "length of 2^63", raw(text, 4, length=2**63)
    yield "length beyond the limit", raw(text, 4, length=100_000_001)
    yield "length of 0", raw(b"", 4)
    yield "not JSON", raw(b'{"w": ', 4)
    yield "not UTF-8", raw(b'{"\xff": {"dtype":"U8","shape":[4],"data_offsets":[0,4]}}', 4)
    yield "a list", raw(b"[]", 0)
    yield "a space before the header", raw(b" " + text, 4)
    yield "metadata that is no text", raw({"__metadata__": {"format": "pt", "n": 1}, "w": U8}, 4)
    yield "unknown dtype", one(dtype="F128")
    yield "odd number of 4 bit floats", one(dtype="F4", shape=[7])
    yield "shape too large for the data", one(shape=[5])
    yield "shape that overflows", one(shape=[2**32, 2**32, 2**32])
    yield "negative size", one(shape=[-4])
    yield "offsets beyond the file", one(shape=[400], data_offsets=[0, 400])
    yield "offsets backwards", one(data_offsets=[4, 0])
    yield "no offsets", raw({"w": {"dtype": "U8", "shape": [4]}}, 4)
    yield "overlap", two([0, 6], [2, 8])
    yield "hole between", two([0, 3], [5, 8])
    yield "hole before", two([1, 4], [4, 8])
    yield "more data than described", two([0, 4], [4, 7])


def library_accepts(path):
    try:
        with safe_open(path, framework="np") as file:
            file.keys()
        return True
    except Exception:  # noqa: BLE001 - every refusal counts, whatever its class
        return False


def we_accept(binary, folder):
    rows = report(binary, folder)["models"][0]["rules"]
    outcomes = {row["outcome"] for row in rows if row["id"] == "shard-corrupt"}
    if outcomes not in ({"pass"}, {"fail"}):
        raise SystemExit(f"shard-corrupt ends as {outcomes}")
    return outcomes == {"pass"}


def main():
    binary, scratch = sys.argv[1], Path(sys.argv[2])
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    accepted = 0
    for name, content in files():
        folder = scratch / name.replace(" ", "-")
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(CONFIG))
        path = folder / "model.safetensors"
        path.write_bytes(content)
        theirs, ours = library_accepts(path), we_accept(binary, folder)
        accepted += theirs
        why = f"safetensors accepts it: {theirs}, we do: {ours}"
        if name in STRICTER:
            result(theirs and not ours, f"header: {name} (we are stricter: {STRICTER[name]})", why)
        else:
            result(theirs == ours, f"header: {name}", why)
    result(5 <= accepted <= 10, "headers: both kinds are there", f"{accepted} accepted")


main()
