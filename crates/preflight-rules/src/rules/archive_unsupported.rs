use preflight_model::container::{ArchiveFormat, Container, OddityKind};
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;

use super::container_of;
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "archive-unsupported",
    summary: "the platform does not take or cannot unpack this archive",
    fix: "pack the files anew: `tar -czf model.tar.gz -C FOLDER .`",
    docs: include_str!("archive_unsupported.md"),
    category: Category::Access,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let container = container_of(facts)?;
    let taken = case.policy.platform.archive_formats.get()?;
    let format = match &container.format {
        Fact::Known(format) => *format,
        other => {
            other.get()?;
            return Ok(Findings::none());
        }
    };
    let mut findings = Findings::none();
    let is_taken = taken.iter().any(|ending| ending == format.as_str());
    if !is_taken {
        let formats: Vec<_> = taken.iter().map(|ending| format!("`{ending}`")).collect();
        let what = match format {
            ArchiveFormat::Other => "no archive".to_owned(),
            format => format!("a `{}` archive", format.as_str()),
        };
        findings.push(Finding::new(format!(
            "`{}` is {what}; the platform takes {}",
            container.name,
            formats.join(", ")
        )));
        findings.fix = repack(format);
    }
    if let Some(why) = &container.broken {
        findings.push(Finding::new(format!(
            "`{}` cannot be unpacked: {why}",
            container.name
        )));
    }
    for oddity in &container.oddities {
        if let Some(what) = problem(oddity.kind) {
            findings.push(Finding::in_file(oddity.member.clone(), what));
        }
    }
    if findings.problems.is_empty() {
        must_be_named(container, format)?;
    }
    Ok(with_notes(findings, container))
}

/// How to make another archive of one that is not taken.
fn repack(format: ArchiveFormat) -> Option<String> {
    let command = match format {
        ArchiveFormat::TarZst => "zstd -dc model.tar.zst | gzip > model.tar.gz",
        ArchiveFormat::TarBz2 => "bzip2 -dc model.tar.bz2 | gzip > model.tar.gz",
        ArchiveFormat::TarXz => "xz -dc model.tar.xz | gzip > model.tar.gz",
        ArchiveFormat::Tar => "gzip model.tar",
        _ => return None,
    };
    Some(format!("pack it anew: `{command}`"))
}

/// What is wrong with a member, where it is something wrong.
fn problem(kind: OddityKind) -> Option<&'static str> {
    Some(match kind {
        OddityKind::LeadsOutside => {
            "the member's name leads out of the folder that is unpacked into"
        }
        OddityKind::LinksOutside => {
            "the member is a link to what is not in the archive: pack with `tar -h`, or `zip` without `-y`: both store the files themselves"
        }
        OddityKind::Encrypted => "the member is encrypted",
        OddityKind::Overlaps => "the member shares its bytes with another one, as in a zip bomb",
        OddityKind::Duplicate => "there are two members of this name",
        OddityKind::Link | OddityKind::Replaces | OddityKind::Archive | OddityKind::Desktop => {
            return None;
        }
    })
}

/// The endings that the platform names are all that is known of how it tells formats apart.
fn must_be_named(container: &Container, format: ArchiveFormat) -> Result<(), Gap> {
    let ending = format.as_str();
    if container.name.to_ascii_lowercase().ends_with(ending) {
        return Ok(());
    }
    Err(Gap::Unknown(format!(
        "`{}` is a `{ending}` archive and is not named so; how the platform tells formats apart is not published, so let its name end in `{ending}`",
        container.name
    )))
}

fn with_notes(mut findings: Findings, container: &Container) -> Findings {
    let count = |kind| {
        let odd = container
            .oddities
            .iter()
            .filter(|oddity| oddity.kind == kind);
        odd.count()
    };
    for (kind, what) in [
        (
            OddityKind::Link,
            "member(s) are links within the archive, which are not followed",
        ),
        (
            OddityKind::Replaces,
            "member(s) replace an earlier one of the same name, as every program unpacks them",
        ),
        (
            OddityKind::Desktop,
            "member(s) are what macOS leaves (`__MACOSX/`, `.DS_Store`, `._*`), and are passed over",
        ),
    ] {
        let count = count(kind);
        if count > 0 {
            findings = findings.with_note(Finding::new(format!("{count} {what}")));
        }
    }
    if container.more_oddities > 0 {
        findings = findings.with_note(Finding::new(format!(
            "{} more members are odd in one of these ways",
            container.more_oddities
        )));
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(repo: &str) -> String {
        Repo::new(repo).run("archive-unsupported")
    }

    #[test]
    fn every_defect_of_a_member_fails() {
        for kind in [
            "leads-outside",
            "links-outside",
            "encrypted",
            "overlaps",
            "duplicate",
        ] {
            let out = run(&format!("archive: m.zip\noddity: {kind} x\n"));
            assert!(out.starts_with("upload: fail\n  x: "), "{out}");
        }
    }

    #[test]
    fn what_is_only_odd_passes_with_a_note() {
        for kind in ["link", "replaces", "desktop"] {
            let out = run(&format!("archive: m.zip\noddity: {kind} x\n"));
            assert!(out.starts_with("upload: pass\n  note: 1 "), "{out}");
        }
    }

    #[test]
    fn a_name_that_promises_something_else_is_not_decided() {
        for (name, format) in [("m.zip", ".tar.gz"), ("m", ".tar.gz"), ("m.tgz", ".tar.gz")] {
            let out = run(&format!("archive: {name}\nformat: {format}\n"));
            assert!(out.starts_with("upload: unknown"), "{out}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_not_decided() {
        let out = run("archive: m.zip\nformat: unread\n");
        assert_eq!(out, "upload: unknown\n  `host` answers 403\n");
    }
}
