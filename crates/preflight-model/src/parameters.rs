//! How many parameters the model has: logical weights, whatever container they are packed in.
//!
//! Packed containers are unpacked by layout; scales, zero points, group indexes and quantisation
//! state are left out; tied copies count once; buffers and layers beyond the configured number (which
//! no causal-LM class loads) are left out. Where a layout is not known the count has bounds and is
//! not exact: 116.8 billion parameters of gpt-oss-120b lie in 63.1 billion container elements, and
//! the wrong number passes a limit that the right one breaks.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use crate::config::Config;
use crate::header::{Dtype, Tensor};
use crate::quantization::Quantization;
use crate::weights::{Format, Weights};

/// The count, or what bounds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    /// The exact count.
    pub total: Option<u64>,
    /// Never more than the true count.
    pub at_least: u64,
    /// Never less than the true count; `None` where nothing bounds it.
    pub at_most: Option<u64>,
    /// Of a mixture of experts: parameters that one token uses.
    pub active: Option<u64>,
    /// Elements of all tensors that the loader takes, containers as they are.
    pub stored_elements: Option<u64>,
    /// The same by dtype.
    pub by_dtype: BTreeMap<String, u64>,
    /// Tensors in integer containers that nothing explains.
    pub opaque_tensors: u64,
    /// Why the count is not exact; empty where it is.
    pub inexact_because: Vec<String>,
    /// What was left out, for people: tied copies, layers that are not loaded, buffers.
    pub left_out: Vec<String>,
}

/// Most parameters that one stored byte can hold where nothing says how they are packed: one a bit.
const PARAMETERS_PER_BYTE_MAX: u64 = 8;
/// Fewest: 64-bit floats are the widest weights.
const BYTES_PER_PARAMETER_MAX: u64 = 8;

/// Counts the parameters of the weights that the loader opens.
pub fn count(
    weights: &Weights,
    config: Option<&Config>,
    quantization: Option<&Quantization>,
) -> Parameters {
    let mut counter = Counter::new(weights, config, quantization);
    for tensor in weights.tensors() {
        counter.add(&tensor);
    }
    counter.finish(weights, quantization)
}

/// A parameter that the checkpoint holds, under the name it has in the class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalTensor<'a> {
    /// Name in the state dict of the class that is not quantised.
    pub name: Cow<'a, str>,
    /// Its shape, where the container has the same.
    pub shape: Option<&'a [u64]>,
}

/// The parameters that the checkpoint holds: packed containers under the name of what they pack, the
/// state of the quantisation left out.
pub fn logical_tensors<'a>(
    weights: &'a Weights,
    quantization: Option<&Quantization>,
) -> Vec<LogicalTensor<'a>> {
    let names: HashSet<&str> = match quantization {
        Some(_) => weights.tensors().map(|tensor| tensor.name).collect(),
        None => HashSet::new(),
    };
    weights
        .tensors()
        .filter_map(|tensor| {
            let role = role(&tensor, quantization, &|name| names.contains(name));
            let (name, shape) = match role {
                Role::State => return None,
                Role::Buffer | Role::Weight(_) => (Cow::Borrowed(tensor.name), Some(tensor.shape)),
                // Without a method the loader knows of no container: the name stands as it is.
                Role::Opaque if quantization.is_none() => (Cow::Borrowed(tensor.name), None),
                Role::Packed(_) | Role::Opaque => (unpacked_name(tensor.name), None),
            };
            Some(LogicalTensor { name, shape })
        })
        .collect()
}

/// The parameter that a container of this name packs.
fn unpacked_name(name: &str) -> Cow<'_, str> {
    let module = name
        .strip_suffix(".qweight")
        .or_else(|| name.strip_suffix(".weight_packed"));
    match module {
        Some(module) => Cow::Owned(format!("{module}.weight")),
        None => Cow::Borrowed(name.strip_suffix("_blocks").unwrap_or(name)),
    }
}

/// What a stored tensor stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Weights, this many, the name being the parameter's own.
    Weight(u64),
    /// Weights in a container of another name or shape, this many.
    Packed(u64),
    /// Weights in a container whose packing is not known.
    Opaque,
    /// Scales, zero points, indexes and other state of the quantisation.
    State,
    /// A buffer that older releases saved.
    Buffer,
}

