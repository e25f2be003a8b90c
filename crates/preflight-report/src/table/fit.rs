//! Which hardware the model needs.

use preflight_rules::report::{Fit, FitOption, FitVerdict, TrainingFit};

use super::bar::{self, Marks};
use super::screen::{MESSAGE_MAX, NAME_MAX, Screen, short};
use crate::lists;
use crate::text::{Keep, columns};
use crate::units;

/// Options shown without `verbose`.
const OPTIONS_SHOWN: usize = 3;
/// Options shown before the smallest that fits, so that the reader sees why not less.
const SMALLER_SHOWN: usize = 1;
/// Columns of the verdict, which is wrapped within them.
const VERDICT_WIDTH: usize = 24;
/// Columns between two cells of a list, and of its indent.
const GAP: usize = 2;

const HEADERS: [&str; 4] = ["hardware", "one GPU", "GiB needed", "verdict"];

pub(super) fn write(screen: &mut Screen, fit: &Fit) {
    if fit.options.is_empty() {
        return;
    }
    let load = format!(
        "{} of {} tokens",
        units::counted(fit.sequences, "sequence"),
        fit.context
    );
    let is_unknown = |option: &FitOption| option.verdict == FitVerdict::Unknown;
    if fit.options.iter().all(is_unknown) {
        let because = fit
            .options
            .first()
            .and_then(|option| option.because.as_ref());
        let because = because.map_or(String::new(), |why| format!(": {why}"));
        screen.blank();
        screen.paragraph(
            "",
            &format!("Which hardware it needs for {load} is not known{because}."),
            Keep::Words,
        );
        return;
    }
    screen.heading(&match &fit.smallest {
        Some(hardware) => format!(
            "Needs {} for {load}, by estimate",
            short(hardware, NAME_MAX)
        ),
        None if fit.options.iter().any(is_unknown) => format!("Hardware for {load} is not known"),
        None => format!("No hardware is large enough for {load}, by estimate"),
    });
    let shown = around_smallest(fit, screen.at_most(OPTIONS_SHOWN));
    let marks = Marks::new(screen.is_unicode());
    write_options(screen, shown, marks);
    let utilization = fit.gpu_memory_utilization * 100.0;
    let load_dtype = match fit.load_dtype.as_str() {
        "as stored" => "as stored".to_owned(),
        dtype => format!("in {dtype}"),
    };
    let how = format!(
        "{}; {} of {} options; {utilization:.0}% of a GPU usable; weights {load_dtype}, cache in {}",
        marks.legend(),
        shown.len(),
        fit.options.len(),
        fit.kv_dtype
    );
    screen.paragraph("  ", &how, Keep::Words);
    if let Some(training) = &fit.training {
        write_training(screen, training);
    }
}

/// In columns, or where these would be too narrow one below the other.
fn write_options(screen: &mut Screen, options: &[FitOption], marks: &Marks) {
    let names = options.iter().map(|option| columns(&option.hardware));
    let numbers = options.iter().map(|option| columns(&needed(option)));
    let widest = |header: &str, cells: &mut dyn Iterator<Item = usize>| {
        cells.max().unwrap_or(0).max(columns(header))
    };
    let names = widest(HEADERS[0], &mut names.into_iter());
    let numbers = widest(HEADERS[2], &mut numbers.into_iter());
    let others = names + numbers + VERDICT_WIDTH + 4 * GAP;
    // One column more than the bar is wide: the mark of the limit.
    let room = screen.width().saturating_sub(others + 1);
    if room >= bar::WIDTH_MIN {
        let width = room.min(bar::WIDTH_MAX);
        let rows: Vec<Vec<String>> = options
            .iter()
            .map(|option| {
                vec![
                    option.hardware.clone(),
                    drawn(option, width, marks),
                    needed(option),
                    said(option),
                ]
            })
            .collect();
        let list = lists::list(&HEADERS, &rows, screen.width().saturating_sub(GAP));
        return screen.block(&list, GAP);
    }
    for option in options {
        let name = short(&option.hardware, NAME_MAX);
        screen.paragraph("  ", &name, Keep::Words);
        let width = screen.width().saturating_sub(2 * GAP + 1);
        let picture = drawn(option, width.clamp(bar::WIDTH_MIN, bar::WIDTH_MAX), marks);
        screen.paragraph("    ", &picture, Keep::Words);
        let text = format!("{} GiB: {}", needed(option), said(option));
        screen.paragraph("    ", &text, Keep::Words);
    }
}

