//! The tensors of an adapter by what PEFT takes them for.

use std::collections::BTreeMap;

use crate::header::{Header, Tensor};
use crate::parameters::is_integer;

/// What every name of a saved adapter starts with.
const PREFIX: &str = "base_model.model.";
/// Name that PEFT gives an adapter where the user gives none; with it in a name the tensor still loads.
const ADAPTER_NAME: &str = ".default";

/// The tensors of `adapter_model.safetensors`.
#[derive(Debug, Default)]
pub(super) struct AdapterTensors<'a> {
    /// LoRA's parts by the module they adapt.
    pub(super) modules: BTreeMap<&'a str, Parts<'a>>,
    /// Weights of the base that were saved whole, by their names in the base.
    pub(super) saved: BTreeMap<&'a str, &'a [u64]>,
    /// Tensors of an adapter under names that PEFT does not look for, and so drops without a word.
    pub(super) dropped: Vec<&'a str>,
    /// Parts of LoRA whose numbers are stored as integers.
    pub(super) integers: Vec<&'a str>,
    /// Tensors of something else.
    pub(super) foreign: Vec<&'a str>,
}

/// The shapes of what adapts one module.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    pub(super) a: Option<&'a [u64]>,
    pub(super) b: Option<&'a [u64]>,
    pub(super) bias: Option<&'a [u64]>,
    pub(super) magnitude: Option<&'a [u64]>,
    /// Whether it adapts an embedding: factors are `lora_embedding_A` and `_B`.
    pub(super) is_embedding: bool,
}

impl<'a> AdapterTensors<'a> {
    pub(super) fn of(header: &'a Header<'_>) -> Self {
        let mut found = Self::default();
        for tensor in header.tensors() {
            found.add(&tensor);
        }
        found
    }

    fn add(&mut self, tensor: &Tensor<'a>) {
        let name = tensor.name;
        let looks_like_lora = name.to_ascii_lowercase().contains("lora");
        let Some(inner) = name.strip_prefix(PREFIX) else {
            if looks_like_lora {
                self.dropped.push(name);
            } else {
                self.foreign.push(name);
            }
            return;
        };
        let Some((module, part)) = split(inner) else {
            if looks_like_lora {
                self.dropped.push(name);
            } else {
                self.saved.insert(inner, tensor.shape);
            }
            return;
        };
        if is_integer(tensor.dtype) {
            self.integers.push(name);
        }
        let parts = self.modules.entry(module).or_default();
        match part {
            Part::A => parts.a = Some(tensor.shape),
            Part::B => parts.b = Some(tensor.shape),
            Part::EmbeddingA => (parts.a, parts.is_embedding) = (Some(tensor.shape), true),
            Part::EmbeddingB => (parts.b, parts.is_embedding) = (Some(tensor.shape), true),
            Part::Bias => parts.bias = Some(tensor.shape),
            Part::Magnitude => parts.magnitude = Some(tensor.shape),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Part {
    A,
    B,
    EmbeddingA,
    EmbeddingB,
    Bias,
    Magnitude,
}

/// `layers.0.q_proj.lora_A.weight` into the module and which of its parts this is.
fn split(name: &str) -> Option<(&str, Part)> {
    const MIDDLES: [(&str, &str, Part); 3] = [
        (".lora_A", ".weight", Part::A),
        (".lora_B", ".weight", Part::B),
        (".lora_B", ".bias", Part::Bias),
    ];
    const ENDS: [(&str, Part); 3] = [
        (".lora_embedding_A", Part::EmbeddingA),
        (".lora_embedding_B", Part::EmbeddingB),
        (".lora_magnitude_vector", Part::Magnitude),
    ];
    for (middle, end, part) in MIDDLES {
        if let Some(rest) = name.strip_suffix(end) {
            let rest = rest.strip_suffix(ADAPTER_NAME).unwrap_or(rest);
            if let Some(module) = rest.strip_suffix(middle) {
                return Some((module, part));
            }
        }
    }
    let rest = name.strip_suffix(".weight").unwrap_or(name);
    let rest = rest.strip_suffix(ADAPTER_NAME).unwrap_or(rest);
    ENDS.iter().find_map(|(end, part)| {
        let is_vector = matches!(part, Part::Magnitude) || !name.ends_with(".weight");
        let module = rest.strip_suffix(end).filter(|_| is_vector)?;
        Some((module, *part))
    })
}

/// What is odd about a name that PEFT does not look for, where its origin is known.
pub(super) fn origin(name: &str) -> &'static str {
    let has = |part: &str| name.contains(part);
    if has(".lora_a") || has(".lora_b") {
        "these are names of MLX; convert the adapter to PEFT's"
    } else if has("lora_down") || has("lora_up") {
        "these are names of image LoRAs (`lora_down`, `lora_up`); convert the adapter to PEFT's"
    } else if has("_orig_mod") || name.starts_with("module.") {
        "a wrapper (`torch.compile`, data parallel) left its prefix; save from the unwrapped model"
    } else if !name.starts_with(PREFIX) {
        "PEFT's names start with `base_model.model.`"
    } else {
        "PEFT's names end in `.lora_A.weight`, `.lora_B.weight` and the like"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_peft_loads() {
        let of = |name| split(name).map(|(module, _)| module);
        for good in [
            "a.q_proj.lora_A.weight",
            "a.q_proj.lora_A.default.weight",
            "a.q_proj.lora_B.weight",
            "a.q_proj.lora_B.bias",
            "a.q_proj.lora_embedding_A",
            "a.q_proj.lora_embedding_B.default",
            "a.q_proj.lora_magnitude_vector",
            "a.q_proj.lora_magnitude_vector.default.weight",
        ] {
            assert_eq!(of(good), Some("a.q_proj"), "{good}");
        }
        for odd in [
            "a.q_proj.lora_A",
            "a.q_proj.lora_A.sft.weight",
            "a.q_proj.lora_a",
            "a.q_proj.weight",
            "a.q_proj.lora_embedding_A.weight",
            "lora_A.weight",
        ] {
            assert_eq!(of(odd), None, "{odd}");
        }
    }
}
