//! Whatever a repository or a policy holds, there is a verdict or an error.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::fmt::Write as _;

use preflight_model::checkpoint::Checkpoint;
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Content, File, Origin, Snapshot, SourceKind};
use preflight_rules::case::Options;
use preflight_rules::evaluate;
use preflight_rules::hardware::Hardware;
use preflight_rules::policy::Policy;
use preflight_rules::report::{Cost, Target, Verdict};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const POLICIES: [&str; 2] = [
    include_str!("../policies/together-2025-11.toml"),
    include_str!("../policies/together-2026-07.toml"),
];
const HARDWARE: &str = include_str!("../hardware/together.toml");

/// Small files and keys of them that are read.
const KEYS: [(&str, &str); 8] = [
    (
        "config.json",
        "architectures model_type auto_map quantization_config rope_scaling rope_parameters hidden_size \
         num_hidden_layers num_attention_heads num_key_value_heads head_dim vocab_size intermediate_size \
         max_position_embeddings torch_dtype dtype tie_word_embeddings text_config layer_types sliding_window \
         transformers_version transformers_weights num_experts eos_token_id pad_token_id rope_theta hidden_act",
    ),
    (
        "tokenizer_config.json",
        "tokenizer_class chat_template added_tokens_decoder auto_map eos_token extra_special_tokens model_max_length",
    ),
    (
        "special_tokens_map.json",
        "eos_token additional_special_tokens",
    ),
    (
        "generation_config.json",
        "custom_generate eos_token_id temperature",
    ),
    (
        "adapter_config.json",
        "peft_type base_model_name_or_path r lora_alpha target_modules rank_pattern layers_to_transform \
         modules_to_save task_type",
    ),
    ("hf_quant_config.json", "quantization producer"),
    ("quantize_config.json", "bits group_size checkpoint_format"),
    ("modules.json", "type path"),
];

fn config() -> Json {
    json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 16, "intermediate_size": 32,
        "max_position_embeddings": 8192, "model_type": "llama", "num_attention_heads": 2,
        "num_hidden_layers": 1, "num_key_value_heads": 2, "torch_dtype": "bfloat16", "vocab_size": 64,
    })
}

/// The first bytes of the weights of [`config`], and the size of the file.
fn weights() -> (Vec<u8>, u64) {
    let tensors: [(&str, &[u64]); 12] = [
        ("lm_head", &[64, 16]),
        ("model.embed_tokens", &[64, 16]),
        ("model.layers.0.input_layernorm", &[16]),
        ("model.layers.0.mlp.down_proj", &[16, 32]),
        ("model.layers.0.mlp.gate_proj", &[32, 16]),
        ("model.layers.0.mlp.up_proj", &[32, 16]),
        ("model.layers.0.post_attention_layernorm", &[16]),
        ("model.layers.0.self_attn.k_proj", &[16, 16]),
        ("model.layers.0.self_attn.o_proj", &[16, 16]),
        ("model.layers.0.self_attn.q_proj", &[16, 16]),
        ("model.layers.0.self_attn.v_proj", &[16, 16]),
        ("model.norm", &[16]),
    ];
    let (mut text, mut at) = (r#"{"__metadata__":{"format":"pt"}"#.to_owned(), 0);
    for (name, shape) in tensors {
        let end = at + 2 * shape.iter().product::<u64>();
        write!(
            text,
            r#","{name}.weight":{{"dtype":"BF16","shape":{shape:?},"data_offsets":[{at},{end}]}}"#
        )
        .unwrap();
        at = end;
    }
    text.push('}');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.bytes());
    let size = bytes.len() as u64 + at;
    (bytes, size)
}

