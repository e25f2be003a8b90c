use super::*;
use crate::config::Config;
use crate::json::Document;

fn found_in(said: &Quantization, stored: &Stored<'_>) -> Option<String> {
    let mut tensors: Vec<&Tensor<'_>> = stored.values().collect();
    tensors.sort_unstable_by_key(|tensor| tensor.name);
    find(said, stored, &tensors)
}

#[test]
fn entries_and_the_names_they_may_mean() {
    let name = "model.layers.3.self_attn.q_proj.weight";
    for entry in [
        "q_proj",
        "self_attn",
        "model.layers.3.self_attn.q_proj",
        "model.layers.3.self_attn.q_proj.weight",
        "model.language_model.layers.3.self_attn",
        "language_model.model.layers.3*",
        "model.layers.3.",
        "*.self_attn.*",
        "model.layers.*.self_attn",
        "*",
    ] {
        assert!(may_cover(entry, name), "{entry}");
    }
    for entry in [
        "k_proj",
        "model.layers.4.self_attn.q_proj",
        "lm_head",
        "*.mlp.*",
    ] {
        assert!(!may_cover(entry, name), "{entry}");
    }
}

fn quantization(section: &str) -> Quantization {
    let text = format!(r#"{{"quantization_config": {section}}}"#);
    let config = Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap();
    crate::quantization::find(Some(&config), None, None).unwrap()
}

#[test]
fn entries_by_which_a_module_is_left_out() {
    const BY_PARTS: [&str; 3] = ["bitsandbytes", "fbgemm_fp8", "fp8"];
    let module = "model.layers.3.self_attn.q_proj";
    for (entry, methods) in [
        ("q_proj", &BY_PARTS[..]),
        ("self_attn", &BY_PARTS),
        ("layers.3", &BY_PARTS),
        ("layers", &BY_PARTS),
        ("self_attn.q_proj", &["fp8"]),
        (
            module,
            &["bitsandbytes", "fbgemm_fp8", "fp8", "compressed-tensors"],
        ),
        ("proj", &[]),
        ("model.layers.4", &[]),
    ] {
        let excluded = HashSet::from_iter([entry]);
        for method in ["bitsandbytes", "fbgemm_fp8", "fp8", "compressed-tensors"] {
            let said = quantization(&format!(r#"{{"quant_method": "{method}"}}"#));
            let found = excluding(module, &said, &excluded);
            let wanted = methods.contains(&method).then_some(entry);
            assert_eq!(found, wanted, "{entry} {method}");
        }
    }
}

/// Three layers of FP8, of which parts are plain, and one more weight.
fn with(weight: &'static str, dtype: Dtype) -> Stored<'static> {
    let tensors = [
        ("model.layers.0.mlp.up_proj.weight", Dtype::F8_E4M3),
        ("model.layers.0.mlp.down_proj.weight", Dtype::F8_E4M3),
        ("model.layers.0.mlp.gate.weight", Dtype::BF16),
        ("model.layers.1.mlp.up_proj.weight", Dtype::F8_E4M3),
        ("model.layers.2.mlp.up_proj.weight", Dtype::BF16),
        (weight, dtype),
    ];
    let tensor = |(name, dtype)| {
        let tensor = Tensor {
            name,
            dtype,
            shape: &[16, 16],
            bytes: 0,
        };
        (name, tensor)
    };
    tensors.map(tensor).into_iter().collect()
}

fn of_fp8(settings: &str, weight: &'static str, dtype: Dtype) -> Option<String> {
    let said = quantization(&format!(r#"{{"quant_method": "fp8"{settings}}}"#));
    found_in(&said, &with(weight, dtype))
}

#[test]
fn plain_where_others_are_packed() {
    let weight = "model.layers.1.mlp.down_proj.weight";
    let found = of_fp8("", weight, Dtype::BF16).unwrap();
    assert!(
        found.starts_with("`model.layers.1.mlp.down_proj.weight` is plain where"),
        "{found}"
    );
    let lists_another = r#", "modules_to_not_convert": ["model.layers.7.mlp"]"#;
    assert!(of_fp8(lists_another, weight, Dtype::F16).is_some());
    for (settings, weight, dtype) in [
        ("", weight, Dtype::F8_E4M3),
        // A router, which no layer has packed, and a whole layer that is kept apart.
        ("", "model.layers.1.mlp.gate.weight", Dtype::BF16),
        ("", "model.layers.2.mlp.down_proj.weight", Dtype::BF16),
        (
            r#", "modules_to_not_convert": ["model.layers.1.mlp.down_proj"]"#,
            weight,
            Dtype::BF16,
        ),
        (
            r#", "ignored_layers": ["model.language_model.layers.1*"]"#,
            weight,
            Dtype::BF16,
        ),
        (r#", "ignore": ["re:.*down_proj"]"#, weight, Dtype::BF16),
        (r#", "dynamic": {"-:.*": {}}"#, weight, Dtype::BF16),
    ] {
        assert_eq!(
            of_fp8(settings, weight, dtype),
            None,
            "{settings} {weight} {dtype}"
        );
    }
}

#[test]
fn packed_where_the_config_says_plain() {
    let weight = "lm_head.weight";
    for entry in ["lm_head", "mlp", "model.layers.0", "mlp.up_proj"] {
        let settings = format!(r#", "modules_to_not_convert": ["{entry}"]"#);
        let found = of_fp8(&settings, weight, Dtype::F8_E4M3).unwrap();
        assert!(
            found.ends_with(&format!("lists `{entry}` among what is not")),
            "{found}"
        );
    }
    for entry in [
        "gate",
        "up",
        "layers.9",
        "model.layers.*.mlp",
        "model.layers.2.mlp.up_proj",
    ] {
        let settings = format!(r#", "modules_to_not_convert": ["{entry}"]"#);
        assert_eq!(of_fp8(&settings, weight, Dtype::F8_E4M3), None, "{entry}");
    }
}

#[test]
fn packed_and_not_in_the_list_of_what_is() {
    let tensor = |name| {
        let dtype = Dtype::I32;
        (
            name,
            Tensor {
                name,
                dtype,
                shape: &[16, 16],
                bytes: 0,
            },
        )
    };
    let stored = [
        tensor("model.layers.0.self_attn.q_proj.qweight"),
        tensor("model.layers.0.mlp.up_proj.qweight"),
        tensor("lm_head.qweight"),
    ];
    let of = |list: &str| {
        let section = format!(
            r#"{{"quant_method": "gptq", "bits": 4, "modules_in_block_to_quantize": {list}}}"#
        );
        found_in(&quantization(&section), &stored.into_iter().collect())
    };
    for list in [
        "null",
        "[]",
        r#"[["self_attn.q_proj"], ["mlp.up_proj"]]"#,
        r#"["proj"]"#,
        r#"["self_attn", "up_proj", "down_proj"]"#,
    ] {
        assert_eq!(of(list), None, "{list}");
    }
    let found = of(r#"[["self_attn.q_proj"]]"#).unwrap();
    assert!(
        found.starts_with("`model.layers.0.mlp.up_proj` is packed, and config.json does not"),
        "{found}"
    );
}

#[test]
fn a_list_too_long_to_compare() {
    let mut said = quantization(r#"{"quant_method": "fp8"}"#);
    said.exclusions.names = vec!["odel".into(); COMPARISONS_MAX + 1];
    let stored = with("model.layers.1.mlp.down_proj.weight", Dtype::BF16);
    let found = found_in(&said, &stored).unwrap();
    assert!(found.contains("too many modules"), "{found}");
    said.exclusions.names.pop();
    assert_eq!(found_in(&said, &stored), None);
    let mut said = quantization(r#"{"quant_method": "gptq", "bits": 4}"#);
    said.exclusions.all_else_than = vec!["odel".into(); COMPARISONS_MAX + 1];
    let found = found_in(&said, &stored).unwrap();
    assert!(found.contains("too many modules"), "{found}");
    said.exclusions.all_else_than.truncate(2);
    assert_eq!(
        packed_though_not_listed(&said, &["model.layers.0.mlp.up_proj"]),
        None
    );
}

#[test]
fn the_layer_and_the_kind() {
    let module = "model.layers.3.mlp.experts.17.up_proj";
    assert_eq!(layer_of(module), Some("model.layers.3"));
    assert_eq!(kind_of(module), "model.layers.#.mlp.experts.#.up_proj");
    assert_eq!(layer_of("lm_head"), None);
}
