use super::*;
use crate::json::Document;
use crate::quantization;

mod split;

fn config(text: &str) -> Config {
    Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap()
}

/// Hundredths of a GiB, as logs print them.
fn gib(hundredths: u64) -> u64 {
    GIB * hundredths / 100
}

const LLAMA_70B: &str = r#"{"model_type": "llama", "hidden_size": 8192,
    "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8,
    "max_position_embeddings": 1000000}"#;

/// <https://github.com/llm-d/llm-d-benchmark/issues/345>: Llama-3.3-70B-FP8-dynamic on one H200.
/// The log's own numbers give the share it used: 67.72 + 4.84 + 0.07 + 53.20 = 125.83 GiB are
/// 0.9 of the 139.80 GiB that CUDA reports for this GPU (its 139.21 GiB were free at the start).
#[test]
fn the_published_run_of_llama_70b_on_one_h200() {
    let usable = usable_bytes(gib(13_980), GPU_MEMORY_UTILIZATION);
    assert!(usable.abs_diff(gib(12_583)) < gib(2));

    let weights = gib(6772);
    let model = Footprint::new(&config(LLAMA_70B), None, WeightBytes::exactly(weights));
    let left = usable - weights - overhead_bytes(model.activation, 1);
    let measured_cache = gib(5320);
    assert!(
        left.abs_diff(measured_cache) * 100 < 3 * measured_cache,
        "{left} bytes"
    );

    let tokens = model.max_context(1, 1, KvDtype::Bf16, left).unwrap();
    assert!(
        tokens.abs_diff(174_336) * 100 < 3 * 174_336,
        "{tokens} tokens"
    );
}

/// <https://github.com/llm-d/llm-d-benchmark/blob/main/config_explorer/empirical-vllm-memory-results.md>:
/// H100 with 79.18 GiB, share 0.9, all in hundredths of a GiB: weights of one GPU and the memory
/// left for the cache.
#[test]
fn the_published_runs_on_h100() {
    for (name, activation, gpus, weights, measured) in [
        ("Llama-3.1-8B", Activation::Llama, 1, 1499, 5138),
        ("Llama-3.3-70B-FP8", Activation::Llama, 2, 3388, 3200),
        ("Qwen3-0.6B", Activation::Qwen, 1, 112, 6445),
        ("Qwen3-32B", Activation::Qwen, 1, 6103, 445),
        ("gpt-oss-20b", Activation::Experts, 1, 1347, 5028),
    ] {
        let usable = usable_bytes(gib(7918), GPU_MEMORY_UTILIZATION);
        let left = usable - gib(weights) - overhead_bytes(activation, gpus);
        assert!(left.abs_diff(gib(measured)) < gib(70), "{name}: {left}");
    }
}

fn footprint(text: &str) -> Footprint {
    let config = config(text);
    let quantization = quantization::find(Some(&config), None, None);
    Footprint::new(&config, quantization.as_ref(), WeightBytes::exactly(1))
}

fn possible(text: &str) -> Vec<u64> {
    let model = footprint(text);
    (1..=16)
        .filter(|&gpus| model.split(gpus) == Split::Possible)
        .collect()
}

#[test]
fn heads_decide_the_possible_splits() {
    assert_eq!(possible(LLAMA_70B), [1, 2, 4, 8, 16]);
    let smollm2_135m = r#"{"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536,
        "num_attention_heads": 9, "num_key_value_heads": 3}"#;
    assert_eq!(possible(smollm2_135m), [1, 3]);
    let falcon_7b = r#"{"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71}"#;
    assert_eq!(possible(falcon_7b), [1]);
    let qwen2_5_7b = r#"{"model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944,
        "num_attention_heads": 28, "num_key_value_heads": 4}"#;
    assert_eq!(possible(qwen2_5_7b), [1, 2, 4]);
    assert_eq!(
        possible(r#"{"model_type": "deepseek_v3"}"#),
        [1, 2, 4, 8, 16]
    );
    let qwen3_next = r#"{"model_type": "qwen3_next", "num_attention_heads": 16,
        "num_key_value_heads": 2, "linear_num_key_heads": 4, "linear_num_value_heads": 32}"#;
    assert_eq!(possible(qwen3_next), [1, 2, 4]);
}

