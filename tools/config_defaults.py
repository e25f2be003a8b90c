"""Defaults of transformers' config classes, for data/config-defaults.json.

Run by transformers_tables.py with the Python of an environment that has transformers and no torch:
config classes can be built there, model classes only be read (class_attributes.py). Prints JSON.

How `derived` is found. A default counts as derived when it follows from other settings. Each class is
built again and again with one argument of its signature, or of a nested config's, moved away from
its default, in several ways because many values are refused (heads that do not divide, and so on).
Every *other* setting that then differs from the plain instance is derived. So num_key_value_heads of
llama is, since it moves with num_attention_heads; qwen3's is not, being 32 whatever the rest. What
moves only when two arguments move together would be missed. Whole nested configs are left out.
"""
import inspect
import json
import sys
from pathlib import Path

import transformers
from transformers import PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
)

import class_attributes

# Every config has these, and no rule reads their defaults.
COMMON = set(PretrainedConfig().to_dict()) - {"tie_word_embeddings", "is_encoder_decoder", "is_decoder"}
COMMON |= {"model_type", "transformers_version"}
SCALAR = (int, float, str, bool, type(None))
LIST_LENGTH_MAX = 8  # longer ones say the same once per layer

CLASS_ATTRIBUTES = (
    "_tied_weights_keys",
    "_checkpoint_conversion_mapping",
    "_keys_to_ignore_on_load_unexpected",
)


def main():
    class_attributes.use(Path(transformers.__file__).parent)
    known = {*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES}
    wanted = {model_type: CONFIG_MAPPING[model_type] for model_type in sorted(known)}
    rows = {}
    while wanted:
        name, config_class = wanted.popitem()
        parts = sub_configs(config_class)
        rows[name] = row(name, config_class, parts)
        wanted |= {name_of(part): part for part in parts.values() if name_of(part) not in rows}
    json.dump({"release": transformers.__version__, "model_types": dict(sorted(rows.items()))}, sys.stdout)


def name_of(config_class):
    """Its model type; a few classes that exist only inside another (DbrxAttentionConfig) have none."""
    return config_class.model_type or config_class.__name__


def row(model_type, config_class, parts):
    plain = build(config_class)
    out = {
        "config_class": config_class.__name__,
        "attribute_map": dict(sorted(config_class.attribute_map.items())),
        "sub_configs": {key: name_of(part) for key, part in parts.items()},
        "defaults": defaults(plain) if plain else {},
        "derived": derived(config_class, plain, parts) if plain else [],
    }
    causal_lm = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(model_type)
    if causal_lm:
        path = class_attributes.modelling_file(causal_lm)
        out["causal_lm"] = causal_lm
        out["base_model_prefix"] = class_attributes.attribute(path, causal_lm, "base_model_prefix")
        for name in CLASS_ATTRIBUTES:
            out[name.strip("_")] = class_attributes.attribute(path, causal_lm, name)
    return {name: value for name, value in sorted(out.items()) if value}


def build(config_class, **arguments):
    """An instance, or None where the class refuses (musicgen cannot be built without its parts)."""
    try:
        return config_class(**arguments)
    except Exception:
        return None


def settings(config):
    return {name: value for name, value in config.to_dict().items() if name not in COMMON}


def defaults(config):
    def is_small(value):
        if isinstance(value, list):
            return len(value) <= LIST_LENGTH_MAX and all(isinstance(item, SCALAR) for item in value)
        return isinstance(value, SCALAR)

    return {name: value for name, value in sorted(settings(config).items()) if is_small(value)}


def sub_configs(config_class):
    """Key of each nested config to the class that it has where the file names none."""
    out = {}
    for key, declared in sorted(config_class.sub_configs.items()):
        # What an object that names no type becomes; failing that, what is there by default.
        for config in (build(config_class, **{key: {}}), build(config_class)):
            part = getattr(config, key, None)
            if isinstance(part, PretrainedConfig):
                out[key] = type(part)
                break
        else:
            if issubclass(declared, PretrainedConfig):  # AutoConfig says only that it must be given
                out[key] = declared
    return out


def derived(config_class, plain, parts):
    moves = list(moves_of(config_class))
    for key, part in parts.items():
        moves += [(key, {key: arguments}) for _, arguments in moves_of(part)]
    before = settings(plain)
    out = set()
    for name, arguments in moves:
        config = build(config_class, **arguments)
        if config is None:
            continue
        own = {name, config_class.attribute_map.get(name, name)}
        after = settings(config)
        out |= {other for other in before | after if before.get(other) != after.get(other)} - own
    return sorted(name for name in out if not isinstance(before.get(name), dict))


def moves_of(config_class):
    """Each argument of the signature with a value that is not its default."""
    for name, parameter in inspect.signature(config_class.__init__).parameters.items():
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name != "self":
            for value in moved(parameter.default):
                yield name, {name: value}


def moved(default):
    """Values other than the default, of its kind; for None, where the kind is not known, small numbers."""
    match default:
        case bool():
            return [not default]
        case int():
            return sorted({default * 2, default * 3, default + 1, default // 2} - {default, 0})
        case float():
            return [default * 2, default / 2]
        case [*_, last]:
            return [[*default, last], default[:-1]]
        case None:
            return [1, 2, 64]
    return []


if __name__ == "__main__":
    main()
