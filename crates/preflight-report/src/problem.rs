//! What annotations and alerts are made of: one for each thing found that is told, with its place in
//! the checkout and a fingerprint, so that the next run's is known as the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use preflight_rules::report::{Finding, Level, ModelReport, Outcome, Report, RuleRow};
use sha1::{Digest as _, Sha1};

use crate::checkout::{Checkout, Location};
use crate::escape::for_terminal;
use crate::told::{self, Names};

/// Most characters of a message that may quote a repository.
const MESSAGE_MAX: usize = 500;
/// Most characters of a model's name.
const NAME_MAX: usize = 140;
/// Most characters of a remedy, which may hold a command with names in it.
const HELP_MAX: usize = 4_000;

/// One thing that was found, for one model.
pub(crate) struct Problem<'a> {
    pub(crate) model: &'a ModelReport,
    pub(crate) row: &'a RuleRow,
    /// What was found; a row without findings is told by its summary.
    pub(crate) finding: Option<&'a Finding>,
    /// The rule's id and the targets.
    pub(crate) title: String,
    /// One line, without anything that deceives.
    pub(crate) message: String,
    /// What to do, one line; may be empty.
    pub(crate) help: String,
    /// Where it stands in the checkout.
    pub(crate) place: Location,
    /// The same for the same problem in every run, whatever its line; no two of a report are equal.
    pub(crate) fingerprint: String,
}

/// Everything that is told, model by model, what decides first.
pub(crate) fn problems<'a>(report: &'a Report, checkout: &Checkout) -> Vec<Problem<'a>> {
    let names = Names::new(report);
    let mut problems = Vec::new();
    let mut seen = BTreeMap::new();
    for model in &report.models {
        for row in rows(model) {
            let findings = row.findings.iter().map(Some);
            let nothing = row.findings.is_empty().then_some(None);
            for (at, finding) in findings.chain(nothing).enumerate() {
                let is_last = at + 1 >= row.findings.len();
                let fingerprint = fingerprint(checkout, model, row, finding, &mut seen);
                problems.push(Problem {
                    model,
                    row,
                    finding,
                    title: told::title(model, row),
                    message: message(checkout, names.of(model), model, row, finding, is_last),
                    help: for_terminal(&row.help, HELP_MAX),
                    place: checkout.place(model, finding),
                    fingerprint,
                });
            }
        }
    }
    problems
}

/// The rows in the order of their weight.
fn rows(model: &ModelReport) -> Vec<&RuleRow> {
    let mut rows = told::rows(model);
    let notes = |row: &&RuleRow| {
        row.level == Level::Note && row.outcome == Outcome::Warn && row.ignored.is_none()
    };
    rows.extend(model.rules.iter().filter(notes));
    rows.sort_by_key(|row| (row.outcome != Outcome::Fail, std::cmp::Reverse(row.level)));
    rows
}

/// What was found, and where, where the place does not say it.
fn message(
    checkout: &Checkout,
    name: &str,
    model: &ModelReport,
    row: &RuleRow,
    finding: Option<&Finding>,
    is_last: bool,
) -> String {
    let found = finding.map_or(row.summary, |finding| &finding.message);
    let mut text = for_terminal(found, MESSAGE_MAX);
    if row.outcome == Outcome::Unknown {
        text.insert_str(0, "not known: ");
    }
    let place = finding.and_then(told::place);
    if checkout.is_own(model) {
        let is_elsewhere = finding.is_some_and(|finding| !checkout.is_of(model, finding));
        if let Some(place) = place.filter(|place| is_elsewhere && !text.contains(place)) {
            // Writing to a string cannot fail.
            let _ = write!(text, " ({place})");
        }
    } else {
        let place = place.map_or_else(String::new, |place| format!("{place} of "));
        let _ = write!(text, " ({place}{})", for_terminal(name, NAME_MAX));
    }
    if is_last && row.more_findings > 0 {
        let _ = write!(text, ", and {} more", row.more_findings);
    }
    text
}

/// SHA-1 in hexadecimal, which is for telling apart and protects nothing.
fn fingerprint(
    checkout: &Checkout,
    model: &ModelReport,
    row: &RuleRow,
    finding: Option<&Finding>,
    seen: &mut BTreeMap<String, u32>,
) -> String {
    let home = checkout.home(model);
    let path = finding.and_then(|finding| finding.path.as_deref());
    let pointer = finding.and_then(|finding| finding.pointer.as_deref());
    // Why something is not known is another thing on another machine: a timeout, the path of a cache.
    let is_unknown = row.outcome == Outcome::Unknown;
    let found = finding.filter(|_| !is_unknown);
    let message = found.map(|finding| finding.message.as_str());
    let mut parts = vec![home.as_str(), row.id];
    parts.extend([path, pointer, message].map(Option::unwrap_or_default));
    let first = digest(&parts);
    let count = seen.entry(first.clone()).or_default();
    *count += 1;
    if *count == 1 {
        return first;
    }
    digest(&[first.as_str(), &count.to_string()])
}

/// A digest of texts, each with its length before it, so that no two lists of them are alike.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
