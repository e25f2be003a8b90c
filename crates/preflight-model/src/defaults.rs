//! What a config class of transformers assumes where `config.json` is silent.
//!
//! Data: `data/config-defaults.json`, made by `tools/transformers_tables.py` from the published
//! transformers 4.55.4 package; `docs/data.md` says how.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use foldhash::HashMap;
use serde::Deserialize;

/// One config class and the causal-LM class that belongs to it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClassDefaults {
    /// For example `LlamaConfig`.
    pub config_class: String,
    /// The class that `AutoModelForCausalLM` builds.
    pub causal_lm: Option<String>,
    /// Common name of a setting to the name that this class stores it under.
    pub attribute_map: BTreeMap<String, String>,
    /// Key of a nested config to the model type that it has when it names none. The few classes that
    /// have no model type stand under their own name, for example `DbrxAttentionConfig`.
    pub sub_configs: BTreeMap<String, String>,
    /// Value of every setting that a config.json leaves out.
    pub defaults: serde_json::Map<String, serde_json::Value>,
    /// Settings whose default is computed from others, sorted; what `defaults` holds for them follows
    /// from the class's own sizes and is never right for another model.
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
    model_types: HashMap<String, ClassDefaults>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/config-defaults.json"))
        .expect("data/config-defaults.json is generated and tested")
});

/// The defaults of a model type: of every type that transformers 4.55 has a causal-LM or image-text
/// class for, and of the configs nested in theirs.
pub fn class_defaults(model_type: &str) -> Option<&'static ClassDefaults> {
    TABLE.model_types.get(model_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{Release, causal_lm_class};

    fn class(model_type: &str) -> &'static ClassDefaults {
        class_defaults(model_type).unwrap()
    }

    #[test]
    fn every_causal_type_of_the_release_and_nothing_else_has_a_causal_class() {
        let release = Release::parse("4.55").unwrap();
        let causal = TABLE.model_types.iter().filter_map(|(name, class)| {
            let built = class.causal_lm.as_deref()?;
            assert_eq!(causal_lm_class(release, name), Some(built), "{name}");
            Some(name)
        });
        assert_eq!(causal.count(), 128);
    }

    #[test]
    fn a_part_of_a_config_is_in_the_table_too() {
        let parts = TABLE.model_types.values();
        let parts = parts.flat_map(|class| class.sub_configs.values());
        for part in parts {
            assert!(class_defaults(part).is_some(), "`{part}`");
        }
        assert_eq!(class("gemma3").sub_configs["text_config"], "gemma3_text");
        assert_eq!(
            class("dbrx").sub_configs["attn_config"],
            "DbrxAttentionConfig"
        );
        assert_eq!(class("mistral3").sub_configs["text_config"], "mistral");
    }

    #[test]
    fn what_follows_from_other_settings_is_marked() {
        let is_derived =
            |model_type, name: &str| class(model_type).derived.iter().any(|key| key == name);
        assert!(is_derived("llama", "num_key_value_heads") && is_derived("llama", "head_dim"));
        assert!(is_derived("falcon", "num_kv_heads"));
        assert!(is_derived("mamba", "time_step_rank") && is_derived("mamba", "intermediate_size"));
        assert!(is_derived("deepseek_v3", "qk_head_dim"));
        assert!(is_derived("gpt_oss", "layer_types"));
        assert!(
            is_derived("dbrx", "num_key_value_heads"),
            "from the nested `attn_config.kv_n_heads`"
        );
        // Fixed numbers, whatever the rest.
        assert!(!is_derived("qwen3", "num_key_value_heads") && !is_derived("qwen3", "head_dim"));
        assert!(!is_derived("llama", "hidden_size"));
    }

    #[test]
    fn what_the_causal_class_says_of_its_tensors() {
        assert_eq!(class("gpt2").base_model_prefix, "transformer");
        assert_eq!(class("gpt2").tied_weights_keys, ["lm_head.weight"]);
        assert_eq!(class("llama").defaults["tie_word_embeddings"], false);
        assert_eq!(class("gemma").defaults["tie_word_embeddings"], true);
        assert_eq!(class("gpt2").attribute_map["hidden_size"], "n_embd");
        let renamed = &class("gemma3").checkpoint_conversion_mapping;
        assert_eq!(renamed["^language_model.lm_head"], "lm_head");
    }
}
