//! Details of config.json that break a load: what `AutoConfig` or the building of the model refuses.
//!
//! Each was seen to break transformers 4.55.4 with a two-layer model; `docs/how-it-decides.md` says
//! how. A check that holds for some classes only is made for those only: a wrong "broken" is as bad
//! as a wrong "fine".

mod rope;
mod values;

pub(crate) use values::is_python_int;

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
const ACTIVATIONS: [&str; 20] = [
    "gelu",
    "gelu_10",
    "gelu_accurate",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_pytorch_tanh",
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
];

/// Model types whose embedding is built with `padding_idx = pad_token_id`: of the 128 causal ones, those
/// that could not be built with a pad token beyond the vocabulary.
const PADDING_CHECKED: [&str; 83] = [
    "arcee",
    "aria_text",
    "bamba",
    "bart",
    "bert",
    "bert-generation",
    "big_bird",
    "bigbird_pegasus",
    "biogpt",
    "bitnet",
    "blenderbot",
    "blenderbot-small",
    "camembert",
    "code_llama",
    "cohere",
    "cohere2",
    "data2vec-text",
    "dbrx",
    "deepseek_v2",
    "deepseek_v3",
    "diffllama",
    "doge",
    "electra",
    "ernie",
    "ernie4_5",
    "exaone4",
    "falcon_h1",
    "gemma",
    "gemma2",
    "gemma3_text",
    "git",
    "glm",
    "glm4",
    "glm4_moe",
    "gpt_oss",
    "granite",
    "granitemoe",
    "granitemoeshared",
    "helium",
    "jamba",
    "jetmoe",
    "lfm2",
    "llama",
    "llama4_text",
    "marian",
    "mbart",
    "mega",
    "megatron-bert",
    "minimax",
    "mistral",
    "mixtral",
    "modernbert-decoder",
    "mvp",
    "olmo",
    "olmo2",
    "olmoe",
    "open-llama",
    "opt",
    "pegasus",
    "persimmon",
    "phi",
    "phi3",
    "phimoe",
    "plbart",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "recurrent_gemma",
    "rembert",
    "roberta",
    "roberta-prelayernorm",
    "roc_bert",
    "roformer",
    "smollm3",
    "stablelm",
    "starcoder2",
    "trocr",
    "whisper",
    "xglm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
];

