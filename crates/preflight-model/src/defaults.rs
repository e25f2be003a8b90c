//! What a config class of transformers assumes where `config.json` is silent.
//!
//! Data: `data/config-defaults.json`, made by `tools/config_defaults.py` from the published
//! transformers 4.55.4 package.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// One config class and the causal-LM class that belongs to it.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct ClassDefaults {
    /// For example `LlamaConfig`.
    pub config_class: String,
    /// The class that `AutoModelForCausalLM` builds.
    pub causal_lm: Option<String>,
    /// Common name of a setting to the name that this class stores it under.
    pub attribute_map: BTreeMap<String, String>,
    /// Key of a nested config to the model type it has when it names none.
    pub sub_configs: BTreeMap<String, String>,
    /// Value of every setting that a config.json leaves out.
    pub defaults: serde_json::Map<String, serde_json::Value>,
    /// Settings whose default is computed from others, so that `defaults` holds only what the class's
    /// own sizes give: never use those for another model.
    pub derived: Vec<String>,
    /// Prefix of the bare model inside the causal-LM class, for example `model`.
    pub base_model_prefix: String,
    /// Parameters that share storage with another when `tie_word_embeddings` is on.
    pub tied_weights_keys: Vec<String>,
    /// Patterns of old tensor names and what they became.
    pub checkpoint_conversion_mapping: BTreeMap<String, String>,
    /// Patterns of tensors that the loader drops without a word.
    pub keys_to_ignore_on_load_unexpected: Vec<String>,
}

#[derive(Deserialize)]
struct Table {
    model_types: BTreeMap<String, ClassDefaults>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/config-defaults.json"))
        .expect("data/config-defaults.json is generated and tested")
});

/// The defaults of a model type, for the causal-LM types and their parts.
pub fn class_defaults(model_type: &str) -> Option<&'static ClassDefaults> {
    TABLE.model_types.get(model_type)
}
