//! What is said of the quantisation, against what is stored.

use super::{Role, Stored, agreement, role};
use crate::header::{Dtype, Tensor};
use crate::quantization::{Layout, Quantization};
use crate::weights::Weights;

/// Ends of names of scales of the KV cache, which stand beside weights of any kind.
const CACHE_SCALES: [&str; 4] = [".k_scale", ".v_scale", ".q_scale", ".kv_scale"];

/// What of the containers contradicts how config.json says they are packed, for people.
pub fn contradiction(stored: &Stored<'_>, quantization: &Quantization) -> Option<String> {
    agreement::contradiction(quantization, stored)
}

/// Whether a method that the loader applies finds nothing that it packed: every weight is a plain float.
///
/// Release 4 takes every checkpoint with a `quantization_config` for a quantised one. GPTQ, AWQ and AQLM then
/// miss their containers, bitsandbytes and FP8 refuse plain weights; some engines quantise while loading.
/// Source: `check_quantized_param` and `create_quantized_param` in transformers 4.55.4,
/// `quantizers/quantizer_{bnb_4bit,bnb_8bit,finegrained_fp8,hqq,mxfp4}.py` (read).
pub fn lacks_containers(stored: &Stored<'_>, quantization: &Quantization) -> bool {
    let wants = match quantization.layout {
        Layout::Gptq
        | Layout::Awq
        | Layout::Bitsandbytes
        | Layout::PerElement
        | Layout::Mxfp4
        | Layout::Hqq
        | Layout::Aqlm => true,
        // Without a width only activations or the cache are quantised.
        Layout::CompressedTensors => !quantization.schemes.is_empty(),
        Layout::ModelOpt | Layout::Mlx | Layout::Quanto | Layout::Torchao | Layout::Unknown => {
            false
        }
    };
    let is_packed = |tensor: &Tensor<'_>| match role(tensor, Some(quantization), stored) {
        Role::Packed(_) => true,
        Role::Weight(_) => tensor.dtype.bitsize() < 16,
        Role::Opaque(_) | Role::State | Role::Buffer => false,
    };
    wants && quantization.seen_by_loader && !stored.values().any(is_packed)
}

/// Whether what is said where the loader does not look is a leftover: every weight is a plain float.
/// `None` where that is not known, because not every tensor was read or the layout is not known.
pub fn is_leftover(
    weights: &Weights<'_>,
    stored: &Stored<'_>,
    quantization: &Quantization,
) -> Option<bool> {
    let is_plain = |tensor: &Tensor<'_>| {
        matches!(
            tensor.dtype,
            Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64
        )
    };
    let is_of_cache = |name: &str| CACHE_SCALES.iter().any(|end| name.ends_with(end));
    let mut is_certain = weights.is_complete() && !stored.is_empty();
    for tensor in weights.tensors() {
        match role(&tensor, Some(quantization), stored) {
            Role::Buffer => {}
            Role::Weight(_) if is_plain(&tensor) => {}
            Role::State if is_of_cache(tensor.name) => {}
            Role::Opaque(_) if quantization.layout == Layout::Unknown && is_plain(&tensor) => {
                is_certain = false;
            }
            _ => return Some(false),
        }
    }
    is_certain.then_some(true)
}
