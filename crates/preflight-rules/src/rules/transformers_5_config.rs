use preflight_model::fact::Gap;
use preflight_model::facts::Facts;

use super::config_of;
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "transformers-5-config",
    summary: "transformers 5 wrote a file that release 4 misreads",
    fix: "write the keys of release 4 beside those of release 5: `rope_theta` and `rope_scaling` for `rope_parameters`, the model's own tokenizer class for `TokenizersBackend`",
    docs: include_str!("transformers_5_config.md"),
    category: Category::Config,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    config_of(facts.of_a_model()?)?;
    let ceiling = case.policy.platform.transformers_ceiling.get()?;
    if facts.release.major() >= 5 {
        return Err(Gap::DoesNotApply(format!(
            "the platform has transformers {ceiling}, which reads both forms"
        )));
    }
    Ok(facts.misread.iter().map(Finding::from).collect())
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    fn rope(config: &str) -> String {
        run(&format!("//- config.json +\n{config}"))
    }

    const PASS: &str = "upload: pass\nfine-tune: pass\n";

    #[test]
    fn only_another_effective_value_counts() {
        assert_eq!(
            rope(r#"{"rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}}"#),
            PASS
        );
        assert_eq!(rope(r#"{"rope_parameters": null}"#), PASS);
        let both = r#"{"rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 2.0}, "rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0}}"#;
        assert_eq!(rope(both), PASS);
        let contradicts = r#"{"rope_parameters": {"rope_theta": 500000.0}, "rope_theta": 10000.0}"#;
        assert!(rope(contradicts).contains("fine-tune: fail\n"));
    }

    #[test]
    fn the_version_that_saved_it_plays_no_part() {
        assert_eq!(
            rope(r#"{"transformers_version": "5.2.0", "dtype": "bfloat16"}"#),
            PASS
        );
    }

    #[test]
    fn a_list_of_special_tokens() {
        let got = run("//- tokenizer_config.json +\n{\"extra_special_tokens\": [\"<a>\"]}");
        assert!(got.contains("`extra_special_tokens` is a list"), "{got}");
        assert_eq!(
            run("//- tokenizer_config.json +\n{\"extra_special_tokens\": {\"a\": \"<a>\"}}"),
            PASS
        );
    }

    #[test]
    fn release_5_reads_both() {
        let got = run(
            "policy: together-2026-07\n//- config.json +\n{\"rope_parameters\": {\"rope_theta\": 500000.0}}\n\
             //- tokenizer_config.json +\n{\"tokenizer_class\": \"TokenizersBackend\"}",
        );
        assert!(
            got.contains("skip\n  the platform has transformers 5.10, which reads both forms"),
            "{got}"
        );
    }
}
