//! The largest inputs that are read, each bent towards one thing that costs memory or time: what a fuzzer
//! with its small inputs never reaches.

use preflight_model::fact::Fact;
use preflight_model::header::HEADER_BYTES_MAX;
use preflight_model::snapshot::{Content, File, Snapshot};
use preflight_model::wanted::{JSON_BYTES_MAX, TOKENIZER_BYTES_MAX};

use crate::snapshot::repository;

/// A hostile file in a repository that is otherwise sound.
pub struct Hostile {
    /// What is bent.
    pub name: &'static str,
    /// The file: a path for a whole file, or of a weight file for its header.
    path: &'static str,
    /// Most bytes of the file.
    bytes: usize,
    /// What stands before, again and again, and after.
    parts: (&'static str, fn(usize) -> String, &'static str),
}

/// The size of an index that the memory is promised for; a fifth of what is read at all.
const INDEX_BYTES: usize = 50 << 20;
#[expect(clippy::cast_possible_truncation, reason = "both fit into 32 bits")]
const JSON_BYTES: usize = JSON_BYTES_MAX as usize;
#[expect(clippy::cast_possible_truncation, reason = "both fit into 32 bits")]
const TOKENIZER_BYTES: usize = TOKENIZER_BYTES_MAX as usize;
#[expect(clippy::cast_possible_truncation, reason = "both fit into 32 bits")]
const HEADER_BYTES: usize = HEADER_BYTES_MAX as usize;

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer_config.json";
const TOKENIZER_FILE: &str = "tokenizer.json";
const INDEX: &str = "model.safetensors.index.json";
const WEIGHTS: &str = "model.safetensors";

macro_rules! hostile {
    ($($name:literal: $path:ident $bytes:ident $before:literal $each:expr, $after:literal;)*) => {
        &[$(Hostile { name: $name, path: $path, bytes: $bytes, parts: ($before, $each, $after) }),*]
    };
}

