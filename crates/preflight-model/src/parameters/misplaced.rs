//! Modules that are stored otherwise than the config lists them: plain where the loader makes a packed one, or
//! packed where it makes a plain one.

use std::collections::HashSet;

use super::layouts::{Stored, container};
use super::role::is_integer;
use crate::header::{Dtype, Tensor};
use crate::quantization::{Layout, Quantization};

/// Most names that are held against entries of the list, so that a hostile config costs no minutes.
const COMPARISONS_MAX: usize = 1_000_000;

/// Most parts of a name that are looked up: several times what a class has.
const PARTS_MAX: usize = 24;

/// What is stored otherwise than the config has it, for people.
///
/// A weight is held to be meant packed where the same weight of other layers is, and something else of its own
/// layer: what a method never packs (routers, a whole layer kept apart) is no contradiction.
pub(super) fn find(quantization: &Quantization, stored: &Stored<'_>) -> Option<String> {
    let is_told = matches!(
        quantization.layout,
        Layout::Gptq
            | Layout::Awq
            | Layout::Bitsandbytes
            | Layout::CompressedTensors
            | Layout::PerElement
    );
    if !is_told {
        return None;
    }
    // The first by name, so that the answer does not depend on the order of a map.
    let mut tensors: Vec<&Tensor<'_>> = stored.values().collect();
    tensors.sort_unstable_by_key(|tensor| tensor.name);
    let packed: Vec<&str> = tensors
        .iter()
        .filter_map(|tensor| packed_module(tensor, quantization, stored))
        .collect();
    packed_though_excluded(quantization, &packed)
        .or_else(|| plain_though_packed_elsewhere(quantization, stored, &tensors, &packed))
}

/// The module whose weight `tensor` packs.
fn packed_module<'a>(
    tensor: &Tensor<'a>,
    quantization: &Quantization,
    stored: &Stored<'_>,
) -> Option<&'a str> {
    if let Some(container) = container(tensor, quantization, stored) {
        return if container.bare {
            container.module.strip_suffix(".weight")
        } else {
            Some(container.module)
        };
    }
    let is_narrow = matches!(tensor.dtype, Dtype::F8_E4M3 | Dtype::F8_E5M2);
    tensor
        .name
        .strip_suffix(".weight")
        .filter(|_| is_narrow && tensor.shape.len() == 2)
}

fn packed_though_excluded(quantization: &Quantization, packed: &[&str]) -> Option<String> {
    let excluded: HashSet<&str> = quantization
        .exclusions
        .names
        .iter()
        .map(String::as_str)
        .collect();
    packed.iter().find_map(|module| {
        let entry = excluding(module, quantization, &excluded)?;
        Some(format!(
            "`{module}` is packed, and config.json lists `{entry}` among what is not"
        ))
    })
}

/// The entry by which the loader makes a plain module.
///
/// The last part of a name, the whole, or parts that more follow; any parts at all where it looks for the entry
/// in the name. compressed-tensors wants the whole name.
/// Sources: `_replace_with_bnb_linear`, `_replace_with_fp8_linear`, `replace_with_awq_linear` and
/// `_replace_with_fbgemm_fp8_linear` in transformers 4.55.4, `integrations/`; `find_name_or_class_matches` in
/// compressed-tensors 0.9, `compressed_tensors/quantization/lifecycle/apply.py` (read).
fn excluding<'a>(
    module: &'a str,
    quantization: &Quantization,
    excluded: &HashSet<&str>,
) -> Option<&'a str> {
    if excluded.is_empty() {
        return None;
    }
    if quantization.layout == Layout::CompressedTensors {
        return excluded.contains(module).then_some(module);
    }
    let is_sought_within = matches!(quantization.method.as_deref(), Some("awq" | "fp8"));
    // Where each part begins, and where the last one ends.
    let begins: Vec<usize> = std::iter::once(0)
        .chain(module.match_indices('.').map(|(at, _)| at + 1))
        .chain([module.len() + 1])
        .collect();
    let parts = begins.len() - 1;
    if parts > PARTS_MAX {
        return None;
    }
    let runs = (0..parts).flat_map(|first| (first..parts).map(move |last| (first, last)));
    runs.filter(|&(first, last)| {
        last + 1 < parts || first == 0 || first == last || is_sought_within
    })
    .map(|(first, last)| &module[begins[first]..begins[last + 1] - 1])
    .find(|run| excluded.contains(run))
}

