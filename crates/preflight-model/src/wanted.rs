//! Which files a check needs, and how much of each.

use crate::snapshot::{Content, File, Snapshot};

/// Most bytes of a JSON file that are read. The largest `tokenizer_config.json` in circulation has
/// about 2 MB, a config.json rarely 100 kB.
pub const JSON_BYTES_MAX: u64 = 16 << 20;
/// Most bytes of a weight index: the limit of the Hub's own reader
/// (<https://github.com/huggingface/huggingface.js/blob/main/packages/hub/src/lib/parse-safetensors-metadata.ts>).
pub const INDEX_BYTES_MAX: u64 = 250 << 20;
/// Most bytes of all headers of one model together.
pub const HEADERS_BYTES_MAX: u64 = 512 << 20;

/// Name of the weight index.
pub const INDEX: &str = "model.safetensors.index.json";
/// Name of the index of a sharded pickle.
pub const PYTORCH_INDEX: &str = "pytorch_model.bin.index.json";
/// Name of the only weight file of a model that is not sharded.
pub const SINGLE: &str = "model.safetensors";
/// Name of the tokenizer's file; much of it is vocabulary.
pub const TOKENIZER: &str = "tokenizer.json";
/// Most bytes of it that are read whole where bytes cost nothing: the largest in circulation has 34 MB.
pub const TOKENIZER_BYTES_MAX: u64 = 40 << 20;
/// Bytes of a larger one that are read from a remote place: a broken download, a web page or an empty object
/// is smaller or shows itself at the start, most parts stand before the vocabulary, and that is not worth
/// its bytes.
pub const TOKENIZER_START_BYTES: u64 = 4 << 10;
/// Most bytes of it that are read whole from a remote place: more than a vocabulary of characters has, and
/// less than that of any language model in circulation.
pub const TOKENIZER_REMOTE_BYTES_MAX: u64 = 256 << 10;
/// Other files of a vocabulary, at the root: their first bytes show a git-lfs pointer or a web page.
pub const VOCABULARIES: [&str; 9] = [
    "merges.txt",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "source.spm",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
];
/// Bytes of each that are read.
pub const VOCABULARY_START_BYTES: u64 = 512;
/// Largest of them whose start is read from a remote place: what stands in the place of a vocabulary is smaller.
pub const VOCABULARY_REMOTE_BYTES_MAX: u64 = 64 << 10;
/// Name of the weight file of an adapter.
pub const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";

/// Small files that are read whole, where they are there. All stand at the root.
pub const WHOLE: [&str; 14] = [
    "adapter_config.json",
    "added_tokens.json",
    "chat_template.json",
    "config.json",
    "config_sentence_transformers.json",
    "generation_config.json",
    "hf_quant_config.json",
    INDEX,
    "modules.json",
    "preprocessor_config.json",
    PYTORCH_INDEX,
    "quantize_config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
];

/// How many bytes of a file in [`WHOLE`] are read at most.
pub fn bytes_max(path: &str) -> u64 {
    if path == INDEX || path == PYTORCH_INDEX {
        INDEX_BYTES_MAX
    } else {
        JSON_BYTES_MAX
    }
}

/// Whether the header of this file is read: weights at the root that a loader could open. Files for
/// other programs (`consolidated*`) and in subfolders are never opened.
pub fn has_wanted_header(path: &str) -> bool {
    path.ends_with(".safetensors") && !path.contains('/') && !path.starts_with("consolidated")
}

/// Whether a file has to be read at all.
pub fn is_wanted(path: &str) -> bool {
    WHOLE.contains(&path) || has_wanted_header(path)
}

/// Files of `snapshot` that are wanted and were not read, with the reason.
pub fn unread(snapshot: &Snapshot) -> impl Iterator<Item = &File> {
    let files = snapshot.files.known().map_or(&[][..], Vec::as_slice);
    files.iter().filter(|file| {
        is_wanted(&file.path) && !matches!(file.content, Content::Whole(_) | Content::Prefix(_))
    })
}
