use preflight_model::architecture::Comparison;
use preflight_model::fact::Gap;
use preflight_model::facts::Facts;
use preflight_model::weights::{Format, Weights};

use super::config_of;
use crate::case::Case;
use crate::report::{Finding, Target};
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "weights-config-mismatch",
    summary: "the weights are not those of the model that config.json describes",
    fix: "restore the config.json that belongs to the weights; merge adapters and strip training prefixes before saving",
    docs: include_str!("weights_config_mismatch.md"),
    category: Category::Weights,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    use preflight_model::task::{CausalLm, Task};
    let checkpoint = facts.of_a_model()?;
    config_of(checkpoint)?;
    let is_causal = matches!(facts.causal_lm, Some(CausalLm::Yes { .. }));
    if case.target == Target::FineTune && !is_causal {
        return Err(Gap::DoesNotApply(
            "the model is not known to be a causal LM".into(),
        ));
    }
    if case.target == Target::Upload && !matches!(facts.task, Task::CausalLm | Task::Embedding) {
        return Err(Gap::DoesNotApply(
            "the model is neither for text generation nor for embeddings".into(),
        ));
    }
    let comparison = match checkpoint.comparison.get() {
        Ok(comparison) => comparison,
        Err(Gap::DoesNotApply(_)) => return Err(why_not_compared(checkpoint.weights.get()?)),
        Err(gap) => return Err(gap),
    };
    let mut findings = Findings::none();
    for wrong in &comparison.wrong_shape {
        findings.push(Finding::new(format!(
            "tensor `{}` has shape {:?}, config.json asks for {:?}",
            wrong.name, wrong.found, wrong.expected
        )));
    }
    for name in &comparison.missing {
        findings.push(Finding::new(format!(
            "tensor `{name}` is missing: it would be filled with random numbers"
        )));
    }
    if let Some(first) = comparison.unexpected.first() {
        findings = findings.with_note(Finding::new(format!(
            "tensors that are not part of the model, so not loaded: {}, for example `{first}`",
            comparison.unexpected.len()
        )));
    }
    if let Some(first) = comparison.beyond_layers.first() {
        findings = findings.with_note(Finding::new(format!(
            "tensors of layers beyond `num_hidden_layers`, so not loaded: {}, for example `{first}`",
            comparison.beyond_layers.len()
        )));
    }
    Ok(match prefix(comparison) {
        Some(prefix) => findings.with_fix(format!(
            "strip `{prefix}` from the tensors' names and save again"
        )),
        None => findings,
    })
}

/// Most parts of a prefix that is looked for; the longest in circulation, `base_model.model.`, has two.
const PREFIX_PARTS_MAX: usize = 4;

/// What stands before the names that the class has, where a training framework put something there.
fn prefix(comparison: &Comparison) -> Option<&str> {
    let first = comparison.unexpected.first()?;
    let mut dots = first
        .match_indices('.')
        .map(|(at, _)| at + 1)
        .take(PREFIX_PARTS_MAX);
    let end = dots.find(|&at| comparison.missing.iter().any(|name| *name == first[at..]))?;
    Some(&first[..end])
}

fn why_not_compared(weights: &Weights) -> Gap {
    if weights.format != Format::Safetensors {
        return Gap::DoesNotApply("there are no safetensors headers to compare".into());
    }
    if !weights.is_complete() {
        return Gap::Malformed(
            "not all headers can be read: see shard-missing, shard-corrupt, index-mismatch".into(),
        );
    }
    Gap::DoesNotApply("the tensors of this class are not described".into())
}
