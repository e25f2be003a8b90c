use preflight_model::adapter::ADAPTER_CONFIG;
use preflight_model::checkpoint::Checkpoint;
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::wanted::ADAPTER_WEIGHTS;

use crate::adapters::of_an_adapter;
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "adapter-incomplete",
    summary: "a file of the adapter is absent, broken or not where it belongs",
    fix: "save the adapter with PEFT (`model.save_pretrained(DIR)`) and put adapter_config.json and adapter_model.safetensors at the root",
    docs: include_str!("adapter_incomplete.md"),
    category: Category::Adapter,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let checkpoint = of_an_adapter(facts)?;
    if let Fact::Unavailable(why) = &checkpoint.snapshot.files {
        return Err(Gap::Unavailable(why.clone()));
    }
    let mut findings = Findings::none();
    let mut unread = None;
    match &checkpoint.adapter {
        Fact::Known(_) => {}
        Fact::Absent => findings.push(no_config(checkpoint)),
        Fact::Malformed(defect) => findings.push(Finding::from(defect)),
        Fact::Unavailable(why) => unread = Some(why.clone()),
    }
    let header = checkpoint
        .adapter_weights
        .as_ref()
        .map(|shard| &shard.header);
    match header.unwrap_or(&Fact::Absent) {
        Fact::Known(header) => {
            for defect in &header.defects {
                findings.push(Finding::in_file(ADAPTER_WEIGHTS, defect.as_str()));
            }
        }
        Fact::Absent => findings.push(no_weights(checkpoint)),
        Fact::Malformed(defect) => findings.push(Finding::from(defect)),
        Fact::Unavailable(why) => unread = Some(why.clone()),
    }
    match unread {
        Some(why) if findings.problems.is_empty() => Err(Gap::Unavailable(why)),
        _ => Ok(findings),
    }
}

fn no_config(checkpoint: &Checkpoint<'_>) -> Finding {
    if checkpoint.has_file(ADAPTER_CONFIG) == Some(true) {
        return Finding::in_file(
            ADAPTER_CONFIG,
            "it is not PEFT's: neither `peft_type` nor `base_model_name_or_path` is there",
        );
    }
    Finding::new(absent(checkpoint, ADAPTER_CONFIG))
}

fn no_weights(checkpoint: &Checkpoint<'_>) -> Finding {
    // What other programs and settings write in its place.
    const OTHERS: [(&str, &str); 3] = [
        (
            "adapter_model.bin",
            "the weights are in adapter_model.bin only, a pickle; save them with `safe_serialization=True`",
        ),
        (
            "adapters.safetensors",
            "the weights are in adapters.safetensors, as MLX writes them; convert the adapter to PEFT's form",
        ),
        (
            "pytorch_lora_weights.safetensors",
            "the weights are in pytorch_lora_weights.safetensors, as image pipelines write them",
        ),
    ];
    let other = OTHERS
        .iter()
        .find(|(name, _)| checkpoint.has_file(name) == Some(true));
    match other {
        Some((name, message)) => Finding::in_file(*name, *message),
        None => Finding::new(absent(checkpoint, ADAPTER_WEIGHTS)),
    }
}

/// That a file is not at the root, and where it is instead.
fn absent(checkpoint: &Checkpoint<'_>, name: &str) -> String {
    let inside = |path: &&str| {
        path.strip_suffix(name)
            .is_some_and(|folder| folder.ends_with('/'))
    };
    let mut paths = checkpoint.files.iter().map(|file| file.path.as_str());
    match paths.find(inside) {
        Some(path) => {
            format!("{name} is not at the root but at `{path}`, where it is not looked for")
        }
        None => format!("the repository has no {name} at its root"),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(&format!("adapter: acme/tiny-llama\n{text}")).run(super::RULE.id)
    }

    #[test]
    fn each_file_is_needed_at_the_root() {
        for (text, says) in [
            (
                "//- adapter_config.json removed",
                "no adapter_config.json at its root",
            ),
            (
                "//- adapter_model.safetensors removed",
                "no adapter_model.safetensors at its root",
            ),
            (
                "//- adapter_model.safetensors removed\n//- adapter_model.bin listed 100",
                "a pickle",
            ),
            (
                "//- adapter_model.safetensors removed\n//- adapters.safetensors listed 100",
                "as MLX writes them",
            ),
            (
                "//- adapter_model.safetensors removed\n//- checkpoint-10/adapter_model.safetensors listed 100",
                "at `checkpoint-10/adapter_model.safetensors`",
            ),
            ("//- adapter_config.json\n[]", "must hold an object"),
            (
                "//- adapter_config.json\n{\"adapter\": \"wifi\"}",
                "it is not PEFT's",
            ),
            (
                "//- adapter_model.safetensors raw 1000\n[]",
                "an object was expected",
            ),
        ] {
            let got = run(text);
            assert!(
                got.starts_with("upload, fine-tune: fail\n") && got.contains(says),
                "{text}\n{got}"
            );
        }
    }

    #[test]
    fn what_was_not_read_is_not_known() {
        for text in [
            "//- adapter_config.json unreadable timed out",
            "//- adapter_model.safetensors unreadable timed out",
            "//- adapter_model.safetensors pointer 4000",
        ] {
            let got = run(text);
            assert!(
                got.starts_with("upload, fine-tune: unknown\n"),
                "{text}\n{got}"
            );
        }
    }

    #[test]
    fn a_whole_model_needs_none() {
        let got = Repo::new("").run(super::RULE.id);
        assert!(got.starts_with("upload, fine-tune: skip\n"), "{got}");
    }
}
