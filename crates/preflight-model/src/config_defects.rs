//! Details of config.json that break a load: what `AutoConfig` or the building of the model refuses.
//!
//! Each was seen to break transformers 4.55.4 with a two-layer model; `docs/how-it-decides.md` says
//! how. A check that holds for some classes only is made for those only: a wrong "broken" is as bad
//! as a wrong "fine".

use crate::config::{Config, Section};
use crate::fact::Defect;
use crate::json::{Cursor, Number, Tolerated, Value};

const PATH: &str = "config.json";

/// Attributes of `torch` that name a dtype a model can be built in.
/// Source: <https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.dtype>
const DTYPES: [&str; 7] = [
    "bfloat16", "double", "float", "float16", "float32", "float64", "half",
];

/// Keys of `ACT2FN`.
/// Source: <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/activations.py>
const ACTIVATIONS: [&str; 23] = [
    "gelu",
    "gelu_10",
    "gelu_accurate",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_python_tanh",
    "gelu_pytorch_tanh",
    "hardswish",
    "laplace",
    "leaky_relu",
    "linear",
    "mish",
    "prelu",
    "quick_gelu",
    "relu",
    "relu2",
    "relu6",
    "sigmoid",
    "silu",
    "swish",
    "tanh",
    "xielu",
];

/// Rope types and what each needs beside its name.
/// Source: <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_rope_utils.py>
const ROPE_TYPES: [(&str, &[&str]); 6] = [
    ("default", &[]),
    ("linear", &["factor"]),
    ("dynamic", &["factor"]),
    ("yarn", &["factor"]),
    ("longrope", &["short_factor", "long_factor"]),
    (
        "llama3",
        &[
            "factor",
            "original_max_position_embeddings",
            "low_freq_factor",
            "high_freq_factor",
        ],
    ),
];

/// Model types whose config class checks `rope_scaling` by the common function.
const ROPE_CHECKED: [&str; 14] = [
    "arcee",
    "cohere",
    "deepseek_v3",
    "gemma3_text",
    "gpt_oss",
    "granite",
    "llama",
    "mistral",
    "mixtral",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "smollm3",
];

/// Model types whose embedding is built with `padding_idx = pad_token_id`.
const PADDING_CHECKED: [&str; 17] = [
    "cohere",
    "deepseek_v3",
    "gemma",
    "gemma2",
    "gemma3_text",
    "gpt_oss",
    "granite",
    "llama",
    "mistral",
    "mixtral",
    "olmo2",
    "phi",
    "phi3",
    "qwen2",
    "qwen3",
    "qwen3_moe",
    "smollm3",
];

/// Model types whose config class checks `layer_types`.
const LAYER_TYPES_CHECKED: [&str; 8] = [
    "cohere2",
    "exaone4",
    "gemma2",
    "gemma3_text",
    "gpt_oss",
    "qwen2",
    "qwen3",
    "smollm3",
];
const LAYER_TYPES: [&str; 4] = [
    "full_attention",
    "sliding_attention",
    "chunked_attention",
    "linear_attention",
];

/// Sizes that must be numbers wherever they stand.
const SIZES: [&str; 8] = [
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rope_theta",
    "vocab_size",
];

/// Sizes of tensors and loops, which `torch` and Python's `range` take as whole numbers only, and
/// tensors not below 0 nor beyond 63 bits
/// (<https://docs.pytorch.org/docs/stable/generated/torch.empty.html>).
const WHOLE_SIZES: [&str; 5] = [
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_hidden_layers",
    "vocab_size",
];

/// Everything about this config.json that the loader would stop at.
pub fn find(config: &Config) -> Vec<Defect> {
    let mut defects = Vec::new();
    mistakes_of_json(config, &mut defects);
    model_type(config, &mut defects);
    top_level(config, &mut defects);
    let text = config.text();
    dtype(&config.whole(), &mut defects);
    if !text.cursor().place().pointer.is_empty() {
        dtype(&text, &mut defects);
    }
    sizes(&text, &mut defects);
    rope_scaling(&text, &mut defects);
    layer_types(&text, &mut defects);
    pad_token(&text, &mut defects);
    activation(&text, &mut defects);
    defects
}

fn at(cursor: &Cursor<'_>, message: String) -> Defect {
    Defect::at(PATH, cursor.place(), message)
}

