//! Code Quality of GitLab, shown in merge requests:
//! <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>. An array of problems, so
//! a model that passes is an empty one.

use std::io::{self, Write};

use preflight_rules::report::{Level, Outcome, Report};
use serde::Serialize;

use crate::checkout::Checkout;
use crate::escape;
use crate::problem::{Problem, problems};

/// Writes the report as one JSON array.
pub fn write(report: &Report, checkout: &Checkout, out: &mut dyn Write) -> io::Result<()> {
    let problems = problems(report, checkout);
    let all: Vec<Quality> = problems.iter().map(Quality::new).collect();
    let json = serde_json::to_string_pretty(&all)?;
    writeln!(out, "{}", escape::in_json(json))
}

#[derive(Serialize)]
struct Quality<'a> {
    description: String,
    check_name: &'static str,
    fingerprint: &'a str,
    severity: &'static str,
    location: Place<'a>,
}

#[derive(Serialize)]
struct Place<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

impl<'a> Quality<'a> {
    fn new(problem: &'a Problem<'a>) -> Self {
        let mut description = problem.message.clone();
        if !problem.help.is_empty() {
            description.push_str("; fix: ");
            description.push_str(&problem.help);
        }
        Self {
            description,
            check_name: problem.row.id,
            fingerprint: &problem.fingerprint,
            severity: match (problem.row.level, problem.row.outcome) {
                (Level::Error, Outcome::Unknown) => "major",
                (Level::Error, _) => "critical",
                (Level::Warning, _) => "minor",
                (Level::Note, _) => "info",
            },
            location: Place {
                path: &problem.place.path,
                lines: Lines {
                    begin: problem.place.line,
                },
            },
        }
    }
}
