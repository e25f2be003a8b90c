use preflight_model::fact::Gap;
use preflight_model::facts::Facts;

use super::config_of;
use crate::base_models::{ModelShape, Options, Weight, judge, propose, rank};
use crate::case::Case;
use crate::catalog::{Catalog, TrainingType};
use crate::date::{self, STALE_DAYS};
use crate::policy::Policy;
use crate::report::{BaseModelMatch, BaseModelVerdict, Finding};
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
    let Some(catalog) = catalog else {
        return Ok(findings);
    };
    let as_of = &catalog.as_of;
    let odd = if date::is_stale(as_of, case.now) == Some(true) {
        format!(
            "more than {STALE_DAYS} days ago: `byom-preflight refresh` asks the platform for the present one"
        )
    } else if date::is_future(as_of, case.now) == Some(true) {
        "which is still to come: that date or this machine's clock is wrong".into()
    } else {
        return Ok(findings);
    };
    Ok(findings.with_note(Finding::new(format!("the catalog is of {as_of}, {odd}"))))
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
    let otherwise = trained_otherwise(&shape, catalog, &options);
    let propose_instead = |findings: Findings| {
        if !best.is_empty() {
            return findings.with_fix(format!("name one of {}", best.join(", ")));
        }
        findings.with_fix(match &otherwise {
            Some(other) => other.fix(case.options.base_model.as_deref()),
            None => "choose a checkpoint of an architecture that the catalog has".into(),
        })
    };
    let Some(name) = case.options.base_model.as_deref() else {
        if best.is_empty() {
            // A base whose structure is not known never disqualifies.
            let mut ranked = rank(&shape, catalog, &options).into_iter();
            let unknown = ranked.find(|base| base.verdict == BaseModelVerdict::NotCompared);
            if let Some(base) = unknown {
                let known = match &otherwise {
                    Some(other) => other.reason(model_type, &catalog.as_of),
                    None => {
                        format!("no base model is known to have the architecture `{model_type}`")
                    }
                };
                return Err(Gap::Unknown(format!(
                    "{known}, and the architecture of `{}` is not known",
                    base.name
                )));
            }
            let text = match &otherwise {
                Some(other) => other.reason(model_type, &catalog.as_of),
                None => format!(
                    "no base model of the catalog of {} has the architecture `{model_type}`",
                    catalog.as_of
                ),
            };
            let finding = Finding::in_config(config.root().get("model_type").as_ref(), text);
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

/// Base models that would do if the model were trained in another way than was asked for.
struct Otherwise {
    asked: TrainingType,
    other: TrainingType,
    /// Best first.
    names: Vec<String>,
}

/// The base models of the architecture where none of them is trained as was asked for; none where there is
/// none at all.
fn trained_otherwise(
    shape: &ModelShape,
    catalog: &Catalog,
    options: &Options,
) -> Option<Otherwise> {
    let asked = options.training_type?;
    let other = match asked {
        TrainingType::Full => TrainingType::Lora,
        TrainingType::Lora => TrainingType::Full,
    };
    let instead = Options {
        training_type: Some(other),
        ..*options
    };
    let names: Vec<_> = propose(shape, catalog, &instead)
        .into_iter()
        .map(|base| base.name)
        .collect();
    (!names.is_empty()).then_some(Otherwise {
        asked,
        other,
        names,
    })
}

impl Otherwise {
    fn reason(&self, model_type: &str, as_of: &str) -> String {
        let ways = |kind| match kind {
            TrainingType::Lora => "with LoRA",
            TrainingType::Full => "in full",
        };
        let which = match self.names.as_slice() {
            [only] => format!("`{only}`, the only base model"),
            [_, _] => "both base models".into(),
            all => format!("all {} base models", all.len()),
        };
        format!(
            "{which} of the architecture `{model_type}` in the catalog of {as_of} {} trained {} only, and training {} was asked for",
            if self.names.len() == 1 { "is" } else { "are" },
            ways(self.other),
            ways(self.asked)
        )
    }

    /// `named` is what the user named as base model.
    fn fix(&self, named: Option<&str>) -> String {
        let way = format!("pass `--training-type {}`", self.other.as_str());
        match named {
            Some(name) if !self.names.iter().any(|known| known == name) => {
                let best = self.names.iter().take(PROPOSALS);
                let best: Vec<_> = best.map(|name| format!("`{name}`")).collect();
                format!("name one of {} and {way}", best.join(", "))
            }
            _ => way,
        }
    }
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
    fn a_catalog_of_the_future_says_so() {
        let on = |now: &str| run(&format!("now: {now}\n"));
        let note = "note: the catalog is of 2025-11, which is still to come: that date or this machine's clock is wrong";
        // The last second of October 2025, and the next.
        assert!(on("1761955199").contains(note), "{}", on("1761955199"));
        assert!(!on("1761955200").contains("still to come"));
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

    /// The reason is how they are trained, and not that there are none.
    #[test]
    fn bases_that_are_trained_with_lora_only() {
        let deepseek = |first: &str| {
            run(&format!(
                "training-type: full\n{first}//- config.json +\n{{\"model_type\": \"deepseek_v3\", \"architectures\": [\"DeepseekV3ForCausalLM\"], \"n_routed_experts\": 256}}"
            ))
        };
        let got = deepseek("");
        assert!(
            got.starts_with("fine-tune: fail\n")
                && got.contains("all 7 base models of the architecture `deepseek_v3` in the catalog of 2025-11 are trained with LoRA only, and training in full was asked for")
                && got.ends_with("fix: pass `--training-type lora`\n"),
            "{got}"
        );
        let got = deepseek("base-model: deepseek-ai/DeepSeek-V3\n");
        assert!(
            got.contains("trained with LoRA only, and full fine-tuning was asked for")
                && got.ends_with("fix: pass `--training-type lora`\n"),
            "{got}"
        );
        let got = deepseek("base-model: Qwen/Qwen3-0.6B\n");
        assert!(
            got.contains("fix: name one of `deepseek-ai/DeepSeek-")
                && got.ends_with(" and pass `--training-type lora`\n"),
            "{got}"
        );
        // A base that is not known is trained with LoRA only, too: it cannot be the one.
        let got = deepseek("policy: together-2026-07\n");
        assert!(
            got.contains("`deepseek-ai/DeepSeek-V3.1`, the only base model of the architecture `deepseek_v3` in the catalog of 2026-07"),
            "{got}"
        );
        let got = run("training-type: full\n//- config.json +\n{\"model_type\": \"mpt\"}");
        assert!(
            got.contains("fix: choose a checkpoint of an architecture that the catalog has"),
            "{got}"
        );
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
