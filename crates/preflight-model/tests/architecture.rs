//! `data/architectures.txt` against state dicts that transformers 4.55.4 built; `cargo xtask conformance`
//! holds it against whole models too.
//!
//! `tests/data/state-dicts.jsonl` is made by `tools/state_dicts.py`: small models with every switch turned.

use std::collections::{BTreeMap, BTreeSet};

use preflight_model::architecture::{Comparison, Expected, compare, expected};
use preflight_model::config::Config;
use preflight_model::json::Document;
use serde_json::Value;

type Tensors = BTreeMap<String, Vec<u64>>;

#[test]
fn every_small_model_has_the_tensors_that_the_real_class_has() {
    let lines = std::fs::read_to_string("tests/data/state-dicts.jsonl")
        .expect("tests/data is part of the crate");
    let mut wrong = Vec::new();
    let mut classes = BTreeSet::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).expect("one object a line");
        let class = case["class"].as_str().expect("a class").to_owned();
        if let Err(why) = agrees(&class, &case) {
            wrong.push(format!("{class} {}: {why}", case["config"]));
        }
        classes.insert(class);
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        lines.lines().count(),
        wrong.join("\n")
    );
    assert!(classes.len() > 100, "{}", classes.len());
}

#[test]
fn a_checkpoint_of_one_class_is_read_as_another_of_its_family() {
    for (stored, loaded, missing, unexpected) in [
        ("Qwen3Model", "Qwen3ForCausalLM", &["lm_head."][..], &[][..]),
        ("Qwen3ForCausalLM", "Qwen3Model", &[], &["lm_head."]),
        ("GPT2Model", "GPT2LMHeadModel", &[], &[]),
        ("BertForMaskedLM", "BertModel", &["pooler."], &["cls."]),
        ("BertModel", "BertForMaskedLM", &["cls."], &["pooler."]),
        (
            "Llama4ForConditionalGeneration",
            "Llama4ForCausalLM",
            &[],
            &["vision_model.", "multi_modal_projector."],
        ),
    ] {
        let case = small_model(stored);
        let found =
            difference(loaded, &case["config"], &tensors(&case["tensors"])).expect("described");
        let beginnings = |names: &[String], allowed: &[&str]| {
            names
                .iter()
                .all(|name| allowed.iter().any(|start| name.starts_with(start)))
                && names.is_empty() == allowed.is_empty()
        };
        assert!(
            beginnings(&found.missing, missing),
            "{stored} as {loaded}: {:?}",
            found.missing
        );
        assert!(
            beginnings(&found.unexpected, unexpected),
            "{stored} as {loaded}: {:?}",
            found.unexpected
        );
        assert_eq!(
            (found.wrong_shape, found.beyond_layers),
            (vec![], vec![]),
            "{stored} as {loaded}"
        );
    }
}

/// The first model of a class in the file.
fn small_model(class: &str) -> Value {
    let lines = std::fs::read_to_string("tests/data/state-dicts.jsonl")
        .expect("tests/data is part of the crate");
    let mut cases = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    cases
        .find(|case| case["class"] == class)
        .expect("a class of the file")
}

/// The class's tensors are those of the line, under its names, and the copies are in the tied groups.
fn agrees(class: &str, case: &Value) -> Result<(), String> {
    let wanted = tensors(&case["tensors"]);
    let found = expectation(class, &case["config"])?;
    let mut all: Tensors = found
        .tensors
        .iter()
        .map(|(name, shape)| (name.clone(), shape.to_vec()))
        .collect();
    for copy in &found.copies {
        let tied = case["tied"].as_array().into_iter().flatten().any(|group| {
            let names: Vec<_> = group
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            names.contains(&copy.name.as_str()) && names.contains(&copy.source.as_str())
        });
        if !tied {
            return Err(format!("{copy:?} is not tied"));
        }
        let shape = all
            .get(&copy.source)
            .ok_or_else(|| format!("{copy:?} has no source"))?
            .clone();
        all.insert(copy.name.clone(), shape);
    }
    let tied = case["tied"].as_array().map_or(0, |groups| {
        groups
            .iter()
            .map(|group| group.as_array().map_or(0, Vec::len).saturating_sub(1))
            .sum()
    });
    if tied != found.copies.len() {
        return Err(format!("copies {:?}, not {}", found.copies, case["tied"]));
    }
    if all == wanted {
        return Ok(());
    }
    let of = |these: &Tensors, those: &Tensors| -> Vec<String> {
        let differ = these
            .iter()
            .filter(|(name, shape)| those.get(*name) != Some(shape));
        differ
            .map(|(name, shape)| format!("{name} {shape:?}"))
            .take(6)
            .collect()
    };
    Err(format!(
        "\n  ours {:?}\n  true {:?}",
        of(&all, &wanted),
        of(&wanted, &all)
    ))
}

fn expectation(class: &str, config: &Value) -> Result<Expected, String> {
    let text = serde_json::to_string(config).map_err(|error| error.to_string())?;
    let document = Document::parse(text.as_bytes()).map_err(|error| format!("{error:?}"))?;
    let config = Config::new(document).ok_or("not an object")?;
    expected(class, &config).map_err(|why| why.to_string())
}

fn difference(class: &str, config: &Value, stored: &Tensors) -> Result<Comparison, String> {
    let expected = expectation(class, config)?;
    Ok(compare(
        &expected,
        stored
            .iter()
            .map(|(name, shape)| (name.as_str(), Some(shape.as_slice()))),
    ))
}

/// Rows of pattern, perhaps dtype, and shape.
fn tensors(rows: &Value) -> Tensors {
    let mut tensors = Tensors::new();
    for row in rows
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
    {
        let (Some(pattern), Some(shape)) = (
            row.first().and_then(Value::as_str),
            row.last().and_then(Value::as_array),
        ) else {
            continue;
        };
        let shape: Vec<u64> = shape.iter().filter_map(Value::as_u64).collect();
        for name in expand(pattern) {
            tensors.insert(name, shape.clone());
        }
    }
    tensors
}

/// `a.{0-1,3}.b` into `a.0.b`, `a.1.b` and `a.3.b`.
fn expand(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return vec![pattern.to_owned()];
    };
    let (numbers, after) = rest.split_once('}').expect("a closed pattern");
    let tails = expand(after);
    let mut names = Vec::new();
    for part in numbers.split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        for n in low.parse::<u64>().expect("a number")..=high.parse().expect("a number") {
            names.extend(tails.iter().map(|tail| format!("{before}{n}{tail}")));
        }
    }
    names
}
