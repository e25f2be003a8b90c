use preflight_model::config::Config;
use preflight_model::json::Document;
use preflight_model::memory::{GIB, HeldBytes, WeightBytes};

use super::*;
use crate::hardware::Hardware;

fn node(model: &Footprint) -> NodeFit {
    node_fit(model, &hardware(), &FitRequest::default())
}

fn model(config: &str, weights: WeightBytes) -> Footprint {
    let config = Config::new(Document::parse(config.as_bytes()).unwrap()).unwrap();
    Footprint::new(&config, None, weights)
}

fn hardware() -> Vec<HardwareOption> {
    Hardware::built_in().options("together-2025-11").to_vec()
}

fn verdict(fit: &Fit, id: &str) -> FitVerdict {
    let option = fit.options.iter().find(|option| option.hardware == id);
    option.unwrap_or_else(|| panic!("no `{id}`")).verdict
}

const LLAMA_405B: &str = r#"{"model_type": "llama", "hidden_size": 16384, "num_hidden_layers": 126,
    "num_attention_heads": 128, "num_key_value_heads": 8, "max_position_embeddings": 131072}"#;
const DEEPSEEK_V3: &str = r#"{"model_type": "deepseek_v3", "max_position_embeddings": 163840}"#;
const SMOLLM2: &str = r#"{"model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 24,
    "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 8192}"#;
const UNKNOWN_CACHE: &str = r#"{"model_type": "unheard-of", "num_attention_heads": 64}"#;

/// The verdict again, from nothing but what a reader of the report sees.
fn verdict_as_shown(option: &FitOption, context: u64) -> FitVerdict {
    let usable = option.usable_bytes_per_gpu;
    let (Some(weights), Some(overhead)) =
        (option.weights_bytes_per_gpu, option.overhead_bytes_per_gpu)
    else {
        assert_eq!(option.needed_bytes_per_gpu, None);
        // `cannot-split` says itself why there are no numbers.
        return match option.verdict {
            FitVerdict::CannotSplit => FitVerdict::CannotSplit,
            _ => FitVerdict::Unknown,
        };
    };
    let Some(cache) = option.cache_bytes_per_gpu else {
        assert_eq!(option.needed_bytes_per_gpu, None);
        let sum = weights.checked_add(overhead);
        return if sum.is_some_and(|sum| sum > usable) {
            FitVerdict::DoesNotFit
        } else {
            FitVerdict::Unknown
        };
    };
    let needed = weights + overhead + cache;
    assert_eq!(
        option.needed_bytes_per_gpu,
        Some(needed),
        "the parts add up"
    );
    let missing = needed.checked_sub(usable).filter(|&bytes| bytes > 0);
    assert_eq!(option.missing_bytes_per_gpu, missing);
    if needed <= usable {
        assert!(option.max_context.is_none_or(|longest| longest >= context));
        return FitVerdict::Fits;
    }
    match option.max_context {
        Some(0) | None => FitVerdict::DoesNotFit,
        Some(longest) => {
            assert!(longest < context, "{longest} against {context}");
            FitVerdict::FitsWithShorterContext
        }
    }
}

#[test]
fn the_verdict_follows_from_the_numbers_shown() {
    let configs = [
        LLAMA_405B,
        DEEPSEEK_V3,
        SMOLLM2,
        UNKNOWN_CACHE,
        r#"{"model_type": "mamba"}"#,
        r#"{"model_type": "bert"}"#,
        r#"{"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71}"#,
        r#"{"model_type": "gemma3", "text_config": {}, "vision_config": {}}"#,
        "{}",
    ];
    let mut seen = Vec::new();
    for config in configs {
        for gib in [
            0,
            1,
            50,
            60,
            66,
            67,
            120,
            280,
            500,
            900,
            5000,
            u64::MAX / GIB,
        ] {
            for spread in [Some(0), Some(40), None] {
                let at_least = gib * GIB;
                let at_most = spread.map(|spread: u64| at_least.saturating_add(spread * GIB));
                let weights = if at_most == Some(at_least) {
                    WeightBytes::exactly(at_least)
                } else {
                    WeightBytes::Between { at_least, at_most }
                };
                let model = model(config, weights);
                for policy in ["together-2025-11", "together-2026-07"] {
                    for (context, sequences) in
                        [(1, 1), (4096, 1), (131_072, 64), (u64::MAX, u64::MAX)]
                    {
                        for gpu_memory_utilization in [0.0, 0.5, 0.9] {
                            let request = FitRequest {
                                context,
                                sequences,
                                gpu_memory_utilization,
                                ..FitRequest::default()
                            };
                            let fit = fit(&model, Hardware::built_in().options(policy), &request);
                            for option in &fit.options {
                                let shown = verdict_as_shown(option, fit.context);
                                assert_eq!(
                                    option.verdict, shown,
                                    "{config} {weights:?} {request:?} {option:?}"
                                );
                                if !seen.contains(&shown.as_str()) {
                                    seen.push(shown.as_str());
                                }
                            }
                            let first = fit
                                .options
                                .iter()
                                .find(|option| option.verdict == FitVerdict::Fits);
                            assert_eq!(fit.smallest.as_ref(), first.map(|option| &option.hardware));
                        }
                    }
                }
            }
        }
    }
    seen.sort_unstable();
    let all = [
        "cannot-split",
        "does-not-fit",
        "fits",
        "fits-with-shorter-context",
        "unknown",
    ];
    assert_eq!(seen, all, "the grid reaches every verdict");
}

