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
