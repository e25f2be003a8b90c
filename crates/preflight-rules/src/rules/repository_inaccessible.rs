use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::snapshot::Access;

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "repository-inaccessible",
    summary: "the repository cannot be read with the access at hand",
    fix: "check the name, accept the terms of a gated repository, or give a token that may read it",
    docs: include_str!("repository_inaccessible.md"),
    category: Category::Access,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let snapshot = facts.checkpoint.snapshot;
    match (&snapshot.access, &snapshot.files) {
        (Access::Refused(why), _) => Ok(Findings::problem(Finding::new(why.as_str()))),
        (Access::Unreachable(why), _) | (Access::Open, Fact::Unavailable(why)) => {
            Err(Gap::Unavailable(why.clone()))
        }
        (Access::Open, _) => Ok(Findings::none()),
    }
}
