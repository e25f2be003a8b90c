use preflight_model::fact::Gap;
use preflight_model::facts::Facts;

use super::config_of;
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "remote-code-required",
    summary: "loading the model runs code of its repository, which the platform does not allow",
    fix: "use a model whose type transformers knows itself; removing `auto_map` alone does not help where it does not",
    docs: include_str!("remote_code_required.md"),
    category: Category::Config,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    let needs = facts.remote_code.needs.iter().map(|need| {
        let message = match need.step {
            "generate" => "this code would run whenever the model is loaded".to_owned(),
            step => format!(
                "{step} of transformers {} has no class of its own for this model and would run `{}`",
                facts.release, need.code
            ),
        };
        let mut finding = Finding::in_file(need.path, message);
        if let Some(place) = &need.place {
            finding.pointer = Some(place.pointer.clone());
            (finding.line, finding.column) = (Some(place.line), Some(place.column));
        }
        finding
    });
    let mut findings: Findings = needs.collect();
    if let [first, ..] = facts.remote_code.unread.as_slice() {
        if findings.problems.is_empty() {
            return Err(Gap::Unavailable(first.clone()));
        }
    }
    if findings.problems.is_empty() {
        let config = config_of(checkpoint)?;
        if let Some(map) = config.root().get("auto_map") {
            findings = findings.with_note(Finding::in_config(
                Some(&map),
                "`auto_map` is there, but transformers has classes of its own and uses those",
            ));
        }
    }
    let generates = facts
        .remote_code
        .needs
        .iter()
        .all(|need| need.step == "generate");
    Ok(if generates && !findings.problems.is_empty() {
        findings.with_fix("remove the folder custom_generate")
    } else {
        findings
    })
}
