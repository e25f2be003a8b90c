//! Reports to render: a sound model, and one whose repository is as awkward as it can be.

use std::collections::BTreeMap;

use preflight_rules::catalog::TrainingType;
use preflight_rules::report::{
    AdapterSummary, BaseModelMatch, BaseModelScore, BaseModelVerdict, CatalogUsed, Cost,
    FactsSummary, Finding, Fit, FitOption, FitVerdict, HardwareUsed, Level, ModelReport,
    OtherPolicy, Outcome, ParametersSummary, Report, RuleRow, Target, TrainingFit, Verdict,
};

const BOTH: [Target; 2] = Target::ALL;

/// The platform documentation's own example.
pub(crate) fn good() -> Report {
    report("accepted for upload and fine-tune", vec![good_model()])
}

/// Everything goes wrong, with strings that attack whoever prints them.
pub(crate) fn hostile() -> Report {
    report("not accepted: 3 rules fail", vec![hostile_model()])
}

/// An adapter of which little is known.
pub(crate) fn adapter() -> Report {
    report(
        "not decided: weights could not be read",
        vec![adapter_model()],
    )
}

/// All of them in one run.
pub(crate) fn several() -> Report {
    let models = vec![good_model(), adapter_model(), hostile_model()];
    report("1 of 3 models accepted", models)
}

/// Reports in which every word that a repository may choose is `text`.
pub(crate) fn filled(text: &str) -> Report {
    let mut report = several();
    report.message = text.into();
    for model in &mut report.models {
        fill(model, text);
    }
    report
}

fn fill(model: &mut ModelReport, text: &str) {
    let some = || Some(text.to_owned());
    model.input = text.into();
    (model.id, model.revision, model.commit) = (some(), some(), some());
    (model.observed_at, model.message) = (some(), text.into());
    let facts = &mut model.facts;
    (facts.model_type, facts.dtype, facts.saved_with) = (some(), some(), some());
    (facts.architectures, facts.remote_code_because) = (vec![text.into()], vec![text.into()]);
    (facts.remote_code_required, facts.introduced_in) = (Some(true), some());
    facts.quantization = Some((text.into(), None));
    facts.task = text.into();
    facts.adapter = Some(AdapterSummary {
        kind: some(),
        rank: None,
        alpha: None,
        target_modules: vec![text.into()],
        base_model: some(),
    });
    (model.fit.load_dtype, model.fit.cache_of) = (text.into(), some());
    for option in &mut model.fit.options {
        option.hardware = text.into();
        option.because = some();
    }
    model.fit.endpoint_commands = vec![text.into()];
    model.fit.smallest = some();
    for base in &mut model.base_models {
        (base.name, base.reasons) = (text.into(), vec![text.into()]);
    }
    for row in &mut model.rules {
        row.help = text.into();
        row.ignored = row.ignored.take().map(|_| text.into());
        for finding in row.findings.iter_mut().chain(&mut row.notes) {
            (finding.path, finding.pointer, finding.message) = (some(), some(), text.into());
        }
    }
    for (_, command) in &mut model.next {
        *command = text.into();
    }
}

fn report(message: &str, models: Vec<ModelReport>) -> Report {
    Report {
        tool_version: "0.1.0",
        policy: ("together-2025-11".into(), "2025-11-20".into()),
        catalog: CatalogUsed {
            as_of: "2025-11-20".into(),
            origin: "built-in".into(),
            is_stale: Some(false),
            is_future: Some(false),
            hardware: Some(HardwareUsed {
                as_of: "2025-11-08".into(),
                origin: "built-in".into(),
                is_stale: Some(false),
            }),
        },
        is_check_passed: models.iter().all(|model| model.is_check_passed),
        message: message.into(),
        models,
    }
}