/// <https://github.com/QwenLM/Qwen3-VL/issues/831>: 29568 in groups of 128 fails on 2 and 4 GPUs, and was padded
/// to 29696 for 8 in <https://huggingface.co/Qwen/Qwen2-VL-72B-Instruct-GPTQ-Int8/blob/main/config.json>.
#[test]
fn groups_that_share_a_scale_stay_together() {
    let qwen = |intermediate: u64, quantization: &str| {
        possible(&format!(
            r#"{{"model_type": "qwen2", "hidden_size": 8192, "num_attention_heads": 64,
                "num_key_value_heads": 8, "intermediate_size": {intermediate},
                "quantization_config": {quantization}}}"#
        ))
    };
    let gptq = r#"{"quant_method": "gptq", "bits": 4, "group_size": 128}"#;
    assert_eq!(qwen(29696, gptq), [1, 2, 4, 8]);
    assert_eq!(qwen(29568, gptq), [1]);
    let whole_rows = r#"{"quant_method": "gptq", "bits": 4, "group_size": -1}"#;
    assert_eq!(qwen(29568, whole_rows), [1, 2, 4, 8, 16]);
    let fp8 = r#"{"quant_method": "fp8", "weight_block_size": [128, 128]}"#;
    assert_eq!(qwen(9728, fp8), [1, 2, 4]);
    let bitsandbytes = r#"{"quant_method": "bitsandbytes", "load_in_4bit": true}"#;
    assert_eq!(qwen(29696, bitsandbytes), [1]);
}

#[test]
fn a_split_that_cannot_be_says_why() {
    for (text, gpus, reason) in [
        (
            r#"{"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71}"#,
            2,
            "71 attention heads do not divide among 2 GPUs",
        ),
        (
            r#"{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32,
                "num_key_value_heads": 6}"#,
            4,
            "the KV heads cannot be shared by 4 GPUs",
        ),
        (
            r#"{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32,
                "num_key_value_heads": 8, "intermediate_size": 11009}"#,
            2,
            "`intermediate_size` 11009 does not divide among 2 GPUs",
        ),
    ] {
        assert_eq!(
            footprint(text).split(gpus),
            Split::Impossible(reason.into())
        );
    }
}

#[test]
fn every_gpu_holds_its_share_and_what_is_whole() {
    let held = HeldBytes {
        shared: 800,
        whole: 10,
        key_value: 80,
        is_converted: false,
    };
    assert_eq!(held.total(), Some(890));
    assert_eq!(held.per_gpu(1, Some(2)), 890);
    assert_eq!(held.per_gpu(2, Some(2)), 400 + 10 + 40);
    assert_eq!(held.per_gpu(8, Some(2)), 100 + 10 + 40);
    assert_eq!(held.per_gpu(8, None), 100 + 10 + 10);
    assert_eq!(held.per_gpu(8, Some(0)), 100 + 10 + 80);
}

#[test]
fn names_tell_how_a_tensor_is_shared() {
    let of = |name: &str| {
        let held = HeldBytes::of(name, 100, (2, 10));
        (held.shared, held.whole, held.key_value)
    };
    for (name, expected) in [
        ("model.embed_tokens.weight", (100, 0, 0)),
        ("lm_head.weight", (100, 0, 0)),
        ("model.layers.3.self_attn.q_proj.weight", (100, 0, 0)),
        ("model.layers.3.self_attn.k_proj.weight", (0, 0, 100)),
        ("model.layers.3.self_attn.v_proj.qweight", (0, 0, 100)),
        ("model.layers.3.self_attn.qkv_proj.weight", (80, 0, 20)),
        ("model.layers.3.self_attn.kv_b_proj.weight", (100, 0, 0)),
        (
            "model.layers.3.self_attn.kv_a_proj_with_mqa.weight",
            (0, 100, 0),
        ),
        (
            "model.layers.3.self_attn.q_a_proj.weight_scale_inv",
            (0, 100, 0),
        ),
        ("model.layers.3.mlp.gate.weight", (0, 100, 0)),
        ("model.layers.3.mlp.gate_proj.weight", (100, 0, 0)),
        ("model.layers.3.mlp.experts.7.down_proj.weight", (100, 0, 0)),
        (
            "model.layers.3.mlp.experts.gate_up_proj_blocks",
            (100, 0, 0),
        ),
        ("model.layers.3.input_layernorm.weight", (0, 100, 0)),
        ("bert.embeddings.LayerNorm.weight", (0, 100, 0)),
        ("model.visual.blocks.0.attn.qkv.weight", (0, 100, 0)),
        (
            "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight",
            (0, 100, 0),
        ),
        ("weight", (100, 0, 0)),
    ] {
        assert_eq!(of(name), expected, "{name}");
    }
}

