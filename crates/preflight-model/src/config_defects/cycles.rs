//! Kinds of layers that take turns: the length of the turn, and the list that replaces it.

use super::{is_one_of, values};
use crate::config::Section;
use crate::fact::Defect;
use crate::json::Cursor;

/// Model types, the key of the length of a turn, and that of the list. Without a list the config class
/// takes each layer's number modulo the length. Run with the classes of transformers 4.55.4.
const TURNS: [(&[&str], &str, &str); 2] = [
    (
        &["cohere2", "exaone4", "gemma3_text"],
        "sliding_window_pattern",
        "layer_types",
    ),
    (&["smollm3"], "no_rope_layer_interval", "no_rope_layers"),
];

pub(super) fn find(text: &Section<'_>, defects: &mut Vec<Defect>) {
    for (types, key, list) in TURNS {
        let length = text.given(key).filter(|_| is_one_of(text, types));
        let has_list = text.given(list).is_some_and(|list| !list.is_null());
        let is_fine =
            |length: &Cursor<'_>| values::number(length).is_some_and(|length| length != 0.0);
        if let Some(length) = length.filter(|length| !has_list && !is_fine(length)) {
            let message = format!(
                "`{key}` must be a number other than 0 where there is no `{list}`, it is {}",
                length.describe()
            );
            defects.push(super::at(&length, message));
        }
    }
    let list = text
        .given("no_rope_layers")
        .filter(|list| list.is_array() && is_one_of(text, &["smollm3"]));
    if let Some((list, want)) = list.zip(text.u64("num_hidden_layers")) {
        let have = list.elements().count() as u64;
        if have < want {
            let message = format!("`no_rope_layers` has {have} entries for {want} layers");
            defects.push(super::at(&list, message));
        }
    }
}
