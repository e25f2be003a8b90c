//! Which layers see all tokens and which only the last ones.

use crate::config::Section;

/// Most layers of a model: ten times the deepest in circulation.
pub(super) const LAYERS_MAX: u64 = 4096;

/// What a layer keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerKind {
    /// All tokens.
    Full,
    /// The last tokens only: a sliding window or a chunk.
    Windowed,
}

/// `num_hidden_layers`, within bounds.
pub(super) fn count(text: &Section<'_>) -> Option<u64> {
    text.u64("num_hidden_layers")
        .filter(|layers| (1..=LAYERS_MAX).contains(layers))
}

/// Tokens that a windowed layer keeps.
pub(super) fn window(text: &Section<'_>) -> Option<u64> {
    let key = match text.model_type()? {
        "llama4_text" => "attention_chunk_size",
        _ => "sliding_window",
    };
    text.u64(key).filter(|&tokens| tokens > 0)
}

/// Classes that read `layer_types`.
const TYPED: [&str; 14] = [
    "cohere2",
    "dots1",
    "exaone4",
    "gemma2",
    "gemma3_text",
    "gemma3n_text",
    "gpt_oss",
    "llama4_text",
    "olmo3",
    "qwen2",
    "qwen2_5_vl_text",
    "qwen2_vl_text",
    "qwen3",
    "smollm3",
];

/// The kind of every layer that keeps a cache of its own, as the class derives it where
/// `layer_types` is not given.
pub(super) fn attention_kinds(text: &Section<'_>) -> Option<Vec<LayerKind>> {
    let layers = usize::try_from(count(text)?).ok()?;
    let model_type = text.model_type()?;
    let given = layer_types(text).filter(|_| TYPED.contains(&model_type));
    let mut kinds = if !has_window(text)? {
        vec![LayerKind::Full; layers]
    } else if let Some(given) = given {
        // The class takes one name a layer; a shorter list fails when the model is built.
        let given = given.get(..layers)?;
        given
            .iter()
            .map(|name| named(name))
            .collect::<Option<_>>()?
    } else {
        implied(text, layers)?
    };
    if model_type == "gemma3n_text" {
        // The last layers read the cache of earlier ones.
        let shared = usize::try_from(text.u64("num_kv_shared_layers")?).ok()?;
        if shared < layers {
            kinds.truncate(layers - shared);
        }
    }
    Some(kinds)
}

/// The list of names, where one is given and not null.
pub(super) fn layer_types<'a>(text: &Section<'a>) -> Option<Vec<&'a str>> {
    let given = text
        .given("layer_types")
        .filter(crate::json::Cursor::is_array)?;
    Some(
        given
            .elements()
            .map(|name| name.as_str().unwrap_or(""))
            .collect(),
    )
}

fn named(name: &str) -> Option<LayerKind> {
    match name {
        "full_attention" => Some(LayerKind::Full),
        "sliding_attention" | "chunked_attention" => Some(LayerKind::Windowed),
        _ => None,
    }
}

/// Whether the windows of this config are switched on. `None` where a window is given as something
/// that is not a number of tokens.
fn has_window(text: &Section<'_>) -> Option<bool> {
    let switched_on = match text.model_type()? {
        "qwen2" | "qwen2_5_vl" | "qwen2_5_vl_text" | "qwen2_moe" | "qwen2_vl" | "qwen2_vl_text"
        | "qwen3" | "qwen3_moe" | "smollm3" => text.bool("use_sliding_window")?,
        // Its window is on by default, and how long that is stands in no table of ours.
        "olmo3" if text.given("sliding_window").is_none() => return None,
        _ => true,
    };
    let key = match text.model_type()? {
        "llama4_text" => "attention_chunk_size",
        _ => "sliding_window",
    };
    if !super::is_number_or_unset(text, key) {
        return None;
    }
    Some(switched_on && window(text).is_some())
}

/// Layer kinds where `layer_types` is absent, each as the config class of that name in
/// <https://github.com/huggingface/transformers/tree/v4.55.4/src/transformers/models> fills it.
fn implied(text: &Section<'_>, layers: usize) -> Option<Vec<LayerKind>> {
    match text.model_type()? {
        "mistral" | "mixtral" | "phi3" | "phi4_multimodal" | "phimoe" | "qwen3_moe"
        | "starcoder2" => Some(vec![LayerKind::Windowed; layers]),
        "gemma2" | "gpt_oss" => every(2, layers),
        "gemma3_text" => every(pattern(text, 6)?, layers),
        "gemma3n_text" => every(5, layers),
        "olmo3" => every(4, layers),
        "cohere2" | "exaone4" => every(pattern(text, 4)?, layers),
        "qwen2" | "qwen2_5_vl" | "qwen2_5_vl_text" | "qwen2_moe" | "qwen2_vl" | "qwen2_vl_text"
        | "qwen3" | "dots1" => {
            let full = usize::try_from(text.u64("max_window_layers")?).ok()?;
            let kind = |layer| {
                if layer < full {
                    LayerKind::Full
                } else {
                    LayerKind::Windowed
                }
            };
            Some((0..layers).map(kind).collect())
        }
        "llama4_text" => rotary_layers(text, layers, LayerKind::Windowed),
        "smollm3" => rotary_layers(text, layers, LayerKind::Full),
        _ => Some(vec![LayerKind::Full; layers]),
    }
}

/// Every `period`-th layer sees everything, the others have a window.
fn every(period: u64, layers: usize) -> Option<Vec<LayerKind>> {
    let period = usize::try_from(period).ok().filter(|&period| period > 0)?;
    let kind = |layer: usize| {
        if (layer + 1).is_multiple_of(period) {
            LayerKind::Full
        } else {
            LayerKind::Windowed
        }
    };
    Some((0..layers).map(kind).collect())
}

/// `sliding_window_pattern` as a number; a word such as `LLLG` is not what these classes compute with.
fn pattern(text: &Section<'_>, default: u64) -> Option<u64> {
    match text.cursor().get("sliding_window_pattern") {
        Some(given) => given.as_u64(),
        None => Some(default),
    }
}

/// Layers with and without rotary positions: `rotary` is the kind of those with, the other kind of
/// those without. `no_rope_layers` holds 1 for a layer *with* rotary positions.
fn rotary_layers(text: &Section<'_>, layers: usize, rotary: LayerKind) -> Option<Vec<LayerKind>> {
    let other = match rotary {
        LayerKind::Full => LayerKind::Windowed,
        LayerKind::Windowed => LayerKind::Full,
    };
    let given = text
        .given("no_rope_layers")
        .filter(crate::json::Cursor::is_array);
    let given: Vec<_> = given
        .map(|list| list.elements().collect())
        .unwrap_or_default();
    if given.is_empty() {
        let interval = match text.given("no_rope_layer_interval") {
            Some(given) => usize::try_from(given.as_u64()?).ok()?,
            None => 4,
        };
        if interval == 0 {
            return None;
        }
        let kind = |layer: usize| {
            if (layer + 1).is_multiple_of(interval) {
                other
            } else {
                rotary
            }
        };
        return Some((0..layers).map(kind).collect());
    }
    if given.len() < layers {
        return None;
    }
    let kind = |has_rotary: &crate::json::Cursor<'_>| match has_rotary.as_u64()? {
        0 => Some(other),
        _ => Some(rotary),
    };
    given.iter().take(layers).map(kind).collect()
}
