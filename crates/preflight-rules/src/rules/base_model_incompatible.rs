use preflight_model::fact::Gap;
use preflight_model::facts::Facts;

use super::config_of;
use crate::base_models::{ModelShape, Weight, judge, propose};
use crate::case::Case;
use crate::date::{self, STALE_DAYS};
use crate::policy::Policy;
use crate::report::{BaseModelMatch, Finding};
use crate::rule::{Category, Findings, Outcome, Rule};
use crate::shape::{self, ranking_options};

pub(super) static RULE: Rule = Rule {
    id: "base-model-incompatible",
    summary: "no base model of the platform, or not the one that was named, can act as the template",
    fix: "name a base model of the same architecture; `byom-preflight base-models MODEL` lists them",
    docs: include_str!("base_model_incompatible.md"),
    category: Category::Platform,
    since: "0.1.0",
    check,
};

/// How many alternatives a finding names.
const PROPOSALS: usize = 3;

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let findings = judge_base(facts, case)?;
    let catalog = case.base_models(case.target)?;
    let old = catalog.filter(|catalog| date::is_stale(&catalog.as_of, case.now) == Some(true));
    Ok(match old {
        Some(catalog) => findings.with_note(Finding::new(format!(
            "the catalog is of {}, more than {STALE_DAYS} days ago: `byom-preflight refresh` asks the platform for the present one",
            catalog.as_of
        ))),
        None => findings,
    })
}

fn judge_base(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    let Some(catalog) = case.base_models(case.target)? else {
        return Err(Gap::DoesNotApply("this target needs no base model".into()));
    };
    let config = config_of(checkpoint)?;
    let Some(model_type) = config.model_type() else {
        return Err(Gap::Malformed("config.json names no model type".into()));
    };
    let shape = shape::of(facts);
    let options = ranking_options(case);
    let proposals = propose(&shape, catalog, &options);
    let best: Vec<_> = proposals
        .iter()
        .take(PROPOSALS)
        .map(|base| format!("`{}`", base.name))
        .collect();
    let propose_instead = |findings: Findings| {
        if best.is_empty() {
            findings.with_fix("choose a checkpoint of an architecture that the catalog has")
        } else {
            findings.with_fix(format!("name one of {}", best.join(", ")))
        }
    };
    let Some(name) = case.options.base_model.as_deref() else {
        if best.is_empty() {
            // A base whose structure is not known never disqualifies.
            let unknown = catalog.models.iter().find(|base| base.model_type.is_none());
            if let Some(base) = unknown {
                return Err(Gap::Unknown(format!(
                    "no base model is known to have the architecture `{model_type}`, and that of `{}` is not known",
                    base.name
                )));
            }
            let finding = Finding::in_config(
                config.root().get("model_type").as_ref(),
                format!(
                    "no base model of the catalog of {} has the architecture `{model_type}`",
                    catalog.as_of
                ),
            );
            return Ok(propose_instead(Findings::problem(finding)));
        }
        let mut findings = Findings::none().with_note(Finding::new(format!(
            "no base model was named; {} would be the best",
            best.join(", ")
        )));
        if let Some(text) = all_too_long(&shape, &proposals, case) {
            findings = findings.with_note(Finding::new(text));
        }
        return Ok(findings);
    };
    let Some(base) = catalog.get(name) else {
        let elsewhere = case.policy.base_model_known_elsewhere(name);
        let hint = elsewhere.map_or_else(
            || {
                catalog
                    .suggest(name)
                    .map_or(String::new(), |meant| format!("; did you mean `{meant}`?"))
            },
            |other| format!("; policy `{}` has it", other.id),
        );
        let finding = Finding::new(format!(
            "the catalog of {} has no base model `{name}`{hint}",
            catalog.as_of
        ));
        return Ok(propose_instead(Findings::problem(finding)));
    };
    let judgement = judge(base, catalog, &shape, &options);
    let mut findings = Findings::none();
    for reason in &judgement.reasons {
        let finding = Finding::new(format!("`{name}`: {}", reason.text));
        match reason.weight {
            Weight::Disqualifies => findings.push(finding),
            Weight::Warns => findings = findings.with_note(finding),
            // What only informs stands in the report's list of base models.
            Weight::Informs => {}
        }
    }
    Ok(if judgement.compatible {
        findings
    } else {
        propose_instead(findings)
    })
}