fn mistakes_of_json(config: &Config, defects: &mut Vec<Defect>) {
    for (mistake, place) in config.document().tolerated() {
        let message = match mistake {
            Tolerated::ByteOrderMark => {
                "config.json starts with a byte order mark, which Python's JSON reader refuses"
            }
            Tolerated::TrailingComma(_) => {
                "a comma stands before a closing bracket, which is not JSON"
            }
        };
        defects.push(Defect::at(PATH, place, message));
    }
}

fn model_type(config: &Config, defects: &mut Vec<Defect>) {
    let root = config.root();
    match root.get("model_type") {
        None => defects.push(Defect::of_file(
            PATH,
            "config.json has no `model_type`: the loader would guess it from the repository's name",
        )),
        Some(given) if given.as_str().is_none_or(str::is_empty) => defects.push(at(
            &given,
            format!(
                "`model_type` must name a model type, it is {}",
                given.describe()
            ),
        )),
        Some(_) => {}
    }
}

/// The loader asks whether its class is *in* the map and takes the value for a name. A text or a list
/// without that word does no harm. All run with transformers 4.55.4.
fn auto_map(map: &Cursor<'_>, defects: &mut Vec<Defect>) {
    const CLASSES: [&str; 2] = ["AutoConfig", "AutoModelForCausalLM"];
    let names_a_class = |text: &str| CLASSES.iter().any(|class| text.contains(class));
    let is_readable = map.is_object()
        || map.is_array()
            && !map
                .elements()
                .any(|name| name.as_str().is_some_and(names_a_class))
        || map.as_str().is_some_and(|text| !names_a_class(text));
    if !is_readable {
        defects.push(at(
            map,
            format!(
                "`auto_map` is {}, which the loader cannot read: remove the key",
                map.describe()
            ),
        ));
    }
    let entries = CLASSES.iter().filter_map(|class| map.get(class));
    for entry in entries.filter(|entry| entry.as_str().is_none() && !entry.is_array()) {
        defects.push(at(
            &entry,
            format!(
                "`auto_map` names {} in place of a class, which the loader cannot read: remove the key",
                entry.describe()
            ),
        ));
    }
}

fn top_level(config: &Config, defects: &mut Vec<Defect>) {
    let root = config.root();
    if let Some(map) = root.get("auto_map") {
        auto_map(&map, defects);
    }
    if let Some(key) = root.get("use_return_dict") {
        defects.push(at(
            &key,
            "`use_return_dict` is a read-only property: the loader cannot set it".into(),
        ));
    }
    let Some(quantization) = root.get("quantization_config") else {
        return;
    };
    let flag = |key: &str| quantization.get(key).and_then(|value| value.as_bool()) == Some(true);
    if quantization.is_null() {
        defects.push(at(
            &quantization,
            "`quantization_config` is `null`, which the loader cannot read: remove the key".into(),
        ));
    } else if quantization.get_set("quant_method").is_none()
        && !flag("load_in_4bit")
        && !flag("load_in_8bit")
    {
        defects.push(at(
            &quantization,
            "`quantization_config` names no `quant_method`".into(),
        ));
    }
}

fn dtype(section: &Section<'_>, defects: &mut Vec<Defect>) {
    let Some(given) = section.given("torch_dtype") else {
        return;
    };
    let Some(name) = given.as_str() else { return };
    if !DTYPES.contains(&name) {
        let meant = name.strip_prefix("torch.").unwrap_or(name);
        let meant = match meant {
            "bf16" => "bfloat16",
            "fp16" => "float16",
            "fp32" => "float32",
            other => other,
        };
        let hint = if DTYPES.contains(&meant) {
            format!(" (did you mean `{meant}`?)")
        } else {
            String::new()
        };
        defects.push(at(
            &given,
            format!("`torch_dtype` is `{name}`, which a model cannot be built in{hint}"),
        ));
    }
}

fn sizes(text: &Section<'_>, defects: &mut Vec<Defect>) {
    for key in SIZES {
        if let Some(given) = text.given(key).filter(|given| given.as_str().is_some()) {
            defects.push(at(
                &given,
                format!("`{key}` must be a number, it is {}", given.describe()),
            ));
        }
    }
    for key in WHOLE_SIZES {
        let Some(given) = text.given(key) else {
            continue;
        };
        if given.is_null() && key != "intermediate_size" && text.class().is_some() {
            defects.push(at(
                &given,
                format!("`{key}` must be a number, it is `null`"),
            ));
        }
        let Value::Number(number) = given.value() else {
            continue;
        };
        let is_size = match number {
            Number::Float(_) | Number::BigInt(_) => false,
            // A model without layers is built without a word, and is no model.
            Number::Int(value) => *value >= i64::from(key != "intermediate_size"),
        };
        if !is_size {
            let found = given.describe();
            defects.push(at(
                &given,
                format!(
                    "`{key}` must be a whole number above 0 that a tensor can have, it is {found}"
                ),
            ));
        }
    }
}

