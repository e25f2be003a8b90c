use preflight_model::fact::Gap;
use preflight_model::facts::Facts;
use preflight_model::release;
use preflight_model::task::CausalLm;

use super::config_of;
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "architecture-not-causal-lm",
    summary: "the model is no causal language model of transformers",
    fix: "choose a checkpoint whose `architectures` names the causal-LM class of its model type",
    docs: include_str!("architecture_not_causal_lm.md"),
    category: Category::Config,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let config = config_of(facts.of_a_model()?)?;
    let (Some(judged), Some(model_type)) = (&facts.causal_lm, config.model_type()) else {
        return Err(Gap::Malformed("config.json names no model type".into()));
    };
    match judged {
        CausalLm::Yes { notes, .. } => Ok(notes.iter().fold(Findings::none(), |findings, note| {
            let key = config.root().get("architectures");
            findings.with_note(Finding::in_config(key.as_ref(), note.as_str()))
        })),
        CausalLm::No { key, because } => Ok(Findings::problem(Finding::in_config(
            config.root().get(key).as_ref(),
            because.as_str(),
        ))),
        CausalLm::Unclear(why) => Err(Gap::Unknown(why.clone())),
        CausalLm::NotNative if facts.remote_code.required() == Some(true) => {
            Err(Gap::DoesNotApply(format!(
                "model type `{model_type}` is the repository's own code"
            )))
        }
        CausalLm::NotNative => {
            let meant = release::nearest_model_type(model_type)
                .map_or(String::new(), |meant| format!("; `{meant}` is meant?"));
            Ok(Findings::problem(Finding::in_config(
                config.root().get("model_type").as_ref(),
                format!(
                    "no transformers release knows model type `{model_type}`{meant}, so it has no causal-LM class"
                ),
            )))
        }
    }
}
