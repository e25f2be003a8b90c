//! Memory of one GPU that serves a model with tensor parallelism: what the weights, the cache and
//! the engine itself take.
//!
//! The arithmetic is vLLM's: it may use a share of what CUDA reports as the GPU's memory, loads the
//! weights, measures a trial run, and gives what is left to the KV cache. `docs/memory.md` has the
//! formulas, their sources and a worked example.

mod grain;
mod overhead;
mod sizes;
mod split;
mod training;
mod weights;

use crate::cache::{KvCache, KvDtype, within_own_code};
use crate::config::Config;
use crate::quantization::Quantization;

use overhead::experts;
pub use overhead::{Activation, OUTSIDE_TORCH_ONE_GPU, OUTSIDE_TORCH_SEVERAL_GPUS, overhead_bytes};
pub use split::{Divisions, Split};
pub use training::{LORA_RANK, Training, TrainingBytes};
pub use weights::{HeldBytes, WeightBytes, key_value_share, loaded_bytes};

/// Bytes of a MiB.
pub const MIB: u64 = 1 << 20;

/// Bytes of a GiB.
pub const GIB: u64 = 1 << 30;

/// Share of a GPU's memory that the engine takes, where nothing else is asked for: the default of
/// vLLM. Source: a maintainer in <https://github.com/vllm-project/vllm/issues/4408>; the runs of
/// [`Activation`] used it too.
pub const GPU_MEMORY_UTILIZATION: f64 = 0.9;

/// Tokens a sequence must be able to hold for a model to count as served at all: as long as the shortest
/// that any base model of the platform trains. Source: <https://docs.together.ai/docs/fine-tuning-models>
pub const CONTEXT_FLOOR: u64 = 4096;

/// What the engine may use of a GPU with this much memory.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "memory of a GPU is far below 2^53 bytes and the share is held between 0 and 1"
)]
pub fn usable_bytes(memory: u64, utilization: f64) -> u64 {
    let share = if utilization.is_finite() {
        utilization.clamp(0.0, 1.0)
    } else {
        0.0
    };
    (memory as f64 * share) as u64
}

/// KV heads that GPUs share, of the cache or as the config says.
fn kv_heads(config: &Config) -> Option<u64> {
    let cache = KvCache::of_engine(config);
    let of_cache = cache.and_then(|cache| cache.groups().iter().find_map(|group| group.kv_heads));
    of_cache.or_else(|| config.text().u64("num_key_value_heads"))
}

/// What has to be known of a model to say what it needs of a GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct Footprint {
    /// All weights together, as the engine holds them.
    pub weights: WeightBytes,
    /// What a sequence keeps; `None` where the architecture's cache is not known.
    pub cache: Option<KvCache>,
    /// Model type whose cache that is, where it is that of a language model inside the repository's own code.
    pub cache_of: Option<String>,
    /// KV heads that GPUs share.
    pub kv_heads: Option<u64>,
    /// What has to divide among the GPUs.
    pub divisions: Divisions,
    /// Tokens that the model takes.
    pub context_length: Option<u64>,
    /// The measurement of the engine's overhead that applies.
    pub activation: Activation,
}

impl Footprint {
    /// Everything that the config says about it.
    pub fn new(config: &Config, quantization: Option<&Quantization>, weights: WeightBytes) -> Self {
        let cache = KvCache::of_engine(config);
        let within = within_own_code(config).filter(|_| cache.is_some());
        let divisions = Divisions::new(config, quantization, cache.as_ref());
        Self {
            weights,
            cache_of: within.map(str::to_owned),
            cache,
            kv_heads: kv_heads(config),
            divisions,
            context_length: crate::context::context_length(&config.text()),
            activation: Activation::of(config),
        }
    }

    /// Whether the model can be spread over `gpus` GPUs.
    pub fn split(&self, gpus: u64) -> Split {
        self.divisions.among(gpus, self.cache.as_ref())
    }

    /// Weights of one of `gpus` GPUs: at least, and at most where that is bounded.
    pub fn weight_bytes_per_gpu(&self, gpus: u64) -> (u64, Option<u64>) {
        self.weights.per_gpu(gpus, self.kv_heads)
    }

    /// The longest context that `sequences` sequences can have where `budget` bytes of each of
    /// `gpus` GPUs are left for the cache, at most the model's own context length. `None` where the
    /// cache is not known, or nothing limits it.
    pub fn max_context(
        &self,
        gpus: u64,
        sequences: u64,
        dtype: KvDtype,
        budget: u64,
    ) -> Option<u64> {
        let cache = self.cache.as_ref()?;
        let fits = |tokens| {
            let bytes = cache.bytes_per_gpu(gpus, tokens, sequences, dtype);
            bytes.is_some_and(|bytes| bytes <= budget)
        };
        let limit = self.context_length.unwrap_or(TOKENS_MAX);
        if fits(limit) {
            return self.context_length;
        }
        // Invariant: `low` is 0 or fits, `high` does not fit.
        let (mut low, mut high) = (0, limit);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(low)
    }
}

/// A context beyond all that is served; ends the search where the model names no limit.
const TOKENS_MAX: u64 = 1 << 40;

#[cfg(test)]
mod tests;