/// All of them.
pub static HOSTILE: &[Hostile] = hostile! {
    "config-of-values": CONFIG JSON_BYTES r#"{"a":["# |_| "0,".repeat(1024), "0]}";
    "config-of-keys": CONFIG JSON_BYTES "{" |n| format!(r#""{n}":0,"#), r#""a":0}"#;
    "config-of-equal-keys": CONFIG JSON_BYTES "{" |_| r#""a":{},"#.repeat(1024), r#""a":0}"#;
    "config-of-trailing-commas": CONFIG JSON_BYTES r#"{"a":["# |_| "[0,],".repeat(1024), "0]}";
    "config-of-lists": CONFIG JSON_BYTES r#"{"a":["# |_| "[],".repeat(1024), "0]}";
    "config-of-strings": CONFIG JSON_BYTES r#"{"a":["# |n| format!(r#""\u00e9{n:064}","#), "0]}";
    "config-long-type": CONFIG JSON_BYTES r#"{"architectures":["LlamaForCausalLM"],"model_type":""# |_| "llama".repeat(1024), r#""}"#;
    "config-long-class": CONFIG JSON_BYTES r#"{"model_type":"llama","architectures":[""# |_| "Llama\\n".repeat(1024), r#""]}"#;
    "config-long-key": CONFIG JSON_BYTES r#"{"model_type":"llama",""# |_| "\\nkey".repeat(1024), r#"":[0,1,2]}"#;
    "config-of-classes": CONFIG JSON_BYTES r#"{"model_type":"llama","architectures":["# |n| format!(r#""Class{n:060}","#), r#""a"]}"#;
    "config-of-layers": CONFIG JSON_BYTES r#"{"model_type":"qwen3","num_hidden_layers":4,"layer_types":["# |n| format!(r#""layer{n:064}","#), r#""a"]}"#;
    "config-of-groups": CONFIG JSON_BYTES r#"{"model_type":"llama","quantization_config":{"quant_method":"compressed-tensors","config_groups":{"# |n| format!(r#""{n:030}":{{"weights":{{"num_bits":4}},"targets":["Linear"]}},"#), r#""a":{}}}}"#;
    "config-of-ignored": CONFIG JSON_BYTES r#"{"model_type":"llama","quantization_config":{"quant_method":"compressed-tensors","ignore":["# |n| format!(r#""re:.*{n:060}","#), r#""a"]}}"#;
    "config-of-layers-asked": CONFIG JSON_BYTES r#"{"model_type":"llama","num_hidden_layers":1000000000,"hidden_size":1,"a":""# |_| "a".repeat(1024), r#""}"#;
    "config-of-code": CONFIG JSON_BYTES r#"{"model_type":"llama","auto_map":{"# |n| format!(r#""AutoModel{n:060}":"a.b","#), r#""AutoConfig":"c.D"}}"#;
    "config-of-brackets": CONFIG JSON_BYTES "" |_| "[".repeat(1024), "";
    "config-of-digits": CONFIG JSON_BYTES r#"{"hidden_size":1"# |_| "0".repeat(1024), "}";
    "config-of-decimals": CONFIG JSON_BYTES r#"{"hidden_size":0.1"# |_| "0".repeat(1024), "1}";
    "tokenizer-long-class": TOKENIZER JSON_BYTES r#"{"tokenizer_class":""# |_| "A".repeat(1024), r#""}"#;
    "tokenizer-of-tokens": TOKENIZER JSON_BYTES r#"{"added_tokens_decoder":{"# |n| format!(r#""{n}":{{"content":"<{n:060}>","special":true}},"#), r#""a":{}}}"#;
    "tokenizer-file-of-tokens": TOKENIZER_FILE TOKENIZER_BYTES r#"{"model":{"type":"BPE","vocab":{"# |n| format!(r#""{n:x}":1,"#), r#""a":0},"merges":[]}}"#;
    "tokenizer-file-of-added-tokens": TOKENIZER_FILE TOKENIZER_BYTES r#"{"model":{"type":"BPE","vocab":{},"merges":[]},"added_tokens":["# |n| format!(r#"{{"id":{n},"content":"{n}","single_word":true,"lstrip":true,"rstrip":true,"normalized":true,"special":true}},"#), r#"{"id":0,"content":"","single_word":true,"lstrip":true,"rstrip":true,"normalized":true,"special":true}]}"#;
    "index-of-short-names": INDEX INDEX_BYTES r#"{"metadata":{},"weight_map":{"# |n| format!(r#""{n:x}":"s","#), r#""a":"s"}}"#;
    "index-of-names": INDEX INDEX_BYTES r#"{"metadata":{},"weight_map":{"# |n| format!(r#""model.layers.{n:040}.weight":"model-00001-of-00002.safetensors","#), r#""a":"s"}}"#;
    "index-of-escaped-names": INDEX INDEX_BYTES r#"{"metadata":{},"weight_map":{"# |n| format!(r#""\u00e9{n:040}":"s","#), r#""a":"s"}}"#;
    "index-of-equal-names": INDEX INDEX_BYTES r#"{"metadata":{},"weight_map":{"# |_| r#""a.weight":"model-00001-of-00002.safetensors","#.repeat(1024), r#""a":"s"}}"#;
    "index-of-shards": INDEX INDEX_BYTES r#"{"metadata":{},"weight_map":{"# |n| format!(r#""{n:040}":"{n:0800}","#), r#""a":"s"}}"#;
    "index-long-name": INDEX INDEX_BYTES r#"{"metadata":{},"weight_map":{""# |_| "\\n".repeat(1024), r#"":"s"}}"#;
    "index-plain-name": INDEX INDEX_BYTES r#"{"metadata":{},"weight_map":{""# |_| "a".repeat(1024), r#"":"s"}}"#;
    "index-long-shard": INDEX INDEX_BYTES r#"{"metadata":{},"weight_map":{"a":""# |_| "s".repeat(1024), r#""}}"#;
    "index-of-commas": INDEX INDEX_BYTES r#"{"metadata":{},"weight_map":{"a":"s"},"b":["# |_| "[0,],".repeat(1024), "0]}";
    "header-of-tensors": WEIGHTS HEADER_BYTES "{" |n| format!(r#""model.layers.{n}.w.weight":{{"dtype":"BF16","shape":[1],"data_offsets":[{},{}]}},"#, 2 * n, 2 * n + 2), r#""__metadata__":{"format":"pt"}}"#;
    "header-of-broken-tensors": WEIGHTS HEADER_BYTES "{" |n| format!(r#""{n:x}":{{"dtype":"U8","shape":[2],"data_offsets":[9,10]}},"#), r#""__metadata__":{"format":"pt"}}"#;
    "header-of-dimensions": WEIGHTS HEADER_BYTES "{" |n| format!(r#""{n:x}":{{"dtype":"U8","shape":[{}0],"data_offsets":[0,0]}},"#, "0,".repeat(63)), r#""__metadata__":{"format":"pt"}}"#;
    "header-of-unknown-types": WEIGHTS HEADER_BYTES "{" |n| format!(r#""{n:0400}":{{"dtype":"{n:0400}","shape":[2],"data_offsets":[0,2]}},"#), r#""__metadata__":{"format":"pt"}}"#;
    "header-long-name": WEIGHTS HEADER_BYTES r#"{""# |_| "a".repeat(1024), r#"":{"dtype":"U8","shape":[3],"data_offsets":[0,2]}}"#;
    "header-escaped-name": WEIGHTS HEADER_BYTES r#"{""# |_| "\\n".repeat(1024), r#"":{"dtype":"U8","shape":[3],"data_offsets":[0,2]}}"#;
    "header-long-type": WEIGHTS HEADER_BYTES r#"{"a":{"dtype":""# |_| "U".repeat(1024), r#"","shape":[3],"data_offsets":[0,2]}}"#;
    "header-long-format": WEIGHTS HEADER_BYTES r#"{"__metadata__":{"format":""# |_| "U".repeat(1024), r#""},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#;
    "header-of-metadata": WEIGHTS HEADER_BYTES r#"{"__metadata__":{"# |n| format!(r#""{n}":"a","#), r#""format":"pt"},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#;
    "header-of-commas": WEIGHTS HEADER_BYTES r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"x":["# |_| "[0,],".repeat(1024), "0]}}";
};

impl Hostile {
    /// The file, of nearly the most bytes that are read.
    fn content(&self) -> Content {
        let (before, each, after) = self.parts;
        let is_header = self.path == WEIGHTS;
        let prefix = if is_header { 8 } else { 0 };
        let most = self.bytes + prefix;
        let mut text = Vec::with_capacity(most);
        text.resize(prefix, 0);
        text.extend_from_slice(before.as_bytes());
        for number in 0.. {
            let piece = each(number);
            if text.len() + piece.len() + after.len() > most {
                break;
            }
            text.extend_from_slice(piece.as_bytes());
        }
        text.extend_from_slice(after.as_bytes());
        if is_header {
            let length = (text.len() - prefix) as u64;
            text[..prefix].copy_from_slice(&length.to_le_bytes());
            Content::Prefix(text)
        } else {
            Content::Whole(text)
        }
    }

    /// The file in a repository that is otherwise a small model.
    pub fn repository(&self) -> Snapshot {
        let mut snapshot = repository(SOUND);
        if let Fact::Known(files) = &mut snapshot.files {
            // The loader opens no index beside a single file.
            files.retain(|file| {
                file.path != self.path && (self.path != INDEX || file.path != WEIGHTS)
            });
            files.push(File {
                path: self.path.into(),
                size: None,
                sha256: None,
                content: self.content(),
            });
            files.sort_by(|one, other| one.path.cmp(&other.path));
        }
        snapshot
    }
}

const SOUND: &[u8] = br#"//- config.json
{"architectures":["LlamaForCausalLM"],"hidden_size":16,"intermediate_size":32,"model_type":"llama","num_attention_heads":2,"num_hidden_layers":1,"vocab_size":64}
//- model.safetensors
{"model.norm.weight":{"dtype":"BF16","shape":[16],"data_offsets":[0,32]}}
//- tokenizer.json
//- tokenizer_config.json
{"chat_template":"{{ messages }}","tokenizer_class":"PreTrainedTokenizerFast"}
"#;
