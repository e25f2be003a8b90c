//! A checkpoint's tensors held against those of the class that would load it, as `from_pretrained` does.
//!
//! Source: `_find_missing_and_unexpected_keys` in
//! <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_utils.py>.

use std::borrow::Cow;
use std::cell::LazyCell;

use foldhash::{HashMap, HashMapExt as _};

use super::{Copied, Expected, Naming};
use crate::names::parts;

/// What sets a checkpoint apart from its class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Tensors of the class that the checkpoint lacks, under the class's names, sorted: they would be random.
    pub missing: Vec<String>,
    /// Tensors with another shape than the class's: loading ends with an error.
    pub wrong_shape: Vec<WrongShape>,
    /// Tensors of layers that the class does not build for this config, under the checkpoint's names: never
    /// loaded. DeepSeek-V3 stores its multi-token prediction so.
    pub beyond_layers: Vec<String>,
    /// Tensors of the head beside the names of a bare model, under the class's names.
    pub heads_beside_bare: Vec<String>,
    /// Tied copies that the checkpoint holds without what they are copies of.
    pub only_copies: Vec<Copied>,
    /// Other tensors that the class does not have, under the checkpoint's names: ignored by the loader.
    pub unexpected: Vec<String>,
}

/// A tensor whose shape is not the class's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongShape {
    /// The checkpoint's name.
    pub name: String,
    /// The checkpoint's shape.
    pub found: Vec<u64>,
    /// The class's shape for this config.
    pub expected: Vec<u64>,
}

/// Compares a checkpoint's logical tensors (a quantised weight under its own name and shape, not its packed
/// parts) with the class. A shape that is not known is not compared.
pub fn compare<'t, T>(expected: &Expected, tensors: T) -> Comparison
where
    T: Iterator<Item = (&'t str, Option<&'t [u64]>)> + Clone,
{
    let naming = Naming::new(expected, tensors.clone().map(|(name, _)| name));
    // Only a tensor that the class does not have asks for them.
    let layers = LazyCell::new(|| layer_counts(expected));
    let mut is_found = vec![false; expected.tensors.len()];
    let mut copies = Vec::new();
    let mut comparison = Comparison::default();
    for (name, shape) in tensors {
        let is_head = naming.adds_prefix() && has(expected, name);
        if is_head {
            comparison.heads_beside_bare.push(name.to_owned());
        }
        let own = if is_head {
            Some(Cow::Borrowed(name))
        } else {
            naming.resolve(name)
        };
        let Some(own) = own else {
            comparison.unexpected.push(name.to_owned());
            continue;
        };
        let copy = expected.copies.iter().find(|copy| copy.name == *own);
        let key = copy.map_or(&*own, |copy| &copy.source);
        if let Some((place, _, wanted)) = expected.tensors.get_full(key) {
            match copy {
                Some(copy) => copies.push((place, copy)),
                None => is_found[place] = true,
            }
            if let Some(shape) = shape.filter(|shape| *shape != &**wanted) {
                comparison.wrong_shape.push(WrongShape {
                    name: name.to_owned(),
                    found: shape.to_vec(),
                    expected: wanted.to_vec(),
                });
            }
        } else if is_beyond(&own, &layers) {
            comparison.beyond_layers.push(name.to_owned());
        } else if !is_buffer(&own) {
            comparison.unexpected.push(name.to_owned());
        }
    }
    for (place, copy) in copies {
        if !is_found[place] {
            comparison.only_copies.push(copy.clone());
        }
    }
    for copy in &comparison.only_copies {
        if let Some(place) = expected.tensors.get_index_of(&copy.source) {
            is_found[place] = true;
        }
    }
    let all = expected.tensors.keys().zip(is_found);
    let missing = all.filter(|(_, is_found)| !is_found);
    comparison.missing = missing.map(|(name, _)| name.clone()).collect();
    comparison.missing.sort_unstable();
    comparison
}

/// Whether the class has a tensor of this very name, or a copy.
fn has(expected: &Expected, name: &str) -> bool {
    expected.tensors.contains_key(name) || expected.copies.iter().any(|copy| copy.name == name)
}

