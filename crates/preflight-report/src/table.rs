//! The report for people at a terminal: the verdict first, then what to do about it, then what is
//! worth knowing, and last the command to submit.

mod findings;
mod fit;
mod screen;

use std::io::{self, Write};

use preflight_rules::report::{
    FactsSummary, Level, ModelReport, OtherPolicy, Outcome, ParametersSummary, Report, RuleRow, Target, Verdict,
};

use crate::text::Keep;
use crate::units;
use screen::{NAME_MAX, Screen, short};

/// How the table is drawn; the program decides from its arguments and the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableOptions {
    /// Columns of the terminal, 80 where there is none.
    pub width: u16,
    /// Whether the verdicts are coloured.
    pub colour: bool,
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
        let worst = report.models.iter().flat_map(|model| &model.verdicts).map(|(_, verdict)| *verdict);
        match worst.max() {
            Some(worst) => screen.verdict(worst, word(worst).len(), &report.message),
            None => screen.paragraph("", &report.message, Keep::Words),
        }
    }
    out.write_all(screen.text().as_bytes())
}

fn write_model(screen: &mut Screen, report: &Report, model: &ModelReport) {
    write_verdicts(screen, model);
    write_identity(screen, model);
    let policy = format!("policy {} (as of {})", report.policy.0, report.policy.1);
    screen.paragraph("", &policy, Keep::Words);
    findings::write(screen, model);
    fit::write(screen, &model.fit);
    write_base_models(screen, model);
    write_other_policies(screen, model);
    if screen.is_verbose() {
        let read = units::file_size(model.cost.bytes);
        let requests = units::counted(model.cost.requests, "request");
        screen.blank();
        screen.paragraph("", &format!("looked at in {:.2} s: {requests}, {read}", model.cost.seconds), Keep::Words);
    }
    write_next(screen, &model.next);
}

/// One line a target with the ids that decided it, then the sentence.
fn write_verdicts(screen: &mut Screen, model: &ModelReport) {
    let words = model.verdicts.iter().map(|(_, verdict)| word(*verdict).len()).max().unwrap_or(0);
    let names = model.verdicts.iter().map(|(target, _)| target.as_str().len()).max().unwrap_or(0);
    for (target, verdict) in &model.verdicts {
        let because = deciding(model, *target, *verdict).join(", ");
        let line = format!("{:names$}  {because}", target.as_str());
        screen.verdict(*verdict, words, line.trim_end());
    }
    screen.paragraph("", &model.message, Keep::Words);
}

/// Ids of the rules that keep the verdict from being pass.
fn deciding(model: &ModelReport, target: Target, verdict: Verdict) -> Vec<&'static str> {
    let ids = |decides: fn(&RuleRow) -> bool| -> Vec<&'static str> {
        let rows = model.rules.iter().filter(|row| row.ignored.is_none() && row.targets.contains(&target));
        rows.filter(|row| decides(row)).map(|row| row.id).collect()
    };
    match verdict {
        Verdict::Pass => vec![],
        Verdict::Undecided => ids(|row| row.outcome == Outcome::Unknown && row.level == Level::Error),
        Verdict::Fail => {
            let failed = ids(|row| row.outcome == Outcome::Fail);
            if failed.is_empty() {
                // Warnings fail where the user asked for it.
                ids(|row| row.outcome == Outcome::Warn && row.level == Level::Warning)
            } else {
                failed
            }
        }
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Undecided => "UNDECIDED",
        Verdict::Fail => "FAIL",
    }
}

/// What was looked at: its name and commit, then its size.
fn write_identity(screen: &mut Screen, model: &ModelReport) {
    screen.blank();
    let name = model.id.as_deref().unwrap_or(&model.input);
    let mut line = short(name, NAME_MAX);
    if let Some(commit) = &model.commit {
        line.push_str(" at commit ");
        line.push_str(&commit.chars().take(12).collect::<String>());
    } else if let Some(revision) = &model.revision {
        line.push_str(" at ");
        line.push_str(&short(revision, NAME_MAX));
    }
    screen.paragraph("", &format!("{line} ({})", model.source), Keep::Words);
    if let Some(adapter) = &model.facts.adapter {
        let kind = adapter.kind.as_deref().map_or_else(|| "adapter".into(), |kind| short(kind, NAME_MAX));
        let rank = adapter.rank.map_or_else(|| "rank unknown".into(), |rank| format!("rank {rank}"));
        let base = adapter.base_model.as_deref().map_or_else(|| "unknown".into(), |name| short(name, NAME_MAX));
        screen.paragraph("", &format!("{kind} adapter, {rank}, base model {base}"), Keep::Words);
    }
    screen.paragraph("", &size(&model.facts), Keep::Words);
}

