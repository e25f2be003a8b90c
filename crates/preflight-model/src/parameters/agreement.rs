//! Whether the containers are those that the config describes: the loader builds modules by the config,
//! and tensors of another shape, or under other names, do not go into them.

use super::companions::unsuited;
use super::layouts::{Stored, find};
use super::misplaced;
use crate::header::Tensor;
use crate::quantization::{Layout, Quantization, Scheme};

/// What contradicts the config, for people; `None` where nothing does, as far as the layout tells.
///
/// Shapes as in `group_packed` of `layouts.rs`; the state of bitsandbytes as in `Linear4bit` and
/// `Linear8bitLt` of bitsandbytes 0.50.2, `bitsandbytes/nn/modules.py`.
pub(super) fn contradiction(quantization: &Quantization, stored: &Stored<'_>) -> Option<String> {
    // The first by name, so that the answer does not depend on the order of a map.
    let mut tensors: Vec<&Tensor<'_>> = stored.values().collect();
    tensors.sort_unstable_by_key(|tensor| tensor.name);
    let in_packing = tensors.iter().find_map(|tensor| {
        let name = tensor.name;
        unsuited(tensor, quantization, stored).or_else(|| match quantization.layout {
            Layout::Gptq | Layout::Awq => {
                let module = name.strip_suffix(".qweight")?;
                let what = packed_otherwise(tensor, module, quantization, stored)?;
                Some(format!("`{name}` is {what}"))
            }
            Layout::Bitsandbytes if is_telling(name) => {
                let stored_bits = if is_of_eight_bits(name) { 8 } else { 4 };
                let said = quantization.bits.filter(|bits| *bits != stored_bits)?;
                Some(format!(
                    "`{name}` belongs to weights of {stored_bits} bits, and config.json says {said}"
                ))
            }
            _ => None,
        })
    });
    in_packing.or_else(|| misplaced::find(quantization, stored, &tensors))
}

/// Whether it is state that bitsandbytes keeps for one width alone.
fn is_telling(name: &str) -> bool {
    is_of_eight_bits(name) || name.contains(".quant_state.bitsandbytes__")
}

/// The scales that bitsandbytes keeps beside weights of eight bits.
fn is_of_eight_bits(name: &str) -> bool {
    name.strip_suffix(".SCB").is_some()
}

/// Which other packing the words of one layer show.
fn packed_otherwise(
    tensor: &Tensor<'_>,
    module: &str,
    quantization: &Quantization,
    stored: &Stored<'_>,
) -> Option<String> {
    let (&[rows, columns], Some(scales)) = (tensor.shape, find(stored, module, ".scales")) else {
        return None;
    };
    let &[groups, outputs] = scales.shape else {
        return None;
    };
    let index = find(stored, module, ".g_idx");
    let is_along_inputs = outputs == columns;
    let method = quantization.method.as_deref().unwrap_or_default();
    match method {
        "awq" if index.is_some() || is_along_inputs => {
            return Some("packed as GPTQ does it, and config.json says `awq`".into());
        }
        "gptq" if index.is_none() && !is_along_inputs => {
            return Some("packed as AWQ does it, and config.json says `gptq`".into());
        }
        "gptq" if quantization.bits.is_none() => {
            return Some("packed, and config.json does not say in how many `bits`".into());
        }
        _ => {}
    }
    let word = tensor.dtype.bitsize() as u64;
    let explains = |scheme: &Scheme| {
        let packed = |weights: u64| Some(weights.checked_mul(scheme.bits)?.div_ceil(word));
        let (inputs, fits) = match index {
            _ if !is_along_inputs => (rows, packed(outputs) == Some(columns)),
            Some(index) => (index.elements(), packed(index.elements()) == Some(rows)),
            // Without the index the inputs are known to within a word; `Held` has seen to the groups.
            None => return true,
        };
        fits && scheme
            .groups_of(inputs)
            .is_none_or(|wanted| wanted == groups)
    };
    let is_explained = quantization.schemes.is_empty() || quantization.schemes.iter().any(explains);
    (!is_explained).then(|| {
        format!(
            "[{rows}, {columns}] with {groups} groups, which is not how config.json says it is packed (`bits`, `group_size`)"
        )
    })
}
