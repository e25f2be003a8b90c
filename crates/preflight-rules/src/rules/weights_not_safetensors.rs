use preflight_model::facts::Facts;
use preflight_model::weights::Format;

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
    let weights = facts.of_a_model()?.weights.get()?;
    let formats = case.policy.target(case.target).weight_formats.get()?;
    if weights.format == Format::Safetensors {
        return Ok(note_ignored(&weights.ignored));
    }
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
    Ok(match weights.format {
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
    })
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
