//! What a model is made of, as far as a template can agree with it: attention, heads, vocabulary,
//! positions, experts.
//!
//! Data of the platform's base models: `catalogs/structures.json`, dated, every row with its source. A
//! figure that was not found there is `null`, and nothing is concluded from it.

use std::sync::LazyLock;

use preflight_model::checkpoint::Checkpoint;
use preflight_model::config::{Config, Section};
use serde::Deserialize;

/// Layers whose kinds are read; no model has so many.
const LAYERS_MAX: usize = 4096;

/// What a layer does with the tokens before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mixer {
    /// Attention, whether to all tokens or to a window of them.
    Attention,
    /// Linear attention, with a state of fixed size.
    LinearAttention,
    /// A state space (Mamba).
    StateSpace,
}

impl Mixer {
    /// The word of messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::LinearAttention => "linear attention",
            Self::StateSpace => "state space",
        }
    }

    /// A word of `layer_types`.
    /// Source: `ALLOWED_LAYER_TYPES` of
    /// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/configuration_utils.py>
    /// and the hybrid classes of later releases.
    fn of_layer_type(word: &str) -> Option<Self> {
        Some(match word {
            "attention" | "full_attention" | "sliding_attention" | "chunked_attention" => {
                Self::Attention
            }
            "linear_attention" => Self::LinearAttention,
            "mamba" | "mamba2" => Self::StateSpace,
            _ => return None,
        })
    }
}

/// The structure of a model. `None` is "not known".
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Structure {
    /// Query heads.
    pub attention_heads: Option<u64>,
    /// Heads that keys and values have.
    pub kv_heads: Option<u64>,
    /// Whether keys and values are one latent (MLA).
    pub latent: Option<bool>,
    /// Width of a head.
    pub head_dim: Option<u64>,
    /// Rows of the embedding.
    pub vocabulary: Option<u64>,
    /// Tokenizer class without `Tokenizer` and `Fast`.
    pub tokenizer: Option<String>,
    /// Whether the output shares the embedding's weights.
    pub tied: Option<bool>,
    /// How positions are scaled: `default`, `llama3`, `yarn`, …
    pub rope: Option<String>,
    /// Experts that a router chooses among; 0 in a dense model.
    pub experts: Option<u64>,
    /// How many of them a token uses.
    pub experts_per_token: Option<u64>,
    /// Kinds of layers, each once, sorted.
    pub mixers: Option<Vec<Mixer>>,
}

#[derive(Debug, Deserialize)]
struct File {
    structures: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    repos: Vec<String>,
    #[serde(flatten)]
    structure: Structure,
}

static KNOWN: LazyLock<File> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../catalogs/structures.json"))
        .expect("the table is part of the program and tested")
});

/// The structure of a publisher's model, where it is known.
pub fn of_repository(repository: &str) -> Option<&'static Structure> {
    let mut rows = KNOWN.structures.iter();
    let row = rows.find(|row| row.repos.iter().any(|known| known == repository))?;
    Some(&row.structure)
}

impl Structure {
    /// The structure that a checkpoint's config gives, with its class's defaults.
    pub fn of_checkpoint(checkpoint: &Checkpoint<'_>) -> Option<Self> {
        let config = checkpoint.config.known()?;
        let text = config.text();
        let is_latent = text.u64("kv_lora_rank").is_some_and(|rank| rank > 0);
        let attention_heads = text.u64("num_attention_heads");
        let experts = experts(config, &text);
        Some(Self {
            attention_heads,
            kv_heads: kv_heads(&text).filter(|_| !is_latent),
            latent: text
                .class()
                .map(|_| is_latent)
                .or(is_latent.then_some(true)),
            head_dim: if is_latent {
                text.u64("v_head_dim")
            } else {
                head_dim(&text)
            },
            vocabulary: text.u64("vocab_size"),
            tokenizer: checkpoint.tokenizer_class().and_then(tokenizer_family),
            tied: tied(config),
            rope: rope(&text),
            experts,
            experts_per_token: experts
                .filter(|&count| count > 0)
                .and_then(|_| text.first_u64(&["num_experts_per_tok", "top_k_experts"])),
            mixers: mixers(checkpoint, &text),
        })
    }

