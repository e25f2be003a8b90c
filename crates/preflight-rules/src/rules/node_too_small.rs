use preflight_model::fact::Gap;
use preflight_model::facts::Facts;
use preflight_model::task::Task;

use super::config_of;
use crate::case::Case;
use crate::fit::{NodeFit, ShownGib};
use crate::report::{Finding, FitOption};
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "node-too-small",
    summary: "no single node of the platform holds the model",
    fix: "use a smaller or a quantised variant of the model",
    docs: include_str!("node_too_small.md"),
    category: Category::Platform,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    config_of(checkpoint)?;
    if checkpoint.weights.get()?.files.is_empty() {
        return Err(Gap::Malformed(
            "there are no weights: see shard-missing".into(),
        ));
    }
    if !matches!(
        facts.task,
        Task::CausalLm | Task::Embedding | Task::Unknown(_)
    ) {
        return Err(Gap::DoesNotApply(
            "the model is for neither task of the platform: see task-unsupported".into(),
        ));
    }
    match case.node {
        NodeFit::Fits(_) => Ok(Findings::none()),
        NodeFit::TooSmall(Some(closest)) => Ok(Findings::problem(Finding::new(too_small(closest)))),
        NodeFit::TooSmall(None) => Ok(Findings::problem(Finding::new(
            "the model cannot be split over the GPUs of any node, and all of them together are too small",
        ))),
        NodeFit::Unknown(because) => Err(Gap::Unknown(because.clone())),
    }
}

fn too_small(closest: &FitOption) -> String {
    let shown = ShownGib::of(closest);
    format!(
        "even `{}` is too small: {} GiB are needed on each GPU, {} can be used",
        closest.hardware,
        shown.needed.unwrap_or_default(),
        shown.usable
    )
}
