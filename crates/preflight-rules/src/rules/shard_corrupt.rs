use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::header::Header;
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

/// Of these a single file is loaded by the library named, up to release 4: `from_tf` and `from_flax` in
/// `from_pretrained`, same file. Shards are not asked.
const OTHER_LIBRARIES: [(&str, &str); 2] = [("tf", "TensorFlow"), ("flax", "Flax")];

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let weights = facts.of_a_model()?.weights.get()?;
    let contradictions = weights.shards.iter().flat_map(of_shard);
    let is_asked_for_library = weights.index.is_absent() && facts.release.major() < 5;
    let metadata = weights.shards.iter();
    let refused = metadata.filter_map(|shard| of_metadata(shard, is_asked_for_library));
    let mut findings: Findings = contradictions.chain(refused).collect();
    let is_empty = |shard: &Shard<'_>| shard.header.known().is_some_and(Header::is_empty);
    if !weights.shards.is_empty() && weights.shards.iter().all(is_empty) {
        findings.push(Finding::new("the weight files hold no tensor"));
    }
    let unread = weights.shards.iter().find_map(|shard| match &shard.header {
        Fact::Unavailable(why) => Some(why.clone()),
        _ => None,
    });
    match unread {
        Some(why) if findings.problems.is_empty() => Err(Gap::Unavailable(why)),
        _ => Ok(findings),
    }
}

fn of_shard(shard: &Shard<'_>) -> Vec<Finding> {
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

fn of_metadata(shard: &Shard<'_>, is_asked_for_library: bool) -> Option<Finding> {
    let header = shard.header.known().filter(|header| header.has_metadata)?;
    let message = match header.format.as_deref() {
        Some(format) => {
            let library = OTHER_LIBRARIES.iter().find(|(name, _)| *name == format);
            match library.filter(|_| is_asked_for_library) {
                Some((_, library)) => format!(
                    "`__metadata__` says format `{format}`: transformers 4 loads such a file with {library}, which has to be installed for that"
                ),
                None if FORMATS.contains(&format) => return None,
                None => format!("`__metadata__` says format `{format}`, which the loader refuses"),
            }
        }
        None => "`__metadata__` has no `format`, which the loader refuses".into(),
    };
    Some(Finding::in_file(shard.path.as_str(), message))
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    /// A file of so many bytes that starts with this header.
    fn raw(size: u64, header: &str) -> String {
        run(&format!("//- model.safetensors raw {size}\n{header}"))
    }

    fn one(dtype: &str, shape: &str, offsets: &str) -> String {
        format!("{{\"a\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    }

    #[test]
    fn a_file_without_tensors_is_no_model() {
        let got = raw(10, "{}");
        assert!(got.contains("the weight files hold no tensor"), "{got}");
    }

    #[test]
    fn every_way_to_contradict_oneself() {
        for (size, header, says) in [
            (4, "{}".to_owned(), "its header alone needs 10"),
            (10, "[]".to_owned(), "an object was expected"),
            (65, one("BF16", "[2]", "[0,4]"), "it was cut short"),
            (
                1000,
                one("BF16", "[2]", "[0,4]"),
                "its header describes only",
            ),
            (67, one("BF16", "[2]", "[4,8]"), "leaves a hole before it"),
            (67, one("BF17", "[2]", "[0,4]"), "BF17"),
            (67, one("BF16", "[3]", "[0,4]"), "`a`"),
            (
                98,
                one("BF16", "[4294967296,4294967296,4294967296]", "[0,4]"),
                "overflow",
            ),
            (67, one("BF16", "[2]", "[4,0]"), "`a`"),
            (68, one("BF16", "[-2]", "[0,4]"), "whole number"),
        ] {
            let got = raw(size, &header);
            assert!(
                got.starts_with("upload, fine-tune: fail\n") && got.contains(says),
                "{header}: {got}"
            );
        }
    }

    #[test]
    fn metadata_is_optional_and_its_format_is_not() {
        let tensor = r#""a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}"#;
        let file = |metadata: &str| {
            let header = format!("{{{metadata}{tensor}}}");
            raw(8 + header.len() as u64 + 4, &header)
        };
        let pass = "upload, fine-tune: pass\n";
        assert_eq!(file(""), pass);
        assert_eq!(file(r#""__metadata__":{"format":"mlx"},"#), pass);
        assert!(file(r#""__metadata__":{},"#).contains("has no `format`"));
        let tensorflow = file(r#""__metadata__":{"format":"tf"},"#);
        assert!(
            tensorflow.starts_with("upload, fine-tune: fail\n")
                && tensorflow.contains("loads such a file with TensorFlow"),
            "{tensorflow}"
        );
        assert!(file(r#""__metadata__":{"format":"np"},"#).contains("says format `np`"));
    }

    const INDEX: &str = "//- model.safetensors removed\n//- model.safetensors.index.json\n\
        {\"metadata\": {}, \"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}}\n";

    #[test]
    fn every_shard_is_opened_so_every_format_counts() {
        let header = r#"{"__metadata__":{"format":"np"},"b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#;
        let size = 8 + header.len() + 4;
        let got = run(&format!(
            "{INDEX}//- 1.safetensors\na BF16 [2]\n//- 2.safetensors raw {size}\n{header}"
        ));
        assert!(
            got.contains("fail\n  2.safetensors: `__metadata__` says format `np`"),
            "{got}"
        );
    }

    #[test]
    fn shards_are_not_asked_for_another_library() {
        let header = r#"{"__metadata__":{"format":"tf"},"b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#;
        let size = 8 + header.len() + 4;
        let shards =
            format!("{INDEX}//- 1.safetensors\na BF16 [2]\n//- 2.safetensors raw {size}\n{header}");
        assert_eq!(run(&shards), "upload, fine-tune: pass\n");
    }

    #[test]
    fn not_fetched_is_not_corrupt_and_corrupt_decides() {
        let pointer = run("//- model.safetensors pointer 100");
        assert!(
            pointer.starts_with("upload, fine-tune: unknown\n") && pointer.contains("git lfs pull"),
            "{pointer}"
        );
        let got = run(&format!(
            "{INDEX}//- 1.safetensors unavailable timed out\n//- 2.safetensors raw 4\n{{}}"
        ));
        assert!(got.contains("fail\n  2.safetensors: "), "{got}");
        let absent = run(&format!("{INDEX}//- 1.safetensors\na BF16 [2]\n"));
        assert_eq!(absent, "upload, fine-tune: pass\n", "shard-missing tells");
    }

    #[test]
    fn files_that_the_loader_leaves_alone_may_be_broken() {
        assert_eq!(
            run("//- other.safetensors raw 4\n{}"),
            "upload, fine-tune: pass\n"
        );
    }
}
