//! Which hardware the model needs.

use preflight_rules::report::{Fit, FitOption, FitVerdict, TrainingFit};

use super::bar::{self, Marks};
use super::screen::{NAME_MAX, Screen, short};
use crate::lists;
use crate::text::{Keep, columns};
use crate::words;

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
    let needs = words::fit(fit);
    let is_unknown = |option: &FitOption| option.verdict == FitVerdict::Unknown;
    if fit.options.iter().all(is_unknown) {
        screen.blank();
        return screen.paragraph("", &format!("{needs}."), Keep::Words);
    }
    screen.heading(&needs);
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
    if let Some(assumed) = words::assumed(fit) {
        screen.paragraph("  ", &format!("{assumed}."), Keep::Words);
    }
    if let Some(training) = &fit.training {
        write_training(screen, training);
    }
}

/// In columns, or where these would be too narrow one below the other.
fn write_options(screen: &mut Screen, options: &[FitOption], marks: &Marks) {
    let names = options.iter().map(|option| columns(&option.hardware));
    let numbers = options.iter().map(|option| columns(&words::needed(option)));
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
                    words::needed(option),
                    words::said(option),
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
        let text = format!("{} GiB: {}", words::needed(option), words::said(option));
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

fn write_training(screen: &mut Screen, training: &TrainingFit) {
    let [estimate, how] = words::training(training);
    screen.paragraph("  ", &estimate, Keep::Words);
    if screen.is_verbose() {
        screen.paragraph("  ", &how, Keep::Words);
    }
}