/// The options that matter: around the smallest that fits, else the largest.
fn around_smallest(fit: &Fit, shown: usize) -> &[FitOption] {
    let is_smallest = |option: &FitOption| Some(&option.hardware) == fit.smallest.as_ref();
    let last_start = fit.options.len().saturating_sub(shown);
    let start = match fit.options.iter().position(is_smallest) {
        Some(at) => at.saturating_sub(SMALLER_SHOWN).min(last_start),
        None => last_start,
    };
    let end = fit.options.len().min(start.saturating_add(shown));
    &fit.options[start..end]
}

fn drawn(option: &FitOption, width: usize, marks: &Marks) -> String {
    let parts = [
        option.weights_bytes_per_gpu,
        option.cache_bytes_per_gpu,
        option.overhead_bytes_per_gpu,
    ];
    let is_known = option.missing_bytes_per_gpu.is_some() || option.needed_bytes_per_gpu.is_some();
    if !is_known {
        return "-".into();
    }
    let parts = parts.map(Option::unwrap_or_default);
    bar::bar(parts, option.usable_bytes_per_gpu, width, marks)
}

fn needed(option: &FitOption) -> String {
    let needed = option.needed_bytes_per_gpu.or_else(|| {
        let missing = option.missing_bytes_per_gpu?;
        Some(option.usable_bytes_per_gpu.saturating_add(missing))
    });
    let needed = needed.map_or_else(|| "-".into(), units::gib);
    format!("{needed} of {}", units::gib(option.usable_bytes_per_gpu))
}

/// The verdict with the number that goes with it.
fn said(option: &FitOption) -> String {
    let because = option.because.as_deref().map_or(String::new(), |why| {
        format!(": {}", short(why, MESSAGE_MAX))
    });
    match (option.verdict, option.max_context) {
        (FitVerdict::Fits, Some(tokens)) => format!("fits up to {tokens} tokens"),
        (FitVerdict::Fits, None) => "fits any context".into(),
        (FitVerdict::FitsWithShorterContext, tokens) => {
            format!("only up to {} tokens", tokens.unwrap_or_default())
        }
        (FitVerdict::DoesNotFit, _) => {
            let missing = option.missing_bytes_per_gpu.unwrap_or_default();
            format!("{} GiB too much", units::gib(missing))
        }
        (FitVerdict::CannotSplit, _) => format!("cannot split{because}"),
        (FitVerdict::Unknown, _) => format!("unknown{because}"),
    }
}

fn write_training(screen: &mut Screen, training: &TrainingFit) {
    let text = format!(
        "Training takes about {} GiB (LoRA) or {} GiB (full): a rough estimate.",
        units::gib(training.lora_bytes),
        units::gib(training.full_bytes)
    );
    screen.paragraph("  ", &text, Keep::Words);
    if !screen.is_verbose() {
        return;
    }
    let on = |hardware: &Option<String>| {
        hardware.as_ref().map_or_else(
            || "more than any one node".to_owned(),
            |hardware| short(hardware, NAME_MAX),
        )
    };
    let text = format!(
        "All GPUs together, one sequence of {} tokens: LoRA of rank {} on {}, full on {}.",
        training.context,
        training.lora_rank,
        on(&training.lora_smallest),
        on(&training.full_smallest)
    );
    screen.paragraph("  ", &text, Keep::Words);
}
