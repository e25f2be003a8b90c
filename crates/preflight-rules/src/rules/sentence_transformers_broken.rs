use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::task::Task;

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "sentence-transformers-broken",
    summary: "sentence-transformers cannot load the embedding model",
    fix: "save the model again with `model.save_pretrained(folder)` and upload all of the folder, the numbered folders of its modules included",
    docs: include_str!("sentence_transformers_broken.md"),
    category: Category::Config,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    checkpoint.snapshot.files.get()?;
    if !matches!(facts.task, Task::Embedding | Task::Unknown(_)) {
        return Err(Gap::DoesNotApply("it is no embedding model".into()));
    }
    match &checkpoint.sentence_transformers {
        Fact::Known(found) => Ok(found.defects.iter().map(Finding::from).collect()),
        Fact::Absent => Err(Gap::DoesNotApply(
            "sentence-transformers did not write it".into(),
        )),
        Fact::Malformed(defect) => Err(Gap::Malformed(defect.message.clone())),
        Fact::Unavailable(why) => Err(Gap::Unavailable(why.clone())),
    }
}