/// Ends of names of quantisation state, by what writes them.
const STATE_ENDS: [&str; 26] = [
    // GPTQ, AWQ
    ".qzeros",
    ".scales",
    ".g_idx",
    // bitsandbytes
    ".absmax",
    ".quant_map",
    ".nested_absmax",
    ".nested_quant_map",
    ".SCB",
    ".weight_format",
    // FP8 and compressed-tensors
    ".weight_scale_inv",
    ".weight_scale",
    ".weight_scale_2",
    ".weight_shape",
    ".weight_zero_point",
    ".weight_g_idx",
    ".weight_global_scale",
    ".input_scale",
    ".input_global_scale",
    ".input_zero_point",
    ".output_scale",
    ".activation_scale",
    ".k_scale",
    ".v_scale",
    ".input_scale_ub",
    // MXFP4 of fused experts
    "_scales",
    "_scale_inv",
];

/// Ends of names of buffers. The router bias of DeepSeek-V3 and GLM-4.5 is one
/// (`register_buffer` in `modeling_deepseek_v3.py`).
const BUFFER_ENDS: [&str; 6] = [
    "rotary_emb.inv_freq",
    "rotary_pos_emb.inv_freq",
    ".masked_bias",
    "position_ids",
    "token_type_ids",
    ".e_score_correction_bias",
];

/// The role of one stored tensor. `has` tells whether a tensor of that name is stored too.
pub fn role(
    tensor: &Tensor<'_>,
    quantization: Option<&Quantization>,
    has: &dyn Fn(&str) -> bool,
) -> Role {
    let name = tensor.name;
    let elements = tensor.elements();
    let ends = |end: &str| name.ends_with(end);
    if BUFFER_ENDS.iter().any(|end| ends(end)) || is_causal_mask(tensor) {
        return Role::Buffer;
    }
    if let Some(quantization) = quantization {
        if STATE_ENDS.iter().any(|end| ends(end)) || name.contains(".quant_state.bitsandbytes__") {
            return Role::State;
        }
        if let Some(packed) = packed(tensor, quantization, has) {
            return packed;
        }
    }
    if is_integer(tensor.dtype) {
        return match (quantization.and_then(|found| found.bits), tensor.dtype) {
            // Eight-bit weights in eight-bit containers: bitsandbytes, compressed-tensors, quanto.
            (Some(8), Dtype::I8 | Dtype::U8) => Role::Weight(elements),
            _ => Role::Opaque,
        };
    }
    match tensor.dtype {
        Dtype::F8_E8M0 => Role::State,
        _ => Role::Weight(elements),
    }
}

fn packed(
    tensor: &Tensor<'_>,
    quantization: &Quantization,
    has: &dyn Fn(&str) -> bool,
) -> Option<Role> {
    let name = tensor.name;
    let method = quantization.method.as_deref();
    // `bits` of the container hold `values` weights: a ratio, because three bits do not divide 32.
    let unpack = |bits: Option<u64>| match bits {
        Some(bits @ 1..=8) => tensor
            .elements()
            .checked_mul(tensor.dtype.bitsize() as u64)
            .map_or(Role::Opaque, |all| Role::Packed(all / bits)),
        _ => Role::Opaque,
    };
    match method {
        Some("gptq" | "awq" | "auto-round" | "intel/auto-round") if name.ends_with(".qweight") => {
            Some(unpack(quantization.bits))
        }
        Some("bitsandbytes") => {
            let four_bit = ["nf4", "fp4"]
                .iter()
                .any(|kind| has(&format!("{name}.quant_state.bitsandbytes__{kind}")));
            four_bit.then(|| unpack(Some(4)))
        }
        // OCP microscaling: two four-bit values a byte. <https://huggingface.co/openai/gpt-oss-120b>
        Some("mxfp4") if name.ends_with("_blocks") => Some(unpack(Some(4))),
        Some("compressed-tensors") if name.ends_with(".weight_packed") => {
            // An int32 holds floor(32 / bits) values, so three bits leave two of 32 unused.
            match quantization.bits {
                Some(bits) if 32 % bits == 0 => Some(unpack(Some(bits))),
                _ => Some(Role::Opaque),
            }
        }
        Some("modelopt") if tensor.dtype == Dtype::U8 && name.ends_with(".weight") => {
            Some(unpack(quantization.bits))
        }
        _ => None,
    }
}

