//! What the rules about hardware and base models need of a model, taken from its facts.

use preflight_model::cache::KvCache;
use preflight_model::facts::Facts;
use preflight_model::memory::{Footprint, WeightBytes};
use preflight_model::task::Task;

use crate::base_models::{self, ModelShape};
use crate::case::Case;
use crate::structure::Structure;

/// The shape that base models are compared with.
pub(crate) fn of<'a>(facts: &'a Facts<'a>) -> ModelShape<'a> {
    let checkpoint = facts.checkpoint;
    let config = checkpoint.config.known();
    let parameters = &checkpoint.parameters;
    ModelShape {
        model_type: config.and_then(|config| config.model_type()),
        class: config.and_then(|config| config.architectures().first().copied()),
        parameters: parameters.total,
        parameters_at_least: Some(parameters.at_least).filter(|&count| count > 0),
        parameters_at_most: parameters.at_most,
        context_length: checkpoint.context_length,
        is_multimodal: facts.modalities().len() > 1,
        structure: Structure::of_checkpoint(checkpoint),
    }
}

/// What the user wants of a base model.
pub(crate) fn ranking_options<'a>(case: &Case<'a>) -> base_models::Options<'a> {
    let same = case.policy.platform.same_architecture.known();
    base_models::Options {
        training_type: case.options.training_type,
        method: case.options.method,
        same_architecture: same.map_or(&[], Vec::as_slice),
    }
}

/// What the model takes of a GPU; none where its config or its files are not known.
pub(crate) fn footprint(facts: &Facts<'_>) -> Option<Footprint> {
    let checkpoint = facts.checkpoint;
    let config = checkpoint.config.known()?;
    let weights = checkpoint.weights.known()?;
    let mut footprint = Footprint::new(config, weight_bytes(facts, weights.bytes)?);
    if facts.task == Task::Embedding && footprint.cache.is_none() {
        // An encoder sees all tokens at once and keeps none.
        footprint.cache = KvCache::new(Vec::new());
    }
    Some(footprint)
}

fn weight_bytes(facts: &Facts<'_>, file_bytes: Option<u64>) -> Option<WeightBytes> {
    let checkpoint = facts.checkpoint;
    let stored = file_bytes?;
    let in_32_bit = checkpoint
        .parameters
        .by_dtype
        .get("F32")
        .copied()
        .unwrap_or(0);
    if checkpoint.parameters.stored_elements.is_some() {
        let in_32_bit = in_32_bit.checked_mul(4)?.min(stored);
        return Some(WeightBytes::loaded(
            stored,
            in_32_bit,
            checkpoint.quantization.is_some(),
        ));
    }
    // Without the headers the files may hold 32-bit weights, which engines halve.
    Some(WeightBytes {
        at_least: stored / 2,
        at_most: Some(stored),
        is_converted: false,
    })
}
