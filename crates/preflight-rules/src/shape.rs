//! What the rules about hardware and base models need of a model, taken from its facts.

use preflight_model::cache::KvCache;
use preflight_model::config::Config;
use preflight_model::facts::Facts;
use preflight_model::memory::{Footprint, Training, WeightBytes};
use preflight_model::release::{self, Release};
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
        release: case.policy.release(),
    }
}

/// What the model takes of a GPU; none where its config or its files are not known.
pub(crate) fn footprint(facts: &Facts<'_>) -> Option<Footprint> {
    let checkpoint = facts.checkpoint;
    let config = checkpoint.config.known()?;
    let weights = checkpoint.weights.known()?;
    let quantization = checkpoint.quantization.as_ref();
    let bytes = weight_bytes(facts, weights.bytes)?;
    let mut footprint = Footprint::new(config, quantization, bytes);
    if facts.task == Task::Embedding && footprint.cache.is_none() && is_encoder(config) {
        // It sees all tokens at once and keeps none.
        footprint.cache = KvCache::new(Vec::new());
    }
    Some(footprint)
}

/// Whether the type is that of an encoder: one with a class that fills in blanks, and none that turns one
/// text into another. An embedding model may be a decoder as well, which engines serve with its cache.
fn is_encoder(config: &Config) -> bool {
    let Some(model_type) = config.model_type() else {
        return false;
    };
    let has = |wanted| {
        let mut tasks = release::tasks(Release::newest(), model_type);
        tasks.any(|(task, _)| task == wanted)
    };
    let decodes = config.root().get("is_decoder");
    let decodes = decodes.is_some_and(|decodes| decodes.as_bool() != Some(false));
    has("masked_lm") && !has("seq2seq_lm") && !decodes
}

/// What training the model takes; none where the weights are quantised, which cannot be trained as they are.
pub(crate) fn training(facts: &Facts<'_>) -> Option<Training> {
    let checkpoint = facts.checkpoint;
    if checkpoint.quantization.is_some() {
        return None;
    }
    let parameters = &checkpoint.parameters;
    let per_rank = parameters.adapter_elements_per_rank;
    Training::new(checkpoint.config.known()?, parameters.total?, per_rank)
}

fn weight_bytes(facts: &Facts<'_>, file_bytes: Option<u64>) -> Option<WeightBytes> {
    let parameters = &facts.checkpoint.parameters;
    let stored = file_bytes.filter(|&bytes| bytes > 0)?;
    if parameters.stored_elements.is_some() {
        // A model of no weights is not one that fits.
        parameters.held.total().filter(|&bytes| bytes > 0)?;
        return Some(WeightBytes::Known(parameters.held));
    }
    // Without the headers the files may hold 32-bit weights, which engines halve.
    Some(WeightBytes::Between {
        at_least: stored / 2,
        at_most: Some(stored),
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    /// Bytes of the cache on one GPU; `None` where that is not known.
    fn cache_of_embedding_model(config: &str) -> Option<u64> {
        let files = format!(
            "//- config.json\n{config}\n//- modules.json\n[{{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"}}]\n"
        );
        let report = Repo::new(&files).report();
        assert_eq!(report.facts.task, "embedding", "{config}");
        report.fit.options[0].cache_bytes_per_gpu
    }

    #[test]
    fn only_an_encoder_is_sure_to_keep_nothing() {
        for (config, expected) in [
            (r#"{"model_type": "bert"}"#, Some(0)),
            (r#"{"model_type": "deberta-v2"}"#, Some(0)),
            (r#"{"model_type": "xlm-roberta-xl"}"#, Some(0)),
            (
                r#"{"model_type": "xlm-roberta-xl", "is_decoder": true}"#,
                None,
            ),
            (
                r#"{"model_type": "qwen3", "num_hidden_layers": 2, "num_key_value_heads": 2, "head_dim": 8}"#,
                Some(4096 * 2 * 2 * 2 * 8 * 2),
            ),
            (r#"{"model_type": "minicpm"}"#, None),
            (r#"{"model_type": "internlm2"}"#, None),
            (r#"{"model_type": "deepseek_v4"}"#, None),
            (r#"{"model_type": "t5"}"#, None),
            (r#"{"model_type": "bart"}"#, None),
        ] {
            assert_eq!(cache_of_embedding_model(config), expected, "{config}");
        }
    }
}