fn good_model() -> ModelReport {
    let passed = [
        "architecture-not-causal-lm",
        "base-model-incompatible",
        "chat-template-missing",
        "config-invalid",
        "index-mismatch",
        "node-too-small",
        "parameters-over-limit",
        "quantization-unsupported",
        "remote-code-required",
        "repository-inaccessible",
        "shard-corrupt",
        "shard-missing",
        "tokenizer-missing",
        "transformers-5-config",
        "transformers-too-new",
        "weights-config-mismatch",
        "weights-not-safetensors",
    ];
    let mut rules: Vec<RuleRow> = passed
        .into_iter()
        .map(|id| row(id, Level::Error, &BOTH, Outcome::Pass))
        .collect();
    rules.push(row(
        "task-unsupported",
        Level::Error,
        &[Target::Upload],
        Outcome::Pass,
    ));
    rules.push(RuleRow {
        findings: vec![message("no archive")],
        ..row(
            "archive-nested",
            Level::Error,
            &[Target::Upload],
            Outcome::Skip,
        )
    });
    let name = "HuggingFaceTB/SmolLM2-1.7B-Instruct";
    ModelReport {
        input: "fixtures/smollm2-1.7b-instruct".into(),
        source: "recording",
        id: Some(name.into()),
        revision: Some("main".into()),
        commit: Some("31b70e2e869a7173562077fd711b654946d38674".into()),
        observed_at: Some("2026-09-01T00:00:00Z".into()),
        kind: "model",
        is_check_passed: true,
        message: "accepted for upload and fine-tune".into(),
        verdicts: vec![
            (Target::Upload, Verdict::Pass),
            (Target::FineTune, Verdict::Pass),
        ],
        other_policies: vec![OtherPolicy {
            id: "together-2026-07".into(),
            verdicts: vec![
                (Target::Upload, Verdict::Pass),
                (Target::FineTune, Verdict::Fail),
            ],
            because: vec!["base-model-incompatible"],
        }],
        facts: FactsSummary {
            model_type: Some("llama".into()),
            architectures: vec!["LlamaForCausalLM".into()],
            task: "causal-lm".into(),
            modalities: vec!["text"],
            parameters: ParametersSummary {
                total: Some(1_711_376_384),
                at_least: Some(1_711_376_384),
                at_most: Some(1_711_376_384),
                active: None,
                stored_elements: Some(1_711_376_384),
                by_dtype: BTreeMap::from([("BF16".into(), 1_711_376_384)]),
                exact: true,
            },
            weights_format: Some("safetensors"),
            weights_files: Some(1),
            weights_bytes: Some(3_422_777_952),
            weights_tensors: Some(218),
            saved_with: Some("4.42.3".into()),
            introduced_in: Some("4.28.0".into()),
            remote_code_required: Some(false),
            dtype: Some("bfloat16".into()),
            context_length: Some(8192),
            kv_cache_bytes_per_token: Some(196_608),
            ..FactsSummary::default()
        },
        fit: Fit {
            context: 4096,
            context_asked: 4096,
            sequences: 1,
            kv_dtype: "BF16".into(),
            gpu_memory_utilization: 0.9,
            load_dtype: "as stored".into(),
            cache_of: None,
            smallest: Some("1x_nvidia_a100_80gb_sxm".into()),
            endpoint_commands: vec![
                "together endpoints create --model MODEL_NAME --hardware 1x_nvidia_a100_80gb_sxm"
                    .into(),
            ],
            options: options([FitVerdict::Fits; 6]),
            training: Some(TrainingFit {
                context: 4096,
                lora_rank: 64,
                lora_bytes: 6_280_000_000,
                lora_smallest: Some("1x_nvidia_a100_80gb_sxm".into()),
                full_bytes: 29_800_000_000,
                full_smallest: None,
            }),
        },
        base_models: base_models(),
        rules,
        next: vec![
            (
                Target::Upload,
                format!(
                    "together models upload --model-name smollm2-1.7b-instruct --model-source {name}"
                ),
            ),
            (
                Target::FineTune,
                format!(
                    "together fine-tuning create --training-file FILE_ID --model togethercomputer/llama-2-7b-chat \
                     --from-hf-model {name} --hf-model-revision 31b70e2e869a7173562077fd711b654946d38674"
                ),
            ),
        ],
        cost: Cost {
            requests: 6,
            bytes: 34_567,
            seconds: 0.0125,
        },
    }
}

