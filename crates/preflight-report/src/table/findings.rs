//! What the rules found: what fails with its remedy, what is not known, warnings, notes, and in a
//! few words what passed.

use preflight_rules::report::{Finding, Level, ModelReport, Outcome, RuleRow, Target};

use super::screen::{MESSAGE_MAX, Screen, short};
use crate::text::{Keep, columns};
use crate::told;
use crate::units::{counted, length};

/// Findings of one rule shown without `verbose`.
const FINDINGS_SHOWN: usize = 5;
/// Notes of all rules shown without `verbose`.
const NOTES_SHOWN: usize = 4;

pub(super) fn write(screen: &mut Screen, model: &ModelReport) {
    let told = told::rows(model);
    let of = |is_of: &dyn Fn(&RuleRow) -> bool| -> Vec<&RuleRow> {
        told.iter().copied().filter(|row| is_of(row)).collect()
    };
    let failed = of(&|row| row.outcome == Outcome::Fail);
    let unknown = of(&|row| row.outcome == Outcome::Unknown && row.level == Level::Error);
    let warned = of(&|row| row.outcome != Outcome::Fail && row.level == Level::Warning);
    write_section(screen, model, "Fails", &failed);
    write_section(screen, model, "Not known, so not decided", &unknown);
    write_section(screen, model, "Warnings", &warned);
    write_notes(screen, model);
    write_ignored(screen, model);
    write_quiet(screen, model);
}

fn write_section(screen: &mut Screen, model: &ModelReport, title: &str, rows: &[&RuleRow]) {
    if rows.is_empty() {
        return;
    }
    screen.heading(title);
    for (at, row) in rows.iter().enumerate() {
        // One file that could not be read leaves many rules without an answer, for one reason.
        let same = |other: &&&RuleRow| is_same_gap(row, other);
        if rows[..at].iter().any(|before| same(&before)) {
            continue;
        }
        let alike = rows[at..].iter().filter(same);
        let titles: Vec<String> = alike.map(|alike| told::title(model, alike)).collect();
        screen.paragraph("  ", &titles.join(", "), Keep::Words);
        write_findings(screen, row);
        if !row.help.is_empty() {
            screen.paragraph("    fix: ", &row.help, Keep::Quoted);
        }
    }
}

/// Whether two rows are one to a reader: the same row, or two without an answer for the same reason.
fn is_same_gap(one: &RuleRow, other: &RuleRow) -> bool {
    let is_gap = one.outcome == Outcome::Unknown && other.outcome == Outcome::Unknown;
    std::ptr::eq(one, other) || is_gap && one.findings == other.findings
}

fn write_findings(screen: &mut Screen, row: &RuleRow) {
    let shown = screen.at_most(FINDINGS_SHOWN);
    let findings: Vec<&Finding> = row.findings.iter().take(shown).collect();
    if findings.is_empty() {
        screen.paragraph("    ", row.summary, Keep::Words);
    }
    let before = if row.findings.len() > 1 {
        "    - "
    } else {
        "    "
    };
    let all_at = findings.first().and_then(|first| told::place(first));
    if findings.len() > 1
        && findings
            .iter()
            .all(|finding| told::place(finding) == all_at)
    {
        for finding in &findings {
            screen.paragraph(before, &short(&finding.message, MESSAGE_MAX), Keep::Words);
        }
        if let Some(place) = all_at {
            screen.whole(&format!("    all at {place}"));
        }
    } else {
        for finding in &findings {
            write_finding(screen, before, &finding.message, told::place(finding));
        }
    }
    let left = row.findings.len() - findings.len() + row.more_findings;
    if left > 0 {
        screen.paragraph("    ", &format!("and {left} more"), Keep::Words);
    }
}

/// The message, and its place behind it or, where that is too long, on a line of its own.
fn write_finding(screen: &mut Screen, before: &str, message: &str, place: Option<String>) {
    let message = short(message, MESSAGE_MAX);
    let Some(place) = place else {
        return screen.paragraph(before, &message, Keep::Words);
    };
    let indent = columns(before);
    let line = format!("{message}, at {place}");
    if indent + columns(&line) <= screen.width() {
        screen.paragraph(before, &line, Keep::Words);
    } else {
        screen.paragraph(before, &message, Keep::Words);
        screen.whole(&format!("{:indent$}at {place}", ""));
    }
}

/// What rules at level note found, and what others remark.
fn write_notes(screen: &mut Screen, model: &ModelReport) {
    let notes = told::notes(model);
    if notes.is_empty() {
        return;
    }
    let shown = screen.at_most(NOTES_SHOWN);
    screen.heading("Notes");
    for (id, note) in notes.iter().take(shown) {
        let text = format!("{id}: {}", note.message);
        write_finding(screen, "- ", &text, told::place(note));
    }
    if notes.len() > shown {
        let left = notes.len() - shown;
        screen.paragraph("", &format!("and {left} more"), Keep::Words);
    }
}

fn write_ignored(screen: &mut Screen, model: &ModelReport) {
    let ignored: Vec<_> = model
        .rules
        .iter()
        .filter_map(|row| Some((row, row.ignored.as_deref()?)))
        .collect();
    if ignored.is_empty() {
        return;
    }
    screen.heading("Ignored");
    for (row, reason) in ignored {
        let text = format!(
            "{} ({}): {reason}",
            told::title(model, row),
            row.outcome.as_str()
        );
        screen.paragraph("- ", &text, Keep::Words);
    }
}

/// What needs no attention: what passed by name, what was skipped by number.
fn write_quiet(screen: &mut Screen, model: &ModelReport) {
    let of = |outcome: Outcome| -> Vec<&RuleRow> {
        model
            .rules
            .iter()
            .filter(|row| row.ignored.is_none() && row.outcome == outcome)
            .collect()
    };
    let (passed, skipped) = (of(Outcome::Pass), of(Outcome::Skip));
    if passed.is_empty() && skipped.is_empty() {
        return;
    }
    let names = titles(model, &passed);
    let passing = format!("{} passed", counted(length(&names), "rule"));
    let skipping = match titles(model, &skipped).len() {
        0 => String::new(),
        many => format!(" ({many} skipped)"),
    };
    let colon = if names.is_empty() { "" } else { ": " };
    let text = format!("{passing}{skipping}{colon}{}", names.join(", "));
    screen.blank();
    screen.paragraph("", &text, Keep::Words);
    if screen.is_verbose() {
        for row in skipped {
            let why = row
                .findings
                .first()
                .map_or("does not apply", |finding| finding.message.as_str());
            let text = format!("skipped {}: {why}", told::title(model, row));
            screen.paragraph("- ", &text, Keep::Words);
        }
    }
}

/// One title a rule: two rows of a rule that ended alike, at different levels, are one to a reader.
fn titles(model: &ModelReport, rows: &[&RuleRow]) -> Vec<String> {
    let mut ids: Vec<&str> = vec![];
    for row in rows {
        if !ids.contains(&row.id) {
            ids.push(row.id);
        }
    }
    ids.into_iter()
        .map(|id| {
            let of_rule = rows.iter().filter(|row| row.id == id);
            let mut targets: Vec<Target> = of_rule
                .flat_map(|row| row.targets.iter().copied())
                .collect();
            targets.sort_unstable();
            let is_all = targets.len() == model.verdicts.len();
            if is_all {
                id.into()
            } else {
                format!("{id} ({})", told::names(&targets))
            }
        })
        .collect()
}
