//! `JUnit` XML, for the test reports of CI systems. One suite a model, one case a rule and target. There is
//! no standard; this is valid against the schemas of Jenkins (`jenkins-junit.xsd`, and `junit-10.xsd` of
//! <https://github.com/jenkinsci/xunit-plugin>; `tests/outside/formats.py` holds it against both), and has what Ant's
//! (`JUnit.xsd` of <https://github.com/windyroad/JUnit-Schema>) demands, but that older copies of it know no
//! `skipped`. Warnings stand in the suite's output: Ant's has no place for them in a case.
//!
//! A case fails or errs where it keeps a verdict from being pass, and only there.

use std::io::{self, Write};

use preflight_rules::report::{
    Finding, Level, ModelReport, Outcome, Report, RuleRow, Target, Verdict,
};

use crate::markup::Markup;
use crate::told::Names;
use crate::{told, words};

/// The schema of Ant demands a time; this one says that none is known.
const NO_TIME: &str = "1970-01-01T00:00:00";
/// `2026-09-01T00:00:00` without a time zone, which that schema forbids.
const TIME_LENGTH: usize = NO_TIME.len();

/// Writes the report as one `testsuites` element.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut xml = Markup::default();
    xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let names = Names::new(report);
    for (at, model) in report.models.iter().enumerate() {
        write_suite(&mut xml, at, names.of(model), report, model);
    }
    xml.raw("</testsuites>\n");
    out.write_all(xml.finish().as_bytes())
}

/// How a case ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    Erred,
    Skipped,
}

struct Case<'a> {
    row: &'a RuleRow,
    target: Target,
    end: End,
}

fn cases(model: &ModelReport) -> Vec<Case<'_>> {
    let mut cases = Vec::new();
    for &(target, verdict) in &model.verdicts {
        let failing: Vec<&str> = match verdict {
            Verdict::Fail => told::deciding(model, target, verdict),
            _ => vec![],
        }
        .iter()
        .map(|row| row.id)
        .collect();
        for row in model
            .rules
            .iter()
            .filter(|row| row.targets.contains(&target))
        {
            let end = match row.outcome {
                _ if row.ignored.is_some() => End::Skipped,
                Outcome::Fail => End::Failed,
                Outcome::Warn if failing.contains(&row.id) => End::Failed,
                Outcome::Unknown if row.level == Level::Error => End::Erred,
                Outcome::Unknown | Outcome::Skip => End::Skipped,
                Outcome::Warn | Outcome::Pass => End::Passed,
            };
            cases.push(Case { row, target, end });
        }
    }
    cases
}

fn write_suite(xml: &mut Markup, at: usize, name: &str, report: &Report, model: &ModelReport) {
    let cases = cases(model);
    let count = |end: End| cases.iter().filter(|case| case.end == end).count();
    let observed = model.observed_at.as_deref().unwrap_or_default();
    let is_time = observed.len() > TIME_LENGTH && observed.is_ascii();
    let timestamp = observed
        .get(..TIME_LENGTH)
        .filter(|_| is_time)
        .unwrap_or(NO_TIME);
    let seconds = format!("{:.3}", model.cost.seconds);
    xml.raw("  <testsuite")
        .attribute("name", name)
        .attribute("package", "byom-preflight")
        .attribute("id", at)
        .attribute("hostname", "localhost")
        .attribute("timestamp", timestamp)
        .attribute("tests", cases.len())
        .attribute("failures", count(End::Failed))
        .attribute("errors", count(End::Erred))
        .attribute("skipped", count(End::Skipped))
        .attribute("time", &seconds)
        .raw(">\n    <properties>\n");
    write_property(xml, "model", &model.input);
    write_property(xml, "commit", model.commit.as_deref().unwrap_or_default());
    write_property(xml, "policy", &report.policy.0);
    write_property(xml, "catalog", &report.catalog.as_of);
    if let Some(hardware) = words::elsewhere(&report.catalog) {
        let hardware = format!("{} ({})", hardware.as_of, hardware.origin);
        write_property(xml, "hardware", &hardware);
    }
    for (target, verdict) in &model.verdicts {
        write_property(xml, target.as_str(), verdict.as_str());
    }
    xml.raw("    </properties>\n");
    for case in &cases {
        write_case(xml, name, case);
    }
    xml.raw("    <system-out>");
    write_output(xml, model);
    xml.raw("</system-out>\n    <system-err></system-err>\n  </testsuite>\n");
}

fn write_property(xml: &mut Markup, name: &str, value: &str) {
    xml.raw("      <property")
        .attribute("name", name)
        .attribute("value", value)
        .raw("/>\n");
}

fn write_case(xml: &mut Markup, name: &str, case: &Case<'_>) {
    let row = case.row;
    xml.raw("    <testcase")
        .attribute("name", row.id)
        // Viewers group by what stands before the last dot.
        .attribute("classname", format_args!("{name}.{}", case.target.as_str()))
        .attribute("time", 0);
    match case.end {
        End::Passed => {
            xml.raw("/>\n");
        }
        End::Failed => {
            xml.raw("><failure");
            write_why(xml, row, row.level.as_str());
            xml.raw("</failure></testcase>\n");
        }
        End::Erred => {
            xml.raw("><error");
            write_why(xml, row, "unknown");
            xml.raw("</error></testcase>\n");
        }
        End::Skipped => {
            let (why, found) = match (&row.ignored, row.outcome) {
                (Some(reason), _) => ("ignored: ", reason.as_str()),
                (None, Outcome::Unknown) => ("not known: ", first(row)),
                (None, _) => ("", first(row)),
            };
            xml.raw("><skipped>")
                .raw(why)
                .text(found)
                .raw("</skipped></testcase>\n");
        }
    }
}

fn first(row: &RuleRow) -> &str {
    row.findings
        .first()
        .map_or(row.summary, |finding| &finding.message)
}

/// The first finding as the message, all of them and the remedy as the text.
fn write_why(xml: &mut Markup, row: &RuleRow, kind: &str) {
    xml.attribute("type", kind)
        .attribute("message", first(row))
        .raw(">");
    for finding in &row.findings {
        write_finding(xml, finding);
        xml.raw("\n");
    }
    if row.more_findings > 0 {
        xml.raw("and ").text(row.more_findings).raw(" more\n");
    }
    if !row.help.is_empty() {
        xml.raw("fix: ").text(&row.help).raw("\n");
    }
}

fn write_finding(xml: &mut Markup, finding: &Finding) {
    xml.text(&finding.message);
    if let Some(place) = told::place(finding) {
        xml.raw(", at ").text(place);
    }
}

/// The verdict, and the warnings that fail nothing.
fn write_output(xml: &mut Markup, model: &ModelReport) {
    xml.text(&model.message).raw("\n");
    for row in told::rows(model)
        .iter()
        .filter(|row| row.outcome == Outcome::Warn)
    {
        for finding in &row.findings {
            xml.raw("warning: ").text(told::title(model, row)).raw(": ");
            write_finding(xml, finding);
            xml.raw("\n");
        }
        if row.findings.is_empty() {
            xml.raw("warning: ").text(told::title(model, row)).raw(": ");
            xml.text(row.summary).raw("\n");
        }
    }
}