/// `llama, 1.71 B parameters, bfloat16, 3.42 GB of safetensors in 1 file, context 8192`.
fn size(facts: &FactsSummary) -> String {
    let mut parts = vec![];
    parts.extend(facts.model_type.as_deref().map(|name| short(name, NAME_MAX)));
    parts.push(parameters(&facts.parameters));
    parts.extend(facts.dtype.as_deref().map(|name| short(name, NAME_MAX)));
    if let Some((method, bits)) = &facts.quantization {
        let bits = bits.map_or_else(String::new, |bits| format!(" {bits}-bit"));
        parts.push(format!("{}{bits}", short(method, NAME_MAX)));
    }
    parts.push(weights(facts));
    parts.push(match facts.context_length {
        Some(tokens) => format!("context {tokens}"),
        None => "context unknown".into(),
    });
    parts.join(", ")
}

fn parameters(parameters: &ParametersSummary) -> String {
    let known = match (parameters.total, parameters.at_least, parameters.at_most) {
        (Some(total), ..) if parameters.exact => format!("{} parameters", units::parameters(total)),
        (Some(total), ..) => format!("about {} parameters", units::parameters(total)),
        (None, Some(least), Some(most)) => {
            format!("{} to {} parameters", units::parameters(least), units::parameters(most))
        }
        (None, Some(least), None) => format!("at least {} parameters", units::parameters(least)),
        (None, None, Some(most)) => format!("at most {} parameters", units::parameters(most)),
        (None, None, None) => return "parameters unknown".into(),
    };
    match parameters.active {
        Some(active) => format!("{known} ({} active)", units::parameters(active)),
        None => known,
    }
}

fn weights(facts: &FactsSummary) -> String {
    let format = match facts.weights_format {
        Some("none") => return "no weights".into(),
        Some(format) => format,
        None => "weights",
    };
    let size = facts.weights_bytes.map_or_else(|| "unknown size".into(), units::file_size);
    match facts.weights_files {
        Some(files) => format!("{size} of {format} in {}", units::counted(files, "file")),
        None => format!("{size} of {format}"),
    }
}

/// Base models shown without `verbose`.
const BASE_MODELS_SHOWN: usize = 3;

fn write_base_models(screen: &mut Screen, model: &ModelReport) {
    let shown = if screen.is_verbose() { usize::MAX } else { BASE_MODELS_SHOWN };
    if model.base_models.is_empty() {
        return;
    }
    screen.heading("Base models, best first");
    for base in model.base_models.iter().take(shown) {
        let fit = if base.compatible { "compatible" } else { "not compatible" };
        let why = if base.reasons.is_empty() { String::new() } else { format!(": {}", base.reasons.join("; ")) };
        screen.paragraph("  ", &short(&base.name, NAME_MAX), Keep::Words);
        screen.paragraph("    ", &format!("{fit}{why}"), Keep::Words);
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
        let text = format!("{} would decide differently: {}{because}", other.id, differs.join(", "));
        screen.paragraph("", &text, Keep::Words);
    }
}

/// The targets that another policy decides differently, each with its verdict.
fn differences(model: &ModelReport, other: &OtherPolicy) -> Vec<String> {
    let differs = other.verdicts.iter().filter(|verdict| !model.verdicts.contains(verdict));
    differs.map(|(target, verdict)| format!("{} {}", target.as_str(), verdict.as_str())).collect()
}

/// The commands, each on a line of its own, from the first column, to be copied.
fn write_next(screen: &mut Screen, next: &[(Target, String)]) {
    for (target, command) in next {
        screen.heading(match target {
            Target::Upload => "To upload it, run",
            Target::FineTune => "To fine-tune it, run",
        });
        screen.whole(command);
    }
}
