//! What stands in `tokenizer.json`: whether the `tokenizers` library reads it, and its largest token.
//!
//! Each defect was seen to end `AutoTokenizer.from_pretrained` of transformers 4.55.4 with tokenizers
//! 0.21.4. The file may have 30 MB, so it is pulled through the reader; only its small parts become trees.

mod kinds;
mod model;
mod parts;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use self::parts::Role;
use crate::fact::{Defect, Fact};
use crate::instead::instead;
use crate::json::{Error, Kind, Number, Place, Reader, SERDE_DEPTH_MAX};
use crate::snapshot::{Content, Snapshot};
use crate::wanted::TOKENIZER;
use crate::weights;

/// Switches that every added token has.
const SWITCHES: [&str; 5] = ["single_word", "lstrip", "rstrip", "normalized", "special"];

/// A `tokenizer.json` that the library reads, as far as we read it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenizerFile {
    /// Added tokens and their numbers.
    pub added: Vec<(String, u64)>,
    /// The largest number of a token; none where only the start of the file was read.
    pub largest: Option<u64>,
    /// Whether it lists added tokens at all.
    pub has_added_tokens: bool,
    /// Hashes of the tokens of the vocabulary; none where they were not kept.
    vocabulary: Option<HashSet<u64>>,
}

impl TokenizerFile {
    /// The least number that the library gives to a token that it is told to add; none where it may have it.
    /// It counts the added tokens of the file anew too, whatever their `id` says (run with tokenizers 0.21.4).
    /// Source: `AddedVocabulary::add_tokens`,
    /// <https://github.com/huggingface/tokenizers/blob/v0.21.4/tokenizers/src/tokenizer/added_vocabulary.rs>
    pub(crate) fn next_number(&self, text: &str) -> Option<u64> {
        let vocabulary = self.vocabulary.as_ref()?;
        let has = |text: &str| vocabulary.contains(&model::hash(text));
        let is_added = self.added.iter().any(|(content, _)| content == text);
        if text.is_empty() || is_added || has(text) {
            return None;
        }
        let added = self.added.iter().map(|(content, _)| content.as_str());
        let new: HashSet<&str> = added.filter(|it| !it.is_empty() && !has(it)).collect();
        u64::try_from(vocabulary.len() + new.len()).ok()
    }
}

/// The tokenizer.json of a snapshot; absent also where only its name and size are known.
pub(crate) fn read(snapshot: &Snapshot) -> Fact<TokenizerFile> {
    let file = snapshot
        .file(TOKENIZER)
        .filter(|file| !file.may_be_absent());
    match file.map(|file| &file.content) {
        Some(Content::Whole(text)) => whole(text),
        Some(Content::Prefix(text)) => start(text).map_or(Fact::Absent, Fact::Malformed),
        Some(Content::Listed) | None => Fact::Absent,
        Some(_) => weights::content(snapshot, TOKENIZER).map(|_| TokenizerFile::default()),
    }
}

/// What the start of a file shows: that it is no JSON object, or that the library refuses a part of it.
fn start(text: &[u8]) -> Option<Defect> {
    let trimmed = text.trim_ascii_start();
    let is_object = trimmed.strip_prefix(b"{").is_some_and(|rest| {
        let rest = rest.trim_ascii_start();
        rest.is_empty() || rest.starts_with(b"\"")
    });
    if !is_object {
        return Some(not_json(trimmed));
    }
    // The end may cut a character; what is no UTF-8 before is left to those who read it whole.
    let whole_characters = match std::str::from_utf8(text) {
        Ok(_) => text,
        Err(error) => text.get(..error.valid_up_to()).unwrap_or_default(),
    };
    let mut reading = Reading::new(whole_characters);
    // It ends with an error in any case; only what the library refuses in what is there counts.
    let _ = reading.file();
    let refused = reading.refused?;
    Some(Defect::at(
        TOKENIZER,
        Place::of_offset(text, refused.at, ""),
        format!("{TOKENIZER} cannot be read: {}", refused.message),
    ))
}

fn not_json(text: &[u8]) -> Defect {
    let what = instead(text).unwrap_or("no JSON object");
    Defect::of_file(TOKENIZER, format!("`{TOKENIZER}` holds {what}"))
}

