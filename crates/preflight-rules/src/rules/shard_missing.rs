use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::wanted::{INDEX, PYTORCH_INDEX};
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
        Format::Safetensors | Format::Pytorch | Format::Tensorflow | Format::Flax => {}
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
    let named_by = match (weights.format, &weights.index) {
        (Format::Safetensors, Fact::Absent) => "config.json",
        (Format::Safetensors, _) => INDEX,
        _ => PYTORCH_INDEX,
    };
    let missing = weights.missing.iter();
    Ok(missing
        .map(|path| {
            Finding::in_file(
                named_by,
                format!("`{path}` is named but not in the repository"),
            )
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    const INDEX: &str = "//- model.safetensors removed\n//- model.safetensors.index.json";

    #[test]
    fn a_shard_of_a_pickle_may_be_missing_too() {
        let got = run(
            "//- model.safetensors removed\n//- a.bin listed 10\n//- pytorch_model.bin.index.json\n{\"metadata\": {}, \"weight_map\": {\"x\": \"a.bin\", \"y\": \"b.bin\"}}",
        );
        assert!(
            got.contains("pytorch_model.bin.index.json: `b.bin` is named"),
            "{got}"
        );
        assert!(!got.contains("`a.bin`"), "{got}");
    }

    #[test]
    fn an_index_that_was_not_read_names_nothing() {
        let broken = run(&format!("{INDEX}\n[]"));
        assert!(
            broken.contains("skip\n  the index cannot be read: see index-mismatch"),
            "{broken}"
        );
        let unread = run(&format!("{INDEX} unavailable timed out"));
        assert!(
            unread.starts_with("upload, fine-tune: unknown\n"),
            "{unread}"
        );
    }

    #[test]
    fn a_file_that_config_json_names() {
        let named = "//- config.json +\n{\"transformers_weights\": \"acme.safetensors\"}\n";
        let absent = run(named);
        assert!(
            absent.contains("fail\n  config.json: `acme.safetensors` is named"),
            "{absent}"
        );
        let present = run(&format!(
            "{named}//- acme.safetensors\nmodel.norm.weight BF16 [16]"
        ));
        assert_eq!(present, "upload, fine-tune: pass\n");
    }

    #[test]
    fn a_shard_that_cannot_be_read_is_there() {
        let map = "{\"metadata\": {}, \"weight_map\": {\"a\": \"1.safetensors\"}}";
        for how in [" unavailable timed out", " pointer 100", " raw 4\n{}"] {
            let got = run(&format!("{INDEX}\n{map}\n//- 1.safetensors{how}"));
            assert_eq!(got, "upload, fine-tune: pass\n", "{how}");
        }
        let subfolder = run(&format!(
            "{INDEX}\n{map}\n//- fp16/1.safetensors\na BF16 [1]"
        ));
        assert!(subfolder.contains("fail\n"), "{subfolder}");
    }
}
