use preflight_model::fact::Gap;
use preflight_model::facts::Facts;
use preflight_model::release;
use preflight_model::task::CausalLm;

use super::config_of;
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "architecture-not-causal-lm",
    summary: "the model is no causal language model of transformers",
    fix: "choose a checkpoint whose `architectures` names the causal-LM class of its model type",
    docs: include_str!("architecture_not_causal_lm.md"),
    category: Category::Config,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let config = config_of(facts.of_a_model()?)?;
    let (Some(judged), Some(model_type)) = (&facts.causal_lm, config.model_type()) else {
        return Err(Gap::Malformed("config.json names no model type".into()));
    };
    match judged {
        CausalLm::Yes { notes, .. } => {
            let key = config.root().get("architectures");
            let is_embedder = facts.checkpoint.sentence_transformers.known().is_some();
            let also = is_embedder.then_some(
                "sentence-transformers uses this causal LM for embeddings; fine-tuning trains it to generate text",
            );
            let notes = notes.iter().map(String::as_str).chain(also);
            Ok(notes.fold(Findings::none(), |findings, note| {
                findings.with_note(Finding::in_config(key.as_ref(), note))
            }))
        }
        CausalLm::No { key, because } => Ok(Findings::problem(Finding::in_config(
            config.root().get(key).as_ref(),
            because.as_str(),
        ))),
        CausalLm::Unclear(why) => Err(Gap::Unknown(why.clone())),
        CausalLm::NotNative if facts.remote_code.required() == Some(true) => {
            Err(Gap::DoesNotApply(format!(
                "model type `{model_type}` is the repository's own code"
            )))
        }
        CausalLm::NotNative => {
            let meant = release::nearest_model_type(model_type)
                .map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
            Ok(Findings::problem(Finding::in_config(
                config.root().get("model_type").as_ref(),
                format!(
                    "no transformers release knows model type `{model_type}`, so it has no causal-LM class{meant}"
                ),
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    fn of(config: &str) -> String {
        run(&format!("//- config.json +\n{config}"))
    }

    #[test]
    fn a_missing_name_is_enough_only_where_the_type_has_one_use() {
        let llama = run("//- config.json\n{\"model_type\": \"llama\"}");
        assert!(
            llama.starts_with("fine-tune: pass\n  note: config.json: `architectures` is missing"),
            "{llama}"
        );
        for config in [
            r#"{"model_type": "bert"}"#,
            r#"{"model_type": "bart", "architectures": []}"#,
        ] {
            let several = run(&format!("//- config.json\n{config}"));
            assert!(
                several.starts_with("fine-tune: unknown\n"),
                "{config}: {several}"
            );
        }
    }

    #[test]
    fn other_heads_of_a_causal_type() {
        for (config, says) in [
            (
                r#"{"architectures": ["LlamaForSequenceClassification"]}"#,
                "a classifier or reward model",
            ),
            (
                r#"{"architectures": ["AcmeRewardModel"]}"#,
                "a classifier or reward model",
            ),
            (
                r#"{"architectures": ["LlamaForRewardModelWithGating"]}"#,
                "a classifier or reward model",
            ),
            (
                r#"{"architectures": "LlamaForTokenClassification"}"#,
                "a classifier or reward model",
            ),
            (
                r#"{"model_type": "bart", "architectures": ["BartForConditionalGeneration"]}"#,
                "an encoder-decoder model",
            ),
            (
                r#"{"model_type": "qwen2_5_vl", "architectures": ["Qwen2_5_VLForConditionalGeneration"]}"#,
                "multimodal",
            ),
        ] {
            let got = of(config);
            assert!(
                got.starts_with("fine-tune: fail\n") && got.contains(says),
                "{config}: {got}"
            );
        }
    }

    #[test]
    fn a_multimodal_class_that_is_the_causal_one_passes_with_a_note() {
        let gemma =
            of(r#"{"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"]}"#);
        assert!(
            gemma.starts_with("fine-tune: pass\n  note: ") && gemma.contains("vision tower"),
            "{gemma}"
        );
    }

    #[test]
    fn the_text_part_saved_alone_is_a_causal_lm() {
        let got = of(
            r#"{"model_type": "qwen3_5_moe_text", "architectures": ["Qwen3_5MoeForConditionalGeneration"]}"#,
        );
        assert!(
            got.starts_with("fine-tune: pass\n  note: ") && got.contains("its text part"),
            "{got}"
        );
        let llava = of(r#"{"architectures": ["LlavaForConditionalGeneration"]}"#);
        assert!(llava.starts_with("fine-tune: unknown\n"), "{llava}");
    }

    #[test]
    fn an_embedding_model_of_a_causal_class_passes_with_a_note() {
        let causal = run("//- 1_Pooling/config.json listed 9");
        assert!(
            causal.starts_with("fine-tune: pass\n  note: ") && causal.contains("for embeddings"),
            "{causal}"
        );
        let bare = run(
            "//- 1_Pooling/config.json listed 9\n//- config.json +\n{\"architectures\": [\"LlamaModel\"]}",
        );
        assert!(bare.starts_with("fine-tune: fail\n"), "{bare}");
    }

    #[test]
    fn too_new_is_another_matter() {
        assert_eq!(
            of(r#"{"model_type": "qwen3_next", "architectures": ["Qwen3NextForCausalLM"]}"#),
            "fine-tune: pass\n"
        );
    }

    #[test]
    fn a_type_of_no_release_needs_code_or_fails() {
        let without = of(r#"{"model_type": "qwen3next"}"#);
        assert!(
            without.contains("so it has no causal-LM class; did you mean `qwen3_next`?"),
            "{without}"
        );
        let with = of(
            r#"{"model_type": "chatglm", "auto_map": {"AutoConfig": "a.B", "AutoModelForCausalLM": "a.C"}}"#,
        );
        assert_eq!(
            with,
            "fine-tune: skip\n  model type `chatglm` is the repository's own code\n"
        );
    }

    #[test]
    fn without_a_config_other_rules_speak() {
        assert!(run("//- config.json removed").starts_with("fine-tune: skip\n"));
        assert!(run("//- config.json\n[]").starts_with("fine-tune: skip\n"));
        assert!(of(r#"{"model_type": null}"#).starts_with("fine-tune: skip\n"));
        assert!(run("//- config.json unavailable timed out").starts_with("fine-tune: unknown\n"));
    }
}
