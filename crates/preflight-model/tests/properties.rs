//! Whatever a file holds, it is read as it was written or refused with a place in it.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::collections::BTreeMap;

use preflight_model::index::Index;
use preflight_model::json::{Cursor, Document, Number, Place, Value};
use proptest::prelude::*;
use proptest::sample::Index as At;
use serde_json::Value as Json;

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            proptest::collection::btree_map(".{0,4}", inner, 0..5)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// The text with `put` in the place of some characters.
fn edited(text: &str, at: At, cut: usize, put: &str) -> String {
    let at = at.index(text.chars().count() + 1);
    let before = text.chars().take(at);
    let after = text.chars().skip(at + cut);
    before.chain(put.chars()).chain(after).collect()
}

fn same(ours: &Cursor<'_>, theirs: &Json) -> bool {
    match (ours.value(), theirs) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(one), Json::Bool(other)) => one == other,
        (Value::String(one), Json::String(other)) => **one == **other,
        (Value::Number(Number::Int(one)), Json::Number(other)) => other.as_i64() == Some(*one),
        (Value::Number(Number::BigInt(one)), Json::Number(other)) => *one == other.to_string(),
        (Value::Number(Number::Float(one)), Json::Number(other)) => other.as_f64() == Some(*one),
        (Value::Array(_), Json::Array(other)) => {
            ours.elements().count() == other.len()
                && ours
                    .elements()
                    .zip(other)
                    .all(|(one, other)| same(&one, other))
        }
        (Value::Object(_), Json::Object(other)) => {
            ours.members().count() == other.len()
                && other
                    .iter()
                    .all(|(key, other)| ours.get(key).is_some_and(|one| same(&one, other)))
        }
        _ => false,
    }
}

/// The text from a place to the end of its line.
fn text_at(text: &str, place: &Place) -> String {
    let line = text.split('\n').nth(place.line as usize - 1).unwrap();
    line.chars().skip(place.column as usize - 1).collect()
}

/// Every member's place is that of its key, and every pointer leads to its value.
fn places(cursor: &Cursor<'_>, text: &str, whole: &Json) {
    for (key, member) in cursor.members() {
        let key = serde_json::to_string(key).unwrap();
        assert!(text_at(text, &member.place()).starts_with(&key), "{key}");
        places(&member, text, whole);
    }
    for element in cursor.elements() {
        places(&element, text, whole);
    }
    let found = whole.pointer(&cursor.place().pointer);
    assert!(found.is_some_and(|found| same(cursor, found)), "{text}");
}

proptest! {
    #[test]
    fn json_is_read_as_it_was_written(json in json()) {
        for text in [serde_json::to_string(&json).unwrap(), serde_json::to_string_pretty(&json).unwrap()] {
            let document = Document::parse(text.as_bytes()).unwrap();
            prop_assert!(same(&document.root(), &json), "{}", text);
            prop_assert_eq!(document.tolerated().count() + document.duplicates().count(), 0);
            places(&document.root(), &text, &json);
        }
    }

    #[test]
    fn what_serde_reads_is_read(json in json(), at: At, cut in 0_usize..4, put in "[\\[\\]{},:\"0-9a-u\\\\ .E+-]{0,4}") {
        let text = edited(&serde_json::to_string(&json).unwrap(), at, cut, &put);
        let is_theirs = serde_json::from_str::<Json>(&text).is_ok();
        match Document::parse(text.as_bytes()) {
            Ok(document) => prop_assert!(!is_theirs || document.tolerated().count() == 0),
            Err(error) => {
                prop_assert!(!is_theirs && !error.is_bound, "{}: {}", error, text);
                prop_assert!(error.at <= text.len());
            }
        }
    }

    #[test]
    fn any_bytes_are_json_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Err(error) = Document::parse(&bytes) {
            prop_assert!(error.at <= bytes.len());
        }
        if let Err(error) = Index::parse(&bytes) {
            prop_assert!(error.at <= bytes.len());
        }
    }

    #[test]
    fn an_index_is_read_as_it_was_written(
        map in proptest::collection::btree_map(".{0,12}", "[a-z]{1,2}\\.safetensors", 0..12),
        total_size in proptest::option::of(any::<u64>()),
        at: At,
        cut in 0_usize..6,
        put in "[\\[\\]{},:\"0-9a-u\\\\ ./]{0,4}",
    ) {
        let text = serde_json::json!({"metadata": {"total_size": total_size}, "weight_map": map}).to_string();
        let index = Index::parse(text.as_bytes()).unwrap();
        let read: BTreeMap<_, _> = index.tensors().map(|(name, shard)| (name.to_owned(), shard.to_owned())).collect();
        prop_assert_eq!(&read, &map);
        prop_assert_eq!(index.len(), map.len());
        prop_assert_eq!(index.total_size, total_size);
        prop_assert!(map.iter().all(|(name, shard)| index.shard_of(name) == Some(shard)));

        let text = edited(&text, at, cut, &put);
        match Index::parse(text.as_bytes()) {
            Ok(index) => prop_assert!(index.shards().iter().all(|shard| shard.split('/').all(|part| !["", ".", ".."].contains(&part)))),
            Err(error) => prop_assert!(error.at <= text.len() && !error.is_bound),
        }
    }
}
