//! `fuzz-seeds`: the inputs that fuzzing starts from, cut out of the fixtures.

use std::fs;
use std::path::PathBuf;

use preflight_model::header::{Header, Tensor};
use preflight_model::index::Index;
use preflight_model::snapshot::{Content, Snapshot};
use preflight_model::wanted;
use serde_json::{Map, Value};

use crate::spec::{self, snapshot_of};
use crate::tree::{self, Tree};

/// Tensors of a seed: small inputs are mutated to better effect.
const TENSORS_MAX: usize = 16;

/// Targets whose seeds come from the fixtures; those of the others were written by hand.
const TARGETS: [&str; 4] = ["config", "header", "index", "snapshot"];

/// Writes all seeds and answers with what was written.
pub(crate) fn write() -> Result<String, String> {
    let seeds = seeds()?;
    let dir = seeds_dir();
    let told = format!("wrote {} seeds to {}\n", seeds.len(), dir.display());
    for path in committed()?
        .keys()
        .filter(|path| !seeds.contains_key(*path))
    {
        fs::remove_file(dir.join(path)).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    for (path, bytes) in seeds {
        let path = dir.join(path);
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, bytes))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(told)
}

/// Fails where the committed seeds are not what the fixtures give.
pub(crate) fn check() -> Result<String, String> {
    let differences = tree::differences("seeds", &seeds()?, &committed()?);
    if differences.is_empty() {
        return Ok("the seeds are what the fixtures give\n".into());
    }
    Err(format!(
        "seeds differ from the fixtures; `cargo xtask fuzz-seeds` writes them anew\n  {}",
        differences.join("\n  ")
    ))
}

/// The committed seeds that come from the fixtures.
fn committed() -> Result<Tree, String> {
    let mut seeds = tree::read(&seeds_dir())?;
    seeds.retain(|path, _| TARGETS.iter().any(|target| path.starts_with(target)));
    Ok(seeds)
}

fn seeds_dir() -> PathBuf {
    crate::repository().join("tests/fuzz/seeds")
}

fn seeds() -> Result<Tree, String> {
    let mut seeds = Tree::new();
    for name in spec::names()? {
        let snapshot = snapshot_of(&name)?;
        let mut add = |target: &str, bytes: Vec<u8>| {
            seeds.insert(PathBuf::from(target).join(&name), bytes);
        };
        let Some(config) = whole(&snapshot, "config.json") else {
            continue;
        };
        add("config", config.to_vec());
        if let Some(index) = whole(&snapshot, wanted::INDEX) {
            add("index", index_of(index)?);
        }
        let header = one_layer(&snapshot);
        if header != "{}" {
            add("header", header.clone().into_bytes());
            add("snapshot", repository_of(&snapshot, config, &header)?);
        }
    }
    Ok(seeds)
}

fn whole<'a>(snapshot: &'a Snapshot, path: &str) -> Option<&'a [u8]> {
    match &snapshot.file(path)?.content {
        Content::Whole(bytes) => Some(bytes),
        _ => None,
    }
}

/// The first lines of an index.
fn index_of(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let index = Index::parse(bytes).map_err(|error| error.message)?;
    let map: Map<String, Value> = index
        .tensors()
        .take(TENSORS_MAX)
        .map(|(tensor, shard)| (tensor.to_owned(), shard.into()))
        .collect();
    let metadata = serde_json::json!({"total_size": index.total_size});
    Ok(pretty(
        &serde_json::json!({"metadata": metadata, "weight_map": map}),
    ))
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// One header with what all shards hold of the first layer and outside of layers.
fn one_layer(snapshot: &Snapshot) -> String {
    let files = snapshot.files.known().map_or(&[][..], Vec::as_slice);
    let headers = files.iter().filter_map(|file| match &file.content {
        Content::Prefix(start) => Header::parse(start, None).ok(),
        _ => None,
    });
    let (mut members, mut at) = (Vec::new(), 0);
    for header in headers {
        for tensor in header.tensors().filter(is_of_first_layer) {
            if members.len() == TENSORS_MAX {
                break;
            }
            let end = at + tensor.bytes;
            members.push(format!(
                "\"{}\":{{\"dtype\":\"{}\",\"shape\":{:?},\"data_offsets\":[{at},{end}]}}",
                tensor.name, tensor.dtype, tensor.shape
            ));
            at = end;
        }
    }
    format!("{{{}}}", members.join(","))
}

/// No number in the name but 0: neither a later layer nor a later expert.
fn is_of_first_layer(tensor: &Tensor<'_>) -> bool {
    tensor
        .name
        .split('.')
        .filter_map(|part| part.parse::<u32>().ok())
        .all(|number| number == 0)
}

/// A repository as the target `snapshot` reads it: the fixture with one layer.
fn repository_of(snapshot: &Snapshot, config: &[u8], header: &str) -> Result<Vec<u8>, String> {
    let mut config: Value = serde_json::from_slice(config).map_err(|error| error.to_string())?;
    let mut parts = vec![&mut config];
    while let Some(part) = parts.pop() {
        let Some(object) = part.as_object_mut() else {
            continue;
        };
        for (key, value) in object {
            match key.as_str() {
                "num_hidden_layers" | "n_layer" | "num_layers" => *value = 1.into(),
                _ => parts.push(value),
            }
        }
    }
    let mut out = b"//- config.json\n".to_vec();
    out.extend(pretty(&config));
    for path in ["generation_config.json", "tokenizer_config.json"] {
        if let Some(bytes) = whole(snapshot, path) {
            out.extend(format!("//- {path}\n").into_bytes());
            out.extend(bytes.trim_ascii_end());
            out.push(b'\n');
        }
    }
    out.extend(b"//- tokenizer.json\n");
    out.extend(format!("//- {}\n{header}\n", wanted::SINGLE).into_bytes());
    Ok(out)
}

#[cfg(test)]
mod tests {
    #[test]
    fn committed_seeds_are_what_the_fixtures_give() {
        super::check().expect("up to date");
    }
}
