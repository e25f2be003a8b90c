//! The tensors that a class of transformers has for a config, and how a checkpoint differs from them.
//!
//! Data: `data/architectures.txt`, written from the model classes of transformers 4.55.4 and held
//! against state dicts that the real library built (`tests/architecture.rs`).

mod compare;
mod expand;
mod expression;
mod naming;
mod parser;
mod syntax;

use std::fmt;
use std::sync::LazyLock;

use indexmap::IndexMap;
use smallvec::SmallVec;

pub use compare::{Comparison, WrongShape, compare};
pub use naming::Naming;

use crate::config::Config;

/// Most tensors that a config may ask for: four times DeepSeek-V3, which has 45 000.
pub const TENSORS_MAX: usize = 200_000;

/// Name to shape, in the order of the class. Names are hashed with a seed of the process: strangers choose them.
pub type Tensors = IndexMap<String, Shape, foldhash::fast::RandomState>;

/// Sizes of a tensor, outermost first. Hardly any has more than four.
pub type Shape = SmallVec<[u64; 4]>;

/// The state dict of one class for one config, under the names of the class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The class, for example `LlamaForCausalLM`.
    pub class: &'static str,
    /// Parameters and the buffers that are saved, without tied copies.
    pub tensors: Tensors,
    /// Tensors that share storage with one of `tensors`.
    pub copies: Vec<Copied>,
    prefix: &'static str,
    renames: &'static [(&'static str, &'static str)],
}

/// A tensor that is another tensor under a second name; files hold both or only one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// For example `lm_head.weight`.
    pub name: String,
    /// For example `model.embed_tokens.weight`.
    pub source: String,
}

/// Why the tensors of a class cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undescribed {
    /// No description of the class.
    Class,
    /// A setting that sizes or names depend on is missing, of the wrong type or does not fit the others.
    Setting(&'static str),
    /// More than [`TENSORS_MAX`].
    TooMany,
}

impl fmt::Display for Undescribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class => f.write_str("the tensors of this class are not described"),
            Self::Setting(name) => write!(
                f,
                "the tensors depend on `{name}`, which has no usable value"
            ),
            Self::TooMany => write!(f, "the config asks for more than {TENSORS_MAX} tensors"),
        }
    }
}

impl std::error::Error for Undescribed {}

static BLOCKS: LazyLock<syntax::Blocks> = LazyLock::new(|| {
    syntax::parse(include_str!("../../data/architectures.txt"))
        .expect("data/architectures.txt is checked by the tests below")
});

/// Names and shapes of the tensors of `class` for `config`. Settings are those of the language model
/// ([`Config::text`]) unless the class is a composite of several parts.
pub fn expected(class: &str, config: &Config) -> Result<Expected, Undescribed> {
    let block = described(class).ok_or(Undescribed::Class)?;
    expand::expand(&BLOCKS, block, config)
}

/// Whether [`expected`] knows the class.
pub fn is_described(class: &str) -> bool {
    described(class).is_some()
}

/// Names of classes start with a capital, those of the parts that they share do not.
fn described(class: &str) -> Option<&'static syntax::Block> {
    BLOCKS
        .get(class)
        .filter(|_| class.starts_with(|c: char| c.is_ascii_uppercase()))
}

impl Expected {
    /// Elements of all tensors together, tied copies once. With the few saved buffers, so an upper
    /// bound on the parameters within a millionth. `None` beyond 64 bits.
    pub fn elements(&self) -> Option<u64> {
        let mut total = 0_u64;
        for shape in self.tensors.values() {
            let elements = shape
                .iter()
                .try_fold(1_u64, |product, size| product.checked_mul(*size))?;
            total = total.checked_add(elements)?;
        }
        Some(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    pub(super) fn config(text: &str) -> Config {
        Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap()
    }

    const TINY: &str = r#"{"model_type": "llama", "vocab_size": 96, "hidden_size": 48, "intermediate_size": 80,
        "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 2, "tie_word_embeddings": true}"#;

    #[test]
    fn a_small_llama() {
        let llama = expected("LlamaForCausalLM", &config(TINY)).unwrap();
        assert_eq!(llama.tensors.len(), 2 * 9 + 2);
        assert_eq!(
            &*llama.tensors["model.layers.1.self_attn.k_proj.weight"],
            [16, 48]
        );
        assert_eq!(&*llama.tensors["model.norm.weight"], [48]);
        let copy = Copied {
            name: "lm_head.weight".into(),
            source: "model.embed_tokens.weight".into(),
        };
        assert_eq!(llama.copies, [copy]);
        let layer = 48 * 48 * 2 + 16 * 48 * 2 + 80 * 48 * 3 + 48 * 2;
        assert_eq!(llama.elements(), Some(96 * 48 + 2 * layer + 48));
    }

    #[test]
    fn the_bare_model_has_no_prefix_and_no_head() {
        let bare = expected("LlamaModel", &config(TINY)).unwrap();
        assert!(bare.tensors.contains_key("layers.0.mlp.up_proj.weight"));
        assert_eq!(bare.copies, []);
    }

    #[test]
    fn hostile_sizes_end_early() {
        let layers = TINY.replace(
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 1000000000000",
        );
        assert_eq!(
            expected("LlamaForCausalLM", &config(&layers)),
            Err(Undescribed::TooMany)
        );
        let heads = TINY.replace("\"num_attention_heads\": 6", "\"num_attention_heads\": 0");
        assert_eq!(
            expected("LlamaForCausalLM", &config(&heads)),
            Err(Undescribed::Setting("hidden_size"))
        );
        let wide = TINY.replace(
            "\"num_key_value_heads\": 2",
            "\"num_key_value_heads\": 9223372036854775807",
        );
        assert_eq!(
            expected("LlamaForCausalLM", &config(&wide)),
            Err(Undescribed::Setting("num_key_value_heads"))
        );
        let text = TINY.replace("\"hidden_size\": 48", "\"hidden_size\": \"48\"");
        assert_eq!(
            expected("LlamaForCausalLM", &config(&text)),
            Err(Undescribed::Setting("hidden_size"))
        );
        let vast = TINY.replace("\"vocab_size\": 96", "\"vocab_size\": 9223372036854775807");
        assert_eq!(
            expected("LlamaForCausalLM", &config(&vast))
                .unwrap()
                .elements(),
            None
        );
    }

    #[test]
    fn an_empty_loop_is_work_too() {
        let lists = format!(
            r#"{{"model_type": "qwen3_moe", "num_hidden_layers": 400000, "decoder_sparse_step": 1,
                "num_experts": 0, "mlp_only_layers": [{}]}}"#,
            vec!["1"; 10_000].join(",")
        );
        assert_eq!(
            expected("Qwen3MoeForCausalLM", &config(&lists)),
            Err(Undescribed::TooMany)
        );
    }

    #[test]
    fn an_unknown_class_is_not_guessed() {
        assert!(!is_described("XFormerForCausalLM"));
        assert!(!is_described("embedding"), "a part is no class");
        assert_eq!(
            expected("XFormerForCausalLM", &config(TINY)),
            Err(Undescribed::Class)
        );
    }

    #[test]
    fn a_missing_setting_is_named() {
        let found = expected("LlamaForCausalLM", &config(r#"{"hidden_size": 48}"#));
        assert_eq!(found, Err(Undescribed::Setting("num_attention_heads")));
    }
}
