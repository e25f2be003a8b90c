//! SARIF 2.1.0, for code scanning: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.
//! GitHub reads a part of it and refuses a whole file for one result without a relative path
//! (<https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support>).
//!
//! A result's level is the rule's level for that target, whether it fails or is not known: where no result
//! of level error is left, no target fails or is undecided by a rule. What the user ignores is no result, for code
//! scanning knows no suppressions and makes open alerts of them (<https://github.com/github/codeql-action/issues/1230>);
//! it stands in the properties of the run.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::io::{self, Write};

use preflight_rules::report::{ModelReport, Outcome, Report, Target};
use preflight_rules::{RULES, Rule};
use serde::Serialize;

use crate::checkout::Checkout;
use crate::problem::{Problem, problems};
use crate::{escape, page, words};

const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
/// Where the pages are read.
const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/");
/// Most results of a run: GitHub refuses a file with more, and shows 5000 of them. Source:
/// <https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/troubleshoot-sarif-uploads/results-exceed-limit>.
const RESULTS_MAX: usize = 25_000;
/// Columns of the help in plain text.
const HELP_WIDTH: usize = 100;

/// Writes the report as one SARIF log with one run.
pub fn write(report: &Report, checkout: &Checkout, out: &mut dyn Write) -> io::Result<()> {
    let mut problems = problems(report, checkout);
    let left_out = problems.len().saturating_sub(RESULTS_MAX);
    if left_out > 0 {
        problems.sort_by_key(|problem| {
            let row = problem.row;
            let is_failed = row.outcome == Outcome::Fail;
            (Reverse(row.level), !is_failed)
        });
        problems.truncate(RESULTS_MAX);
    }
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "byom-preflight",
                    semantic_version: report.tool_version,
                    information_uri: REPOSITORY,
                    rules: RULES.iter().map(|rule| Descriptor::new(rule)).collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            results: problems.iter().map(SarifResult::new).collect(),
            invocations: (left_out > 0).then(|| [Invocation::leaving_out(left_out)]),
            properties: RunProperties::new(report),
        }],
    };
    let json = serde_json::to_string_pretty(&log)?;
    writeln!(out, "{}", escape::in_json(json))
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    column_kind: &'static str,
    results: Vec<SarifResult<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invocations: Option<[Invocation; 1]>,
    properties: RunProperties<'a>,
}

/// What the run has to say besides its results.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: [Notification; 1],
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Text,
}

impl Invocation {
    fn leaving_out(results: usize) -> Self {
        Self {
            execution_successful: true,
            tool_execution_notifications: [Notification {
                level: "warning",
                message: Text {
                    text: format!(
                        "{results} results are left out, those of the least weight: code scanning takes {RESULTS_MAX}. Check fewer models at once, or read the JSON report."
                    ),
                },
            }],
        }
    }
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'static str,
    semantic_version: &'a str,
    information_uri: &'static str,
    rules: Vec<Descriptor>,
}

/// A rule, from its page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Text,
    full_description: Text,
    help: Help,
    help_uri: String,
    properties: Tags,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct Tags {
    tags: [&'static str; 1],
}

impl Descriptor {
    fn new(rule: &Rule) -> Self {
        let help = help(rule.docs);
        Self {
            id: rule.id,
            short_description: Text {
                text: sentence(rule.summary),
            },
            full_description: Text {
                text: format!(
                    "{} To fix it: {}",
                    sentence(rule.summary),
                    sentence(rule.fix)
                ),
            },
            help: Help {
                text: page::plain(&help, HELP_WIDTH),
                markdown: help,
            },
            help_uri: format!("{PAGES}rules/{}.md", rule.id),
            properties: Tags {
                tags: [rule.category.as_str()],
            },
        }
    }
}

/// What a rule's page says to people: without its title, which the viewer shows, and its examples,
/// which are tests; with links that work elsewhere.
fn help(page: &str) -> String {
    let body = page.split_once('\n').map_or(page, |(_, body)| body);
    let prose = body.split("\n## Examples").next().unwrap_or(body);
    let mut text = String::with_capacity(prose.len());
    for (at, piece) in prose.trim().split("](").enumerate() {
        if at > 0 {
            text.push_str("](");
            if !piece.starts_with("http") {
                text.push_str(PAGES);
                text.push_str(if piece.starts_with("../") {
                    ""
                } else {
                    "rules/"
                });
            }
        }
        text.push_str(piece.strip_prefix("../").unwrap_or(piece));
    }
    text
}

/// A fragment as a sentence, which viewers expect.
fn sentence(fragment: &str) -> String {
    let mut chars = fragment.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}.", chars.as_str())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'static str,
    level: &'static str,
    message: Text,
    locations: [Place; 1],
    partial_fingerprints: Fingerprints<'a>,
    properties: ResultProperties<'a>,
}

