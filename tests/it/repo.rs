//! Model folders: a small llama that is sound, for tests to break.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

pub(crate) const CONFIG: &str = "config.json";
pub(crate) const INDEX: &str = "model.safetensors.index.json";
pub(crate) const WEIGHTS: &str = "model.safetensors";
pub(crate) const SHARDS: [&str; 2] = [
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
];

const HIDDEN: u64 = 64;
const INNER: u64 = 128;
const KEY_VALUE: u64 = 32;
const LAYERS: u64 = 2;
const VOCABULARY: u64 = 256;

/// Logical parameters of the model.
pub(crate) const PARAMETERS: u64 = 2 * VOCABULARY * HIDDEN
    + HIDDEN
    + LAYERS * (2 * HIDDEN * HIDDEN + 2 * KEY_VALUE * HIDDEN + 3 * HIDDEN * INNER + 2 * HIDDEN);

/// One tensor of a header.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: &'static str,
    pub(crate) shape: Vec<u64>,
}

impl Tensor {
    pub(crate) fn new(name: impl Into<String>, dtype: &'static str, shape: &[u64]) -> Self {
        Self {
            name: name.into(),
            dtype,
            shape: shape.into(),
        }
    }

    fn bytes(&self) -> u64 {
        let width = match self.dtype {
            "F32" => 4,
            "BF16" => 2,
            "U8" => 1,
            other => panic!("no width of {other} here"),
        };
        self.shape.iter().product::<u64>() * width
    }
}

/// A folder that goes away with it.
pub(crate) struct Repo {
    dir: TempDir,
}

impl Repo {
    pub(crate) fn empty() -> Self {
        Self {
            dir: TempDir::new().expect("a temporary folder"),
        }
    }

    /// A llama that passes for both targets: one weight file, tokenizer and chat template.
    pub(crate) fn sound() -> Self {
        let repo = Self::without_weights();
        repo.weights(WEIGHTS, &tensors());
        repo
    }

    /// The same model in two shards with an index.
    pub(crate) fn sharded() -> Self {
        let repo = Self::without_weights();
        let tensors = tensors();
        let (first, second) = tensors.split_at(tensors.len() / 2);
        repo.weights(SHARDS[0], first);
        repo.weights(SHARDS[1], second);
        let place =
            |shard: &'static str| move |tensor: &Tensor| (tensor.name.clone(), json!(shard));
        let map: Map<String, Value> = first
            .iter()
            .map(place(SHARDS[0]))
            .chain(second.iter().map(place(SHARDS[1])))
            .collect();
        let bytes: u64 = tensors.iter().map(Tensor::bytes).sum();
        repo.json(
            INDEX,
            &json!({"metadata": {"total_size": bytes}, "weight_map": map}),
        );
        repo
    }

    fn without_weights() -> Self {
        let repo = Self::empty();
        repo.json(CONFIG, &config());
        repo.json(
            "tokenizer_config.json",
            &json!({
                "tokenizer_class": "PreTrainedTokenizerFast",
                "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
            }),
        );
        repo.json(
            "tokenizer.json",
            &json!({"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}),
        );
        repo
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.file(path), bytes).expect("writable");
    }

    pub(crate) fn json(&self, path: &str, value: &Value) {
        self.write(path, value.to_string());
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.file(path)).expect("there");
    }

    /// The file with `bytes` at its start and holes up to `size`.
    pub(crate) fn sparse(&self, path: &str, bytes: &[u8], size: u64) {
        let mut file = File::create(self.file(path)).expect("writable");
        file.write_all(bytes).expect("writable");
        file.set_len(size).expect("a sparse file");
    }

    pub(crate) fn set_len(&self, path: &str, size: u64) {
        let file = File::options()
            .write(true)
            .open(self.file(path))
            .expect("there");
        file.set_len(size).expect("writable");
    }

    pub(crate) fn size(&self, path: &str) -> u64 {
        fs::metadata(self.file(path)).expect("there").len()
    }

