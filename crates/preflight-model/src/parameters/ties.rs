//! Copies of a parameter under a second name, which count once.

use foldhash::{HashSet, HashSetExt as _};

use crate::config::{Config, Section};
use crate::header::Tensor;
use crate::weights::Weights;

/// Which tensors are copies of another: those of a name that the config ties, where something else has
/// the same shape.
pub(super) struct Ties<'a> {
    keys: Vec<&'a str>,
    shapes: HashSet<Vec<u64>>,
}

impl<'a> Ties<'a> {
    pub(super) fn new(weights: &Weights<'_>, config: Option<&'a Config>) -> Self {
        let keys = config.map(tied_keys).unwrap_or_default();
        let shapes = source_shapes(weights, &keys);
        Self { keys, shapes }
    }

    pub(super) fn is_copy(&self, tensor: &Tensor<'_>) -> bool {
        self.is_tied(tensor.name) && self.shapes.contains(tensor.shape)
    }

    /// Whether the config ties a parameter of this name to another.
    pub(super) fn is_tied(&self, name: &str) -> bool {
        is_tied_name(name, &self.keys)
    }
}

/// Names of parameters that are copies, as far as this config ties them.
fn tied_keys(config: &Config) -> Vec<&str> {
    let whole = config.whole();
    let text = config.text();
    let given = |section: &Section<'_>| section.bool("tie_word_embeddings");
    // A composite config's own switch counts before that of its text part.
    // Source: `_tie_or_clone_weights` and `get_text_config` in
    // <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_utils.py>
    let tied = given(&text).or_else(|| given(&whole)).unwrap_or(false);
    if !tied {
        return Vec::new();
    }
    match whole.class().or_else(|| text.class()) {
        Some(class) => class.tied_weights_keys.iter().map(String::as_str).collect(),
        None => vec!["lm_head.weight"],
    }
}

fn is_tied_name(name: &str, keys: &[&str]) -> bool {
    keys.iter().any(|key| {
        name.strip_suffix(key)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Shapes of embeddings and of everything else that a tied parameter may be a copy of.
fn source_shapes(weights: &Weights<'_>, keys: &[&str]) -> HashSet<Vec<u64>> {
    let copies = || {
        weights
            .tensors()
            .filter(|tensor| is_tied_name(tensor.name, keys))
    };
    let wanted: HashSet<&[u64]> = copies().map(|tensor| tensor.shape).collect();
    if wanted.is_empty() {
        return HashSet::new();
    }
    weights
        .tensors()
        .filter(|tensor| wanted.contains(tensor.shape) && !is_tied_name(tensor.name, keys))
        .map(|tensor| tensor.shape.to_vec())
        .collect()
}
