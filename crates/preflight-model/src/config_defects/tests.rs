use super::*;
use crate::json::Document;

mod rope;

fn messages(text: &str) -> String {
    let config = Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap();
    let defects: Vec<_> = find(&config)
        .into_iter()
        .map(|defect| defect.message)
        .collect();
    defects.join("; ")
}

/// Pointer, line and column of each: the key that is wrong, not what it stands in.
#[test]
fn a_defect_stands_at_its_own_key() {
    for (scaling, place) in [
        (
            r#"{"factor": 2.0,
 "rope_type": "zzz"}"#,
            "/rope_scaling/rope_type 3:2",
        ),
        (
            r#"{"rope_type": "linear",
  "factor": "x"}"#,
            "/rope_scaling/factor 3:3",
        ),
        (r#"{"rope_type": "linear"}"#, "/rope_scaling 2:1"),
        (
            r#"{"factor": 2.0, "rope_type": 3}"#,
            "/rope_scaling/rope_type 2:33",
        ),
    ] {
        let text = format!("{{\"model_type\": \"llama\",\n\"rope_scaling\": {scaling}}}");
        let config = Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap();
        let defects = find(&config);
        let [defect] = defects.as_slice() else {
            panic!("{defects:?}")
        };
        let found = defect.place.as_ref().unwrap();
        let found = format!("{} {}:{}", found.pointer, found.line, found.column);
        assert_eq!(found, place, "{scaling}");
    }
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
        r#"{"model_type": "llama", "max_position_embeddings": "4096", "rope_scaling": {"type": "linear", "factor": 2.0}}"#,
        r#"{"model_type": "llama", "num_experts_per_tok": 9, "num_experts": 8}"#,
        r#"{"model_type": "mixtral", "num_experts_per_tok": 8, "num_local_experts": 8}"#,
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
            r#"{"model_type": "llama", "max_position_embeddings": "131072", "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}}"#,
            "calculates with `max_position_embeddings`",
        ),
        (
            r#"{"model_type": "llama", "max_position_embeddings": "32768", "rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}"#,
            "calculates with `max_position_embeddings`",
        ),
        (
            r#"{"model_type": "mixtral", "num_experts_per_tok": 9, "num_local_experts": 8}"#,
            "more than the 8 experts",
        ),
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

/// `MPNet` has a padding row of its own, whatever the config says, and Moshi one more than the vocabulary.
#[test]
fn a_pad_token_beyond_the_vocabulary_of_each_kind_of_class() {
    let config = |model_type: &str, pad: u64| {
        messages(&format!(
            r#"{{"model_type": "{model_type}", "vocab_size": 1000, "pad_token_id": {pad}}}"#
        ))
    };
    for model_type in [
        "albert",
        "deberta-v2",
        "distilbert",
        "dots1",
        "ernie4_5_moe",
        "granitemoehybrid",
        "modernbert",
        "nemotron",
        "zamba",
        "zamba2",
    ] {
        assert_eq!(config(model_type, 999), "", "{model_type}");
        let found = config(model_type, 1000);
        assert!(
            found.contains("`pad_token_id` is 1000, beyond"),
            "{model_type}: {found}"
        );
    }
    for model_type in ["mpnet", "moshi", "gpt2"] {
        assert_eq!(config(model_type, 1000), "", "{model_type}");
    }
}

#[test]
fn heads_of_encoders_divide_the_hidden_size() {
    let config = |model_type: &str, rest: &str| {
        messages(&format!(
            r#"{{"model_type": "{model_type}", "hidden_size": 768, {rest}}}"#
        ))
    };
    for model_type in ["bert", "xlm-roberta", "mpnet", "deberta-v2", "modernbert"] {
        assert_eq!(config(model_type, r#""num_attention_heads": 12"#), "");
        let found = config(model_type, r#""num_attention_heads": 7"#);
        assert!(
            found.contains("is not divisible by `num_attention_heads` 7"),
            "{model_type}"
        );
    }
    let with_size = r#""num_attention_heads": 7, "embedding_size": 128"#;
    assert_eq!(config("bert", with_size), "");
    assert!(config("deberta-v2", with_size).contains("is not divisible"));
}

#[test]
fn layers_that_take_turns() {
    let config = |model_type: &str, rest: &str| {
        messages(&format!(
            r#"{{"model_type": "{model_type}", "num_hidden_layers": 2, {rest}}}"#
        ))
    };
    let list = r#", "layer_types": ["full_attention", "full_attention"]"#;
    for model_type in ["gemma3_text", "cohere2", "exaone4"] {
        assert_eq!(config(model_type, r#""sliding_window_pattern": 6"#), "");
        for length in ["0", "0.0", "false", "null", r#""LLLG""#] {
            let key = format!(r#""sliding_window_pattern": {length}"#);
            assert!(
                config(model_type, &key).contains("`sliding_window_pattern` must be"),
                "{key}"
            );
            assert_eq!(config(model_type, &format!("{key}{list}")), "", "{key}");
        }
    }
    for fits in [
        r#""no_rope_layers": [1, 1]"#,
        r#""no_rope_layers": [1, 1, 0]"#,
        r#""no_rope_layers": null"#,
        r#""no_rope_layers": [1, 1], "no_rope_layer_interval": 0"#,
        r#""no_rope_layer_interval": -4"#,
    ] {
        assert_eq!(config("smollm3", fits), "", "{fits}");
    }
    for (wrong, says) in [
        (
            r#""no_rope_layers": [1]"#,
            "`no_rope_layers` has 1 entries for 2 layers",
        ),
        (
            r#""no_rope_layer_interval": 0"#,
            "`no_rope_layer_interval` must be",
        ),
        (
            r#""no_rope_layer_interval": 0, "no_rope_layers": null"#,
            "`no_rope_layer_interval` must be",
        ),
    ] {
        assert!(config("smollm3", wrong).contains(says), "{wrong}");
    }
}
