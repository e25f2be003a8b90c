use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::weights::Shard;

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "shard-corrupt",
    summary: "a weight file cannot be what its header says",
    fix: "upload the file again; compare its size and checksum with the original",
    docs: include_str!("shard_corrupt.md"),
    category: Category::Weights,
    since: "0.1.0",
    check,
};

/// Values of `format` that `load_state_dict` accepts in each file that has metadata.
/// Source: <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_utils.py>
const FORMATS: [&str; 4] = ["flax", "mlx", "pt", "tf"];

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let weights = facts.of_a_model()?.weights.get()?;
    let mut findings: Findings = weights.shards.iter().flat_map(of_shard).collect();
    findings
        .problems
        .extend(weights.shards.iter().filter_map(of_metadata));
    let unread = weights.shards.iter().find_map(|shard| match &shard.header {
        Fact::Unavailable(why) => Some(why.clone()),
        _ => None,
    });
    match unread {
        Some(why) if findings.problems.is_empty() => Err(Gap::Unavailable(why)),
        _ => Ok(findings),
    }
}

fn of_shard(shard: &Shard) -> Vec<Finding> {
    match &shard.header {
        Fact::Known(header) => header
            .defects
            .iter()
            .map(|defect| Finding::in_file(shard.path.as_str(), defect.as_str()))
            .collect(),
        Fact::Malformed(defect) => vec![Finding::from(defect)],
        Fact::Absent | Fact::Unavailable(_) => Vec::new(),
    }
}

fn of_metadata(shard: &Shard) -> Option<Finding> {
    let header = shard.header.known().filter(|header| header.has_metadata)?;
    let message = match header.format.as_deref() {
        Some(format) if FORMATS.contains(&format) => return None,
        Some(format) => format!("`__metadata__` says format `{format}`, which the loader refuses"),
        None => "`__metadata__` has no `format`, which the loader refuses".into(),
    };
    Some(Finding::in_file(shard.path.as_str(), message))
}
