//! Which hardware the model needs.

use preflight_rules::report::{Fit, FitOption, FitVerdict};

use super::screen::{NAME_MAX, Screen, short};
use crate::lists;
use crate::text::Keep;
use crate::units;

/// Options shown without `verbose`.
const OPTIONS_SHOWN: usize = 4;
/// Options shown before the smallest that fits, so that the reader sees why not less.
const SMALLER_SHOWN: usize = 1;

const HEADERS: [&str; 5] = ["hardware", "verdict", "GiB needed", "GiB usable", "max context"];

pub(super) fn write(screen: &mut Screen, fit: &Fit) {
    if fit.options.is_empty() {
        return;
    }
    let sequences = units::counted(fit.sequences, "sequence");
    screen.heading(&format!("Hardware for {sequences} of {} tokens, by estimate", fit.context));
    let answer = match &fit.smallest {
        Some(hardware) => format!("smallest that fits: {}", short(hardware, NAME_MAX)),
        None if fit.options.iter().any(|option| option.verdict == FitVerdict::Unknown) => {
            "smallest that fits: not known".into()
        }
        None => "none of it is large enough".into(),
    };
    screen.paragraph("  ", &answer, Keep::Words);
    let shown = if screen.is_verbose() { &fit.options[..] } else { around_smallest(fit) };
    if shown.iter().all(|option| option.verdict == FitVerdict::Unknown) {
        return;
    }
    let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
    screen.block(&lists::list(&HEADERS, &rows, screen.width().saturating_sub(2)), 2);
    let utilization = fit.gpu_memory_utilization * 100.0;
    let mut how = format!(
        "GiB per GPU: {} weights, {} cache, {utilization:.0}% of the memory usable",
        fit.load_dtype, fit.kv_dtype
    );
    if shown.len() < fit.options.len() {
        how.push_str(&format!("; {} of {} options", shown.len(), fit.options.len()));
    }
    screen.paragraph("  ", &how, Keep::Words);
}

/// The few options that matter: around the smallest that fits, else the largest.
fn around_smallest(fit: &Fit) -> &[FitOption] {
    let is_smallest = |option: &FitOption| Some(&option.hardware) == fit.smallest.as_ref();
    let last_start = fit.options.len().saturating_sub(OPTIONS_SHOWN);
    let start = match fit.options.iter().position(is_smallest) {
        Some(at) => at.saturating_sub(SMALLER_SHOWN).min(last_start),
        None => last_start,
    };
    let end = fit.options.len().min(start + OPTIONS_SHOWN);
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
