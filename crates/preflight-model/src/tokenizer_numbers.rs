//! The numbers of the tokens that batches are made with.

use crate::checkpoint::Checkpoint;
use crate::json::Cursor;
use crate::tokenizer;
use crate::tokenizer_settings::Settings;
use crate::wanted::TOKENIZER;

/// A token that batches are made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedToken {
    /// `bos_token`, `eos_token` or `pad_token`.
    pub name: &'static str,
    /// Its number, or the least that the loader may give it where it adds several.
    pub number: u64,
    /// The file that names it.
    pub path: &'static str,
}

/// The tokens of batches whose text and number are told; `class` is the one that loads the tokenizer, where
/// it is known.
pub(crate) fn numbered(checkpoint: &Checkpoint<'_>, class: Option<&str>) -> Vec<NumberedToken> {
    let settings = Settings::of(checkpoint);
    let named = ["bos_token", "eos_token", "pad_token"].into_iter();
    let numbered = named.filter_map(|name| {
        let (path, token) = settings.get(name)?;
        let text = token.as_str().or_else(|| token.get("content")?.as_str())?;
        let number = told(checkpoint, text)
            .or_else(|| of_older_file(checkpoint, text))
            .or_else(|| appended(checkpoint, &settings, class?, text))?;
        Some(NumberedToken { name, number, path })
    });
    numbered.collect()
}

/// The number that the config or tokenizer.json tells.
fn told(checkpoint: &Checkpoint<'_>, text: &str) -> Option<u64> {
    let config = checkpoint.tokenizer_config.known();
    let decoder = config.and_then(|config| config.root().get("added_tokens_decoder"));
    let of_config = decoder.and_then(|decoder| {
        let (key, _) = decoder.members().find(|(_, token)| {
            token.get("content").and_then(|content| content.as_str()) == Some(text)
        })?;
        key.parse().ok()
    });
    let file = checkpoint.tokenizer_file.known();
    let of_file = file.and_then(|file| {
        let (_, number) = file.added.iter().find(|(content, _)| content == text)?;
        Some(*number)
    });
    of_config.or(of_file)
}

/// The number that `added_tokens.json` tells, where no tokenizer.json goes before it. Numbers with gaps
/// are not those of a tokenizer that was saved, and the loader counts anew.
fn of_older_file(checkpoint: &Checkpoint<'_>, text: &str) -> Option<u64> {
    let is_absent = checkpoint.has_file(TOKENIZER) == Some(false);
    if !is_absent || !checkpoint.opens_older_tokenizer_files() {
        return None;
    }
    let root = checkpoint.added_tokens.known()?.root();
    let numbers: Option<Vec<u64>> = root.members().map(|(_, number)| number.as_u64()).collect();
    let mut numbers = numbers?;
    numbers.sort_unstable();
    let mut pairs = numbers.iter().zip(numbers.iter().skip(1));
    let is_counted = pairs.all(|(before, after)| before.checked_add(1) == Some(*after));
    root.get(text)?.as_u64().filter(|_| is_counted)
}

/// The number of a token that tokenizer.json does not have and the loader adds.
fn appended(
    checkpoint: &Checkpoint<'_>,
    settings: &Settings<'_>,
    class: &str,
    text: &str,
) -> Option<u64> {
    // Of these classes it is known that they read the file, unless a setting says otherwise.
    let reads_file = !tokenizer::files_of_family(tokenizer::family(class)).is_empty()
        && ["add_prefix_space", "from_slow", "tokenizer_file"]
            .iter()
            .all(|key| {
                settings
                    .get(key)
                    .is_none_or(|(_, value)| is_off(key, &value))
            });
    let file = checkpoint.tokenizer_file.known().filter(|_| reads_file)?;
    file.next_number(text)
}

fn is_off(key: &str, value: &Cursor<'_>) -> bool {
    key != "tokenizer_file" && (value.is_null() || value.as_bool() == Some(false))
}
