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
    use super::*;

    /// Most bytes of all fixtures together: everybody clones them.
    const BYTES_MAX: usize = 10_000_000;

    #[test]
    fn committed_fixtures_are_what_their_specs_say() {
        check(&[]).expect("up to date");
    }

    #[test]
    fn fixtures_stay_small_and_the_readme_names_each() {
        let files = tree::read(&fixtures_dir()).expect("readable");
        let bytes: usize = files.values().map(Vec::len).sum();
        assert!(bytes < BYTES_MAX, "{bytes} bytes");
        let readme = files.get(Path::new("README.md")).expect("a README.md");
        let readme = String::from_utf8_lossy(readme);
        for name in spec::names().expect("specs") {
            assert!(
                readme.contains(&format!("| `{name}` |")),
                "{name} is not in fixtures/README.md"
            );
        }
    }
}
