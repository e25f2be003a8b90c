"""What each transformers release knows, read from its wheel.

`read(wheel)` gives one release; `combine(releases)` gives the table that is written to
data/transformers.json, in which every name carries the span of releases that know it.
"""
import ast
import re
import zipfile

from literal_tables import tables

AUTO = "transformers/models/auto/"

# Short names for the mappings that rules ask for by name. Any other MODEL_FOR_X_MAPPING_NAMES is `x`.
TASKS = {
    "MODEL_MAPPING_NAMES": "base",
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES": "seq2seq_lm",
    "MODEL_FOR_VISION_2_SEQ_MAPPING_NAMES": "vision2seq",
    "MODEL_WITH_LM_HEAD_MAPPING_NAMES": "with_lm_head",
}


def read(wheel):
    """The facts of one release, as a set of tuples: (kind, name...)."""
    with zipfile.ZipFile(wheel) as archive:
        shared = _tables(archive, AUTO + "auto_mappings.py", {})  # since 5.x; other tables build on it
        config = _tables(archive, AUTO + "configuration_auto.py", shared)
        bound = {**shared, "CONFIG_MAPPING_NAMES": config["CONFIG_MAPPING_NAMES"]}
        models = _tables(archive, AUTO + "modeling_auto.py", bound)
        tokenizers = _tables(archive, AUTO + "tokenization_auto.py", bound)["TOKENIZER_MAPPING_NAMES"]

        facts = {("model_type", model_type) for model_type in config["CONFIG_MAPPING_NAMES"]}
        for mapping, table in models.items():
            if mapping.startswith("MODEL_") and mapping.endswith("_NAMES") and isinstance(table, dict):
                task = TASKS.get(mapping) or re.sub(r"^MODEL_FOR_|(_MAPPING)?_NAMES$", "", mapping).lower()
                facts |= {("class", kind, task, name) for kind, entry in table.items() for name in _names(entry)}
        for model_type, entry in tokenizers.items():
            facts |= {("tokenizer", model_type, name) for name in _names(entry)}
            facts |= {("tokenizer_class", name) for name in _names(entry)}
        facts |= {("tokenizer_class", name) for name in _tokenizer_classes(archive)}
        facts |= {("quant_method", method) for method in _quant_methods(archive)}
        return facts


def _tables(archive, path, bound):
    if path not in archive.namelist():
        return {}
    return tables(archive.read(path), bound)


def _names(entry):
    """A mapping's value is a class name, or several, some of them None (no slow tokenizer, say)."""
    return [entry] if isinstance(entry, str) else [name for name in entry or () if name]


def _tokenizer_classes(archive):
    """Classes in the models' tokenizer files, and the base classes that the package exports."""
    for path in archive.namelist():
        if re.match(r"transformers/models/(deprecated/)?\w+/tokenization_(?!auto)\w+\.py$", path):
            yield from re.findall(r"^class (\w*Tokenizer\w*)[(:]", archive.read(path).decode(), re.M)
    for node in ast.walk(ast.parse(archive.read("transformers/__init__.py"))):
        match node:  # _import_structure["tokenization_x"] = [...], or the same key in its first literal
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=str(key)))], value=ast.List() as value):
                exported = [(key, value)]
            case ast.Dict():
                exported = [(key.value, value) for key, value in zip(node.keys, node.values) if isinstance(key, ast.Constant)]
            case _:
                continue
        for key, value in exported:
            if isinstance(key, str) and key.startswith("tokenization_") and isinstance(value, ast.List):
                names = [item.value for item in value.elts if isinstance(item, ast.Constant)]
                yield from (name for name in names if re.search(r"Tokenizer|Backend$", name))


def _quant_methods(archive):
    """The methods that have a config class: a table since 4.38, an enumeration before."""
    table = _tables(archive, "transformers/quantizers/auto.py", {}).get("AUTO_QUANTIZATION_CONFIG_MAPPING")
    if table:
        return list(table)
    path = "transformers/utils/quantization_config.py"
    if path not in archive.namelist():
        return []
    methods = [
        statement.value.value
        for node in ast.parse(archive.read(path)).body
        if isinstance(node, ast.ClassDef) and node.name == "QuantizationMethod"
        for statement in node.body
        if isinstance(statement, ast.Assign)
    ]
    both = ["bitsandbytes_4bit", "bitsandbytes_8bit"]
    return [name for method in methods for name in (both if method == "bitsandbytes" else [method])]


def combine(releases):
    """`releases` maps a version to its facts, oldest first."""
    minors = [version.rsplit(".", 1)[0] for version in releases]
    seen = {}
    for index, facts in enumerate(releases.values()):
        for fact in facts:
            seen.setdefault(fact, []).append(index)
    seen = {fact: _span(indexes, minors) for fact, indexes in sorted(seen.items())}

    def of_kind(wanted):
        return ((names, span) for (kind, *names), span in seen.items() if kind == wanted)

    model_types = {model_type: {"known": span} for (model_type,), span in of_kind("model_type")}
    # A name in the other tables that no config can carry (nllb, decision_transformer_gpt2) is left out.
    for (model_type, task, name), span in of_kind("class"):
        if model_type in model_types:
            model_types[model_type].setdefault("tasks", {}).setdefault(task, {})[name] = span
    for (model_type, name), span in of_kind("tokenizer"):
        if model_type in model_types:
            model_types[model_type].setdefault("tokenizers", {})[name] = span
    return {
        "releases": list(releases),
        "model_types": model_types,
        "tokenizer_classes": {name: span for (name,), span in of_kind("tokenizer_class")},
        "quant_methods": {method: span for (method,), span in of_kind("quant_method")},
    }


def _span(indexes, minors):
    """`4.28` (since then), `4.33-5.5` (last in 5.5), or several of them: `4.29-4.51,4.53`."""
    parts, start = [], indexes[0]
    for index, following in zip(indexes, indexes[1:] + [None]):
        if following == index + 1:
            continue
        is_newest = index == len(minors) - 1
        parts.append(minors[start] if is_newest else f"{minors[start]}-{minors[index]}")
        start = following
    return ",".join(parts)