#[test]
fn a_model_without_known_heads_runs_on_one_gpu_and_else_nothing_is_said() {
    let mamba = Footprint::new(
        &config(r#"{"model_type": "mamba"}"#),
        None,
        WeightBytes::exactly(1),
    );
    assert_eq!(mamba.split(1), Split::Possible);
    assert!(matches!(mamba.split(2), Split::Unknown(_)));
}

#[test]
fn the_longest_context_is_the_longest_that_fits() {
    let model = Footprint::new(&config(LLAMA_70B), None, WeightBytes::exactly(1));
    let longest = |budget| model.max_context(1, 1, KvDtype::Bf16, budget);
    assert_eq!(longest(0), Some(0));
    assert_eq!(longest(327_679), Some(0));
    assert_eq!(longest(327_680), Some(1));
    assert_eq!(longest(327_680 * 5 + 1), Some(5));
    assert_eq!(longest(u64::MAX), Some(1_000_000), "the model's own limit");
    let endless = Footprint::new(
        &config(r#"{"model_type": "mamba"}"#),
        None,
        WeightBytes::exactly(1),
    );
    assert_eq!(endless.max_context(1, 1, KvDtype::Bf16, u64::MAX), None);
    assert_eq!(endless.max_context(1, 1, KvDtype::Bf16, 1), Some(0));
}

#[test]
fn weights_of_32_bit_become_16_bit() {
    assert_eq!(loaded_bytes(10, 32), Some(20));
    assert_eq!(loaded_bytes(10, 64), Some(20));
    assert_eq!(loaded_bytes(10, 16), Some(20));
    assert_eq!(loaded_bytes(10, 8), Some(10));
    assert_eq!(loaded_bytes(11, 4), Some(6));
    assert_eq!(loaded_bytes(u64::MAX, 16), None);
}

/// Llama 3.1 8B: 16 bytes for each of 8.03 billion parameters, and per token 4096 x (2 x 32 + 34) bytes
/// of activations and 8 x 128256 of logits.
#[test]
fn training_takes_what_the_papers_say() {
    let llama = config(
        r#"{"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
            "vocab_size": 128256}"#,
    );
    let training = Training::new(&llama, 8_030_261_248, 1_310_720).unwrap();
    let activations = 4096 * (4096 * 98 + 8 * 128_256);
    let bytes = training.bytes(4096).unwrap();
    assert_eq!(bytes.full, 16 * 8_030_261_248 + activations);
    assert_eq!(
        bytes.lora,
        2 * 8_030_261_248 + 16 * 64 * 1_310_720 + activations
    );
    assert_eq!(training.bytes(u64::MAX), None);
    let huge = Training::new(&llama, u64::MAX, 1).unwrap();
    assert_eq!(huge.bytes(1), None);
    assert_eq!(Training::new(&config("{}"), 1, 1), None);
}

#[test]
fn the_measurement_that_applies() {
    for (text, expected) in [
        (LLAMA_70B, Activation::Llama),
        (r#"{"model_type": "qwen3"}"#, Activation::Qwen),
        (r#"{"model_type": "mixtral"}"#, Activation::Experts),
        (r#"{"model_type": "deepseek_v3"}"#, Activation::Experts),
        (
            r#"{"model_type": "dbrx", "ffn_config": {"moe_num_experts": 16}}"#,
            Activation::Experts,
        ),
        (
            r#"{"model_type": "gemma3", "text_config": {}, "vision_config": {}}"#,
            Activation::Multimodal,
        ),
        (r#"{"model_type": "gemma2"}"#, Activation::Dense),
        // The class passes over it.
        (
            r#"{"model_type": "mistral", "num_experts": 8}"#,
            Activation::Dense,
        ),
        (
            r#"{"model_type": "mistral", "ffn_config": {"moe_num_experts": 16}}"#,
            Activation::Dense,
        ),
        ("{}", Activation::Dense),
    ] {
        assert_eq!(Activation::of(&config(text)), expected, "for {text}");
    }
}

#[test]
fn a_share_that_is_no_share_uses_nothing_or_all() {
    assert_eq!(usable_bytes(100, 0.9), 90);
    assert_eq!(usable_bytes(100, f64::NAN), 0);
    assert_eq!(usable_bytes(100, 7.0), 100);
    assert_eq!(usable_bytes(100, -1.0), 0);
}