/// A repository that passes, but for the file at `path`.
fn repository(path: &str, json: &Json) -> Snapshot {
    let file = |path: &str, size: u64, content: Content| File {
        path: path.into(),
        size: Some(size),
        sha256: None,
        content,
    };
    let whole = |path: &str, json: &Json| {
        let text = json.to_string().into_bytes();
        file(path, text.len() as u64, Content::Whole(text))
    };
    let (header, size) = weights();
    let tokenizer = json!({
        "chat_template": "{{ messages }}", "tokenizer_class": "PreTrainedTokenizerFast",
    });
    let mut files = vec![
        whole("config.json", &config()),
        file("model.safetensors", size, Content::Prefix(header)),
        file("tokenizer.json", 1000, Content::Listed),
        whole("tokenizer_config.json", &tokenizer),
    ];
    files.retain(|file| file.path != path);
    files.push(whole(path, json));
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Snapshot {
        origin: Origin {
            input: "acme/any".into(),
            source: SourceKind::Hub,
            stands_for: SourceKind::Hub,
            id: Some("acme/any".into()),
            revision: None,
            commit: None,
        },
        access: Access::Open,
        observed_at: None,
        container: Fact::Absent,
        files: Fact::Known(files),
        base: Fact::Absent,
    }
}

fn verdicts(snapshot: &Snapshot) -> Vec<Verdict> {
    let checkpoint = Checkpoint::read(snapshot);
    let policy = &Policy::shipped()[0];
    let options = Options {
        base_model: Some("togethercomputer/llama-2-7b-chat".into()),
        ..Options::default()
    };
    let report = evaluate(&checkpoint, &Target::ALL, policy, &options, Cost::default());
    let verdicts = report.verdicts.iter();
    verdicts.map(|(_, verdict)| *verdict).collect()
}

fn any_json() -> impl Strategy<Value = Json> {
    let words = [
        "gptq",
        "fp8",
        "llama",
        "yarn",
        "LORA",
        "all-linear",
        "org/x--m.C",
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (0_u64..70).prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,6}".prop_map(Json::from),
        proptest::sample::select(words.to_vec()).prop_map(Json::from),
    ];
    let keys = [
        "quant_method",
        "bits",
        "group_size",
        "rope_type",
        "factor",
        "AutoModelForCausalLM",
        "model_type",
        "hidden_size",
        "content",
        "quant_algo",
        "0",
        "weight_block_size",
    ];
    let key = proptest::sample::select(keys.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            proptest::collection::btree_map(key.clone(), inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// A file, a key of it and what stands there.
fn change() -> impl Strategy<Value = (&'static str, &'static str, Json)> {
    let all = KEYS
        .iter()
        .flat_map(|(path, keys)| keys.split_whitespace().map(|key| (*path, key)));
    let key = proptest::sample::select(all.collect::<Vec<_>>());
    (key, any_json()).prop_map(|((path, key), value)| (path, key, value))
}

#[test]
fn the_repository_passes_as_it_is() {
    let verdicts = verdicts(&repository("config.json", &config()));
    assert_eq!(verdicts, [Verdict::Pass; 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_value_of_any_key_has_a_verdict((path, key, value) in change()) {
        let mut json = if path == "config.json" { config() } else { json!({}) };
        json[key] = value;
        prop_assert_eq!(verdicts(&repository(path, &json)).len(), 2);
    }

    #[test]
    fn a_config_that_is_no_object_never_passes(value in any_json()) {
        prop_assume!(!value.is_object());
        let verdicts = verdicts(&repository("config.json", &value));
        prop_assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Fail), "{:?}", verdicts);
    }

    #[test]
    fn any_edit_of_a_policy_is_one_or_an_error(
        which in 0_usize..2,
        at: prop::sample::Index,
        cut in 0_usize..12,
        put in "[\\[\\]{}=\"a-z0-9. \n-]{0,8}",
    ) {
        // A policy of its own: the shipped names are taken.
        let own = POLICIES[which].replacen("id = \"together-", "id = \"my-", 1);
        for text in [own.as_str(), HARDWARE] {
            let at = text.floor_char_boundary(at.index(text.len()));
            let end = text.ceil_char_boundary((at + cut).min(text.len()));
            let text = format!("{}{put}{}", &text[..at], &text[end..]);
            if let Err(error) = Policy::parse(&text, "my.toml") {
                prop_assert!(!error.to_string().is_empty());
            }
            let _ = Hardware::parse(&text);
        }
    }
}
