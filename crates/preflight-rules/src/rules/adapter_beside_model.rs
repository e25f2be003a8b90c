use preflight_model::adapter::ADAPTER_CONFIG;
use preflight_model::checkpoint::Kind;
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "adapter-beside-model",
    summary: "an adapter_config.json beside a whole model sends the loader to another model",
    fix: "remove adapter_config.json and adapter_model.* if the weights are merged, or keep the adapter in a repository of its own",
    docs: include_str!("adapter_beside_model.md"),
    category: Category::Config,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let checkpoint = facts.checkpoint;
    if facts.kind == Kind::Adapter {
        return Err(Gap::DoesNotApply(
            "this is an adapter, not a whole model".into(),
        ));
    }
    checkpoint.snapshot.files.get()?;
    if checkpoint.has_file(ADAPTER_CONFIG) != Some(true) || checkpoint.config.is_absent() {
        return Ok(Findings::none());
    }
    let message = match &checkpoint.adapter {
        Fact::Known(adapter) => match &adapter.base_model {
            Some(base) => format!(
                "it stands beside a whole model: where PEFT is installed, transformers loads `{base}` with the adapter in place of these weights"
            ),
            None => "it stands beside a whole model and names no base: where PEFT is installed, transformers does not load these weights".into(),
        },
        Fact::Absent => {
            "it stands beside a whole model and is not PEFT's: where PEFT is installed, transformers ends with an error".into()
        }
        Fact::Malformed(defect) => defect.message.clone(),
        Fact::Unavailable(why) => return Err(Gap::Unavailable(why.clone())),
    };
    let mut finding = Finding::in_file(ADAPTER_CONFIG, message);
    if let Fact::Known(adapter) = &checkpoint.adapter
        && let Some(place) = adapter.root().get("base_model_name_or_path")
    {
        finding = Finding::at(ADAPTER_CONFIG, &place, finding.message);
    }
    Ok(Findings::problem(finding))
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    #[test]
    fn each_kind_of_file_and_none() {
        for (text, says) in [
            ("", "upload, fine-tune: pass\n"),
            (
                "//- adapter_config.json\n{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"a/b\"}",
                "adapter_config.json:1:23: it stands beside a whole model: where PEFT is installed, transformers loads `a/b`",
            ),
            (
                "//- adapter_config.json\n{\"peft_type\": \"LORA\"}",
                "names no base",
            ),
            (
                "//- adapter_config.json\n{\"adapter\": \"wifi\"}",
                "is not PEFT's",
            ),
            ("//- adapter_config.json unreadable timed out", "unknown\n"),
        ] {
            let report = Repo::new(text).report();
            assert_eq!(report.kind, "model", "{text}");
            let got = Repo::new(text).run(super::RULE.id);
            assert!(got.contains(says), "{text}\n{got}");
        }
    }
}
