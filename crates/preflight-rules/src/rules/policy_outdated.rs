use preflight_model::fact::Gap;
use preflight_model::facts::Facts;

use crate::case::Case;
use crate::policy::Policy;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "policy-outdated",
    summary: "the newest policy that this program knows decides differently",
    fix: "check again with the newer policy (`--policy NAME`)",
    docs: include_str!("policy_outdated.md"),
    category: Category::Platform,
    since: "0.1.0",
    check,
};

fn check(_facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let newest = Policy::shipped()
        .iter()
        .max_by(|a, b| a.as_of.cmp(&b.as_of));
    let Some(newest) = newest.filter(|newest| newest.as_of > case.policy.as_of) else {
        return Err(Gap::DoesNotApply("no newer policy is known".into()));
    };
    let says = case.others.iter().find(|other| other.id == newest.id);
    let verdict = says.and_then(|other| {
        other
            .verdicts
            .iter()
            .find(|(target, _)| *target == case.target)
    });
    let (Some(other), Some((_, verdict))) = (says, verdict) else {
        return Ok(Findings::none());
    };
    if Some(*verdict) == case.verdict {
        return Ok(Findings::none());
    }
    Ok(Findings::problem(Finding::new(format!(
        "policy `{}` says {} for {} ({})",
        other.id,
        verdict.as_str(),
        case.target.as_str(),
        other.because.join(", ")
    )))
    .with_fix(format!(
        "where that one describes the platform you use, check with `--policy {}`",
        other.id
    )))
}
