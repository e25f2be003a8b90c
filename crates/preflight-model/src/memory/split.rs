//! Over how many GPUs tensor parallelism can spread a model.

use super::grain::Grain;
use super::sizes::{self, Attention, FeedForward};
use super::weights::packs_whole;
use crate::cache::KvCache;
use crate::config::{Config, Section};
use crate::quantization::Quantization;

/// Whether a model can be spread over a number of GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// It can.
    Possible,
    /// It cannot, for this reason.
    Impossible(String),
    /// It is not known, for this reason.
    Unknown(String),
}

/// Heads of every kind that one GPU keeps whole.
/// Source: `verify_with_parallel_config` in
/// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/config/model.py>; for the heads of recurrent
/// layers `MambaStateShapeCalculator` in
/// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/model_executor/layers/mamba/mamba_utils.py>
const HEADS: [(&str, &str); 5] = [
    ("num_attention_heads", "attention heads"),
    ("linear_num_key_heads", "key heads of linear attention"),
    ("linear_num_value_heads", "value heads of linear attention"),
    ("mamba_n_heads", "Mamba heads"),
    ("mamba_num_heads", "Mamba heads"),
];

/// What has to divide among the GPUs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Divisions {
    /// Numbers of heads, with what they are called.
    heads: Vec<(&'static str, u64)>,
    /// Sizes of the attention layers; `None` where they are not known.
    attention: Option<Attention>,
    /// Inner sizes of the feed-forward layers.
    feed_forward: Vec<FeedForward>,
    /// Weights that share a scale in attention.
    attention_grain: Grain,
    /// Weights that share a scale in feed-forward layers.
    feed_forward_grain: Grain,
    /// The tensors are packed in a form that no engine divides.
    is_packed_whole: bool,
}

impl Divisions {
    /// What config.json says, and the cache that follows from it.
    pub fn new(
        config: &Config,
        quantization: Option<&Quantization>,
        cache: Option<&KvCache>,
    ) -> Self {
        let text = config.text();
        let grain = |modules| {
            quantization.map_or_else(Grain::default, |found| Grain::of(config, found, modules))
        };
        Self {
            heads: heads(&text),
            attention: sizes::attention(&text, cache),
            feed_forward: sizes::feed_forward(&text),
            attention_grain: grain(&sizes::MODULES_OF_ATTENTION),
            feed_forward_grain: grain(&sizes::MODULES_OF_FEED_FORWARD),
            is_packed_whole: quantization.is_some_and(|found| packs_whole(found.layout)),
        }
    }

    /// Whether everything divides among `gpus` GPUs.
    pub fn among(&self, gpus: u64, cache: Option<&KvCache>) -> Split {
        if gpus == 1 {
            return Split::Possible;
        }
        if gpus == 0 {
            return Split::Impossible("there is no GPU".into());
        }
        if self.is_packed_whole {
            return Split::Impossible(
                "engines do not split tensors that bitsandbytes packed over several GPUs".into(),
            );
        }
        let uneven = self
            .heads
            .iter()
            .find(|(_, count)| !count.is_multiple_of(gpus));
        if let Some((name, count)) = uneven {
            return Split::Impossible(format!("{count} {name} do not divide among {gpus} GPUs"));
        }
        let shares = |cache: &KvCache| cache.can_split(gpus);
        if !cache.is_none_or(shares) {
            return Split::Impossible(format!("the KV heads cannot be shared by {gpus} GPUs"));
        }
        let of_attention = || {
            let found = self.attention.as_ref()?.uneven(gpus, &self.attention_grain);
            Some((found?, &self.attention_grain))
        };
        let of_feed_forward = || {
            let grain = &self.feed_forward_grain;
            let mut uneven = self.feed_forward.iter();
            uneven.find_map(|size| Some((size.uneven(gpus, grain)?, grain)))
        };
        let indivisible = self
            .feed_forward
            .iter()
            .find_map(|size| size.indivisible(gpus));
        if let Some(reason) = indivisible {
            return Split::Impossible(reason);
        }
        match of_attention().or_else(of_feed_forward) {
            Some((reason, grain)) if grain.is_sure => return Split::Impossible(reason),
            Some((reason, _)) => {
                return Split::Unknown(format!(
                    "{reason}, if they are quantised, which the lists of `quantization_config` leave open"
                ));
            }
            None => {}
        }
        if self.heads.is_empty() {
            Split::Unknown(
                "how many heads there are is not known, and so whether the model can be split"
                    .into(),
            )
        } else {
            Split::Possible
        }
    }
}

/// The heads that the class has; a key that it does not read says nothing.
fn heads(text: &Section<'_>) -> Vec<(&'static str, u64)> {
    let count = |key| sizes::read(text, key).filter(|&count| count > 0);
    let mut heads: Vec<_> = HEADS
        .into_iter()
        .filter_map(|(key, name)| Some((name, count(key)?)))
        .collect();
    // Other classes have attention heads under this name.
    if text.model_type() == Some("mamba2") {
        heads.extend(count("num_heads").map(|count| ("Mamba heads", count)));
    }
    heads
}
