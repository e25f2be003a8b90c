//! `fixtures`: the recordings in `fixtures/`, written from their specs or held against them.

use std::path::Path;

use preflight_source::recording;

use crate::spec::{self, fixtures_dir, snapshot_of};
use crate::tree;

/// Writes the recordings `names`, or all, and answers with what was written.
pub(crate) fn write(names: &[&str]) -> Result<String, String> {
    let mut told = Vec::new();
    for name in chosen(names)? {
        let dir = fixtures_dir().join(&name);
        record(&name, &dir)?;
        let bytes: usize = tree::read(&dir)?.values().map(Vec::len).sum();
        told.push(format!("wrote fixtures/{name}, {bytes} bytes\n"));
    }
    Ok(told.concat())
}

/// Fails where the recordings `names`, or all, differ from what their specs give.
pub(crate) fn check(names: &[&str]) -> Result<String, String> {
    let chosen = chosen(names)?;
    let scratch = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let mut differences = Vec::new();
    for name in &chosen {
        let fresh = scratch.path().join(name);
        record(name, &fresh)?;
        let kept = tree::read(&fixtures_dir().join(name))?;
        differences.extend(tree::differences(name, &tree::read(&fresh)?, &kept));
    }
    if names.is_empty() {
        differences.extend(without_spec(&chosen)?);
    }
    if differences.is_empty() {
        return Ok(format!(
            "{} fixtures are what their specs say\n",
            chosen.len()
        ));
    }
    Err(format!(
        "fixtures differ from their specs; `cargo xtask fixtures` writes them anew\n  {}",
        differences.join("\n  ")
    ))
}

fn chosen(names: &[&str]) -> Result<Vec<String>, String> {
    if names.is_empty() {
        return spec::names();
    }
    Ok(names.iter().map(|&name| name.to_owned()).collect())
}

fn record(name: &str, dir: &Path) -> Result<(), String> {
    let snapshot = snapshot_of(name)?;
    recording::write(&snapshot, dir).map_err(|error| format!("{name}: {error}"))
}

/// Folders beside `specs/` that no spec makes.
fn without_spec(names: &[String]) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for path in tree::entries(&fixtures_dir())? {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "specs" && !names.contains(&name) {
            found.push(format!("{name}: no spec makes it"));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use preflight_model::checkpoint::Checkpoint;
    use preflight_rules::case::Options;
    use preflight_rules::evaluate;
    use preflight_rules::policy::Policy;
    use preflight_rules::report::{Cost, Level, ModelReport, Outcome, Target, Verdict};

    use super::*;

    /// Most bytes of all fixtures together: everybody clones them.
    const BYTES_MAX: usize = 10_000_000;

    #[test]
    fn committed_fixtures_are_what_their_specs_say() {
        check(&[]).expect("up to date");
    }

    #[test]
    fn fixtures_stay_small() {
        let files = tree::read(&fixtures_dir()).expect("readable");
        let bytes: usize = files.values().map(Vec::len).sum();
        assert!(bytes < BYTES_MAX, "{bytes} bytes");
    }

    #[test]
    fn the_readme_tells_every_verdict() {
        let readme = std::fs::read_to_string(fixtures_dir().join("README.md")).expect("readable");
        let policy = Policy::load_shipped("together-2025-11").expect("shipped");
        let mut missing = Vec::new();
        for name in spec::names().expect("specs") {
            let snapshot = snapshot_of(&name).expect(&name);
            let checkpoint = Checkpoint::read(&snapshot);
            let options = Options::default();
            let report = evaluate(&checkpoint, &Target::ALL, policy, &options, Cost::default());
            let [upload, fine_tune] = Target::ALL.map(|target| cell(&report, target));
            let row = format!("| `{name}` | {upload} | {fine_tune} |");
            if !readme.contains(&row) {
                missing.push(row);
            }
        }
        let missing = missing.join("\n");
        assert!(missing.is_empty(), "not in fixtures/README.md:\n{missing}");
    }

    /// A verdict and the rules that decide it.
    fn cell(report: &ModelReport, target: Target) -> String {
        let verdict = report.verdicts.iter().find(|(of, _)| *of == target);
        let (_, verdict) = verdict.expect("judged for every target");
        let deciding = match verdict {
            Verdict::Pass => return "pass".into(),
            Verdict::Fail => Outcome::Fail,
            Verdict::Undecided => Outcome::Unknown,
        };
        let rows = report.rules.iter().filter(|row| {
            row.targets.contains(&target) && row.level == Level::Error && row.outcome == deciding
        });
        let ids: Vec<String> = rows.map(|row| format!("`{}`", row.id)).collect();
        format!("{}: {}", verdict.as_str(), ids.join(", "))
    }
}
