//! How the model fills the memory of one GPU of each hardware option, as bars on one scale.

use preflight_rules::fit::ShownGib;
use preflight_rules::report::{Fit, FitOption, FitVerdict};

use crate::escape::for_terminal;
use crate::markup::Markup;
use crate::words;

/// Units that a bar is wide.
const WIDTH: u64 = 1_000;
/// Most characters of a name of hardware.
const NAME_MAX: usize = 140;
/// Most characters of what is assumed.
const ASSUMED_MAX: usize = 400;

pub(super) fn write(page: &mut Markup, fit: &Fit) {
    if fit.options.is_empty() {
        return;
    }
    page.raw("<section>\n<h3>Memory</h3>\n<p>")
        .text(words::fit(fit))
        .raw(".</p>\n");
    if fit
        .options
        .iter()
        .all(|option| option.verdict == FitVerdict::Unknown)
    {
        page.raw("</section>\n");
        return;
    }
    page.raw("<p class=\"small quiet\">Of one GPU, ")
        .text(format_args!("{:.0}", fit.gpu_memory_utilization * 100.0));
    page.raw("% of its memory for the engine; weights ")
        .text(&fit.load_dtype);
    page.raw(", cache ")
        .text(&fit.kv_dtype)
        .raw(". An estimate.</p>\n");
    if let Some(assumed) = words::assumed(fit) {
        page.raw("<p class=\"small quiet\">");
        super::inline(page, &assumed, ASSUMED_MAX);
        page.raw(".</p>\n");
    }
    page.raw("<ul class=\"legend\" aria-label=\"Colours of the bars\">");
    for (class, word) in [
        ("weights", "weights"),
        ("cache", "cache"),
        ("overhead", "activations and runtime"),
        ("track", "free"),
        ("over", "too much"),
    ] {
        page.raw("<li><svg class=\"bar\" aria-hidden=\"true\" viewBox=\"0 0 1 1\"><rect class=\"");
        page.raw(class)
            .raw("\" width=\"1\" height=\"1\"/></svg>")
            .raw(word)
            .raw("</li>");
    }
    page.raw("</ul>\n<ul class=\"fit\">\n");
    let scale = scale(fit);
    for option in &fit.options {
        write_option(page, fit, option, scale);
    }
    page.raw("</ul>\n");
    if let Some(training) = &fit.training {
        for sentence in words::training(training) {
            page.raw("<p class=\"small quiet\">");
            page.text(sentence).raw("</p>\n");
        }
    }
    page.raw("</section>\n");
}

/// Bytes that a whole bar stands for: the largest GPU, or what is needed where that is more, but at most
/// twice the GPU, so that the other bars do not vanish beside a model that is far too large.
fn scale(fit: &Fit) -> u64 {
    let largest = |of: fn(&FitOption) -> u64| fit.options.iter().map(of).max().unwrap_or(0);
    let usable = largest(|option| option.usable_bytes_per_gpu);
    let needed = largest(|option| option.needed_bytes_per_gpu.unwrap_or(0));
    usable.max(needed.min(usable.saturating_mul(2))).max(1)
}

fn write_option(page: &mut Markup, fit: &Fit, option: &FitOption, scale: u64) {
    let class = match option.verdict {
        FitVerdict::Fits => "pass",
        FitVerdict::FitsWithShorterContext | FitVerdict::Unknown => "undecided",
        FitVerdict::DoesNotFit | FitVerdict::CannotSplit => "fail",
    };
    page.raw("<li class=\"")
        .raw(class)
        .raw("\">\n<div class=\"head\"><strong>");
    page.text(for_terminal(&option.hardware, NAME_MAX))
        .raw("</strong> <span class=\"badge\">")
        .text(words::said(option));
    if fit.smallest.as_ref() == Some(&option.hardware) {
        page.raw(", the smallest");
    }
    page.raw("</span></div>\n");
    let text = numbers(option);
    if option.verdict != FitVerdict::Unknown {
        write_bar(page, option, scale, &text);
    }
    page.raw("<p class=\"small quiet\">")
        .text(&text)
        .raw("</p>\n</li>\n");
}

/// `9.2 of 71.6 GiB: weights 3.2, cache 0.8, runtime 5.3`.
fn numbers(option: &FitOption) -> String {
    let shown = ShownGib::of(option);
    let parts = [
        ("weights", shown.weights),
        ("cache", shown.cache),
        ("runtime", shown.overhead),
    ];
    let known = parts
        .into_iter()
        .filter_map(|(part, gib)| Some(format!("{part} {}", gib?)));
    let known: Vec<String> = known.collect();
    let colon = if known.is_empty() { "" } else { ": " };
    format!("{} GiB{colon}{}", words::needed(option), known.join(", "))
}

fn write_bar(page: &mut Markup, option: &FitOption, scale: u64, text: &str) {
    page.raw(
        "<svg class=\"bar\" role=\"img\" preserveAspectRatio=\"none\" viewBox=\"0 0 1000 20\"",
    );
    page.attribute("aria-label", text).raw(">\n");
    let usable = position(option.usable_bytes_per_gpu, scale);
    write_part(page, "track", 0, usable);
    let mut end = 0_u64;
    for (class, bytes) in [
        ("weights", option.weights_bytes_per_gpu),
        ("overhead", option.overhead_bytes_per_gpu),
        ("cache", option.cache_bytes_per_gpu),
    ] {
        let start = end;
        end = end.saturating_add(bytes.unwrap_or(0));
        write_part(page, class, position(start, scale), position(end, scale));
    }
    let filled = position(end, scale);
    if filled > usable {
        // Under the part that has no room, so that its colour is still seen.
        page.raw("<rect class=\"over\"")
            .attribute("x", usable)
            .attribute("y", 14);
        page.attribute("width", filled - usable)
            .attribute("height", 6)
            .raw("/>\n");
    }
    page.raw("<rect class=\"limit\"")
        .attribute("x", usable.saturating_sub(3));
    page.raw(" width=\"3\" height=\"20\"/>\n</svg>\n");
}

fn write_part(page: &mut Markup, class: &'static str, start: u64, end: u64) {
    if end > start {
        page.raw("<rect class=\"")
            .raw(class)
            .raw("\"")
            .attribute("x", start);
        page.attribute("width", end - start)
            .raw(" height=\"20\"/>\n");
    }
}

/// Where on the bar so many bytes end.
fn position(bytes: u64, scale: u64) -> u64 {
    let at = u128::from(bytes) * u128::from(WIDTH) / u128::from(scale);
    u64::try_from(at).unwrap_or(WIDTH).min(WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_never_leaves_its_picture() {
        assert_eq!(position(0, 1), 0);
        assert_eq!(position(50, 100), 500);
        assert_eq!(position(u64::MAX, 1), WIDTH);
        assert_eq!(position(u64::MAX, u64::MAX), WIDTH);
    }
}
