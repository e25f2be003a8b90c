//! All rules. One list: docs, schema, completions and reports derive from it.

mod adapter_base_unsupported;
mod adapter_beside_model;
mod adapter_incomplete;
mod adapter_rank_over_limit;
mod adapter_weights_mismatch;
mod architecture_not_causal_lm;
mod archive_nested;
mod archive_unsupported;
mod archive_url_expiring;
mod base_model_incompatible;
mod chat_template_missing;
mod config_invalid;
mod index_mismatch;
mod node_too_small;
mod own_limit_exceeded;
mod parameters_over_limit;
mod policy_outdated;
mod quantization_unsupported;
mod remote_code_required;
mod repository_inaccessible;
mod sentence_transformers_broken;
mod shard_corrupt;
mod shard_missing;
mod source_unsupported;
mod task_unsupported;
mod tokenizer_missing;
mod transformers_5_config;
mod transformers_too_new;
mod weights_config_mismatch;
mod weights_not_safetensors;

use preflight_model::checkpoint::Checkpoint;
use preflight_model::config::Config;
use preflight_model::container::Container;
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::weights::{Format, Weights};

use crate::rule::Rule;

/// All rules, sorted by id.
pub static RULES: &[&Rule] = &[
    &adapter_base_unsupported::RULE,
    &adapter_beside_model::RULE,
    &adapter_incomplete::RULE,
    &adapter_rank_over_limit::RULE,
    &adapter_weights_mismatch::RULE,
    &architecture_not_causal_lm::RULE,
    &archive_nested::RULE,
    &archive_unsupported::RULE,
    &archive_url_expiring::RULE,
    &base_model_incompatible::RULE,
    &chat_template_missing::RULE,
    &config_invalid::RULE,
    &index_mismatch::RULE,
    &node_too_small::RULE,
    &own_limit_exceeded::RULE,
    &parameters_over_limit::RULE,
    &policy_outdated::RULE,
    &quantization_unsupported::RULE,
    &remote_code_required::RULE,
    &repository_inaccessible::RULE,
    &sentence_transformers_broken::RULE,
    &shard_corrupt::RULE,
    &shard_missing::RULE,
    &source_unsupported::RULE,
    &task_unsupported::RULE,
    &tokenizer_missing::RULE,
    &transformers_5_config::RULE,
    &transformers_too_new::RULE,
    &weights_config_mismatch::RULE,
    &weights_not_safetensors::RULE,
];

/// The config, or the gap that ends a rule: one that is absent is told by `config-invalid`.
fn config_of<'a>(checkpoint: &'a Checkpoint<'_>) -> Result<&'a Config, Gap> {
    match &checkpoint.config {
        Fact::Absent => Err(Gap::Malformed(
            "there is no config.json: see config-invalid".into(),
        )),
        config => config.get(),
    }
}

/// The archive that the files came in.
fn container_of<'a>(facts: &'a Facts<'_>) -> Result<&'a Container, Gap> {
    match &facts.checkpoint.snapshot.container {
        Fact::Absent => Err(Gap::DoesNotApply("it did not come in an archive".into())),
        container => container.get(),
    }
}

/// What other rules report of weights that no loader opens.
fn not_opened(weights: &Weights<'_>) -> Option<&'static str> {
    if matches!(weights.index, Fact::Malformed(_)) {
        return Some("the index cannot be read: see index-mismatch");
    }
    match weights.format {
        Format::None | Format::Gguf | Format::Original | Format::MisnamedSafetensors => {
            Some("there are no weights that the loader opens: see shard-missing")
        }
        Format::Safetensors | Format::Pytorch | Format::Tensorflow | Format::Flax => None,
    }
}

/// `100,000,000,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The rule with this id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id)
}
