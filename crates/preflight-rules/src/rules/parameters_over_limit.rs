use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::parameters::Parameters;
use preflight_model::weights::{Shard, Weights};

use super::{grouped, not_opened};
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "parameters-over-limit",
    summary: "the model has more parameters than the platform fine-tunes",
    fix: "choose a smaller model; quantising does not help, logical parameters count",
    docs: include_str!("parameters_over_limit.md"),
    category: Category::Weights,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    let weights = checkpoint.weights.get()?;
    let parameters = &checkpoint.parameters;
    let path = weights.files.first().filter(|_| weights.files.len() == 1);
    let over = |count: String, limit: String| {
        let message = format!("the model has {count} parameters, {limit}");
        Findings::problem(match path {
            Some(path) => Finding::in_file(path.as_str(), message),
            None => Finding::new(message),
        })
    };
    let unnamed = unnamed(facts, weights);
    if let Some(total) = parameters.total {
        if let Some(limit) = exceeded(case, total)? {
            return Ok(over(grouped(total), limit));
        }
        if exceeded(case, total.saturating_add(unnamed))?.is_some() {
            return Err(Gap::Unknown(format!(
                "the index names tensors of {} parameters, and transformers 5 also loads those of the {} that it does not name, where the class has them",
                grouped(total),
                grouped(unnamed)
            )));
        }
        return Ok(note_what_was_left_out(parameters));
    }
    // Decidable stays decidable: bounds may be enough.
    if let Some(limit) = exceeded(case, parameters.at_least)? {
        let least = format!("at least {}", grouped(parameters.at_least));
        return Ok(over(least, limit));
    }
    if let Some(why) = told_elsewhere(weights) {
        return Err(Gap::Malformed(why.into()));
    }
    if let Some(at_most) = parameters.at_most
        && exceeded(case, at_most.saturating_add(unnamed))?.is_none()
    {
        return Ok(Findings::none().with_note(Finding::new(format!(
            "at most {} parameters, by the sizes of the files",
            grouped(at_most)
        ))));
    }
    let why = parameters.inexact_because.join("; ");
    let most = parameters
        .at_most
        .map_or(String::from("nothing bounds it from above"), |most| {
            format!("at most {}", grouped(most))
        });
    Err(Gap::Unknown(format!(
        "the count is not exact: at least {}, {most} ({why})",
        grouped(parameters.at_least)
    )))
}

/// Elements of tensors that the index does not name, which only release 5 loads.
fn unnamed(facts: &Facts<'_>, weights: &Weights<'_>) -> u64 {
    if facts.release.major() < 5 {
        return 0;
    }
    weights
        .unnamed()
        .fold(0, |sum, tensor| sum.saturating_add(tensor.elements()))
}

/// The limit that a count exceeds: the platform's, where it has one for this target, or the user's own.
fn exceeded(case: &Case<'_>, count: u64) -> Result<Option<String>, Gap> {
    let policy = case.policy;
    let is_limited = policy.level(RULE.id, case.target).is_some();
    let is_allowed = if is_limited {
        policy.allows_parameters(count)
    } else {
        Ok(true)
    };
    let own = case.options.settings.limits.parameters_max;
    match (is_allowed, own.filter(|own| count > *own)) {
        (Ok(false), _) => {
            let limit = policy.platform.parameters_max.get()?;
            Ok(Some(format!("the limit is {}", grouped(*limit))))
        }
        (_, Some(own)) => Ok(Some(format!("your own limit is {}", grouped(own)))),
        (Ok(true), None) => Ok(None),
        (Err(gap), None) => Err(gap),
    }
}

/// What other rules report of weights that are broken; the size of a broken file bounds nothing.
fn told_elsewhere(weights: &Weights<'_>) -> Option<&'static str> {
    let is_broken = |shard: &Shard<'_>| match &shard.header {
        Fact::Known(header) => header.left_out > 0,
        Fact::Absent | Fact::Malformed(_) => true,
        Fact::Unavailable(_) => false,
    };
    if weights.shards.iter().any(is_broken) {
        return Some("the weights cannot be counted: see shard-missing and shard-corrupt");
    }
    not_opened(weights)
}