/// Text before the first number of a name, to how many numbers are used there.
fn layer_counts(expected: &Expected) -> HashMap<&str, u64> {
    let mut counts = HashMap::new();
    for (before, number) in expected
        .tensors
        .keys()
        .filter_map(|name| first_number(name))
    {
        let count = counts.entry(before).or_insert(0);
        *count = number.saturating_add(1).max(*count);
    }
    counts
}

fn is_beyond(name: &str, layers: &HashMap<&str, u64>) -> bool {
    first_number(name)
        .is_some_and(|(before, number)| layers.get(before).is_some_and(|count| number >= *count))
}

/// `model.layers.61.norm.weight` into `model.layers.` and 61.
fn first_number(name: &str) -> Option<(&str, u64)> {
    let mut start = 0;
    for part in parts(name) {
        if part.starts_with(|c: char| c.is_ascii_digit())
            && let Ok(number) = part.parse()
        {
            return Some((name.get(..start)?, number));
        }
        start += part.len() + 1;
    }
    None
}

/// Ends of the names of buffers that old checkpoints hold and no class of the release reads: masks of gpt2, gptj,
/// `gpt_neo` and `gpt_neox`, position numbers of the bert family, rotary frequencies of everyone.
const BUFFERS: [&str; 9] = [
    "rotary_emb.inv_freq",
    "attn.bias",
    "attn.masked_bias",
    "attention.bias",
    "attention.masked_bias",
    "attn.attention.bias",
    "attn.attention.masked_bias",
    "embeddings.position_ids",
    "embeddings.token_type_ids",
];