/// What is to be said where every base model of the architecture trains with longer sequences than the
/// checkpoint takes: what to pass, and which policy has a shorter one.
fn all_too_long(
    shape: &ModelShape,
    proposals: &[BaseModelMatch],
    case: &Case<'_>,
) -> Option<String> {
    let ours = shape.context_length?;
    if proposals.iter().any(|base| base.max_seq_length.is_none()) {
        return None;
    }
    let shortest = proposals.iter().min_by_key(|base| base.context)?;
    let options = ranking_options(case);
    let others = Policy::shipped()
        .iter()
        .filter(|other| other.id != case.policy.id);
    let elsewhere = others.rev().find_map(|other| {
        let catalog = other.target(case.target).base_models().ok().flatten()?;
        let best = propose(shape, catalog, &options).into_iter().next()?;
        let tokens = best.context.filter(|_| best.max_seq_length.is_none())?;
        Some(format!(
            "; policy `{}` has `{}` with {tokens}",
            other.id, best.name
        ))
    });
    Some(format!(
        "no base model of the architecture trains with sequences as short as the checkpoint's {ours} tokens (the shortest is `{}` with {}): pass a `max_seq_length` of at most {ours}{}",
        shortest.name,
        shortest.context?,
        elsewhere.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    #[test]
    fn a_slip_in_the_name_is_recognised() {
        let got = run("base-model: togethercomputer/llama-2-7b-caht\n");
        assert!(
            got.contains("; did you mean `togethercomputer/llama-2-7b-chat`?"),
            "{got}"
        );
    }

    #[test]
    fn no_name_is_no_defect_where_the_catalog_has_one() {
        let got = run("");
        assert!(
            got.starts_with("fine-tune: pass\n  note: no base model was named"),
            "{got}"
        );
    }

    #[test]
    fn what_the_platform_counts_as_the_same() {
        let got = run(
            "base-model: togethercomputer/llama-2-7b-chat\n//- config.json +\n{\"model_type\": \"code_llama\"}",
        );
        assert!(got.starts_with("fine-tune: pass\n"), "{got}");
    }

    #[test]
    fn a_longer_sequence_is_a_note() {
        let got = run(
            "base-model: meta-llama/Llama-3.2-1B-Instruct\n//- config.json +\n{\"max_position_embeddings\": 8192}",
        );
        assert!(
            got.starts_with("fine-tune: pass\n")
                && got.contains("pass a `max_seq_length` of at most 8192"),
            "{got}"
        );
    }

    #[test]
    fn an_old_catalog_says_so() {
        let on = |now: &str| run(&format!("now: {now}\n"));
        let note = "note: the catalog is of 2025-11, more than 90 days ago";
        // The end of November 2025 and 90 days, and the day after.
        assert!(!on("1772323199").contains(note), "{}", on("1772323199"));
        assert!(on("1772323200").contains(note));
        assert!(!run("").contains("days ago"));
    }

    #[test]
    fn the_publishers_name_is_translated() {
        let got = run("base-model: meta-llama/Llama-3.1-8B-Instruct\n");
        assert!(
            got.contains("did you mean `meta-llama/Meta-Llama-3.1-8B-Instruct-Reference`?"),
            "{got}"
        );
    }

    /// The documentation's example under the catalog that no longer has its base.
    #[test]
    fn a_catalog_without_a_base_of_the_length_says_so() {
        let got = run("policy: together-2026-07\n");
        assert!(
            got.contains("as short as the checkpoint's 8192 tokens (the shortest is `meta-llama/Llama-3.3-70B-Instruct-Reference` with 24576): pass a `max_seq_length` of at most 8192; policy `together-2025-11` has `togethercomputer/llama-2-7b-chat` with 4096"),
            "{got}"
        );
        assert!(!run("").contains("as short as"));
    }

    /// Gemma 4 has dense models and models with experts under one type and class.
    #[test]
    fn layers_of_another_kind_break_the_job() {
        let gemma = |base: &str, more: &str| {
            run(&format!(
                "policy: together-2026-07\nbase-model: google/gemma-4-{base}\n//- config.json +\n\
                 {{\"model_type\": \"gemma4\", \"architectures\": [\"Gemma4ForConditionalGeneration\"], \"text_config\": {{\"model_type\": \"gemma4_text\", {more}}}}}"
            ))
        };
        let dense = "\"enable_moe_block\": false";
        let experts = "\"num_experts\": 128, \"enable_moe_block\": true";
        assert!(gemma("31B-it", dense).contains("fine-tune: pass"));
        assert!(gemma("26B-A4B-it", experts).contains("fine-tune: pass"));
        let got = gemma("26B-A4B-it", dense);
        assert!(
            got.contains("its layers have experts, the checkpoint's are dense")
                && got.contains("fix: name one of `google/gemma-4-31B-it`"),
            "{got}"
        );
        assert!(gemma("31B-it", experts).contains("its layers are dense"));
    }

    #[test]
    fn bases_that_only_the_api_lists_are_not_known() {
        let got = run("policy: together-2026-07\n");
        assert!(
            got.contains("upload: unknown\n") && !run("").contains("upload"),
            "{got}"
        );
    }

    #[test]
    fn without_a_model_type_another_rule_speaks() {
        assert!(run("//- config.json +\n{\"model_type\": null}").starts_with("fine-tune: skip\n"));
        assert!(run("//- config.json removed").starts_with("fine-tune: skip\n"));
        assert!(run("unreachable: no route\n").starts_with("fine-tune: unknown\n"));
    }
}
