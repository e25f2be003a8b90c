//! Details of `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` that end the loading
//! of a tokenizer.
//!
//! Each was seen to end `AutoTokenizer.from_pretrained` of transformers 4.55.4, with tokenizers of Python
//! and of Rust alike.

use crate::config_defects::is_python_int;
use crate::fact::{Defect, Fact};
use crate::json::{Cursor, Document};

const CONFIG: &str = "tokenizer_config.json";
const MAP: &str = "special_tokens_map.json";
const ADDED: &str = "added_tokens.json";

/// Tokens that a tokenizer has by name.
/// Source: `SpecialTokensMixin.SPECIAL_TOKENS_ATTRIBUTES`,
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/tokenization_utils_base.py>
pub(crate) const NAMED_TOKENS: [&str; 7] = [
    "bos_token",
    "cls_token",
    "eos_token",
    "mask_token",
    "pad_token",
    "sep_token",
    "unk_token",
];
/// Switches of an added token.
const SWITCHES: [&str; 5] = ["lstrip", "normalized", "rstrip", "single_word", "special"];

/// What was found in these files.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What the loader would stop at.
    pub(crate) defects: Vec<Defect>,
    /// Why a file that the loader reads was not read.
    pub(crate) unread: Option<String>,
}

/// Everything in these files that the loader would stop at.
pub(crate) fn find(config: &Fact<Document>, map: &Fact<Document>, added: &Fact<Document>) -> Found {
    let mut found = Found::default();
    match config {
        Fact::Known(document) => {
            let root = document.root();
            of_config(&root, &mut found.defects);
            // Where the added tokens stand in the config, the loader does not open the older files.
            if root.get("added_tokens_decoder").is_some() {
                return found;
            }
        }
        Fact::Absent => {}
        // Whether the older files are opened is not known, or no matter.
        Fact::Malformed(_) | Fact::Unavailable(_) => return found,
    }
    // An object is made a token here, whatever its keys.
    let of_map = |root: &Cursor<'_>, defects: &mut Vec<Defect>| {
        named_tokens(MAP, root, is_any_object, defects);
    };
    found.of_older_file(MAP, map, of_map);
    found.of_older_file(ADDED, added, numbers);
    found
}

