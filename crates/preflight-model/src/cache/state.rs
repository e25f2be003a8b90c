//! Layers that keep a state of fixed size: Mamba, short convolutions, and their mixtures with
//! attention.
//!
//! Source of the sizes: `MambaCache`, `Mamba2Cache` and the hybrid caches of
//! <https://github.com/huggingface/transformers/tree/v4.55.4/src/transformers/models>; the measured
//! caches agree (`docs/memory.md` names the two that differ and why).

use super::{Heads, LayerGroup, layers};
use crate::config::Section;

/// Layers that keep nothing but a state; `None` where it has no size, which is an error of the file.
fn state_group(layers: u64, state_elements: u64) -> Option<LayerGroup> {
    (state_elements > 0).then_some(LayerGroup {
        layers,
        elements_per_token: 0,
        window: None,
        kv_heads: None,
        state_elements,
    })
}

/// Mamba 1: a window of the convolution and a state, per channel.
fn mamba_1(channels: u64, state: u64, kernel: u64) -> Option<u64> {
    channels.checked_mul(state.checked_add(kernel)?)
}

/// Mamba 2: the convolution also runs over the groups' input and output states.
struct Mamba2 {
    channels: u64,
    heads: u64,
    head_dim: u64,
    groups: u64,
    state: u64,
    kernel: u64,
}

impl Mamba2 {
    fn elements(&self) -> Option<u64> {
        let group_states = self.groups.checked_mul(self.state)?.checked_mul(2)?;
        let convolved = self.channels.checked_add(group_states)?;
        let state = self
            .heads
            .checked_mul(self.head_dim)?
            .checked_mul(self.state)?;
        convolved.checked_mul(self.kernel)?.checked_add(state)
    }

    /// As the hybrid classes spell it.
    fn of_hybrid(text: &Section<'_>) -> Option<Self> {
        let heads = text.u64("mamba_n_heads")?;
        let head_dim = match text.given("mamba_d_head") {
            Some(given) if given.as_str() == Some("auto") => expanded(text)?.checked_div(heads)?,
            _ => text.u64("mamba_d_head")?,
        };
        let channels = match text.model_type()? {
            "falcon_h1" => text.u64("mamba_d_ssm")?,
            _ => expanded(text)?,
        };
        Some(Self {
            channels,
            heads,
            head_dim,
            groups: text.u64("mamba_n_groups")?,
            state: text.u64("mamba_d_state")?,
            kernel: text.u64("mamba_d_conv")?,
        })
    }
}

fn expanded(text: &Section<'_>) -> Option<u64> {
    text.u64("mamba_expand")?
        .checked_mul(text.u64("hidden_size")?)
}

/// Models of Mamba layers alone.
pub(super) fn mamba(text: &Section<'_>) -> Option<Vec<LayerGroup>> {
    let channels = text.u64("expand")?.checked_mul(text.u64("hidden_size")?)?;
    let (state, kernel) = (text.u64("state_size")?, text.u64("conv_kernel")?);
    let elements = if text.model_type()? == "mamba2" {
        Mamba2 {
            channels,
            heads: text.u64("num_heads")?,
            head_dim: text.u64("head_dim")?,
            groups: text.u64("n_groups")?,
            state,
            kernel,
        }
        .elements()?
    } else {
        mamba_1(channels, state, kernel)?
    };
    Some(vec![state_group(layers::count(text)?, elements)?])
}

/// Mamba layers between attention layers; Falcon-H1 has both in every layer.
pub(super) fn hybrid(text: &Section<'_>, heads: Heads) -> Option<Vec<LayerGroup>> {
    let layers = layers::count(text)?;
    if text.model_type()? == "falcon_h1" {
        let mut group = heads.group(layers, None)?;
        group.state_elements = Mamba2::of_hybrid(text)?.elements()?;
        return Some(vec![group]);
    }
    let attention = attention_layers(text, layers)?;
    let elements = if text.model_type()? == "jamba" {
        let (state, kernel) = (text.u64("mamba_d_state")?, text.u64("mamba_d_conv")?);
        mamba_1(expanded(text)?, state, kernel)?
    } else {
        Mamba2::of_hybrid(text)?.elements()?
    };
    Some(vec![
        state_group(layers.checked_sub(attention)?, elements)?,
        heads.group(attention, None)?,
    ])
}

fn attention_layers(text: &Section<'_>, layers: u64) -> Option<u64> {
    let count = match text.model_type()? {
        "jamba" => {
            let period = text.u64("attn_layer_period").filter(|&period| period > 0)?;
            let offset = text.u64("attn_layer_offset")?;
            (0..layers).filter(|layer| layer % period == offset).count()
        }
        "bamba" => {
            let given = text
                .given("attn_layer_indices")
                .filter(|given| !given.is_null());
            let indices = given.map(|list| list.elements().filter_map(|at| at.as_u64()).collect());
            let indices: Vec<u64> = indices.unwrap_or_default();
            (0..layers).filter(|layer| indices.contains(layer)).count()
        }
        _ => match layers::layer_types(text) {
            Some(names) => named_attention(&names, layers, "attention", "mamba")?,
            None => 0,
        },
    };
    u64::try_from(count).ok()
}

