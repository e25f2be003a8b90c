use preflight_model::fact::Gap;
use preflight_model::facts::Facts;
use preflight_model::wanted::ADAPTER_WEIGHTS;

use crate::adapter_bases::unquantized;
use crate::adapters::{agreement, config, current_name, of_an_adapter, served};
use crate::case::Case;
use crate::catalog::Catalog;
use crate::report::{Finding, Target};
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "adapter-rank-over-limit",
    summary: "the adapter's rank is higher than any the platform is known to take",
    fix: "train with a lower `r`, or merge the adapter into its base and submit the whole model",
    docs: include_str!("adapter_rank_over_limit.md"),
    category: Category::Adapter,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = of_an_adapter(facts)?;
    if case.target == Target::FineTune {
        return Err(Gap::DoesNotApply(
            "the adapter is merged with its base, so its rank plays no part".into(),
        ));
    }
    if !config(checkpoint)?.is_lora() {
        return Err(Gap::DoesNotApply("this is no LoRA adapter".into()));
    }
    let Some(rank) = agreement(checkpoint, None)?.rank else {
        return Err(Gap::Malformed(
            "its rank is not known: see adapter-weights-mismatch".into(),
        ));
    };
    let (limit, whose) = match case.policy.platform.adapter_rank_max.known() {
        Some(limit) => (*limit, "the platform serves".to_owned()),
        None => trained(facts, case),
    };
    if rank <= limit {
        return Ok(Findings::none());
    }
    Ok(Findings::problem(Finding::in_file(
        ADAPTER_WEIGHTS,
        format!("the highest rank is {rank}; {whose} adapters up to rank {limit}"),
    )))
}

/// The highest rank that the platform trains: no limit of serving is published, and what it trains it serves.
fn trained(facts: &Facts<'_>, case: &Case<'_>) -> (u64, String) {
    let given = facts
        .checkpoint
        .adapter
        .known()
        .and_then(|adapter| adapter.base_model.as_deref());
    let names: Vec<&str> = [given, current_name(facts)]
        .into_iter()
        .flatten()
        .map(unquantized)
        .collect();
    let platform = served(facts, case).map(|base| base.name.as_str());
    let own = case.base_models(Target::FineTune).ok().flatten();
    let rows = own
        .into_iter()
        .chain(Catalog::shipped().iter().rev())
        .flat_map(|catalog| &catalog.models);
    let mut limits = rows.filter_map(|row| Some((row, row.lora_max_rank?)));
    let of_base = limits.find(|(row, _)| {
        platform == Some(row.name.as_str()) || names.iter().any(|name| row.is_called(name))
    });
    if let Some((row, limit)) = of_base {
        let name = &row.name;
        return (
            limit,
            format!("no limit of serving is published, and on `{name}` the platform trains"),
        );
    }
    let all = Catalog::shipped()
        .iter()
        .flat_map(|catalog| &catalog.models);
    let highest = all.filter_map(|row| row.lora_max_rank).max();
    (
        highest.unwrap_or(u64::MAX),
        "no limit of serving is published, and on any base model the platform trains".into(),
    )
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(base: &str, rank: u64) -> String {
        let text = format!(
            "adapter: {base}\n//- adapter_config.json +\n{{\"r\": {rank}}}\n//- adapter_model.safetensors\n\
             base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight F32 [{rank}, 16]\n\
             base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight F32 [16, {rank}]"
        );
        Repo::new(&text).run(super::RULE.id)
    }

    #[test]
    fn the_limit_is_that_of_the_base() {
        for (base, rank, says) in [
            ("meta-llama/Llama-3.1-8B-Instruct", 64, "upload: pass"),
            (
                "unsloth/Meta-Llama-3.1-8B-Instruct-bnb-4bit",
                65,
                "on `meta-llama/Meta-Llama-3.1-8B-Instruct-Reference` the platform trains adapters up to rank 64",
            ),
            ("deepseek-ai/DeepSeek-V3.1", 16, "upload: pass"),
            ("deepseek-ai/DeepSeek-V3.1", 17, "up to rank 16"),
            ("acme/tiny-llama", 64, "upload: pass"),
            (
                "acme/tiny-llama",
                128,
                "on any base model the platform trains adapters up to rank 64",
            ),
        ] {
            let got = run(base, rank);
            assert!(
                got.contains(says) && got.contains("fine-tune: skip"),
                "{base} {rank}\n{got}"
            );
        }
    }
}
