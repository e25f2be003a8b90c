//! The `model` of a `tokenizer.json`: its vocabulary, and merges of tokens that are there.
//!
//! Source: `src/models` of <https://github.com/huggingface/tokenizers/tree/v0.21.4/tokenizers>; 0.22.2 reads the same.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher as _};
use std::ops::Range;

use super::parts::{Field, Role, Want, may, must};
use super::{Reading, number};
use crate::json::{Document, Error, Kind, Reader};

/// Most tokens whose merges are looked into, in some 40 MB: the largest vocabularies have 262,144.
const TOKENS_MAX: usize = 1 << 20;
/// Longest text of a setting; they are names and switches.
const SETTING_BYTES_MAX: usize = 64 << 10;

/// A kind of model: its name and its settings.
type Settings = (&'static str, &'static [Field]);

/// Without a `type`, the first whose settings fit is taken.
const MODELS: [Settings; 4] = [
    (
        "BPE",
        &[
            may("dropout", Want::ShareOrNull),
            may("unk_token", Want::TextOrNull),
            may("continuing_subword_prefix", Want::TextOrNull),
            may("end_of_word_suffix", Want::TextOrNull),
            may("fuse_unk", Want::BoolOrNull),
            may("byte_fallback", Want::BoolOrNull),
            may("ignore_merges", Want::BoolOrNull),
        ],
    ),
    (
        "WordPiece",
        &[
            must("unk_token", Want::Text),
            must("continuing_subword_prefix", Want::Text),
            must("max_input_chars_per_word", Want::Whole),
        ],
    ),
    ("WordLevel", &[must("unk_token", Want::Text)]),
    (
        "Unigram",
        &[
            may("unk_id", Want::WholeOrNull),
            may("byte_fallback", Want::Bool),
        ],
    ),
];

/// What was met of a model.
#[derive(Default)]
struct Model {
    kind: Option<String>,
    settings: Vec<(String, Document)>,
    vocabulary: Option<Vocabulary>,
    merges: Option<Merges>,
}

/// The merges of a model.
struct Merges {
    /// Where they stand.
    range: Range<usize>,
    /// What is wrong with one of them, where they were held against the vocabulary and this prefix.
    checked: Option<(String, Option<Problem>)>,
}

/// What is wrong, and at which byte.
type Problem = (usize, String);
/// The two tokens of a merge.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

enum Vocabulary {
    /// Tokens with their numbers; their hashes, unless there are more than we keep.
    Map(Option<HashSet<u64>>),
    /// Tokens with their scores.
    List { count: u64 },
}

/// Reads the value of `model`.
pub(super) fn read(reading: &mut Reading<'_>, reader: &mut Reader<'_>) -> Result<(), Error> {
    let mut model = Model::default();
    reader.object(|reader, key, _| match &*key {
        "type" => {
            let at = reader.offset();
            let name = reader.string()?;
            if !MODELS.iter().any(|(known, _)| *known == name) {
                let name: String = name.chars().take(60).collect();
                return reading.refuse(at, format!(
                    "`{name}` is no kind of tokenizer: it must be one of `BPE`, `Unigram`, `WordLevel` and `WordPiece`"
                ));
            }
            model.kind = Some(name.into_owned());
            Ok(())
        }
        "vocab" => {
            model.vocabulary = Some(vocabulary(reading, reader)?);
            // Of two equal keys the later counts.
            if let Some(merges) = &mut model.merges {
                merges.checked = None;
            }
            Ok(())
        }
        "merges" => {
            let start = reader.offset();
            let checked = if let Some(Vocabulary::Map(Some(tokens))) = &model.vocabulary {
                let prefix = model.prefix().to_owned();
                let problem = merges(reader, tokens, &prefix)?;
                Some((prefix, problem))
            } else {
                reader.skip()?;
                None
            };
            let range = start..reader.offset();
            model.merges = Some(Merges { range, checked });
            Ok(())
        }
        key if MODELS.iter().any(|(_, fields)| fields.iter().any(|field| field.name() == key)) => {
            let start = reader.offset();
            reader.skip()?;
            let text = reading.text.get(start..reader.offset()).unwrap_or_default();
            if text.len() > SETTING_BYTES_MAX {
                return reader.beyond(format!("a setting of more than {SETTING_BYTES_MAX} bytes"));
            }
            // Of two equal keys the later.
            model.settings.retain(|(known, _)| known != key);
            model.settings.push((key.to_owned(), Document::parse(text)?));
            Ok(())
        }
        _ => reader.skip(),
    })?;
    let at = reader.offset();
    judge(&model, reading, at)?;
    if let Some(Vocabulary::Map(tokens)) = model.vocabulary {
        reading.found.vocabulary = tokens;
    }
    Ok(())
}

