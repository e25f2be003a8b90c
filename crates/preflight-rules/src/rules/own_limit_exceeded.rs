use preflight_model::checkpoint::{Checkpoint, Kind};
use preflight_model::context::{context_length, context_length_key};
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::wanted::ADAPTER_WEIGHTS;
use preflight_model::weights::Weights;

use super::{config_of, grouped, not_opened};
use crate::adapters;
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "own-limit-exceeded",
    summary: "the model is beyond a limit of your own configuration",
    fix: "take a model within the limit, or change it under `[limits]` in your configuration",
    docs: include_str!("own_limit_exceeded.md"),
    category: Category::Limits,
    since: "0.1.0",
    check,
};

/// Whether one limit is kept: what exceeds it, or nothing.
type Judged = Result<Option<Finding>, Gap>;

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let limits = &case.options.settings.limits;
    let judged = [
        limits
            .weights_bytes_max
            .map(|max| ("weights-bytes-max", weights_bytes(facts, max))),
        limits
            .context_length_min
            .map(|min| ("context-length-min", context(facts, min))),
        limits
            .adapter_rank_max
            .map(|max| ("adapter-rank-max", adapter_rank(facts, max))),
    ];
    let mut findings = Findings::none();
    let mut gaps = Vec::new();
    let mut is_any_kept = false;
    for (key, judged) in judged.into_iter().flatten() {
        match judged {
            Ok(Some(finding)) => findings.push(finding),
            Ok(None) => is_any_kept = true,
            Err(gap) => gaps.push(gap.map(|why| format!("`{key}`: {why}"))),
        }
    }
    let is_cut_elsewhere = !facts.checkpoint.sentence_transformers.is_absent();
    if limits.context_length_min.is_some() && is_cut_elsewhere {
        findings = findings.with_note(Finding::new(
            "sentence-transformers may cut its input shorter than the context (`max_seq_length`), which was not looked at",
        ));
    }
    // One that is exceeded decides, whatever is not known of the others.
    if !findings.problems.is_empty() {
        return Ok(findings);
    }
    // What is not known comes before what another rule reports as broken, and that before what does not apply.
    let weight = |gap: &Gap| match gap {
        Gap::DoesNotApply(_) => 0,
        Gap::Malformed(_) => 1,
        Gap::Unavailable(_) | Gap::Unknown(_) => 2,
    };
    // The first of equals.
    match gaps.into_iter().rev().max_by_key(weight) {
        Some(Gap::DoesNotApply(_)) if is_any_kept => Ok(findings),
        Some(gap) => Err(gap),
        None => Ok(findings),
    }
}

/// The files of the repository itself: those that are stored and moved.
fn weights_bytes(facts: &Facts<'_>, max: u64) -> Judged {
    let over = |bytes: &str, path: Option<&str>| {
        let message = format!(
            "the weights have {bytes} bytes, your own limit is {}",
            grouped(max)
        );
        path.map_or_else(
            || Finding::new(message.clone()),
            |path| Finding::in_file(path, message.clone()),
        )
    };
    if facts.kind == Kind::Adapter {
        let weights = facts.checkpoint.adapter_weights.as_ref();
        let weights = weights.filter(|weights| !weights.header.is_absent());
        let weights = weights.ok_or_else(|| {
            Gap::Malformed("the adapter has no weights: see adapter-incomplete".into())
        })?;
        let bytes = weights
            .size
            .ok_or_else(|| Gap::Unknown(format!("the size of `{}` is not known", weights.path)))?;
        return Ok((bytes > max).then(|| over(&grouped(bytes), Some(ADAPTER_WEIGHTS))));
    }
    let weights = facts.checkpoint.weights.get()?;
    let path = weights.files.first().filter(|_| weights.files.len() == 1);
    let path = path.map(String::as_str);
    if let Some(why) = not_opened(weights) {
        return Err(Gap::Malformed(why.into()));
    }
    if let Some(bytes) = weights.bytes.filter(|_| !weights.files.is_empty()) {
        return Ok((bytes > max).then(|| over(&grouped(bytes), path)));
    }
    // Decidable stays decidable: the files whose size is known may be enough.
    let known = known_bytes(facts.checkpoint, weights);
    if known > max {
        return Ok(Some(over(&format!("at least {}", grouped(known)), path)));
    }
    if !weights.missing.is_empty() {
        let why = "a weight file is missing: see shard-missing";
        return Err(Gap::Malformed(why.into()));
    }
    Err(match &weights.index {
        Fact::Unavailable(why) => Gap::Unavailable(why.clone()),
        _ => Gap::Unknown("the size of a weight file is not known".into()),
    })
}

