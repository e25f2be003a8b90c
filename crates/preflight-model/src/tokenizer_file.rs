//! What stands in `tokenizer.json`: whether the `tokenizers` library reads it, and its largest token.
//!
//! Each defect was seen to end `AutoTokenizer.from_pretrained` of transformers 4.55.4 with tokenizers
//! 0.21.4. The file may have 30 MB, so it is pulled through the reader and never held as a tree.

use crate::fact::{Defect, Fact};
use crate::json::{Error, Kind, Number, Reader, SERDE_DEPTH_MAX};
use crate::snapshot::{Content, Snapshot};
use crate::wanted::TOKENIZER;

/// Keys of the file; any other is refused.
/// Source: <https://github.com/huggingface/tokenizers/blob/v0.21.4/tokenizers/src/tokenizer/serialization.rs>
const KEYS: [&str; 9] = [
    "version",
    "truncation",
    "padding",
    "added_tokens",
    "normalizer",
    "pre_tokenizer",
    "post_processor",
    "decoder",
    "model",
];
/// Kinds of models.
/// Source: <https://github.com/huggingface/tokenizers/blob/v0.21.4/tokenizers/src/models/mod.rs>
const MODELS: [&str; 4] = ["BPE", "Unigram", "WordLevel", "WordPiece"];
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
}

/// The tokenizer.json of a snapshot; absent also where only its name and size are known.
pub(crate) fn read(snapshot: &Snapshot) -> Fact<TokenizerFile> {
    let file = snapshot
        .file(TOKENIZER)
        .filter(|file| !file.may_be_absent());
    match file.map(|file| &file.content) {
        Some(Content::Whole(text)) => whole(text),
        Some(Content::Prefix(text)) => match start(text) {
            Some(defect) => Fact::Malformed(defect),
            None => Fact::Absent,
        },
        Some(Content::Unavailable(why)) => Fact::Unavailable(format!("`{TOKENIZER}`: {why}")),
        _ => Fact::Absent,
    }
}

/// What the start of a file shows: that it is no JSON object.
fn start(text: &[u8]) -> Option<Defect> {
    let text = text.trim_ascii_start();
    let is_object = text.strip_prefix(b"{").is_some_and(|rest| {
        let rest = rest.trim_ascii_start();
        rest.is_empty() || rest.starts_with(b"\"")
    });
    (!is_object).then(|| not_json(text))
}

fn not_json(text: &[u8]) -> Defect {
    let what = if text.starts_with(b"<") {
        "a web page or XML"
    } else if text.starts_with(b"version https://git-lfs") {
        "a git-lfs pointer: fetch the file with `git lfs pull`"
    } else if text.starts_with(b"\x1f\x8b") {
        "a compressed file"
    } else {
        "no JSON object"
    };
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
    if [&b"<"[..], b"version https://git-lfs", b"\x1f\x8b"]
        .iter()
        .any(|start| trimmed.starts_with(start))
    {
        return Fact::Malformed(not_json(trimmed));
    }
    match parse(text) {
        Ok(found) => Fact::Known(found),
        Err(error) => {
            let what = format!("{TOKENIZER} cannot be read: ");
            Fact::unparsed(TOKENIZER, text, &what, &error)
        }
    }
}

fn parse(text: &[u8]) -> Result<TokenizerFile, Error> {
    let mut reader = Reader::new(text)?.no_deeper_than(SERDE_DEPTH_MAX);
    let mut found = TokenizerFile::default();
    let mut has_model = false;
    reader.object(|reader, key, _| {
        match &*key {
            "added_tokens" => {
                found.has_added_tokens = true;
                reader.array(|reader, _| added_token(reader, &mut found))
            }
            "model" => {
                has_model = true;
                model(reader, &mut found)
            }
            "version" => match reader.string()? {
                version if version == "1.0" => Ok(()),
                version => reader.error(format!("its version is `{version}`, not `1.0`")),
            },
            known if KEYS.contains(&known) => match reader.kind()? {
                Kind::Object | Kind::Null => reader.skip(),
                // `padding` and the like are an object or nothing.
                _ => reader.error(format!("`{known}` must be an object or `null`")),
            },
            _ => reader.error(format!("`{key}` is no part of a tokenizer")),
        }
    })?;
    let end = reader.offset();
    let wrong = |at, message: &str| Error {
        message: message.into(),
        at,
        is_bound: false,
    };
    if !reader.finish()?.is_empty() {
        let message =
            "a byte order mark or a comma before a closing bracket, which the loader refuses";
        return Err(wrong(0, message));
    }
    if !has_model {
        return Err(wrong(end, "it has no `model`"));
    }
    Ok(found)
}

/// A token's number, which has 32 bits.
fn number(reader: &mut Reader<'_>, found: &mut TokenizerFile) -> Result<u64, Error> {
    let wrong = "a token's number must be a whole number of at most 32 bits";
    if reader.kind()? != Kind::Number {
        return reader.error(wrong);
    }
    let Number::Int(value) = reader.number()? else {
        return reader.error(wrong);
    };
    let Ok(value) = u32::try_from(value) else {
        return reader.error(wrong);
    };
    let value = u64::from(value);
    found.largest = found.largest.max(Some(value));
    Ok(value)
}

