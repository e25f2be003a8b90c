//! Checkpoints as data: config, tensors, and how many parameters they hold.
//!
//! Names, dtypes and shapes are those that the library named in each case wrote for a linear layer of
//! 192 inputs and 80 outputs (15 360 weights), unless the case says otherwise; run on 2026-11-22 with
//! torch 2.15.0, but for what a case calls read.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking where it cannot go on"
)]

mod support;

use preflight_model::parameters::Parameters;
use support::{file, json};

fn count(quantization: &str, tensors: &str) -> Parameters {
    let config = format!(r#"{{"quantization_config": {quantization}}}"#);
    support::count(vec![
        json("config.json", &config),
        file("model.safetensors", tensors),
    ])
}

#[track_caller]
fn exact(quantization: &str, tensors: &str, total: u64) {
    let found = count(quantization, tensors);
    assert_eq!(
        found.total,
        Some(total),
        "{quantization}\n{tensors}\n{found:?}"
    );
    assert_eq!((found.at_least, found.at_most), (total, Some(total)));
}

/// Not exact, and the truth within the bounds.
#[track_caller]
fn unknown(quantization: &str, tensors: &str, truth: u64) -> Parameters {
    let found = count(quantization, tensors);
    assert_eq!(found.total, None, "{quantization}\n{tensors}\n{found:?}");
    let within = found.at_least <= truth && found.at_most.is_none_or(|most| truth <= most);
    assert!(within, "{truth} is not within {found:?}");
    assert!(!found.inexact_because.is_empty());
    found
}

/// `_register_gptq_buffers` in `GPTQModel` 7.7.0, `gptqmodel/nn_modules/qlinear/__init__.py` (read).
#[test]
fn gptq_of_every_width() {
    for (bits, rows) in [(2, 12), (3, 18), (4, 24), (8, 48)] {
        let config = format!(
            r#"{{"quant_method": "gptq", "bits": {bits}, "group_size": 64, "desc_act": true}}"#
        );
        let with_index = format!(
            "a.qweight I32 [{rows}, 80]\na.qzeros I32 [3, 10]\na.scales F16 [3, 80]\na.g_idx I32 [192]\na.bias F16 [80]"
        );
        exact(&config, &with_index, 15_360 + 80);
        let without =
            format!("a.qweight I32 [{rows}, 80]\na.qzeros I32 [3, 10]\na.scales F16 [3, 80]");
        exact(&config, &without, 15_360);
    }
    // The last word of a column may be padded: 190 inputs of 4 bits are 23.75 words.
    let padded = "a.qweight I32 [24, 80]\na.scales F16 [3, 80]\na.g_idx I32 [190]";
    exact(
        r#"{"quant_method": "gptq", "bits": 4, "group_size": 64}"#,
        padded,
        15_200,
    );
    // One group for a whole row; words of 64 bits (`pack_dtype`).
    let whole = "a.qweight I64 [12, 80]\na.qzeros I64 [1, 5]\na.scales F16 [1, 80]";
    exact(
        r#"{"quant_method": "gptq", "bits": 4, "group_size": -1}"#,
        whole,
        15_360,
    );
}

#[test]
fn gptq_with_layers_of_their_own_width() {
    let dynamic = r#"{"quant_method": "gptq", "bits": 4, "group_size": 64, "dynamic": {"+:.*b": {"bits": 8}, "-:lm_head": {}}}"#;
    let both = "a.qweight I32 [24, 80]\na.scales F16 [3, 80]\nb.qweight I32 [48, 80]\nb.scales F16 [3, 80]\nlm_head.weight F16 [10, 192]";
    exact(dynamic, both, 2 * 15_360 + 1920);
    let autoround = r#"{"quant_method": "auto-round", "bits": 4, "group_size": 64, "packing_format": "auto_round:auto_gptq",
        "extra_config": {"b": {"bits": 2, "group_size": 32}, "lm_head": {"bits": 16}}}"#;
    let mixed = "a.qweight I32 [24, 80]\na.scales F16 [3, 80]\nb.qweight I32 [12, 80]\nb.scales F16 [6, 80]";
    exact(autoround, mixed, 2 * 15_360);
    // Eight bits in groups of 32 look like four in groups of 64, and here the config allows both.
    let either = r#"{"quant_method": "gptq", "bits": 4, "group_size": 64, "dynamic": {"b": {"bits": 8, "group_size": 32}}}"#;
    let found = unknown(either, "b.qweight I32 [24, 80]\nb.scales F16 [3, 80]", 7680);
    assert_eq!((found.at_least, found.at_most), (7680, Some(15_360)));
}

