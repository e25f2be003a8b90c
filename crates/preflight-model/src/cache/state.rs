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
