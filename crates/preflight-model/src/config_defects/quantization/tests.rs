use super::*;
use crate::json::Document;

/// What is refused everywhere, and by transformers alone.
fn refused_in(text: &str) -> (String, String) {
    let document = Document::parse(text.as_bytes()).unwrap();
    let Refused {
        everywhere,
        by_transformers,
    } = refused(&document.root());
    let joined = |defects: Vec<Defect>| {
        let messages: Vec<_> = defects.into_iter().map(|defect| defect.message).collect();
        messages.join("; ")
    };
    (joined(everywhere), joined(by_transformers))
}

/// A section of a method with some more settings, each in JSON.
fn section(method: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { ", " };
    format!(r#"{{"quant_method": "{method}"{comma}{more}}}"#)
}

// Every row was run with transformers 4.55.4.

#[test]
fn what_the_classes_take() {
    for (method, settings) in [
        (
            "gptq",
            &[
                r#""bits": 4"#,
                r#""bits": 4.0, "group_size": -1, "damp_percent": 0.5, "dataset": null, "checkpoint_format": "GPTQ""#,
                r#""bits": 8, "group_size": -1.0, "dataset": ["a"], "exllama_config": {"version": 1.0}, "foo": 1"#,
                r#""bits": 2, "group_size": 0.5, "dataset": "c4-new", "exllama_config": null, "backend": 7"#,
            ][..],
        ),
        (
            "auto-round",
            &["", r#""bits": 3, "group_size": 32, "data_type": "int""#],
        ),
        (
            "fp8",
            &[
                "",
                r#""activation_scheme": "DYNAMIC", "weight_block_size": [128, 64], "fmt": null"#,
                r#""weight_block_size": [true, 1.5]"#,
            ],
        ),
        (
            "awq",
            &[
                "",
                r#""version": "GEMM", "backend": "llm-awq", "do_fuse": false, "bits": "x""#,
                r#""do_fuse": true, "fuse_max_seq_len": 0, "modules_to_fuse": null, "exllama_config": {}"#,
                r#""do_fuse": false, "modules_to_fuse": {"a": 1}, "modules_to_not_convert": "x""#,
            ],
        ),
        (
            "bitsandbytes",
            &[
                r#""load_in_4bit": true, "load_in_8bit": false, "bnb_4bit_compute_dtype": null, "bnb_4bit_quant_type": "int4""#,
                r#""load_in_8bit": true, "llm_int8_threshold": 6.0, "llm_int8_skip_modules": null, "bnb_4bit_quant_storage": "bfloat16""#,
            ],
        ),
        (
            "quanto",
            &["", r#""weights": "float8", "activations": null"#],
        ),
        ("eetq", &["", r#""weights": "int8""#]),
        (
            "aqlm",
            &[
                "",
                r#""in_group_size": true, "linear_weights_not_to_quantize": null"#,
            ],
        ),
        (
            "higgs",
            &[
                "",
                r#""bits": 4.0, "hadamard_size": 512.0, "group_size": 128"#,
            ],
        ),
        (
            "vptq",
            &[
                "",
                r#""config_for_layers": {"a": {}}, "enable_proxy_error": 1"#,
            ],
        ),
        ("spqr", &["", r#""bits": 3, "shapes": null"#]),
        (
            "bitnet",
            &[
                "",
                r#""linear_class": "autobitlinear", "quantization_mode": "online""#,
            ],
        ),
        (
            "fp_quant",
            &[
                "",
                r#""forward_method": "quest", "hadamard_group_size": 32.0"#,
            ],
        ),
        (
            "torchao",
            &[
                r#""quant_type": {"default": {"_type": "Int4WeightOnlyConfig"}}"#,
                r#""quant_type": "int8_weight_only", "quant_type_kwargs": {}"#,
            ],
        ),
        ("hqq", &[r#""quant_config": null, "skip_modules": []"#]),
        (
            "compressed-tensors",
            &["", r#""bits": 99, "config_groups": []"#],
        ),
        ("acme", &[r#""bits": 99"#]),
        ("", &[""]),
    ] {
        for more in settings {
            let got = refused_in(&section(method, more));
            assert_eq!(got, (String::new(), String::new()), "{method}: {more}");
        }
    }
}

#[test]
fn what_nothing_loads() {
    for (method, settings) in [
        (
            "gptq",
            &[
                (
                    "",
                    "`quantization_config` has no `bits`, which `gptq` needs",
                ),
                (
                    r#""bits": 5"#,
                    "`bits` of `quantization_config` must be 2, 3, 4 or 8, it is `5`",
                ),
                (
                    r#""bits": "4""#,
                    "must be 2, 3, 4 or 8, it is the string `4`",
                ),
                (r#""bits": null"#, "it is `null`"),
                (r#""bits": true"#, "it is `true`"),
                (
                    r#""bits": 4, "group_size": 0"#,
                    "`group_size` of `quantization_config` must be -1 or a number above 0",
                ),
                (r#""bits": 4, "group_size": -2"#, "it is `-2`"),
                (r#""bits": 4, "group_size": null"#, "it is `null`"),
                (r#""bits": 4, "group_size": false"#, "it is `false`"),
                (r#""bits": 4, "group_size": "128""#, "it is the string"),
            ][..],
        ),
        (
            "auto-round",
            &[
                (r#""bits": 5"#, "2, 3, 4 or 8"),
                (r#""group_size": 0"#, "-1 or"),
            ],
        ),
        (
            "fp8",
            &[
                (
                    r#""activation_scheme": "static", "weight_block_size": [128, 128]"#,
                    "must be `dynamic`",
                ),
                (
                    r#""activation_scheme": null"#,
                    "must be `dynamic`, it is `null`",
                ),
                (r#""activation_scheme": "Static""#, "must be `dynamic`"),
                (
                    r#""weight_block_size": [128]"#,
                    "must be two numbers above 0, it is a list",
                ),
                (r#""weight_block_size": [128, 0]"#, "two numbers"),
                (r#""weight_block_size": ["1", "2"]"#, "two numbers"),
                (r#""weight_block_size": {}"#, "two numbers"),
                (r#""weight_block_size": 128"#, "two numbers"),
            ],
        ),
        (
            "bitsandbytes",
            &[(
                r#""load_in_4bit": true, "bnb_4bit_quant_storage": "int16""#,
                "`bnb_4bit_quant_storage`",
            )],
        ),
        (
            "quanto",
            &[
                (r#""weights": "int3""#, "`float8`, `int8`"),
                (r#""weights": null"#, "`int2`"),
                (r#""activations": "none""#, "`activations`"),
            ],
        ),
        ("eetq", &[(r#""weights": "int4""#, "must be `int8`")]),
        (
            "aqlm",
            &[
                (r#""in_group_size": "8""#, "a whole number"),
                (r#""nbits_per_codebook": 1.5"#, "a whole number"),
            ],
        ),
        (
            "higgs",
            &[
                (r#""bits": 5"#, "2, 3 or 4"),
                (r#""p": 3"#, "1 or 2"),
                (r#""group_size": 32"#, "64, 128 or 256"),
                (r#""hadamard_size": 100"#, "a multiple of `group_size`, 256"),
                (r#""hadamard_size": null"#, "a multiple"),
            ],
        ),
        (
            "vptq",
            &[
                (r#""enable_proxy_error": true"#, "must be `false`"),
                (r#""config_for_layers": null"#, "packed indices"),
                (r#""config_for_layers": {"a": 1}"#, "packed indices"),
                (
                    r#""config_for_layers": {"a": {"is_indice_packed": false}}"#,
                    "packed indices",
                ),
            ],
        ),
        (
            "spqr",
            &[
                (r#""bits": 3.0"#, "must be 3"),
                (r#""beta1": 8"#, "must be 16"),
                (r#""shapes": []"#, "an object"),
            ],
        ),
        (
            "bitnet",
            &[
                (r#""linear_class": "x""#, "`bitlinear`"),
                (r#""quantization_mode": "x""#, "`online`"),
            ],
        ),
        (
            "torchao",
            &[
                ("", "has no `quant_type`, which `torchao` needs"),
                (
                    r#""quant_type": null"#,
                    "must be an object with `default` alone",
                ),
                (r#""quant_type": {}"#, "`default` alone"),
                (r#""quant_type": {"default": 1, "b": 2}"#, "`default` alone"),
                (r#""quant_type": ["default"]"#, "`default` alone"),
                (
                    r#""quant_type": "x", "quant_type_kwargs": {}"#,
                    "it is the string `x`",
                ),
                (
                    r#""quant_type": "int4_weight_only""#,
                    "has no `quant_type_kwargs`",
                ),
            ],
        ),
        (
            "hqq",
            &[
                (r#""skip_modules": []"#, "has no `quant_config`"),
                (r#""quant_config": {}"#, "has no `skip_modules`"),
            ],
        ),
    ] {
        for (more, wanted) in settings {
            let (everywhere, by_transformers) = refused_in(&section(method, more));
            assert!(
                everywhere.contains(wanted),
                "{method}: {more}: {everywhere}"
            );
            assert_eq!(by_transformers, "", "{method}: {more}");
        }
    }
    for (text, wanted) in [
        ("null", "is `null`, which the loader cannot read"),
        ("{}", "names no `quant_method`"),
        (
            r#"{"quant_method": 7}"#,
            "`quant_method` of `quantization_config` must be a text, it is `7`",
        ),
        (
            r#"{"quant_method": ["gptq"], "bits": 4}"#,
            "must be a text, it is a list",
        ),
    ] {
        let (everywhere, by_transformers) = refused_in(text);
        assert!(everywhere.contains(wanted), "{text}: {everywhere}");
        assert_eq!(by_transformers, "", "{text}");
    }
}

#[test]
fn what_engines_do_not_mind() {
    for (method, settings) in [
        (
            "fp8",
            &[
                (
                    r#""activation_scheme": "static""#,
                    "must be `dynamic`, it is the string `static`",
                ),
                (
                    r#""activation_scheme": "static", "weight_block_size": null"#,
                    "`weight_block_size`",
                ),
                (
                    r#""activation_scheme": "dynamic", "weight_block_size": null"#,
                    "two numbers above 0, it is `null`",
                ),
            ][..],
        ),
        (
            "gptq",
            &[
                (
                    r#""bits": 4, "damp_percent": 1"#,
                    "between 0 and 1, it is `1`",
                ),
                (r#""bits": 4, "damp_percent": null"#, "between 0 and 1"),
                (r#""bits": 4, "dataset": "ptb""#, "`wikitext2`"),
                (r#""bits": 4, "dataset": {}"#, "`wikitext2`"),
                (r#""bits": 4, "checkpoint_format": null"#, "a text"),
                (
                    r#""bits": 4, "exllama_config": {}"#,
                    "a `version` of 1 or 2",
                ),
                (
                    r#""bits": 4, "exllama_config": {"version": "1"}"#,
                    "a `version`",
                ),
                (
                    r#""bits": 4, "load_in_4bit": true"#,
                    "beside `load_in_4bit`, with which the weights",
                ),
            ],
        ),
        (
            "auto-round",
            &[(
                r#""group_size": [128, 128]"#,
                "-1 or a number above 0, it is a list",
            )],
        ),
        (
            "awq",
            &[
                (r#""version": "gemv_fast""#, "`gemm`, `gemv`"),
                (r#""version": null"#, "`gemm`, `gemv`"),
                (
                    r#""version": "exllama", "exllama_config": {}"#,
                    "a `version` of 1 or 2",
                ),
                (r#""backend": "AutoAWQ""#, "`autoawq` or"),
                (r#""do_fuse": 1"#, "no `fuse_max_seq_len`"),
                (r#""modules_to_fuse": [1]"#, "no `fuse_max_seq_len`"),
                (
                    r#""fuse_max_seq_len": 8, "modules_to_fuse": {"a": 1}"#,
                    "an object with `hidden_size`, ",
                ),
                (
                    r#""fuse_max_seq_len": 8, "do_fuse": true, "modules_to_fuse": {}"#,
                    "an object with",
                ),
            ],
        ),
        (
            "bitsandbytes",
            &[
                ("", "without `load_in_4bit` or"),
                (
                    r#""load_in_4bit": false, "load_in_8bit": null"#,
                    "without `load_in_4bit` or",
                ),
                (
                    r#""load_in_4bit": true, "load_in_8bit": true"#,
                    "both `load_in_4bit` and",
                ),
                (r#""load_in_4bit": 1"#, "`true` or `false`, it is `1`"),
                (
                    r#""load_in_4bit": true, "load_in_8bit": null"#,
                    "`true` or `false`, it is `null`",
                ),
                (
                    r#""load_in_4bit": true, "llm_int8_threshold": 6"#,
                    "a decimal point, it is `6`",
                ),
                (
                    r#""load_in_4bit": true, "llm_int8_skip_modules": "x""#,
                    "a list",
                ),
                (
                    r#""load_in_4bit": true, "bnb_4bit_compute_dtype": "bf16""#,
                    "a dtype of torch",
                ),
                (
                    r#""load_in_4bit": true, "bnb_4bit_compute_dtype": 7"#,
                    "a dtype of torch",
                ),
                (
                    r#""load_in_4bit": true, "bnb_4bit_quant_type": null"#,
                    "a text",
                ),
            ],
        ),
        (
            "aqlm",
            &[(r#""linear_weights_not_to_quantize": "x""#, "a list")],
        ),
        (
            "fp_quant",
            &[
                (r#""forward_dtype": "nvfp4""#, "`mxfp4`"),
                (r#""hadamard_group_size": 64"#, "must be 32"),
            ],
        ),
    ] {
        for (more, wanted) in settings {
            let (everywhere, by_transformers) = refused_in(&section(method, more));
            assert!(
                by_transformers.contains(wanted),
                "{method}: {more}: {by_transformers}"
            );
            assert_eq!(everywhere, "", "{method}: {more}");
        }
    }
}
