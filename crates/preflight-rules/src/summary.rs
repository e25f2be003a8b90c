//! The facts of a model as the report shows them.

use preflight_model::cache::KvDtype;
use preflight_model::checkpoint::Kind;
use preflight_model::facts::Facts;
use preflight_model::header::Header;
use preflight_model::release;
use preflight_model::weights::Format;

use crate::adapters;
use crate::report::{AdapterSummary, FactsSummary, ParametersSummary};

/// Copies what is known out of the facts; what is not known stays `None`.
pub(crate) fn of(facts: &Facts<'_>) -> FactsSummary {
    let summary = of_model(facts);
    if facts.kind == Kind::Model {
        return summary;
    }
    let weights = facts.checkpoint.adapter_weights.as_ref();
    let header = weights.and_then(|weights| weights.header.known());
    FactsSummary {
        weights_format: weights
            .map(|_| Format::Safetensors.as_str())
            .or(summary.weights_format),
        weights_files: weights.map(|_| 1).or(summary.weights_files),
        weights_bytes: weights.and_then(|weights| weights.size),
        weights_tensors: header.map(|header| header.len() as u64),
        base: adapters::base(facts)
            .known()
            .map(|base| Box::new(of_model(base))),
        ..summary
    }
}

fn of_model(facts: &Facts<'_>) -> FactsSummary {
    let checkpoint = facts.checkpoint;
    let config = checkpoint.config.known();
    let weights = checkpoint.weights.known();
    let model_type = config.and_then(|config| config.model_type());
    let parameters = &checkpoint.parameters;
    let complete = weights.is_some_and(preflight_model::weights::Weights::is_complete);
    let given = |key: &str| {
        let root = config?.root();
        root.get_set(key)?.as_str().map(str::to_owned)
    };
    FactsSummary {
        model_type: model_type.map(str::to_owned),
        architectures: config
            .map(|config| {
                config
                    .architectures()
                    .into_iter()
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default(),
        task: facts.task.as_str().into(),
        modalities: facts.modalities(),
        parameters: ParametersSummary {
            total: parameters.total,
            at_least: parameters
                .total
                .or(Some(parameters.at_least).filter(|&count| count > 0)),
            at_most: parameters.total.or(parameters.at_most),
            active: parameters.active,
            stored_elements: parameters.stored_elements,
            by_dtype: parameters.by_dtype.clone(),
            exact: parameters.total.is_some(),
        },
        weights_format: weights.map(|weights| weights.format.as_str()),
        weights_files: weights.map(|weights| weights.files.len() as u64),
        weights_bytes: weights
            .filter(|weights| !weights.files.is_empty())
            .and_then(|weights| weights.bytes),
        weights_tensors: weights.filter(|_| complete).map(|weights| {
            let headers = weights
                .shards
                .iter()
                .filter_map(|shard| shard.header.known());
            headers.map(Header::len).sum::<usize>() as u64
        }),
        quantization: checkpoint
            .quantization
            .as_ref()
            .and_then(|found| Some((found.method.clone()?, found.bits))),
        saved_with: given("transformers_version"),
        introduced_in: model_type
            .and_then(release::model_type_since)
            .map(|since| since.to_string()),
        remote_code_required: if config.is_some() {
            facts.remote_code.required()
        } else {
            None
        },
        remote_code_because: facts
            .remote_code
            .needs
            .iter()
            .map(|need| format!("{}: {}", need.step, need.code))
            .collect(),
        dtype: dtype(facts),
        context_length: checkpoint.context_length,
        kv_cache_bytes_per_token: checkpoint
            .cache
            .as_ref()
            .map(|cache| cache.growing_bytes_per_token(KvDtype::Bf16)),
        adapter: checkpoint.adapter.known().map(|adapter| AdapterSummary {
            kind: adapter.peft_type.clone(),
            rank: adapter.rank,
            alpha: adapter.alpha,
            target_modules: adapter.target_modules.clone(),
            base_model: adapter.base_model.clone(),
        }),
        base: None,
    }
}

/// What the config says, or else what most of the weights are.
fn dtype(facts: &Facts<'_>) -> Option<String> {
    let config = facts.checkpoint.config.known()?;
    let text = config.text();
    let sections = [config.whole(), text];
    let given = sections.iter().find_map(|section| {
        let dtype = section
            .given("torch_dtype")
            .or_else(|| section.given("dtype"))?;
        dtype.as_str().map(str::to_owned)
    });
    given.or_else(|| {
        // An integer type is a container, not what the model computes in.
        let by_dtype = facts.checkpoint.parameters.by_dtype.iter();
        let floats = by_dtype.filter(|(dtype, _)| dtype.contains('F'));
        floats
            .max_by_key(|(_, count)| **count)
            .map(|(dtype, _)| dtype.clone())
    })
}