fn base_models() -> Vec<BaseModelMatch> {
    let base = |name: &str, compatible, reasons: &[&str]| BaseModelMatch {
        name: name.into(),
        compatible,
        verdict: if compatible {
            BaseModelVerdict::Suits
        } else {
            BaseModelVerdict::Incompatible
        },
        score: BaseModelScore {
            architecture: if compatible { 1.0 } else { 0.0 },
            length: Some(1.0),
            size: Some(0.25),
            structure: None,
        },
        model_type: compatible.then(|| "llama".into()),
        parameters: Some(7_000_000_000),
        size_ratio: Some(4.0),
        context: Some(4096),
        max_seq_length: None,
        training_types: vec![TrainingType::Lora, TrainingType::Full],
        lora_max_rank: None,
        reasons: reasons.iter().map(ToString::to_string).collect(),
    };
    vec![
        base(
            "togethercomputer/llama-2-7b-chat",
            true,
            &[
                "same architecture `LlamaForCausalLM`",
                "4096 tokens, pass `--max-seq-length 4096`",
            ],
        ),
        base(
            "meta-llama/Llama-3.2-1B-Instruct",
            true,
            &["same architecture `LlamaForCausalLM`"],
        ),
        BaseModelMatch {
            verdict: BaseModelVerdict::NotCompared,
            model_type: None,
            ..base(
                "moonshotai/Kimi-K2.6",
                true,
                &["its architecture is not known here, so it was not compared"],
            )
        },
        base(
            "Qwen/Qwen3-8B",
            false,
            &["another architecture: `Qwen3ForCausalLM`"],
        ),
    ]
}

fn options(verdicts: [FitVerdict; 6]) -> Vec<FitOption> {
    let hardware = [
        "1x_nvidia_a100_80gb_sxm",
        "1x_nvidia_h100_80gb_sxm",
        "2x_nvidia_h100_80gb_sxm",
        "4x_nvidia_h100_80gb_sxm",
        "8x_nvidia_h100_80gb_sxm",
        "8x_nvidia_h200_140gb_sxm",
    ];
    hardware
        .iter()
        .zip(verdicts)
        .map(|(hardware, verdict)| option(hardware, verdict))
        .collect()
}

/// Numbers that go with the verdict, so that the picture does.
fn option(hardware: &str, verdict: FitVerdict) -> FitOption {
    let usable = 76_865_352_499;
    let (weights, cache, overhead) = match verdict {
        FitVerdict::DoesNotFit => (142_000_000_000, 10_737_418_240, 5_798_205_849),
        FitVerdict::FitsWithShorterContext => (60_000_000_000, 21_474_836_480, 5_798_205_849),
        _ => (3_422_777_952, 805_306_368, 5_648_458_890),
    };
    let is_known = !matches!(verdict, FitVerdict::Unknown | FitVerdict::CannotSplit);
    let needed = weights + cache + overhead;
    FitOption {
        hardware: hardware.into(),
        gpu_count: hardware[..1].parse().expect("a count"),
        as_of: "2025-11-08".into(),
        verdict,
        because: match verdict {
            FitVerdict::CannotSplit => Some("71 attention heads do not divide among 2 GPUs".into()),
            FitVerdict::Unknown => Some("how much the weights take is not known".into()),
            _ => None,
        },
        needed_bytes_per_gpu: is_known.then_some(needed),
        missing_bytes_per_gpu: is_known
            .then(|| needed.saturating_sub(usable))
            .filter(|&missing| missing > 0),
        usable_bytes_per_gpu: usable,
        weights_bytes_per_gpu: is_known.then_some(weights),
        cache_bytes_per_gpu: is_known.then_some(cache),
        overhead_bytes_per_gpu: is_known.then_some(overhead),
        max_context: match verdict {
            FitVerdict::Fits => Some(131_072),
            FitVerdict::FitsWithShorterContext => Some(2_112),
            FitVerdict::DoesNotFit => Some(0),
            FitVerdict::CannotSplit | FitVerdict::Unknown => None,
        },
    }
}

