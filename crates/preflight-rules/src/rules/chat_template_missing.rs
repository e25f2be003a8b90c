use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::task::Task;

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "chat-template-missing",
    summary: "the model has no chat template, so chat requests fail",
    fix: "add `chat_template` to tokenizer_config.json or a file chat_template.jinja; a base model is used by the completions API instead",
    docs: include_str!("chat_template_missing.md"),
    category: Category::Tokenizer,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    checkpoint.snapshot.files.get()?;
    match &facts.task {
        Task::CausalLm => {}
        Task::Unknown(why) => return Err(Gap::Unknown(why.clone())),
        _ => return Err(Gap::DoesNotApply("only text generation models chat".into())),
    }
    match checkpoint.chat_template() {
        Fact::Known(_) => Ok(Findings::none()),
        Fact::Absent => Ok(Findings::problem(Finding::new(
            "neither tokenizer_config.json nor chat_template.jinja has a chat template",
        ))),
        Fact::Malformed(defect) => Err(Gap::Malformed(defect.message)),
        Fact::Unavailable(why) => Err(Gap::Unavailable(why)),
    }
}