fn known_bytes(checkpoint: &Checkpoint<'_>, weights: &Weights<'_>) -> u64 {
    let sizes = weights
        .files
        .iter()
        .filter_map(|path| checkpoint.snapshot.file(path)?.size);
    sizes.fold(0, u64::saturating_add)
}

/// The model that is run: of an adapter its base.
fn context(facts: &Facts<'_>, min: u64) -> Judged {
    let is_adapter = facts.kind == Kind::Adapter;
    let model = match adapters::base(facts) {
        Fact::Known(base) if is_adapter => base,
        _ if is_adapter => {
            return Err(Gap::Unavailable("the base model was not read".into()));
        }
        _ => facts,
    };
    let text = config_of(model.checkpoint)?.text();
    let Some(tokens) = context_length(&text) else {
        return Err(Gap::Unknown(
            "config.json and its class say no context length".into(),
        ));
    };
    let whose = if is_adapter {
        "the base model"
    } else {
        "the model"
    };
    let message = format!(
        "{whose} has a context of {} tokens, your own limit is at least {}",
        grouped(tokens),
        grouped(min)
    );
    Ok((tokens < min).then(|| {
        if is_adapter {
            Finding::new(message)
        } else {
            Finding::in_config(context_length_key(&text).as_ref(), message)
        }
    }))
}

