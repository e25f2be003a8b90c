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

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let sources = case.policy.target(case.target).sources.get()?;
    let (kind, is_a) = match facts.checkpoint.snapshot.origin.stands_for {
        From::Hub => (Some(SourceKind::Hub), "a Hub repository"),
        From::Archive => (Some(SourceKind::Archive), "an archive"),
        From::Folder | From::Recording => (Some(SourceKind::Folder), "a folder"),
        From::S3 => (None, "an S3 prefix"),
    };
    if kind.is_some_and(|kind| sources.contains(&kind)) {
        return Ok(Findings::none());
    }
    let takes: Vec<_> = sources.iter().map(|source| word(*source)).collect();
    let what_for = match case.target {
        Target::Upload => "upload",
        Target::FineTune => "fine-tuning",
    };
    let finding = Finding::new(format!(
        "this is {is_a}, judged as if it were pushed; for {what_for} the platform takes {}",
        takes.join(" or ")
    ));
    let findings = Findings::problem(finding);
    Ok(match case.target {
        Target::Upload if sources.contains(&SourceKind::Archive) => findings.with_fix(
            "push the files to a Hugging Face repository, or pack it (`tar -czf model.tar.gz -C FOLDER .`) and give a presigned URL",
        ),
        _ => findings,
    })
}

fn word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Hub => "a Hub repository",
        SourceKind::Archive => "one archive",
        SourceKind::Folder => "a folder",
    }
}
