//! Mixtures of experts against the figures that their publishers state. The tensors are those that the
//! described class has for the published config.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test fails by panicking where it cannot go on"
)]

mod support;

use std::fmt::Write as _;

use preflight_model::architecture;
use preflight_model::config::Config;
use preflight_model::json::Document;
use support::{file, json};

/// Total and active parameters of an untied checkpoint in BF16.
fn count(text: &str) -> (u64, Option<u64>) {
    let config = Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap();
    let expected = architecture::expected(config.architectures()[0], &config).unwrap();
    let mut tensors = String::new();
    for (name, shape) in &expected.tensors {
        writeln!(tensors, "{name} BF16 {shape:?}").unwrap();
    }
    let parameters = support::count(vec![
        json("config.json", text),
        file("model.safetensors", &tensors),
    ]);
    (parameters.total.unwrap(), parameters.active)
}

/// A config with the publisher's figures in billions, and the last digit in which they are stated.
struct Published {
    config: &'static str,
    total: f64,
    active: f64,
    digit: f64,
    source: &'static str,
}

const PUBLISHED: [Published; 11] = [
    Published {
        config: r#"{"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32, "num_local_experts": 8, "num_experts_per_tok": 2, "vocab_size": 32000}"#,
        total: 46.7,
        active: 12.9,
        digit: 0.1,
        source: "https://mistral.ai/news/mixtral-of-experts",
    },
    Published {
        config: r#"{"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144, "moe_intermediate_size": 768, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "num_hidden_layers": 48, "num_experts": 128, "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": [], "vocab_size": 151936, "tie_word_embeddings": false}"#,
        total: 30.5,
        active: 3.3,
        digit: 0.1,
        source: "https://huggingface.co/Qwen/Qwen3-30B-A3B",
    },
    Published {
        config: r#"{"architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe", "hidden_size": 2048, "intermediate_size": 5632, "moe_intermediate_size": 1408, "shared_expert_intermediate_size": 5632, "num_attention_heads": 16, "num_key_value_heads": 16, "num_hidden_layers": 24, "num_experts": 60, "num_experts_per_tok": 4, "decoder_sparse_step": 1, "vocab_size": 151936, "tie_word_embeddings": false}"#,
        total: 14.3,
        active: 2.7,
        digit: 0.1,
        source: "https://huggingface.co/Qwen/Qwen1.5-MoE-A2.7B",
    },
    Published {
        config: r#"{"architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048, "num_attention_heads": 128, "num_key_value_heads": 128, "num_hidden_layers": 61, "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3, "moe_layer_freq": 1, "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "vocab_size": 129280, "tie_word_embeddings": false}"#,
        total: 671.0,
        active: 37.0,
        digit: 1.0,
        source: "https://huggingface.co/deepseek-ai/DeepSeek-V3",
    },
    Published {
        config: r#"{"architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "hidden_size": 2048, "intermediate_size": 10944, "moe_intermediate_size": 1408, "num_attention_heads": 16, "num_key_value_heads": 16, "num_hidden_layers": 27, "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1, "moe_layer_freq": 1, "kv_lora_rank": 512, "q_lora_rank": null, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "vocab_size": 102400, "tie_word_embeddings": false}"#,
        total: 15.7,
        active: 2.4,
        digit: 0.1,
        source: "https://huggingface.co/deepseek-ai/DeepSeek-V2-Lite",
    },
    Published {
        config: r#"{"architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "hidden_size": 2880, "intermediate_size": 2880, "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64, "num_hidden_layers": 36, "num_local_experts": 128, "num_experts_per_tok": 4, "vocab_size": 201088, "tie_word_embeddings": false}"#,
        total: 116.8,
        active: 5.1,
        digit: 0.1,
        source: "https://arxiv.org/abs/2508.10925",
    },
    Published {
        config: r#"{"architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "hidden_size": 2880, "intermediate_size": 2880, "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64, "num_hidden_layers": 24, "num_local_experts": 32, "num_experts_per_tok": 4, "vocab_size": 201088, "tie_word_embeddings": false}"#,
        total: 20.9,
        active: 3.6,
        digit: 0.1,
        source: "https://arxiv.org/abs/2508.10925",
    },
    Published {
        config: r#"{"architectures": ["OlmoeForCausalLM"], "model_type": "olmoe", "hidden_size": 2048, "intermediate_size": 1024, "num_attention_heads": 16, "num_key_value_heads": 16, "num_hidden_layers": 16, "num_experts": 64, "num_experts_per_tok": 8, "vocab_size": 50304, "tie_word_embeddings": false}"#,
        total: 6.9,
        active: 1.3,
        digit: 0.1,
        source: "https://arxiv.org/abs/2409.02060",
    },
    Published {
        config: r#"{"architectures": ["Llama4ForCausalLM"], "model_type": "llama4_text", "hidden_size": 5120, "intermediate_size": 8192, "intermediate_size_mlp": 16384, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 48, "num_local_experts": 16, "num_experts_per_tok": 1, "interleave_moe_layer_step": 1, "vocab_size": 202048, "tie_word_embeddings": false}"#,
        total: 109.0,
        active: 17.0,
        digit: 2.0,
        source: "https://huggingface.co/meta-llama/Llama-4-Scout-17B-16E (with its vision tower of 0.9 billion)",
    },
    Published {
        config: r#"{"architectures": ["Llama4ForCausalLM"], "model_type": "llama4_text", "hidden_size": 5120, "intermediate_size": 8192, "intermediate_size_mlp": 16384, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 48, "num_local_experts": 128, "num_experts_per_tok": 1, "interleave_moe_layer_step": 2, "vocab_size": 202048, "tie_word_embeddings": false}"#,
        total: 400.0,
        active: 17.0,
        digit: 1.0,
        source: "https://huggingface.co/meta-llama/Llama-4-Maverick-17B-128E",
    },
    Published {
        config: r#"{"architectures": ["Glm4MoeForCausalLM"], "model_type": "glm4_moe", "hidden_size": 4096, "intermediate_size": 10944, "moe_intermediate_size": 1408, "num_attention_heads": 96, "num_key_value_heads": 8, "head_dim": 128, "attention_bias": true, "num_hidden_layers": 46, "n_routed_experts": 128, "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 1, "use_qk_norm": false, "vocab_size": 151552, "tie_word_embeddings": false}"#,
        total: 106.0,
        active: 12.0,
        digit: 1.0,
        source: "https://huggingface.co/zai-org/GLM-4.5-Air",
    },
];