fn is_integer(dtype: Dtype) -> bool {
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

/// Older releases saved the causal mask of each layer: `attn.bias` of GPT-2, `attention.bias` of
/// GPT-NeoX, one by one by context by context.
fn is_causal_mask(tensor: &Tensor<'_>) -> bool {
    let named = tensor.name.ends_with(".attn.bias")
        || tensor.name.ends_with(".attention.bias")
        || tensor.name.ends_with(".attn.attention.bias");
    named && matches!(tensor.shape, [1, 1, rows, columns] if rows == columns)
}

/// The number of the layer that a tensor of the language model belongs to.
pub fn layer_of(name: &str) -> Option<u64> {
    let mut rest = name;
    while let Some(inner) = ["model.", "language_model."]
        .iter()
        .find_map(|prefix| rest.strip_prefix(prefix))
    {
        rest = inner;
    }
    let (number, _) = rest.strip_prefix("layers.")?.split_once('.')?;
    number.parse().ok()
}

struct Counter<'a> {
    quantization: Option<&'a Quantization>,
    names: HashSet<&'a str>,
    ties: Ties<'a>,
    /// Tensors left out as copies.
    tied: Vec<&'a str>,
    /// `num_hidden_layers`.
    layers: Option<u64>,
    /// Experts that a token uses, and all.
    experts: Option<(u64, u64)>,
    total: u64,
    overflow: bool,
    at_least: u64,
    at_most: u64,
    opaque: u64,
    routed: u64,
    stored: u64,
    by_dtype: BTreeMap<String, u64>,
    beyond_layers: u64,
    buffers: u64,
}

/// Which tensors are copies of another: those of a name that the config ties, where something else has
/// the same shape.
struct Ties<'a> {
    keys: Vec<&'a str>,
    shapes: HashSet<Vec<u64>>,
}

impl<'a> Ties<'a> {
    fn new(weights: &Weights, config: Option<&'a Config>) -> Self {
        let keys = config.map(tied_keys).unwrap_or_default();
        let shapes = source_shapes(weights, &keys);
        Self { keys, shapes }
    }

    fn is_copy(&self, tensor: &Tensor<'_>) -> bool {
        is_tied_name(tensor.name, &self.keys) && self.shapes.contains(tensor.shape)
    }
}

impl<'a> Counter<'a> {
    fn new(
        weights: &'a Weights,
        config: Option<&'a Config>,
        quantization: Option<&'a Quantization>,
    ) -> Self {
        let names = if quantization.is_some() {
            weights.tensors().map(|tensor| tensor.name).collect()
        } else {
            HashSet::new()
        };
        let text = config.map(Config::text);
        let layers = text.as_ref().and_then(|text| text.u64("num_hidden_layers"));
        let experts = text.as_ref().and_then(|text| {
            let all = text.first_u64(&["num_local_experts", "n_routed_experts", "num_experts"])?;
            let used = text.first_u64(&["num_experts_per_tok", "moe_topk", "moe_k"])?;
            (0 < used && used <= all).then_some((used, all))
        });
        Self {
            quantization,
            names,
            ties: Ties::new(weights, config),
            tied: Vec::new(),
            layers,
            experts,
            total: 0,
            overflow: false,
            at_least: 0,
            at_most: 0,
            opaque: 0,
            routed: 0,
            stored: 0,
            by_dtype: BTreeMap::new(),
            beyond_layers: 0,
            buffers: 0,
        }
    }

    fn add(&mut self, tensor: &Tensor<'a>) {
        let elements = tensor.elements();
        self.stored = self.plus(self.stored, elements);
        let of_dtype = self.by_dtype.entry(tensor.dtype.to_string()).or_default();
        *of_dtype = of_dtype.saturating_add(elements);
        let names = &self.names;
        let role = role(tensor, self.quantization, &|name| names.contains(name));
        let weights = match role {
            Role::State => return,
            Role::Buffer => {
                self.buffers = self.plus(self.buffers, elements);
                return;
            }
            Role::Weight(count) | Role::Packed(count) => count,
            Role::Opaque => elements,
        };
        if self
            .layers
            .zip(layer_of(tensor.name))
            .is_some_and(|(layers, layer)| layer >= layers)
        {
            self.beyond_layers = self.plus(self.beyond_layers, weights);
            return;
        }
        if self.ties.is_copy(tensor) {
            self.tied.push(tensor.name);
            return;
        }
        self.at_least = self.plus(self.at_least, weights);
        if role == Role::Opaque {
            self.opaque += 1;
            let most = tensor.bytes.saturating_mul(PARAMETERS_PER_BYTE_MAX);
            self.at_most = self.plus(self.at_most, most);
        } else {
            self.total = self.plus(self.total, weights);
            self.at_most = self.plus(self.at_most, weights);
        }
        if is_routed_expert(tensor.name) {
            self.routed = self.plus(self.routed, weights);
        }
    }

