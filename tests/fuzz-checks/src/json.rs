//! The JSON parser held against `serde_json`.

use preflight_model::json::{Cursor, Document, Number, Place, Value};
use serde_json::Value as Theirs;

/// Whatever `serde_json` reads is read, and as the same value; every position lies in the text.
/// Yields the document, where it is one.
pub(crate) fn document(text: &[u8]) -> Option<Document> {
    let theirs: Result<Theirs, _> = serde_json::from_slice(text);
    match Document::parse(text) {
        Ok(document) => {
            if let Ok(theirs) = &theirs {
                assert!(
                    document.tolerated().next().is_none(),
                    "strict JSON has no mistakes to read over"
                );
                same(&document.root(), theirs);
            }
            // Of two members of one name a pointer leads to one only.
            let unique = document.duplicates().next().is_none();
            let theirs = theirs.as_ref().ok().filter(|_| unique);
            places(&document.root(), text, theirs);
            Some(document)
        }
        Err(error) => {
            assert!(error.at <= text.len(), "{error}");
            assert!(!error.message.is_empty());
            assert!(
                theirs.is_err() || is_refused_by_python(&error.message),
                "serde_json reads what we refuse: {error}"
            );
            None
        }
    }
}

/// What `serde_json` takes and Python's `json` does not.
fn is_refused_by_python(message: &str) -> bool {
    message.contains("digits")
}

fn same(ours: &Cursor<'_>, theirs: &Theirs) {
    match (ours.value(), theirs) {
        (Value::Null, Theirs::Null) => {}
        (Value::Bool(one), Theirs::Bool(other)) => assert_eq!(one, other),
        (Value::String(one), Theirs::String(other)) => assert_eq!(**one, **other),
        (Value::Number(number), Theirs::Number(other)) => {
            if let Number::Int(number) = number {
                // serde_json keeps the sign of `-0` by making it a float.
                let same = other.as_i64() == Some(*number) || *number == 0;
                assert!(same, "{number} is not {other}");
            }
            let (one, other) = (ours.as_f64().unwrap_or(f64::NAN), other.as_f64());
            let other = other.unwrap_or(f64::NAN);
            // Its default float parser is exact to the last few bits only.
            let close = (one - other).abs() <= one.abs() * 1e-12 + f64::MIN_POSITIVE;
            assert!(close, "{one} is not {other}");
        }
        (Value::Array(_), Theirs::Array(other)) => {
            assert_eq!(ours.elements().count(), other.len());
            for (one, other) in ours.elements().zip(other) {
                same(&one, other);
            }
        }
        (Value::Object(_), Theirs::Object(other)) => {
            assert!(ours.members().count() >= other.len());
            for (key, other) in other {
                let one = ours.get(key).expect("every key is there");
                same(&one, other);
            }
        }
        (one, other) => panic!("{one:?} is not {other:?}"),
    }
}

/// Every value stands in the text, where its pointer says.
fn places(cursor: &Cursor<'_>, text: &[u8], theirs: Option<&Theirs>) {
    let mut left = 200;
    visit(cursor, &mut left, &mut |cursor| {
        let place = cursor.place();
        lies_in(&place, text);
        if let Some(theirs) = theirs {
            let found = theirs.pointer(&place.pointer);
            assert!(found.is_some(), "{:?} leads nowhere", place.pointer);
        }
    });
}

fn visit<'a>(cursor: &Cursor<'a>, left: &mut u32, see: &mut dyn FnMut(&Cursor<'a>)) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    see(cursor);
    for (_, member) in cursor.members() {
        visit(&member, left, see);
    }
    for element in cursor.elements() {
        visit(&element, left, see);
    }
}

/// A place is a line of the text and a column of that line, or just after it.
pub(crate) fn lies_in(place: &Place, text: &[u8]) {
    let line = usize::try_from(place.line).expect("a line number fits");
    let found = text.split(|&byte| byte == b'\n').nth(line - 1);
    let found = found.unwrap_or_else(|| panic!("the text has no line {line}"));
    let column = usize::try_from(place.column).expect("a column fits");
    assert!((1..=found.len() + 1).contains(&column), "{place:?}");
}
