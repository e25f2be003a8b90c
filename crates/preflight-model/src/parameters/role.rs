//! What a stored tensor stands for: weights, a container of weights, or neither.

use super::held::Held;
use super::layouts::{self, Stored};
use crate::header::{Dtype, Tensor};
use crate::names::split_last;
use crate::quantization::{Layout, Quantization};

/// What a stored tensor stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Weights, this many, the name being the parameter's own.
    Weight(u64),
    /// Weights in a container of another name or shape.
    Packed(Held),
    /// What may be weights in a container, or belong to one, and nothing tells.
    Opaque(Held),
    /// Scales, zero points, indexes and other state of the quantisation.
    State,
    /// A buffer: saved with the weights, and none.
    Buffer,
}

/// Last parts of names of state that no module has beside it but for a quantisation.
const STATE_NAMES: [&str; 32] = [
    // bitsandbytes
    "absmax",
    "quant_map",
    "nested_absmax",
    "nested_quant_map",
    "SCB",
    "weight_format",
    // FP8, compressed-tensors 0.20.0 (`quantization/lifecycle/initialize.py`), ModelOpt 0.47.0
    // (`modelopt/torch/export/unified_export_hf.py`)
    "weight_scale_inv",
    "weight_scale",
    "weight_scale_2",
    "weight_shape",
    "weight_zero_point",
    "weight_g_idx",
    "weight_global_scale",
    "input_scale",
    "input_scale_ub",
    "input_global_scale",
    "input_zero_point",
    "output_scale",
    "output_zero_point",
    "activation_scale",
    "pre_quant_scale",
    // Of the KV cache and of attention
    "q_scale",
    "k_scale",
    "v_scale",
    "k_zero_point",
    "v_zero_point",
    "k_global_scale",
    "v_global_scale",
    "prob_output_scale",
    "qk_output_scale",
    "kv_scale",
    "bmm_scale",
];

/// Ends of names of state that belongs to the parameter whose name stands before: `gate_up_proj_scale_inv`
/// of fused experts, `weight._scale` of quanto.
const STATE_OF_PARAMETER: [&str; 10] = [
    "_scale",
    "_scale_inv",
    "_scale_2",
    "_weight_scale",
    "_weight_scale_2",
    "_input_scale",
    "_zero_point",
    "_global_scale",
    "._scale",
    "._shift",
];

/// State of the container `.W_q`. Source: `state_dict_keys` in hqq 0.2.8, `hqq/core/quantize.py`.
const STATE_OF_HQQ: [&str; 18] = [
    "nbits",
    "group_size",
    "shape",
    "scale",
    "zero",
    "axis",
    "packing",
    "unpack_view_dtype",
    "view_as_float",
    "quant_scale",
    "quant_zero",
    "compute_dtype",
    "offload_meta",
    "encoded_state_dict",
    "stores_quant_config",
    "channel_wise",
    "optimize",
    "round_zero",
];

/// Ends of names of buffers. The router bias of DeepSeek-V3 and GLM-4.5 is one
/// (`register_buffer` in `modeling_deepseek_v3.py`).
const BUFFER_ENDS: [&str; 9] = [
    "rotary_emb.inv_freq",
    "rotary_pos_emb.inv_freq",
    ".masked_bias",
    "position_ids",
    "token_type_ids",
    ".e_score_correction_bias",
    ".running_mean",
    ".running_var",
    ".attn.causal_mask",
];

/// The role of one tensor among all that are `stored`.
pub fn role(tensor: &Tensor<'_>, quantization: Option<&Quantization>, stored: &Stored<'_>) -> Role {
    if is_buffer(tensor) {
        return Role::Buffer;
    }
    let Some(quantization) = quantization else {
        return unquantised(tensor);
    };
    if let Some(container) = layouts::container(tensor, quantization, stored) {
        return Role::Packed(container.held);
    }
    if tensor.dtype == Dtype::F8_E8M0 || is_state(tensor.name, quantization.layout, stored) {
        return Role::State;
    }
    if quantization.layout == Layout::Unknown {
        return of_unknown_layout(tensor);
    }
    unquantised(tensor)
}

