use preflight_model::fact::Gap;
use preflight_model::facts::Facts;

use super::config_of;
use crate::base_models::{Weight, judge, propose};
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};
use crate::shape::{self, ranking_options};

pub(super) static RULE: Rule = Rule {
    id: "base-model-incompatible",
    summary: "no base model of the platform, or not the one that was named, can act as the template",
    fix: "name a base model of the same architecture; `byom-preflight base-models MODEL` lists them",
    docs: include_str!("base_model_incompatible.md"),
    category: Category::Platform,
    since: "0.1.0",
    check,
};

/// How many alternatives a finding names.
const PROPOSALS: usize = 3;

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    let Some(catalog) = case.policy.target(case.target).base_models()? else {
        return Err(Gap::DoesNotApply("this target needs no base model".into()));
    };
    let config = config_of(checkpoint)?;
    let Some(model_type) = config.model_type() else {
        return Err(Gap::Malformed("config.json names no model type".into()));
    };
    let shape = shape::of(facts);
    let options = ranking_options(case);
    let best: Vec<_> = propose(&shape, catalog, &options)
        .into_iter()
        .take(PROPOSALS)
        .map(|base| format!("`{}`", base.name))
        .collect();
    let propose_instead = |findings: Findings| {
        if best.is_empty() {
            findings.with_fix("choose a checkpoint of an architecture that the catalog has")
        } else {
            findings.with_fix(format!("name one of {}", best.join(", ")))
        }
    };
    let Some(name) = case.options.base_model.as_deref() else {
        if best.is_empty() {
            let finding = Finding::in_config(
                config.root().get("model_type").as_ref(),
                format!(
                    "no base model of the catalog of {} has the architecture `{model_type}`",
                    catalog.as_of
                ),
            );
            return Ok(propose_instead(Findings::problem(finding)));
        }
        return Ok(Findings::none().with_note(Finding::new(format!(
            "no base model was named; {} would be the best",
            best.join(", ")
        ))));
    };
    let Some(base) = catalog.get(name) else {
        let elsewhere = case.policy.base_model_known_elsewhere(name);
        let hint = elsewhere.map_or_else(
            || {
                catalog
                    .suggest(name)
                    .map_or(String::new(), |meant| format!("; `{meant}` is meant?"))
            },
            |other| format!("; policy `{}` has it", other.id),
        );
        let finding = Finding::new(format!(
            "the catalog of {} has no base model `{name}`{hint}",
            catalog.as_of
        ));
        return Ok(propose_instead(Findings::problem(finding)));
    };
    let judgement = judge(base, &shape, &options);
    let mut findings = Findings::none();
    for reason in &judgement.reasons {
        let finding = Finding::new(format!("`{name}`: {}", reason.text));
        if reason.weight == Weight::Disqualifies {
            findings.push(finding);
        } else {
            findings = findings.with_note(finding);
        }
    }
    Ok(if judgement.compatible {
        findings
    } else {
        propose_instead(findings)
    })
}