/// From the tensors, as the rank in `adapter_config.json` is only the usual one.
fn adapter_rank(facts: &Facts<'_>, max: u64) -> Judged {
    let checkpoint = adapters::of_an_adapter(facts)?;
    if !adapters::config(checkpoint)?.is_lora() {
        return Err(Gap::DoesNotApply("this is no LoRA adapter".into()));
    }
    let rank = adapters::agreement(checkpoint, None)?.rank.ok_or_else(|| {
        Gap::Malformed("its rank is not known: see adapter-weights-mismatch".into())
    })?;
    let message = format!("the highest rank is {rank}, your own limit is {max}");
    Ok((rank > max).then(|| Finding::in_file(ADAPTER_WEIGHTS, message)))
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(settings: &str, repo: &str) -> String {
        let limits: Vec<&str> = settings.lines().collect();
        let limits = limits.join("\nlimits: ");
        Repo::new(&format!("limits: {limits}\n{repo}")).run(super::RULE.id)
    }

    #[test]
    fn a_limit_itself_is_within_it() {
        // The sound model's only file; `facts.weights.bytes` of the report.
        let report = Repo::new("").report();
        let bytes = report.facts.weights_bytes.unwrap();
        let cases = [
            (format!("weights-bytes-max = {}", bytes - 1), "", "fail"),
            (format!("weights-bytes-max = {bytes}"), "", "pass"),
            ("context-length-min = 8192".into(), "", "pass"),
            ("context-length-min = 8193".into(), "", "fail"),
            (
                "adapter-rank-max = 3".into(),
                "adapter: acme/base\n",
                "fail",
            ),
            (
                "adapter-rank-max = 4".into(),
                "adapter: acme/base\n",
                "pass",
            ),
            // Of an adapter, what its base is counts, and its own file.
            (
                "context-length-min = 8193".into(),
                "adapter: acme/base\n",
                "fail",
            ),
            (
                format!("weights-bytes-max = {}", bytes - 1),
                "adapter: acme/base\n",
                "pass",
            ),
            (
                "weights-bytes-max = 9".into(),
                "adapter: acme/base\n",
                "fail",
            ),
        ];
        for (limit, repo, outcome) in cases {
            let got = run(&limit, repo);
            let start = format!("upload, fine-tune: {outcome}\n");
            assert!(got.starts_with(&start), "{limit}: {got}");
        }
    }

    #[test]
    fn what_is_not_known_is_never_a_pass() {
        for (limit, repo, says) in [
            (
                "weights-bytes-max = 9999999",
                "//- model.safetensors unavailable timed out\n",
                "unknown",
            ),
            (
                "context-length-min = 10",
                "//- config.json unavailable timed out\n",
                "unknown",
            ),
            (
                "context-length-min = 10",
                "//- config.json +\n{\"model_type\": \"mamba\"}\n",
                "`context-length-min`: config.json and its class say no context length",
            ),
            (
                "context-length-min = 10",
                "adapter: acme/base\nbase-unread: no route\n",
                "the base model was not read",
            ),
            (
                "adapter-rank-max = 9",
                "adapter: acme/base\n//- adapter_model.safetensors unreadable timed out\n",
                "unknown",
            ),
            (
                "weights-bytes-max = 9",
                "unreachable: no route\n",
                "unknown",
            ),
            // The others are kept, and yet this one is not known.
            (
                "weights-bytes-max = 9999999\ncontext-length-min = 10",
                "//- config.json unavailable timed out\n",
                "unknown",
            ),
        ] {
            let got = run(limit, repo);
            assert!(got.contains(says), "{limit} {repo}: {got}");
            assert!(
                !got.contains("pass") && !got.contains("skip"),
                "{limit} {repo}: {got}"
            );
        }
    }

    #[test]
    fn what_is_known_of_some_files_may_be_enough() {
        let shards = "//- model.safetensors removed\n//- model.safetensors.index.json\n\
             {\"metadata\": {}, \"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}}\n\
             //- 1.safetensors pointer 1000\n//- 2.safetensors unavailable timed out\n";
        let got = run("weights-bytes-max = 999", shards);
        assert!(
            got.contains("the weights have at least 1,000 bytes, your own limit is 999"),
            "{got}"
        );
        let got = run("weights-bytes-max = 1000", shards);
        assert!(got.starts_with("upload, fine-tune: unknown"), "{got}");
        let both = run(
            "weights-bytes-max = 999\ncontext-length-min = 10",
            &format!("{shards}//- config.json unavailable x\n"),
        );
        assert!(both.starts_with("upload, fine-tune: fail"), "{both}");
    }

    #[test]
    fn a_missing_file_makes_the_others_no_smaller() {
        let shards = "//- model.safetensors removed\n//- model.safetensors.index.json\n\
             {\"metadata\": {}, \"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}}\n\
             //- 1.safetensors pointer 1000\n";
        assert!(run("weights-bytes-max = 999", shards).contains("at least 1,000 bytes"));
        assert!(run("weights-bytes-max = 1000", shards).contains(": skip\n"));
    }

    #[test]
    fn what_sentence_transformers_cuts_is_no_silent_pass() {
        let repo = "//- modules.json\n[{\"type\": \"sentence_transformers.models.Transformer\", \"path\": \"\"}]\n//- config_sentence_transformers.json\n{}\n";
        let got = run("context-length-min = 8192", repo);
        assert!(
            got.contains(": pass\n  note: sentence-transformers may cut"),
            "{got}"
        );
        assert!(!run("weights-bytes-max = 1", repo).contains("note:"));
    }

    #[test]
    fn what_is_broken_is_told_elsewhere() {
        for repo in [
            "//- model.safetensors removed\n",
            "//- model.safetensors removed\n//- model.safetensors.index.json\n[]\n",
            "//- model.safetensors removed\n//- model.safetensors.index.json\n{\"metadata\": {}, \"weight_map\": {\"a\": \"1.safetensors\"}}\n",
        ] {
            let report = Repo::new(&format!("limits: weights-bytes-max = 9\n{repo}")).report();
            let got = run("weights-bytes-max = 9", repo);
            assert!(got.starts_with("upload, fine-tune: skip"), "{repo}: {got}");
            assert!(!report.is_check_passed, "{repo}: {}", report.message);
        }
        let got = run("context-length-min = 9", "//- config.json\n[]\n");
        assert!(got.starts_with("upload, fine-tune: skip"), "{got}");
    }

    #[test]
    fn a_limit_for_adapters_says_nothing_of_models() {
        assert!(run("adapter-rank-max = 9", "").starts_with("upload, fine-tune: skip"));
        let got = run("adapter-rank-max = 9\ncontext-length-min = 9", "");
        assert!(got.starts_with("upload, fine-tune: pass"), "{got}");
    }

    #[test]
    fn without_a_limit_there_is_no_such_row() {
        assert_eq!(Repo::new("").run(super::RULE.id), "");
        assert_eq!(run("parameters-max = 9", ""), "");
    }
}
