"""Archives made by the genuine zip and tar and by Python's modules say what the folder says.

Usage: archives.py BINARY SCRATCH
"""

import json
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from program import report, result

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 16,
    "intermediate_size": 32,
    "max_position_embeddings": 8192,
    "model_type": "llama",
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "num_key_value_heads": 2,
    "torch_dtype": "bfloat16",
    "vocab_size": 64,
}
LAYER = "model.layers.0."
SHAPES = {
    "lm_head.weight": [64, 16],
    "model.embed_tokens.weight": [64, 16],
    LAYER + "input_layernorm.weight": [16],
    LAYER + "mlp.down_proj.weight": [16, 32],
    LAYER + "mlp.gate_proj.weight": [32, 16],
    LAYER + "mlp.up_proj.weight": [32, 16],
    LAYER + "post_attention_layernorm.weight": [16],
    LAYER + "self_attn.k_proj.weight": [16, 16],
    LAYER + "self_attn.o_proj.weight": [16, 16],
    LAYER + "self_attn.q_proj.weight": [16, 16],
    LAYER + "self_attn.v_proj.weight": [16, 16],
    "model.norm.weight": [16],
}


def make_model(folder):
    """A small Llama that passes, with a folder beside its files and a long name."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    tokenizer = {"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer) + " " * 10_000)
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": "{{ messages }}", "tokenizer_class": "PreTrainedTokenizerFast"})
    )
    at, header = 0, {}
    for name, shape in SHAPES.items():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))
    deep = folder / ("long-" * 30) / ("name-" * 20)
    deep.mkdir(parents=True)
    (deep / "notes é.txt").write_text("x")


def with_tarfile(folder, path, mode, form):
    with tarfile.open(path, mode, format=form) as archive:
        archive.add(folder, arcname=".")


def with_zipfile(folder, path, method):
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))


def run(*command, cwd=None):
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)


def makers(folder):
    """Name of each archive, and what makes it."""
    inside = lambda *command: lambda path: run(*command, str(path), ".", cwd=folder)
    yield "shutil.zip", lambda path: shutil.make_archive(str(path.with_suffix("")), "zip", folder)
    yield "shutil.tar", lambda path: shutil.make_archive(str(path.with_suffix("")), "tar", folder)
    yield "shutil.tar.gz", lambda path: shutil.make_archive(str(path)[: -len(".tar.gz")], "gztar", folder)
    yield "zipfile-stored.zip", lambda path: with_zipfile(folder, path, zipfile.ZIP_STORED)
    yield "zipfile-deflated.zip", lambda path: with_zipfile(folder, path, zipfile.ZIP_DEFLATED)
    for name, form in [("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)]:
        yield f"tarfile-{name}.tar", lambda path, form=form: with_tarfile(folder, path, "w", form)
        yield f"tarfile-{name}.tar.gz", lambda path, form=form: with_tarfile(folder, path, "w:gz", form)
    if shutil.which("zip"):
        yield "zip.zip", inside("zip", "-qr")
        yield "zip-stored.zip", inside("zip", "-qr0")
        yield "zip-zip64.zip", inside("zip", "-qr", "-fz")
    for form in ["gnu", "oldgnu", "pax", "posix"]:
        yield f"tar-{form}.tar", inside("tar", f"--format={form}", "-cf")
        yield f"tar-{form}.tar.gz", inside("tar", f"--format={form}", "-czf")


def rules(found, *left_out):
    model = found["models"][0]
    return {
        (row["id"], tuple(row["targets"]), row["outcome"])
        for row in model["rules"]
        if row["id"] not in left_out and not row["id"].startswith("archive-")
    }


def main(binary, scratch):
    scratch = Path(scratch).resolve()
    shutil.rmtree(scratch, ignore_errors=True)
    folder = scratch / "model"
    make_model(folder)
    expected = report(binary, folder)["models"][0]
    for name, make in makers(folder):
        path = scratch / name
        make(path)
        found = report(binary, path)
        model = found["models"][0]
        outcomes = {row["id"]: row["outcome"] for row in model["rules"] if "upload" in row["targets"]}
        same = model["facts"] == expected["facts"] and rules(
            found, "source-unsupported", "policy-outdated"
        ) == rules({"models": [expected]}, "source-unsupported", "policy-outdated")
        sound = outcomes["archive-unsupported"] == "pass" and outcomes["archive-nested"] == "pass"
        passes = model["verdicts"]["upload"] == "pass"
        result(same and sound and passes, f"archive {name} says what the folder says", model["message"])
    for name, command in [
        ("nested.tar.gz", ["tar", "-czf", "nested.tar.gz", "model"]),
        ("whole.tar.zst", ["tar", "--zstd", "-cf", "whole.tar.zst", "-C", "model", "."]),
    ]:
        if name.endswith("zst") and not shutil.which("zstd"):
            print("skipped archive whole.tar.zst: there is no zstd")
            continue
        run(*command, cwd=scratch)
        model = report(binary, scratch / name)["models"][0]
        failed = [row["id"] for row in model["rules"] if row["outcome"] == "fail"]
        wanted = "archive-nested" if name.startswith("nested") else "archive-unsupported"
        result(failed == [wanted], f"archive {name} fails for {wanted}", str(failed))
    whole = (scratch / "shutil.zip").read_bytes()
    for name, data in [("cut.zip", whole[:-30]), ("cut.tar", (scratch / "shutil.tar").read_bytes()[:5000])]:
        (scratch / name).write_bytes(data)
        verdict = report(binary, scratch / name)["models"][0]["verdicts"]["upload"]
        result(verdict == "fail", f"archive {name} that was cut off fails", verdict)


main(*sys.argv[1:])
