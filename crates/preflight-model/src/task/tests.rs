use super::*;
use crate::snapshot::{Content, File, Snapshot};

fn task_of(files: &[(&str, &str)]) -> String {
    let files = files.iter().map(|(path, text)| File {
        path: (*path).into(),
        size: None,
        sha256: None,
        content: Content::Whole(text.as_bytes().to_vec()),
    });
    let snapshot = Snapshot::of_files(files.collect());
    task(&Checkpoint::read(&snapshot)).as_str().to_owned()
}

#[test]
fn files_beside_the_config_say_more() {
    const KIND: &str = "config_sentence_transformers.json";
    let causal = r#"{"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}"#;
    let pair = r#"{"model_type": "bert", "architectures": ["BertForSequenceClassification"]}"#;
    let remote = r#"{"model_type": "molmo", "architectures": ["MolmoForCausalLM"]}"#;
    for (config, beside, is) in [
        (
            causal,
            (
                "modules.json",
                r#"[{"type": "sentence_transformers.models.Transformer"}]"#,
            ),
            "embedding",
        ),
        (causal, ("modules.json", "{}"), "causal-lm"),
        (
            causal,
            (KIND, r#"{"model_type": "CrossEncoder"}"#),
            "classification",
        ),
        (
            causal,
            (KIND, r#"{"model_type": "SparseEncoder"}"#),
            "unknown",
        ),
        (pair, ("README.md", ""), "classification"),
        (remote, ("README.md", ""), "causal-lm"),
        (
            remote,
            ("preprocessor_config.json", "{}"),
            "image-text-to-text",
        ),
        (
            remote,
            (
                "tokenizer_config.json",
                r#"{"auto_map": {"AutoProcessor": "a.B"}}"#,
            ),
            "image-text-to-text",
        ),
    ] {
        assert_eq!(
            task_of(&[("config.json", config), beside]),
            is,
            "{config} {beside:?}"
        );
    }
}

#[test]
fn what_a_model_is_for() {
    for (config, is) in [
        (
            r#"{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}"#,
            "causal-lm",
        ),
        (r#"{"model_type": "llama"}"#, "causal-lm"),
        (
            r#"{"model_type": "llama", "architectures": ["LlamaModel"]}"#,
            "unknown",
        ),
        (
            r#"{"model_type": "bert", "architectures": ["BertModel"]}"#,
            "embedding",
        ),
        (r#"{"model_type": "bert"}"#, "unknown"),
        (
            r#"{"model_type": "clip", "architectures": ["CLIPModel"]}"#,
            "zero-shot-image-classification",
        ),
        (r#"{"model_type": "t5"}"#, "seq2seq"),
        (
            r#"{"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "vision_config": {}}"#,
            "causal-lm",
        ),
        // A name that says nothing: MiniCPM-V offers itself as a causal LM too.
        (
            r#"{"model_type": "minicpmv", "architectures": ["MiniCPMV"], "auto_map": {"AutoModelForCausalLM": "a.B"}}"#,
            "unknown",
        ),
        (
            r#"{"model_type": "internvl_chat", "architectures": ["InternVLChatModel"], "auto_map": {"AutoModelForCausalLM": "a.B"}, "vision_config": {}}"#,
            "image-text-to-text",
        ),
        (
            r#"{"model_type": "acme", "architectures": ["LlamaForProcessRewardModelV2"]}"#,
            "classification",
        ),
        // Remote code: the name says text, the config says more.
        (
            r#"{"model_type": "kimi_k2", "architectures": ["DeepseekV3ForCausalLM"]}"#,
            "causal-lm",
        ),
        (
            r#"{"model_type": "phi3_v", "architectures": ["Phi3VForCausalLM"], "img_processor": {}}"#,
            "image-text-to-text",
        ),
    ] {
        assert_eq!(task_of(&[("config.json", config)]), is, "{config}");
    }
}
