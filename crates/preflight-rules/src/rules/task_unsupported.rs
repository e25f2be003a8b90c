use preflight_model::fact::Gap;
use preflight_model::facts::Facts;
use preflight_model::task::Task;

use super::config_of;
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "task-unsupported",
    summary: "the model is neither for text generation nor for embeddings",
    fix: "upload a causal language model or an embedding model",
    docs: include_str!("task_unsupported.md"),
    category: Category::Config,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    let tasks = case.policy.target(case.target).tasks.get()?;
    let config = config_of(checkpoint)?;
    if let Task::Unknown(why) = &facts.task {
        return Err(Gap::Unknown(why.clone()));
    }
    if tasks.iter().any(|task| task == facts.task.as_str()) {
        return Ok(Findings::none());
    }
    let key = ["architectures", "model_type"]
        .iter()
        .find_map(|key| config.root().get(key));
    let takes: Vec<_> = tasks.iter().map(|task| in_words(task)).collect();
    Ok(Findings::problem(Finding::in_config(
        key.as_ref(),
        format!(
            "this is {}; the platform takes {}",
            facts.task.describe(),
            takes.join(" and ")
        ),
    )))
}

fn in_words(task: &str) -> &str {
    match task {
        "causal-lm" => "text generation models",
        "embedding" => "embedding models",
        other => other,
    }
}
