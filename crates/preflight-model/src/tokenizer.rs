//! Whether the repository brings a tokenizer, and whether a release can load it.

use crate::checkpoint::Checkpoint;
use crate::fact::{Defect, Fact};
use crate::instead::instead;
use crate::release::{self, Release, Since};
use crate::snapshot::Content;
use crate::tokenizer_numbers::{self, NumberedToken};
use crate::tokenizer_settings;
use crate::wanted::TOKENIZER;
use crate::weights;

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
    /// The vocabulary file, where there is one that the class can read; unavailable where the listing is.
    pub vocabulary: Fact<String>,
    /// The class that decides, and what the release knows of it.
    pub class: Class,
    /// Settings that end the loading of this class.
    pub refused: Vec<Defect>,
    /// The tokens that batches are made with and their numbers, where both are told.
    pub numbered: Vec<NumberedToken>,
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

/// What tokenizer classes read where there is no `tokenizer.json`: their names without `Tokenizer` and
/// `Fast`, and the files, all of them.
/// Source: `vocab_files_names` of each class,
/// <https://github.com/huggingface/transformers/tree/v4.55.4/src/transformers/models>
const FILES_OF: [(&[&str], &[&str]); 6] = [
    (&["CodeLlama", "Gemma", "Llama"], &["tokenizer.model"]),
    (&["Albert", "MT5", "T5", "XLNet"], &["spiece.model"]),
    (
        &["Barthez", "Camembert", "MBart", "XLMRoberta"],
        &["sentencepiece.bpe.model"],
    ),
    (
        &["Bart", "CodeGen", "GPT2", "Qwen2", "Roberta"],
        &["vocab.json", "merges.txt"],
    ),
    (&["Bert", "DistilBert", "Electra"], &["vocab.txt"]),
    // These have no form of their own beside it.
    (
        &["Bloom", "Cohere", "GPTNeoX", "PreTrained"],
        &["tokenizer.json"],
    ),
];

/// Reads the tokenizer of a checkpoint.
pub fn tokenizer(checkpoint: &Checkpoint<'_>, release: Release) -> Tokenizer {
    let class = class(checkpoint, release);
    // Release 5 has other classes under these names.
    let of_release_4 = name_of(checkpoint, release, &class).filter(|_| release.major() == 4);
    let refused = of_release_4.map_or_else(Vec::new, |name| {
        tokenizer_settings::refused(checkpoint, name)
    });
    Tokenizer {
        vocabulary: vocabulary(checkpoint, &class),
        refused,
        numbered: tokenizer_numbers::numbered(checkpoint, of_release_4),
        class,
    }
}

/// The class that loads the tokenizer, where it is known.
fn name_of<'c>(checkpoint: &Checkpoint<'_>, release: Release, class: &'c Class) -> Option<&'c str> {
    match class {
        Class::Known(name) => Some(name),
        Class::ByModelType => {
            let model_type = checkpoint.config.known()?.model_type()?;
            release::tokenizer_class_for(release, model_type)
        }
        _ => None,
    }
}

fn vocabulary(checkpoint: &Checkpoint<'_>, class: &Class) -> Fact<String> {
    let files = match &checkpoint.snapshot.files {
        Fact::Known(files) => files,
        other => return other.as_ref().map(|_| String::new()),
    };
    let found = checkpoint.first_file(&VOCABULARY_FILES).map(str::to_owned);
    let tiktoken = || {
        files
            .iter()
            .map(|file| &file.path)
            .find(|path| path.ends_with(".tiktoken") && !path.contains('/'))
            .cloned()
    };
    let Some(path) = found.or_else(tiktoken) else {
        let unknown = checkpoint.unknown_file(&VOCABULARY_FILES);
        return unknown.map_or(Fact::Absent, Fact::Unavailable);
    };
    if let Some(defect) = missing_file(checkpoint, class, &path) {
        return defect;
    }
    let size = checkpoint.snapshot.file(&path).and_then(|file| file.size);
    if size == Some(0) {
        return Fact::Malformed(Defect::of_file(&path, format!("`{path}` is empty")));
    }
    // `tokenizer.json` goes before all others, and is read by its own reader.
    if path == TOKENIZER {
        return Fact::Known(path);
    }
    let beside = files_of(class)
        .iter()
        .find_map(|path| not_a_vocabulary(checkpoint, path));
    not_a_vocabulary(checkpoint, &path)
        .or(beside)
        .unwrap_or(Fact::Known(path))
}

/// What the first bytes of a vocabulary show, where it is none or they could not be read.
fn not_a_vocabulary(checkpoint: &Checkpoint<'_>, path: &str) -> Option<Fact<String>> {
    let file = checkpoint.snapshot.file(path)?;
    let start = match &file.content {
        Content::Listed => return None,
        Content::Whole(start) | Content::Prefix(start) => start,
        _ => return Some(weights::content(checkpoint.snapshot, path).map(|_| path.to_owned())),
    };
    let first = start.trim_ascii_start().first().copied();
    let ending = path.rsplit('.').next();
    let is_json = ending == Some("json");
    let is_sentencepiece = matches!(ending, Some("model" | "spm"));
    let what = match (instead(start), first) {
        (Some(what), _) => what,
        (None, Some(first)) if is_json && first != b'{' => "no JSON object",
        // Not the start of a protocol buffer, nor of a list of tokens in base64.
        (None, Some(b'<' | b'{' | b'[')) if is_sentencepiece => "text and no tokenizer model",
        _ => return None,
    };
    Some(Fact::Malformed(Defect::of_file(
        path,
        format!("`{path}` holds {what}"),
    )))
}

/// What a class reads where there is no `tokenizer.json`, where that is known.
fn files_of(class: &Class) -> &'static [&'static str] {
    let Class::Known(name) = class else {
        return &[];
    };
    files_of_family(family(name))
}

/// The name of a class without `Tokenizer` and `Fast`.
pub(crate) fn family(class: &str) -> &str {
    let class = class.strip_suffix("Fast").unwrap_or(class);
    class.strip_suffix("Tokenizer").unwrap_or(class)
}

pub(crate) fn files_of_family(family: &str) -> &'static [&'static str] {
    FILES_OF
        .iter()
        .find(|(names, _)| names.contains(&family))
        .map_or(&[], |(_, files)| files)
}

/// A file that the class reads and the repository lacks.
fn missing_file(checkpoint: &Checkpoint<'_>, class: &Class, found: &str) -> Option<Fact<String>> {
    let Class::Known(name) = class else {
        return None;
    };
    if found == TOKENIZER {
        return None;
    }
    let missing = files_of(class)
        .iter()
        .find(|path| checkpoint.first_file(&[**path]).is_none())?;
    Some(match checkpoint.unknown_file(&[*missing]) {
        Some(why) => Fact::Unavailable(why),
        None => Fact::Malformed(Defect::of_file(
            found,
            format!("`{name}` reads `{missing}`, which is not in the repository (`{found}` is)"),
        )),
    })
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
