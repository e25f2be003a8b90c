use preflight_model::facts::Facts;
use preflight_model::json::Cursor;
use preflight_model::release::{self, Release, Since};
use preflight_model::tokenizer::Class;

use super::config_of;
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "transformers-too-new",
    summary: "the model needs a newer transformers release than the platform has",
    fix: "choose a model that the platform's release knows, or ask the platform for a newer release",
    docs: include_str!("transformers_too_new.md"),
    category: Category::Config,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    let ceiling = case.policy.platform.transformers_ceiling.get()?;
    let config = config_of(checkpoint)?;
    let release = facts.release;
    let root = config.root();
    let mut findings = Findings::none();
    let mut too_new = |since: Option<Since>, what: String, key: &str| {
        if let Some(since) = since.filter(|since| since.release > release) {
            findings.push(Finding::in_config(
                root.get(key).as_ref(),
                format!("{what} is known since transformers {since}; the platform has {ceiling}"),
            ));
        }
    };
    if let Some(model_type) = config.model_type() {
        if !release::knows_model_type(release, model_type) {
            too_new(
                release::model_type_since(model_type),
                format!("model type `{model_type}`"),
                "model_type",
            );
            removed(release, model_type, &mut findings, config);
        } else if release::causal_lm_class(release, model_type).is_none() {
            too_new(
                release::causal_lm_since(model_type),
                format!("the causal-LM class of `{model_type}`"),
                "model_type",
            );
        }
    }
    let text = config.text();
    for (key, since) in release::later_switches(release, text.model_type().unwrap_or_default()) {
        if text.bool(key) == Some(true) {
            findings.push(Finding::in_config(
                text.given(key).as_ref(),
                format!("`{key}` is known since transformers {since}; the platform has {ceiling}, which computes as if it were not there"),
            ));
        }
    }
    let method = checkpoint
        .quantization
        .as_ref()
        .and_then(|found| found.method.as_deref());
    if let Some(method) = method.filter(|method| !release::quant_method_known(release, method))
        && let Some(since) =
            release::quant_method_since(method).filter(|since| since.release > release)
    {
        findings.push(Finding::in_config(
            root.get("quantization_config").as_ref(),
            format!("quantisation method `{method}` is known since transformers {since}; the platform has {ceiling}"),
        ));
    }
    // A class that release 5 writes is told by transformers-5-config, unless that does not apply.
    if let Class::Later(class, since) = &facts.tokenizer.class {
        let told = facts
            .misread
            .iter()
            .any(|defect| defect.message.contains(class.as_str()));
        if !told {
            findings.push(Finding::in_file(
                "tokenizer_config.json",
                format!("tokenizer class `{class}` is known since transformers {since}; the platform has {ceiling}"),
            ));
        }
    }
    // Only beside a problem: readers take the saver's version for what the model needs.
    let saved = root.get("transformers_version");
    Ok(match saved.as_ref().and_then(Cursor::as_str) {
        Some(version) if !findings.problems.is_empty() => findings.with_note(Finding::in_config(
            saved.as_ref(),
            format!("saved with transformers {version}, which says nothing about what it needs"),
        )),
        _ => findings,
    })
}

/// A model type that later releases dropped.
fn removed(
    release: Release,
    model_type: &str,
    findings: &mut Findings,
    config: &preflight_model::config::Config,
) {
    if let Some(until) = release::model_type_until(model_type).filter(|until| *until < release) {
        findings.push(Finding::in_config(
            config.root().get("model_type").as_ref(),
            format!("model type `{model_type}` was dropped after transformers {until}; the platform has {release}"),
        ));
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
    fn the_ceiling_decides() {
        let qwen = r#"{"model_type": "qwen3_next"}"#;
        assert!(of(qwen).contains("fine-tune: fail\n"));
        let later = run(&format!(
            "policy: together-2026-07\n//- config.json +\n{qwen}"
        ));
        assert_eq!(later, "upload: pass\nfine-tune: pass\n");
        assert_eq!(
            of(r#"{"model_type": "gpt_oss"}"#),
            "upload: pass\nfine-tune: pass\n",
            "4.55 itself"
        );
    }

    #[test]
    fn a_switch_that_the_release_passes_over() {
        let gemma = |on: &str| {
            format!(
                "//- config.json +\n{{\"model_type\": \"gemma3_text\", \"use_bidirectional_attention\": {on}}}\n"
            )
        };
        let got = run(&gemma("true"));
        assert!(
            got.contains("upload: warn\n")
                && got.contains("`use_bidirectional_attention` is known since transformers 4.57"),
            "{got}"
        );
        let pass = "upload: pass\nfine-tune: pass\n";
        assert_eq!(run(&gemma("false")), pass);
        assert_eq!(
            run(&format!("policy: together-2026-07\n{}", gemma("true"))),
            pass
        );
    }

    #[test]
    fn a_type_may_be_too_old() {
        let got =
            run("policy: together-2026-07\n//- config.json +\n{\"model_type\": \"code_llama\"}");
        assert!(
            got.contains("`code_llama` was dropped after transformers 5.5; the platform has 5.10"),
            "{got}"
        );
        assert_eq!(
            of(r#"{"model_type": "code_llama"}"#),
            "upload: pass\nfine-tune: pass\n"
        );
    }

    #[test]
    fn tokenizer_classes_too() {
        let class = |name: &str| {
            run(&format!(
                "//- tokenizer_config.json\n{{\"tokenizer_class\": \"{name}\"}}"
            ))
        };
        let later = class("Qwen3_5Tokenizer");
        assert!(
            later.contains("tokenizer class `Qwen3_5Tokenizer` is known since transformers 5.2"),
            "{later}"
        );
        let told_elsewhere = class("TokenizersBackend");
        assert_eq!(told_elsewhere, "upload: pass\nfine-tune: pass\n");
    }

    #[test]
    fn a_name_of_no_release_is_another_matter() {
        assert_eq!(
            of(r#"{"model_type": "acme"}"#),
            "upload: pass\nfine-tune: pass\n"
        );
        assert!(run("//- config.json removed").contains("fine-tune: skip\n"));
        assert!(run("//- config.json unavailable timed out").contains("fine-tune: unknown\n"));
    }
}
