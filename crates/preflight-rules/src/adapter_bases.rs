//! The base models that adapters are served on: which repositories hold them, and their shapes.
//!
//! Data: `catalogs/adapter-bases.json`. Which of them a platform serves is the policy's.

use std::sync::{LazyLock, OnceLock};

use preflight_model::adapter::Modules;
use preflight_model::config::Config;
use preflight_model::json::Document;
use serde::Deserialize;

/// A base model that adapters are served on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdapterBase {
    /// What the platform calls it.
    pub(crate) name: String,
    /// Repositories of the Hub that hold its weights.
    repositories: Vec<String>,
    /// The keys of its config.json that decide its shapes, where they are kept.
    config: Option<serde_json::Value>,
    #[serde(skip)]
    modules: OnceLock<Option<Modules>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "as_of")]
    _as_of: String,
    models: Vec<AdapterBase>,
}

static KNOWN: LazyLock<Vec<AdapterBase>> = LazyLock::new(|| {
    let text = include_str!("../catalogs/adapter-bases.json");
    let file: File = serde_json::from_str(text).expect("the file is tested");
    file.models
});

/// Endings of the names of copies whose weights are quantised: what is adapted is the model itself.
const QUANTIZED: [&str; 2] = ["-unsloth-bnb-4bit", "-bnb-4bit"];

/// The name of a repository without the ending that says how a copy is quantised.
pub(crate) fn unquantized(repository: &str) -> &str {
    let shorter = |end: &&str| repository.strip_suffix(*end);
    QUANTIZED.iter().find_map(shorter).unwrap_or(repository)
}

impl AdapterBase {
    /// The base model that the platform calls so.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|base| base.name == name)
    }

    /// Whether a repository of this name holds it, as it is or quantised.
    pub(crate) fn is_in(&self, repository: &str) -> bool {
        let repository = unquantized(repository);
        let mut names = self.repositories.iter().chain([&self.name]);
        names.any(|name| name.eq_ignore_ascii_case(repository))
    }

    /// Its modules, where its shapes are kept.
    pub(crate) fn modules(&self) -> Option<&Modules> {
        let told = self.modules.get_or_init(|| {
            let text = self.config.as_ref()?.to_string();
            let config = Config::new(Document::parse(text.as_bytes()).ok()?)?;
            Modules::of_config(&config)
        });
        told.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn every_base_is_one_of_the_catalog_and_its_shapes_are_told() {
        let catalog = Catalog::load("together-2025").unwrap();
        for base in KNOWN.iter() {
            let row = catalog.get(&base.name).unwrap();
            let published = row.hf_repo.as_deref();
            assert!(
                published.is_some_and(|name| base.is_in(name)),
                "{}",
                base.name
            );
            assert_eq!(
                base.modules().is_some(),
                base.config.is_some(),
                "{}",
                base.name
            );
        }
    }

    #[test]
    fn copies_are_the_model() {
        let base = AdapterBase::named("meta-llama/Meta-Llama-3.1-8B-Instruct-Reference").unwrap();
        for copy in [
            "meta-llama/Llama-3.1-8B-Instruct",
            "unsloth/meta-llama-3.1-8b-instruct-bnb-4bit",
            "unsloth/Meta-Llama-3.1-8B-Instruct-unsloth-bnb-4bit",
            "NousResearch/Meta-Llama-3.1-8B-Instruct",
        ] {
            assert!(base.is_in(copy), "{copy}");
        }
        for other in [
            "meta-llama/Llama-3.1-8B",
            "acme/Llama-3.1-8B-Instruct",
            "unsloth/Meta-Llama-3.1-8B-bnb-4bit",
        ] {
            assert!(!base.is_in(other), "{other}");
        }
    }
}
