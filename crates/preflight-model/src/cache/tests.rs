use super::*;
use crate::json::Document;

fn config(text: &str) -> Config {
    Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap()
}

fn cache(text: &str) -> Option<KvCache> {
    KvCache::of_engine(&config(text))
}

/// Bytes a token within and beyond the window, and of the state, in 16 bits.
fn sizes(cache: &KvCache) -> (u64, u64, u64) {
    (
        cache.growing_bytes_per_token(KvDtype::Bf16),
        cache.beyond_window_bytes_per_token(KvDtype::Bf16),
        cache.fixed_bytes(),
    )
}

const LLAMA_70B: &str = r#"{"model_type": "llama", "hidden_size": 8192, "num_hidden_layers": 80,
    "num_attention_heads": 64, "num_key_value_heads": 8}"#;
const GEMMA_3_27B: &str = r#"{"model_type": "gemma3", "text_config": {"hidden_size": 5376,
    "num_hidden_layers": 62, "num_attention_heads": 32, "num_key_value_heads": 16,
    "head_dim": 128, "sliding_window": 1024}}"#;
const DEEPSEEK_V3: &str = r#"{"model_type": "deepseek_v3", "num_hidden_layers": 61,
    "num_attention_heads": 128, "kv_lora_rank": 512, "qk_rope_head_dim": 64}"#;

#[test]
fn the_measured_numbers_of_the_main_families() {
    for (name, text, expected) in [
        (
            "llama-3.1-8b",
            r#"{"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
                "num_attention_heads": 32, "num_key_value_heads": 8}"#,
            (131_072, 131_072, 0),
        ),
        ("llama-3.1-70b", LLAMA_70B, (327_680, 327_680, 0)),
        (
            "llama-3.1-405b",
            r#"{"model_type": "llama", "hidden_size": 16384, "num_hidden_layers": 126,
                "num_attention_heads": 128, "num_key_value_heads": 8}"#,
            (516_096, 516_096, 0),
        ),
        (
            "qwen3-30b-a3b",
            r#"{"model_type": "qwen3_moe", "hidden_size": 2048, "num_hidden_layers": 48,
                "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128}"#,
            (98_304, 98_304, 0),
        ),
        ("gemma-3-27b", GEMMA_3_27B, (507_904, 81_920, 0)),
        (
            "gpt-oss-120b",
            r#"{"model_type": "gpt_oss", "num_hidden_layers": 36, "num_attention_heads": 64,
                "num_key_value_heads": 8, "head_dim": 64, "sliding_window": 128}"#,
            (73_728, 36_864, 0),
        ),
        ("deepseek-v3", DEEPSEEK_V3, (70_272, 70_272, 0)),
        (
            "mistral-7b-v0.1",
            r#"{"model_type": "mistral", "sliding_window": 4096}"#,
            (131_072, 0, 0),
        ),
        (
            "bamba-9b",
            r#"{"model_type": "bamba", "mamba_d_state": 128, "attn_layer_indices": [9, 18, 27],
                "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
                "num_key_value_heads": 8, "mamba_n_heads": 128, "mamba_d_head": 64}"#,
            (12_288, 12_288, 62_777_344),
        ),
        // 12 of 48 layers attend; 36 keep 3 x 8192 inputs and 32 matrices of 128 x 128.
        (
            "qwen3-next-80b-a3b",
            r#"{"model_type": "qwen3_next", "num_hidden_layers": 48, "num_attention_heads": 16,
                "num_key_value_heads": 2, "head_dim": 256, "full_attention_interval": 4,
                "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128,
                "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4}"#,
            (24_576, 24_576, 36 * (3 * 8192 + 32 * 128 * 128) * 2),
        ),
        // Its text part asks for a state of 32 bit.
        (
            "qwen3.5",
            r#"{"model_type": "qwen3_5", "text_config": {"model_type": "qwen3_5_text",
                "num_hidden_layers": 4, "num_attention_heads": 16, "num_key_value_heads": 2,
                "head_dim": 256, "mamba_ssm_dtype": "float32", "layer_types": ["linear_attention",
                "linear_attention", "linear_attention", "full_attention"],
                "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128,
                "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4}}"#,
            (2048, 2048, 3 * (3 * 8192 + 2 * 32 * 128 * 128) * 2),
        ),
        // One attention layer; two of Mamba with 128 heads of 64 and 8 groups of states of 128.
        (
            "nemotron-h",
            r#"{"model_type": "nemotron_h", "num_hidden_layers": 5, "hidden_size": 4096,
                "hybrid_override_pattern": "M-M*-", "num_attention_heads": 32,
                "num_key_value_heads": 8, "head_dim": 128, "mamba_num_heads": 128,
                "mamba_head_dim": 64, "n_groups": 8, "ssm_state_size": 128, "conv_kernel": 4}"#,
            (
                4096,
                4096,
                2 * ((8192 + 2 * 8 * 128) * 4 + 128 * 64 * 128) * 2,
            ),
        ),
        (
            "qwen2.5-vl-7b",
            r#"{"model_type": "qwen2_5_vl", "hidden_size": 3584, "num_hidden_layers": 28,
                "num_attention_heads": 28, "num_key_value_heads": 4, "use_sliding_window": false,
                "sliding_window": 32768, "max_window_layers": 28}"#,
            (57_344, 57_344, 0),
        ),
        (
            "olmo-3-7b",
            r#"{"model_type": "olmo3", "hidden_size": 4096, "num_hidden_layers": 32,
                "num_attention_heads": 32, "num_key_value_heads": 32, "sliding_window": 4096}"#,
            (524_288, 131_072, 0),
        ),
        ("bert", r#"{"model_type": "bert"}"#, (0, 0, 0)),
    ] {
        assert_eq!(sizes(&cache(text).expect(name)), expected, "{name}");
    }
}