#[test]
fn llama_405b_needs_eight_large_gpus() {
    let model = model(LLAMA_405B, WeightBytes::exactly(811_706_777_600));
    let fit = fit(&model, &hardware(), &FitRequest::default());
    for (id, expected) in [
        ("4x_nvidia_h100_80gb_sxm", FitVerdict::DoesNotFit),
        ("8x_nvidia_h100_80gb_sxm", FitVerdict::DoesNotFit),
        ("8x_nvidia_h200_140gb_sxm", FitVerdict::Fits),
        ("8x_nvidia_b200_180gb_sxm", FitVerdict::Fits),
    ] {
        assert_eq!(verdict(&fit, id), expected, "{id}");
    }
    assert_eq!(fit.smallest.as_deref(), Some("8x_nvidia_h200_140gb_sxm"));
    assert!(matches!(node(&model), NodeFit::Fits(_)));
}

#[test]
fn deepseek_v3_in_8_bit_fits_eight_h200() {
    let fit = fit(
        &model(DEEPSEEK_V3, WeightBytes::exactly(688_586_727_753)),
        &hardware(),
        &FitRequest::default(),
    );
    assert_eq!(
        verdict(&fit, "8x_nvidia_h100_80gb_sxm"),
        FitVerdict::DoesNotFit
    );
    assert_eq!(verdict(&fit, "8x_nvidia_h200_140gb_sxm"), FitVerdict::Fits);
}

#[test]
fn smollm2_fits_one_gpu_and_the_request_narrows_the_choice() {
    let model = model(SMOLLM2, WeightBytes::exactly(3_422_777_952));
    let all = fit(&model, &hardware(), &FitRequest::default());
    assert_eq!(all.smallest.as_deref(), Some("1x_nvidia_a100_80gb_sxm"));
    let request = FitRequest {
        gpu: Some("H200".into()),
        gpu_count: Some(2),
        context: 100_000,
        ..FitRequest::default()
    };
    let some = fit(&model, &hardware(), &request);
    let ids: Vec<_> = some
        .options
        .iter()
        .map(|option| option.hardware.as_str())
        .collect();
    assert_eq!(ids, ["2x_nvidia_h200_140gb_sxm"]);
    assert_eq!(some.context, 8192, "no more than the model takes");
    assert_eq!(some.context_asked, 100_000);
}

#[test]
fn a_shorter_context_is_named() {
    let model = model(LLAMA_405B, WeightBytes::exactly(811_706_777_600));
    let request = FitRequest {
        context: 131_072,
        sequences: 8,
        ..FitRequest::default()
    };
    let fit = fit(&model, &hardware(), &request);
    let h200 = fit
        .options
        .iter()
        .find(|option| option.hardware.starts_with("8x_nvidia_h200"));
    let h200 = h200.unwrap();
    assert_eq!(h200.verdict, FitVerdict::FitsWithShorterContext);
    assert!((4096..131_072).contains(&h200.max_context.unwrap()));
}

#[test]
fn a_model_too_large_for_every_node_says_by_how_much() {
    let model = model(DEEPSEEK_V3, WeightBytes::exactly(2000 * GIB));
    let NodeFit::TooSmall(Some(closest)) = node(&model) else {
        panic!("no node holds 2000 GiB");
    };
    assert_eq!(closest.hardware, "8x_nvidia_b200_180gb_sxm");
    let missing = closest.missing_bytes_per_gpu.unwrap();
    assert!((90 * GIB..100 * GIB).contains(&missing), "{missing}");
}

