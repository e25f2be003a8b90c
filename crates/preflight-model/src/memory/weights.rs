//! What engines hold of the weights, and how they share them among GPUs.

use crate::config::Config;
use crate::names::{parts, split_last};
use crate::quantization::Layout;

/// How GPUs share a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Every GPU has an equal share.
    Shared,
    /// Every GPU has the whole.
    Whole,
    /// Projections to keys and values: shared as far as there are KV heads, then repeated.
    KeyValue,
    /// Queries, keys and values in one tensor.
    Fused,
}

/// Modules that every GPU holds whole: routers, and the projections into the latent of MLA.
/// Source: `ReplicatedLinear` in `deepseek_v2.py`, `mixtral.py` and `qwen3_moe.py` of
/// <https://github.com/vllm-project/vllm/tree/v0.11.0/vllm/model_executor/models>
const WHOLE_MODULES: [&str; 9] = [
    "gate",
    "router",
    "shared_expert_gate",
    "q_a_proj",
    "kv_a_proj_with_mqa",
    "wpe",
    "position_embeddings",
    "token_type_embeddings",
    "embed_positions",
];

/// Parts for images and sound. Some engines and encoders divide them, others do not (`InternVL`'s where
/// its heads are uneven, Pixtral's always); whole is the safe side.
const WHOLE_SECTIONS: [&str; 10] = [
    "visual",
    "vision_tower",
    "vision_model",
    "vision_encoder",
    "audio_tower",
    "audio_model",
    "multi_modal_projector",
    "mm_projector",
    "embed_vision",
    "embed_audio",
];

/// How deep such a part lies at most: `model.language_model` and the like stand before it.
const SECTION_DEPTH: usize = 3;

/// Projections to keys and values.
/// Source: `QKVParallelLinear` in
/// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/model_executor/layers/linear.py>
const KEY_VALUE_MODULES: [&str; 4] = ["k_proj", "v_proj", "wk", "wv"];

/// The same in one tensor with the queries.
const FUSED_MODULES: [&str; 5] = ["qkv_proj", "query_key_value", "Wqkv", "c_attn", "qkv"];

impl Part {
    /// By the names in the path of a tensor, which end in the parameter's own.
    fn of(name: &str) -> Self {
        let path = split_last(name).map_or("", |(module, _)| module);
        let module = split_last(path).map_or(path, |(_, last)| last);
        let mut fours = module.as_bytes().windows(4);
        let is_norm =
            fours.any(|four| four == b"norm" || four == b"Norm") || module.starts_with("ln_");
        if is_norm
            || WHOLE_MODULES.contains(&module)
            || parts(path)
                .take(SECTION_DEPTH)
                .any(|part| WHOLE_SECTIONS.contains(&part))
        {
            Self::Whole
        } else if KEY_VALUE_MODULES.contains(&module) {
            Self::KeyValue
        } else if FUSED_MODULES.contains(&module) {
            Self::Fused
        } else {
            Self::Shared
        }
    }
}

/// Whether no engine divides tensors of this layout: bitsandbytes blocks run across rows.
/// Source: "Prequant `BitsAndBytes` models with tensor parallelism is not supported" in
/// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/model_executor/model_loader/bitsandbytes_loader.py>
pub(super) fn packs_whole(layout: Layout) -> bool {
    layout == Layout::Bitsandbytes
}

/// Bytes of tensors as an engine holds them, by how GPUs share them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeldBytes {
    /// Every GPU has an equal share of these.
    pub shared: u64,
    /// Every GPU has all of these.
    pub whole: u64,
    /// Shared as the KV heads are.
    pub key_value: u64,
    /// Whether 32-bit weights among them are held in 16 bit.
    pub is_converted: bool,
}