/// How many of the first `layers` names are `attention`; `None` where a name is neither of the two
/// or the list is too short.
fn named_attention(names: &[&str], layers: u64, attention: &str, other: &str) -> Option<usize> {
    let names = names.get(..usize::try_from(layers).ok()?)?;
    let known = names.iter().all(|&name| name == attention || name == other);
    known.then(|| names.iter().filter(|&&name| name == attention).count())
}

/// Lfm2: convolution layers keep their last inputs.
pub(super) fn short_convolution(text: &Section<'_>, heads: Heads) -> Option<Vec<LayerGroup>> {
    let layers = layers::count(text)?;
    let attention = if let Some(names) = layers::layer_types(text) {
        named_attention(&names, layers, "full_attention", "conv")?
    } else if let Some(given) = text
        .given("full_attn_idxs")
        .filter(crate::json::Cursor::is_array)
    {
        let indices: Vec<u64> = given.elements().filter_map(|at| at.as_u64()).collect();
        (0..layers).filter(|layer| indices.contains(layer)).count()
    } else {
        usize::try_from(layers).ok()?
    };
    let attention = u64::try_from(attention).ok()?;
    let kept = text
        .u64("hidden_size")?
        .checked_mul(text.u64("conv_L_cache")?)?;
    Some(vec![
        state_group(layers.checked_sub(attention)?, kept)?,
        heads.group(attention, None)?,
    ])
}

/// How many 16-bit elements one of the state takes: two where the config asks for 32 bit, as
/// `mamba_ssm_dtype` of Qwen3.5 and `mamba_ssm_cache_dtype` of Nemotron do.
fn width(text: &Section<'_>) -> u64 {
    let is_wide = ["mamba_ssm_dtype", "mamba_ssm_cache_dtype"]
        .iter()
        .any(|key| text.str(key) == Some("float32"));
    if is_wide { 2 } else { 1 }
}

/// Layers of the gated delta rule between attention layers: the last inputs of a convolution over
/// keys, queries and values, and a matrix for each value head.
/// Source: `gated_delta_net_state_shape` in
/// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/model_executor/layers/mamba/mamba_utils.py>;
/// for the kinds of layers `Qwen3NextConfig` in
/// <https://github.com/huggingface/transformers/blob/v4.57.0/src/transformers/models/qwen3_next/configuration_qwen3_next.py>
pub(super) fn linear_attention(text: &Section<'_>, heads: Heads) -> Option<Vec<LayerGroup>> {
    let layers = layers::count(text)?;
    let attention = if let Some(names) = layers::layer_types(text) {
        named_attention(&names, layers, "full_attention", "linear_attention")?
    } else {
        let period = match text.given("full_attention_interval") {
            Some(given) => given.as_u64().filter(|&period| period > 0)?,
            None => 4,
        };
        usize::try_from(layers / period).ok()?
    };
    let attention = u64::try_from(attention).ok()?;
    let (keys, values) = (
        text.u64("linear_num_key_heads")?,
        text.u64("linear_num_value_heads")?,
    );
    let (key, value) = (
        text.u64("linear_key_head_dim")?,
        text.u64("linear_value_head_dim")?,
    );
    let convolved = key
        .checked_mul(keys)?
        .checked_mul(2)?
        .checked_add(value.checked_mul(values)?)?;
    let kept = convolved.checked_mul(text.u64("linear_conv_kernel_dim")?.checked_sub(1)?)?;
    let matrices = values.checked_mul(value)?.checked_mul(key)?;
    let elements = kept.checked_add(matrices.checked_mul(width(text))?)?;
    Some(vec![
        state_group(layers.checked_sub(attention)?, elements)?,
        heads.group(attention, None)?,
    ])
}

/// A letter a layer: `M` is Mamba 2, `*` attention, `-` and `E` keep nothing.
/// Source: `NemotronHConfig` in
/// <https://huggingface.co/nvidia/Nemotron-H-8B-Base-8K/blob/main/configuration_nemotron_h.py>, and
/// `get_mamba_state_shape_from_config` in
/// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/model_executor/models/nemotron_h.py>
pub(super) fn nemotron_h(text: &Section<'_>, heads: Heads) -> Option<Vec<LayerGroup>> {
    let layers = layers::count(text)?;
    let pattern = text.str("hybrid_override_pattern")?;
    if u64::try_from(pattern.len()) != Ok(layers) || pattern.contains(|c| !"M*-E".contains(c)) {
        return None;
    }
    let count = |letter: char| u64::try_from(pattern.matches(letter).count()).ok();
    let (mamba_heads, head_dim) = (text.u64("mamba_num_heads")?, text.u64("mamba_head_dim")?);
    let mamba = Mamba2 {
        channels: mamba_heads.checked_mul(head_dim)?,
        heads: mamba_heads,
        head_dim,
        groups: text.u64("n_groups")?,
        state: text.u64("ssm_state_size")?,
        kernel: text.u64("conv_kernel")?,
    };
    let elements = mamba.elements()?.checked_mul(width(text))?;
    Some(vec![
        state_group(count('M')?, elements)?,
        heads.group(count('*')?, None)?,
    ])
}