    /// `MHA`, `GQA`, `MQA` or `MLA`.
    pub fn attention(&self) -> Option<&'static str> {
        if self.latent == Some(true) {
            return Some("MLA");
        }
        Some(match (self.attention_heads?, self.kv_heads?) {
            (queries, keys) if queries == keys => "MHA",
            (_, 1) => "MQA",
            _ => "GQA",
        })
    }
}

fn kv_heads(text: &Section<'_>) -> Option<u64> {
    // A class that leaves it open takes as many as there are query heads.
    let same = || text.class().and_then(|_| text.u64("num_attention_heads"));
    text.u64("num_key_value_heads").or_else(same)
}

fn head_dim(text: &Section<'_>) -> Option<u64> {
    let divided = || {
        let (width, heads) = (text.u64("hidden_size")?, text.u64("num_attention_heads")?);
        (heads > 0 && width.is_multiple_of(heads)).then(|| width / heads)
    };
    text.u64("head_dim").or_else(divided)
}

/// The family in a class's name. The general classes are of none.
fn tokenizer_family(class: &str) -> Option<String> {
    let name = class.strip_suffix("Fast").unwrap_or(class);
    let family = name.strip_suffix("Tokenizer")?;
    (!matches!(family, "" | "PreTrained")).then(|| family.to_owned())
}

fn tied(config: &Config) -> Option<bool> {
    let root = config.root();
    let outer = root
        .get("tie_word_embeddings")
        .and_then(|tied| tied.as_bool());
    outer.or_else(|| config.text().bool("tie_word_embeddings"))
}

/// The kind of scaling; that of several kinds, one for each kind of layer, is not compared.
fn rope(text: &Section<'_>) -> Option<String> {
    let given = ["rope_parameters", "rope_scaling"]
        .into_iter()
        .filter_map(|key| text.given(key))
        .find(|scaling| !scaling.is_null());
    match given {
        Some(scaling) => {
            let kind = scaling.get("rope_type").or_else(|| scaling.get("type"))?;
            kind.as_str().map(str::to_owned)
        }
        None if text.reads("rope_theta") || text.given("rope_theta").is_some() => {
            Some("default".into())
        }
        None => None,
    }
}

fn experts(config: &Config, text: &Section<'_>) -> Option<u64> {
    const KEYS: [&str; 3] = ["num_local_experts", "num_experts", "n_routed_experts"];
    if has_experts(config, text) == Some(false) {
        return Some(0);
    }
    // A class without experts passes over such a key.
    let is_read = |key: &&str| text.class().is_none() || text.reads(key);
    let keys: Vec<&str> = KEYS.into_iter().filter(is_read).collect();
    let none = || {
        let is_null = |key: &&str| text.given(key).is_none_or(|given| given.is_null());
        (text.class().is_some() && keys.iter().all(is_null)).then_some(0)
    };
    text.first_u64(&keys).or_else(none)
}

/// What a class that newer releases have says of its layers, whatever the number of experts beside it; none where
/// that number decides.
/// Sources: `Gemma4TextConfig.enable_moe_block` of
/// <https://github.com/huggingface/transformers/blob/main/src/transformers/models/gemma4/configuration_gemma4.py> and
/// `NemotronHConfig._pattern_to_list` of
/// <https://github.com/huggingface/transformers/blob/main/src/transformers/models/nemotron_h/configuration_nemotron_h.py>.
fn has_experts(config: &Config, text: &Section<'_>) -> Option<bool> {
    if let Some(given) = text.given("enable_moe_block") {
        return given.as_bool();
    }
    if config.model_type() == Some("gemma4") || text.model_type() == Some("gemma4_text") {
        return Some(false);
    }
    let pattern = text.str("hybrid_override_pattern")?;
    // `E` layers have experts, `-` layers are dense.
    let is_known = !pattern.is_empty() && pattern.chars().all(|letter| "M*-E".contains(letter));
    is_known.then(|| pattern.contains('E'))
}

