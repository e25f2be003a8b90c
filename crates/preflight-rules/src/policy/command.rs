//! Commands with gaps: `{name}` is a value, `[text]` goes where one of its values is not known, and
//! `[full? text]` stays only where that was asked for.

use serde::Deserialize;
use serde::de::Error as _;

use crate::suggest;

/// One line of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandTemplate(Vec<Piece>);

/// What fills the gaps of a command. A value that is not known is printed as a word in capitals.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommandValues<'a> {
    /// `owner/name` on the Hub.
    pub repo: Option<&'a str>,
    /// Commit or branch of that repository.
    pub revision: Option<&'a str>,
    /// Folder on the user's machine.
    pub folder: Option<&'a str>,
    /// Base model, as the platform calls it.
    pub base_model: Option<&'a str>,
    /// Name that the uploaded model gets.
    pub model_name: Option<&'a str>,
    /// Id of the uploaded training data.
    pub training_file: Option<&'a str>,
    /// Longest training sequence, tokens.
    pub max_seq_length: Option<u64>,
    /// Whether the model is an adapter.
    pub is_adapter: bool,
    /// Whether all weights are to be trained.
    pub is_full: bool,
    /// Whether preferences are trained.
    pub is_dpo: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Value),
    Group(Option<Condition>, Vec<Piece>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Repo,
    Revision,
    Folder,
    BaseModel,
    ModelName,
    TrainingFile,
    MaxSeqLength,
    ModelId,
    ArchiveUrl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Adapter,
    Full,
    Dpo,
}

/// Name in a template, value, and the word that stands for it where it is not known.
const VALUES: [(&str, Value, &str); 9] = [
    ("repo", Value::Repo, "REPO"),
    ("revision", Value::Revision, "REVISION"),
    ("folder", Value::Folder, "FOLDER"),
    ("base_model", Value::BaseModel, "BASE_MODEL"),
    ("model_name", Value::ModelName, "MODEL_NAME"),
    ("training_file", Value::TrainingFile, "FILE_ID"),
    ("max_seq_length", Value::MaxSeqLength, "MAX_SEQ_LENGTH"),
    // Given by the platform after the first command.
    ("model_id", Value::ModelId, "MODEL_ID"),
    // A presigned URL is a secret, so it is never printed.
    ("archive_url", Value::ArchiveUrl, "ARCHIVE_URL"),
];

const CONDITIONS: [(&str, Condition); 3] = [
    ("adapter", Condition::Adapter),
    ("full", Condition::Full),
    ("dpo", Condition::Dpo),
];

impl CommandTemplate {
    /// Reads a template; the error is a message.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text;
        let pieces = pieces(&mut rest, false)?;
        Ok(Self(pieces))
    }

    /// The line to run. Values are quoted for a POSIX shell where they need it.
    pub fn render(&self, values: &CommandValues) -> String {
        let mut line = String::new();
        for piece in &self.0 {
            piece.render(values, &mut line);
        }
        line
    }
}

impl<'de> Deserialize<'de> for CommandTemplate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl Piece {
    fn render(&self, values: &CommandValues, line: &mut String) {
        match self {
            Self::Text(text) => line.push_str(text),
            Self::Value(value) => match value.of(values) {
                Some(known) => line.push_str(&quoted(&known)),
                None => line.push_str(value.hint()),
            },
            Self::Group(condition, pieces) => {
                let is_asked = condition.is_none_or(|condition| condition.holds(values));
                let is_known = pieces.iter().all(|piece| match piece {
                    Self::Value(value) => value.of(values).is_some(),
                    Self::Text(_) | Self::Group(..) => true,
                });
                if is_asked && is_known {
                    for piece in pieces {
                        piece.render(values, line);
                    }
                }
            }
        }
    }
}

impl Value {
    fn of(self, values: &CommandValues) -> Option<String> {
        let text = match self {
            Self::Repo => values.repo,
            Self::Revision => values.revision,
            Self::Folder => values.folder,
            Self::BaseModel => values.base_model,
            Self::ModelName => values.model_name,
            Self::TrainingFile => values.training_file,
            Self::MaxSeqLength => return values.max_seq_length.map(|count| count.to_string()),
            Self::ModelId | Self::ArchiveUrl => None,
        };
        // No name has control characters, and a terminal would obey them.
        text.filter(|text| !text.is_empty() && !text.contains(char::is_control))
            .map(Into::into)
    }

    fn hint(self) -> &'static str {
        let row = VALUES.iter().find(|(_, value, _)| *value == self);
        row.map_or("VALUE", |(_, _, hint)| hint)
    }
}