#[test]
fn gptq_that_does_not_say_enough() {
    let tensors = "a.qweight I32 [24, 80]\na.scales F16 [3, 80]";
    // No width, or one that the groups contradict.
    unknown(r#"{"quant_method": "gptq"}"#, tensors, 15_360);
    unknown(
        r#"{"quant_method": "gptq", "bits": 8, "group_size": 64}"#,
        tensors,
        15_360,
    );
    // The index of the groups tells the inputs, whatever the config says.
    let indexed = format!("{tensors}\na.g_idx I32 [192]");
    exact(r#"{"quant_method": "gptq"}"#, &indexed, 15_360);
    let kernel = r#"{"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"}"#;
    unknown(
        kernel,
        "a.B I32 [12, 160]\na.s F16 [3, 80]\na.workspace I32 [10]",
        15_360,
    );
}

/// `WQLinear_GEMM` and `WQLinear_GEMV` in autoawq 0.2.9, `awq/modules/linear/` (read).
#[test]
fn awq() {
    let config = r#"{"quant_method": "awq", "bits": 4, "group_size": 64, "version": "gemm", "modules_to_not_convert": ["gate"]}"#;
    let gemm = "a.qweight I32 [192, 10]\na.qzeros I32 [3, 10]\na.scales F16 [3, 80]\ngate.weight F16 [8, 192]";
    exact(config, gemm, 15_360 + 1536);
    exact(r#"{"quant_method": "awq"}"#, gemm, 15_360 + 1536);
    let by_output = "a.qweight I32 [80, 24]\na.qzeros I32 [80, 1]\na.scales F16 [80, 8]";
    exact(
        r#"{"quant_method": "awq", "bits": 4, "version": "gemv"}"#,
        by_output,
        15_360,
    );
}

/// bitsandbytes 0.50.2, `bitsandbytes/nn/modules.py`.
#[test]
fn bitsandbytes() {
    let four = r#"{"quant_method": "bitsandbytes", "load_in_4bit": true}"#;
    let state = "a.weight.absmax U8 [240]\na.weight.quant_map F32 [16]\na.weight.nested_absmax F32 [1]\na.weight.nested_quant_map F32 [256]\na.weight.quant_state.bitsandbytes__nf4 U8 [165]";
    exact(four, &format!("a.weight U8 [7680, 1]\n{state}"), 15_360);
    // `bnb_4bit_quant_storage: bfloat16`
    exact(four, &format!("a.weight BF16 [3840, 1]\n{state}"), 15_360);
    let eight = r#"{"quant_method": "bitsandbytes", "load_in_8bit": true}"#;
    exact(
        eight,
        "a.weight I8 [80, 192]\na.SCB F32 [80]\na.weight_format U8 []",
        15_360,
    );
    // Quantised while loading: what is stored is not.
    exact(four, "a.weight BF16 [80, 192]", 15_360);
    unknown(four, "a.weight U8 [7680, 1]", 15_360);
}

/// compressed-tensors 0.20.0 (run) and 0.11.0 (read).
#[test]
fn compressed_tensors_packed() {
    let config = |bits: u64, strategy: &str| {
        format!(
            r#"{{"quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"],
                "config_groups": {{"group_0": {{"targets": ["Linear"], "weights": {{"num_bits": {bits}, {strategy}}}}}}}}}"#
        )
    };
    let group = r#""group_size": 64, "strategy": "group""#;
    let scale = "a.weight_scale BF16 [80, 3]\na.weight_shape I64 [2]";
    // Without gaps, as 0.20.0 writes them.
    for (bits, columns) in [
        (2, 12),
        (3, 18),
        (4, 24),
        (5, 30),
        (6, 36),
        (7, 42),
        (8, 48),
    ] {
        exact(
            &config(bits, group),
            &format!("a.weight_packed I32 [80, {columns}]\n{scale}"),
            15_360,
        );
    }
    // In words of floor(32 / bits), as 0.11.0 writes them.
    for (bits, columns) in [(3, 20), (5, 32), (6, 39)] {
        exact(
            &config(bits, group),
            &format!("a.weight_packed I32 [80, {columns}]\n{scale}"),
            15_360,
        );
    }
    let zero = format!(
        "a.weight_packed I32 [80, 24]\na.weight_zero_point I32 [10, 3]\n{scale}\nlm_head.weight BF16 [10, 192]"
    );
    exact(&config(4, group), &zero, 15_360 + 1920);
    let fused =
        "a.weight_packed I32 [4, 80, 24]\na.weight_scale BF16 [4, 80, 3]\na.weight_shape I64 [3]";
    exact(&config(4, group), fused, 4 * 15_360);
    // A scale for a row: 190 inputs and 192 look alike.
    let channel = r#""strategy": "channel", "group_size": null"#;
    let row = "a.weight_packed I32 [80, 24]\na.weight_scale BF16 [80, 1]\na.weight_shape I64 [2]";
    let found = unknown(&config(4, channel), row, 190 * 80);
    assert_eq!((found.at_least, found.at_most), (185 * 80, Some(192 * 80)));
    let three = "a.weight_packed I32 [80, 18]\na.weight_scale BF16 [80, 1]\na.weight_shape I64 [2]";
    unknown(&config(3, channel), three, 190 * 80);
}

#[test]
fn compressed_tensors_of_several_groups() {
    let config = r#"{"quant_method": "compressed-tensors", "format": "mixed-precision", "config_groups": {
        "a": {"targets": ["re:.*a"], "format": "pack-quantized", "weights": {"num_bits": 4, "group_size": 64, "strategy": "group"}},
        "b": {"targets": ["re:.*b"], "format": "int-quantized", "weights": {"num_bits": 8, "strategy": "channel"}},
        "c": {"targets": ["re:.*c"], "format": "float-quantized", "weights": {"num_bits": 8, "type": "float", "strategy": "tensor"}},
        "d": {"targets": ["re:.*d"], "format": "nvfp4-pack-quantized", "weights": {"num_bits": 4, "type": "float", "group_size": 16, "strategy": "tensor_group"}},
        "e": {"targets": ["re:.*e"], "format": "mxfp6-pack-quantized", "weights": {"num_bits": 6, "type": "float", "group_size": 32, "strategy": "group"}}},
        "kv_cache_scheme": {"num_bits": 8, "type": "float"}}"#;
    let tensors = "a.weight_packed I32 [80, 24]\na.weight_scale BF16 [80, 3]\na.weight_shape I64 [2]
        b.weight I8 [80, 192]\nb.weight_scale BF16 [80, 1]
        c.weight F8_E4M3 [80, 192]\nc.weight_scale BF16 [1]\nc.input_scale BF16 [1]
        d.weight_packed U8 [80, 96]\nd.weight_scale F8_E4M3 [80, 12]\nd.weight_global_scale F32 [1]\nd.input_global_scale F32 [1]
        e.weight_packed U8 [80, 144]\ne.weight_scale U8 [80, 6]
        self_attn.k_scale BF16 [1]\nself_attn.v_scale BF16 [1]\nf.weight BF16 [80, 192]";
    exact(config, tensors, 6 * 15_360);
}