fn hostile_model() -> ModelReport {
    let esc = "\x1b[2J\x1b[31mPASS\x1b[0m \u{9b}1m";
    let rtl = "safe\u{202e}gpj.\u{2066}exe\u{2069}\u{200b}";
    let long_name = "a-very-long-name-without-end".repeat(40);
    let cjk = "配置文件中的模型类型不受支持请选择其他模型".repeat(5);
    let script = "<script>alert(\"1\" & '2')</script>";
    ModelReport {
        input: format!("./models/{esc}"),
        source: "folder",
        id: Some(format!("evil/{rtl}\nPASS  upload")),
        revision: None,
        commit: Some("\x1b[0m\u{202e}abcdef0123456789".into()),
        observed_at: None,
        kind: "model",
        is_check_passed: false,
        message: format!("not accepted: `{script}` {rtl}"),
        verdicts: vec![
            (Target::Upload, Verdict::Undecided),
            (Target::FineTune, Verdict::Fail),
        ],
        other_policies: vec![OtherPolicy {
            id: "together-2026-07".into(),
            verdicts: vec![
                (Target::Upload, Verdict::Undecided),
                (Target::FineTune, Verdict::Fail),
            ],
            because: vec![],
        }],
        facts: FactsSummary {
            model_type: Some(esc.into()),
            architectures: vec![script.into(), cjk.clone()],
            task: "unknown".into(),
            modalities: vec!["text", "image"],
            parameters: ParametersSummary {
                at_least: Some(116_000_000_000),
                at_most: Some(240_000_000_000),
                active: Some(5_100_000_000),
                ..ParametersSummary::default()
            },
            quantization: Some((format!("méthode\t{rtl}"), Some(4))),
            dtype: Some("\u{feff}bf16\r".into()),
            ..FactsSummary::default()
        },
        fit: Fit {
            context: 4096,
            context_asked: 131_072,
            sequences: 2,
            kv_dtype: "BF16".into(),
            gpu_memory_utilization: 0.9,
            load_dtype: "as stored".into(),
            cache_of: Some("qwen3".into()),
            smallest: None,
            options: options([
                FitVerdict::DoesNotFit,
                FitVerdict::DoesNotFit,
                FitVerdict::CannotSplit,
                FitVerdict::Unknown,
                FitVerdict::DoesNotFit,
                FitVerdict::FitsWithShorterContext,
            ]),
            ..Fit::default()
        },
        base_models: vec![],
        rules: hostile_rules(esc, rtl, &long_name, &cjk),
        next: vec![],
        cost: Cost::default(),
    }
}