    /// Changes a JSON file.
    pub(crate) fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let text = fs::read(self.file(path)).expect("there");
        let mut value = serde_json::from_slice(&text).expect("JSON");
        change(&mut value);
        self.json(path, &value);
    }

    /// A weight file of these tensors, whose data are a hole.
    pub(crate) fn weights(&self, path: &str, tensors: &[Tensor]) {
        let header = header(tensors);
        let data: u64 = tensors.iter().map(Tensor::bytes).sum();
        self.raw_weights(path, &header.to_string(), data);
    }

    /// A weight file with this text as header and so many bytes of data.
    pub(crate) fn raw_weights(&self, path: &str, header: &str, data: u64) {
        let mut start = (header.len() as u64).to_le_bytes().to_vec();
        start.extend_from_slice(header.as_bytes());
        let size = start.len() as u64 + data;
        self.sparse(path, &start, size);
    }

    /// A git-lfs pointer to a file of `size` bytes in the place of the file.
    pub(crate) fn pointer(&self, path: &str, size: u64) {
        let sum = "a".repeat(64);
        self.write(
            path,
            format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sum}\nsize {size}\n"),
        );
    }

    /// A named pipe in the place of the file: whoever opens it to read blocks for ever.
    #[cfg(unix)]
    pub(crate) fn pipe(&self, path: &str) {
        let _ = fs::remove_file(self.file(path));
        let made = std::process::Command::new("mkfifo")
            .arg(self.file(path))
            .status()
            .expect("mkfifo runs");
        assert!(made.success());
    }

    #[cfg(unix)]
    pub(crate) fn link(&self, path: &str, to: impl AsRef<Path>) {
        let _ = fs::remove_file(self.file(path));
        std::os::unix::fs::symlink(to, self.file(path)).expect("a link");
    }
}

fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 8192,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": false,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.40.0",
    })
}

/// All tensors of the model.
pub(crate) fn tensors() -> Vec<Tensor> {
    let bf16 = |name: String, shape: &[u64]| Tensor::new(name, "BF16", shape);
    let mut tensors = vec![
        bf16("model.embed_tokens.weight".into(), &[VOCABULARY, HIDDEN]),
        bf16("model.norm.weight".into(), &[HIDDEN]),
        bf16("lm_head.weight".into(), &[VOCABULARY, HIDDEN]),
    ];
    for layer in 0..LAYERS {
        for (name, shape) in [
            ("self_attn.q_proj", &[HIDDEN, HIDDEN][..]),
            ("self_attn.k_proj", &[KEY_VALUE, HIDDEN]),
            ("self_attn.v_proj", &[KEY_VALUE, HIDDEN]),
            ("self_attn.o_proj", &[HIDDEN, HIDDEN]),
            ("mlp.gate_proj", &[INNER, HIDDEN]),
            ("mlp.up_proj", &[INNER, HIDDEN]),
            ("mlp.down_proj", &[HIDDEN, INNER]),
            ("input_layernorm", &[HIDDEN]),
            ("post_attention_layernorm", &[HIDDEN]),
        ] {
            tensors.push(bf16(format!("model.layers.{layer}.{name}.weight"), shape));
        }
    }
    tensors
}

/// The header of a file that holds these tensors one after the other.
pub(crate) fn header(tensors: &[Tensor]) -> Value {
    let mut header = Map::from_iter([("__metadata__".to_owned(), json!({"format": "pt"}))]);
    let mut at = 0;
    for tensor in tensors {
        let end = at + tensor.bytes();
        header.insert(
            tensor.name.clone(),
            json!({"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [at, end]}),
        );
        at = end;
    }
    Value::Object(header)
}

/// A policy file of this text, in a folder that has to be kept.
pub(crate) fn policy_file(text: &str) -> (Repo, String) {
    let repo = Repo::empty();
    repo.write("ours.toml", text);
    let path = repo.file("ours.toml").display().to_string();
    (repo, path)
}