fn whole(text: &[u8]) -> Fact<TokenizerFile> {
    let trimmed = text.trim_ascii_start();
    if trimmed.is_empty() {
        return Fact::Malformed(Defect::of_file(
            TOKENIZER,
            format!("`{TOKENIZER}` is empty"),
        ));
    }
    if instead(trimmed).is_some() {
        return Fact::Malformed(not_json(trimmed));
    }
    let mut reading = Reading::new(text);
    match reading.file() {
        Ok(()) => Fact::Known(reading.found),
        Err(error) => {
            let what = format!("{TOKENIZER} cannot be read: ");
            Fact::unparsed(TOKENIZER, text, &what, &error)
        }
    }
}

/// A file that is being read.
struct Reading<'a> {
    text: &'a [u8],
    found: TokenizerFile,
    /// What the library refuses, wherever the text ends.
    refused: Option<Error>,
}

impl<'a> Reading<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            found: TokenizerFile::default(),
            refused: None,
        }
    }

    /// Ends the reading: the library refuses what stands at this byte.
    fn refuse<T>(&mut self, at: usize, message: impl Into<String>) -> Result<T, Error> {
        let error = Error {
            message: message.into(),
            at,
            is_bound: false,
        };
        self.refused.get_or_insert_with(|| error.clone());
        Err(error)
    }

    fn file(&mut self) -> Result<(), Error> {
        let mut reader = Reader::new(self.text)?.no_deeper_than(SERDE_DEPTH_MAX);
        let mut has_model = false;
        reader.object(|reader, key, at| match &*key {
            "added_tokens" => {
                self.found.has_added_tokens = true;
                reader.array(|reader, _| added_token(self, reader))
            }
            "model" => {
                has_model = true;
                model::read(self, reader)
            }
            "version" => {
                let at = reader.offset();
                match reader.string()? {
                    version if version == "1.0" => Ok(()),
                    version => {
                        let version: String = version.chars().take(60).collect();
                        self.refuse(at, format!("its version is `{version}`, not `1.0`"))
                    }
                }
            }
            key => {
                let Some(role) = Role::of_key(key) else {
                    let key: String = key.chars().take(60).collect();
                    return self.refuse(at, format!("`{key}` is no part of a tokenizer"));
                };
                match role.read(key, self.text, reader)? {
                    Some((at, problem)) => self.refuse(at, problem),
                    None => Ok(()),
                }
            }
        })?;
        let end = reader.offset();
        if let Some(at) = reader.python_only() {
            let message = "the library reads no `NaN`, no infinity and no half of a surrogate pair";
            return self.refuse(at, message);
        }
        if !reader.finish()?.is_empty() {
            let message =
                "a byte order mark or a comma before a closing bracket, which the loader refuses";
            return self.refuse(0, message);
        }
        if !has_model {
            return self.refuse(end, "it has no `model`");
        }
        Ok(())
    }
}

/// A token's number, which has 32 bits.
fn number(reading: &mut Reading<'_>, reader: &mut Reader<'_>) -> Result<u64, Error> {
    let wrong = "a token's number must be a whole number of at most 32 bits";
    let at = reader.offset();
    if reader.kind()? != Kind::Number {
        return reading.refuse(at, wrong);
    }
    let value = match reader.number()? {
        Number::Int(value) => u32::try_from(value).ok(),
        _ => None,
    };
    let Some(value) = value.map(u64::from) else {
        return reading.refuse(at, wrong);
    };
    reading.found.largest = reading.found.largest.max(Some(value));
    Ok(value)
}

fn added_token(reading: &mut Reading<'_>, reader: &mut Reader<'_>) -> Result<(), Error> {
    let (mut id, mut content, mut switches) = (None, None, 0);
    reader.object(|reader, key, _| {
        match &*key {
            "id" => id = Some(number(reading, reader)?),
            "content" => content = Some(reader.string()?.into_owned()),
            name if SWITCHES.contains(&name) => {
                reader.bool()?;
                switches += 1;
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    match (id, content) {
        (Some(id), Some(content)) if switches >= SWITCHES.len() => {
            reading.found.added.push((content, id));
            Ok(())
        }
        _ => {
            let message = "an added token lacks `id`, `content` or one of its five switches";
            reading.refuse(reader.offset(), message)
        }
    }
}