impl Condition {
    fn holds(self, values: &CommandValues) -> bool {
        match self {
            Self::Adapter => values.is_adapter,
            Self::Full => values.is_full,
            Self::Dpo => values.is_dpo,
        }
    }
}

/// Reads up to the end of the text, or of the group.
fn pieces(rest: &mut &str, in_group: bool) -> Result<Vec<Piece>, String> {
    let mut found = Vec::new();
    while let Some(at) = rest.find(['{', '[', ']']) {
        let (text, tail) = rest.split_at(at);
        if !text.is_empty() {
            found.push(Piece::Text(text.into()));
        }
        *rest = &tail[1..];
        match (tail.as_bytes()[0], in_group) {
            (b'{', _) => found.push(Piece::Value(value(rest)?)),
            (b'[', false) => {
                let condition = condition(rest)?;
                found.push(Piece::Group(condition, pieces(rest, true)?));
            }
            (b']', true) => return Ok(found),
            (b'[', true) => return Err("a `[` inside `[…]`".into()),
            _ => return Err("a `]` without its `[`".into()),
        }
    }
    if in_group {
        return Err("a `[` without its `]`".into());
    }
    if !rest.is_empty() {
        found.push(Piece::Text((*rest).into()));
    }
    Ok(found)
}

fn value(rest: &mut &str) -> Result<Value, String> {
    let (name, tail) = rest.split_once('}').ok_or("a `{` without its `}`")?;
    *rest = tail;
    let row = VALUES.iter().find(|(known, ..)| *known == name);
    row.map(|(_, value, _)| *value).ok_or_else(|| {
        let hint = suggest::did_you_mean(name, VALUES.map(|(known, ..)| known));
        format!("unknown value `{name}`{hint}")
    })
}

fn condition(rest: &mut &str) -> Result<Option<Condition>, String> {
    let Some((name, tail)) = rest.split_once('?') else {
        return Ok(None);
    };
    if !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Ok(None);
    }
    *rest = tail;
    let row = CONDITIONS.iter().find(|(known, _)| *known == name);
    row.map(|(_, condition)| Some(*condition)).ok_or_else(|| {
        let hint = suggest::did_you_mean(name, CONDITIONS.map(|(known, _)| known));
        format!("unknown condition `{name}?`{hint}")
    })
}

/// A word that a POSIX shell reads as just this text.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+=,-".contains(c);
    if text.chars().all(is_plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, values: &CommandValues) -> String {
        CommandTemplate::parse(template).unwrap().render(values)
    }

    #[test]
    fn gaps_are_filled_or_named() {
        let values = CommandValues {
            repo: Some("org/model"),
            ..CommandValues::default()
        };
        assert_eq!(
            render(
                "run {model_name} --from https://h.co/{repo}[ --rev {revision}]",
                &values
            ),
            "run MODEL_NAME --from https://h.co/org/model"
        );
        let pinned = CommandValues {
            revision: Some("abc123"),
            max_seq_length: Some(8192),
            ..values
        };
        assert_eq!(
            render(
                "run {repo}[ --rev {revision}][ --length {max_seq_length}] {model_id}",
                &pinned
            ),
            "run org/model --rev abc123 --length 8192 MODEL_ID"
        );
    }

    #[test]
    fn options_appear_when_asked_for() {
        let template = "train[full? --no-lora][dpo? --method dpo][adapter? --adapter]";
        assert_eq!(render(template, &CommandValues::default()), "train");
        let full = CommandValues {
            is_full: true,
            is_adapter: true,
            ..CommandValues::default()
        };
        assert_eq!(render(template, &full), "train --no-lora --adapter");
    }

    #[test]
    fn values_cannot_break_out_of_their_word() {
        let folder = |text| {
            let values = CommandValues {
                folder: Some(text),
                ..CommandValues::default()
            };
            render("up {folder}", &values)
        };
        assert_eq!(folder("my model; rm -rf ~"), "up 'my model; rm -rf ~'");
        assert_eq!(folder("it's"), r"up 'it'\''s'");
        assert_eq!(folder("a\x1b[2Jb"), "up FOLDER");
        assert_eq!(folder(""), "up FOLDER");
    }

    #[test]
    fn mistakes_in_a_template_are_told() {
        for (template, message) in [
            ("{repoo}", "unknown value `repoo`; did you mean `repo`?"),
            ("[ful? x]", "unknown condition `ful?`; did you mean `full`?"),
            ("{repo", "a `{` without its `}`"),
            ("[x", "a `[` without its `]`"),
            ("x]", "a `]` without its `[`"),
            ("[x [y]]", "a `[` inside `[…]`"),
        ] {
            assert_eq!(
                CommandTemplate::parse(template),
                Err(message.into()),
                "{template}"
            );
        }
    }
}