fn plain_though_packed_elsewhere(
    quantization: &Quantization,
    stored: &Stored<'_>,
    tensors: &[&Tensor<'_>],
    packed: &[&str],
) -> Option<String> {
    if quantization.exclusions.is_open {
        return None;
    }
    let names = &quantization.exclusions.names;
    let kinds: HashSet<String> = packed.iter().map(|module| kind_of(module)).collect();
    let layers: HashSet<&str> = packed
        .iter()
        .filter_map(|module| layer_of(module))
        .collect();
    let mut comparisons = 0_usize;
    for tensor in tensors {
        let Some(module) = tensor.name.strip_suffix(".weight") else {
            continue;
        };
        let is_plain = !is_integer(tensor.dtype)
            && tensor.dtype.bitsize() >= 16
            && tensor.shape.len() == 2
            && container(tensor, quantization, stored).is_none();
        let is_in_packed_layer = layer_of(module).is_some_and(|layer| layers.contains(layer));
        if !is_plain || !is_in_packed_layer || !kinds.contains(&kind_of(module)) {
            continue;
        }
        comparisons = comparisons.saturating_add(names.len());
        if comparisons > COMPARISONS_MAX {
            return Some(
                "config.json lists too many modules that are not packed to look each of them up"
                    .into(),
            );
        }
        if !names.iter().any(|entry| may_cover(entry, tensor.name)) {
            return Some(format!(
                "`{}` is plain where other layers have it packed, and config.json does not list it among what is not",
                tensor.name
            ));
        }
    }
    None
}

/// The name without the numbers of layers and experts.
fn kind_of(module: &str) -> String {
    let parts = module
        .split('.')
        .map(|part| if is_number(part) { "#" } else { part });
    parts.collect::<Vec<_>>().join(".")
}

/// The name up to the first number.
fn layer_of(module: &str) -> Option<&str> {
    let mut end = 0;
    for part in module.split('.') {
        end += part.len();
        if is_number(part) {
            return module.get(..end);
        }
        end += 1;
    }
    None
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether some reader may take the entry for one that names the weight: its pieces between `*` occur in order.
/// What stands before the layers differs between classes and is not looked at.
fn may_cover(entry: &str, name: &str) -> bool {
    let from_layers = entry.find("layers.").map_or(entry, |at| &entry[at..]);
    let mut rest = name;
    from_layers.split('*').all(|piece| {
        let Some((_, after)) = rest.split_once(piece.trim_matches('.')) else {
            return false;
        };
        rest = after;
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::json::Document;

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
            let excluded = HashSet::from([entry]);
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
        tensors.map(tensor).into()
    }

    fn of_fp8(settings: &str, weight: &'static str, dtype: Dtype) -> Option<String> {
        let said = quantization(&format!(r#"{{"quant_method": "fp8"{settings}}}"#));
        find(&said, &with(weight, dtype))
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
    fn a_list_too_long_to_compare() {
        let mut said = quantization(r#"{"quant_method": "fp8"}"#);
        said.exclusions.names = vec!["odel".into(); COMPARISONS_MAX + 1];
        let stored = with("model.layers.1.mlp.down_proj.weight", Dtype::BF16);
        let found = find(&said, &stored).unwrap();
        assert!(found.contains("too many modules"), "{found}");
        said.exclusions.names.pop();
        assert_eq!(find(&said, &stored), None);
    }

    #[test]
    fn the_layer_and_the_kind() {
        let module = "model.layers.3.mlp.experts.17.up_proj";
        assert_eq!(layer_of(module), Some("model.layers.3"));
        assert_eq!(kind_of(module), "model.layers.#.mlp.experts.#.up_proj");
        assert_eq!(layer_of("lm_head"), None);
    }
}