fn vocabulary(reading: &mut Reading<'_>, reader: &mut Reader<'_>) -> Result<Vocabulary, Error> {
    if reader.kind()? == Kind::Object {
        let mut tokens = Some(HashSet::new());
        reader.object(|reader, token, _| {
            if let Some(known) = &mut tokens {
                known.insert(hash(&token));
            }
            tokens = tokens.take().filter(|known| known.len() <= TOKENS_MAX);
            number(reading, reader).map(drop)
        })?;
        return Ok(Vocabulary::Map(tokens));
    }
    let mut count = 0;
    reader.array(|reader, _| {
        let largest = &mut reading.found.largest;
        *largest = (*largest).max(Some(count));
        count += 1;
        let at = reader.offset();
        let (mut has_text, mut has_score) = (false, false);
        if reader.kind()? != Kind::Array {
            return reading.refuse(at, "an element of `vocab` must be a token and its score");
        }
        reader.array(|reader, index| {
            match (index, reader.kind()?) {
                (0, Kind::String) => has_text = true,
                (1, Kind::Number) => has_score = true,
                _ => has_score = false,
            }
            reader.skip()
        })?;
        if has_text && has_score {
            Ok(())
        } else {
            reading.refuse(at, "an element of `vocab` must be a token and its score")
        }
    })?;
    Ok(Vocabulary::List { count })
}

fn judge(model: &Model, reading: &mut Reading<'_>, at: usize) -> Result<(), Error> {
    let Some(vocabulary) = &model.vocabulary else {
        return reading.refuse(at, "its `model` has no `vocab`");
    };
    if let Some(problem) = model.problem(vocabulary) {
        return reading.refuse(at, problem);
    }
    let is_bpe = model.kind.as_ref().is_none_or(|kind| kind == "BPE");
    let Some(merges) = model.merges.as_ref().filter(|_| is_bpe) else {
        return Ok(());
    };
    match vocabulary {
        Vocabulary::Map(Some(tokens)) => {
            match merges.problem(reading.text, tokens, model.prefix())? {
                Some((at, message)) => reading.refuse(at, message),
                None => Ok(()),
            }
        }
        Vocabulary::Map(None) => Err(Error {
            message: format!("a vocabulary of more than {TOKENS_MAX} tokens"),
            at: merges.range.start,
            is_bound: true,
        }),
        Vocabulary::List { .. } => Ok(()),
    }
}

impl Merges {
    /// What was found when they were met, or is found now, where the vocabulary or the prefix came later.
    fn problem(
        &self,
        text: &[u8],
        tokens: &HashSet<u64>,
        prefix: &str,
    ) -> Result<Option<Problem>, Error> {
        if let Some((_, problem)) = self.checked.as_ref().filter(|(known, _)| known == prefix) {
            return Ok(problem.clone());
        }
        let start = self.range.start;
        let text = text.get(self.range.clone()).unwrap_or_default();
        let read = Reader::new(text).and_then(|mut reader| merges(&mut reader, tokens, prefix));
        match read {
            Ok(problem) => Ok(problem.map(|(at, message)| (start + at, message))),
            Err(error) => Err(Error {
                at: start + error.at,
                ..error
            }),
        }
    }
}