fn is_buffer(name: &str) -> bool {
    BUFFERS.iter().any(|end| {
        name.strip_suffix(end)
            .is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Tensors;
    use super::*;

    fn expected(tensors: &[(&str, &[u64])]) -> Expected {
        Expected {
            class: "Test",
            tensors: tensors
                .iter()
                .map(|(name, shape)| ((*name).to_owned(), (*shape).into()))
                .collect(),
            copies: vec![],
            prefix: "model",
            renames: &[],
        }
    }

    /// A tied model with a head and two layers.
    fn causal() -> Expected {
        let mut causal = expected(&[
            ("model.embed.weight", &[10, 4]),
            ("model.layers.0.norm.weight", &[4]),
            ("model.layers.1.norm.weight", &[4]),
        ]);
        causal.copies = vec![Copied {
            name: "head.weight".into(),
            source: "model.embed.weight".into(),
        }];
        causal
    }

    fn run(expected: &Expected, tensors: &[(&str, &[u64])]) -> Comparison {
        compare(
            expected,
            tensors.iter().map(|(name, shape)| (*name, Some(*shape))),
        )
    }

    const COMPLETE: [(&str, &[u64]); 3] = [
        ("model.embed.weight", &[10, 4]),
        ("model.layers.0.norm.weight", &[4]),
        ("model.layers.1.norm.weight", &[4]),
    ];

    #[test]
    fn a_complete_checkpoint() {
        assert_eq!(run(&causal(), &COMPLETE), Comparison::default());
    }

    #[test]
    fn a_missing_layer() {
        assert_eq!(
            run(&causal(), &COMPLETE[..2]).missing,
            ["model.layers.1.norm.weight"]
        );
    }

    #[test]
    fn a_wrong_shape_is_told_with_both() {
        let found = run(
            &causal(),
            &[
                COMPLETE[0],
                COMPLETE[1],
                ("model.layers.1.norm.weight", &[4, 1]),
            ],
        );
        let wrong = WrongShape {
            name: "model.layers.1.norm.weight".into(),
            found: vec![4, 1],
            expected: vec![4],
        };
        assert_eq!(
            found,
            Comparison {
                wrong_shape: vec![wrong],
                ..Comparison::default()
            }
        );
    }

    #[test]
    fn an_unknown_shape_is_not_compared() {
        let tensors = COMPLETE.iter().map(|(name, _)| (*name, None));
        assert_eq!(compare(&causal(), tensors), Comparison::default());
    }

    #[test]
    fn a_tied_copy_may_be_there_or_stand_for_its_source() {
        let with_copy = [
            COMPLETE[0],
            COMPLETE[1],
            COMPLETE[2],
            ("head.weight", &[10, 4][..]),
        ];
        assert_eq!(run(&causal(), &with_copy), Comparison::default());
        let only_copy = Comparison {
            only_copies: causal().copies,
            ..Comparison::default()
        };
        assert_eq!(run(&causal(), &with_copy[1..]), only_copy);
        let wrong = run(
            &causal(),
            &[
                COMPLETE[0],
                COMPLETE[1],
                COMPLETE[2],
                ("head.weight", &[11, 4]),
            ],
        );
        assert_eq!(wrong.wrong_shape[0].name, "head.weight");
    }

    #[test]
    fn names_of_a_bare_model_and_of_one_with_a_head() {
        let bare: Vec<_> = COMPLETE
            .iter()
            .map(|(name, shape)| (name.strip_prefix("model.").unwrap(), *shape))
            .collect();
        assert_eq!(
            run(&causal(), &bare),
            Comparison::default(),
            "a bare model for a class with a head"
        );
        let head = [("head.weight", &[10, 4][..])];
        let beside = run(&causal(), &[&bare[..], &head[..]].concat());
        assert_eq!(
            beside,
            Comparison {
                heads_beside_bare: vec!["head.weight".into()],
                ..Comparison::default()
            }
        );
        let bare_class = expected(&bare);
        assert_eq!(run(&bare_class, &bare), Comparison::default());
        let with_head = run(
            &bare_class,
            &[
                COMPLETE[0],
                COMPLETE[1],
                COMPLETE[2],
                ("head.weight", &[10, 4]),
            ],
        );
        assert_eq!(
            with_head,
            Comparison {
                unexpected: vec!["head.weight".into()],
                ..Comparison::default()
            }
        );
    }

    #[test]
    fn extra_tensors_layers_and_buffers_are_kept_apart() {
        let found = run(
            &causal(),
            &[
                COMPLETE[0],
                COMPLETE[1],
                COMPLETE[2],
                ("model.layers.2.norm.weight", &[4]),
                ("model.layers.1.rotary_emb.inv_freq", &[2]),
                ("model.layers.1.attn.bias", &[1, 1, 8, 8]),
                ("model.layers.1.qattn.bias", &[4]),
                ("model.other.2.weight", &[4]),
            ],
        );
        assert_eq!(found.beyond_layers, ["model.layers.2.norm.weight"]);
        assert_eq!(
            found.unexpected,
            ["model.layers.1.qattn.bias", "model.other.2.weight"]
        );
        assert_eq!((found.missing.len(), found.wrong_shape.len()), (0, 0));
    }

    #[test]
    fn old_names() {
        let mut composite = expected(&[
            ("model.text.a", &[1]),
            ("model.tower.b", &[2]),
            ("model.x.LayerNorm.bias", &[3]),
        ]);
        composite.renames = &[("model.", "model.text."), ("tower.", "model.tower.")];
        let old = [
            ("model.a", &[1][..]),
            ("tower.b", &[2]),
            ("model.x.LayerNorm.beta", &[3]),
        ];
        assert_eq!(run(&composite, &old), Comparison::default());
        let new = [
            ("model.text.a", &[1][..]),
            ("model.tower.b", &[2]),
            ("model.x.LayerNorm.beta", &[3]),
        ];
        assert_eq!(run(&composite, &new), Comparison::default());
    }

    #[test]
    fn a_hundred_thousand_tensors() {
        let names: Vec<String> = (0..100_000)
            .map(|n| format!("model.layers.{}.e.{n}.weight", n % 60))
            .collect();
        let tensors: Tensors = names
            .iter()
            .map(|name| (name.clone(), [4][..].into()))
            .collect();
        let expected = Expected {
            tensors,
            ..expected(&[])
        };
        let found = compare(
            &expected,
            names
                .iter()
                .skip(1)
                .map(|name| (name.as_str(), Some(&[4][..]))),
        );
        assert_eq!(
            found,
            Comparison {
                missing: vec![names[0].clone()],
                ..Comparison::default()
            }
        );
    }
}
