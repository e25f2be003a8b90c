//! Which hardware the model needs.

use preflight_rules::report::{Fit, FitOption, FitVerdict};

use super::screen::{NAME_MAX, Screen, short};
use crate::lists;
use crate::text::Keep;
use crate::units;

/// Options shown without `verbose`.
const OPTIONS_SHOWN: usize = 3;
/// Options shown before the smallest that fits, so that the reader sees why not less.
const SMALLER_SHOWN: usize = 1;

const HEADERS: [&str; 5] = [
    "hardware",
    "verdict",
    "GiB needed",
    "GiB usable",
    "max context",
];

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
        screen.blank();
        screen.paragraph(
            "",
            &format!("Which hardware it needs for {load} is not known."),
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
    let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
    screen.block(
        &lists::list(&HEADERS, &rows, screen.width().saturating_sub(2)),
        2,
    );
    let utilization = fit.gpu_memory_utilization * 100.0;
    let how = format!(
        "{} of {} options; GiB per GPU, {utilization:.0}% of it usable; {} weights, {} cache",
        shown.len(),
        fit.options.len(),
        fit.load_dtype,
        fit.kv_dtype
    );
    screen.paragraph("  ", &how, Keep::Words);
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

fn row(option: &FitOption) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    vec![
        option.hardware.clone(),
        match option.verdict {
            FitVerdict::Fits => "fits",
            FitVerdict::FitsWithShorterContext => "shorter context",
            FitVerdict::DoesNotFit => "does not fit",
            FitVerdict::CannotSplit => "cannot split",
            FitVerdict::Unknown => "unknown",
        }
        .into(),
        or_dash(option.needed_bytes_per_gpu.map(units::gib)),
        units::gib(option.usable_bytes_per_gpu),
        or_dash(option.max_context.map(|tokens| tokens.to_string())),
    ]
}