/// Some publishers leave the input embedding out of what is active, some round down.
#[test]
fn published_figures() {
    for published in &PUBLISHED {
        let document = Document::parse(published.config.as_bytes()).unwrap();
        let text = Config::new(document).unwrap();
        let text = text.text();
        let embedding = text.u64("vocab_size").unwrap() * text.u64("hidden_size").unwrap();
        let (total, active) = count(published.config);
        let within = |figure: f64, least: u64, most: u64| {
            let billions = |count: u64| count as f64 / 1e9;
            billions(least) - published.digit < figure && figure < billions(most) + published.digit
        };
        assert!(
            within(published.total, total, total),
            "{}: {total}",
            published.source
        );
        let active = active.unwrap();
        assert!(
            within(published.active, active - embedding, active),
            "{}: {active}",
            published.source
        );
    }
}

#[test]
fn what_is_not_said_is_not_known() {
    let dense = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": 1, "vocab_size": 64, "num_experts": 8, "num_experts_per_tok": 2}"#;
    assert_eq!(count(dense).1, None, "no tensor is an expert's");
    let mixture = |keys: &str| {
        let config = format!(r#"{{"num_hidden_layers": 1, {keys}}}"#);
        let tensors = "model.layers.0.mlp.experts.0.up_proj.weight BF16 [8, 8]\nmodel.layers.0.mlp.experts.1.up_proj.weight BF16 [8, 8]\nmodel.norm.weight BF16 [8]";
        support::count(vec![
            json("config.json", &config),
            file("model.safetensors", tensors),
        ])
        .active
    };
    assert_eq!(
        mixture(r#""num_experts": 2, "num_experts_per_tok": 1"#),
        Some(72)
    );
    assert_eq!(mixture(r#""num_experts": 2"#), None);
    assert_eq!(
        mixture(r#""num_experts": 2, "num_experts_per_tok": 3"#),
        None
    );
    assert_eq!(mixture(r#""num_experts": 2, "moe_topk": [1, 1]"#), None);
    let zero = r#""n_routed_experts": 2, "moe_topk": 1, "zero_expert_num": 1"#;
    assert_eq!(
        mixture(zero),
        None,
        "some tokens use experts that compute nothing"
    );
}
