//! `generate`: `docs/rules/`, one page a rule and an index, from the rules themselves.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use preflight_rules::RULES;

use crate::repository;
use crate::tree::{self, Tree};

/// Where the pages go.
fn docs_dir() -> PathBuf {
    repository().join("docs/rules")
}

/// Writes all pages, takes away those of rules that are no more, and answers with what changed.
pub(crate) fn write() -> Result<String, String> {
    let (dir, pages) = (docs_dir(), pages());
    let kept = tree::read(&dir)?;
    let changed = tree::differences("docs/rules", &pages, &kept);
    fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    for path in kept.keys().filter(|path| !pages.contains_key(*path)) {
        fs::remove_file(dir.join(path)).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    for (path, text) in &pages {
        fs::write(dir.join(path), text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(format!(
        "{} pages, {} changed\n",
        pages.len(),
        changed.len()
    ))
}

/// Fails where the pages are not what the rules say.
pub(crate) fn check() -> Result<String, String> {
    let pages = pages();
    let differences = tree::differences("docs/rules", &pages, &tree::read(&docs_dir())?);
    if differences.is_empty() {
        return Ok(format!("{} pages are what the rules say\n", pages.len()));
    }
    Err(format!(
        "docs/rules/ differs from the rules; `cargo xtask generate` writes it anew\n  {}",
        differences.join("\n  ")
    ))
}

fn pages() -> Tree {
    let mut pages: Tree = RULES
        .iter()
        .map(|rule| {
            let source = rule.id.replace('-', "_");
            let note = format!("<!-- Made by `cargo xtask generate` from crates/preflight-rules/src/rules/{source}.md -->\n");
            (PathBuf::from(format!("{}.md", rule.id)), (note + rule.docs).into_bytes())
        })
        .collect();
    pages.insert("README.md".into(), index().into_bytes());
    pages
}

fn index() -> String {
    let mut text = String::from(
        "<!-- Made by `cargo xtask generate` from `RULES` -->\n# Rules\n\n\
         How much a rule weighs for a target is the policy's word: `byom-preflight rules` shows it.\n\n\
         | rule | a finding means | looks at | since |\n|---|---|---|---|\n",
    );
    for rule in RULES {
        let (id, summary, since) = (rule.id, rule.summary, rule.since);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| [`{id}`]({id}.md) | {summary} | {} | {since} |",
            rule.category.as_str()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn committed_pages_are_what_the_rules_say() {
        check().expect("up to date");
    }

    #[test]
    fn the_index_links_to_every_page() {
        let pages = pages();
        let index = String::from_utf8_lossy(&pages[Path::new("README.md")]);
        for page in pages.keys().filter(|page| *page != Path::new("README.md")) {
            assert!(
                index.contains(&format!("]({})", page.display())),
                "{}",
                page.display()
            );
        }
    }

    #[test]
    fn every_rule_says_how_it_decides() {
        let path = crate::repository().join("docs/how-it-decides.md");
        let text = std::fs::read_to_string(path).expect("docs/how-it-decides.md");
        for rule in preflight_rules::RULES {
            let section = text
                .split("\n### ")
                .find_map(|section| section.strip_prefix(&format!("{}\n", rule.id)))
                .unwrap_or_else(|| panic!("no section `### {}`", rule.id));
            for point in [
                "- **Stands for**: ",
                "- **Established**: ",
                "- **Can be wrong**: ",
            ] {
                assert!(section.contains(point), "`{}` lacks `{point}`", rule.id);
            }
        }
    }
}
