//! Memory of one GPU that serves a model with tensor parallelism: what the weights, the cache and
//! the engine itself take.
//!
//! The arithmetic is vLLM's: it may use a share of what CUDA reports as the GPU's memory, loads the
//! weights, measures a trial run, and gives what is left to the KV cache. `docs/memory.md` has the
//! formulas, their sources and a worked example.

use crate::cache::{KvCache, KvDtype};
use crate::config::{Config, Section};

/// Bytes of a MiB.
pub const MIB: u64 = 1 << 20;

/// Bytes of a GiB.
pub const GIB: u64 = 1 << 30;

/// Share of a GPU's memory that the engine takes, where nothing else is asked for: the default of
/// vLLM. Source: a maintainer in <https://github.com/vllm-project/vllm/issues/4408>; the runs of
/// [`Activation`] used it too.
pub const GPU_MEMORY_UTILIZATION: f64 = 0.9;

/// Tokens a sequence must be able to hold for a model to count as served at all.
pub const CONTEXT_FLOOR: u64 = 4096;

/// Memory outside `PyTorch` (CUDA context, kernels) on a single GPU. Measured: 0.13 to 0.14 GiB.
/// Source: `VLLM_NON_TORCH_MEMORY_TP1_GIB` in
/// <https://github.com/llm-d-incubation/llm-d-planner/blob/753e55abe989e286f3e93df85a1bcd6fcf114987/src/planner/capacity_planner.py>
pub const OUTSIDE_TORCH_ONE_GPU: u64 = GIB * 15 / 100;

/// The same where several GPUs exchange results. Measured: 0.55 GiB on two. Source: as above,
/// `VLLM_NON_TORCH_MEMORY_TPN_GIB`.
pub const OUTSIDE_TORCH_SEVERAL_GPUS: u64 = GIB * 6 / 10;

/// Peak memory of activations in vLLM's trial run. It does not depend on the context length nor on
/// the number of GPUs.
///
/// Measured on H100 with vLLM at 16 000 and 32 000 tokens; source of every number: the same file and
/// <https://github.com/llm-d/llm-d-benchmark/blob/main/config_explorer/empirical-vllm-memory-results.md>.
/// Later releases of vLLM measure less (2.0 to 2.5 GiB), so this is on the safe side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Llama: 4.76 and 4.84 measured.
    Llama,
    /// Qwen 2 and 3: 5.56 and 5.64 measured.
    Qwen,
    /// Any other dense model.
    Dense,
    /// Mixtures of experts: 7.38 measured.
    Experts,
    /// Dense models that also see images: 2.12 measured.
    Multimodal,
}

impl Activation {
    /// The measurement that a config comes under; dense where nothing else is known.
    pub fn of(config: &Config) -> Self {
        let text = config.text();
        let sees = ["vision_config", "audio_config"];
        let is_multimodal = sees.iter().any(|key| config.root().get_set(key).is_some());
        match config.model_type() {
            Some("llama") => Self::Llama,
            Some("qwen2" | "qwen3") => Self::Qwen,
            _ if has_experts(&text) => Self::Experts,
            _ if is_multimodal => Self::Multimodal,
            _ => Self::Dense,
        }
    }

    /// Bytes on every GPU.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Llama => GIB * 48 / 10,
            Self::Qwen => GIB * 56 / 10,
            Self::Dense => GIB * 55 / 10,
            Self::Experts => GIB * 8,
            Self::Multimodal => GIB * 25 / 10,
        }
    }
}

/// Whether a token passes through only some of the weights.
pub fn has_experts(text: &Section<'_>) -> bool {
    let spellings = [
        "num_experts",
        "num_local_experts",
        "n_routed_experts",
        "moe_num_experts",
    ];
    let nested = text.cursor().get("ffn_config");
    let nested = nested.and_then(|ffn| ffn.get("moe_num_experts")?.as_u64());
    text.first_u64(&spellings)
        .or(nested)
        .is_some_and(|experts| experts > 1)
}

/// What the engine itself takes of each of `gpus` GPUs.
pub fn overhead_bytes(activation: Activation, gpus: u64) -> u64 {
    let outside = if gpus > 1 {
        OUTSIDE_TORCH_SEVERAL_GPUS
    } else {
        OUTSIDE_TORCH_ONE_GPU
    };
    activation.bytes() + outside
}

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

/// Whether a model can be spread over a number of GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// It can.
    Possible,
    /// Attention or KV heads do not divide among so many.
    Impossible,
    /// The heads are not known.
    Unknown,
}

