//! Which modules of the base an adapter's configuration selects, and with which rank.

use foldhash::{HashSet, HashSetExt as _};

use super::pattern::Pattern;
use crate::json::{Cursor, Number, Value};

/// Most patterns that are matched against every module: each module of the largest checkpoint that
/// has its own rank is still within it.
const PATTERNS_MAX: usize = 2048;

/// What `target_modules` or `exclude_modules` selects.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Targets {
    /// Names of modules, or the last parts of them.
    Names(HashSet<String>),
    /// A string is a pattern for the whole name.
    Pattern(Pattern),
    /// Every linear layer but the head.
    AllLinear,
    /// Not given: PEFT chooses by the type of the base.
    Unsaid,
}

/// The part of `adapter_config.json` that decides where LoRA goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Selection {
    pub(super) targets: Targets,
    exclude: Option<Targets>,
    saved: Vec<Pattern>,
    /// `modules_to_save`.
    pub(super) modules_to_save: Vec<String>,
    layers: Option<Vec<u64>>,
    layers_patterns: Vec<String>,
    rank_patterns: Vec<(Pattern, Option<u64>)>,
    /// Keys of `alpha_pattern` and whether their values are numbers; empty where all are.
    alpha_patterns: Vec<(Pattern, bool)>,
    has_too_many: bool,
}

impl Selection {
    pub(super) fn read(root: &Cursor<'_>) -> Self {
        let modules_to_save = strings(root.get_set("modules_to_save").as_ref());
        let ranks = root.get_set("rank_pattern");
        let members = || ranks.iter().flat_map(Cursor::members);
        let alphas = root.get_set("alpha_pattern");
        let alphas = || {
            let all = alphas.iter().flat_map(Cursor::members);
            all.map(|(key, alpha)| (key, alpha.as_f64().is_some() || alpha.as_bool().is_some()))
        };
        let is_refused = alphas().any(|(_, is_number)| !is_number);
        let refusable = || alphas().take_while(|_| is_refused);
        let layers = root.get_set("layers_to_transform").and_then(|layers| {
            match layers.as_u64() {
                Some(one) => Some(vec![one]),
                None => Some(
                    layers
                        .elements()
                        .filter_map(|layer| layer.as_u64())
                        .collect(),
                ),
            }
            .filter(|layers: &Vec<u64>| !layers.is_empty())
        });
        Self {
            targets: targets(root.get_set("target_modules").as_ref()),
            exclude: root
                .get_set("exclude_modules")
                .map(|exclude| targets(Some(&exclude)))
                .filter(|exclude| *exclude != Targets::Names(HashSet::new())),
            has_too_many: members().count() + refusable().count() + modules_to_save.len()
                > PATTERNS_MAX,
            saved: modules_to_save
                .iter()
                .take(PATTERNS_MAX)
                .map(|name| Pattern::segment(name))
                .collect(),
            rank_patterns: members()
                .take(PATTERNS_MAX)
                .map(|(key, rank)| (Pattern::ending(key), positive(&rank)))
                .collect(),
            alpha_patterns: refusable()
                .take(PATTERNS_MAX)
                .map(|(key, is_number)| (Pattern::ending(key), is_number))
                .collect(),
            modules_to_save,
            layers,
            layers_patterns: strings(root.get_set("layers_pattern").as_ref()),
        }
    }

    /// Whether LoRA goes on the module of this name, as `check_target_module_exists` decides; `None`
    /// where that cannot be told.
    /// Source: <https://github.com/huggingface/peft/blob/v0.21.2/src/peft/tuners/tuners_utils.py>
    pub(super) fn selects(&self, module: &str) -> Option<bool> {
        if self.has_too_many {
            return None;
        }
        let is_excluded = match &self.exclude {
            Some(Targets::Pattern(pattern)) => pattern.matches(module)?,
            Some(Targets::Names(names)) => is_named(names, module),
            Some(Targets::AllLinear | Targets::Unsaid) | None => false,
        };
        if is_excluded {
            return Some(false);
        }
        for pattern in &self.saved {
            if pattern.matches(module)? {
                return Some(false);
            }
        }
        match &self.targets {
            Targets::Pattern(pattern) => pattern.matches(module),
            Targets::Names(names) if names.contains(module) => Some(true),
            Targets::Names(names) => Some(is_named(names, module) && self.is_in_layers(module)),
            Targets::AllLinear | Targets::Unsaid => None,
        }
    }

    /// The rank of a module: the first key of `rank_pattern` that matches decides. `None` where that cannot
    /// be told.
    pub(super) fn rank(&self, module: &str, default: Option<u64>) -> Option<u64> {
        if self.has_too_many {
            return None;
        }
        match first(&self.rank_patterns, module) {
            First::Is(rank) => rank,
            First::Nothing => default,
            First::Unclear => None,
        }
    }

