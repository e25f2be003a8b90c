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
    // `get_checkpoint_shard_files` takes `index["metadata"]` and writes into it.
    // Source: <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/utils/hub.py>
    if !index.has_metadata {
        findings.push(Finding::in_file(
            INDEX,
            "the index has no `metadata` object, without which the loader stops (an empty one will do)",
        ));
    }
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

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    /// One shard that holds `a.weight`, under this index.
    fn index(text: &str) -> String {
        run(&format!(
            "//- model.safetensors removed\n//- model.safetensors.index.json{text}\n//- 1.safetensors\na.weight BF16 [2]\n"
        ))
    }

    #[test]
    fn an_index_that_agrees() {
        let got = index(
            "\n{\"metadata\": {\"total_size\": 4}, \"weight_map\": {\"a.weight\": \"1.safetensors\"}}",
        );
        assert_eq!(got, "upload, fine-tune: pass\n");
    }

    #[test]
    fn an_index_that_is_none() {
        for (text, says) in [
            ("\n[]", "an index is an object"),
            ("\n{}", "needs a `weight_map`"),
            (
                "\n{\"metadata\": {}, \"weight_map\": {}}",
                "assigns no tensor to any shard",
            ),
            (
                "\n{\"metadata\": {}, \"weight_map\": {\"a.weight\": \"/etc/passwd\"}}",
                "leads out of the repository",
            ),
            (
                "\n{\"metadata\": {}, \"weight_map\": {\"a.weight\": \"..%2f..%2fetc%2fpasswd\"}}",
                "percent signs",
            ),
            (
                "\n{\"metadata\": {}, \"weight_map\": {\"a.weight\": 1}}",
                "a string was expected",
            ),
        ] {
            let got = index(text);
            assert!(
                got.starts_with("upload, fine-tune: fail\n") && got.contains(says),
                "{text}: {got}"
            );
        }
    }

    #[test]
    fn what_was_not_read_is_unknown_unless_the_rest_decides() {
        assert!(index(" unavailable timed out").starts_with("upload, fine-tune: unknown\n"));
        let other = "//- 2.safetensors unavailable timed out";
        let sound = run(&format!(
            "//- model.safetensors removed\n//- model.safetensors.index.json\n{{\"metadata\": {{}}, \"weight_map\": {{\"a.weight\": \"1.safetensors\", \"b.weight\": \"2.safetensors\"}}}}\n//- 1.safetensors\na.weight BF16 [2]\n{other}"
        ));
        assert!(sound.starts_with("upload, fine-tune: unknown\n"), "{sound}");
        let broken = run(&format!(
            "//- model.safetensors removed\n//- model.safetensors.index.json\n{{\"metadata\": {{}}, \"weight_map\": {{\"x.weight\": \"1.safetensors\", \"b.weight\": \"2.safetensors\"}}}}\n//- 1.safetensors\na.weight BF16 [2]\n{other}"
        ));
        assert!(
            broken.contains("fail\n  model.safetensors.index.json: tensor `x.weight`"),
            "{broken}"
        );
    }

    #[test]
    fn the_single_file_comes_first() {
        let got = run("//- model.safetensors.index.json\n[]");
        assert_eq!(
            got,
            "upload, fine-tune: skip\n  the loader uses no index for this model\n"
        );
    }

    #[test]
    fn an_absent_shard_is_told_by_another_rule() {
        let got = index(
            "\n{\"metadata\": {}, \"weight_map\": {\"a.weight\": \"1.safetensors\", \"b.weight\": \"9.safetensors\"}}",
        );
        assert_eq!(got, "upload, fine-tune: pass\n");
    }

    #[test]
    fn many_findings_are_counted_not_listed() {
        let map: Vec<_> = (0..25)
            .map(|n| format!("\"t{n}\": \"1.safetensors\""))
            .collect();
        let got = index(&format!(
            "\n{{\"metadata\": {{}}, \"weight_map\": {{{}}}}}",
            map.join(", ")
        ));
        assert!(got.contains("and 5 more\n"), "{got}");
    }

    #[test]
    fn a_tensor_listed_twice_is_a_note() {
        let got = index(
            "\n{\"metadata\": {}, \"weight_map\": {\"a.weight\": \"9.safetensors\", \"a.weight\": \"1.safetensors\"}}",
        );
        assert!(
            got.contains("pass\n") && got.contains("`a.weight` is listed twice"),
            "{got}"
        );
    }
}