fn note_what_was_left_out(parameters: &Parameters) -> Findings {
    parameters
        .left_out
        .iter()
        .fold(Findings::none(), |findings, what| {
            findings.with_note(Finding::new(format!("not counted: {what}")))
        })
}

#[cfg(test)]
mod tests {
    use super::grouped;
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    /// A single file of these tensors.
    fn file(tensors: &str) -> String {
        run(&format!("//- model.safetensors\n{tensors}"))
    }

    #[test]
    fn thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(100_000_000_000), "100,000,000,000");
    }

    #[test]
    fn exactly_the_limit_is_allowed_by_the_earlier_policy_only() {
        let tensors = "//- model.safetensors\nx.weight BF16 [100000, 1000000]\n";
        assert_eq!(run(tensors), "fine-tune: pass\n");
        let later = run(&format!("policy: together-2026-07\n{tensors}"));
        assert!(later.starts_with("fine-tune: fail\n"), "{later}");
        let one_more = file("x.weight BF16 [100000, 1000000]\ny.bias BF16 [1]");
        assert!(
            one_more.contains("has 100,000,000,001 parameters"),
            "{one_more}"
        );
    }

    #[test]
    fn containers_that_are_not_known_have_a_lower_bound_only() {
        for method in ["vptq", "spqr", "quark", "exl2"] {
            let of = |rows: u64| {
                run(&format!(
                    "//- config.json +\n{{\"quantization_config\": {{\"quant_method\": \"{method}\"}}}}\n\
                     //- model.safetensors\na.indices I32 [1000, 1000]\nb.weight F16 [{rows}, 1000000]\n"
                ))
            };
            let open = of(1);
            assert!(
                open.starts_with("fine-tune: unknown\n") && open.contains("nothing bounds it"),
                "{method}: {open}"
            );
            let decided = of(100_001);
            assert!(
                decided.starts_with("fine-tune: fail\n") && decided.contains("at least"),
                "{method}: {decided}"
            );
        }
    }

    #[test]
    fn a_tied_copy_counts_once() {
        let tensors = "//- model.safetensors\nlm_head.weight BF16 [60000, 1000000]\nmodel.embed_tokens.weight BF16 [60000, 1000000]\n";
        assert!(run(tensors).contains("has 120,000,000,000 parameters"));
        let tied = run(&format!(
            "//- config.json +\n{{\"tie_word_embeddings\": true}}\n{tensors}"
        ));
        assert_eq!(
            tied,
            "fine-tune: pass\n  note: not counted: tied copies: lm_head.weight\n"
        );
    }

    #[test]
    fn layers_that_are_not_built_do_not_count() {
        let got =
            file("model.layers.0.a.weight BF16 [1]\nmodel.layers.1.a.weight BF16 [200000, 600000]");
        assert!(
            got.starts_with(
                "fine-tune: pass\n  note: not counted: 120000000000 parameters of layers"
            ),
            "{got}"
        );
    }

    /// Two shards of 60 billion parameters each, the second of which is described by `second`.
    fn sharded(map: &str, second: &str) -> String {
        sharded_for("", map, second)
    }

    fn sharded_for(settings: &str, map: &str, second: &str) -> String {
        run(&format!(
            "{settings}//- model.safetensors removed\n//- model.safetensors.index.json\n{{\"metadata\": {{}}, \"weight_map\": {map}}}\n\
             //- 1.safetensors\na.weight BF16 [60000, 1000000]\n//- 2.safetensors{second}"
        ))
    }

    const BOTH: &str = r#"{"a.weight": "1.safetensors", "b.weight": "2.safetensors"}"#;

    #[test]
    fn only_what_the_index_assigns_counts() {
        let second = "\nb.weight BF16 [60000, 1000000]\n";
        assert!(sharded(BOTH, second).starts_with("fine-tune: fail\n"));
        let stale = r#"{"a.weight": "1.safetensors", "c.weight": "2.safetensors"}"#;
        assert_eq!(sharded(stale, second), "fine-tune: pass\n");
        // Release 5 also loads what the index does not name.
        let later = sharded_for("policy: together-2026-07\n", stale, second);
        assert!(
            later.starts_with("fine-tune: unknown\n") && later.contains("that it does not name"),
            "{later}"
        );
        let small = sharded_for("policy: together-2026-07\n", stale, "\nb.weight BF16 [9]\n");
        assert_eq!(small, "fine-tune: pass\n");
    }

    #[test]
    fn what_cannot_be_read_is_bounded_by_its_size() {
        let unknown = sharded(BOTH, " unavailable timed out\n");
        assert!(
            unknown.contains("unknown") && unknown.contains("nothing bounds it from above"),
            "{unknown}"
        );
        let small = sharded(BOTH, " pointer 1000000\n");
        assert!(
            small.starts_with("fine-tune: pass\n  note: at most 60,000,999,992"),
            "{small}"
        );
        let straddles = sharded(BOTH, " pointer 60000000000\n");
        assert!(
            straddles.contains("at least 67,499,999,999, at most 119,999,999,992"),
            "{straddles}"
        );
        // 60 billion here, and in 400 GB at least 50 billion: over, whatever they are.
        assert!(sharded(BOTH, " pointer 400000000000\n").starts_with("fine-tune: fail\n"));
    }

    #[test]
    fn a_shard_over_the_limit_fails_although_another_is_not_read() {
        let got = run(
            "//- model.safetensors removed\n//- model.safetensors.index.json\n\
             {\"metadata\": {}, \"weight_map\": {\"a.weight\": \"1.safetensors\", \"b.weight\": \"2.safetensors\"}}\n\
             //- 1.safetensors\na.weight BF16 [200000, 600000]\n//- 2.safetensors unavailable timed out\n",
        );
        assert!(
            got.starts_with("fine-tune: fail\n") && got.contains("at least 120,000,000,000"),
            "{got}"
        );
    }

    #[test]
    fn a_quantised_pointer_may_hold_more_than_a_parameter_a_byte() {
        let pointer = "//- model.safetensors pointer 60000000000\n";
        assert!(run(pointer).starts_with("fine-tune: pass\n"));
        let quantised = r#"{"quantization_config": {"quant_method": "gptq", "bits": 4}}"#;
        let got = run(&format!("//- config.json +\n{quantised}\n{pointer}"));
        assert!(
            got.contains("unknown") && got.contains("at least 0, at most 119,999,999,984"),
            "{got}"
        );
    }

    #[test]
    fn containers_of_unknown_packing_give_bounds() {
        let small = file("a.qweight I32 [100, 100]");
        assert!(
            small.starts_with("fine-tune: pass\n  note: at most 320,000"),
            "{small}"
        );
        let large = file("a.qweight I32 [100000, 100000]");
        assert!(
            large.starts_with("fine-tune: unknown\n") && large.contains("packing is not known"),
            "{large}"
        );
        let certain = file("a.qweight I32 [400000, 400000]");
        assert!(
            certain.starts_with("fine-tune: fail\n")
                && certain.contains("at least 160,000,000,000"),
            "{certain}"
        );
    }

    #[test]
    fn four_bits_an_element_and_no_scales() {
        let gptq = r#"{"quantization_config": {"quant_method": "gptq", "bits": 4}}"#;
        let tensors = "a.qweight I32 [100000, 150000]\na.scales F16 [100000, 150000]\na.qzeros I32 [100000, 150000]\n";
        let got = run(&format!(
            "//- config.json +\n{gptq}\n//- model.safetensors\n{tensors}"
        ));
        assert!(got.contains("has 120,000,000,000 parameters"), "{got}");
    }

    #[test]
    fn what_is_broken_is_told_elsewhere() {
        let index = "//- model.safetensors removed\n//- model.safetensors.index.json\n";
        for text in [
            "//- model.safetensors raw 4\n{}".to_owned(),
            "//- model.safetensors raw 100\n{\"a\":{\"dtype\":\"BF16\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,2]}}".to_owned(),
            "//- model.safetensors removed\n".to_owned(),
            format!("{index}[]"),
            format!("{index}{{\"metadata\": {{}}, \"weight_map\": {{\"a\": \"1.safetensors\"}}}}"),
        ] {
            assert!(run(&text).starts_with("fine-tune: skip\n"), "{text}: {}", run(&text));
        }
        let pickle =
            run("//- model.safetensors removed\n//- pytorch_model.bin listed 400000000000\n");
        assert!(pickle.starts_with("fine-tune: unknown\n"), "{pickle}");
        assert!(run("unreachable: no route\n").starts_with("fine-tune: unknown\n"));
    }
}