#[test]
fn transformers_expands_what_engines_keep_small() {
    let deepseek = KvCache::of_transformers(&config(DEEPSEEK_V3)).unwrap();
    assert_eq!(sizes(&deepseek), (4_997_120, 4_997_120, 0));
    let falcon = config(
        r#"{"model_type": "falcon", "hidden_size": 8192, "num_hidden_layers": 60,
            "num_attention_heads": 128, "num_kv_heads": 8, "new_decoder_architecture": true}"#,
    );
    assert_eq!(sizes(&KvCache::of_engine(&falcon).unwrap()).0, 122_880);
    assert_eq!(
        sizes(&KvCache::of_transformers(&falcon).unwrap()).0,
        1_966_080
    );
}

#[test]
fn heads_fall_back_as_the_class_does() {
    let same = [
        r#"{"model_type": "mistral", "sliding_window": null, "num_key_value_heads": null,
            "hidden_size": 1024, "num_attention_heads": 8, "num_hidden_layers": 2}"#,
        r#"{"model_type": "qwen2", "num_key_value_heads": null, "head_dim": null,
            "hidden_size": 1024, "num_attention_heads": 8, "num_hidden_layers": 2}"#,
        r#"{"model_type": "llama", "head_dim": 128,
            "hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 2}"#,
    ];
    for text in same {
        assert_eq!(
            sizes(&cache(text).unwrap()).0,
            2 * 2 * 1024 * 2,
            "for {text}"
        );
    }
}

#[test]
fn what_is_not_known_has_no_answer() {
    for text in [
        r#"{"model_type": "unheard_of", "hidden_size": 64, "num_hidden_layers": 2}"#,
        r#"{"model_type": "rwkv"}"#,
        r#"{"model_type": "recurrent_gemma"}"#,
        r#"{"model_type": "zamba2"}"#,
        // A word where the class wants a number of heads.
        r#"{"model_type": "mistral", "num_key_value_heads": "eight"}"#,
        // A size that no head can have.
        r#"{"model_type": "llama", "hidden_size": 100, "num_attention_heads": 7}"#,
        r#"{"model_type": "llama", "num_attention_heads": 0}"#,
        r#"{"model_type": "llama", "head_dim": 0}"#,
        r#"{"model_type": "llama", "hidden_size": 0}"#,
        r#"{"model_type": "llama", "num_key_value_heads": 0}"#,
        r#"{"model_type": "llama", "num_hidden_layers": 1000000000000}"#,
        r#"{"model_type": "deepseek_v3", "kv_lora_rank": 0}"#,
        r#"{"model_type": "mamba", "state_size": 0, "conv_kernel": 0}"#,
        // Fewer names than layers.
        r#"{"model_type": "gemma2", "layer_types": ["full_attention"]}"#,
        r#"{"model_type": "gemma3_text", "sliding_window_pattern": "LLLG"}"#,
        r#"{"model_type": "gemma3_text", "sliding_window_pattern": 0}"#,
        r#"{"model_type": "kimi_k2"}"#,
        // Another number of letters than layers, and a letter of no kind.
        r#"{"model_type": "nemotron_h", "num_hidden_layers": 2, "hybrid_override_pattern": "M"}"#,
        r#"{"model_type": "nemotron_h", "num_hidden_layers": 2, "hybrid_override_pattern": "M?",
            "num_attention_heads": 8, "num_key_value_heads": 8, "head_dim": 8,
            "mamba_num_heads": 8, "mamba_head_dim": 8, "n_groups": 8, "ssm_state_size": 8,
            "conv_kernel": 4}"#,
        r#"{"model_type": "qwen3_next", "num_hidden_layers": 4, "num_attention_heads": 8,
            "num_key_value_heads": 8, "head_dim": 8}"#,
        // The class has a head size of its own, which is not in our table.
        r#"{"model_type": "seed_oss", "hidden_size": 5120, "num_hidden_layers": 64,
            "num_attention_heads": 80, "num_key_value_heads": 8}"#,
        r#"{"model_type": "seed_oss", "hidden_size": 5120, "num_hidden_layers": 64,
            "num_attention_heads": 80, "head_dim": 128}"#,
        r#"{"model_type": "olmo3", "hidden_size": 64, "num_hidden_layers": 4,
            "num_attention_heads": 8, "num_key_value_heads": 8}"#,
        r#"{"model_type": "bert", "is_decoder": true}"#,
        "{}",
    ] {
        assert_eq!(cache(text), None, "for {text}");
    }
}

