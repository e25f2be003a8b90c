//! Workflow commands of GitHub Actions, which become annotations of the lines of a pull request:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>. GitHub shows the
//! first ten of each kind a step, so what decides comes first.

use std::io::{self, Write};

use preflight_rules::report::{Level, Report};

use crate::checkout::Checkout;
use crate::escape::for_terminal;
use crate::problem::{Problem, problems};

/// Most characters of the verdict.
const MESSAGE_MAX: usize = 500;

/// Writes one command a line, and first one that says the verdict of all: behind ten notices it would not be
/// shown. What a rule found at one place is one annotation.
pub fn write(report: &Report, checkout: &Checkout, out: &mut dyn Write) -> io::Result<()> {
    let message = for_terminal(&report.message, MESSAGE_MAX);
    writeln!(out, "::notice title=byom-preflight::{}", data(&message))?;
    let problems = problems(report, checkout);
    let alike = |one: &Problem<'_>, other: &Problem<'_>| {
        std::ptr::eq(one.row, other.row) && one.place == other.place
    };
    for found in problems.chunk_by(alike) {
        let messages = found.iter().map(|problem| problem.message.as_str());
        let mut lines: Vec<&str> = messages.collect();
        let first = &found[0];
        let fix = format!("fix: {}", first.help);
        lines.extend((!first.help.is_empty()).then_some(fix.as_str()));
        let column = first.place.column;
        let column = column.map_or_else(String::new, |column| format!(",col={column}"));
        writeln!(
            out,
            "::{} file={},line={}{column},title={}::{}",
            match first.row.level {
                Level::Error => "error",
                Level::Warning => "warning",
                Level::Note => "notice",
            },
            property(&for_terminal(&first.place.path, usize::MAX)),
            first.place.line,
            property(&first.title),
            data(&lines.join("\n"))
        )?;
    }
    Ok(())
}

/// The text of a command, escaped as the runner undoes it. Source: `escapeData` of
/// <https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts>.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property of a command: `escapeProperty` there.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_cannot_be_ended_or_begun_inside() {
        assert_eq!(data("50%\r\n::error::x"), "50%25%0D%0A::error::x");
        assert_eq!(property("a,line=1::b\n%"), "a%2Cline=1%3A%3Ab%0A%25");
    }
}
