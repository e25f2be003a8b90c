//! Known models by their configs: what transformers made of them.

use preflight_model::architecture::is_described;
use preflight_model::cache::{KvCache, KvDtype};
use preflight_model::checkpoint::Checkpoint;
use preflight_model::facts::Facts;
use serde_json::Value;

use super::data::{self, Shared};
use super::loading;
use super::suite::Suite;

/// Every preset: its name, its config, and the oracle's answer.
fn presets(shared: &Shared) -> Result<Vec<(String, Value, Value)>, String> {
    let presets = shared.json("data/model-presets.json")?;
    shared
        .lines("data/oracle-presets.jsonl")?
        .into_iter()
        .map(|answer| {
            let id = data::name(&answer, "id")?.to_owned();
            let config = presets["presets"][&id]["config"].clone();
            Ok((id, config, answer))
        })
        .collect()
}

/// Whether it loads as a causal LM, and whether it needs code of its own.
pub(crate) fn loading(shared: &Shared) -> Result<Suite, String> {
    let mut suite = Suite::new("presets, loading");
    for (id, config, answer) in presets(shared)? {
        let snapshot =
            data::repository_of([("config.json".into(), config.to_string().into_bytes())]);
        let checkpoint = Checkpoint::read(&snapshot);
        let facts = Facts::derive(&checkpoint, data::release()?);
        loading::compare_with_oracle(&mut suite, &id, &answer, &facts);
    }
    Ok(suite)
}

/// Context length.
pub(crate) fn context(shared: &Shared) -> Result<Suite, String> {
    let mut suite = Suite::new("presets, context length");
    for (id, config, answer) in presets(shared)? {
        let Some(length) = answer["context"].get("length") else {
            continue;
        };
        let snapshot =
            data::repository_of([("config.json".into(), config.to_string().into_bytes())]);
        let checkpoint = Checkpoint::read(&snapshot);
        suite.compare(
            format!("{id} (context)"),
            checkpoint.context_length,
            length.as_u64(),
        );
    }
    Ok(suite)
}

/// KV cache, as transformers keeps it.
pub(crate) fn cache(shared: &Shared) -> Result<Suite, String> {
    let mut suite = Suite::new("presets, KV cache");
    for (id, config, answer) in presets(shared)? {
        let measured = &answer["kv_cache"];
        if measured["growing_bytes_per_token"].is_null() {
            continue;
        }
        let snapshot =
            data::repository_of([("config.json".into(), config.to_string().into_bytes())]);
        let checkpoint = Checkpoint::read(&snapshot);
        let cache = checkpoint.config.known().and_then(KvCache::of_transformers);
        let ours = |bytes: fn(&KvCache) -> u64| cache.as_ref().map(bytes);
        suite.compare(
            format!("{id} (cache, bytes per token)"),
            ours(|cache| cache.growing_bytes_per_token(KvDtype::Bf16)),
            measured["growing_bytes_per_token"].as_u64(),
        );
        suite.compare(
            format!("{id} (cache, bytes per token beyond the window)"),
            ours(|cache| cache.beyond_window_bytes_per_token(KvDtype::Bf16)),
            measured["beyond_window_bytes_per_token"].as_u64(),
        );
        suite.compare(
            format!("{id} (cache, fixed bytes)"),
            ours(KvCache::fixed_bytes),
            measured["fixed_bytes"].as_u64(),
        );
    }
    Ok(suite)
}

/// Tensors and parameters of the model that transformers built.
pub(crate) fn tensors(shared: &Shared) -> Result<Suite, String> {
    let mut suite = Suite::new("presets, tensors and parameters");
    for (id, config, answer) in presets(shared)? {
        let model = &answer["model"];
        let Some(class) = model["class"].as_str().filter(|class| is_described(class)) else {
            continue;
        };
        // A composite model is loaded under another name than that of its checkpoint.
        let mut config = config;
        config["architectures"] = Value::from(vec![class]);
        let snapshot = data::model(&config, &model["state_dict_digest"])?;
        let checkpoint = Checkpoint::read(&snapshot);
        let differences = checkpoint.comparison.known().map(|found| {
            found.missing.len()
                + found.unexpected.len()
                + found.wrong_shape.len()
                + found.beyond_layers.len()
        });
        suite.compare(format!("{id} (tensors that differ)"), differences, Some(0));
        suite.compare(
            format!("{id} (parameters)"),
            checkpoint.parameters.total,
            model["params"].as_u64(),
        );
    }
    Ok(suite)
}
