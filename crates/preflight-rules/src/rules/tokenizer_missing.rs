use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::tokenizer::Class;

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "tokenizer-missing",
    summary: "the repository has no tokenizer that the loader can use",
    fix: "save the tokenizer into the repository: `AutoTokenizer.from_pretrained(base).save_pretrained(folder)`",
    docs: include_str!("tokenizer_missing.md"),
    category: Category::Tokenizer,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    if let Fact::Malformed(defect) = &checkpoint.tokenizer_config {
        return Ok(Findings::problem(Finding::from(defect)));
    }
    match &facts.tokenizer.vocabulary {
        Fact::Known(_) => {}
        Fact::Unavailable(why) => return Err(Gap::Unavailable(why.clone())),
        Fact::Absent | Fact::Malformed(_) => {
            return Ok(Findings::problem(Finding::new(
                "the repository has no vocabulary (tokenizer.json, tokenizer.model, vocab.json, …)",
            )));
        }
    }
    match &facts.tokenizer.class {
        Class::Unread(why) => Err(Gap::Unavailable(why.clone())),
        Class::Foreign(class) if facts.remote_code.needs.iter().all(|need| need.step != "AutoTokenizer") => {
            let root = checkpoint.tokenizer_config.known().map(|document| document.root());
            let key = root.and_then(|root| root.get("tokenizer_class"));
            let message = format!("`tokenizer_class` is `{class}`, which no transformers release has");
            Ok(Findings::problem(match key {
                Some(key) => Finding::at("tokenizer_config.json", &key, message),
                None => Finding::in_file("config.json", message),
            }))
        }
        _ => Ok(Findings::none()),
    }
}
