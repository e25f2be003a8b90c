//! Layers beyond the number that config.json gives.

use std::collections::BTreeSet;

use preflight_model::architecture::Comparison;
use preflight_model::config::{Config, Section};
use preflight_model::parameters::layer_of;

use crate::report::Finding;

/// The problem of layers that the loader leaves out, and the note that there are tensors of such.
pub(super) fn beyond(
    comparison: &Comparison,
    config: &Config,
) -> (Option<Finding>, Option<Finding>) {
    let names = &comparison.beyond_layers;
    let layers: BTreeSet<u64> = names.iter().filter_map(|name| layer_of(name)).collect();
    // Layers for predicting several tokens stand there by design, and their number in the config.
    let is_too_many = layers.len() as u64 > predicting_layers(&config.text());
    let problem = is_too_many.then(|| {
        let (which, they) = match layers.len() {
            1 => ("1 layer".into(), "it"),
            count => (format!("{count} layers"), "them"),
        };
        Finding::in_config(
            config.text().given("num_hidden_layers").as_ref(),
            format!(
                "the checkpoint has {which} beyond `num_hidden_layers`: the loader would leave {they} out"
            ),
        )
    });
    let note = names.first().map(|first| {
        Finding::new(format!(
            "tensors of layers beyond `num_hidden_layers`, so not loaded: {}, for example `{first}`",
            names.len()
        ))
    });
    (problem, note)
}

/// Model types that store layers for predicting several tokens behind the last layer, which their classes
/// pass over.
/// Source: `_keys_to_ignore_on_load_unexpected` (`layers.61`, `layers.92`, …) of
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/models/deepseek_v3/modeling_deepseek_v3.py>,
/// that of `glm4_moe` beside it, and the classes of release 5 that follow them.
const PREDICTS_SEVERAL: [&str; 6] = [
    "deepseek_v3",
    "deepseek_v32",
    "glm4_moe",
    "glm4_moe_lite",
    "glm4v_moe_text",
    "glm_moe_dsa",
];

/// How many layers may stand behind the last for predicting several tokens; one where the config says nothing.
pub(super) fn predicting_layers(text: &Section<'_>) -> u64 {
    let predicts = text
        .model_type()
        .is_some_and(|model_type| PREDICTS_SEVERAL.contains(&model_type));
    if predicts {
        text.u64("num_nextn_predict_layers").unwrap_or(1)
    } else {
        0
    }
}
