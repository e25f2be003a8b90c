use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::wanted::INDEX;
use preflight_model::weights::Format;

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "shard-missing",
    summary: "a weight file that the loader opens is not in the repository",
    fix: "upload the missing file, or write the index anew with `save_pretrained`",
    docs: include_str!("shard_missing.md"),
    category: Category::Weights,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let weights = facts.of_a_model()?.weights.get()?;
    match weights.format {
        Format::Safetensors => {}
        Format::Pytorch | Format::Tensorflow | Format::Flax => return Ok(Findings::none()),
        Format::None | Format::Gguf | Format::Original | Format::MisnamedSafetensors => {
            return Ok(Findings::problem(Finding::new(
                "the repository has no weight file that `from_pretrained` opens",
            ))
            .with_fix("add `model.safetensors`, or shards with `model.safetensors.index.json`"));
        }
    }
    match &weights.index {
        Fact::Unavailable(why) => return Err(Gap::Unavailable(why.clone())),
        Fact::Malformed(_) => {
            return Err(Gap::Malformed(
                "the index cannot be read: see index-mismatch".into(),
            ));
        }
        Fact::Known(_) | Fact::Absent => {}
    }
    let absent = weights
        .shards
        .iter()
        .filter(|shard| shard.header.is_absent());
    Ok(absent
        .map(|shard| {
            let named_by = if weights.index.is_absent() {
                "config.json"
            } else {
                INDEX
            };
            Finding::in_file(
                named_by,
                format!("`{}` is named but not in the repository", shard.path),
            )
        })
        .collect())
}