/// Bytes of all weights as the engine holds them, known exactly or within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightBytes {
    /// They are at least this much.
    pub at_least: u64,
    /// They are at most this much; `None` where nothing bounds them.
    pub at_most: Option<u64>,
    /// Whether 32-bit weights are held in 16 bit.
    pub is_converted: bool,
}

impl WeightBytes {
    /// A known number of bytes, held as stored.
    pub fn exactly(bytes: u64) -> Self {
        Self {
            at_least: bytes,
            at_most: Some(bytes),
            is_converted: false,
        }
    }

    /// Of `stored` bytes in files, `in_32_bit` are tensors of 32 bits: those of a model that is not
    /// quantised become 16 bit. Of a quantised model they are scales and stay.
    /// Source: `--dtype auto` in <https://docs.vllm.ai/en/stable/configuration/engine_args/>
    pub fn loaded(stored: u64, in_32_bit: u64, is_quantized: bool) -> Self {
        let saved = if is_quantized {
            0
        } else {
            in_32_bit.min(stored) / 2
        };
        Self {
            is_converted: saved > 0,
            ..Self::exactly(stored - saved)
        }
    }
}

/// What has to be known of a model to say what it needs of a GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct Footprint {
    /// All weights together, as the engine holds them.
    pub weights: WeightBytes,
    /// What a sequence keeps; `None` where the architecture's cache is not known.
    pub cache: Option<KvCache>,
    /// Attention heads.
    pub heads: Option<u64>,
    /// Tokens that the model takes.
    pub context_length: Option<u64>,
    /// The measurement of the engine's overhead that applies.
    pub activation: Activation,
}

impl Footprint {
    /// Everything that the config says about it.
    pub fn new(config: &Config, weights: WeightBytes) -> Self {
        let text = config.text();
        Self {
            weights,
            cache: KvCache::of_engine(config),
            heads: text.u64("num_attention_heads").filter(|&heads| heads > 0),
            context_length: crate::context::context_length(&text),
            activation: Activation::of(config),
        }
    }