impl Model {
    fn setting(&self, name: &str) -> Option<&Document> {
        let mut found = self.settings.iter();
        found.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// What stands in front of tokens inside a word; a merge leaves it out of its second token.
    fn prefix(&self) -> &str {
        let prefix = self.setting("continuing_subword_prefix");
        prefix
            .and_then(|prefix| prefix.root().as_str())
            .unwrap_or_default()
    }

    /// What is wrong beside the merges.
    fn problem(&self, vocabulary: &Vocabulary) -> Option<String> {
        let is_list = matches!(vocabulary, Vocabulary::List { .. });
        let lacks_merges = |kind: &str| kind == "BPE" && self.merges.is_none();
        let suits = |kind: &str| (kind == "Unigram") == is_list;
        if let Some(kind) = &self.kind {
            return if lacks_merges(kind) {
                Some("its `model` has no `merges`".into())
            } else if !suits(kind) {
                Some("its `vocab` has another form than the kind of its `model`".into())
            } else {
                self.wrong_setting(kind, vocabulary)
                    .map(|problem| format!("its `model`: {problem}"))
            };
        }
        // The library tries one kind after the other.
        let fits = |kind: &str| {
            suits(kind) && !lacks_merges(kind) && self.wrong_setting(kind, vocabulary).is_none()
        };
        (!MODELS.iter().any(|(kind, _)| fits(kind)))
            .then(|| "its `model` has no `type` and suits none".into())
    }

    fn wrong_setting(&self, kind: &str, vocabulary: &Vocabulary) -> Option<String> {
        let (_, fields) = MODELS.iter().find(|(name, _)| *name == kind)?;
        let of_field = |field: &Field| {
            let value = self.setting(field.name()).map(Document::root);
            field.problem(value.as_ref(), Role::Settings(fields))
        };
        fields.iter().find_map(of_field).or_else(|| {
            let Vocabulary::List { count } = vocabulary else {
                return None;
            };
            let unknown = self.setting("unk_id")?.root().as_u64()?;
            (unknown >= *count)
                .then(|| format!("`unk_id` is {unknown}, and its `vocab` has {count} tokens"))
        })
    }
}

/// Holds every merge against the vocabulary: both tokens and what they make must be there.
fn merges(
    reader: &mut Reader<'_>,
    tokens: &HashSet<u64>,
    prefix: &str,
) -> Result<Option<Problem>, Error> {
    let start = reader.offset();
    if reader.kind()? != Kind::Array {
        reader.skip()?;
        return Ok(Some((
            start,
            "`merges` of its `model` must be a list".into(),
        )));
    }
    let mut joined = String::new();
    let mut form = None;
    let mut problem: Option<Problem> = None;
    reader.array(|reader, _| {
        let at = reader.offset();
        let kind = reader.kind()?;
        let found = if *form.get_or_insert(kind) == kind {
            merge(reader, kind, tokens, prefix, &mut joined)?
        } else {
            reader.skip()?;
            Some("`merges` must be texts, or lists of two texts".into())
        };
        if let Some(message) = found {
            problem.get_or_insert((at, message));
        }
        Ok(())
    })?;
    Ok(problem)
}

/// What is wrong with one merge. `joined` is room for the token that it makes.
fn merge(
    reader: &mut Reader<'_>,
    kind: Kind,
    tokens: &HashSet<u64>,
    prefix: &str,
    joined: &mut String,
) -> Result<Option<String>, Error> {
    let line;
    let (first, second) = match kind {
        Kind::String => {
            line = reader.string()?;
            if line.starts_with("#version") {
                return Ok(None);
            }
            let parts = line.split_once(' ');
            let Some((first, second)) = parts.filter(|(_, second)| !second.contains(' ')) else {
                let line = short(&line);
                return Ok(Some(format!(
                    "the merge `{line}` is not two tokens with a space between"
                )));
            };
            (Cow::Borrowed(first), Cow::Borrowed(second))
        }
        Kind::Array => match pair(reader)? {
            Some(pair) => pair,
            None => return Ok(Some("a merge must be a list of two texts".into())),
        },
        _ => {
            reader.skip()?;
            return Ok(Some(
                "a merge must be a text, or a list of two texts".into(),
            ));
        }
    };
    joined.clear();
    joined.push_str(&first);
    // The library ends where the second token is shorter than the prefix.
    let Some(rest) = second.get(prefix.len()..) else {
        let second = short(&second);
        return Ok(Some(format!(
            "the merge with `{second}` leaves nothing of it after the prefix `{}`",
            short(prefix)
        )));
    };
    joined.push_str(rest);
    let needed = [&*first, &*second, joined.as_str()];
    let missing = needed
        .into_iter()
        .find(|token| !tokens.contains(&hash(token)));
    Ok(missing.map(|missing| {
        format!(
            "the merge of `{}` and `{}` needs the token `{}`, which is not in the `vocab`",
            short(&first),
            short(&second),
            short(missing)
        )
    }))
}

/// A list of two texts; none where it is something else.
fn pair<'a>(reader: &mut Reader<'a>) -> Result<Option<Pair<'a>>, Error> {
    let mut both = [None, None];
    let mut is_pair = true;
    reader.array(|reader, index| match both.get_mut(index) {
        Some(place) if reader.kind()? == Kind::String => {
            *place = Some(reader.string()?);
            Ok(())
        }
        _ => {
            is_pair = false;
            reader.skip()
        }
    })?;
    let [first, second] = both;
    Ok(first.zip(second).filter(|_| is_pair))
}

/// As much of a token as a message shows.
fn short(token: &str) -> String {
    token.chars().take(40).collect()
}

pub(super) fn hash(token: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(token.as_bytes());
    hasher.finish()
}
