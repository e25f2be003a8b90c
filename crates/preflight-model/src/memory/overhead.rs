//! What an engine takes of a GPU beside weights and cache.

use super::GIB;
use super::sizes::read;
use crate::config::{Config, Section};

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
            _ if experts(&text).is_some() => Self::Experts,
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

/// How many experts a router chooses among; `None` for a dense model. A class without experts passes over
/// such a key.
pub(super) fn experts(text: &Section<'_>) -> Option<u64> {
    const SPELLINGS: [&str; 4] = [
        "num_experts",
        "num_local_experts",
        "n_routed_experts",
        "moe_num_experts",
    ];
    if text.bool("enable_moe_block") == Some(false) {
        return None;
    }
    let nested = || {
        let class = text.class();
        if class.is_some_and(|class| !class.sub_configs.contains_key("ffn_config")) {
            return None;
        }
        let of_layers = text.cursor().get("ffn_config")?;
        of_layers.get("moe_num_experts")?.as_u64()
    };
    let found = SPELLINGS.iter().find_map(|key| read(text, key));
    found.or_else(nested).filter(|&experts| experts > 1)
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
