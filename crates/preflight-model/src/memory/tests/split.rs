use super::*;

/// What [`Footprint::split`] says, without the text of an answer that is not known.
fn answers(text: &str, counts: &[u64]) -> Vec<&'static str> {
    let model = footprint(text);
    let answer = |&gpus: &u64| match model.split(gpus) {
        Split::Possible => "possible",
        Split::Impossible(_) => "impossible",
        Split::Unknown(_) => "unknown",
    };
    counts.iter().map(answer).collect()
}

fn reason(text: &str, gpus: u64) -> String {
    match footprint(text).split(gpus) {
        Split::Impossible(reason) | Split::Unknown(reason) => reason,
        Split::Possible => "possible".into(),
    }
}

/// `quantization` in a config with these members.
fn quantised(members: &str, quantization: &str) -> String {
    format!(r#"{{{members}, "quantization_config": {quantization}}}"#)
}

const GPTQ: &str = r#"{"quant_method": "gptq", "bits": 4, "group_size": 128}"#;
const FP8: &str = r#"{"quant_method": "fp8", "weight_block_size": [128, 128]}"#;
const QWEN_0_5B: &str = r#""model_type": "qwen2", "hidden_size": 896, "num_hidden_layers": 24,
    "num_attention_heads": 14, "num_key_value_heads": 2, "intermediate_size": 5120"#;
const LLAMA_1B: &str = r#""model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 16,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "intermediate_size": 8192"#;
const QWEN_235B: &str = r#""model_type": "qwen3_moe", "hidden_size": 4096, "num_hidden_layers": 94,
    "num_attention_heads": 64, "num_key_value_heads": 4, "head_dim": 128, "num_experts": 128,
    "moe_intermediate_size": 1536, "intermediate_size": 12287"#;

/// <https://github.com/intel/auto-round/issues/643>: 14 heads of 64 in groups of 128.
#[test]
fn groups_of_the_output_projection_stay_together() {
    assert_eq!(
        reason(&quantised(QWEN_0_5B, GPTQ), 2),
        "14 attention heads of 64 among 2 GPUs are 448 for each, which is no multiple of the 128 weights that share a scale"
    );
    let awq = r#"{"quant_method": "awq", "bits": 4, "group_size": 64}"#;
    assert_eq!(
        answers(&quantised(QWEN_0_5B, awq), &[1, 2]),
        ["possible"; 2]
    );
    // Groups lie along the inputs, so two heads of keys make no difference.
    assert_eq!(
        answers(&quantised(LLAMA_1B, GPTQ), &[2, 4, 8, 16]),
        ["possible"; 4]
    );
}

/// `validate_fp8_block_shape` of vLLM; <https://github.com/vllm-project/vllm/issues/52997>
#[test]
fn blocks_of_keys_and_values_stay_together() {
    let blocks = quantised(LLAMA_1B, FP8);
    assert_eq!(answers(&blocks, &[1, 2, 4]), ["possible"; 3]);
    assert_eq!(
        reason(&blocks, 8),
        "8 KV heads of 64 among 8 GPUs are 64 for each, which is no multiple of the 128 weights that share a scale"
    );
    let compressed = r#"{"quant_method": "compressed-tensors", "config_groups": {"group_0":
        {"targets": ["Linear"], "weights": {"num_bits": 8, "strategy": "block",
        "block_structure": [128, 128]}}}, "ignore": ["lm_head"]}"#;
    let compressed = quantised(LLAMA_1B, compressed);
    assert_eq!(answers(&compressed, &[4, 8]), ["possible", "impossible"]);
}

