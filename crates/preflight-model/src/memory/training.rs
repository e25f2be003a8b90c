//! What training a model takes: an estimate, because the platform publishes neither its recipe nor how it
//! spreads a job over GPUs. All GPUs together, one sequence at a time.

use crate::config::Config;

/// Rank of the adapters: the platform's client asks for the highest that a base model allows, 64 for most of
/// the catalog and 16 for the largest. Source: `lora_r` in `together/cli/api/finetune.py` of
/// <https://pypi.org/project/together/1.5.34/>; <https://docs.together.ai/docs/fine-tuning/supported-models>
pub const LORA_RANK: u64 = 64;

/// Bytes for each trained parameter in mixed precision with Adam: 2 for it, 2 for its gradient, 12 for the
/// optimiser's 32-bit copy and its two moments. Source: section 3.1 of <https://arxiv.org/abs/1910.02054>
const BYTES_PER_TRAINED_PARAMETER: u64 = 16;

/// Bytes of a frozen parameter, in 16 bit.
const BYTES_PER_FROZEN_PARAMETER: u64 = 2;

/// Bytes that a token keeps for each element of the hidden size: the input of every layer, in 16 bit, where
/// activations are computed anew. Source: section 5 of <https://arxiv.org/abs/2205.05198>
const BYTES_PER_LAYER_INPUT: u64 = 2;

/// The same within the one layer that is being computed, without the scores of attention, which fused
/// kernels do not keep. Source: equation 1 of the same paper.
const BYTES_WITHIN_LAYER: u64 = 34;

/// Bytes of a token's logits for each word of the vocabulary: 32-bit logits and their gradient.
const BYTES_PER_LOGIT: u64 = 8;

/// What has to be known of a model to estimate its training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Training {
    parameters: u64,
    adapter_elements_per_rank: u64,
    hidden_size: u64,
    layers: u64,
    vocabulary: u64,
}

/// Memory of all GPUs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingBytes {
    /// Adapters of rank [`LORA_RANK`] on every linear layer but routed experts.
    pub lora: u64,
    /// All weights.
    pub full: u64,
}

impl Training {
    /// From the config, the number of parameters, and the inputs and outputs of all linear layers
    /// together. `None` where a size is not known.
    pub fn new(config: &Config, parameters: u64, adapter_elements_per_rank: u64) -> Option<Self> {
        let text = config.text();
        Some(Self {
            parameters,
            adapter_elements_per_rank,
            hidden_size: text.u64("hidden_size")?,
            layers: text.u64("num_hidden_layers")?,
            vocabulary: text.u64("vocab_size")?,
        })
    }

    /// Memory to train on one sequence of so many tokens; `None` beyond 64 bits.
    pub fn bytes(&self, tokens: u64) -> Option<TrainingBytes> {
        let per_hidden = self
            .layers
            .checked_mul(BYTES_PER_LAYER_INPUT)?
            .checked_add(BYTES_WITHIN_LAYER)?;
        let per_token = self
            .hidden_size
            .checked_mul(per_hidden)?
            .checked_add(self.vocabulary.checked_mul(BYTES_PER_LOGIT)?)?;
        let activations = tokens.checked_mul(per_token)?;
        let adapters = self
            .adapter_elements_per_rank
            .checked_mul(LORA_RANK)?
            .checked_mul(BYTES_PER_TRAINED_PARAMETER)?;
        let frozen = self.parameters.checked_mul(BYTES_PER_FROZEN_PARAMETER)?;
        let trained = self.parameters.checked_mul(BYTES_PER_TRAINED_PARAMETER)?;
        Some(TrainingBytes {
            lora: frozen.checked_add(adapters)?.checked_add(activations)?,
            full: trained.checked_add(activations)?,
        })
    }
}
