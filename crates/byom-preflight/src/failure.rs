//! Exit codes, and the one place that prints why there is no report.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use preflight_rules::report::Verdict;

use crate::progress;

/// All verdicts are pass.
pub(crate) const PASS: u8 = 0;
/// A verdict is fail.
pub(crate) const FAIL: u8 = 1;
/// The command line is wrong.
pub(crate) const USAGE: u8 = 2;
/// Something could not be read or is not known.
pub(crate) const UNDECIDED: u8 = 3;

/// The exit code of a run's worst verdict.
pub(crate) fn code_of(verdict: Verdict, exit_zero: bool) -> u8 {
    match verdict {
        Verdict::Pass => PASS,
        Verdict::Fail if exit_zero => PASS,
        Verdict::Fail => FAIL,
        Verdict::Undecided => UNDECIDED,
    }
}

/// Why a command ended without a result.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    /// Whether the message is several lines of ours; else a line end in it is a file's or a server's.
    has_lines: bool,
}

impl Failure {
    /// The user has to change the command line.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self {
            code: USAGE,
            message: message.to_string(),
            has_lines: false,
        }
    }

    /// The same for what is wrong inside a file, with the line and a caret under it.
    pub(crate) fn usage_with_lines(message: impl fmt::Display) -> Self {
        Self {
            has_lines: true,
            ..Self::usage(message)
        }
    }

    /// Something could not be read or written.
    pub(crate) fn undecided(message: impl fmt::Display) -> Self {
        Self {
            code: UNDECIDED,
            message: message.to_string(),
            has_lines: false,
        }
    }

    /// Prints the message and yields the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        self.tell();
        ExitCode::from(self.code)
    }

    /// Prints the message.
    pub(crate) fn tell(&self) {
        if !self.has_lines {
            return say(&format!("error: {}", self.message));
        }
        for (at, line) in self.message.lines().enumerate() {
            // A tab is one character to whoever placed the caret.
            let line = line.replace('\t', " ");
            say(&if at == 0 {
                format!("error: {line}")
            } else {
                line
            });
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<preflight_source::Error> for Failure {
    fn from(error: preflight_source::Error) -> Self {
        if error.is_usage() {
            Self::usage(error)
        } else {
            Self::undecided(error)
        }
    }
}

/// A line for the user that is not part of the result. A closed stderr is nobody's business.
pub(crate) fn say(line: &str) {
    let mut stderr = io::stderr().lock();
    progress::erase_from(&mut stderr);
    let _ = writeln!(
        stderr,
        "{}",
        preflight_report::escape::for_terminal(line, 4000)
    );
}
