//! What was looked at: its name and commit, then its size.

use preflight_rules::report::{FactsSummary, ModelReport, ParametersSummary};

use super::screen::{NAME_MAX, Screen, short};
use crate::text::Keep;
use crate::units;

/// Characters of a commit that are shown, enough to be unique in any repository.
const COMMIT_SHOWN: usize = 12;

pub(super) fn write(screen: &mut Screen, model: &ModelReport) {
    screen.blank();
    let name = model.id.as_deref().unwrap_or(&model.input);
    let mut line = short(name, NAME_MAX);
    if let Some(commit) = &model.commit {
        line.push_str(" at commit ");
        line.extend(commit.chars().take(COMMIT_SHOWN));
    } else if let Some(revision) = &model.revision {
        line.push_str(" at ");
        line.push_str(&short(revision, NAME_MAX));
    }
    screen.paragraph("", &format!("{line} ({})", model.source), Keep::Words);
    if let Some(adapter) = &model.facts.adapter {
        let or = |name: &Option<String>, other: &str| {
            name.as_deref()
                .map_or_else(|| other.into(), |name| short(name, NAME_MAX))
        };
        let kind = or(&adapter.kind, "unknown kind of");
        let rank = adapter
            .rank
            .map_or_else(|| "unknown".into(), |rank| rank.to_string());
        let base = or(&adapter.base_model, "unknown");
        screen.paragraph(
            "",
            &format!("{kind} adapter, rank {rank}, base model {base}"),
            Keep::Words,
        );
    }
    if model.kind != "adapter" {
        screen.paragraph("", &size(&model.facts), Keep::Words);
        return;
    }
    let base = match &model.facts.base {
        Some(base) => size(base),
        None => "not read".into(),
    };
    let weights = weights(&model.facts);
    screen.paragraph("", &format!("{weights}; base model: {base}"), Keep::Words);
}

/// `llama, 1.71 B parameters, bfloat16, 3.42 GB of safetensors, context 8192`.
fn size(facts: &FactsSummary) -> String {
    let mut parts = vec![];
    parts.extend(
        facts
            .model_type
            .as_deref()
            .map(|name| short(name, NAME_MAX)),
    );
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

fn weights(facts: &FactsSummary) -> String {
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
