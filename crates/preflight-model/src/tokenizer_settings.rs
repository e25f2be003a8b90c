//! Settings that a tokenizer's class refuses, alone or for want of a file beside `tokenizer.json`.
//!
//! Each was seen to end `AutoTokenizer.from_pretrained` of transformers 4.55.4, and its neighbours to load.

use crate::checkpoint::Checkpoint;
use crate::fact::{Defect, Fact};
use crate::json::Cursor;
use crate::tokenizer;
use crate::wanted::TOKENIZER;

/// A setting and the file it stands in.
type Given<'a> = (&'static str, Cursor<'a>);

/// The settings of a tokenizer as the loader puts them together.
/// Source: `PreTrainedTokenizerBase._from_pretrained`,
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/tokenization_utils_base.py>
pub(crate) struct Settings<'a> {
    config: Option<Cursor<'a>>,
    map: Option<Cursor<'a>>,
}

impl<'a> Settings<'a> {
    pub(crate) fn of(checkpoint: &'a Checkpoint<'_>) -> Self {
        let config = checkpoint.tokenizer_config.known().map(|it| it.root());
        let map = checkpoint.special_tokens_map.known().map(|it| it.root());
        Self {
            map: map.filter(|_| checkpoint.opens_older_tokenizer_files()),
            config,
        }
    }

    /// A setting; what `special_tokens_map.json` says goes before.
    pub(crate) fn get(&self, key: &str) -> Option<Given<'a>> {
        let of = |path, root: &Option<Cursor<'a>>| Some((path, root.as_ref()?.get(key)?));
        of("special_tokens_map.json", &self.map)
            .or_else(|| of("tokenizer_config.json", &self.config))
    }

    fn is_set(&self, key: &str) -> bool {
        self.get(key).is_some_and(|(_, value)| !value.is_null())
    }

    fn is_true(&self, key: &str) -> Option<bool> {
        Some(is_true(&self.get(key)?.1))
    }
}

/// What Python takes for true.
fn is_true(value: &Cursor<'_>) -> bool {
    value.as_bool() == Some(true)
        || value.as_str().is_some_and(|text| !text.is_empty())
        || value.as_f64().is_some_and(|number| number.abs() > 0.0)
        || value.elements().next().is_some()
        || value.members().next().is_some()
}

/// What `class` of release 4 refuses.
pub(crate) fn refused(checkpoint: &Checkpoint<'_>, class: &str) -> Vec<Defect> {
    let settings = Settings::of(checkpoint);
    let mut refused = Vec::new();
    refused.extend(added_without_token(&settings, class));
    refused.extend(lacks_slow_files(checkpoint, &settings, class));
    refused
}

/// A token that is added to every text and is `null`.
/// Source: `update_post_processor`,
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/models/llama/tokenization_llama_fast.py>
/// and the other classes that have it.
fn added_without_token(settings: &Settings<'_>, class: &str) -> Option<Defect> {
    let adds_bos = match tokenizer::family(class) {
        "CodeLlama" | "Cohere" | "Gemma" | "Llama" => true,
        "GPTNeoX" => false,
        _ => return None,
    };
    // These set a token in another way.
    let (_, extra) = settings.get("extra_special_tokens").unzip();
    let missing = |token: &str, switch: &str, by_default: bool| {
        let (path, value) = settings.get(token).filter(|(_, value)| value.is_null())?;
        let is_elsewhere = extra.as_ref().is_some_and(|it| it.get(token).is_some());
        if is_elsewhere || !settings.is_true(switch).unwrap_or(by_default) {
            return None;
        }
        let message = format!(
            "`{token}` is `null`, and `{class}` adds it to every text: name the token or set `{switch}` to `false`"
        );
        Some(Defect::at(path, value.place(), message))
    };
    missing("bos_token", "add_bos_token", adds_bos)
        .or_else(|| missing("eos_token", "add_eos_token", false))
}

/// A setting that makes the class leave `tokenizer.json` alone and convert older files that are not there.
/// Source: `PreTrainedTokenizerFast.__init__`,
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/tokenization_utils_fast.py>,
/// and for `add_prefix_space` `LlamaTokenizerFast` and `T5TokenizerFast`.
fn lacks_slow_files(
    checkpoint: &Checkpoint<'_>,
    settings: &Settings<'_>,
    class: &str,
) -> Option<Defect> {
    checkpoint.first_file(&[TOKENIZER])?;
    let family = tokenizer::family(class);
    let from_slow = settings
        .get("from_slow")
        .filter(|(_, value)| is_true(value))
        .map(|given| ("from_slow", given));
    let prefix = settings
        .get("add_prefix_space")
        .filter(|(_, value)| !value.is_null() && matches!(family, "Llama" | "MT5" | "T5"))
        .map(|given| ("add_prefix_space", given));
    let no_file = settings
        .get("tokenizer_file")
        .filter(|(_, value)| value.is_null())
        .map(|given| ("tokenizer_file", given));
    let (key, (path, value)) = from_slow.or(prefix).or(no_file)?;
    let said = value.describe();
    let place = value.place();
    let is_missing = |path: &&&str| {
        checkpoint.has_file(path) == Some(false) && checkpoint.unknown_file(&[**path]).is_none()
    };
    match tokenizer::files_of_family(family) {
        // With this file, where it is missing, they return `False` and no error; others are not known.
        [] | ["sentencepiece.bpe.model"] => None,
        // These have no older form; one of tiktoken is read where `from_slow` does not ask for the class.
        [TOKENIZER] if key == "from_slow" || is_missing(&&"tokenizer.model") => {
            let message = format!(
                "`{key}` is {said}, so `{class}` leaves tokenizer.json alone, and it reads nothing else: remove the key"
            );
            (!settings.is_set("vocab_file")).then(|| Defect::at(path, place, message))
        }
        [TOKENIZER] => None,
        files => {
            let missing = files.iter().find(is_missing)?;
            if settings.is_set("vocab_file") || settings.is_set("merges_file") {
                return None;
            }
            let message = format!(
                "`{key}` is {said}, so `{class}` leaves tokenizer.json alone and reads `{missing}`, which is not in the repository: remove the key"
            );
            Some(Defect::at(path, place, message))
        }
    }
}

impl Checkpoint<'_> {
    /// Whether the loader opens `special_tokens_map.json` and `added_tokens.json`; where the tokens stand in
    /// the config it does not.
    pub(crate) fn opens_older_tokenizer_files(&self) -> bool {
        match &self.tokenizer_config {
            Fact::Known(document) => document.root().get("added_tokens_decoder").is_none(),
            Fact::Absent => true,
            Fact::Malformed(_) | Fact::Unavailable(_) => false,
        }
    }
}