    /// Which of `rank_pattern` and `alpha_pattern` gives the module a value that PEFT refuses.
    pub(super) fn refused(&self, module: &str) -> Option<&'static str> {
        if first(&self.rank_patterns, module) == First::Is(None) {
            return Some("`rank_pattern` gives no positive integer");
        }
        let is_number = first(&self.alpha_patterns, module);
        (is_number == First::Is(false)).then_some("`alpha_pattern` gives no number")
    }

    /// `layers_to_transform`, which counts only beside a list of names.
    fn is_in_layers(&self, module: &str) -> bool {
        let Some(layers) = &self.layers else {
            return true;
        };
        let parts: Vec<&str> = module.split('.').collect();
        // The first number decides: behind it there may be that of an expert.
        let index = parts
            .windows(2)
            .skip(usize::from(self.layers_patterns.is_empty()))
            .find_map(|pair| {
                let is_list = self.layers_patterns.is_empty()
                    || self.layers_patterns.iter().any(|name| name == pair[0]);
                is_list.then(|| pair[1].parse::<u64>().ok()).flatten()
            });
        index.is_some_and(|index| layers.contains(&index))
    }
}

/// What the first key that matches a module gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First<T> {
    Is(T),
    /// No key matches.
    Nothing,
    /// Whether one matches cannot be told.
    Unclear,
}

fn first<T: Copy>(patterns: &[(Pattern, T)], module: &str) -> First<T> {
    for (pattern, value) in patterns {
        match pattern.matches(module) {
            Some(true) => return First::Is(*value),
            Some(false) => {}
            None => return First::Unclear,
        }
    }
    First::Nothing
}

/// A rank that PEFT takes: `4.0` and `true` end with an error.
fn positive(rank: &Cursor<'_>) -> Option<u64> {
    match rank.value() {
        Value::Number(Number::Int(rank @ 1..)) => u64::try_from(*rank).ok(),
        _ => None,
    }
}

/// Whether the name, or a part of it after a dot, is one of `names`.
fn is_named(names: &HashSet<String>, module: &str) -> bool {
    names.contains(module)
        || module
            .match_indices('.')
            .any(|(at, _)| names.contains(&module[at + 1..]))
}

fn targets(given: Option<&Cursor<'_>>) -> Targets {
    match given {
        None => Targets::Unsaid,
        Some(given) => match given.as_str() {
            Some(text) if text.eq_ignore_ascii_case("all-linear") => Targets::AllLinear,
            Some(text) => Targets::Pattern(Pattern::full(text)),
            None => Targets::Names(strings(Some(given)).into_iter().collect()),
        },
    }
}

/// The strings of a list; a single string counts as one.
fn strings(given: Option<&Cursor<'_>>) -> Vec<String> {
    let Some(given) = given else {
        return Vec::new();
    };
    match given.as_str() {
        Some(one) => vec![one.to_owned()],
        None => given
            .elements()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    fn of(text: &str) -> Selection {
        Selection::read(&Document::parse(text.as_bytes()).unwrap().root())
    }

    const Q0: &str = "model.layers.0.self_attn.q_proj";
    const Q1: &str = "model.layers.1.self_attn.q_proj";

    #[test]
    fn names_are_whole_parts_of_a_name() {
        let names = of(r#"{"target_modules": ["q_proj", "self_attn.k_proj"]}"#);
        assert_eq!(names.selects(Q0), Some(true));
        assert_eq!(names.selects("model.layers.0.self_attn.k_proj"), Some(true));
        assert_eq!(names.selects("model.layers.0.cross.k_proj"), Some(false));
        assert_eq!(names.selects("model.layers.0.fused_q_proj"), Some(false));
    }

    #[test]
    fn a_string_is_a_pattern_for_the_whole_name() {
        assert_eq!(
            of(r#"{"target_modules": "q_proj"}"#).selects(Q0),
            Some(false)
        );
        assert_eq!(
            of(r#"{"target_modules": ".*q_proj"}"#).selects(Q0),
            Some(true)
        );
        assert_eq!(of(r#"{"target_modules": "("}"#).selects(Q0), None);
        assert_eq!(of(r#"{"target_modules": "all-linear"}"#).selects(Q0), None);
        assert_eq!(of("{}").selects(Q0), None);
    }

    #[test]
    fn layers_and_exclusions() {
        let second = of(r#"{"target_modules": ["q_proj"], "layers_to_transform": [1]}"#);
        assert_eq!(
            (second.selects(Q0), second.selects(Q1)),
            (Some(false), Some(true))
        );
        let named = of(
            r#"{"target_modules": ["q_proj"], "layers_to_transform": 1, "layers_pattern": "layers"}"#,
        );
        assert_eq!(
            (named.selects(Q0), named.selects(Q1)),
            (Some(false), Some(true))
        );
        let other = of(
            r#"{"target_modules": ["q_proj"], "layers_to_transform": 1, "layers_pattern": "h"}"#,
        );
        assert_eq!(other.selects(Q1), Some(false));
        let without = of(
            r#"{"target_modules": ["q_proj"], "exclude_modules": ["layers.1.self_attn.q_proj"]}"#,
        );
        assert_eq!(
            (without.selects(Q0), without.selects(Q1)),
            (Some(true), Some(false))
        );
        let saved = of(r#"{"target_modules": ["q_proj"], "modules_to_save": ["q_proj"]}"#);
        assert_eq!(saved.selects(Q0), Some(false));
    }

    #[test]
    fn the_first_pattern_gives_the_rank() {
        let ranks = of(r#"{"rank_pattern": {"layers.0.self_attn.q_proj": 2, "q_proj": 16}}"#);
        assert_eq!(ranks.rank(Q0, Some(8)), Some(2));
        assert_eq!(ranks.rank(Q1, Some(8)), Some(16));
        assert_eq!(
            ranks.rank("model.layers.1.self_attn.v_proj", Some(8)),
            Some(8)
        );
    }
}