#[test]
fn compressed_tensors_of_four_bits_in_bytes() {
    // `naive-quantized` keeps four-bit values in bytes, one each.
    let naive = r#"{"quant_method": "compressed-tensors", "format": "naive-quantized", "config_groups": {"a": {"weights": {"num_bits": 4, "strategy": "channel"}}}}"#;
    exact(
        naive,
        "a.weight I8 [80, 192]\na.weight_scale BF16 [80, 1]",
        15_360,
    );
    unknown(naive, "a.weight I8 [80, 192]", 15_360);
}

/// 0.11.0, `sparse_quantized_compressors/marlin_24.py` and `sparse_compressors/sparse_24_bitmask.py` (read).
#[test]
fn compressed_tensors_sparse() {
    let marlin = r#"{"quant_method": "compressed-tensors", "format": "marlin-24", "config_groups": {"a": {"weights": {"num_bits": 4, "group_size": 128, "strategy": "group"}}}}"#;
    // 256 inputs, 256 outputs: half of the inputs in tiles of 16.
    let packed = "a.weight_packed I32 [8, 512]\na.scale_packed F16 [2, 256]\na.meta I16 [256, 16]";
    exact(marlin, packed, 65_536);
    let sparse = r#"{"quant_method": "compressed-tensors", "sparsity_config": {"format": "sparse-24-bitmask"}}"#;
    exact(
        sparse,
        "a.compressed BF16 [80, 96]\na.bitmask U8 [80, 24]\na.shape I64 [2]",
        15_360,
    );
    let loose =
        "a.compressed BF16 [5000]\na.bitmask U8 [80, 24]\na.row_offsets I64 [80]\na.shape I64 [2]";
    unknown(sparse, loose, 15_360);
}

