use std::collections::{HashMap, HashSet};

use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::index::Index;
use preflight_model::wanted::INDEX;
use preflight_model::weights::Weights;

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "index-mismatch",
    summary: "the weight index and the shards disagree",
    fix: "write index and shards anew with `save_pretrained`, or restore the index that belongs to these shards",
    docs: include_str!("index_mismatch.md"),
    category: Category::Weights,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let weights = facts.of_a_model()?.weights.get()?;
    match &weights.index {
        Fact::Known(index) => compare(index, weights),
        Fact::Absent => Err(Gap::DoesNotApply(
            "the loader uses no index for this model".into(),
        )),
        Fact::Malformed(defect) => Ok(Findings::problem(Finding::from(defect))),
        Fact::Unavailable(why) => Err(Gap::Unavailable(why.clone())),
    }
}

fn compare(index: &Index, weights: &Weights) -> Outcome {
    let mut findings = Findings::none();
    if index.is_empty() {
        findings.push(Finding::in_file(
            INDEX,
            "the index assigns no tensor to any shard",
        ));
    }
    let mut bytes = 0_u64;
    let mut unassigned = 0;
    let mut unread = None;
    let mut stored: HashMap<&str, HashSet<&str>> = HashMap::new();
    for shard in &weights.shards {
        let header = match &shard.header {
            Fact::Known(header) => header,
            Fact::Unavailable(why) => {
                unread = Some(why.clone());
                continue;
            }
            Fact::Absent | Fact::Malformed(_) => continue,
        };
        let names = stored.entry(&shard.path).or_default();
        for tensor in header.tensors() {
            names.insert(tensor.name);
            bytes = bytes.saturating_add(tensor.bytes);
            if index.shard_of(tensor.name) != Some(&shard.path) {
                unassigned += 1;
            }
        }
    }
    for (tensor, path) in index.tensors() {
        if stored
            .get(path)
            .is_some_and(|names| !names.contains(tensor))
        {
            findings.push(Finding::in_file(
                INDEX,
                format!("tensor `{tensor}` is assigned to `{path}`, which does not have it"),
            ));
        }
    }
    if unassigned > 0 {
        findings = findings.with_note(Finding::in_file(
            INDEX,
            format!("tensors in a shard that the index does not assign them to: {unassigned}; they are not loaded and not counted"),
        ));
    }
    for tensor in &index.listed_twice {
        findings = findings.with_note(Finding::in_file(
            INDEX,
            format!("tensor `{tensor}` is listed twice; the later assignment counts"),
        ));
    }
    if let Some(total) = index
        .total_size
        .filter(|&total| total != bytes && unread.is_none() && weights.is_complete())
    {
        findings = findings.with_note(Finding::in_file(
            INDEX,
            format!("`total_size` is {total}, the tensors have {bytes} bytes; no loader uses it"),
        ));
    }
    match unread {
        Some(why) if findings.problems.is_empty() => Err(Gap::Unavailable(why)),
        _ => Ok(findings),
    }
}
