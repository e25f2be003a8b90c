//! The parts of a `tokenizer.json` beside its model: which kinds of each the `tokenizers` library knows,
//! and the settings that a kind must have.
//!
//! Source: `src/{normalizers,pre_tokenizers,processors,decoders}` and `src/utils/{padding,truncation}.rs` of
//! <https://github.com/huggingface/tokenizers/tree/v0.21.4/tokenizers>; 0.22.2 reads the same. Whether a
//! regular expression or a `precompiled_charsmap` is any good is not looked at.

use super::kinds::{DECODERS, NORMALIZERS, PADDING, POST_PROCESSORS, PRE_TOKENIZERS, TRUNCATION};
use crate::json::{Cursor, Document, Error, Kind as JsonKind, Number, Reader, Value};

/// Longest text of a part that is looked into; the largest `precompiled_charsmap` in circulation has about
/// 320 kB.
const PART_BYTES_MAX: usize = 2 << 20;

/// What the value of a setting must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want {
    Bool,
    BoolOrNull,
    Text,
    TextOrNull,
    /// A text of one character.
    Char,
    Whole,
    WholeOrNull,
    /// A whole number of 32 bits.
    Whole32,
    /// A number from 0 to 1, or `null`.
    ShareOrNull,
    OneOf(&'static [&'static str]),
    /// `{"String": …}` or `{"Regex": …}`.
    Pattern,
    /// A token and its number.
    Token,
    /// Further parts of the same role.
    Parts,
    /// The pieces of a template.
    Pieces,
    /// The special tokens of a template.
    Tokens,
    /// `BatchLongest` or `{"Fixed": length}`.
    Strategy,
}

/// A setting of a part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    name: &'static str,
    want: Want,
    is_needed: bool,
}

pub(super) const fn must(name: &'static str, want: Want) -> Field {
    Field {
        name,
        want,
        is_needed: true,
    }
}

pub(super) const fn may(name: &'static str, want: Want) -> Field {
    Field {
        name,
        want,
        is_needed: false,
    }
}

/// A kind of a part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// Its `type`.
    name: &'static str,
    /// The first setting that decides, if any.
    fields: &'static [Field],
    /// Whether the library takes it by its settings, under another `type` or none.
    is_loose: bool,
}

pub(super) const fn kind(name: &'static str, fields: &'static [Field]) -> Kind {
    Kind {
        name,
        fields,
        is_loose: false,
    }
}

pub(super) const fn loose(name: &'static str, fields: &'static [Field]) -> Kind {
    Kind {
        name,
        fields,
        is_loose: true,
    }
}

/// A part of the file, or a list of settings.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    /// One of several kinds.
    OfKinds {
        kinds: &'static [Kind],
        /// Whether any kind that fits is taken, whatever `type` says.
        is_any: bool,
    },
    /// Settings only.
    Settings(&'static [Field]),
}

impl Role {
    /// What stands under a key of the file.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        let of_kinds = |kinds| Self::OfKinds {
            kinds,
            is_any: false,
        };
        Some(match key {
            "normalizer" => of_kinds(NORMALIZERS),
            "pre_tokenizer" => of_kinds(PRE_TOKENIZERS),
            "decoder" => of_kinds(DECODERS),
            "post_processor" => Self::OfKinds {
                kinds: POST_PROCESSORS,
                is_any: true,
            },
            "truncation" => Self::Settings(TRUNCATION),
            "padding" => Self::Settings(PADDING),
            _ => return None,
        })
    }

    /// Reads the value of `key`; what is wrong with it, if anything, and where.
    pub(super) fn read(
        self,
        key: &str,
        text: &[u8],
        reader: &mut Reader<'_>,
    ) -> Result<Option<(usize, String)>, Error> {
        let at = reader.offset();
        match reader.kind()? {
            JsonKind::Object | JsonKind::Null => reader.skip()?,
            _ => {
                return Ok(Some((at, format!("`{key}` must be an object or `null`"))));
            }
        }
        let text = text.get(at..reader.offset()).unwrap_or_default();
        if text.len() > PART_BYTES_MAX {
            return Ok(None);
        }
        // A bound of ours ends the looking, not the loading.
        let Ok(document) = Document::parse(text) else {
            return Ok(None);
        };
        let root = document.root();
        let problem = if root.is_null() {
            None
        } else {
            self.problem(&root)
        };
        Ok(problem.map(|problem| (at, format!("`{key}`: {problem}"))))
    }

    fn problem(self, part: &Cursor<'_>) -> Option<String> {
        let (kinds, is_any) = match self {
            Self::OfKinds { kinds, is_any } => (kinds, is_any),
            Self::Settings(fields) => return problem_of(fields, part, self),
        };
        if !part.is_object() {
            return Some(format!(
                "a part must be an object, it is {}",
                part.describe()
            ));
        }
        let name = part.get("type").and_then(|name| name.as_str());
        let named = kinds.iter().find(|kind| Some(kind.name) == name);
        let of_named = named.map(|kind| problem_of(kind.fields, part, self));
        if let Some(problem) = &of_named
            && (problem.is_none() || !is_any)
        {
            return problem.clone().or_else(|| prefix_contradiction(part));
        }
        let fits = |kind: &Kind| kind.is_loose && problem_of(kind.fields, part, self).is_none();
        if kinds.iter().any(fits) {
            return None;
        }
        Some(of_named.flatten().unwrap_or_else(|| match name {
            Some(name) => {
                let name: String = name.chars().take(60).collect();
                format!("the tokenizers library knows no kind `{name}`")
            }
            None => "it has no `type`".into(),
        }))
    }
}