#[test]
fn floats_of_eight_bits() {
    let block = r#"{"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}"#;
    exact(
        block,
        "a.weight F8_E4M3 [80, 192]\na.weight_scale_inv F32 [1, 2]\nn.weight BF16 [80]",
        15_440,
    );
    let fused =
        "experts.gate_up_proj F8_E4M3 [4, 80, 192]\nexperts.gate_up_proj_scale_inv F32 [4, 1, 2]";
    exact(block, fused, 4 * 15_360);
    let fbgemm = r#"{"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0, "modules_to_not_convert": ["lm_head"]}"#;
    exact(
        fbgemm,
        "a.weight F8_E4M3 [80, 192]\na.weight_scale F32 [80, 1]\na.input_scale_ub F32 [1]",
        15_360,
    );
    // Four-bit values in bytes, which nothing in the config tells.
    unknown(
        block,
        "a.weight I8 [80, 96]\na.scale F8_E8M0 [80, 6]",
        15_360,
    );
}

#[test]
fn four_bit_floats_of_gpt_oss() {
    let config =
        r#"{"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]}"#;
    let tensors = "e.gate_up_proj_blocks U8 [4, 80, 6, 16]\ne.gate_up_proj_scales U8 [4, 80, 6]\ne.gate_up_proj_bias BF16 [4, 80]";
    exact(config, tensors, 4 * 15_360 + 320);
    // Not quantised after all.
    exact(config, "e.gate_up_proj BF16 [4, 192, 80]", 4 * 15_360);
}

/// nvidia-modelopt 0.47.0, `modelopt/torch/export/quant_utils.py` (read).
#[test]
fn modelopt_that_only_a_side_file_names() {
    let tensors = "a.weight U8 [80, 96]\na.weight_scale F8_E4M3 [80, 12]\na.weight_scale_2 F32 []\na.input_scale F32 []
        b.weight F8_E4M3 [80, 192]\nb.weight_scale F32 []\nb.input_scale F32 []
        c.weight U8 [40, 192]\nc.weight_scale F16 [80, 2]\nc.pre_quant_scale F16 [192]
        e.gate_up_proj U8 [4, 80, 96]\ne.gate_up_proj_weight_scale F8_E4M3 [4, 80, 12]\ne.gate_up_proj_weight_scale_2 F32 [1]\ne.gate_up_proj_input_scale F32 [1]
        s.k_proj.k_scale F32 []\ns.v_proj.v_scale F32 []";
    let side = r#"{"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "MIXED_PRECISION", "kv_cache_quant_algo": "FP8", "quantized_layers": {}}}"#;
    let found = support::count(vec![
        json("config.json", "{}"),
        json("hf_quant_config.json", side),
        file("model.safetensors", tensors),
    ]);
    assert_eq!(found.total, Some(7 * 15_360), "{found:?}");
    exact(
        r#"{"quant_method": "modelopt", "quant_algo": "NVFP4"}"#,
        tensors,
        7 * 15_360,
    );
}

