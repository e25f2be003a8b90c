//! No `adapter_config.json` and no header of an adapter ends in a panic, whatever they say.

#![expect(clippy::unwrap_used, reason = "a test ends with the first surprise")]

use preflight_model::adapter::{Modules, named_base};
use preflight_model::checkpoint::Checkpoint;
use preflight_model::config::Config;
use preflight_model::fact::Fact;
use preflight_model::json::Document;
use preflight_model::snapshot::{Access, Content, File, Origin, Snapshot, SourceKind};
use proptest::prelude::*;

const KEYS: [&str; 22] = [
    "peft_type",
    "task_type",
    "r",
    "lora_alpha",
    "lora_dropout",
    "target_modules",
    "exclude_modules",
    "base_model_name_or_path",
    "revision",
    "bias",
    "use_dora",
    "use_rslora",
    "lora_bias",
    "modules_to_save",
    "layers_to_transform",
    "layers_pattern",
    "rank_pattern",
    "alpha_pattern",
    "target_parameters",
    "trainable_token_indices",
    "fan_in_fan_out",
    "layer_replication",
];
const VALUES: [&str; 26] = [
    "null",
    "true",
    "false",
    "0",
    "4",
    "-1",
    "4.0",
    "1e999",
    "184467440737095516160",
    "\"\"",
    "\"LORA\"",
    "\"IA3\"",
    "\"CAUSAL_LM\"",
    "\"all-linear\"",
    "\".*q_proj\"",
    "\"(\"",
    "\"(a*)*\\\\1b\"",
    "\"../../etc\"",
    "\"org/base\"",
    "[]",
    "[\"q_proj\", 1, null]",
    "[\"\", \".\", \"lm_head\", \"norm\"]",
    "[0, 1, -1]",
    "{}",
    "{\"q_proj\": 2, \"(\": 3}",
    "{\".*\": \"x\"}",
];
const NAMES: [&str; 16] = [
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
    "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight",
    "base_model.model.model.layers.0.self_attn.q_proj.lora_B.bias",
    "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
    "base_model.model.model.layers.9.self_attn.k_proj.lora_A.default.weight",
    "base_model.model.model.embed_tokens.lora_embedding_A",
    "base_model.model.model.embed_tokens.lora_embedding_B",
    "base_model.model.lm_head.weight",
    "base_model.model.lora_A.weight",
    "base_model.model..lora_A.weight",
    "base_model.model.",
    "lora_A.weight",
    "model.layers.0.self_attn.q_proj.lora_a",
    "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta",
    "",
    "é.lora_é",
];
const SHAPES: [&str; 8] = [
    "[]",
    "[0]",
    "[4]",
    "[4,16]",
    "[16,4]",
    "[70,16]",
    "[0,0]",
    "[4,16,3,3]",
];

fn file(path: &str, content: Content, size: usize) -> File {
    File {
        path: path.into(),
        size: Some(size as u64),
        sha256: None,
        content,
    }
}

fn snapshot(config: &str, tensors: &[(usize, usize)]) -> Snapshot {
    let mut at = 0_u64;
    let members: Vec<String> = tensors
        .iter()
        .map(|&(name, shape)| {
            let shape = SHAPES[shape];
            let sizes: Vec<u64> = shape
                .trim_matches(['[', ']'])
                .split(',')
                .filter_map(|size| size.parse().ok())
                .collect();
            let start = at;
            at += sizes.iter().product::<u64>();
            format!(
                "{:?}:{{\"dtype\":\"U8\",\"shape\":{shape},\"data_offsets\":[{start},{at}]}}",
                NAMES[name]
            )
        })
        .collect();
    let header = format!("{{{}}}", members.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    let size = bytes.len() + usize::try_from(at).unwrap();
    Snapshot {
        origin: Origin {
            input: "x".into(),
            source: SourceKind::Hub,
            stands_for: SourceKind::Hub,
            id: None,
            revision: None,
            commit: None,
        },
        access: Access::Open,
        observed_at: None,
        files: Fact::Known(vec![
            file(
                "adapter_config.json",
                Content::Whole(config.into()),
                config.len(),
            ),
            file("adapter_model.safetensors", Content::Prefix(bytes), size),
        ]),
        container: Fact::Absent,
        base: Fact::Absent,
    }
}

fn base() -> Modules {
    let text = r#"{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 16, "intermediate_size": 32,
        "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 64}"#;
    let config = Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap();
    Modules::of_config(&config).unwrap()
}

proptest! {
    #[test]
    fn nothing_panics(
        members in prop::collection::vec((0..KEYS.len(), 0..VALUES.len()), 0..12),
        is_lora in any::<bool>(),
        tensors in prop::collection::vec((0..NAMES.len(), 0..SHAPES.len()), 0..10),
    ) {
        let mut lines: Vec<String> = members
            .iter()
            .map(|&(key, value)| format!("{:?}: {}", KEYS[key], VALUES[value]))
            .collect();
        if is_lora {
            lines.push("\"peft_type\": \"LORA\"".into());
        }
        let snapshot = snapshot(&format!("{{{}}}", lines.join(", ")), &tensors);
        let checkpoint = Checkpoint::read(&snapshot);
        for base in [None, Some(&base())] {
            let _ = checkpoint.agreement(base);
        }
        let _ = named_base(&snapshot, None);
    }

    #[test]
    fn no_text_panics(text in ".{0,80}", key in 0..KEYS.len()) {
        let config = format!("{{\"peft_type\": \"LORA\", {:?}: {:?}}}", KEYS[key], text);
        for config in [config, text] {
            let snapshot = snapshot(&config, &[(0, 3), (1, 4)]);
            let _ = Checkpoint::read(&snapshot).agreement(Some(&base()));
        }
    }
}