/// The two settings of `Metaspace` that say whether a text starts with a space.
fn prefix_contradiction(part: &Cursor<'_>) -> Option<String> {
    let is_off = part.get("add_prefix_space")?.as_bool() == Some(false);
    let is_metaspace = part.get("replacement").is_some();
    let scheme = part.get("prepend_scheme");
    let scheme = scheme.as_ref().map_or(Some("always"), Cursor::as_str)?;
    (is_off && is_metaspace && scheme != "never").then(|| {
        format!("`add_prefix_space` is `false`, and `prepend_scheme` is `{scheme}`, not `never`")
    })
}

/// The first field that is missing or has a value that does not fit.
fn problem_of(fields: &[Field], part: &Cursor<'_>, role: Role) -> Option<String> {
    fields
        .iter()
        .find_map(|field| field.problem(part.get(field.name).as_ref(), role))
}

impl Field {
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn problem(&self, value: Option<&Cursor<'_>>, role: Role) -> Option<String> {
        let name = self.name;
        let Some(value) = value else {
            return self.is_needed.then(|| format!("it lacks `{name}`"));
        };
        if matches!(self.want, Want::Parts) && value.is_array() {
            return value.elements().find_map(|part| role.problem(&part));
        }
        (!self.want.fits(value)).then(|| {
            format!(
                "`{name}` must be {}, it is {}",
                self.want.describe(),
                value.describe()
            )
        })
    }
}

impl Want {
    fn fits(self, value: &Cursor<'_>) -> bool {
        match self {
            Self::Bool => value.as_bool().is_some(),
            Self::BoolOrNull => value.is_null() || value.as_bool().is_some(),
            Self::Text => value.as_str().is_some(),
            Self::TextOrNull => value.is_null() || value.as_str().is_some(),
            Self::Char => value.as_str().is_some_and(|text| text.chars().count() == 1),
            Self::Whole => whole(value).is_some(),
            Self::WholeOrNull => value.is_null() || whole(value).is_some(),
            Self::Whole32 => is_whole32(value),
            Self::ShareOrNull => {
                value.is_null()
                    || value
                        .as_f64()
                        .is_some_and(|share| (0.0..=1.0).contains(&share))
            }
            Self::OneOf(names) => value.as_str().is_some_and(|name| names.contains(&name)),
            Self::Pattern => only_member(value, &["String", "Regex"])
                .is_some_and(|(_, text)| text.as_str().is_some()),
            Self::Token => {
                let both: Vec<_> = value.elements().take(3).collect();
                matches!(&both[..], [token, number] if token.as_str().is_some() && is_whole32(number))
            }
            // An array was looked into before.
            Self::Parts => false,
            Self::Pieces => value.is_array() && value.elements().all(|piece| is_piece(&piece)),
            Self::Tokens => {
                value.is_object() && value.members().all(|(_, token)| is_special_token(&token))
            }
            Self::Strategy => {
                value.as_str() == Some("BatchLongest")
                    || only_member(value, &["Fixed"])
                        .is_some_and(|(_, length)| whole(&length).is_some())
            }
        }
    }

    fn describe(self) -> String {
        match self {
            Self::Bool => "`true` or `false`".into(),
            Self::BoolOrNull => "`true`, `false` or `null`".into(),
            Self::Text => "a text".into(),
            Self::TextOrNull => "a text or `null`".into(),
            Self::Char => "a text of one character".into(),
            Self::Whole => "a whole number".into(),
            Self::WholeOrNull => "a whole number or `null`".into(),
            Self::Whole32 => "a whole number of at most 32 bits".into(),
            Self::ShareOrNull => "a number from 0 to 1 or `null`".into(),
            Self::OneOf(names) => format!("one of `{}`", names.join("`, `")),
            Self::Pattern => "an object with `String` or `Regex`".into(),
            Self::Token => "a token and its number".into(),
            Self::Parts => "a list of parts".into(),
            Self::Pieces => {
                "a list of `Sequence` and `SpecialToken`, each with `id` and `type_id`".into()
            }
            Self::Tokens => "an object of tokens with `id`, `ids` and `tokens`".into(),
            Self::Strategy => "`BatchLongest` or an object with `Fixed`".into(),
        }
    }
}

/// A whole number as the library reads it, for which `8.0` is none.
fn whole(value: &Cursor<'_>) -> Option<u64> {
    match value.value() {
        Value::Number(Number::Int(value)) => u64::try_from(*value).ok(),
        Value::Number(Number::BigInt(text)) => text.parse().ok(),
        _ => None,
    }
}

fn is_whole32(value: &Cursor<'_>) -> bool {
    whole(value).is_some_and(|value| u32::try_from(value).is_ok())
}

/// The only member of an object, where it has one of these names.
fn only_member<'a>(value: &Cursor<'a>, names: &[&str]) -> Option<(&'a str, Cursor<'a>)> {
    let mut members = value.members();
    let only = members.next()?;
    (members.next().is_none() && names.contains(&only.0)).then_some(only)
}

fn is_piece(piece: &Cursor<'_>) -> bool {
    let Some((kind, piece)) = only_member(piece, &["Sequence", "SpecialToken"]) else {
        return false;
    };
    let id = piece.get("id");
    let id = id.as_ref().and_then(Cursor::as_str);
    id.is_some_and(|id| kind == "SpecialToken" || matches!(id, "A" | "B"))
        && piece.get("type_id").is_some_and(|id| is_whole32(&id))
}

fn is_special_token(token: &Cursor<'_>) -> bool {
    let is_list = |key: &str, fits: &dyn Fn(&Cursor<'_>) -> bool| {
        token
            .get(key)
            .is_some_and(|list| list.is_array() && list.elements().all(|one| fits(&one)))
    };
    token.get("id").is_some_and(|id| id.as_str().is_some())
        && is_list("ids", &is_whole32)
        && is_list("tokens", &|text| text.as_str().is_some())
}