impl<'a> SarifResult<'a> {
    fn new(problem: &'a Problem<'a>) -> Self {
        let row = problem.row;
        let mut text = problem.message.clone();
        if !problem.help.is_empty() {
            text.push_str("\nfix: ");
            text.push_str(&problem.help);
        }
        Self {
            rule_id: row.id,
            level: row.level.as_str(),
            message: Text { text: plain(&text) },
            locations: [Place::new(problem)],
            partial_fingerprints: Fingerprints {
                primary_location_line_hash: &problem.fingerprint,
            },
            properties: ResultProperties {
                model: &problem.model.input,
                targets: row.targets.iter().map(|target| target.as_str()).collect(),
                outcome: row.outcome.as_str(),
                path: problem.finding.and_then(|finding| finding.path.as_deref()),
                pointer: problem
                    .finding
                    .and_then(|finding| finding.pointer.as_deref()),
            },
        }
    }
}

/// A text of which nothing is taken for a link (section 3.11.6) or a placeholder (3.11.5). Only such
/// texts are changed: not every viewer takes the escapes back.
fn plain(text: &str) -> String {
    let mut plain = text.to_owned();
    if plain.contains("](") {
        plain = plain.replace('[', "\\[").replace(']', "\\]");
    }
    let is_placeholder = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    if plain.split('{').skip(1).any(is_placeholder) {
        plain = plain.replace('{', "{{").replace('}', "}}");
    }
    plain
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    physical_location: PhysicalLocation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
}

impl Place {
    fn new(problem: &Problem<'_>) -> Self {
        Self {
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation {
                    uri: uri(&problem.place.path),
                },
                region: Region {
                    start_line: problem.place.line,
                    start_column: problem.place.column,
                },
            },
        }
    }
}

/// A relative path as a URI reference (RFC 3986): all but unreserved characters and `/` in percent.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// GitHub matches alerts by this one alone, and computes it from the line's text where it is not
/// given, which would make one of all problems of a rule that have no line of their own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fingerprints<'a> {
    primary_location_line_hash: &'a str,
}

#[derive(Serialize)]
struct ResultProperties<'a> {
    model: &'a str,
    targets: Vec<&'static str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
}

/// What the results do not say: the verdict of each model, and what the user ignores.
#[derive(Serialize)]
struct RunProperties<'a> {
    policy: &'a str,
    /// Date of the base models.
    catalog: &'a str,
    /// Date and origin of the hardware, where it is not from where the base models are.
    #[serde(skip_serializing_if = "Option::is_none")]
    hardware: Option<String>,
    models: Vec<ModelProperties<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<Ignored<'a>>,
}

/// A rule that is set aside, with the reason.
#[derive(Serialize)]
struct Ignored<'a> {
    model: &'a str,
    rule: &'static str,
    targets: Vec<&'static str>,
    outcome: &'static str,
    reason: &'a str,
}

impl<'a> Ignored<'a> {
    fn of(model: &'a ModelReport) -> impl Iterator<Item = Self> {
        model.rules.iter().filter_map(|row| {
            Some(Self {
                model: &model.input,
                rule: row.id,
                targets: row.targets.iter().map(|target| target.as_str()).collect(),
                outcome: row.outcome.as_str(),
                reason: row.ignored.as_deref()?,
            })
        })
    }
}

#[derive(Serialize)]
struct ModelProperties<'a> {
    model: &'a str,
    upload: Option<&'static str>,
    #[serde(rename = "fine-tune")]
    fine_tune: Option<&'static str>,
}

impl<'a> RunProperties<'a> {
    fn new(report: &'a Report) -> Self {
        let verdict = |model: &ModelReport, wanted: Target| {
            let found = model.verdicts.iter().find(|(target, _)| *target == wanted);
            found.map(|(_, verdict)| verdict.as_str())
        };
        Self {
            policy: &report.policy.0,
            catalog: &report.catalog.as_of,
            hardware: words::elsewhere(&report.catalog)
                .map(|hardware| format!("{} ({})", hardware.as_of, hardware.origin)),
            models: report
                .models
                .iter()
                .map(|model| ModelProperties {
                    model: &model.input,
                    upload: verdict(model, Target::Upload),
                    fine_tune: verdict(model, Target::FineTune),
                })
                .collect(),
            ignored: report.models.iter().flat_map(Ignored::of).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_uri_reference() {
        assert_eq!(uri("models/a b/config.json"), "models/a%20b/config.json");
        assert_eq!(uri("h:1/ü#%?[x]"), "h%3A1/%C3%BC%23%25%3F%5Bx%5D");
    }

    #[test]
    fn nothing_in_a_message_is_a_link_or_a_placeholder() {
        assert_eq!(plain("[click](https://evil)"), "\\[click\\](https://evil)");
        assert_eq!(plain("{0} of {x}"), "{{0}} of {{x}}");
        let harmless = r#"`rope_scaling` is `{"factor": [8.0]}`"#;
        assert_eq!(plain(harmless), harmless);
    }

    #[test]
    fn help_is_prose_with_links_that_work() {
        for rule in RULES {
            let help = help(rule.docs);
            assert!(
                help.contains("## How to fix it") && !help.contains("```repo"),
                "{}",
                rule.id
            );
            for piece in help.split("](").skip(1) {
                assert!(piece.starts_with("https://"), "{}: {piece}", rule.id);
            }
        }
    }
}
