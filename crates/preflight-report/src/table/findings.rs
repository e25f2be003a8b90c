//! What the rules found: what fails with its remedy, what is not known, warnings, notes, and in a
//! few words what passed.

use preflight_rules::report::{Finding, Level, ModelReport, Outcome, RuleRow, Target};

use super::screen::{MESSAGE_MAX, NAME_MAX, Screen, short};
use crate::text::{Keep, columns};
use crate::units::{counted, length};

/// Findings of one rule shown without `verbose`.
const FINDINGS_SHOWN: usize = 5;
/// Notes of all rules shown without `verbose`.
const NOTES_SHOWN: usize = 4;
/// Most characters of a path: longer ones are an attack, real ones are far below.
const PATH_MAX: usize = 300;

pub(super) fn write(screen: &mut Screen, model: &ModelReport) {
    let rows = |of: &dyn Fn(&RuleRow) -> bool| -> Vec<&RuleRow> {
        model
            .rules
            .iter()
            .filter(|row| row.ignored.is_none() && of(row))
            .collect()
    };
    let failed = rows(&|row| row.outcome == Outcome::Fail);
    let closed = closed_door(model);
    let is_behind = |row: &RuleRow| {
        closed.is_some_and(|door| {
            row.id != door.id && row.outcome == Outcome::Unknown && row.findings == door.findings
        })
    };
    let unknown = rows(&|row| {
        row.outcome == Outcome::Unknown && row.level == Level::Error && !is_behind(row)
    });
    let warned = rows(&|row| {
        let tells =
            matches!(row.outcome, Outcome::Warn | Outcome::Unknown) && row.level == Level::Warning;
        tells && repeated(model, row).is_none() && !is_behind(row)
    });
    write_section(screen, model, "Fails", &failed);
    write_section(screen, model, "Not known, so not decided", &unknown);
    write_section(screen, model, "Warnings", &warned);
    write_notes(screen, model);
    write_ignored(screen, model);
    write_quiet(screen, model);
}

/// The row that says why the repository could not be read, where it could not: what then leaves every
/// other rule without an answer needs no second telling.
fn closed_door(model: &ModelReport) -> Option<&RuleRow> {
    model.rules.iter().find(|row| {
        row.id == "repository-inaccessible"
            && matches!(row.outcome, Outcome::Fail | Outcome::Unknown)
    })
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
        let titles: Vec<String> = alike.map(|alike| title_of(model, alike)).collect();
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

/// The id, and which targets it is about where that is not all of them.
fn title_of(model: &ModelReport, row: &RuleRow) -> String {
    let mut remarks = vec![];
    if row.targets.len() < model.verdicts.len() {
        remarks.push(names(&row.targets));
    }
    if row.outcome == Outcome::Unknown && row.level == Level::Warning {
        remarks.push("not known".into());
    }
    for other in model
        .rules
        .iter()
        .filter(|other| repeated(model, other).is_some_and(|fails| fails == row))
    {
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
    model
        .rules
        .iter()
        .filter(fails)
        .find(same)
        .filter(|_| warning.outcome == Outcome::Warn)
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
    let all_at = findings.first().and_then(|first| place(first));
    if findings.len() > 1 && findings.iter().all(|finding| place(finding) == all_at) {
        for finding in &findings {
            screen.paragraph(before, &short(&finding.message, MESSAGE_MAX), Keep::Words);
        }
        if let Some(place) = all_at {
            screen.whole(&format!("    all at {place}"));
        }
    } else {
        for finding in &findings {
            write_finding(screen, before, &finding.message, place(finding));
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

/// `config.json:3:17`, which editors and terminals open, else `config.json#/rope_scaling`.
fn place(finding: &Finding) -> Option<String> {
    let path = short(finding.path.as_deref()?, PATH_MAX);
    Some(
        match (finding.line, finding.column, finding.pointer.as_deref()) {
            (Some(line), Some(column), _) => format!("{path}:{line}:{column}"),
            (Some(line), None, _) => format!("{path}:{line}"),
            (None, _, Some(pointer)) if !pointer.is_empty() => {
                format!("{path}#{}", short(pointer, NAME_MAX))
            }
            _ => path,
        },
    )
}

/// What rules at level note found, and what others remark.
fn write_notes(screen: &mut Screen, model: &ModelReport) {
    let mut notes: Vec<(&str, &Finding)> = vec![];
    // What another policy would decide stands in a line of its own.
    let rows = model
        .rules
        .iter()
        .filter(|row| row.ignored.is_none() && row.id != "policy-outdated");
    for row in rows {
        let is_note =
            row.level == Level::Note && matches!(row.outcome, Outcome::Warn | Outcome::Unknown);
        let told = if is_note {
            row.findings.as_slice()
        } else {
            &[]
        };
        for note in told.iter().chain(&row.notes) {
            if !notes.contains(&(row.id, note)) {
                notes.push((row.id, note));
            }
        }
    }
    if notes.is_empty() {
        return;
    }
    let shown = screen.at_most(NOTES_SHOWN);
    screen.heading("Notes");
    for (id, note) in notes.iter().take(shown) {
        let text = format!("{id}: {}", note.message);
        write_finding(screen, "- ", &text, place(note));
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
            title_of(model, row),
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
            let text = format!("skipped {}: {why}", title_of(model, row));
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
                format!("{id} ({})", names(&targets))
            }
        })
        .collect()
}

fn names(targets: &[Target]) -> String {
    let names: Vec<_> = targets.iter().map(|target| target.as_str()).collect();
    names.join(", ")
}