fn added_token(reader: &mut Reader<'_>, found: &mut TokenizerFile) -> Result<(), Error> {
    let (mut id, mut content, mut switches) = (None, None, 0);
    reader.object(|reader, key, _| {
        match &*key {
            "id" => id = Some(number(reader, found)?),
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
            found.added.push((content, id));
            Ok(())
        }
        _ => reader.error("an added token lacks `id`, `content` or one of its five switches"),
    }
}

fn model(reader: &mut Reader<'_>, found: &mut TokenizerFile) -> Result<(), Error> {
    let (mut kind, mut has_vocab, mut has_merges, mut is_list) = (None, false, false, false);
    reader.object(|reader, key, _| {
        match &*key {
            "type" => {
                let name = reader.string()?;
                if !MODELS.contains(&&*name) {
                    return reader.error(format!(
                        "`{name}` is no kind of tokenizer: it must be one of `BPE`, `Unigram`, `WordLevel` and `WordPiece`"
                    ));
                }
                kind = Some(name.into_owned());
            }
            "vocab" => {
                has_vocab = true;
                if reader.kind()? == Kind::Object {
                    reader.object(|reader, _, _| number(reader, found).map(|_| ()))?;
                } else {
                    is_list = true;
                    reader.array(|reader, index| {
                        found.largest = found.largest.max(Some(index as u64));
                        reader.skip()
                    })?;
                }
            }
            "merges" => {
                has_merges = true;
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let kind = kind.as_deref();
    if !has_vocab {
        return reader.error("its `model` has no `vocab`");
    }
    if kind == Some("BPE") && !has_merges {
        return reader.error("its `model` has no `merges`");
    }
    if kind.is_some_and(|kind| (kind == "Unigram") != is_list) {
        return reader.error("its `vocab` has another form than the kind of its `model`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = r#"{"version": "1.0", "truncation": null, "added_tokens": [{"id": 5, "content": "<s>", "single_word": false,
        "lstrip": false, "rstrip": false, "normalized": false, "special": true}], "normalizer": null, "model": {"type": "BPE", "vocab": {"a": 0, "b": 7}, "merges": []}}"#;

    fn refused(text: &[u8]) -> String {
        match whole(text) {
            Fact::Malformed(defect) => defect.message,
            other => panic!("it is {other:?}"),
        }
    }

    #[test]
    fn a_sound_file_and_its_largest_token() {
        let found = parse(SOUND.as_bytes()).unwrap();
        assert_eq!(found.largest, Some(7));
        assert_eq!(found.added, [("<s>".to_owned(), 5)]);
        let unigram = br#"{"added_tokens": [], "model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0], ["b", -1]]}}"#;
        assert_eq!(parse(unigram).unwrap().largest, Some(1));
        assert!(parse(br#"{"model": {"vocab": {"a": 0}, "merges": []}}"#).is_ok());
    }

    #[test]
    fn what_the_library_refuses() {
        for (from, to, says) in [
            (
                "\"merges\": []}}",
                "\"merges\": []}",
                "before its last bracket",
            ),
            (
                "{\"version\"",
                "<!DOCTYPE html><html>{\"version\"",
                "a web page",
            ),
            ("{\"version\"", "\u{feff}{\"version\"", "byte order mark"),
            ("\"merges\": []}}", "\"merges\": []}}x", "something follows"),
            ("\"BPE\"", "\"Foo\"", "`Foo` is no kind of tokenizer"),
            ("\"BPE\"", "\"Unigram\"", "another form"),
            (", \"merges\": []", "", "no `merges`"),
            ("\"vocab\"", "\"vocabulary\"", "no `vocab`"),
            (
                "\"model\"",
                "\"modell\"",
                "`modell` is no part of a tokenizer",
            ),
            ("\"1.0\"", "\"2.0\"", "its version is `2.0`"),
            ("\"b\": 7", "\"b\": -1", "32 bits"),
            ("\"b\": 7", "\"b\": 4294967296", "32 bits"),
            ("\"b\": 7", "\"b\": 1.5", "32 bits"),
            (
                "\"special\": true",
                "\"other\": true",
                "one of its five switches",
            ),
            (
                "\"normalizer\": null",
                "\"normalizer\": []",
                "`normalizer` must be",
            ),
        ] {
            let text = SOUND.replacen(from, to, 1);
            let message = refused(text.as_bytes());
            assert!(message.contains(says), "{says}: {message}");
        }
        for (text, says) in [
            ("{}", "no `model`"),
            (" ", "is empty"),
            ("[]", "an object was expected"),
            (
                "version https://git-lfs.github.com/spec/v1\n",
                "git lfs pull",
            ),
        ] {
            assert!(refused(text.as_bytes()).contains(says), "{text}");
        }
        assert!(refused(b"{\"a\xe9\": 1}").contains("UTF-8"));
        let deep = format!("{{\"decoder\": {}", "{\"a\": ".repeat(200));
        assert!(refused(deep.as_bytes()).contains("deeper than 127"));
    }

    #[test]
    fn the_start_alone_shows_only_what_is_no_object() {
        for text in ["{", "{\n  \"version\": \"1.0\"", " {\"model\": {"] {
            assert_eq!(start(text.as_bytes()), None, "{text}");
        }
        for text in ["<html>", "[]", "{}", "", "\u{feff}{\"", "\u{1f}\u{8b}"] {
            assert!(start(text.as_bytes()).is_some(), "{text}");
        }
    }
}