#[test]
fn hostile_numbers_neither_panic_nor_answer() {
    let huge = u64::MAX;
    for key in [
        "num_hidden_layers",
        "num_key_value_heads",
        "hidden_size",
        "head_dim",
    ] {
        let text =
            format!(r#"{{"model_type": "llama", "num_attention_heads": 1, "{key}": {huge}}}"#);
        assert_eq!(cache(&text), None, "{key}");
    }
    for model_type in [
        "deepseek_v3",
        "mamba",
        "mamba2",
        "jamba",
        "bamba",
        "falcon_h1",
        "lfm2",
        "gpt2",
        "falcon",
        "qwen3_next",
        "nemotron_h",
    ] {
        let keys = [
            "linear_num_value_heads",
            "linear_key_head_dim",
            "linear_conv_kernel_dim",
            "mamba_num_heads",
            "mamba_head_dim",
            "hidden_size",
            "num_attention_heads",
            "kv_lora_rank",
            "qk_rope_head_dim",
            "state_size",
            "expand",
            "mamba_expand",
            "mamba_d_state",
            "conv_L_cache",
            "n_groups",
            "mamba_n_heads",
        ];
        let keys: Vec<_> = keys
            .iter()
            .map(|key| format!(r#""{key}": {huge}"#))
            .collect();
        let text = format!(r#"{{"model_type": "{model_type}", {}}}"#, keys.join(", "));
        assert_eq!(cache(&text), None, "{model_type}");
    }
    let llama = cache(LLAMA_70B).unwrap();
    assert_eq!(llama.bytes_per_gpu(1, huge, 1, KvDtype::Bf16), None);
    assert_eq!(llama.bytes_per_gpu(1, 1, huge, KvDtype::Bf16), None);
}

#[test]
fn gpus_share_heads_and_repeat_them_when_there_are_too_few() {
    let llama = cache(LLAMA_70B).unwrap();
    for (gpus, expected) in [
        (1, Some(327_680)),
        (4, Some(81_920)),
        (8, Some(40_960)),
        (16, Some(40_960)),
        (3, None),
        (0, None),
    ] {
        assert_eq!(
            llama.bytes_per_gpu(gpus, 1, 1, KvDtype::Bf16),
            expected,
            "{gpus} GPUs"
        );
    }
    let latent = cache(DEEPSEEK_V3).unwrap();
    assert_eq!(
        latent.bytes_per_gpu(8, 10, 2, KvDtype::Bf16),
        Some(1_405_440)
    );
    assert_eq!(latent.bytes_per_gpu(8, 10, 2, KvDtype::Fp8), Some(702_720));
}

#[test]
fn windows_end_the_growth() {
    let gemma = cache(GEMMA_3_27B).unwrap();
    let at = |tokens, sequences| {
        let bytes = gemma.bytes_per_gpu(1, tokens, sequences, KvDtype::Bf16);
        bytes.unwrap()
    };
    let (windowed, full) = (507_904 - 81_920, 81_920);
    assert_eq!(at(1024, 1), 1024 * (windowed + full));
    assert_eq!(
        at(4096, 1),
        4096 * (windowed + full),
        "a prompt of this length is read at once"
    );
    assert_eq!(at(131_072, 1), (1024 + 8192) * windowed + 131_072 * full);
    assert_eq!(
        at(131_072, 4),
        (4 * 1024 + 8192) * windowed + 4 * 131_072 * full,
        "the engine reads one part of a prompt at a time"
    );
    assert_eq!(at(1024, 4), 4 * 1024 * (windowed + full));
}

#[test]
fn layers_that_read_the_cache_of_others_keep_none() {
    let gemma = cache(
        r#"{"model_type": "gemma3n_text", "num_hidden_layers": 30, "num_kv_shared_layers": 10,
            "num_key_value_heads": 2, "head_dim": 256}"#,
    );
    let gemma = gemma.unwrap();
    let layers: u64 = gemma.groups().iter().map(|group| group.layers).sum();
    assert_eq!(layers, 20);
    assert_eq!(sizes(&gemma), (20 * 2048, 4 * 2048, 0));
}

#[test]
fn windows_of_qwen_are_off_until_switched_on() {
    let qwen = |rest: &str| {
        let text = format!(
            r#"{{"model_type": "qwen2", "hidden_size": 1024, "num_attention_heads": 8,
                "num_key_value_heads": 1, "num_hidden_layers": 4, "sliding_window": 16 {rest}}}"#
        );
        let cache = cache(&text).unwrap();
        (sizes(&cache).0 / 512, sizes(&cache).1 / 512)
    };
    assert_eq!(qwen(""), (4, 4));
    assert_eq!(
        qwen(r#", "use_sliding_window": true, "max_window_layers": 3"#),
        (4, 3)
    );
    let given = r#", "use_sliding_window": true, "layer_types":
        ["full_attention", "sliding_attention", "sliding_attention", "sliding_attention"]"#;
    assert_eq!(qwen(given), (4, 1));
}

/// Where engines and transformers differ in the state on purpose; see `docs/memory.md`.
const OTHER_STATE: [&str; 2] = ["jamba-v0.1", "lfm2-1.2b"];

#[test]
fn agrees_with_the_measured_caches() {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/");
    let read = |name: &str| std::fs::read_to_string(format!("{shared}{name}"));
    let (Ok(presets), Ok(oracle)) = (read("model-presets.json"), read("oracle-presets.jsonl"))
    else {
        eprintln!("skipped: no {shared}");
        return;
    };
    let presets: serde_json::Value = serde_json::from_str(&presets).unwrap();
    let (mut compared, mut unknown) = (0, Vec::new());
    for line in oracle.lines() {
        let truth: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = truth["id"].as_str().unwrap();
        let config = config(&presets["presets"][id]["config"].to_string());
        let length = crate::context::context_length(&config.text());
        if !truth["context"].is_null() && id != "t5-base" && id != "flan-t5-xxl" {
            assert_eq!(
                length,
                truth["context"]["length"].as_u64(),
                "context of {id}"
            );
        }
        let measured = &truth["kv_cache"];
        let (Some(growing), Some(beyond)) = (
            measured["growing_bytes_per_token"].as_u64(),
            measured["beyond_window_bytes_per_token"].as_u64(),
        ) else {
            continue;
        };
        let (Some(ours), Some(engine)) = (
            KvCache::of_transformers(&config),
            KvCache::of_engine(&config),
        ) else {
            unknown.push(id.to_owned());
            continue;
        };
        compared += 1;
        let (within, after, fixed) = sizes(&ours);
        if id == "gpt-j-6b" {
            // Its rotary arithmetic leaves keys in 32 bits; engines keep 16.
            assert_eq!((within / 2 * 3, after / 2 * 3), (growing, beyond), "{id}");
        } else {
            assert_eq!((within, after), (growing, beyond), "{id}");
        }
        if !OTHER_STATE.contains(&id) {
            assert_eq!(
                Some(fixed),
                measured["fixed_bytes"].as_u64(),
                "state of {id}"
            );
        }
        if let Some(latent) = measured["mla_latent_bytes_per_token"].as_u64() {
            assert_eq!(sizes(&engine).0, latent, "latent of {id}");
        }
    }
    assert!(compared >= 65, "compared only {compared}");
    assert_eq!(unknown, ["rwkv-169m"]);
}

/// The class around a language model may be the repository's own: what it keeps is an assumption, which is told,
/// and none where the language model is the repository's own as well.
#[test]
fn a_language_model_inside_code_that_is_not_known() {
    let inside = |outer: &str, text: &str| {
        config(&format!(
            r#"{{"model_type": "{outer}", "auto_map": {{"AutoModel": "m.M"}}, "text_config": {{{text}}}}}"#
        ))
    };
    let qwen = r#""model_type": "qwen3", "hidden_size": 2560, "num_hidden_layers": 36,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128"#;
    let own = format!(r#"{qwen}, "auto_map": {{"AutoModelForCausalLM": "m.Q"}}"#);
    let bert = r#""model_type": "bert""#;
    for (outer, text, is_known, within) in [
        ("andesvl-aimv2-qwen3", qwen, true, Some("qwen3")),
        ("andesvl-aimv2-qwen3", &own, false, Some("qwen3")),
        ("andesvl-aimv2-qwen3", bert, false, Some("bert")),
        ("llava", qwen, true, None),
        ("llava", &own, true, None),
    ] {
        let config = inside(outer, text);
        assert_eq!(
            KvCache::of_engine(&config).is_some(),
            is_known,
            "{outer} {text}"
        );
        assert_eq!(within_own_code(&config), within, "{outer} {text}");
    }
    let whole = config(LLAMA_70B);
    assert_eq!(within_own_code(&whole), None);
}
