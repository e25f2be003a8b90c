use preflight_model::fact::{Defect, Gap};
use preflight_model::facts::Facts;
use preflight_model::release;
use preflight_model::remote_code::{Need, SENTENCE_TRANSFORMERS};

use super::config_of;
use crate::case::Case;
use crate::report::{Finding, Target};
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "remote-code-required",
    summary: "loading the model runs code of its repository, which the platform does not allow",
    fix: "use a model whose type transformers knows itself; removing `auto_map` alone does not help where it does not",
    docs: include_str!("remote_code_required.md"),
    category: Category::Config,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    // Fine-tuning takes an embedding model as a causal LM, without the modules around it.
    let of_target =
        |need: &&Need| case.target == Target::Upload || need.step != SENTENCE_TRANSFORMERS;
    let needs = facts.remote_code.needs.iter().filter(of_target);
    let needs = needs.map(|need| {
        let message = match need.step {
            "generate" => "this code would run whenever the model is loaded".to_owned(),
            SENTENCE_TRANSFORMERS => format!(
                "sentence-transformers would import `{}` from the repository",
                need.code
            ),
            step => format!(
                "{step} of transformers {} has no class of its own for this model and would run `{}`",
                facts.release, need.code
            ),
        };
        match &need.place {
            Some(place) => Finding::from(&Defect::at(need.path, place.clone(), message)),
            None => Finding::in_file(need.path, message),
        }
    });
    let mut findings: Findings = needs.collect();
    if let [first, ..] = facts.remote_code.unread.as_slice()
        && findings.problems.is_empty()
    {
        return Err(Gap::Unavailable(first.clone()));
    }
    if findings.problems.is_empty() {
        let config = config_of(checkpoint)?;
        let is_native = config
            .model_type()
            .is_some_and(|model_type| release::knows_model_type(facts.release, model_type));
        if let Some(map) = config.root().get_set("auto_map").filter(|_| is_native) {
            findings = findings.with_note(Finding::in_config(
                Some(&map),
                "`auto_map` is there, but transformers has classes of its own and uses those",
            ));
        }
    }
    let generates = facts
        .remote_code
        .needs
        .iter()
        .all(|need| need.step == "generate");
    Ok(if generates && !findings.problems.is_empty() {
        findings.with_fix("remove the folder custom_generate")
    } else {
        findings
    })
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
    fn native_code_wins_wherever_the_repository_keeps_its_own() {
        for config in [
            r#"{"model_type": "falcon", "auto_map": {"AutoConfig": "tiiuae/falcon-7b--configuration_falcon.FalconConfig", "AutoModelForCausalLM": "tiiuae/falcon-7b--modeling_falcon.FalconForCausalLM"}}"#,
            r#"{"auto_map": {"AutoModel": "modeling_acme.AcmeModel"}}"#,
        ] {
            let got = of(config);
            assert!(
                got.starts_with("upload: pass\n  note: ") && !got.contains("fail"),
                "{config}: {got}"
            );
        }
    }

    #[test]
    fn files_of_code_and_an_empty_map_are_nothing() {
        let pass = "upload: pass\nfine-tune: pass\n";
        assert_eq!(run("//- modeling_acme.py listed 10"), pass);
        for config in [
            r#"{"auto_map": {}}"#,
            r#"{"auto_map": ["a.B", "a.C"]}"#,
            r#"{"auto_map": null}"#,
        ] {
            assert!(of(config).contains("fine-tune: pass"), "{config}");
        }
    }

    #[test]
    fn a_native_type_may_lack_the_causal_class() {
        let t5 = of(
            r#"{"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "auto_map": {"AutoModelForCausalLM": "modeling_acme.T5Decoder"}}"#,
        );
        assert!(
            t5.contains("AutoModelForCausalLM of transformers 4.55 has no class")
                && !t5.contains("AutoConfig"),
            "{t5}"
        );
    }

    #[test]
    fn without_code_for_the_config_the_load_ends_before_any_code() {
        let got = of(r#"{"model_type": "acme", "auto_map": {"AutoModelForCausalLM": "a.B"}}"#);
        assert_eq!(got, "upload: pass\nfine-tune: pass\n");
    }

    #[test]
    fn the_tokenizer_is_a_step_of_its_own() {
        let map = r#""auto_map": {"AutoTokenizer": ["tokenization_acme.AcmeTokenizer", null]}"#;
        let foreign = run(&format!(
            "//- tokenizer_config.json\n{{{map}, \"tokenizer_class\": \"AcmeTokenizer\"}}"
        ));
        assert!(
            foreign.contains("fine-tune: fail\n  tokenizer_config.json:1:15: AutoTokenizer"),
            "{foreign}"
        );
        let native = run(&format!(
            "//- tokenizer_config.json\n{{{map}, \"tokenizer_class\": \"LlamaTokenizer\"}}"
        ));
        assert_eq!(native, "upload: pass\nfine-tune: pass\n");
    }

    #[test]
    fn modules_of_sentence_transformers_matter_to_an_upload_alone() {
        let got = run(
            "//- custom_st.py listed 9\n//- modules.json\n[{\"type\": \"custom_st.Transformer\"}]",
        );
        assert!(
            got.starts_with("upload: warn\n  modules.json:1:3: sentence-transformers would import `custom_st.Transformer`")
                && got.contains("fine-tune: pass\n"),
            "{got}"
        );
    }

    #[test]
    fn an_embedding_model_is_loaded_by_automodel() {
        let map = r#""auto_map": {"AutoConfig": "acme/impl--c.C", "AutoModel": "acme/impl--m.M"}"#;
        let got = run(&format!(
            "//- 1_Pooling/config.json listed 9\n//- config.json +\n{{\"model_type\": \"new\", \"architectures\": [\"NewModel\"], {map}}}"
        ));
        assert!(
            got.starts_with("upload: warn\n") && got.contains("AutoModel of transformers 4.55"),
            "{got}"
        );
    }

    #[test]
    fn an_unread_file_is_unknown_unless_another_decides() {
        let unread = "//- tokenizer_config.json unavailable timed out\n";
        assert!(run(unread).contains("fine-tune: unknown\n"));
        assert!(run("//- config.json unavailable timed out").contains("fine-tune: unknown\n"));
        let code = r#"{"model_type": "acme", "auto_map": {"AutoConfig": "a.B"}}"#;
        let decided = run(&format!("{unread}//- config.json +\n{code}"));
        assert!(decided.contains("fine-tune: fail\n"), "{decided}");
    }

    #[test]
    fn a_type_that_became_native_needs_no_code_there() {
        let config = r#"{"model_type": "qwen3_next", "architectures": ["Qwen3NextForCausalLM"], "auto_map": {"AutoConfig": "a.B", "AutoModelForCausalLM": "a.C"}}"#;
        assert!(of(config).contains("fine-tune: fail\n"));
        let later = run(&format!(
            "policy: together-2026-07\n//- config.json +\n{config}"
        ));
        assert!(later.contains("fine-tune: pass\n"), "{later}");
    }
}
