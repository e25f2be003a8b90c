//! What is known of a model in a line or two, the same in every format for people.

use preflight_rules::date::STALE_DAYS;
use preflight_rules::fit::ShownGib;
use preflight_rules::report::{
    CatalogUsed, FactsSummary, Fit, FitOption, FitVerdict, HardwareUsed, ModelReport,
    ParametersSummary, TrainingFit,
};

use crate::escape;
use crate::units;

/// Most characters of a name.
const NAME_MAX: usize = 140;
/// Most characters of a message that may quote a repository.
const MESSAGE_MAX: usize = 500;

fn short(name: &str) -> String {
    escape::for_terminal(name, NAME_MAX)
}

/// `LORA adapter, rank 16, base model org/name`; none for a whole model.
pub(crate) fn adapter(facts: &FactsSummary) -> Option<String> {
    let adapter = facts.adapter.as_ref()?;
    let or =
        |name: &Option<String>, other: &str| name.as_deref().map_or_else(|| other.into(), short);
    let kind = or(&adapter.kind, "unknown kind of");
    let rank = adapter
        .rank
        .map_or_else(|| "unknown".into(), |rank| rank.to_string());
    let base = or(&adapter.base_model, "unknown");
    Some(format!("{kind} adapter, rank {rank}, base model {base}"))
}

/// Its size, and for an adapter that of its base.
pub(crate) fn size(model: &ModelReport) -> String {
    if model.kind != "adapter" {
        return size_of(&model.facts);
    }
    let base = match &model.facts.base {
        Some(base) => size_of(base),
        None => "not read".into(),
    };
    format!("{}; base model: {base}", weights(&model.facts))
}

/// `llama, 1.71 B parameters, bfloat16, 3.42 GB of safetensors, context 8192`.
fn size_of(facts: &FactsSummary) -> String {
    let mut parts = vec![];
    parts.extend(facts.model_type.as_deref().map(short));
    parts.push(parameters(&facts.parameters));
    parts.extend(facts.dtype.as_deref().map(short));
    if let Some((method, bits)) = &facts.quantization {
        let bits = bits.map_or_else(String::new, |bits| format!(" {bits}-bit"));
        parts.push(format!("{}{bits}", short(method)));
    }
    parts.push(weights(facts));
    parts.push(match facts.context_length {
        Some(tokens) => format!("context {tokens}"),
        None => "context unknown".into(),
    });
    parts.join(", ")
}