    /// Whether the heads divide among `gpus` GPUs. Engines pad the vocabulary where it does not.
    /// Source: `verify_with_parallel_config` in
    /// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/config/model.py>
    pub fn split(&self, gpus: u64) -> Split {
        let Some(heads) = self.heads else {
            return if gpus == 1 {
                Split::Possible
            } else {
                Split::Unknown
            };
        };
        let kv_heads_divide = self
            .cache
            .as_ref()
            .is_none_or(|cache| cache.can_split(gpus));
        if gpus > 0 && heads.is_multiple_of(gpus) && kv_heads_divide {
            Split::Possible
        } else {
            Split::Impossible
        }
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
mod tests {
    use super::*;
    use crate::json::Document;

    fn config(text: &str) -> Config {
        Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap()
    }

    /// Hundredths of a GiB, as logs print them.
    fn gib(hundredths: u64) -> u64 {
        GIB * hundredths / 100
    }

    const LLAMA_70B: &str = r#"{"model_type": "llama", "hidden_size": 8192,
        "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8,
        "max_position_embeddings": 1000000}"#;

    /// <https://github.com/llm-d/llm-d-benchmark/issues/345>: Llama-3.3-70B-FP8-dynamic on one H200.
    /// The log's own numbers give the share it used: 67.72 + 4.84 + 0.07 + 53.20 = 125.83 GiB are
    /// 0.9 of the 139.80 GiB that CUDA reports for this GPU (its 139.21 GiB were free at the start).
    #[test]
    fn the_published_run_of_llama_70b_on_one_h200() {
        let usable = usable_bytes(gib(13_980), GPU_MEMORY_UTILIZATION);
        assert!(usable.abs_diff(gib(12_583)) < gib(2));

        let weights = gib(6772);
        let model = Footprint::new(&config(LLAMA_70B), WeightBytes::exactly(weights));
        let left = usable - weights - overhead_bytes(model.activation, 1);
        let measured_cache = gib(5320);
        assert!(
            left.abs_diff(measured_cache) * 100 < 3 * measured_cache,
            "{left} bytes"
        );

        let tokens = model.max_context(1, 1, KvDtype::Bf16, left).unwrap();
        assert!(
            tokens.abs_diff(174_336) * 100 < 3 * 174_336,
            "{tokens} tokens"
        );
    }

    /// <https://github.com/llm-d/llm-d-benchmark/blob/main/config_explorer/empirical-vllm-memory-results.md>:
    /// H100 with 79.18 GiB, share 0.9, all in hundredths of a GiB: weights of one GPU and the memory
    /// left for the cache.
    #[test]
    fn the_published_runs_on_h100() {
        for (name, activation, gpus, weights, measured) in [
            ("Llama-3.1-8B", Activation::Llama, 1, 1499, 5138),
            ("Llama-3.3-70B-FP8", Activation::Llama, 2, 3388, 3200),
            ("Qwen3-0.6B", Activation::Qwen, 1, 112, 6445),
            ("Qwen3-32B", Activation::Qwen, 1, 6103, 445),
            ("gpt-oss-20b", Activation::Experts, 1, 1347, 5028),
        ] {
            let usable = usable_bytes(gib(7918), GPU_MEMORY_UTILIZATION);
            let left = usable - gib(weights) - overhead_bytes(activation, gpus);
            assert!(left.abs_diff(gib(measured)) < gib(70), "{name}: {left}");
        }
    }

    #[test]
    fn heads_decide_the_possible_splits() {
        let possible = |text: &str| -> Vec<u64> {
            let model = Footprint::new(&config(text), WeightBytes::exactly(1));
            (1..=16)
                .filter(|&gpus| model.split(gpus) == Split::Possible)
                .collect()
        };
        assert_eq!(possible(LLAMA_70B), [1, 2, 4, 8, 16]);
        let smollm2_135m = r#"{"model_type": "llama", "hidden_size": 576,
            "num_attention_heads": 9, "num_key_value_heads": 3}"#;
        assert_eq!(possible(smollm2_135m), [1, 3, 9]);
        let falcon_7b =
            r#"{"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71}"#;
        assert_eq!(possible(falcon_7b), [1]);
        assert_eq!(
            possible(r#"{"model_type": "deepseek_v3"}"#),
            [1, 2, 4, 8, 16]
        );
    }

    #[test]
    fn a_model_without_known_heads_runs_on_one_gpu_and_else_nothing_is_said() {
        let mamba = Footprint::new(
            &config(r#"{"model_type": "mamba"}"#),
            WeightBytes::exactly(1),
        );
        assert_eq!(mamba.split(1), Split::Possible);
        assert_eq!(mamba.split(2), Split::Unknown);
    }

    #[test]
    fn the_longest_context_is_the_longest_that_fits() {
        let model = Footprint::new(&config(LLAMA_70B), WeightBytes::exactly(1));
        let longest = |budget| model.max_context(1, 1, KvDtype::Bf16, budget);
        assert_eq!(longest(0), Some(0));
        assert_eq!(longest(327_679), Some(0));
        assert_eq!(longest(327_680), Some(1));
        assert_eq!(longest(327_680 * 5 + 1), Some(5));
        assert_eq!(longest(u64::MAX), Some(1_000_000), "the model's own limit");
        let endless = Footprint::new(
            &config(r#"{"model_type": "mamba"}"#),
            WeightBytes::exactly(1),
        );
        assert_eq!(endless.max_context(1, 1, KvDtype::Bf16, u64::MAX), None);
        assert_eq!(endless.max_context(1, 1, KvDtype::Bf16, 1), Some(0));
    }

    #[test]
    fn weights_of_32_bit_become_16_bit_unless_they_are_scales() {
        let loaded = |in_32_bit, is_quantized| WeightBytes::loaded(100, in_32_bit, is_quantized);
        assert_eq!(loaded(0, false), WeightBytes::exactly(100));
        assert_eq!(
            (loaded(100, false).at_least, loaded(100, false).is_converted),
            (50, true)
        );
        assert_eq!(loaded(4, false).at_most, Some(98));
        assert_eq!(loaded(4, true), WeightBytes::exactly(100));
        assert_eq!(loaded(u64::MAX, false).at_least, 50);
    }

    #[test]
    fn the_measurement_that_applies() {
        for (text, expected) in [
            (LLAMA_70B, Activation::Llama),
            (r#"{"model_type": "qwen3"}"#, Activation::Qwen),
            (r#"{"model_type": "mixtral"}"#, Activation::Experts),
            (r#"{"model_type": "deepseek_v3"}"#, Activation::Experts),
            (
                r#"{"model_type": "dbrx", "ffn_config": {"moe_num_experts": 16}}"#,
                Activation::Experts,
            ),
            (
                r#"{"model_type": "gemma3", "text_config": {}, "vision_config": {}}"#,
                Activation::Multimodal,
            ),
            (r#"{"model_type": "gemma2"}"#, Activation::Dense),
            ("{}", Activation::Dense),
        ] {
            assert_eq!(Activation::of(&config(text)), expected, "for {text}");
        }
    }

    #[test]
    fn a_share_that_is_no_share_uses_nothing_or_all() {
        assert_eq!(usable_bytes(100, 0.9), 90);
        assert_eq!(usable_bytes(100, f64::NAN), 0);
        assert_eq!(usable_bytes(100, 7.0), 100);
        assert_eq!(usable_bytes(100, -1.0), 0);
    }
}