fn mixers(checkpoint: &Checkpoint<'_>, text: &Section<'_>) -> Option<Vec<Mixer>> {
    let mut kinds: Vec<Mixer> = if let Some(given) = text.given("layer_types") {
        let words = given.elements().take(LAYERS_MAX);
        words
            .map(|word| Mixer::of_layer_type(word.as_str()?))
            .collect::<Option<_>>()?
    } else if let Some(pattern) = text.str("hybrid_override_pattern") {
        // Nemotron-H: `M` Mamba, `*` attention, `-` and `E` what follows them.
        let letters = pattern.chars().take(LAYERS_MAX);
        letters
            .filter_map(|letter| match letter {
                'M' => Some(Mixer::StateSpace),
                '*' => Some(Mixer::Attention),
                _ => None,
            })
            .collect()
    } else if text
        .u64("full_attention_interval")
        .is_some_and(|every| every > 1)
    {
        vec![Mixer::Attention, Mixer::LinearAttention]
    } else {
        // A cache that only grows with the tokens is that of attention.
        let cache = checkpoint.cache.as_ref()?;
        let is_attention = cache
            .groups()
            .iter()
            .all(|group| group.state_elements == 0 && group.elements_per_token > 0);
        is_attention.then(|| vec![Mixer::Attention])?
    };
    kinds.sort_unstable();
    kinds.dedup();
    (!kinds.is_empty()).then_some(kinds)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::catalog::Catalog;
    use crate::testing::Repo;

    fn of(config: &str) -> Structure {
        Repo::new(&format!("//- config.json\n{config}")).structure()
    }

    #[test]
    fn every_row_has_a_source_and_a_repository_once() {
        let file: Value =
            serde_json::from_str(include_str!("../catalogs/structures.json")).unwrap();
        assert_eq!(file["as_of"].as_str().map(str::len), Some(10));
        let columns: BTreeSet<_> = file["columns"].as_object().unwrap().keys().collect();
        let mut repositories = BTreeSet::new();
        for row in file["structures"].as_array().unwrap() {
            let keys: BTreeSet<_> = row.as_object().unwrap().keys().collect();
            assert_eq!(keys, columns, "{row}");
            assert!(row["source"].as_str().unwrap().starts_with("https://"));
            for repository in row["repos"].as_array().unwrap() {
                assert!(repositories.insert(repository.as_str().unwrap()), "{row}");
            }
        }
    }

    #[test]
    fn figures_make_sense() {
        for Row { repos, structure } in &KNOWN.structures {
            let heads = structure.attention_heads.unwrap();
            if let Some(keys) = structure.kv_heads {
                assert!(heads.is_multiple_of(keys), "{repos:?}");
            }
            assert_eq!(
                structure.kv_heads.is_none(),
                structure.latent.unwrap(),
                "{repos:?}"
            );
            assert_eq!(
                structure.experts.unwrap() > 0,
                structure.experts_per_token.is_some(),
                "{repos:?}"
            );
            assert!(
                structure
                    .mixers
                    .as_ref()
                    .unwrap()
                    .contains(&Mixer::Attention)
            );
        }
    }

    #[test]
    fn nearly_every_base_model_is_described() {
        let missing: BTreeSet<_> = Catalog::shipped()
            .iter()
            .flat_map(|catalog| &catalog.models)
            .filter(|base| base.structure().is_none())
            .map(|base| base.name.as_str())
            .collect();
        assert_eq!(
            missing.into_iter().collect::<Vec<_>>(),
            [
                "Qwen/Qwen3.5-4B",
                "moonshotai/Kimi-K2.6",
                "moonshotai/Kimi-K2.7-Code",
                "nvidia/Nemotron-3-Nano-Omni-30B-A3B-Reasoning-BF16",
            ]
        );
    }

    #[test]
    fn a_config_gives_what_the_table_says() {
        let llama = of(
            r#"{"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32,
              "num_key_value_heads": 8, "vocab_size": 128256, "rope_theta": 500000.0,
              "rope_scaling": {"factor": 8.0, "rope_type": "llama3"}}"#,
        );
        let known = of_repository("meta-llama/Llama-3.1-8B").unwrap();
        assert_eq!(
            (llama.attention(), llama.head_dim),
            (Some("GQA"), Some(128))
        );
        assert_eq!(&llama, known);

        let deepseek = of(
            r#"{"model_type": "deepseek_v3", "num_attention_heads": 128, "num_key_value_heads": 128, "vocab_size": 129280,
              "n_routed_experts": 256, "num_experts_per_tok": 8, "num_hidden_layers": 61, "tie_word_embeddings": false,
              "kv_lora_rank": 512, "v_head_dim": 128, "rope_scaling": {"type": "yarn"}}"#,
        );
        let known = of_repository("deepseek-ai/DeepSeek-R1").unwrap();
        assert_eq!(deepseek.attention(), Some("MLA"));
        // The repository under test has a tokenizer of no family.
        assert_eq!(
            Structure {
                tokenizer: Some("Llama".into()),
                ..deepseek
            },
            *known
        );
    }

    #[test]
    fn kinds_of_layers() {
        use Mixer::{Attention, LinearAttention, StateSpace};
        for (config, kinds) in [
            (
                r#"{"model_type": "qwen3_next", "layer_types": ["linear_attention", "full_attention"]}"#,
                Some(vec![Attention, LinearAttention]),
            ),
            (
                r#"{"model_type": "gemma3_text", "layer_types": ["sliding_attention", "full_attention"]}"#,
                Some(vec![Attention]),
            ),
            (
                r#"{"model_type": "nemotron_h", "hybrid_override_pattern": "MEM*E-"}"#,
                Some(vec![Attention, StateSpace]),
            ),
            (r#"{"model_type": "llama"}"#, Some(vec![Attention])),
            (
                r#"{"model_type": "qwen3", "layer_types": ["of tomorrow"]}"#,
                None,
            ),
            (r#"{"model_type": "unheard-of"}"#, None),
        ] {
            assert_eq!(of(config).mixers, kinds, "{config}");
        }
    }

    #[test]
    fn experts_are_those_of_a_class_that_has_some() {
        for (config, experts) in [
            (
                r#"{"model_type": "llama", "num_local_experts": 4}"#,
                Some(0),
            ),
            (r#"{"model_type": "llama", "n_routed_experts": 4}"#, Some(0)),
            (r#"{"model_type": "mistral", "num_experts": 8}"#, Some(0)),
            (
                r#"{"model_type": "mixtral", "num_local_experts": 4}"#,
                Some(4),
            ),
            (
                r#"{"model_type": "qwen3_moe", "num_experts": 16}"#,
                Some(16),
            ),
            (
                r#"{"model_type": "unheard-of", "num_experts": 16}"#,
                Some(16),
            ),
            (
                r#"{"model_type": "nemotron_h", "hybrid_override_pattern": "M-M*-", "n_routed_experts": 8}"#,
                Some(0),
            ),
            (
                r#"{"model_type": "nemotron_h", "hybrid_override_pattern": "MEM*-", "n_routed_experts": 8}"#,
                Some(8),
            ),
            (
                r#"{"model_type": "nemotron_h", "hybrid_override_pattern": "M?"}"#,
                None,
            ),
            (
                r#"{"model_type": "nemotron_h", "hybrid_override_pattern": ""}"#,
                None,
            ),
            (r#"{"model_type": "gemma4_text"}"#, Some(0)),
            (r#"{"model_type": "gemma4", "text_config": {}}"#, Some(0)),
            (
                r#"{"model_type": "gemma4_text", "enable_moe_block": true, "num_experts": 128}"#,
                Some(128),
            ),
        ] {
            assert_eq!(of(config).experts, experts, "{config}");
        }
    }

    #[test]
    fn hostile_figures_are_no_figures() {
        let odd = of(
            r#"{"model_type": "llama", "num_attention_heads": 0, "hidden_size": 16, "num_key_value_heads": -1,
              "vocab_size": "many", "rope_scaling": 7, "layer_types": {"a": 1}, "tie_word_embeddings": null}"#,
        );
        assert_eq!((odd.head_dim, odd.vocabulary, odd.rope), (None, None, None));
    }

    #[test]
    fn general_tokenizer_classes_are_of_no_family() {
        assert_eq!(
            tokenizer_family("LlamaTokenizerFast").as_deref(),
            Some("Llama")
        );
        assert_eq!(tokenizer_family("GPT2Tokenizer").as_deref(), Some("GPT2"));
        for general in [
            "PreTrainedTokenizerFast",
            "TokenizersBackend",
            "Tokenizer",
            "",
        ] {
            assert_eq!(tokenizer_family(general), None);
        }
    }
}