fn is_one_of(text: &Section<'_>, types: &[&str]) -> bool {
    text.model_type()
        .is_some_and(|model_type| types.contains(&model_type))
}

fn rope_scaling(text: &Section<'_>, defects: &mut Vec<Defect>) {
    let Some(scaling) = text.given("rope_scaling") else {
        return;
    };
    if scaling.is_null() || !is_one_of(text, &ROPE_CHECKED) {
        return;
    }
    if !scaling.is_object() {
        let message = format!(
            "`rope_scaling` must be an object, it is {}",
            scaling.describe()
        );
        defects.push(at(&scaling, message));
        return;
    }
    let kind = scaling
        .get_set("rope_type")
        .or_else(|| scaling.get_set("type"));
    let Some(kind) = kind.as_ref().and_then(Cursor::as_str) else {
        defects.push(at(&scaling, "`rope_scaling` names no `rope_type`".into()));
        return;
    };
    let Some((_, needs)) = ROPE_TYPES.iter().find(|(known, _)| *known == kind) else {
        defects.push(at(
            &scaling,
            format!("`rope_scaling` has the unknown `rope_type` `{kind}`"),
        ));
        return;
    };
    let missing: Vec<_> = needs
        .iter()
        .filter(|key| scaling.get(key).is_none())
        .collect();
    for key in missing {
        defects.push(at(
            &scaling,
            format!("`rope_scaling` of type `{kind}` needs `{key}`"),
        ));
    }
}

fn layer_types(text: &Section<'_>, defects: &mut Vec<Defect>) {
    let Some(types) = text.given("layer_types").filter(Cursor::is_array) else {
        return;
    };
    if !is_one_of(text, &LAYER_TYPES_CHECKED) {
        return;
    }
    let unknown = types.elements().find(|kind| {
        !kind
            .as_str()
            .is_some_and(|kind| LAYER_TYPES.contains(&kind))
    });
    if let Some(kind) = unknown {
        defects.push(at(
            &kind,
            format!("`layer_types` has the unknown entry {}", kind.describe()),
        ));
    }
    let (have, want) = (
        types.elements().count() as u64,
        text.u64("num_hidden_layers"),
    );
    if let Some(want) = want.filter(|&want| have < want) {
        defects.push(at(
            &types,
            format!("`layer_types` has {have} entries for {want} layers"),
        ));
    }
}

fn pad_token(text: &Section<'_>, defects: &mut Vec<Defect>) {
    let Some(pad) = text.given("pad_token_id") else {
        return;
    };
    let Some((token, vocabulary)) = pad.as_u64().zip(text.u64("vocab_size")) else {
        return;
    };
    if is_one_of(text, &PADDING_CHECKED) && token >= vocabulary {
        defects.push(at(
            &pad,
            format!(
                "`pad_token_id` is {token}, beyond the last of {vocabulary} tokens of `vocab_size`"
            ),
        ));
    }
}