/// mlx 0.32.4, `mlx.core.quantize`; mlx-lm 0.32.2 writes the config.
#[test]
fn mlx() {
    let run = |section: &str, tensors: &str| {
        let config = format!(r#"{{"quantization": {section}, "quantization_config": {section}}}"#);
        support::count(vec![
            json("config.json", &config),
            file("model.safetensors", tensors),
        ])
    };
    for (bits, columns) in [(2, 12), (3, 18), (4, 24), (5, 30), (6, 36), (8, 48)] {
        let section = format!(r#"{{"group_size": 64, "bits": {bits}}}"#);
        let tensors = format!(
            "a.weight U32 [80, {columns}]\na.scales F16 [80, 3]\na.biases F16 [80, 3]\na.bias F16 [80]"
        );
        assert_eq!(run(&section, &tensors).total, Some(15_440), "{bits}");
    }
    let micro = r#"{"group_size": 32, "bits": 4, "mode": "mxfp4"}"#;
    assert_eq!(
        run(micro, "a.weight U32 [80, 24]\na.scales U8 [80, 6]").total,
        Some(15_360)
    );
    // Layers of their own width, and layers that are not quantised.
    let mixed = r#"{"group_size": 64, "bits": 4, "b": {"group_size": 32, "bits": 6}, "c": false}"#;
    let tensors = "a.weight U32 [80, 24]\na.scales F16 [80, 3]\na.biases F16 [80, 3]
        b.weight U32 [80, 36]\nb.scales F16 [80, 6]\nb.biases F16 [80, 6]\nc.weight F16 [80, 192]";
    assert_eq!(run(mixed, tensors).total, Some(3 * 15_360));
    let wrong = run(
        r#"{"group_size": 64, "bits": 8}"#,
        "a.weight U32 [80, 24]\na.scales F16 [80, 3]",
    );
    assert_eq!(
        (wrong.total, wrong.at_least, wrong.at_most),
        (None, 1920, Some(61_440))
    );
}

/// hqq 0.2.8, `hqq/core/quantize.py`.
#[test]
fn hqq() {
    let state = "a.nbits I32 []\na.group_size I32 []\na.shape I64 [2]\na.axis I32 []\na.packing U8 [7]\na.unpack_view_dtype U8 [11]\na.view_as_float U8 []\na.quant_scale U8 []\na.quant_zero U8 []\na.compute_dtype U8 [14]\na.bias BF16 [80]\na.offload_meta U8 []\na.encoded_state_dict U8 []\na.stores_quant_config U8 []\na.channel_wise U8 []\na.optimize U8 []\na.round_zero U8 []";
    let rows = "a.scale BF16 [240, 1]\na.zero BF16 [240, 1]";
    let columns = "a.scale BF16 [1, 240]\na.zero BF16 [1, 240]";
    for (bits, packed, scale) in [
        (8, "U8 [240, 64]", rows),
        (8, "U8 [64, 240]", columns),
        (6, "U8 [240, 64]", rows),
        (5, "U8 [240, 64]", rows),
        (4, "U8 [120, 64]", rows),
        (4, "U8 [32, 240]", columns),
        (3, "I32 [24, 64]", rows),
        (3, "I32 [7, 240]", columns),
        (2, "U8 [60, 64]", rows),
        (1, "U8 [30, 64]", rows),
    ] {
        let config = format!(
            r#"{{"quant_method": "hqq", "quant_config": {{"weight_quant_params": {{"nbits": {bits}, "group_size": 64, "axis": 1}}}}, "skip_modules": ["lm_head"]}}"#
        );
        exact(
            &config,
            &format!("a.W_q {packed}\n{scale}\n{state}"),
            15_440,
        );
    }
    // Three bits in groups of 48, ten a word: 320 groups are 32 words.
    let config = r#"{"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 3, "group_size": 48}}}"#;
    exact(
        config,
        &format!("a.W_q I32 [32, 48]\na.scale BF16 [320, 1]\na.zero BF16 [320, 1]\n{state}"),
        15_440,
    );
    // `view_as_float` hides the shape of the integers.
    unknown(
        config,
        &format!("a.W_q BF16 [120, 32]\n{rows}\n{state}"),
        15_440,
    );
}

/// optimum-quanto 0.2.7; `QuantizedModelForCausalLM.save_pretrained` writes no word into config.json.
#[test]
fn quanto() {
    let run = |tensors: &str| {
        support::count(vec![
            json("config.json", "{}"),
            json("quanto_qmap.json", "{}"),
            file("model.safetensors", tensors),
        ])
    };
    let state = "a.input_scale F32 []\na.output_scale F32 []\na.bias F32 [80]";
    for tensors in [
        "a.weight._data._data U8 [40, 96]\na.weight._scale F32 [160, 1]\na.weight._shift F32 [160, 1]",
        "a.weight._data._data U8 [80, 96]\na.weight._scale F32 [160, 1]\na.weight._shift F32 [160, 1]",
        "a.weight._data I8 [80, 192]\na.weight._scale F32 [80, 1]",
        "a.weight._data F8_E4M3 [80, 192]\na.weight._scale F32 [80, 1]",
    ] {
        let found = run(&format!("{tensors}\n{state}"));
        assert_eq!(found.total, Some(15_440), "{tensors} {found:?}");
    }
    // 37 outputs of 200 inputs, padded to 38 and to 40.
    for rows in [19, 10] {
        let tensors = format!(
            "o.weight._data._data U8 [{rows}, 200]\no.weight._scale F32 [37, 1]\no.weight._shift F32 [37, 1]"
        );
        assert_eq!(run(&tensors).total, Some(7400), "{rows}");
    }
}

/// torchao 0.18.0 saved by transformers 5.23.0, a layer of 128 inputs and 64 outputs.
#[test]
fn torchao() {
    let config = |kind: &str, data: &str| {
        format!(
            r#"{{"quant_method": "torchao", "quant_type": {{"default": {{"_data": {{{data}}}, "_type": "{kind}", "_version": 2}}}}}}"#
        )
    };
    let bytes = "a._weight_qdata I8 [64, 128]\na._weight_scale F32 [64, 1]\na._weight_zero_point I8 [64, 1]";
    exact(&config("Int8WeightOnlyConfig", ""), bytes, 8192);
    exact(
        &config("Int8DynamicActivationInt8WeightConfig", ""),
        bytes,
        8192,
    );
    let float = "a._weight_qdata F8_E4M3 [64, 128]\na._weight_scale F32 [64, 1]";
    exact(
        &config(
            "Float8WeightOnlyConfig",
            r#""weight_dtype": {"_data": "float8_e4m3fn", "_type": "torch.dtype"}"#,
        ),
        float,
        8192,
    );
    let intx = "a._weight_qdata I8 [64, 128]\na._weight_scale BF16 [64, 4]\na._weight_zero_point I8 [64, 4]";
    exact(
        &config("Int8DynamicActivationIntxWeightConfig", ""),
        intx,
        8192,
    );
    // Read, not run: `int4_tensor.py` wants a GPU.
    let four = "a._weight_qdata I8 [64, 64]\na._weight_scale BF16 [4, 64]\na._weight_zero_point BF16 [4, 64]";
    exact(
        &config("Int4WeightOnlyConfig", r#""group_size": 32"#),
        four,
        8192,
    );
    // Tiles for tensor cores are padded.
    let tiles = "a._weight_qdata I32 [8, 1, 32, 4]\na._weight_scale_and_zero BF16 [4, 64, 2]";
    unknown(
        &config("Int4WeightOnlyConfig", r#""group_size": 32"#),
        tiles,
        8192,
    );
}

/// aqlm 1.1.7, `aqlm/inference.py` (read).
#[test]
fn aqlm() {
    let config = r#"{"quant_method": "aqlm", "in_group_size": 8, "out_group_size": 1, "num_codebooks": 2, "nbits_per_codebook": 8}"#;
    let tensors = "a.codes I8 [80, 24, 2]\na.codebooks F16 [2, 256, 1, 8]\na.scales F16 [80, 1, 1, 1]\nn.weight F16 [80]";
    exact(config, tensors, 15_440);
    let open = unknown(
        config,
        "a.codes I8 [80, 24, 2]\na.scales F16 [80, 1, 1, 1]",
        15_360,
    );
    assert_eq!(
        open.at_most, None,
        "codes of vectors have no narrowest width"
    );
}

#[test]
fn methods_that_only_the_loader_knows() {
    for method in ["vptq", "spqr", "quark", "exl2", "higgs"] {
        let config = format!(r#"{{"quant_method": "{method}"}}"#);
        let packed =
            "a.indices I32 [1, 10, 24]\na.centroids.weight F16 [1, 2048]\nn.weight F16 [80]";
        let found = unknown(&config, packed, 15_440);
        assert_eq!(found.at_most, None, "{method}");
        // Nothing is packed: quantised while loading, or never.
        exact(&config, "a.weight BF16 [80, 192]\na.bias BF16 [80]", 15_440);
    }
    exact("{}", "a.weight BF16 [80, 192]", 15_360);
}

#[test]
fn integers_without_a_method() {
    let found = unknown(
        "null",
        "a.qweight I32 [24, 80]\na.qzeros I32 [3, 10]\na.scales F16 [3, 80]\na.g_idx I32 [192]",
        15_360,
    );
    assert_eq!(found.opaque_tensors, 3);
    // Buffers of vision towers: counters and indexes are 64 bits wide.
    exact(
        "null",
        "a.weight F32 [80, 192]\nbn.num_batches_tracked I64 []\nbn.running_mean F32 [80]\nv.relative_position_index I64 [225, 225]\nm.causal BOOL [8, 8]",
        15_360,
    );
    // The loader of release 4 refuses these (run): they are not buffers.
    unknown("null", "n.weight I64 [80]", 80);
}

#[test]
fn masks_and_other_buffers() {
    exact(
        "null",
        "h.0.attn.bias F32 [1, 1, 8, 8]\nh.0.attn.masked_bias F32 []\nh.1.attn.bias F32 [8]\nl.0.rotary_emb.inv_freq F32 [8]\ne.position_ids I64 [1, 512]",
        8,
    );
}

#[test]
fn what_is_settled_by_the_class() {
    // A scale for each row leaves the last word open; the class has 64 inputs there.
    let config = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 16, "intermediate_size": 30, "num_attention_heads": 2,
        "num_key_value_heads": 2, "num_hidden_layers": 1, "vocab_size": 64, "quantization_config": {"quant_method": "compressed-tensors",
        "config_groups": {"a": {"weights": {"num_bits": 4, "strategy": "channel"}}}}}"#;
    let layer = "lm_head.weight BF16 [64, 16]\nmodel.embed_tokens.weight BF16 [64, 16]\nmodel.norm.weight BF16 [16]
        model.layers.0.input_layernorm.weight BF16 [16]\nmodel.layers.0.post_attention_layernorm.weight BF16 [16]
        model.layers.0.mlp.gate_proj.weight BF16 [30, 16]\nmodel.layers.0.mlp.up_proj.weight BF16 [30, 16]
        model.layers.0.self_attn.q_proj.weight BF16 [16, 16]\nmodel.layers.0.self_attn.k_proj.weight BF16 [16, 16]
        model.layers.0.self_attn.v_proj.weight BF16 [16, 16]\nmodel.layers.0.self_attn.o_proj.weight BF16 [16, 16]";
    let down = "model.layers.0.mlp.down_proj.weight_packed I32 [16, 4]\nmodel.layers.0.mlp.down_proj.weight_scale BF16 [16, 1]\nmodel.layers.0.mlp.down_proj.weight_shape I64 [2]";
    let total = 2 * 1024 + 3 * 16 + 3 * 480 + 4 * 256;
    let run = |tensors: String| {
        support::count(vec![
            json("config.json", config),
            file("model.safetensors", &tensors),
        ])
    };
    let found = run(format!("{layer}\n{down}"));
    assert_eq!(found.total, Some(total), "{found:?}");
    // What the class does not have is not loaded, and said.
    let more = run(format!("{layer}\n{down}\nema.weight BF16 [1000, 1000]"));
    assert_eq!(more.total, Some(total));
    assert!(
        more.left_out[0].contains("1000000 parameters of tensors that the class does not have")
    );
}