fn hostile_rules(esc: &str, rtl: &str, long_name: &str, cjk: &str) -> Vec<RuleRow> {
    let fine_tune = [Target::FineTune];
    let upload = [Target::Upload];
    let too_new = vec![Finding {
        path: Some("config.json".into()),
        pointer: Some("/model_type".into()),
        line: Some(3),
        column: Some(17),
        ..message("model type `qwen3_next` needs transformers 4.57.0, the limit is 4.55")
    }];
    let shards = (1..=20).map(|shard| Finding {
        path: Some("model.safetensors.index.json".into()),
        ..message(&format!("shard `model-{shard:05}-of-00163.safetensors` is in the index but not in the repository"))
    });
    vec![
        RuleRow {
            findings: too_new.clone(),
            help: "use a model type that transformers 4.55 knows, or ask for a later policy with `--policy NAME`".into(),
            ..row("transformers-too-new", Level::Error, &fine_tune, Outcome::Fail)
        },
        RuleRow {
            findings: shards.collect(),
            more_findings: 143,
            help: "push the files that are missing: `hf upload evil/model . --include 'model-*.safetensors' --commit-message 'add shards'`".into(),
            ..row("shard-missing", Level::Error, &fine_tune, Outcome::Fail)
        },
        RuleRow {
            findings: vec![
                Finding {
                    path: Some(format!("weights/{esc}/{rtl}/{long_name}.safetensors.json")),
                    pointer: Some("/a~1b/\x1b]0;title\x07".into()),
                    ..message(&format!("tensor `{long_name}` {esc} {rtl}"))
                },
                Finding {
                    path: Some(format!("模型/{cjk}.json")),
                    line: Some(1),
                    column: None,
                    ..message(cjk)
                },
            ],
            ..row("weights-config-mismatch", Level::Error, &fine_tune, Outcome::Fail)
        },
        RuleRow {
            findings: vec![message("`model-00007-of-00163.safetensors` could not be read: connection reset\nby peer")],
            help: "try again".into(),
            ..row("shard-corrupt", Level::Error, &BOTH, Outcome::Unknown)
        },
        RuleRow {
            findings: too_new,
            ..row("transformers-too-new", Level::Warning, &upload, Outcome::Warn)
        },
        row("chat-template-missing", Level::Warning, &BOTH, Outcome::Warn),
        RuleRow {
            findings: vec![message("the configuration gives no context length")],
            ..row("node-too-small", Level::Warning, &fine_tune, Outcome::Unknown)
        },
        RuleRow {
            findings: vec![message("the verdict under `together-2026-07` differs")],
            ..row("policy-outdated", Level::Note, &BOTH, Outcome::Warn)
        },
        RuleRow {
            ignored: Some(format!("reviewed by 田中 {esc}")),
            findings: vec![message("files of code that is never loaded")],
            ..row("remote-code-required", Level::Error, &BOTH, Outcome::Fail)
        },
        RuleRow {
            notes: vec![message("`architectures` is missing"), message("`architectures` is missing")],
            ..row("config-invalid", Level::Error, &BOTH, Outcome::Pass)
        },
        RuleRow {
            findings: vec![message("config.json is malformed")],
            ..row("tokenizer-missing", Level::Error, &BOTH, Outcome::Skip)
        },
    ]
}

fn adapter_model() -> ModelReport {
    let mut model = good_model();
    model.id = None;
    model.commit = None;
    model.revision = None;
    model.input = "s3://bucket/adapters/方言-lora.tar.gz".into();
    model.source = "archive";
    model.kind = "adapter";
    model.is_check_passed = false;
    model.message = "not decided: weights could not be read".into();
    model.verdicts = vec![(Target::Upload, Verdict::Undecided)];
    model.other_policies.clear();
    model.facts.base = Some(Box::new(std::mem::take(&mut model.facts)));
    model.facts.task = "unknown".into();
    model.facts.adapter = Some(AdapterSummary {
        kind: Some("LORA".into()),
        rank: Some(16),
        alpha: Some(32.0),
        target_modules: vec!["k_proj".into(), "q_proj".into()],
        base_model: Some("HuggingFaceTB/SmolLM2-1.7B-Instruct".into()),
    });
    model.fit = Fit::default();
    model.base_models.clear();
    model.rules = vec![RuleRow {
        findings: vec![message(
            "`adapter_model.safetensors` could not be read: timed out after 30 s",
        )],
        ..row(
            "adapter-incomplete",
            Level::Error,
            &[Target::Upload],
            Outcome::Unknown,
        )
    }];
    model.next.clear();
    model
}

fn row(id: &'static str, level: Level, targets: &[Target], outcome: Outcome) -> RuleRow {
    RuleRow {
        id,
        summary: "the summary of the rule, which the registry holds",
        level,
        targets: targets.to_vec(),
        outcome,
        ignored: None,
        findings: vec![],
        more_findings: 0,
        notes: vec![],
        help: String::new(),
    }
}

fn message(text: &str) -> Finding {
    Finding {
        message: text.into(),
        path: None,
        pointer: None,
        line: None,
        column: None,
    }
}
