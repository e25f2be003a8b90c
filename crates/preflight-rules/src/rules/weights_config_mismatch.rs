use std::collections::BTreeSet;

use preflight_model::architecture::{Comparison, is_described};
use preflight_model::checkpoint::Checkpoint;
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::release;
use preflight_model::task::{CausalLm, Task};
use preflight_model::weights::{Format, Weights};

use super::config_of;
use crate::case::Case;
use crate::report::{Finding, Target};
use crate::rule::{Category, Findings, Outcome, Rule};

mod heads;
mod layers;
mod wrappers;

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
    let as_body = comparison_for_embeddings(facts, case);
    let comparison = match as_body.as_ref().unwrap_or(&checkpoint.comparison).get() {
        Ok(comparison) => comparison,
        Err(Gap::DoesNotApply(_)) => return Err(why_not_compared(checkpoint.weights.get()?)),
        Err(gap) => return Err(gap),
    };
    let wrapper = wrappers::find(comparison);
    let mut findings = Findings::none();
    if let Some(found) = &wrapper {
        findings.push(Finding::new(found.message()));
    }
    for wrong in &comparison.wrong_shape {
        findings.push(Finding::new(format!(
            "tensor `{}` has shape {:?}, config.json asks for {:?}",
            wrong.name, wrong.found, wrong.expected
        )));
    }
    // Vectors are pooled from the tokens' states: the layer for BERT's next-sentence task is not used.
    let is_pooler = |name: &&String| as_body.is_some() && name.starts_with("pooler.");
    if let Some(name) = comparison.missing.iter().find(is_pooler) {
        findings = findings.with_note(Finding::new(format!(
            "`{name}` is missing, which embeddings do without"
        )));
    }
    let unnamed = unnamed(facts);
    let missing = || comparison.missing.iter().filter(|name| !is_pooler(name));
    for name in missing().filter(|name| !unnamed.contains(name.as_str())) {
        findings.push(Finding::new(format!(
            "tensor `{name}` is missing: it would be filled with random numbers"
        )));
    }
    let heads = heads::refused(comparison, facts.release);
    let fix_of_heads = heads.first().map(|_| heads::FIX);
    for head in heads {
        findings.push(head);
    }
    if let Some(first) = comparison.unexpected.first() {
        findings = findings.with_note(Finding::new(format!(
            "tensors that are not part of the model, so not loaded: {}, for example `{first}`",
            comparison.unexpected.len()
        )));
    }
    let (beyond, note) = layers::beyond(comparison, checkpoint.config.get()?);
    if let Some(beyond) = beyond {
        findings.push(beyond);
    }
    findings = note.into_iter().fold(findings, Findings::with_note);
    if let Some(note) = mixed_dtypes(checkpoint) {
        findings = findings.with_note(note);
    }
    if let Some(found) = wrapper {
        return Ok(findings.with_fix(found.fix()));
    }
    if findings.problems.is_empty()
        && let Some(name) = missing().next()
    {
        return Err(Gap::Unknown(format!(
            "the index does not name `{name}`, which a shard has: transformers 5 loads such tensors, and we compare those of the index; save the model again"
        )));
    }
    let fix_of_prefix = |prefix| format!("strip `{prefix}` from the tensors' names and save again");
    let fix = fix_of_heads
        .map(String::from)
        .or_else(|| prefix(comparison).map(fix_of_prefix));
    Ok(match fix {
        Some(fix) => findings.with_fix(fix),
        None => findings,
    })
}

/// Names of tensors that only release 5 loads.
fn unnamed<'a>(facts: &'a Facts<'_>) -> BTreeSet<&'a str> {
    let weights = facts.checkpoint.weights.known();
    let of_later = weights.filter(|_| facts.release.major() >= 5);
    let tensors = of_later.into_iter().flat_map(Weights::unnamed);
    tensors.map(|tensor| tensor.name).collect()
}

/// An embedding model is loaded without a head, even where `architectures` names a class that has one:
/// Qwen3-Embedding says `Qwen3ForCausalLM` and stores no head.
fn comparison_for_embeddings(facts: &Facts<'_>, case: &Case<'_>) -> Option<Fact<Comparison>> {
    if case.target != Target::Upload || facts.task != Task::Embedding {
        return None;
    }
    let model_type = facts.checkpoint.config.known()?.model_type()?;
    let (_, body) = release::tasks(facts.release, model_type).find(|(task, _)| *task == "base")?;
    is_described(body).then(|| facts.checkpoint.compare_with(body))
}

/// Parameters of a second dtype below one in so many are no accident: routers and states of Mamba are kept
/// in 32 bits on purpose.
const SECOND_DTYPE_SHARE: u64 = 100;

/// Weights of several dtypes load, because the loader converts them all (run with transformers 4.55.4); but
/// they come from a merge or a save gone wrong, and 64 bits are never meant.
fn mixed_dtypes(checkpoint: &Checkpoint<'_>) -> Option<Finding> {
    let dtypes = &checkpoint.parameters.unpacked_by_dtype;
    if checkpoint.quantization.is_some() {
        return None;
    }
    let all: u64 = dtypes.values().fold(0, |sum, n| sum.saturating_add(*n));
    let is_large = |count: &u64| *count > all / SECOND_DTYPE_SHARE;
    let large = dtypes.values().filter(|count| is_large(count)).count();
    if large < 2 && !dtypes.contains_key("F64") {
        return None;
    }
    let counts: Vec<String> = dtypes
        .iter()
        .map(|(dtype, count)| format!("{count} in {dtype}"))
        .collect();
    Some(Finding::new(format!(
        "the parameters are stored in several dtypes or wider than any model computes: {}; the loader converts them all to one",
        counts.join(", ")
    )))
}

/// Most parts of a prefix that is looked for.
const PREFIX_PARTS_MAX: usize = 4;

/// What stands before the names that the class has, where it is none of the known [`wrappers`].
fn prefix(comparison: &Comparison) -> Option<&str> {
    let first = comparison.unexpected.first()?;
    let mut dots = first
        .match_indices('.')
        .map(|(at, _)| at + 1)
        .take(PREFIX_PARTS_MAX);
    let end = dots.find(|&at| comparison.missing.iter().any(|name| *name == first[at..]))?;
    Some(&first[..end])
}

fn why_not_compared(weights: &Weights<'_>) -> Gap {
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

#[cfg(test)]
mod tests;
