//! What is known of the model, as a list of terms.

use preflight_rules::report::{FactsSummary, ModelReport};

use crate::escape::for_terminal;
use crate::markup::Markup;
use crate::{units, words};

/// Most characters of a value.
const VALUE_MAX: usize = 300;

pub(super) fn write(page: &mut Markup, model: &ModelReport) {
    page.raw("<section>\n<h3>Facts</h3>\n<dl>\n");
    for (term, value) in facts(model) {
        page.raw("<div><dt>").raw(term).raw("</dt><dd>");
        page.text(for_terminal(&value, VALUE_MAX))
            .raw("</dd></div>\n");
    }
    page.raw("</dl>\n</section>\n");
}

/// What is known, and of what decides also that it is not.
fn facts(model: &ModelReport) -> Vec<(&'static str, String)> {
    let facts = &model.facts;
    let mut all = vec![("Source", model.source.to_owned())];
    let mut known = |term, value: Option<String>| all.extend(value.map(|value| (term, value)));
    known("Revision", model.revision.clone());
    known("Commit", model.commit.clone());
    known("Observed at", model.observed_at.clone());
    known("Model type", facts.model_type.clone());
    known("Architectures", listed(&facts.architectures));
    known(
        "Task",
        Some(facts.task.clone()).filter(|task| !task.is_empty()),
    );
    known("Modalities", listed(&facts.modalities));
    known("Parameters", Some(parameters(facts)));
    known("Weights", Some(words::weights(facts)));
    known("Type of the weights", facts.dtype.clone());
    known(
        "Quantisation",
        facts.quantization.as_ref().map(|(method, bits)| {
            bits.map_or_else(|| method.clone(), |bits| format!("{method}, {bits}-bit"))
        }),
    );
    let tokens = facts
        .context_length
        .map(|tokens| format!("{tokens} tokens"));
    known(
        "Context",
        Some(tokens.unwrap_or_else(|| "not known".into())),
    );
    known(
        "Cache for a token, BF16",
        facts.kv_cache_bytes_per_token.map(units::file_size),
    );
    known("Saved with transformers", facts.saved_with.clone());
    known("Known to transformers since", facts.introduced_in.clone());
    let own_code = facts.remote_code_required.map(|required| {
        match (required, listed(&facts.remote_code_because)) {
            (true, Some(because)) => format!("needed: {because}"),
            (true, None) => "needed".into(),
            (false, _) => "not needed".into(),
        }
    });
    known("Code of the repository", own_code);
    if let Some(adapter) = &facts.adapter {
        known("Modules of the adapter", listed(&adapter.target_modules));
        known(
            "Alpha of the adapter",
            adapter.alpha.map(|alpha| alpha.to_string()),
        );
    }
    all
}

fn listed(words: &[impl AsRef<str>]) -> Option<String> {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    Some(words.join(", ")).filter(|text| !text.is_empty())
}

/// The number in full where it is exact.
fn parameters(facts: &FactsSummary) -> String {
    let parameters = &facts.parameters;
    match parameters.total.filter(|_| parameters.exact) {
        Some(total) => {
            let active = parameters.active.map_or_else(String::new, |active| {
                format!(", {} active", units::parameters(active))
            });
            format!("{}{active}", units::grouped(total))
        }
        None => words::parameters(parameters),
    }
}
