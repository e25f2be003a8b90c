//! Whether `apply_chat_template` finds a template, and one that could render a chat.
//!
//! Each case was run with the tokenizers of transformers 4.55.4. What stands in a template is not looked at.

use crate::checkpoint::Checkpoint;
use crate::fact::{Defect, Fact};
use crate::json::Cursor;

/// Files that go before what `tokenizer_config.json` says, in this order.
const FILES: [&str; 2] = [
    "chat_template.jinja",
    "additional_chat_templates/default.jinja",
];
/// Folder of templates for other uses.
const OTHERS: &str = "additional_chat_templates/";
/// A file that processors read, and tokenizers do not.
const OF_PROCESSOR: &str = "chat_template.json";
const CONFIG: &str = "tokenizer_config.json";

/// A template that was found.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatTemplate {
    /// The file that has it.
    Usable(&'static str),
    /// It ends every chat with an error, or renders nothing.
    Unusable(Defect),
}

impl Checkpoint<'_> {
    /// The chat template of the tokenizer; unavailable where the file that would have it could not be read.
    pub fn chat_template(&self) -> Fact<ChatTemplate> {
        if let Some(path) = self.first_file(&FILES) {
            let is_empty = self.snapshot.file(path).and_then(|file| file.size) == Some(0);
            return Fact::Known(if is_empty {
                let message = format!("`{path}` is empty: every chat becomes an empty prompt");
                ChatTemplate::Unusable(Defect::of_file(path, message))
            } else {
                ChatTemplate::Usable(path)
            });
        }
        let is_other = |path: &str| {
            path.strip_prefix(OTHERS)
                .is_some_and(|name| name.rsplit_once('.').is_some_and(|(_, end)| end == "jinja"))
        };
        if let Some(file) = self.files.iter().find(|file| is_other(&file.path)) {
            let message = format!("`{OTHERS}` has templates, and none of them is the default");
            return Fact::Known(ChatTemplate::Unusable(Defect::of_file(&file.path, message)));
        }
        self.tokenizer_config.as_ref().and_then(|document| {
            if let Some(template) = document.root().get_set("chat_template") {
                return Fact::Known(match problem(&template) {
                    Some(problem) => {
                        ChatTemplate::Unusable(Defect::at(CONFIG, template.place(), problem))
                    }
                    None => ChatTemplate::Usable(CONFIG),
                });
            }
            if let Some(why) = self.unknown_file(&FILES) {
                return Fact::Unavailable(why);
            }
            match self.first_file(&[OF_PROCESSOR]) {
                Some(path) => {
                    let message = format!(
                        "`{path}` is read by processors of multimodal models only: put its text into chat_template.jinja"
                    );
                    Fact::Known(ChatTemplate::Unusable(Defect::of_file(path, message)))
                }
                None => Fact::Absent,
            }
        })
    }
}

/// Why `chat_template` of `tokenizer_config.json` renders no chat, where it does not.
fn problem(template: &Cursor<'_>) -> Option<String> {
    if template.is_object() {
        return of_default(template.get("default").as_ref());
    }
    if template.is_array() {
        // Of two of one name the later.
        let is_default =
            |one: &Cursor<'_>| one.get("name").and_then(|name| name.as_str()) == Some("default");
        let default = template.elements().filter(is_default).last();
        let default = default.and_then(|default| default.get("template"));
        return of_default(default.as_ref());
    }
    match template.as_str() {
        Some(text) if text.trim().is_empty() => {
            Some("`chat_template` is empty: every chat becomes an empty prompt".into())
        }
        Some(_) => None,
        None => Some(format!(
            "`chat_template` must be a text, it is {}: every chat ends with an error",
            template.describe()
        )),
    }
}

/// The one of several templates that a chat takes.
fn of_default(template: Option<&Cursor<'_>>) -> Option<String> {
    let Some(template) = template else {
        return Some("`chat_template` has no template of the name `default`".into());
    };
    match template.as_str() {
        Some(text) if !text.trim().is_empty() => None,
        _ => Some(format!(
            "the `default` of `chat_template` must be a text, it is {}",
            template.describe()
        )),
    }
}
