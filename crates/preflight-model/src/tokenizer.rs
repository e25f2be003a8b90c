//! Whether the repository brings a tokenizer, and whether a release can load it.

use crate::checkpoint::Checkpoint;
use crate::fact::Fact;
use crate::release::{self, Release, Since};

/// Files that hold a vocabulary, each enough by itself or with the file beside it.
/// Source: `VOCAB_FILES_NAMES` of the tokenizers of
/// <https://github.com/huggingface/transformers/tree/v4.55.4/src/transformers/models>
const VOCABULARY_FILES: [&str; 11] = [
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "spm.model",
    "source.spm",
    "prophetnet.tokenizer",
    "vocab-src.json",
];

/// The tokenizer of a repository, as a release sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tokenizer {
    /// The vocabulary file, where there is one; unavailable where the listing is.
    pub vocabulary: Fact<String>,
    /// The class that decides, and what the release knows of it.
    pub class: Class,
}

/// The tokenizer class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// Named nowhere and not needed: the model type has its own.
    ByModelType,
    /// Named nowhere, and the model type has none.
    Nowhere,
    /// Named and known to the release.
    Known(String),
    /// Named and known only since a later release.
    Later(String, Since),
    /// Named and known to no release: it is the repository's own code.
    Foreign(String),
    /// The file that would name it could not be read.
    Unread(String),
}

/// Reads the tokenizer of a checkpoint.
pub fn tokenizer(checkpoint: &Checkpoint<'_>, release: Release) -> Tokenizer {
    let vocabulary = checkpoint.snapshot.files.as_ref().and_then(|files| {
        let found = checkpoint.first_file(&VOCABULARY_FILES).map(str::to_owned);
        let tiktoken = || {
            files
                .iter()
                .map(|file| &file.path)
                .find(|path| path.ends_with(".tiktoken") && !path.contains('/'))
                .cloned()
        };
        match (
            found.or_else(tiktoken),
            checkpoint.unknown_file(&VOCABULARY_FILES),
        ) {
            (Some(path), _) => Fact::Known(path),
            (None, Some(why)) => Fact::Unavailable(why),
            (None, None) => Fact::Absent,
        }
    });
    Tokenizer {
        vocabulary,
        class: class(checkpoint, release),
    }
}

fn class(checkpoint: &Checkpoint<'_>, release: Release) -> Class {
    if let Fact::Unavailable(why) = &checkpoint.tokenizer_config {
        return Class::Unread(why.clone());
    }
    let config = checkpoint.config.known();
    let named = checkpoint.tokenizer_class().or_else(|| {
        let root = config?.root();
        root.get_set("tokenizer_class")?.as_str()
    });
    let Some(name) = named else {
        let model_type = config.and_then(|config| config.model_type());
        return match model_type {
            Some(model_type) if release::tokenizer_for(release, model_type) => Class::ByModelType,
            _ => Class::Nowhere,
        };
    };
    if release::tokenizer_class_known(release, name) {
        Class::Known(name.into())
    } else {
        match release::tokenizer_class_since(name) {
            Some(since) => Class::Later(name.into(), since),
            None => Class::Foreign(name.into()),
        }
    }
}
