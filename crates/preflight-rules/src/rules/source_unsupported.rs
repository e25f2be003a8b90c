use preflight_model::facts::Facts;
use preflight_model::snapshot::SourceKind as From;

use crate::case::Case;
use crate::policy::SourceKind;
use crate::report::{Finding, Target};
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "source-unsupported",
    summary: "the platform does not take models from there",
    fix: "push the files to a Hugging Face repository (`hf upload org/name FOLDER .`) and check that",
    docs: include_str!("source_unsupported.md"),
    category: Category::Access,
    since: "0.1.0",
    check,
};

/// Source: <https://docs.aws.amazon.com/cli/latest/reference/s3/presign.html>; the format and the 100 minutes:
/// <https://docs.together.ai/docs/custom-models>.
const PACK_S3: &str = "pack it as one archive beside it and give a presigned URL that is good for 100 minutes or more: `aws s3 cp --recursive s3://BUCKET/PREFIX/ model`, `tar -cz -C model . | aws s3 cp - s3://BUCKET/model.tar.gz`, `aws s3 presign s3://BUCKET/model.tar.gz --expires-in 43200`";
const PUSH_S3: &str = "push the files to a Hugging Face repository (`aws s3 cp --recursive s3://BUCKET/PREFIX/ model`, `hf upload org/name model .`) and check that";

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let sources = case.policy.target(case.target).sources.get()?;
    let (kind, is_a) = match facts.checkpoint.snapshot.origin.stands_for {
        From::Hub => (Some(SourceKind::Hub), "a Hub repository"),
        From::Archive => (Some(SourceKind::Archive), "an archive"),
        From::Folder | From::Recording => (Some(SourceKind::Folder), "a folder"),
        From::S3 => (None, "an S3 prefix"),
    };
    if kind.is_some_and(|kind| sources.contains(&kind)) {
        let is_folder = kind == Some(SourceKind::Folder);
        return Ok(if is_folder {
            left_out(facts)
        } else {
            Findings::none()
        });
    }
    let takes: Vec<_> = sources.iter().map(|source| word(*source)).collect();
    let what_for = match case.target {
        Target::Upload => "upload",
        Target::FineTune => "fine-tuning",
    };
    let is_prefix = facts.checkpoint.snapshot.origin.stands_for == From::S3;
    let as_if = if is_prefix && case.target == Target::Upload {
        "packed"
    } else {
        "pushed"
    };
    let finding = Finding::new(format!(
        "this is {is_a}, judged as if it were {as_if}; for {what_for} the platform takes {}",
        takes.join(" or ")
    ));
    let findings = Findings::problem(finding);
    Ok(match case.target {
        Target::Upload if is_prefix && sources.contains(&SourceKind::Archive) => {
            findings.with_fix(PACK_S3)
        }
        Target::FineTune if is_prefix => findings.with_fix(PUSH_S3),
        Target::Upload if sources.contains(&SourceKind::Archive) => findings.with_fix(
            "push the files to a Hugging Face repository, or pack it (`tar -czf model.tar.gz -C FOLDER .`) and give a presigned URL",
        ),
        _ => findings,
    })
}

/// What an upload of a folder silently leaves out: empty files, and those with a component of their path
/// that begins with a dot.
/// Source: `together/lib/cli/api/models/upload.py` of <https://pypi.org/project/together/3.1.1/>
fn left_out(facts: &Facts<'_>) -> Findings {
    let files = facts.checkpoint.files;
    let is_hidden = |path: &str| path.split('/').any(|part| part.starts_with('.'));
    let mut findings = Findings::none();
    let mut harmless = Vec::new();
    for file in files.iter().filter(|file| !file.may_be_absent()) {
        let (path, is_empty) = (file.path.as_str(), file.size == Some(0));
        if is_hidden(path) || is_empty && !is_read(path) {
            harmless.push(path);
        } else if is_empty {
            findings.push(Finding::in_file(
                path,
                "the file is empty: an upload of the folder silently leaves it out",
            ));
        }
    }
    if let [first, ..] = harmless[..] {
        let number = harmless.len();
        findings = findings.with_note(Finding::new(format!(
            "an upload of the folder leaves out hidden and empty files: {number}, for example `{first}`"
        )));
    }
    if !findings.problems.is_empty() {
        findings = findings.with_fix("restore the empty files from where the model was saved");
    }
    findings
}

/// Whether a loader may look at the file: weights, tokenizer or settings at the root.
fn is_read(path: &str) -> bool {
    let ends = [
        ".jinja",
        ".json",
        ".model",
        ".safetensors",
        ".tiktoken",
        ".txt",
    ];
    !path.contains('/') && ends.iter().any(|end| path.ends_with(end))
}

fn word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Hub => "a Hub repository",
        SourceKind::Archive => "one archive",
        SourceKind::Folder => "a folder",
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    #[test]
    fn what_an_upload_of_a_folder_leaves_out() {
        let run = |settings: &str, files: &str| {
            Repo::new(&format!("{settings}\n{files}")).run(super::RULE.id)
        };
        let folder = "policy: together-2026-07\nsource: folder\n";
        let hidden = run(
            folder,
            "//- .gitattributes listed 9\n//- .cache/x.json listed 9\n//- notes.md listed 0",
        );
        assert!(
            hidden.contains(
                "upload: pass\n  note: an upload of the folder leaves out hidden and empty files: 3"
            ),
            "{hidden}"
        );
        let needed = run(folder, "//- merges.txt listed 0");
        assert!(
            needed.contains("upload: warn\n  merges.txt: the file is empty"),
            "{needed}"
        );
        let hub = run("policy: together-2026-07\n", "//- merges.txt listed 0");
        assert!(!hub.contains("empty"), "{hub}");
    }
}
