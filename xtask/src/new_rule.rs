//! `new-rule`: the two files that a rule begins with.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::repository;

const CODE: &str = r#"use preflight_model::fact::Gap;
use preflight_model::facts::Facts;

use crate::case::Case;
use crate::rule::{Category, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "ID",
    summary: "what a finding means, in one line",
    fix: "what to do about it, in a sentence or two",
    docs: include_str!("FILE.md"),
    category: Category::Config,
    since: "VERSION",
    check,
};

fn check(_facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    Err(Gap::Unknown("`ID` is not written yet".into()))
}
"#;

const PAGE: &str = "# ID

## What it checks

What in the repository is looked at, and what is a finding.

## Why it matters

What the platform does with such a repository, with the source.

## How to fix it

The steps, and the command where there is one.

## Examples

This fails:

```repo
//- config.json +
{\"key\": \"value that is wrong\"}
```

```report
upload, fine-tune: fail
```

This passes:

```repo
```

```report
upload, fine-tune: pass
```
";

const NEXT: &str = "\
Next:
  1. crates/preflight-rules/src/rules/mod.rs: add `mod FILE;` and `&FILE::RULE`, both in order
  2. the page: write an example that fails and one that passes, and see the test fail
  3. the code: write `check`; where it has to parse, add a fact to preflight-model first
  4. crates/preflight-rules/policies/: give it a level for each target, with its source
  5. the page: say what it checks, why it matters and how to fix it
  6. `cargo xtask generate`
  7. docs/how-it-decides.md: what it stands for, how that was established, where it can be wrong
  8. CHANGELOG.md: one line
";

/// Where the rules are.
pub(crate) fn rules_dir() -> PathBuf {
    repository().join("crates/preflight-rules/src/rules")
}

/// Writes the code and the page of the rule `id` into `dir` and answers with what is left to do.
pub(crate) fn create(dir: &Path, id: &str) -> Result<String, String> {
    check_id(id)?;
    let file = id.replace('-', "_");
    let filled = |template: &str| {
        template
            .replace("ID", id)
            .replace("FILE", &file)
            .replace("VERSION", env!("CARGO_PKG_VERSION"))
    };
    let code = dir.join(format!("{file}.rs"));
    let page = dir.join(format!("{file}.md"));
    if let Some(there) = [&code, &page].into_iter().find(|path| path.exists()) {
        return Err(format!("{} is already there", there.display()));
    }
    write_new(&code, &filled(CODE))?;
    write_new(&page, &filled(PAGE))?;
    Ok(format!(
        "wrote {}\nwrote {}\n\n{}",
        code.display(),
        page.display(),
        filled(NEXT)
    ))
}

/// Lower-case words joined by hyphens, at least two: the subject, then its defect.
fn check_id(id: &str) -> Result<(), String> {
    let mut words = id.split('-');
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_sound = words.next().is_some_and(is_word)
        && id.contains('-')
        && words.all(|word| is_word(word) || is_number(word));
    if is_sound {
        Ok(())
    } else {
        Err(format!(
            "`{id}` is no rule id: lower-case words joined by `-` that name the defect, as `shard-missing`"
        ))
    }
}

fn write_new(path: &Path, text: &str) -> Result<(), String> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_begins_with_two_files_and_never_overwrites() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let told = create(dir.path(), "head-missing").expect("written");
        assert!(told.contains("`mod head_missing;`"), "{told}");
        let read = |name| std::fs::read_to_string(dir.path().join(name)).expect(name);
        let code = read("head_missing.rs");
        assert!(code.contains("id: \"head-missing\",\n"), "{code}");
        assert!(code.contains("include_str!(\"head_missing.md\")"), "{code}");
        assert!(read("head_missing.md").starts_with("# head-missing\n"));
        let again = create(dir.path(), "head-missing").expect_err("must not overwrite");
        assert!(again.contains("already there"), "{again}");
    }

    #[test]
    fn ids_are_kebab_case() {
        for id in [
            "shard-missing",
            "transformers-5-config",
            "architecture-not-causal-lm",
        ] {
            assert_eq!(check_id(id), Ok(()));
        }
        for id in [
            "",
            "shard",
            "Shard-missing",
            "shard_missing",
            "-missing",
            "shard-",
            "shard--missing",
            "5-shards",
            "../x-y",
        ] {
            assert!(check_id(id).is_err(), "{id}");
        }
    }
}
