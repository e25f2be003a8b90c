use preflight_model::facts::Facts;
use preflight_model::leftovers::{self, Leftovers};
use preflight_model::weights::{Format, Weights};

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "weights-not-safetensors",
    summary: "the weights that the loader would open are not safetensors",
    fix: "convert them: load the model and save it with `save_pretrained(folder, safe_serialization=True)`, or use https://huggingface.co/spaces/safetensors/convert",
    docs: include_str!("weights_not_safetensors.md"),
    category: Category::Weights,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    let weights = checkpoint.weights.get()?;
    let formats = case.policy.target(case.target).weight_formats.get()?;
    let findings = if weights.format == Format::Safetensors {
        note_ignored(&weights.ignored)
    } else {
        other_format(weights, formats)
    };
    Ok(match leftovers::find(checkpoint) {
        Some(found) => findings.with_note(note_leftovers(&found)),
        None => findings,
    })
}

fn other_format(weights: &Weights<'_>, formats: &[String]) -> Findings {
    let takes = formats.join(", ");
    let format = weights.format.as_str();
    let first = weights.files.first().map_or("", String::as_str);
    let message = match weights.format {
        Format::None => {
            format!("the repository has no weights at its root; the platform takes {takes}")
        }
        Format::MisnamedSafetensors => {
            "the loader does not look for safetensors under this name".into()
        }
        Format::Gguf | Format::Original => format!(
            "the only weights are `{first}` ({format}), which the loader does not open; the platform takes {takes}"
        ),
        _ => format!("the loader would open `{first}` ({format}); the platform takes {takes}"),
    };
    let finding = match weights.files.first() {
        Some(path) => Finding::in_file(path.as_str(), message),
        None => Finding::new(message),
    };
    let findings = Findings::problem(finding);
    match weights.format {
        Format::MisnamedSafetensors => findings.with_fix(
            "rename the file to `model.safetensors`, or write a `model.safetensors.index.json`",
        ),
        Format::Gguf => findings.with_fix("use the repository that the GGUF file was made from"),
        Format::Original => findings.with_fix(
            "use the repository of the same model in the Hugging Face format, or convert it with the script of its family",
        ),
        Format::None => {
            findings.with_fix("add the weights: `model.safetensors`, or shards with an index")
        }
        _ => findings,
    }
}

fn note_leftovers(found: &Leftovers<'_>) -> Finding {
    let (files, size) = (found.files, size(found.bytes));
    Finding::new(format!(
        "files of a training run that no loader reads: {files} ({size}), for example `{}`; leave them out of the upload",
        found.example
    ))
}

/// A size as a person reads it, in decimal units.
#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{bytes} bytes"),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn note_ignored(ignored: &[String]) -> Findings {
    if ignored.is_empty() {
        return Findings::none();
    }
    let mut names: Vec<_> = ignored
        .iter()
        .take(3)
        .map(|path| format!("`{path}`"))
        .collect();
    if ignored.len() > 3 {
        names.push(format!("and {} more", ignored.len() - 3));
    }
    Findings::none().with_note(Finding::new(format!(
        "the loader leaves {} alone: not counted, not checked",
        names.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    #[test]
    fn what_a_training_run_left_is_a_note() {
        let got = run(
            "//- optimizer.pt listed 26000000000\n//- checkpoint-5/model.safetensors listed 1000000000",
        );
        assert!(
            got.contains("upload: pass\n") && got.contains("fine-tune: pass\n"),
            "{got}"
        );
        assert!(
            got.contains("2 (27.0 GB), for example `checkpoint-5/model.safetensors`"),
            "{got}"
        );
        assert!(!got.contains("alone"), "{got}");
    }

    #[test]
    fn what_a_training_run_left_is_no_weights() {
        let got = run("//- model.safetensors removed\n//- training_args.bin listed 5000");
        assert!(
            got.contains("upload: warn\n  the repository has no weights at its root")
                && got.contains("1 (5000 bytes)"),
            "{got}"
        );
    }
}