    fn plus(&mut self, sum: u64, more: u64) -> u64 {
        sum.checked_add(more).unwrap_or_else(|| {
            self.overflow = true;
            u64::MAX
        })
    }

    fn finish(self, weights: &Weights, quantization: Option<&Quantization>) -> Parameters {
        let mut because = Vec::new();
        let mut at_least = self.at_least;
        let mut at_most = Some(self.at_most);
        if self.opaque > 0 {
            let method = quantization.and_then(|found| found.method.as_deref());
            because.push(format!(
                "{} tensors lie in integer containers whose packing is not known ({})",
                self.opaque,
                method.unwrap_or("no quantisation method is named")
            ));
        }
        if self.overflow {
            because.push("the sum of the sizes overflows".into());
            at_most = None;
        }
        for shard in &weights.shards {
            if let Some(header) = shard.header.known() {
                if header.left_out > 0 {
                    because.push(format!(
                        "`{}` has tensors whose size cannot be told",
                        shard.path
                    ));
                    at_most = None;
                }
                continue;
            }
            because.push(format!("the header of `{}` was not read", shard.path));
            let data = shard.size.map(|size| size.saturating_sub(8));
            at_most = at_most.zip(data).and_then(|(sum, bytes)| {
                sum.checked_add(bytes.checked_mul(parameters_per_byte_max(quantization))?)
            });
            // Of a quantised shard even the bytes bound nothing from below: they may be state.
            if quantization.is_none() && shard.header.is_unread() {
                at_least = at_least.saturating_add(data.unwrap_or(0) / BYTES_PER_PARAMETER_MAX);
            }
        }
        let complete = weights.is_complete();
        if !complete && weights.shards.is_empty() {
            because.push(match weights.format {
                Format::Safetensors => "the weight index could not be used".into(),
                other => format!(
                    "there are no safetensors headers to read ({})",
                    other.as_str()
                ),
            });
            // A pickle holds its tensors uncompressed, so its size bounds them from above.
            at_most = match weights.format {
                Format::Pytorch => weights
                    .bytes
                    .and_then(|bytes| bytes.checked_mul(parameters_per_byte_max(quantization))),
                _ => None,
            };
        }
        let exact = because.is_empty() && complete;
        let mut left_out = Vec::new();
        if !self.tied.is_empty() {
            left_out.push(format!("tied copies: {}", self.tied.join(", ")));
        }
        if self.beyond_layers > 0 {
            left_out.push(format!(
                "{} parameters of layers beyond `num_hidden_layers`, which are not loaded",
                self.beyond_layers
            ));
        }
        if self.buffers > 0 {
            left_out.push(format!("{} elements of buffers", self.buffers));
        }
        let total = exact.then_some(self.total);
        Parameters {
            total,
            at_least,
            at_most,
            active: total.and_then(|total| active(total, self.routed, self.experts)),
            stored_elements: complete.then_some(self.stored),
            by_dtype: self.by_dtype,
            opaque_tensors: self.opaque,
            inexact_because: because,
            left_out,
        }
    }
}

fn parameters_per_byte_max(quantization: Option<&Quantization>) -> u64 {
    match quantization.map(|found| found.bits) {
        // Not quantised: eight-bit floats are the narrowest that a plain load accepts.
        None => 1,
        Some(Some(bits @ 1..=8)) => 8_u64.div_ceil(bits),
        Some(_) => PARAMETERS_PER_BYTE_MAX,
    }
}

fn active(total: u64, routed: u64, experts: Option<(u64, u64)>) -> Option<u64> {
    let (used, all) = experts?;
    if routed == 0 {
        return None;
    }
    let used = u128::from(routed) * u128::from(used) / u128::from(all);
    Some(total - routed + u64::try_from(used).ok()?)
}

fn is_routed_expert(name: &str) -> bool {
    name.contains(".experts.")
}

/// Names of parameters that are copies, as far as this config ties them.
fn tied_keys(config: &Config) -> Vec<&str> {
    let whole = config.whole();
    let text = config.text();
    let given = |section: &crate::config::Section<'_>| section.bool("tie_word_embeddings");
    // A composite config's own switch counts before that of its text part.
    // Source: `_tie_or_clone_weights` and `get_text_config` in
    // <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_utils.py>
    let tied = given(&text).or_else(|| given(&whole)).unwrap_or(false);
    if !tied {
        return Vec::new();
    }
    match whole.class().or_else(|| text.class()) {
        Some(class) => class.tied_weights_keys.iter().map(String::as_str).collect(),
        None => vec!["lm_head.weight"],
    }
}

