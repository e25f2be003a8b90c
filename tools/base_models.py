"""Reduce a collected list of Together's fine-tuning base models to the catalogs that the program carries.

    python3 tools/base_models.py together-base-models.json crates/preflight-rules/catalogs

The input holds one object a model, transcribed from the platform's two published tables; a row's
`source` says which table it is from. One model a line in the output, in the order of the table.
"""
import json
import sys
from pathlib import Path

# What the platform's page states, and how the rest of a row was come by.
STATED = ["name", "training_types", "context_sft", "context_dpo", "lora_max_rank"]
INFERRED = {
    "hf_repo": "the publisher's repository of that model; the platform names none",
    "model_type": "config.json of that repository, as publicly known; the platform names none",
    "architecture": "config.json of that repository, as publicly known; the platform names none",
    "parameters": "`parameters_from` says: the figure in the model's name, or the publisher's model card",
    "vlm": "https://docs.together.ai/docs/fine-tuning/vision, and the `-VLM` ending of names",
    "full_context_max": "a note under the table of late 2025: beyond 32k, Llama 3.1 is trained with LoRA only",
}
CATALOGS = [
    ("together-2025", "2025-11", "https://docs.together.ai/docs/fine-tuning-models"),
    ("together-2026", "2026-07", "https://docs.together.ai/docs/fine-tuning/supported-models"),
]


# Beyond this length, the table of late 2025 says, Llama 3.1 is trained with LoRA only; its rows do not.
LORA_ONLY_ABOVE = 32768


def reduced(row):
    basis = row["params_basis"]
    is_noted = "Llama-3.1" in row["name"] and "fine-tuning-models" in row["source"]
    is_longer = "full" in row["methods"] and row["context_length_sft"] > LORA_ONLY_ABOVE
    return {
        "name": row["name"],
        "hf_repo": row["hf_repo"],
        "model_type": row["model_type"],
        "architecture": row["architecture"],
        "parameters": row["params"],
        "parameters_from": "name" if "name" in basis else "publisher" if "card" in basis else None,
        "training_types": row["methods"],
        "context_sft": row["context_length_sft"],
        "context_dpo": row["context_length_dpo"],
        "lora_max_rank": row["lora_max_rank"],
        "vlm": row["vlm"],
    } | ({"full_context_max": LORA_ONLY_ABOVE} if is_noted and is_longer else {})


def main(collected, out):
    rows = json.loads(Path(collected).read_text())
    for catalog, as_of, source in CATALOGS:
        mine = [reduced(row) for row in rows if row["source"].split(" ")[0] == source]
        head = {"id": catalog, "as_of": as_of, "source": source, "stated": STATED, "inferred": INFERRED}
        text = json.dumps(head, indent=1)[:-2] + ',\n "models": [\n'
        text += ",\n".join("  " + json.dumps(row) for row in mine) + "\n ]\n}\n"
        Path(out, f"{catalog}.json").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