#[test]
fn what_is_not_known_is_not_judged_unless_the_weights_decide() {
    let of = |weights| node(&model(UNKNOWN_CACHE, weights));
    assert!(matches!(of(WeightBytes::exactly(GIB)), NodeFit::Unknown(_)));
    assert!(matches!(
        of(WeightBytes::exactly(5000 * GIB)),
        NodeFit::TooSmall(_)
    ));
    let smollm2 = model(SMOLLM2, WeightBytes::exactly(1));
    assert!(matches!(
        node_fit(&smollm2, &[], &FitRequest::default()),
        NodeFit::Unknown(_)
    ));

    let bounded = |at_least, at_most| WeightBytes::Between { at_least, at_most };
    let llama = |weights| node(&model(LLAMA_405B, weights));
    assert!(matches!(
        llama(bounded(GIB, Some(2 * GIB))),
        NodeFit::Fits(_)
    ));
    assert!(matches!(
        llama(bounded(5000 * GIB, None)),
        NodeFit::TooSmall(_)
    ));
    assert!(matches!(llama(bounded(GIB, None)), NodeFit::Unknown(_)));
    assert!(matches!(
        llama(bounded(GIB, Some(5000 * GIB))),
        NodeFit::Unknown(_)
    ));
}

/// 71 heads fit one GPU or none, but an engine can deal out layers instead.
#[test]
fn a_model_that_cannot_be_split_evenly_is_too_small_only_for_all_gpus_together() {
    let falcon = |weights: u64| {
        node(&model(
            r#"{"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71}"#,
            WeightBytes::exactly(weights),
        ))
    };
    assert!(matches!(falcon(14 * GIB), NodeFit::Fits(_)));
    let NodeFit::Unknown(because) = falcon(300 * GIB) else {
        panic!("two B200 have 300 GiB");
    };
    assert!(
        because.contains("71 attention heads do not divide among 2 GPUs"),
        "{because}"
    );
    assert!(because.contains("`2x_nvidia_b200_180gb_sxm`"), "{because}");
    let NodeFit::TooSmall(Some(closest)) = falcon(2000 * GIB) else {
        panic!("no node has 2000 GiB");
    };
    assert_eq!(closest.gpu_count, 1, "the only count with numbers");
}

/// Sizes that no model has are an error of the file: nothing is said to fit by them.
#[test]
fn a_hostile_config_never_fits_nor_overflows() {
    let sound = r#""model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 8192"#;
    let huge = "18446744073709551615";
    for (key, value) in [
        ("num_hidden_layers", "1000000000000"),
        ("num_hidden_layers", "0"),
        ("num_hidden_layers", "-3"),
        ("head_dim", "0"),
        ("head_dim", huge),
        ("head_dim", "1e300"),
        ("hidden_size", "0"),
        ("num_attention_heads", "0"),
        ("num_key_value_heads", "0"),
        ("num_key_value_heads", huge),
        ("num_key_value_heads", "\"8\""),
    ] {
        // Of a key that is there twice the later counts.
        let config = format!("{{{sound}, \"{key}\": {value}}}");
        let model = model(&config, WeightBytes::exactly(GIB));
        let request = FitRequest {
            sequences: u64::MAX,
            ..FitRequest::default()
        };
        for request in [FitRequest::default(), request] {
            for option in fit(&model, &hardware(), &request).options {
                let verdict = option.verdict;
                assert!(
                    matches!(verdict, FitVerdict::Unknown | FitVerdict::CannotSplit),
                    "{key} {value}: {option:?}"
                );
                assert_eq!(option.needed_bytes_per_gpu, None);
            }
        }
        assert!(matches!(node(&model), NodeFit::Unknown(_)), "{key} {value}");
    }
    let long = model(
        &format!("{{{sound}, \"max_position_embeddings\": {huge}}}"),
        WeightBytes::exactly(GIB),
    );
    let request = FitRequest {
        context: u64::MAX,
        sequences: u64::MAX,
        ..FitRequest::default()
    };
    for option in fit(&long, &hardware(), &request).options {
        assert_eq!(option.verdict, FitVerdict::Unknown, "{option:?}");
        let because = option.because.as_deref();
        assert_eq!(because, Some("it takes more memory than can be counted"));
        // The parts that are known still are, and there is no sum that is none.
        assert!(option.weights_bytes_per_gpu.is_some() && option.cache_bytes_per_gpu.is_none());
        let numbers = (option.needed_bytes_per_gpu, option.missing_bytes_per_gpu);
        assert_eq!(numbers, (None, None));
    }
}

