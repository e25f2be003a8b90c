"""Checkpoints of known shape as sparse files: headers are real, weights are holes."""

import json
import struct
from pathlib import Path

BYTES = 2  # of a bfloat16


def llama(layers, hidden, inner, kv, vocabulary):
    """Names and shapes of the tensors of a Llama model."""
    yield "model.embed_tokens.weight", [vocabulary, hidden]
    for layer in range(layers):
        start = f"model.layers.{layer}."
        for name, shape in [
            ("self_attn.q_proj", [hidden, hidden]),
            ("self_attn.k_proj", [kv, hidden]),
            ("self_attn.v_proj", [kv, hidden]),
            ("self_attn.o_proj", [hidden, hidden]),
            ("mlp.gate_proj", [inner, hidden]),
            ("mlp.up_proj", [inner, hidden]),
            ("mlp.down_proj", [hidden, inner]),
            ("input_layernorm", [hidden]),
            ("post_attention_layernorm", [hidden]),
        ]:
            yield f"{start}{name}.weight", shape
    yield "model.norm.weight", [hidden]
    yield "lm_head.weight", [vocabulary, hidden]


TINY = {"layers": 2, "hidden": 64, "inner": 128, "kv": 32, "vocabulary": 256}
EIGHT = {"layers": 32, "hidden": 4096, "inner": 14336, "kv": 1024, "vocabulary": 128256}
SEVENTY = {"layers": 80, "hidden": 8192, "inner": 28672, "kv": 1024, "vocabulary": 128256}
HEADS = {64: 4, 4096: 32, 8192: 64}


def config(shape, **more):
    heads = HEADS[shape["hidden"]]
    head = shape["hidden"] // heads
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": shape["hidden"],
        "intermediate_size": shape["inner"],
        "num_hidden_layers": shape["layers"],
        "num_attention_heads": heads,
        "num_key_value_heads": shape["kv"] // head,
        "vocab_size": shape["vocabulary"],
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.43.0",
        **more,
    }


def elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def write_weights(path, tensors):
    """A safetensors file whose tensors are holes; the bytes of its header, prefix included."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        end = offset + BYTES * elements(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + offset)
    return 8 + len(text)


def write_model(folder, shape=TINY, shards=1, **more):
    """A complete repository; the bytes of all headers together."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config(shape, **more), indent=2))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "tokenizer.json").write_text('{"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}')
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": "{{ messages[0].content }}"})
    )
    tensors = list(llama(**shape))
    if shards == 1:
        return write_weights(folder / "model.safetensors", tensors)
    # Even in bytes, at least one tensor each: as `save_pretrained` cuts.
    total = sum(BYTES * elements(dims) for _, dims in tensors)
    parts, held = [[]], 0
    for place, (name, dims) in enumerate(tensors):
        size = BYTES * elements(dims)
        still_needed = shards - len(parts)
        is_full = held + size > total / shards or len(tensors) - place <= still_needed
        if parts[-1] and is_full and still_needed:
            parts.append([])
            held = 0
        parts[-1].append((name, dims))
        held += size
    bytes_of_headers, weight_map = 0, {}
    for number, part in enumerate(parts, 1):
        name = f"model-{number:05}-of-{len(parts):05}.safetensors"
        bytes_of_headers += write_weights(folder / name, part)
        weight_map |= {tensor: name for tensor, _ in part}
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return bytes_of_headers