impl HeldBytes {
    /// The bytes of one tensor; `key_value_share` is how much of a fused projection is keys and values
    /// (see [`key_value_share`]).
    pub fn of(name: &str, bytes: u64, key_value_share: (u64, u64)) -> Self {
        let none = Self::default();
        match Part::of(name) {
            Part::Shared => Self {
                shared: bytes,
                ..none
            },
            Part::Whole => Self {
                whole: bytes,
                ..none
            },
            Part::KeyValue => Self {
                key_value: bytes,
                ..none
            },
            Part::Fused => {
                let (keys_values, all) = key_value_share;
                let part = u128::from(bytes) * u128::from(keys_values) / u128::from(all.max(1));
                let key_value = u64::try_from(part).unwrap_or(bytes).min(bytes);
                Self {
                    key_value,
                    shared: bytes - key_value,
                    ..none
                }
            }
        }
    }

    /// Adds those of other tensors.
    pub fn add(&mut self, other: Self) {
        self.shared = self.shared.saturating_add(other.shared);
        self.whole = self.whole.saturating_add(other.whole);
        self.key_value = self.key_value.saturating_add(other.key_value);
        self.is_converted = self.is_converted || other.is_converted;
    }

    /// All of them; `None` beyond 64 bits.
    pub fn total(self) -> Option<u64> {
        self.shared
            .checked_add(self.whole)?
            .checked_add(self.key_value)
    }

    /// What one of `gpus` GPUs holds, where `kv_heads` heads are shared among them.
    pub fn per_gpu(self, gpus: u64, kv_heads: Option<u64>) -> u64 {
        let gpus = gpus.max(1);
        // Where there are fewer heads than GPUs each GPU holds one.
        let key_value = self
            .key_value
            .div_ceil(kv_heads.map_or(gpus, |heads| heads.clamp(1, gpus)));
        self.whole
            .saturating_add(key_value)
            .saturating_add(self.shared.div_ceil(gpus))
    }
}

/// Which part of a fused projection is keys and values: twice the KV heads, of these and the
/// attention heads. Heads of one size are assumed, as all classes with such a tensor have them.
pub fn key_value_share(config: &Config) -> (u64, u64) {
    let text = config.text();
    let heads = text.u64("num_attention_heads").unwrap_or(1);
    let keys_values = super::kv_heads(config).unwrap_or(heads).saturating_mul(2);
    (keys_values, heads.saturating_add(keys_values))
}

/// Bytes of all weights as the engine holds them, known exactly or within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightBytes {
    /// Every tensor is known.
    Known(HeldBytes),
    /// Only the sizes of files are: at least and at most so many bytes, taken as shared evenly.
    Between {
        /// They are at least this much.
        at_least: u64,
        /// They are at most this much; `None` where nothing bounds it.
        at_most: Option<u64>,
    },
}

impl WeightBytes {
    /// A known number of bytes, all shared evenly.
    pub fn exactly(bytes: u64) -> Self {
        Self::Known(HeldBytes {
            shared: bytes,
            ..HeldBytes::default()
        })
    }

    /// What one of `gpus` GPUs holds at least, and at most where that is bounded.
    pub fn per_gpu(self, gpus: u64, kv_heads: Option<u64>) -> (u64, Option<u64>) {
        match self {
            Self::Known(held) => {
                let bytes = held.per_gpu(gpus, kv_heads);
                (bytes, Some(bytes))
            }
            Self::Between { at_least, at_most } => {
                let share = |bytes: u64| bytes.div_ceil(gpus.max(1));
                (share(at_least), at_most.map(share))
            }
        }
    }

    /// Whether 32-bit weights are held in 16 bit.
    pub fn is_converted(self) -> bool {
        matches!(
            self,
            Self::Known(HeldBytes {
                is_converted: true,
                ..
            })
        )
    }
}

/// Bytes an element that engines hold of a weight: 32- and 64-bit floats become 16 bit, whatever else is
/// stored stays. Scales of a quantisation are no weights.
/// Source: `--dtype auto` in <https://docs.vllm.ai/en/stable/configuration/engine_args/>
pub fn loaded_bytes(elements: u64, bits: u64) -> Option<u64> {
    let bits = if bits >= 32 { 16 } else { bits };
    Some(elements.checked_mul(bits)?.div_ceil(8))
}