/// Model types whose config class checks `layer_types`: those that call `layer_type_validation`.
const LAYER_TYPES_CHECKED: [&str; 12] = [
    "cohere2",
    "dots1",
    "exaone4",
    "gemma2",
    "gemma3_text",
    "gemma3n_text",
    "gpt_oss",
    "llama4_text",
    "minimax",
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

/// Properties of config classes that cannot be set, by model types; no types are all.
/// Source: `inspect` over the classes of transformers 4.55.4.
const READ_ONLY: [(&[&str], &[&str]); 4] = [
    (&[], &["use_return_dict"]),
    (
        &["bamba", "falcon_h1", "jamba", "recurrent_gemma"],
        &["layers_block_type"],
    ),
    (&["jamba"], &["layers_num_experts"]),
    (&["falcon"], &["head_dim", "rotary"]),
];

/// Methods of every config class that the loader calls, of the parts of a composite too: a key of the name
/// hides the method, whatever its value. Each was tried with 4.55.4; release 5 has them all but
/// `dict_torch_dtype_to_str`.
const METHODS: [&str; 6] = [
    "__class__",
    "__getstate__",
    "__reduce_ex__",
    "_remove_keys_not_serialized",
    "dict_torch_dtype_to_str",
    "to_dict",
];
/// Those that it calls of the whole only.
const METHODS_OF_THE_WHOLE: [&str; 3] = ["get_text_config", "to_diff_dict", "to_json_string"];

/// Model types whose heads must divide the hidden size for the model to be built.
const HEADS_DIVIDE: [&str; 3] = ["falcon", "gpt2", "gpt_neox"];

/// Everything about this config.json that the loader would stop at.
pub fn find(config: &Config) -> Vec<Defect> {
    let mut defects = Vec::new();
    mistakes_of_json(config, &mut defects);
    model_type(config, &mut defects);
    top_level(config, &mut defects);
    let (whole, text) = (config.whole(), config.text());
    dtype(&whole, &mut defects);
    values::find(&whole, &mut defects);
    if !text.cursor().place().pointer.is_empty() {
        dtype(&text, &mut defects);
        values::find(&text, &mut defects);
    }
    stray_parts(config, &mut defects);
    hidden_methods(config, &mut defects);
    rope::find(&text, &mut defects);
    layer_types(&text, &mut defects);
    pad_token(&text, &mut defects);
    heads(&text, &mut defects);
    defects
}

fn at(cursor: &Cursor<'_>, message: String) -> Defect {
    Defect::at(PATH, cursor.place(), message)
}

/// Keys that hide a method of the config class.
fn hidden_methods(config: &Config, defects: &mut Vec<Defect>) {
    let (root, text) = (config.root(), config.text());
    let part = (!text.cursor().place().pointer.is_empty()).then(|| text.cursor());
    let of_whole = METHODS.iter().chain(&METHODS_OF_THE_WHOLE);
    let keys = of_whole.filter_map(|name| Some((name, root.get(name)?)));
    let of_part = METHODS
        .iter()
        .filter_map(|name| Some((name, part.as_ref()?.get(name)?)));
    // An object is pickled without a method of this name too.
    let hides = |name: &str, key: &Cursor<'_>| name != "__reduce_ex__" || !key.is_null();
    for (name, key) in keys.chain(of_part).filter(|(name, key)| hides(name, key)) {
        let message = format!(
            "`{name}` is a method of the config class, which the key hides: the loader ends when it calls it; remove it"
        );
        defects.push(at(&key, message));
    }
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
    for (types, names) in READ_ONLY {
        let of_type = types.is_empty() || config.model_type().is_some_and(|it| types.contains(&it));
        for name in names.iter().filter(|_| of_type) {
            if let Some(key) = root.get(name) {
                let message =
                    format!("`{name}` is a read-only property of the config class: remove it");
                defects.push(at(&key, message));
            }
        }
    }
    let Some(quantization) = root.get("quantization_config") else {
        return;
    };
    let flag = |key: &str| quantization.get(key).and_then(|value| value.as_bool()) == Some(true);
    if !quantization.is_object() {
        let found = quantization.describe();
        defects.push(at(
            &quantization,
            format!(
                "`quantization_config` is {found}, which the loader cannot read: remove the key"
            ),
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
    let is_whole = matches!(
        given.value(),
        Value::Number(Number::Int(_)) | Value::Bool(_)
    );
    if is_whole || given.is_array() {
        let found = given.describe();
        defects.push(at(
            &given,
            format!("`torch_dtype` must name a dtype of torch, it is {found}"),
        ));
    }
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

fn is_one_of(text: &Section<'_>, types: &[&str]) -> bool {
    text.model_type()
        .is_some_and(|model_type| types.contains(&model_type))
}

fn layer_types(text: &Section<'_>, defects: &mut Vec<Defect>) {
    let given = text.given("layer_types").filter(|types| !types.is_null());
    let Some(types) = given.filter(|_| is_one_of(text, &LAYER_TYPES_CHECKED)) else {
        return;
    };
    if !types.is_array() {
        let found = types.describe();
        defects.push(at(
            &types,
            format!("`layer_types` must be a list, it is {found}"),
        ));
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
    if pad.is_null() || !is_one_of(text, &PADDING_CHECKED) {
        return;
    }
    let vocabulary = text.u64("vocab_size");
    let message = match pad.value() {
        // A negative one counts from the end.
        Value::Number(Number::Int(token)) => {
            let is_beyond = vocabulary.is_some_and(|tokens| {
                let token = if *token < 0 {
                    token.unsigned_abs() - 1
                } else {
                    token.unsigned_abs()
                };
                token >= tokens
            });
            is_beyond.then(|| {
                let tokens = vocabulary.unwrap_or_default();
                format!(
                    "`pad_token_id` is {token}, beyond the last of {tokens} tokens of `vocab_size`"
                )
            })
        }
        Value::Number(_) | Value::Bool(_) => {
            let found = pad.describe();
            Some(format!(
                "`pad_token_id` must be a whole number, it is {found}"
            ))
        }
        _ => None,
    };
    defects.extend(message.map(|message| at(&pad, message)));
}

fn heads(text: &Section<'_>, defects: &mut Vec<Defect>) {
    let sizes = text
        .u64("hidden_size")
        .zip(text.u64("num_attention_heads"))
        .filter(|(_, heads)| *heads > 0 && is_one_of(text, &HEADS_DIVIDE));
    if let Some((hidden, heads)) = sizes.filter(|(hidden, heads)| hidden % heads != 0) {
        let place = text
            .given("num_attention_heads")
            .or_else(|| text.given("hidden_size"));
        let place = place.unwrap_or_else(|| text.cursor().clone());
        defects.push(at(
            &place,
            format!("`hidden_size` {hidden} is not divisible by `num_attention_heads` {heads}"),
        ));
    }
}

/// Parts that the loader takes for the language model (`get_text_config`) and that a class without
/// parts keeps as a bare object, at which the load ends.
fn stray_parts(config: &Config, defects: &mut Vec<Defect>) {
    let whole = config.whole();
    let Some(class) = whole.class().filter(|class| class.sub_configs.is_empty()) else {
        return;
    };
    let is_causal = class.causal_lm.is_some();
    for key in ["text_config", "decoder", "generator"] {
        let stray = config.root().get_set(key);
        let is_own = class.defaults.contains_key(key);
        if let Some(part) = stray.filter(|_| is_causal && !is_own) {
            let name = &class.config_class;
            defects.push(at(
                &part,
                format!("`{key}` is no part of `{name}`, and the loader takes it for the language model: remove it"),
            ));
        }
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
            r#"{"model_type": "llama", "pad_token_id": -1, "bos_token_id": [1, 2], "eos_token_id": "x"}"#,
            r#"{"model_type": "llama", "max_position_embeddings": "4096", "use_cache": "x", "tie_word_embeddings": "x"}"#,
            r#"{"model_type": "llama", "is_encoder_decoder": true, "num_labels": 1, "id2label": {"0": "a"}, "pruned_heads": {}}"#,
            r#"{"model_type": "llama", "_attn_implementation": "flash_attention_2", "problem_type": "regression"}"#,
            r#"{"model_type": "mistral", "rope_scaling": "x", "sliding_window": null, "head_dim": null}"#,
            r#"{"model_type": "gpt2", "rope_scaling": "x", "rms_norm_eps": "x", "n_inner": null}"#,
            r#"{"model_type": "gpt_oss", "hidden_act": "x"}"#,
            r#"{"model_type": "acme", "rms_norm_eps": "x", "text_config": {}}"#,
            r#"{"model_type": "llama", "__reduce_ex__": null, "from_dict": 1, "update": 1, "save_pretrained": 1}"#,
            r#"{"model_type": "gemma3", "text_config": {"to_json_string": 1, "get_text_config": 1}}"#,
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
                "`hidden_size` must be a whole number above 0 that a tensor can have, it is `null`",
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
                "needs `original_max_position_embeddings`, `low_freq_factor`",
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
                "`hidden_act` must be an activation of transformers, it is the string `zzz`",
            ),
            (
                r#"{"model_type": "llama", "hidden_size": "4096"}"#,
                "`hidden_size` must be a whole number",
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
                r#"{"model_type": "llama", "id2label": {"a": "b"}}"#,
                "`id2label` must be an object with whole numbers as keys",
            ),
            (
                r#"{"model_type": "llama", "problem_type": "x"}"#,
                "`problem_type` must be one of",
            ),
            (
                r#"{"model_type": "llama", "rms_norm_eps": "1e-5"}"#,
                "`rms_norm_eps` must be a number, it is the string `1e-5`",
            ),
            (
                r#"{"model_type": "llama", "attention_dropout": 1.5}"#,
                "`attention_dropout` must be a number from 0 to 1",
            ),
            (
                r#"{"model_type": "gpt2", "n_positions": null}"#,
                "`max_position_embeddings` must be a whole number above 0",
            ),
            (
                r#"{"model_type": "gpt2", "activation_function": null}"#,
                "`activation_function` must be an activation",
            ),
            (
                r#"{"model_type": "gpt2", "pad_token_id": "0"}"#,
                "`pad_token_id` must be a whole number",
            ),
            (
                r#"{"model_type": "llama", "pad_token_id": -65, "vocab_size": 64}"#,
                "`pad_token_id` is -65, beyond",
            ),
            (
                r#"{"model_type": "llama", "pad_token_id": 0.0}"#,
                "`pad_token_id` must be a whole number",
            ),
            (
                r#"{"model_type": "granite", "rope_scaling": {"type": "linear", "factor": 2.0}}"#,
                "reads `rope_type`",
            ),
            (
                r#"{"model_type": "llama", "rope_scaling": {"type": "linear", "factor": "2"}}"#,
                "`factor` of `rope_scaling` must be a number",
            ),
            (
                r#"{"model_type": "falcon", "rope_scaling": {"factor": 2.0}}"#,
                "names no `rope_type`",
            ),
            (
                r#"{"model_type": "qwen3", "layer_types": "full_attention"}"#,
                "`layer_types` must be a list",
            ),
            (
                r#"{"model_type": "llama", "torch_dtype": ["bfloat16"]}"#,
                "must name a dtype of torch, it is a list",
            ),
            (
                r#"{"model_type": "llama", "quantization_config": "gptq"}"#,
                "`quantization_config` is the string",
            ),
            (
                r#"{"model_type": "falcon", "head_dim": 64}"#,
                "`head_dim` is a read-only property",
            ),
            (
                r#"{"model_type": "gpt2", "n_head": 5}"#,
                "is not divisible by `num_attention_heads` 5",
            ),
            (
                r#"{"model_type": "phi3", "rope_scaling": {"type": "longrope"}}"#,
                "must be an object of `type`, `short_factor`",
            ),
            (
                r#"{"model_type": "llama", "auto_map": 5}"#,
                "`auto_map` is `5`",
            ),
            (
                r#"{"model_type": "llama", "text_config": {}}"#,
                "`text_config` is no part of `LlamaConfig`",
            ),
            (
                r#"{"model_type": "llama", "_attn_implementation": "flash"}"#,
                "must be an attention of transformers",
            ),
            (
                r#"{"model_type": "llama", "to_dict": null}"#,
                "`to_dict` is a method of the config class",
            ),
            (
                r#"{"model_type": "llama", "get_text_config": {}}"#,
                "`get_text_config` is a method",
            ),
            (
                r#"{"model_type": "gemma3", "text_config": {"__reduce_ex__": 1}}"#,
                "`__reduce_ex__` is a method",
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
