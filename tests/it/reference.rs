//! `docs/command-line.md` is the program's own help. `UPDATE_GOLDEN=1` writes it anew.

use std::fmt::Write as _;
use std::fs;

use crate::program::{Program, root};

const PAGE: &str = "docs/command-line.md";
const HEAD: &str = "\
<!-- Made by `UPDATE_GOLDEN=1 cargo test -p byom-preflight --test it reference` from the program's help -->
# The command line

What `byom-preflight help COMMAND` prints. MODEL, environment and exit codes: [the README](../README.md#use), [the Hub](hub.md), [S3](s3.md).
";

/// The help of a command and, below it, of those that it has.
fn describe(command: &[&str], page: &mut String) {
    let answer = Program::new().args(command).arg("--help").run();
    assert_eq!(
        (answer.code, answer.stderr.as_str()),
        (0, ""),
        "{command:?}"
    );
    let help = answer.stdout.lines().map(str::trim_end);
    let help = help.collect::<Vec<_>>().join("\n") + "\n";
    let name = [&["byom-preflight"], command].concat().join(" ");
    write!(page, "\n## {name}\n\n```text\n{help}```\n").unwrap();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| !line.is_empty()) {
        // The name stands two columns in; a description that goes on stands further.
        let inner = line
            .strip_prefix("  ")
            .filter(|line| !line.starts_with(' '));
        let inner = inner.and_then(|line| line.split_whitespace().next());
        if let Some(inner) = inner.filter(|name| *name != "help") {
            describe(&[command, &[inner]].concat(), page);
        }
    }
}

#[test]
fn the_page_is_what_the_program_prints() {
    let mut page = HEAD.to_owned();
    describe(&[], &mut page);
    for command in ["check", "cache clear", "completions"] {
        assert!(
            page.contains(&format!("\n## byom-preflight {command}\n")),
            "{command}"
        );
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(root().join(PAGE), &page).unwrap();
    }
    let written = fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    assert_eq!(written, page, "`UPDATE_GOLDEN=1` writes {PAGE} anew");
}