/// `1.71 B parameters`, with bounds where the number is not known.
pub(crate) fn parameters(parameters: &ParametersSummary) -> String {
    let known = match (parameters.total, parameters.at_least, parameters.at_most) {
        (Some(total), ..) if parameters.exact => format!("{} parameters", units::parameters(total)),
        (Some(total), ..) => format!("about {} parameters", units::parameters(total)),
        (None, Some(least), Some(most)) => {
            format!(
                "{} to {} parameters",
                units::parameters(least),
                units::parameters(most)
            )
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

/// `3.42 GB of safetensors in 2 files`.
pub(crate) fn weights(facts: &FactsSummary) -> String {
    let format = match facts.weights_format {
        Some("none") => return "no weights".into(),
        Some(format) => format,
        None => "weights",
    };
    let Some(bytes) = facts.weights_bytes else {
        return format!("{format} of unknown size");
    };
    let size = units::file_size(bytes);
    match facts.weights_files {
        Some(files) if files > 1 => format!("{size} of {format} in {files} files"),
        _ => format!("{size} of {format}"),
    }
}

/// `base models of 2025-11 (built-in)`, that this is still to come where it is, and the hardware where it
/// is from elsewhere or old. That the base models are old is a note of the rule that goes by them. `quote` marks up
/// what may be a name.
pub(crate) fn data(catalog: &CatalogUsed, quote: impl Fn(&str) -> String) -> String {
    let of = |as_of: &str, origin: &str| format!("of {} ({})", quote(as_of), quote(origin));
    let future = match catalog.is_future {
        Some(true) => ", a day still to come",
        _ => "",
    };
    let base_models = of(&catalog.as_of, &catalog.origin);
    let base_models = format!("base models {base_models}{future}");
    let is_stale = |hardware: &&HardwareUsed| hardware.is_stale == Some(true);
    let old = catalog.hardware.as_ref().filter(is_stale);
    match elsewhere(catalog).or(old) {
        Some(hardware) => {
            let days = if old.is_some() {
                format!(", more than {STALE_DAYS} days ago")
            } else {
                String::new()
            };
            let hardware = of(&hardware.as_of, &hardware.origin);
            format!("{base_models}, hardware {hardware}{days}")
        }
        None => base_models,
    }
}

/// The hardware where it is not from where the base models are.
pub(crate) fn elsewhere(catalog: &CatalogUsed) -> Option<&HardwareUsed> {
    let hardware = catalog.hardware.as_ref();
    hardware.filter(|hardware| hardware.origin != catalog.origin)
}

/// Which hardware it needs, by estimate, where there are options at all.
pub(crate) fn fit(fit: &Fit) -> String {
    let sequences = units::counted(fit.sequences, "sequence");
    // A longer context is not what was judged, so it must not seem to be.
    let limit = if fit.context < fit.context_asked {
        " (all the model takes)"
    } else {
        ""
    };
    let load = format!("{sequences} of {} tokens{limit}", fit.context);
    let is_unknown = |option: &FitOption| option.verdict == FitVerdict::Unknown;
    if fit.options.iter().all(is_unknown) {
        let because = fit.options.first().map_or_else(String::new, because);
        return format!("Which hardware it needs for {load} is not known{because}");
    }
    match &fit.smallest {
        Some(hardware) => format!("Needs {} for {load}, by estimate", short(hardware)),
        None if fit.options.iter().any(is_unknown) => format!("Hardware for {load} is not known"),
        None => format!("None of the hardware here is large enough for {load}, by estimate"),
    }
}

/// `9.2 of 71.6`: what an option needs of what a GPU of it has, in GiB.
pub(crate) fn needed(option: &FitOption) -> String {
    let shown = ShownGib::of(option);
    let needed = shown.needed.unwrap_or_else(|| "-".into());
    format!("{needed} of {}", shown.usable)
}

/// The verdict with the number that goes with it.
pub(crate) fn said(option: &FitOption) -> String {
    let because = because(option);
    match (option.verdict, option.max_context) {
        (FitVerdict::Fits, Some(tokens)) => format!("fits up to {tokens} tokens"),
        (FitVerdict::Fits, None) => "fits any context".into(),
        (FitVerdict::FitsWithShorterContext, tokens) => {
            format!("only up to {} tokens", tokens.unwrap_or_default())
        }
        (FitVerdict::DoesNotFit, _) => {
            let missing = ShownGib::of(option).missing;
            missing.map_or_else(
                || "too large".into(),
                |missing| format!("{missing} GiB too much"),
            )
        }
        (FitVerdict::CannotSplit, _) => format!("cannot split{because}"),
        (FitVerdict::Unknown, _) => format!("unknown{because}"),
    }
}

fn because(option: &FitOption) -> String {
    let because = option.because.as_deref();
    because.map_or_else(String::new, |why| {
        format!(": {}", escape::for_terminal(why, MESSAGE_MAX))
    })
}

/// What the cache was taken for, where that is an assumption.
pub(crate) fn assumed(fit: &Fit) -> Option<String> {
    let inner = escape::for_terminal(fit.cache_of.as_deref()?, MESSAGE_MAX);
    Some(format!(
        "The cache is that of `{inner}`, the language model inside; what the repository's own code around it keeps is not known"
    ))
}

/// What training takes, and on what.
pub(crate) fn training(training: &TrainingFit) -> [String; 2] {
    let on = |hardware: &Option<String>| {
        let hardware = hardware.as_deref();
        hardware.map_or_else(|| "more than any one node".to_owned(), short)
    };
    [
        format!(
            "Training takes about {} GiB (LoRA) or {} GiB (full): a rough estimate.",
            units::gib(training.lora_bytes),
            units::gib(training.full_bytes)
        ),
        format!(
            "All GPUs together, one sequence of {} tokens: LoRA of rank {} on {}, full on {}.",
            training.context,
            training.lora_rank,
            on(&training.lora_smallest),
            on(&training.full_smallest)
        ),
    ]
}