fn unquantised(tensor: &Tensor<'_>) -> Role {
    match tensor.dtype {
        Dtype::F8_E8M0 => Role::State,
        dtype if !is_integer(dtype) => Role::Weight(tensor.elements()),
        // torch's own integers count and index, and the narrow ones pack.
        Dtype::BOOL | Dtype::I64 | Dtype::U64 if !is_named_as_weight(tensor.name) => Role::Buffer,
        _ => Role::Opaque(Held {
            // Indexes and zero points may be among them, so nothing is sure from below.
            least: if is_named_as_container(tensor.name) {
                tensor.elements()
            } else {
                0
            },
            most: layouts::scalars(tensor).most,
        }),
    }
}

/// Of a method whose containers are not known, floats under the names of parameters are weights or no
/// more than the weights they stand for; anything else may be packed, codes of vectors included.
fn of_unknown_layout(tensor: &Tensor<'_>) -> Role {
    let is_float = !is_integer(tensor.dtype);
    Role::Opaque(Held {
        least: if is_float && is_named_as_weight(tensor.name) {
            tensor.elements()
        } else {
            0
        },
        most: None,
    })
}

fn is_named_as_weight(name: &str) -> bool {
    name.ends_with("weight") || name.ends_with("bias")
}

/// Names under which containers of scalars lie, whoever wrote them.
fn is_named_as_container(name: &str) -> bool {
    [
        ".weight",
        ".qweight",
        ".weight_packed",
        ".W_q",
        "_blocks",
        "._data",
        "._weight_qdata",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

fn is_state(name: &str, layout: Layout, stored: &Stored<'_>) -> bool {
    let (module, own) = split_last(name).unwrap_or(("", name));
    let is_in_module = own.len() < name.len();
    if is_in_module && STATE_NAMES.contains(&own) || name.contains(".quant_state.bitsandbytes__") {
        return true;
    }
    let has = |module: &str, end: &str| stored.contains_key([module, end].concat().as_str());
    let of_parameter = STATE_OF_PARAMETER.iter().any(|end| {
        name.strip_suffix(end)
            .is_some_and(|base| has(base, "") || has(base, "._data") || has(base, "._data._data"))
    });
    if of_parameter {
        return true;
    }
    if !is_in_module {
        return false;
    }
    match layout {
        Layout::Gptq | Layout::Awq => {
            ["qzeros", "scales", "g_idx"].contains(&own) && has(module, ".qweight")
        }
        Layout::Mxfp4 => name
            .strip_suffix("_scales")
            .is_some_and(|parameter| has(parameter, "_blocks")),
        Layout::CompressedTensors => {
            ["scale_packed", "meta"].contains(&own) && has(module, ".weight_packed")
                || ["bitmask", "shape", "row_offsets"].contains(&own) && has(module, ".compressed")
        }
        Layout::Mlx => ["scales", "biases"].contains(&own) && has(module, ".weight"),
        Layout::Hqq => STATE_OF_HQQ.contains(&own) && has(module, ".W_q"),
        Layout::Torchao => own.starts_with("_weight_") && has(module, "._weight_qdata"),
        Layout::Aqlm => ["codebooks", "scales"].contains(&own) && has(module, ".codes"),
        Layout::Bitsandbytes
        | Layout::PerElement
        | Layout::ModelOpt
        | Layout::Quanto
        | Layout::Unknown => false,
    }
}

pub(crate) fn is_integer(dtype: Dtype) -> bool {
    matches!(
        dtype,
        Dtype::BOOL
            | Dtype::U8
            | Dtype::I8
            | Dtype::U16
            | Dtype::I16
            | Dtype::U32
            | Dtype::I32
            | Dtype::U64
            | Dtype::I64
    )
}

fn is_buffer(tensor: &Tensor<'_>) -> bool {
    BUFFER_ENDS.iter().any(|end| tensor.name.ends_with(end)) || is_causal_mask(tensor)
}

/// Older releases saved the causal mask of each layer: `attn.bias` of GPT-2, `attention.bias` of
/// GPT-NeoX, one by one by context by context.
fn is_causal_mask(tensor: &Tensor<'_>) -> bool {
    let named = tensor.name.ends_with(".attn.bias")
        || tensor.name.ends_with(".attention.bias")
        || tensor.name.ends_with(".attn.attention.bias");
    named && matches!(tensor.shape, [1, 1, rows, columns] if rows == columns)
}
