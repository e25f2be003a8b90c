//! Heads that are stored in a way that transformers 4 refuses, or loads and loses.

use preflight_model::architecture::Comparison;
use preflight_model::release::Release;

use crate::report::Finding;

/// What to do about either.
pub(super) const FIX: &str = "store every tensor under its name in the class: all with the class's prefix (`model.`), and the embedding beside a head that is tied to it";

/// What `release` makes of the heads; nothing from 5 on, which adds the prefix name by name and ties a missing
/// embedding to the head.
pub(super) fn refused(comparison: &Comparison, release: Release) -> Vec<Finding> {
    if release.major() >= 5 {
        return Vec::new();
    }
    // "The state dictionary of the model you are trying to load is corrupted": `_load_pretrained_model` in
    // <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_utils.py>.
    let beside = comparison.heads_beside_bare.first().map(|head| {
        format!(
            "tensor `{head}` of the head stands beside names of a model without one: transformers 4 ends with \"the state dictionary is corrupted\""
        )
    });
    // <https://github.com/huggingface/transformers/issues/41038>; `tie_weights` of release 5 is in
    // <https://github.com/huggingface/transformers/blob/v5.0.0/src/transformers/modeling_utils.py>.
    let alone = comparison.only_copies.iter().map(|copy| {
        format!(
            "tensor `{}` is missing, and only `{}` is there, which is tied to it: transformers 4 ties the loaded one to the empty one",
            copy.source, copy.name
        )
    });
    beside.into_iter().chain(alone).map(Finding::new).collect()
}
