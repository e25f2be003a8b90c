//! What the rules found: what fails with its remedy, what is not known, warnings, notes, and in a
//! few words what passed.

use preflight_rules::report::{Finding, Level, ModelReport, Outcome, RuleRow, Target};

use super::screen::{NAME_MAX, Screen, short};
use crate::text::{Keep, columns};
use crate::units::{counted, length};

/// Findings of one rule shown without `verbose`.
const FINDINGS_SHOWN: usize = 5;
/// Notes of all rules shown without `verbose`.
const NOTES_SHOWN: usize = 4;

pub(super) fn write(screen: &mut Screen, model: &ModelReport) {
    let rows = |of: &dyn Fn(&RuleRow) -> bool| -> Vec<&RuleRow> {
        model.rules.iter().filter(|row| row.ignored.is_none() && of(row)).collect()
    };
    let failed = rows(&|row| row.outcome == Outcome::Fail);
    let unknown = rows(&|row| row.outcome == Outcome::Unknown && row.level == Level::Error);
    let warned = rows(&|row| {
        let tells = matches!(row.outcome, Outcome::Warn | Outcome::Unknown) && row.level == Level::Warning;
        tells && repeated(model, row).is_none()
    });
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
    for row in rows {
        screen.paragraph("  ", &title_of(model, row), Keep::Words);
        write_findings(screen, row);
        if !row.help.is_empty() {
            screen.paragraph("    fix: ", &row.help, Keep::Quoted);
        }
    }
}

/// The id, and which targets it is about where that is not all of them.
fn title_of(model: &ModelReport, row: &RuleRow) -> String {
    let mut remarks = vec![];
    if row.targets.len() < model.verdicts.len() {
        remarks.push(names(&row.targets));
    }
    if row.outcome == Outcome::Unknown && row.level == Level::Warning {
        remarks.push("not known".into());
    }
    for other in model.rules.iter().filter(|other| repeated(model, other).is_some_and(|fails| fails == row)) {
        remarks.push(format!("a warning for {}", names(&other.targets)));
    }
    match remarks.as_slice() {
        [] => row.id.into(),
        remarks => format!("{} ({})", row.id, remarks.join("; ")),
    }
}

/// The failing row that already tells all that this warning has to tell.
fn repeated<'a>(model: &'a ModelReport, warning: &RuleRow) -> Option<&'a RuleRow> {
    let fails = |row: &&RuleRow| row.outcome == Outcome::Fail && row.ignored.is_none();
    let same = |row: &&RuleRow| row.id == warning.id && row.findings == warning.findings;
    model.rules.iter().filter(fails).find(same).filter(|_| warning.outcome == Outcome::Warn)
}

fn write_findings(screen: &mut Screen, row: &RuleRow) {
    let shown = if screen.is_verbose() { usize::MAX } else { FINDINGS_SHOWN };
    if row.findings.is_empty() {
        screen.paragraph("    ", row.summary, Keep::Words);
    }
    for finding in row.findings.iter().take(shown) {
        write_finding(screen, "    ", finding);
    }
    let left = row.findings.len().saturating_sub(shown) + row.more_findings;
    if left > 0 {
        screen.paragraph("    ", &format!("and {left} more"), Keep::Words);
    }
}

/// The message, and its place behind it or, where that is too long, on a line of its own.
fn write_finding(screen: &mut Screen, before: &str, finding: &Finding) {
    let Some(place) = place(finding) else {
        return screen.paragraph(before, &finding.message, Keep::Words);
    };
    let message = short(&finding.message, usize::MAX);
    let line = format!("{message}, at {place}");
    if columns(before) + columns(&line) <= screen.width() {
        screen.paragraph(before, &line, Keep::Words);
    } else {
        screen.paragraph(before, &message, Keep::Words);
        screen.whole(&format!("{:indent$}at {place}", "", indent = columns(before)));
    }
}

/// `config.json:3:17`, which editors and terminals open, else `config.json#/rope_scaling`.
fn place(finding: &Finding) -> Option<String> {
    let path = short(finding.path.as_deref()?, PATH_MAX);
    Some(match (finding.line, finding.column, finding.pointer.as_deref()) {
        (Some(line), Some(column), _) => format!("{path}:{line}:{column}"),
        (Some(line), None, _) => format!("{path}:{line}"),
        (None, _, Some(pointer)) if !pointer.is_empty() => format!("{path}#{}", short(pointer, NAME_MAX)),
        _ => path,
    })
}

/// Most characters of a path: longer ones are an attack, the Hub's are far below.
const PATH_MAX: usize = 500;

/// What rules at level note found, and what others remark.
fn write_notes(screen: &mut Screen, model: &ModelReport) {
    let mut notes: Vec<(&str, &Finding)> = vec![];
    for row in model.rules.iter().filter(|row| row.ignored.is_none()) {
        let is_note = row.level == Level::Note && matches!(row.outcome, Outcome::Warn | Outcome::Unknown);
        let told = if is_note { row.findings.as_slice() } else { &[] };
        for note in told.iter().chain(&row.notes) {
            if !notes.contains(&(row.id, note)) {
                notes.push((row.id, note));
            }
        }
    }
    if notes.is_empty() {
        return;
    }
    let shown = if screen.is_verbose() { usize::MAX } else { NOTES_SHOWN };
    screen.heading("Notes");
    for (id, note) in notes.iter().take(shown) {
        let note = Finding { message: format!("{id}: {}", note.message), ..(*note).clone() };
        write_finding(screen, "  ", &note);
    }
    if notes.len() > shown {
        screen.paragraph("  ", &format!("and {} more", notes.len() - shown), Keep::Words);
    }
}

fn write_ignored(screen: &mut Screen, model: &ModelReport) {
    let ignored: Vec<_> = model.rules.iter().filter_map(|row| Some((row, row.ignored.as_deref()?))).collect();
    if ignored.is_empty() {
        return;
    }
    screen.heading("Ignored");
    for (row, reason) in ignored {
        let text = format!("{} ({}): {reason}", title_of(model, row), row.outcome.as_str());
        screen.paragraph("  ", &text, Keep::Words);
    }
}

/// What needs no attention: what passed by name, what was skipped by number.
fn write_quiet(screen: &mut Screen, model: &ModelReport) {
    let of = |outcome: Outcome| -> Vec<&RuleRow> {
        model.rules.iter().filter(|row| row.ignored.is_none() && row.outcome == outcome).collect()
    };
    let (passed, skipped) = (of(Outcome::Pass), of(Outcome::Skip));
    let names: Vec<String> = passed.iter().map(|row| title_of(model, row)).collect();
    if !names.is_empty() {
        let text = format!("{}: {}", counted(length(&names), "rule"), names.join(", "));
        screen.blank();
        screen.paragraph("Passes ", &text, Keep::Words);
    }
    if skipped.is_empty() {
        return;
    }
    if names.is_empty() {
        screen.blank();
    }
    screen.paragraph("", &format!("Skipped {}", counted(length(&skipped), "rule")), Keep::Words);
    if screen.is_verbose() {
        for row in skipped {
            let why = row.findings.first().map_or("does not apply", |finding| finding.message.as_str());
            screen.paragraph("  ", &format!("{}: {why}", title_of(model, row)), Keep::Words);
        }
    }
}

fn names(targets: &[Target]) -> String {
    let names: Vec<_> = targets.iter().map(|target| target.as_str()).collect();
    names.join(", ")
}
