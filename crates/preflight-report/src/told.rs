//! Which rows a reader is told of one by one, the same in every format that does not list all rules,
//! and the words for them.

use std::collections::BTreeMap;

use preflight_rules::report::{
    Finding, Level, ModelReport, Outcome, Report, RuleRow, Target, Verdict,
};

use crate::escape::for_terminal as short;

/// Most characters of a path: longer ones are an attack, real ones are far below.
const PATH_MAX: usize = 300;
/// Most characters of a JSON pointer.
const POINTER_MAX: usize = 140;

/// What the models of a report are called: by their names, or as the user named them where two have one name,
/// as two revisions of a repository do.
pub(crate) struct Names<'a>(BTreeMap<&'a str, usize>);

impl<'a> Names<'a> {
    pub(crate) fn new(report: &'a Report) -> Self {
        let mut counts = BTreeMap::new();
        for model in &report.models {
            *counts.entry(name(model)).or_default() += 1;
        }
        Self(counts)
    }

    pub(crate) fn of<'b>(&self, model: &'b ModelReport) -> &'b str {
        match self.0.get(name(model)) {
            Some(2..) => &model.input,
            _ => name(model),
        }
    }
}

/// What a model is called where no other has its name.
pub(crate) fn name(model: &ModelReport) -> &str {
    model.id.as_deref().unwrap_or(&model.input)
}

/// What fails, what is not known and what is warned of, in the order of the report: without what is
/// ignored, what only informs, and what would be told twice.
pub(crate) fn rows(model: &ModelReport) -> Vec<&RuleRow> {
    let closed = closed_door(model);
    let is_behind = |row: &RuleRow| {
        closed.is_some_and(|door| {
            row.id != door.id && row.outcome == Outcome::Unknown && row.findings == door.findings
        })
    };
    let is_told = |row: &&RuleRow| {
        let tells = match row.outcome {
            Outcome::Fail => true,
            Outcome::Unknown => row.level != Level::Note,
            Outcome::Warn => row.level == Level::Warning,
            Outcome::Pass | Outcome::Skip => false,
        };
        let is_repeated = row.level == Level::Warning && repeated(model, row).is_some();
        tells && row.ignored.is_none() && !is_repeated && !is_behind(row)
    };
    model.rules.iter().filter(is_told).collect()
}

/// What rules at level note found, and what others remark, each with the id of its rule.
pub(crate) fn notes(model: &ModelReport) -> Vec<(&'static str, &Finding)> {
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
    notes
}

/// The row that says why the repository could not be read, where it could not: what then leaves every
/// other rule without an answer needs no second telling.
fn closed_door(model: &ModelReport) -> Option<&RuleRow> {
    model.rules.iter().find(|row| {
        row.id == "repository-inaccessible"
            && matches!(row.outcome, Outcome::Fail | Outcome::Unknown)
    })
}

/// The rows that keep a verdict from being pass.
pub(crate) fn deciding(model: &ModelReport, target: Target, verdict: Verdict) -> Vec<&RuleRow> {
    let rows = |decides: fn(&RuleRow) -> bool| -> Vec<&RuleRow> {
        let of_target = |row: &&RuleRow| row.ignored.is_none() && row.targets.contains(&target);
        let rows = model.rules.iter().filter(of_target);
        rows.filter(|row| decides(row)).collect()
    };
    match verdict {
        Verdict::Pass => vec![],
        Verdict::Undecided => {
            let unknown = rows(|row| row.outcome == Outcome::Unknown && row.level == Level::Error);
            // What cannot be read at all leaves every rule without an answer.
            match unknown
                .iter()
                .find(|row| row.id == "repository-inaccessible")
            {
                Some(row) => vec![row],
                None => unknown,
            }
        }
        Verdict::Fail => {
            let failed = rows(|row| row.outcome == Outcome::Fail);
            if failed.is_empty() {
                // Warnings fail where the user asked for it.
                rows(|row| row.outcome == Outcome::Warn && row.level == Level::Warning)
            } else {
                failed
            }
        }
    }
}

/// The id, and which targets it is about where that is not all of them.
pub(crate) fn title(model: &ModelReport, row: &RuleRow) -> String {
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

/// `config.json:3:17`, which editors and terminals open, else `config.json#/rope_scaling`.
pub(crate) fn place(finding: &Finding) -> Option<String> {
    let path = short(finding.path.as_deref()?, PATH_MAX);
    Some(
        match (finding.line, finding.column, finding.pointer.as_deref()) {
            (Some(line), Some(column), _) => format!("{path}:{line}:{column}"),
            (Some(line), None, _) => format!("{path}:{line}"),
            (None, _, Some(pointer)) if !pointer.is_empty() => {
                format!("{path}#{}", short(pointer, POINTER_MAX))
            }
            _ => path,
        },
    )
}

/// The names of targets, in a list.
pub(crate) fn names(targets: &[Target]) -> String {
    let names: Vec<_> = targets.iter().map(|target| target.as_str()).collect();
    names.join(", ")
}
