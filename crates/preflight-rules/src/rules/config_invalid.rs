use preflight_model::checkpoint::Kind;
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "config-invalid",
    summary: "config.json is absent, or the loader refuses it",
    fix: "correct the named key; `AutoConfig.from_pretrained` must load the folder without an error",
    docs: include_str!("config_invalid.md"),
    category: Category::Config,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    if facts.kind == Kind::Adapter {
        return Err(Gap::Unknown(
            "this is an adapter of another model; this version judges whole models only".into(),
        ));
    }
    match &facts.checkpoint.config {
        Fact::Known(config) => {
            let findings: Findings = facts.checkpoint.config_defects.iter().map(Finding::from).collect();
            Ok(config
                .document()
                .duplicates()
                .fold(findings, |findings, (key, place)| {
                    let mut note = Finding::in_file(
                        "config.json",
                        format!("`{key}` stands twice; the loader takes this later one"),
                    );
                    (note.line, note.column) = (Some(place.line), Some(place.column));
                    findings.with_note(note)
                }))
        }
        Fact::Absent => Ok(Findings::problem(Finding::in_file(
            "config.json",
            "the repository has no config.json at its root",
        ))),
        Fact::Malformed(defect) => Ok(Findings::problem(Finding::from(defect))),
        Fact::Unavailable(why) => Err(Gap::Unavailable(why.clone())),
    }
}