#[test]
fn weights_turned_into_16_bit_are_said_so() {
    let request = FitRequest::default();
    let load_dtype = |weights| fit(&model(SMOLLM2, weights), &hardware(), &request).load_dtype;
    let converted = HeldBytes {
        shared: 100,
        is_converted: true,
        ..HeldBytes::default()
    };
    assert_eq!(load_dtype(WeightBytes::Known(converted)), "BF16");
    assert_eq!(load_dtype(WeightBytes::exactly(100)), "as stored");
}

#[test]
fn the_smallest_option_comes_with_the_command_that_asks_for_it() {
    let of = |bytes| {
        let model = model(LLAMA_405B, WeightBytes::exactly(bytes));
        fit(&model, &hardware(), &FitRequest::default()).endpoint_commands
    };
    let command =
        "together endpoints create --model MODEL_NAME --hardware 8x_nvidia_h200_140gb_sxm";
    assert_eq!(of(811_706_777_600), [command]);
    assert!(of(5000 * GIB).is_empty());
}

#[test]
fn training_is_estimated_for_all_gpus_together() {
    let document = r#"{"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
        "max_position_embeddings": 131072}"#;
    let config = Config::new(Document::parse(document.as_bytes()).unwrap()).unwrap();
    let training = Training::new(&config, 8_030_261_248, 1_310_720).unwrap();
    let fit = fit(
        &model(document, WeightBytes::exactly(16_060_522_496)),
        &hardware(),
        &FitRequest::default(),
    );
    let estimate = training_fit(&training, &fit).unwrap();
    assert_eq!((estimate.context, estimate.lora_rank), (4096, 64));
    assert_eq!(
        estimate.lora_smallest.as_deref(),
        Some("1x_nvidia_a100_80gb_sxm")
    );
    let full = estimate.full_smallest.as_deref();
    assert_eq!(
        full,
        Some("1x_nvidia_h200_140gb_sxm"),
        "{} bytes",
        estimate.full_bytes
    );
}

#[test]
fn the_worked_example_of_the_guide_is_true() {
    let guide = include_str!("../../../../docs/memory.md");
    let llama = r#"{"model_type": "llama", "hidden_size": 8192, "num_hidden_layers": 80,
        "num_attention_heads": 64, "num_key_value_heads": 8, "max_position_embeddings": 131072}"#;
    let model = model(llama, WeightBytes::exactly(141_107_412_992));
    let request = FitRequest {
        context: 131_072,
        ..FitRequest::default()
    };
    let options = fit(&model, &hardware(), &request).options;
    let gib = |bytes: Option<u64>| {
        let hundredths = (bytes.unwrap() * 100 + GIB / 2) / GIB;
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    };
    for id in [
        "1x_nvidia_h100_80gb_sxm",
        "2x_nvidia_h100_80gb_sxm",
        "4x_nvidia_h100_80gb_sxm",
        "2x_nvidia_h200_140gb_sxm",
    ] {
        let option = options.iter().find(|option| option.hardware == id).unwrap();
        let row = format!(
            "| `{id}` | {} | {} | {} | {} | {} | {} | {} |\n",
            gib(option.weights_bytes_per_gpu),
            gib(option.cache_bytes_per_gpu),
            gib(option.overhead_bytes_per_gpu),
            gib(option.needed_bytes_per_gpu),
            gib(Some(option.usable_bytes_per_gpu)),
            option.verdict.as_str(),
            option.max_context.unwrap(),
        );
        assert!(guide.contains(&row), "the guide lacks: {row}");
    }
}

/// What is assumed of the repository's own code is in the report; of other models nothing is assumed, nor
/// where the language model is the repository's own as well.
#[test]
fn whose_cache_was_counted_is_told_where_it_is_an_assumption() {
    let of = |outer: &str, text: &str| {
        let config = format!(r#"{{"model_type": "{outer}", "text_config": {text}}}"#);
        let model = model(&config, WeightBytes::exactly(1 << 30));
        let fit = fit(&model, &hardware(), &FitRequest::default());
        (fit.cache_of, fit.options[0].verdict)
    };
    let llama = || Some("llama".to_owned());
    let own = SMOLLM2.replace('}', r#", "auto_map": {}}"#);
    assert_eq!(of("andesvl", SMOLLM2), (llama(), FitVerdict::Fits));
    assert_eq!(of("andesvl", &own), (None, FitVerdict::Unknown));
    assert_eq!(of("llava", SMOLLM2), (None, FitVerdict::Fits));
}