impl Found {
    fn of_older_file(
        &mut self,
        path: &str,
        file: &Fact<Document>,
        judge: impl Fn(&Cursor<'_>, &mut Vec<Defect>),
    ) {
        match file {
            Fact::Absent => {}
            Fact::Malformed(defect) => self.defects.push(defect.clone()),
            Fact::Unavailable(why) => {
                self.unread.get_or_insert_with(|| why.clone());
            }
            Fact::Known(document) => {
                if let Some((_, place)) = document.tolerated().next() {
                    let message = format!(
                        "{path} has a byte order mark or a comma before a closing bracket, which Python's JSON reader refuses"
                    );
                    self.defects.push(Defect::at(path, place, message));
                }
                judge(&document.root(), &mut self.defects);
            }
        }
    }
}

/// The numbers of added tokens; those with a fraction, below zero and of two tokens load.
fn numbers(root: &Cursor<'_>, defects: &mut Vec<Defect>) {
    let is_number = |value: &Cursor<'_>| value.as_f64().is_some() || value.as_bool().is_some();
    let wrong = root.members().find(|(_, value)| !is_number(value));
    if let Some((_, value)) = wrong {
        let message = format!(
            "the number of an added token must be a number, it is {}",
            value.describe()
        );
        defects.push(Defect::at(ADDED, value.place(), message));
    }
}

fn of_config(root: &Cursor<'_>, defects: &mut Vec<Defect>) {
    if let Some(tokens) = root.get("added_tokens_decoder") {
        added_tokens(&tokens, defects);
    }
    named_tokens(CONFIG, root, is_marked_token, defects);
    let mut must = |key: &str, fits: &dyn Fn(&Cursor<'_>) -> bool, wants: &str| {
        if let Some(given) = root.get(key).filter(|given| !fits(given)) {
            let found = given.describe();
            let message = format!("`{key}` must be {wants}, it is {found}");
            defects.push(Defect::at(CONFIG, given.place(), message));
        }
    };
    let is_side = |side: &Cursor<'_>| matches!(side.as_str(), Some("left" | "right"));
    must("padding_side", &is_side, "`left` or `right`");
    must("truncation_side", &is_side, "`left` or `right`");
    must(
        "model_max_length",
        &|length| length.is_null() || length.as_f64().is_some(),
        "a number",
    );
    must(
        "auto_map",
        &|map| map.is_object() || map.elements().next().is_some(),
        "an object",
    );
    // A list is release 5's form, which transformers-5-config reports.
    must(
        "extra_special_tokens",
        &|tokens| {
            tokens.is_array()
                || tokens.is_object() && tokens.members().all(|(_, token)| is_token(&token))
        },
        "an object of tokens",
    );
    must(
        "chat_template",
        &|template| {
            let is_named = |one: Cursor<'_>| one.get("name").and(one.get("template")).is_some();
            template.elements().all(is_named)
        },
        "a text or a list of objects with `name` and `template`",
    );
}

fn added_tokens(tokens: &Cursor<'_>, defects: &mut Vec<Defect>) {
    if !tokens.is_object() {
        let found = tokens.describe();
        let message = format!("`added_tokens_decoder` must be an object, it is {found}");
        defects.push(Defect::at(CONFIG, tokens.place(), message));
        return;
    }
    for (key, token) in tokens.members() {
        let is_switch_wrong = |name: &&str| {
            token
                .get(name)
                .is_some_and(|value| value.as_bool().is_none())
        };
        let content = token.get_set("content");
        let message = if !is_python_int(key) {
            format!("`{key}` of `added_tokens_decoder` is no number of a token")
        } else if !token.is_object() {
            let found = token.describe();
            format!("token {key} of `added_tokens_decoder` must be an object, it is {found}")
        } else if content.is_some_and(|content| content.as_str().is_none()) {
            format!("`content` of token {key} must be a text")
        } else if let Some(name) = SWITCHES.iter().find(|name| is_switch_wrong(name)) {
            format!("`{name}` of token {key} must be `true` or `false`")
        } else {
            continue;
        };
        defects.push(Defect::at(CONFIG, token.place(), message));
    }
}

fn named_tokens(
    path: &str,
    root: &Cursor<'_>,
    is_object_token: fn(&Cursor<'_>) -> bool,
    defects: &mut Vec<Defect>,
) {
    let fits = |token: &Cursor<'_>| token.as_str().is_some() || is_object_token(token);
    for key in NAMED_TOKENS {
        if let Some(token) = root.get_set(key).filter(|token| !fits(token)) {
            let found = token.describe();
            let message = format!("`{key}` must be a text or an `AddedToken`, it is {found}");
            defects.push(Defect::at(path, token.place(), message));
        }
    }
    let key = "additional_special_tokens";
    let Some(tokens) = root.get_set(key) else {
        return;
    };
    if !tokens.is_array() {
        let found = tokens.describe();
        let message = format!("`{key}` must be a list, it is {found}");
        defects.push(Defect::at(path, tokens.place(), message));
    } else if let Some(token) = tokens.elements().find(|token| !fits(token)) {
        let found = token.describe();
        let message = format!("`{key}` must hold texts or `AddedToken`s, it has {found}");
        defects.push(Defect::at(path, token.place(), message));
    }
}

fn is_any_object(token: &Cursor<'_>) -> bool {
    token.is_object()
}

fn is_token(token: &Cursor<'_>) -> bool {
    token.as_str().is_some() || is_marked_token(token)
}

/// An object that says of itself that it is a token.
fn is_marked_token(token: &Cursor<'_>) -> bool {
    token.get("__type").and_then(|kind| kind.as_str()) == Some("AddedToken")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Fact<Document> {
        Fact::Known(Document::parse(text.as_bytes()).unwrap())
    }

    fn messages(config: &str, map: &str) -> String {
        let found = find(&parse(config), &parse(map), &Fact::Absent);
        let messages: Vec<_> = found
            .defects
            .into_iter()
            .map(|defect| defect.message)
            .collect();
        messages.join("; ")
    }

    #[test]
    fn what_loads_is_no_defect() {
        for (config, map) in [
            (
                r#"{"added_tokens_decoder": {" 5 ": {"content": null}, "-1": {}, "99999999999": {"content": "a", "foo": 1}}}"#,
                "{}",
            ),
            (
                r#"{"pad_token": null, "bos_token": "", "eos_token": {"__type": "AddedToken"}, "model_max_length": 1e30}"#,
                "{}",
            ),
            (
                r#"{"additional_special_tokens": ["a", {"__type": "AddedToken", "content": "b"}], "extra_special_tokens": {"a": "b"}}"#,
                "{}",
            ),
            (
                r#"{"chat_template": [{"name": "default", "template": "x"}], "auto_map": {}}"#,
                r#"{"pad_token": {}, "x": 5}"#,
            ),
            (r#"{"added_tokens_decoder": {}}"#, r#"{"pad_token": 5}"#),
            (
                r#"{"chat_template": 1, "extra_special_tokens": ["a"]}"#,
                "{}",
            ),
        ] {
            assert_eq!(messages(config, map), "", "{config}");
        }
    }

    #[test]
    fn what_does_not_load_names_its_key() {
        for (config, map, says) in [
            (
                r#"{"added_tokens_decoder": []}"#,
                "{}",
                "must be an object, it is a list",
            ),
            (
                r#"{"added_tokens_decoder": {"x": {}}}"#,
                "{}",
                "`x` of `added_tokens_decoder`",
            ),
            (
                r#"{"added_tokens_decoder": {"5": "a"}}"#,
                "{}",
                "token 5 of",
            ),
            (
                r#"{"added_tokens_decoder": {"5": {"content": 5}}}"#,
                "{}",
                "`content` of token 5",
            ),
            (
                r#"{"added_tokens_decoder": {"5": {"lstrip": null}}}"#,
                "{}",
                "`lstrip` of token 5",
            ),
            (r#"{"pad_token": 0}"#, "{}", "`pad_token` must be a text"),
            (
                r#"{"pad_token": {"content": "a"}}"#,
                "{}",
                "it is an object",
            ),
            (
                r#"{"additional_special_tokens": "a"}"#,
                "{}",
                "must be a list",
            ),
            (
                r#"{"additional_special_tokens": [null]}"#,
                "{}",
                "it has `null`",
            ),
            (
                r#"{"extra_special_tokens": null}"#,
                "{}",
                "an object of tokens",
            ),
            (r#"{"padding_side": null}"#, "{}", "`left` or `right`"),
            (r#"{"model_max_length": "512"}"#, "{}", "must be a number"),
            (r#"{"auto_map": null}"#, "{}", "`auto_map` must be"),
            (r#"{"chat_template": ["x"]}"#, "{}", "`name` and `template`"),
            ("{}", r#"{"pad_token": 5}"#, "`pad_token` must be a text"),
            ("{}", "{\"a\": 1,}", "comma"),
        ] {
            let got = messages(config, map);
            assert!(got.contains(says), "{config} {map}: {got}");
        }
    }
}
