//! Modules that are stored otherwise than the config lists them: plain where the loader makes a packed one, or
//! packed where it makes a plain one.

use foldhash::HashSet;

use super::layouts::{Stored, container};
use super::role::is_integer;
use crate::header::{Dtype, Tensor};
use crate::names::parts;
use crate::quantization::{Layout, Quantization};

/// Most names that are held against entries of the list, so that a hostile config costs no minutes.
const COMPARISONS_MAX: usize = 1_000_000;

/// Most parts of a name that are looked up: a class has up to ten.
const PARTS_MAX: usize = 12;

/// What is stored otherwise than the config has it, for people: the first of `tensors`, which are all that are
/// `stored`, by name.
///
/// A weight is held to be meant packed where the same weight of other layers is, and something else of its own
/// layer: what a method never packs (routers, a whole layer kept apart) is no contradiction.
pub(super) fn find(
    quantization: &Quantization,
    stored: &Stored<'_>,
    tensors: &[&Tensor<'_>],
) -> Option<String> {
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
    let packed: Vec<&str> = tensors
        .iter()
        .filter_map(|tensor| packed_module(tensor, quantization, stored))
        .collect();
    packed_though_excluded(quantization, &packed)
        .or_else(|| packed_though_not_listed(quantization, &packed))
        .or_else(|| plain_though_packed_elsewhere(quantization, stored, tensors, &packed))
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

/// GPTQ may list what is packed in a block instead.
/// Source: `convert_model` in optimum 1.27, `optimum/gptq/quantizer.py` (ends of names); vLLM's
/// `is_layer_gptq_quantized` looks for the entry anywhere in the name (read).
fn packed_though_not_listed(quantization: &Quantization, packed: &[&str]) -> Option<String> {
    let listed = &quantization.exclusions.all_else_than;
    if listed.is_empty() || quantization.layout != Layout::Gptq {
        return None;
    }
    let ends: HashSet<&str> = listed.iter().map(String::as_str).collect();
    let has_end = |module: &str| {
        let begins = module.match_indices('.').map(|(at, _)| at + 1);
        begins
            .take(PARTS_MAX)
            .any(|begin| ends.contains(&module[begin..]))
    };
    // Nearly all end with an entry, so that few are compared with each of them.
    let mut left = COMPARISONS_MAX / listed.len();
    let odd = packed
        .iter()
        .filter(|module| layer_of(module).is_some() && !has_end(module));
    for module in odd {
        if left == 0 {
            return Some(
                "config.json lists too many modules that are packed to look each of them up".into(),
            );
        }
        left -= 1;
        if !listed.iter().any(|entry| module.contains(entry.as_str())) {
            return Some(format!(
                "`{module}` is packed, and config.json does not list it in `modules_in_block_to_quantize`"
            ));
        }
    }
    None
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
    let kinds = parts(module).map(|part| if is_number(part) { "#" } else { part });
    kinds.collect::<Vec<_>>().join(".")
}

/// The name up to the first number.
fn layer_of(module: &str) -> Option<&str> {
    let mut end = 0;
    for part in parts(module) {
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
mod tests;