fn is_tied_name(name: &str, keys: &[&str]) -> bool {
    keys.iter().any(|key| {
        name.strip_suffix(key)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Shapes of embeddings and of everything else that a tied parameter may be a copy of.
fn source_shapes(weights: &Weights, keys: &[&str]) -> HashSet<Vec<u64>> {
    let copies = || {
        weights
            .tensors()
            .filter(|tensor| is_tied_name(tensor.name, keys))
    };
    let wanted: HashSet<&[u64]> = copies().map(|tensor| tensor.shape).collect();
    if wanted.is_empty() {
        return HashSet::new();
    }
    weights
        .tensors()
        .filter(|tensor| wanted.contains(tensor.shape) && !is_tied_name(tensor.name, keys))
        .map(|tensor| tensor.shape.to_vec())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;
    use crate::quantization;

    fn role_of(name: &str, dtype: Dtype, shape: &[u64], config: &str, others: &[&str]) -> Role {
        let config = Config::new(Document::parse(config.as_bytes()).unwrap()).unwrap();
        let quantization = quantization::find(Some(&config), None, None);
        let tensor = Tensor {
            name,
            dtype,
            shape,
            bytes: 0,
        };
        role(&tensor, quantization.as_ref(), &|name| {
            others.contains(&name)
        })
    }

    #[test]
    fn containers_are_unpacked_by_layout() {
        let gptq3 = r#"{"quantization_config": {"quant_method": "gptq", "bits": 3}}"#;
        let awq = r#"{"quantization_config": {"quant_method": "awq", "bits": 4}}"#;
        let bnb =
            r#"{"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true}}"#;
        let mxfp4 = r#"{"quantization_config": {"quant_method": "mxfp4"}}"#;
        let fp8 = r#"{"quantization_config": {"quant_method": "fp8"}}"#;
        let state = "a.weight.quant_state.bitsandbytes__nf4";
        for (name, dtype, shape, config, role) in [
            // 4096 inputs of 3 bits are 384 words of 32.
            (
                "a.qweight",
                Dtype::I32,
                &[384, 10][..],
                gptq3,
                Role::Packed(40_960),
            ),
            ("a.qzeros", Dtype::I32, &[32, 1], gptq3, Role::State),
            ("a.scales", Dtype::F16, &[32, 10], gptq3, Role::State),
            ("a.g_idx", Dtype::I32, &[4096], gptq3, Role::State),
            ("a.qweight", Dtype::I32, &[10, 4], awq, Role::Packed(320)),
            ("a.weight", Dtype::U8, &[50, 1], bnb, Role::Packed(100)),
            ("a.weight.absmax", Dtype::U8, &[2], bnb, Role::State),
            (state, Dtype::U8, &[150], bnb, Role::State),
            (
                "a.gate_up_proj_blocks",
                Dtype::U8,
                &[2, 4, 1, 16],
                mxfp4,
                Role::Packed(256),
            ),
            (
                "a.gate_up_proj_scales",
                Dtype::U8,
                &[2, 4, 1],
                mxfp4,
                Role::State,
            ),
            ("a.weight", Dtype::F8_E4M3, &[8, 8], fp8, Role::Weight(64)),
            ("a.weight_scale_inv", Dtype::F32, &[1, 1], fp8, Role::State),
            // What nothing explains is not guessed.
            ("a.qweight", Dtype::I32, &[10, 4], "{}", Role::Opaque),
            ("a.weight", Dtype::U8, &[8], "{}", Role::Opaque),
            (
                "h.0.attn.bias",
                Dtype::F32,
                &[1, 1, 8, 8],
                "{}",
                Role::Buffer,
            ),
            ("h.0.attn.bias", Dtype::F32, &[8], "{}", Role::Weight(8)),
            (
                "a.rotary_emb.inv_freq",
                Dtype::F32,
                &[8],
                "{}",
                Role::Buffer,
            ),
        ] {
            assert_eq!(
                role_of(name, dtype, shape, config, &[state]),
                role,
                "{name} {config}"
            );
        }
    }

    #[test]
    fn the_layer_of_a_name() {
        assert_eq!(layer_of("model.layers.61.mlp.gate.weight"), Some(61));
        assert_eq!(layer_of("language_model.model.layers.3.a"), Some(3));
        assert_eq!(layer_of("model.language_model.layers.3.a"), Some(3));
        assert_eq!(layer_of("layers.3.a"), Some(3));
        assert_eq!(layer_of("vision_tower.layers.3.a"), None);
        assert_eq!(layer_of("model.layers.x.a"), None);
    }
}