fn activation(text: &Section<'_>, defects: &mut Vec<Defect>) {
    if text.class().is_none() {
        return;
    }
    let Some(given) = text.given("hidden_act") else {
        return;
    };
    if let Some(name) = given.as_str().filter(|name| !ACTIVATIONS.contains(name)) {
        defects.push(at(
            &given,
            format!("`hidden_act` is `{name}`, which is no activation of transformers"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    fn messages(text: &str) -> String {
        let config = Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap();
        let defects: Vec<_> = find(&config)
            .into_iter()
            .map(|defect| defect.message)
            .collect();
        defects.join("; ")
    }

    #[test]
    fn a_sound_config_has_none() {
        for text in [
            r#"{"model_type": "llama", "torch_dtype": "bfloat16", "pad_token_id": 0, "vocab_size": 64, "hidden_act": "silu"}"#,
            r#"{"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2.0}}"#,
            r#"{"model_type": "llama", "rope_scaling": null, "torch_dtype": null, "auto_map": {}}"#,
            r#"{"model_type": "llama", "auto_map": ["a.B"]}"#,
            r#"{"model_type": "llama", "auto_map": {"AutoModel": null, "AutoConfig": ["a.B", null]}}"#,
            r#"{"model_type": "qwen3", "num_hidden_layers": 2, "layer_types": ["full_attention", "sliding_attention"]}"#,
            r#"{"model_type": "lfm2", "num_hidden_layers": 1, "layer_types": ["conv"]}"#,
            r#"{"model_type": "llama", "quantization_config": {"load_in_4bit": true}}"#,
            r#"{"model_type": "gpt2", "pad_token_id": 50257}"#,
            r#"{"model_type": "llama", "num_hidden_layers": 1, "intermediate_size": 0, "rope_theta": 1e6, "max_position_embeddings": 8192.0}"#,
        ] {
            assert_eq!(messages(text), "", "{text}");
        }
    }

    #[test]
    fn each_defect_names_its_key() {
        for (text, says) in [
            (r#"{"a": 1}"#, "has no `model_type`"),
            (r#"{"model_type": null}"#, "`model_type` must name"),
            (r#"{"model_type": ""}"#, "`model_type` must name"),
            (r#"{"model_type": "llama",}"#, "comma"),
            (
                r#"{"model_type": "llama", "torch_dtype": "bf16"}"#,
                "did you mean `bfloat16`?",
            ),
            (
                r#"{"model_type": "llama", "torch_dtype": "auto"}"#,
                "`torch_dtype` is `auto`",
            ),
            (
                r#"{"model_type": "llama", "torch_dtype": "torch.float16"}"#,
                "did you mean `float16`?",
            ),
            (
                r#"{"model_type": "llama", "auto_map": null}"#,
                "`auto_map` is ",
            ),
            (
                r#"{"model_type": "llama", "auto_map": ["AutoConfig"]}"#,
                "`auto_map` is a list",
            ),
            (
                r#"{"model_type": "llama", "auto_map": {"AutoConfig": null}}"#,
                "in place of a class",
            ),
            (
                r#"{"model_type": "llama", "use_return_dict": true}"#,
                "read-only",
            ),
            (
                r#"{"model_type": "llama", "quantization_config": null}"#,
                "remove the key",
            ),
            (
                r#"{"model_type": "llama", "quantization_config": {"bits": 4}}"#,
                "no `quant_method`",
            ),
            (
                r#"{"model_type": "llama", "rope_scaling": {"factor": 2.0}}"#,
                "names no `rope_type`",
            ),
            (
                r#"{"model_type": "llama", "hidden_size": null}"#,
                "`hidden_size` must be a number, it is `null`",
            ),
            (
                r#"{"model_type": "qwen2", "rope_scaling": {"type": "mrope"}}"#,
                "unknown `rope_type` `mrope`",
            ),
            (
                r#"{"model_type": "llama", "rope_scaling": "linear"}"#,
                "`rope_scaling` must be an object",
            ),
            (
                r#"{"model_type": "llama", "num_hidden_layers": 0}"#,
                "`num_hidden_layers` must be a whole number above 0",
            ),
            (
                r#"{"model_type": "llama", "rope_scaling": {"rope_type": "zzz"}}"#,
                "unknown `rope_type` `zzz`",
            ),
            (
                r#"{"model_type": "llama", "rope_scaling": {"rope_type": "llama3", "factor": 2.0}}"#,
                "needs `low_freq_factor`",
            ),
            (
                r#"{"model_type": "qwen3", "layer_types": ["zzz"]}"#,
                "unknown entry the string `zzz`",
            ),
            (
                r#"{"model_type": "qwen3", "num_hidden_layers": 2, "layer_types": ["full_attention"]}"#,
                "1 entries for 2",
            ),
            (
                r#"{"model_type": "llama", "pad_token_id": 64, "vocab_size": 64}"#,
                "`pad_token_id` is 64",
            ),
            (
                r#"{"model_type": "llama", "hidden_act": "zzz"}"#,
                "`hidden_act` is `zzz`",
            ),
            (
                r#"{"model_type": "llama", "hidden_size": "4096"}"#,
                "`hidden_size` must be a number",
            ),
            (
                r#"{"model_type": "llama", "hidden_size": 4096.0}"#,
                "`hidden_size` must be a whole number",
            ),
            (
                r#"{"model_type": "llama", "vocab_size": 18446744073709551615}"#,
                "`vocab_size` must be a whole number",
            ),
            (
                r#"{"model_type": "llama", "num_attention_heads": -1}"#,
                "`num_attention_heads` must be a whole number",
            ),
            (
                r#"{"model_type": "gemma3", "text_config": {"torch_dtype": "auto"}}"#,
                "`torch_dtype` is `auto`",
            ),
        ] {
            assert!(messages(text).contains(says), "{text}: {}", messages(text));
        }
    }
}
