//! What engines hold of whole checkpoints, against what they were seen to take.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking where it cannot go on"
)]

mod support;

use std::fmt::Write as _;

use preflight_model::cache::KvDtype;
use preflight_model::config::Config;
use preflight_model::json::Document;
use preflight_model::memory::{
    Footprint, GIB, GPU_MEMORY_UTILIZATION, HeldBytes, WeightBytes, overhead_bytes, usable_bytes,
};
use support::{file, json};

/// Whether `found` is within so many per mille of `expected`.
fn is_near(found: u64, expected: u64, per_mille: u64) -> bool {
    found.abs_diff(expected) * 1000 <= expected * per_mille
}

fn held(config: &str, tensors: &str) -> HeldBytes {
    let files = vec![
        json("config.json", config),
        file("model.safetensors", tensors),
    ];
    support::count(files).held
}

const LLAMA_70B_FP8: &str = r#"{"model_type": "llama", "architectures": ["LlamaForCausalLM"],
    "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "vocab_size": 128256,
    "num_attention_heads": 64, "num_key_value_heads": 8, "max_position_embeddings": 1000000,
    "tie_word_embeddings": false, "quantization_config": {"quant_method": "compressed-tensors",
    "format": "float-quantized", "ignore": ["lm_head"], "config_groups": {"group_0": {
    "targets": ["Linear"], "weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}}}}"#;

/// The tensors of `RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic`: a scale for each row.
fn llama_70b_fp8() -> String {
    let mut tensors = String::from(
        "model.embed_tokens.weight BF16 [128256, 8192]\nlm_head.weight BF16 [128256, 8192]\nmodel.norm.weight BF16 [8192]\n",
    );
    for layer in 0..80 {
        for (name, rows, columns) in [
            ("self_attn.q_proj", 8192, 8192),
            ("self_attn.k_proj", 1024, 8192),
            ("self_attn.v_proj", 1024, 8192),
            ("self_attn.o_proj", 8192, 8192),
            ("mlp.gate_proj", 28672, 8192),
            ("mlp.up_proj", 28672, 8192),
            ("mlp.down_proj", 8192, 28672),
        ] {
            let module = format!("model.layers.{layer}.{name}");
            writeln!(tensors, "{module}.weight F8_E4M3 [{rows}, {columns}]").unwrap();
            writeln!(tensors, "{module}.weight_scale BF16 [{rows}, 1]").unwrap();
        }
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            writeln!(tensors, "model.layers.{layer}.{norm}.weight BF16 [8192]").unwrap();
        }
    }
    tensors
}

/// <https://github.com/llm-d/llm-d-benchmark/issues/345>, a run on one H200: weights 67.72 GiB, 53.20 GiB of
/// cache, 174 336 tokens. Nothing here is taken from the log but what it is compared with. The GPU
/// had 139.21 GiB free at the start, and CUDA reports 139.80 in all.
#[test]
fn llama_70b_in_fp8_on_one_h200_from_its_tensors_alone() {
    let held = held(LLAMA_70B_FP8, &llama_70b_fp8());
    let weights = held.total().unwrap();
    assert!(is_near(weights, GIB * 6772 / 100, 2), "{weights} bytes");

    let config = Config::new(Document::parse(LLAMA_70B_FP8.as_bytes()).unwrap()).unwrap();
    let model = Footprint::new(&config, None, WeightBytes::Known(held));
    for memory in [GIB * 13_980 / 100, GIB * 13_921 / 100] {
        let usable = usable_bytes(memory, GPU_MEMORY_UTILIZATION);
        let left = usable - weights - overhead_bytes(model.activation, 1);
        let tokens = model.max_context(1, 1, KvDtype::Bf16, left).unwrap();
        assert!(is_near(tokens, 174_336, 30), "{tokens} tokens");
    }
}

/// The same model on two GPUs took 33.88 GiB of each (`empirical-vllm-memory-results.md` of the same
/// project), and each of sixteen holds a whole KV head.
#[test]
fn what_is_shared_and_what_is_whole_of_llama_70b() {
    let held = held(LLAMA_70B_FP8, &llama_70b_fp8());
    let two = held.per_gpu(2, Some(8));
    assert!(is_near(two, GIB * 3388 / 100, 3), "{two} bytes");
    let key_value = 80 * 2 * (1024 * 8192 + 1024 * 2);
    let norms = (2 * 80 + 1) * 8192 * 2;
    assert_eq!((held.key_value, held.whole), (key_value, norms));
    let shared = held.shared.div_ceil(16);
    assert_eq!(held.per_gpu(16, Some(8)), shared + norms + key_value / 8);
}

#[test]
fn what_is_not_loaded_is_not_held() {
    let config = r#"{"model_type": "deepseek_v3", "num_hidden_layers": 1,
        "tie_word_embeddings": false,
        "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}"#;
    let own = "
        model.layers.0.self_attn.kv_a_proj_with_mqa.weight F8_E4M3 [576, 7168]
        model.layers.0.self_attn.kv_a_proj_with_mqa.weight_scale_inv F32 [5, 56]
        model.layers.0.self_attn.kv_b_proj.weight F8_E4M3 [32768, 512]
        model.layers.0.self_attn.kv_b_proj.weight_scale_inv F32 [256, 4]";
    let predicting = "
        model.layers.1.self_attn.kv_b_proj.weight F8_E4M3 [32768, 512]
        model.layers.1.self_attn.kv_b_proj.weight_scale_inv F32 [256, 4]";
    let alone = held(config, own);
    assert_eq!(alone.whole, 576 * 7168 + 4 * 5 * 56, "scales stay 32 bit");
    assert_eq!(alone.shared, 32768 * 512 + 4 * 256 * 4);
    assert!(!alone.is_converted);
    assert_eq!(held(config, &format!("{own}{predicting}")), alone);
}

#[test]
fn a_tied_copy_is_held_once_and_32_bit_as_16() {
    let tied = r#"{"model_type": "llama", "tie_word_embeddings": true}"#;
    let embedding = "model.embed_tokens.weight F32 [64, 16]\n";
    let once = held(tied, embedding);
    assert_eq!((once.shared, once.is_converted), (64 * 16 * 2, true));
    let both = held(tied, &format!("{embedding}lm_head.weight F32 [64, 16]"));
    assert_eq!(both, once);
}
