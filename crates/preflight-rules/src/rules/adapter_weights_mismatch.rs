use preflight_model::adapter::{ADAPTER_CONFIG, Adapter, Agreement, Feature};
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;

use crate::adapters::{agreement, config, modules, of_an_adapter};
use crate::case::Case;
use crate::policy::AdapterPolicy;
use crate::report::{Finding, Target};
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "adapter-weights-mismatch",
    summary: "the adapter's configuration, its tensors and its base do not agree",
    fix: "save the adapter again with the PEFT model it was trained in (`model.save_pretrained(DIR)`), both files from the same run",
    docs: include_str!("adapter_weights_mismatch.md"),
    category: Category::Adapter,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = of_an_adapter(facts)?;
    let adapter = config(checkpoint)?;
    let policy = &case.policy.target(case.target).adapters;
    let modules = modules(facts, case);
    let agreement = agreement(checkpoint, modules.known().copied())?;
    let mut findings: Findings = agreement.problems.iter().map(Finding::from).collect();
    let mut unknown = None;
    match method(adapter, policy) {
        Ok(problem) => problem
            .into_iter()
            .for_each(|problem| findings.push(problem)),
        Err(why) => unknown = Some(why),
    }
    match features(&agreement, policy) {
        Ok(problem) => problem
            .into_iter()
            .for_each(|problem| findings.push(problem)),
        Err(why) => unknown = unknown.or(Some(why)),
    }
    if let Some(why) = agreement
        .cannot_merge
        .filter(|_| case.target == Target::FineTune)
    {
        findings.push(Finding::in_file(ADAPTER_CONFIG, why));
    }
    for note in &agreement.notes {
        findings = findings.with_note(Finding::from(note));
    }
    if findings.problems.is_empty() {
        if let Some(why) = unknown {
            return Err(Gap::Unknown(why));
        }
        if let Fact::Unavailable(why) = &modules {
            return Err(Gap::Unavailable(format!(
                "the base was not compared: {why}"
            )));
        }
        if let Some(why) = agreement.undecided {
            return Err(Gap::Unknown(why));
        }
    }
    Ok(findings)
}

/// Whether the platform takes this method; the error says why that is not known.
fn method(adapter: &Adapter, policy: &AdapterPolicy) -> Result<Option<Finding>, String> {
    let (Some(types), Some(method)) = (&policy.types, &adapter.peft_type) else {
        return Ok(None);
    };
    if !adapter.defects.is_empty() {
        return Ok(None);
    }
    match types.get() {
        Ok(types) if types.contains(method) => Ok(None),
        Ok(types) => Ok(Some(Finding::in_file(
            ADAPTER_CONFIG,
            format!(
                "`peft_type` is `{method}`; the platform takes {}",
                types.join(", ")
            ),
        ))),
        Err(_) if adapter.is_lora() => Ok(None),
        Err(Gap::Unknown(why)) => Err(format!("`peft_type` is `{method}`: {why}")),
        Err(_) => Ok(None),
    }
}

/// Whether the platform takes what the adapter has beyond plain LoRA.
fn features(agreement: &Agreement, policy: &AdapterPolicy) -> Result<Option<Finding>, String> {
    let list = |features: &[Feature]| -> String {
        let words: Vec<_> = features.iter().map(|feature| feature.describe()).collect();
        words.join(", ")
    };
    let Some(taken) = &policy.features else {
        return Ok(None);
    };
    let all: Vec<Feature> = agreement.features.iter().copied().collect();
    match taken.get() {
        Ok(taken) => {
            let beyond: Vec<Feature> = all
                .into_iter()
                .filter(|feature| !taken.iter().any(|word| word == feature.as_str()))
                .collect();
            if beyond == [Feature::Variant] {
                return Err(format!(
                    "the adapter is {}, and what it computes is not known to be merged",
                    list(&beyond)
                ));
            }
            let beyond: Vec<Feature> = beyond
                .into_iter()
                .filter(|feature| *feature != Feature::Variant)
                .collect();
            Ok((!beyond.is_empty()).then(|| {
                Finding::in_file(
                    ADAPTER_CONFIG,
                    format!("the platform does not take adapters with {}", list(&beyond)),
                )
            }))
        }
        Err(_) if all.is_empty() => Ok(None),
        Err(Gap::Unknown(why)) => Err(format!("the adapter has {}: {why}", list(&all))),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
