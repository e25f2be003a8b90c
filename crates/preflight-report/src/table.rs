//! The report for people at a terminal: the verdict first, then what to do about it, then what is
//! worth knowing, and last the command to submit.

mod bar;
mod findings;
mod fit;
mod identity;
mod screen;

use std::io::{self, Write};

use preflight_rules::report::{BaseModelMatch, ModelReport, OtherPolicy, Report, Target, Verdict};

use crate::text::Keep;
use crate::told;
use crate::units;
use crate::words;
use screen::{NAME_MAX, Screen, short};

/// How the table is drawn; the program decides from its arguments and the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableOptions {
    /// Columns of the terminal, 80 where there is none.
    pub width: u16,
    /// Whether the verdicts are coloured.
    pub colour: bool,
    /// Whether the locale has more than ASCII.
    pub unicode: bool,
    /// Whether everything is shown that is otherwise counted or left out.
    pub verbose: bool,
}

/// Writes the report. What comes from a repository is escaped and cut, and no line is wider than
/// `options.width`, except for commands, paths and addresses, which are never broken.
pub fn write(report: &Report, options: TableOptions, out: &mut dyn Write) -> io::Result<()> {
    let mut screen = Screen::new(options);
    let many = report.models.len();
    for (at, model) in report.models.iter().enumerate() {
        if many > 1 {
            let name = short(&model.input, NAME_MAX);
            screen.whole(&format!("== {} of {many}: {name} ==", at + 1));
        }
        write_model(&mut screen, report, model);
        if many > 1 {
            screen.blank();
        }
    }
    if many != 1 {
        let worst = report
            .models
            .iter()
            .flat_map(|model| &model.verdicts)
            .map(|(_, verdict)| *verdict);
        match worst.max() {
            Some(worst) => screen.verdict(worst, "  ", &report.message),
            None => screen.paragraph("", &report.message, Keep::Words),
        }
    }
    out.write_all(screen.text().as_bytes())
}

fn write_model(screen: &mut Screen, report: &Report, model: &ModelReport) {
    write_verdicts(screen, model);
    identity::write(screen, model);
    let (policy, catalog) = (&report.policy, &report.catalog);
    let data = words::data(catalog, str::to_owned);
    let policy = format!("policy {} (as of {}), {data}", policy.0, policy.1);
    screen.paragraph("", &policy, Keep::Words);
    findings::write(screen, model);
    fit::write(screen, &model.fit);
    write_base_models(screen, model);
    write_other_policies(screen, model);
    if screen.is_verbose() {
        let bytes = units::file_size(model.cost.bytes);
        let reads = units::counted(model.cost.requests, "read");
        let cost = format!("looked at in {:.2} s: {reads}, {bytes}", model.cost.seconds);
        screen.blank();
        screen.paragraph("", &cost, Keep::Words);
    }
    write_next(screen, model);
}

/// One line a target with the ids that decided it.
fn write_verdicts(screen: &mut Screen, model: &ModelReport) {
    let verdicts = || model.verdicts.iter();
    let words = verdicts()
        .map(|(_, verdict)| word(*verdict).len())
        .max()
        .unwrap_or(0);
    let names = verdicts()
        .map(|(target, _)| target.as_str().len())
        .max()
        .unwrap_or(0);
    for (target, verdict) in verdicts() {
        let gap = words - word(*verdict).len() + 2;
        let between = format!("{:gap$}{:names$}  ", "", target.as_str());
        let because: Vec<_> = told::deciding(model, *target, *verdict)
            .iter()
            .map(|row| row.id)
            .collect();
        screen.verdict(*verdict, &between, &because.join(", "));
    }
}

/// The verdict in capitals.
pub(crate) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Undecided => "UNDECIDED",
        Verdict::Fail => "FAIL",
    }
}

/// Base models shown without `verbose`.
const BASE_MODELS_SHOWN: usize = 3;

/// The base models that suit, best first.
pub(crate) fn proposals(model: &ModelReport) -> impl Iterator<Item = &BaseModelMatch> {
    let all = model.base_models.iter();
    all.filter(|base| base.verdict.is_proposal())
}

fn write_base_models(screen: &mut Screen, model: &ModelReport) {
    if model.base_models.is_empty() {
        return;
    }
    if !screen.is_verbose() {
        let mut best = proposals(model).peekable();
        // Where there is none the rule has said so already.
        if best.peek().is_none() {
            return;
        }
        let names: Vec<String> = best
            .take(BASE_MODELS_SHOWN)
            .map(|base| short(&base.name, NAME_MAX))
            .collect();
        screen.blank();
        let text = format!(
            "Best base models: {} (`byom-preflight base-models MODEL` says why)",
            names.join(", ")
        );
        return screen.paragraph("", &text, Keep::Quoted);
    }
    screen.heading("Base models, best first");
    for base in &model.base_models {
        let fit = if base.compatible {
            ""
        } else {
            ", not compatible"
        };
        let why = if base.reasons.is_empty() {
            String::new()
        } else {
            format!(": {}", base.reasons.join("; "))
        };
        let text = format!("{}{fit}{why}", short(&base.name, NAME_MAX));
        screen.paragraph("- ", &text, Keep::Quoted);
    }
}

fn write_other_policies(screen: &mut Screen, model: &ModelReport) {
    let mut is_first = true;
    for other in &model.other_policies {
        let differs = differences(model, other);
        if differs.is_empty() {
            continue;
        }
        if std::mem::take(&mut is_first) {
            screen.blank();
        }
        let because = match other.because.as_slice() {
            [] => String::new(),
            ids => format!(" ({})", ids.join(", ")),
        };
        let text = format!(
            "{} would decide differently: {}{because}",
            other.id,
            differs.join(", ")
        );
        screen.paragraph("", &text, Keep::Words);
    }
}

/// The targets that another policy decides differently, each with its verdict.
pub(crate) fn differences(model: &ModelReport, other: &OtherPolicy) -> Vec<String> {
    let differs = other
        .verdicts
        .iter()
        .filter(|verdict| !model.verdicts.contains(verdict));
    differs
        .map(|(target, verdict)| format!("{} {}", target.as_str(), verdict.as_str()))
        .collect()
}

/// The commands, each on a line of its own, from the first column, to be copied.
fn write_next(screen: &mut Screen, model: &ModelReport) {
    for (target, command) in &model.next {
        let serves = *target == Target::Upload && !model.fit.endpoint_commands.is_empty();
        screen.heading(match target {
            Target::Upload if serves => "To upload it and then serve it, run",
            Target::Upload => "To upload it, run",
            Target::FineTune => "To fine-tune it, run",
        });
        screen.whole(command);
        if serves {
            for line in &model.fit.endpoint_commands {
                screen.whole(line);
            }
        }
    }
}