#[test]
fn what_is_served_on_eight_gpus_divides() {
    let deepseek = quantised(r#""model_type": "deepseek_v3""#, FP8);
    assert_eq!(answers(&deepseek, &[2, 4, 8]), ["possible"; 3]);
    let llama = r#""model_type": "llama", "hidden_size": 16384, "num_hidden_layers": 126,
        "num_attention_heads": 128, "num_key_value_heads": 8, "intermediate_size": 53248"#;
    let llama = quantised(llama, r#"{"quant_method": "fbgemm_fp8"}"#);
    assert_eq!(answers(&llama, &[2, 4, 8]), ["possible"; 3]);
    let qwen_32b = r#""model_type": "qwen3", "hidden_size": 5120, "num_hidden_layers": 64,
        "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 25600"#;
    assert_eq!(
        answers(&quantised(qwen_32b, FP8), &[2, 4, 8]),
        ["possible"; 3]
    );
}

/// <https://github.com/vllm-project/vllm/issues/17569>: 1536 / 8 = 192 is no multiple of 128.
#[test]
fn experts_are_divided_as_well() {
    let qwen = quantised(QWEN_235B, FP8);
    assert_eq!(answers(&qwen, &[2, 4]), ["possible"; 2]);
    assert_eq!(
        reason(&qwen, 8),
        "`moe_intermediate_size` 1536 among 8 GPUs is 192, which is no multiple of the 128 weights that share a scale (whole experts could be dealt out)"
    );
    let plain = format!("{{{QWEN_235B}}}");
    assert_eq!(answers(&plain, &[2, 4, 8]), ["possible"; 3]);
}

/// <https://github.com/sgl-project/sglang/issues/10852> and 3345: the expert that every token passes, and
/// the dense layers before the experts.
#[test]
fn what_stands_beside_the_experts_is_divided_too() {
    let beside = QWEN_235B
        .replace("qwen3_moe", "qwen2_moe")
        .replace("1536", "4096");
    let shared = quantised(
        &format!("{beside}, \"shared_expert_intermediate_size\": 512"),
        FP8,
    );
    assert_eq!(answers(&shared, &[4, 8]), ["possible", "impossible"]);
    let dense = quantised(
        r#""model_type": "deepseek_v3", "intermediate_size": 9216, "num_attention_heads": 128"#,
        FP8,
    );
    assert_eq!(answers(&dense, &[8, 16]), ["possible", "impossible"]);
}

#[test]
fn what_is_left_as_it_is_has_no_groups() {
    let listed = |names: &str| {
        let gptq = GPTQ.replace('}', &format!(", \"modules_to_not_convert\": {names}}}"));
        answers(&quantised(QWEN_0_5B, &gptq), &[2])
    };
    assert_eq!(listed(r#"["lm_head", "mlp.gate"]"#), ["impossible"]);
    assert_eq!(listed(r#"["self_attn"]"#), ["possible"]);
    assert_eq!(listed(r#"["model.layers.0.self_attn"]"#), ["impossible"]);
    let of_images: Vec<_> = (0..24)
        .map(|at| format!("\"visual.blocks.{at}.attn\""))
        .collect();
    assert_eq!(
        listed(&format!("[{}]", of_images.join(", "))),
        ["impossible"]
    );
    let every: Vec<_> = (0..24)
        .map(|at| format!("\"model.layers.{at}.self_attn.o_proj\""))
        .collect();
    assert_eq!(listed(&format!("[{}]", every.join(", "))), ["possible"]);
    assert_eq!(listed(r#"["re:.*attn.*"]"#), ["unknown"]);
}

#[test]
fn a_key_that_the_class_passes_over_changes_nothing() {
    let mistral = r#""model_type": "mistral", "hidden_size": 4096, "num_attention_heads": 32,
        "num_key_value_heads": 8, "intermediate_size": 14337"#;
    for stray in ["", r#", "num_experts": 8"#, r#", "moe_num_experts": 8"#] {
        assert_eq!(
            reason(&format!("{{{mistral}{stray}}}"), 2),
            "`intermediate_size` 14337 does not divide among 2 GPUs"
        );
    }
}

#[test]
fn the_heads_of_mamba_2() {
    let mamba = r#"{"model_type": "mamba2", "hidden_size": 4096, "num_hidden_layers": 64,
        "num_heads": 128, "head_dim": 64, "num_attention_heads": 30}"#;
    assert_eq!(answers(mamba, &[2, 4, 8]), ["possible"; 3]);
    assert_eq!(
        reason(mamba, 3),
        "128 Mamba heads do not divide among 3 GPUs"
    );
}
