//! A whole small JSON file with the position of every key.

use std::rc::Rc;

use super::reader::{Error, Kind, Number, Reader, Tolerated};
use super::{DEPTH_MAX, Place};

/// Most values a [`Document`] holds, in at most 50 MB of memory: a tokenizer configuration has seven for
/// each added token, of which some audio models have 65 536.
pub const DOCUMENT_VALUES_MAX: usize = 1 << 19;
/// Most bytes of a string that are kept, at the end of a character: no name or word is as long, and of a
/// chat template nothing but its presence is asked.
pub const STRING_BYTES_MAX: usize = 64 << 10;

/// Keys that stand twice that are kept; each costs a pass over the text when it is told.
const DUPLICATES_MAX: usize = 20;

/// A parsed file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    text: Box<[u8]>,
    root: Node,
    tolerated: Vec<Tolerated>,
    duplicates: Vec<(String, usize)>,
}

/// A value and where it starts: for a member of an object, where its key starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    at: usize,
    value: Value,
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as written.
    Number(Number),
    /// A string, to [`STRING_BYTES_MAX`].
    String(Box<str>),
    /// Elements in order.
    Array(Vec<Node>),
    /// Members in order, the later of two equal keys last.
    Object(Vec<Member>),
}

/// One member of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    key: Box<str>,
    node: Node,
}

impl Document {
    /// Parses a file. A file that Python reads is never an error, except beyond [`DEPTH_MAX`] and
    /// [`DOCUMENT_VALUES_MAX`], where the error says so ([`Error::is_bound`]).
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(text)?;
        let mut build = Build {
            left: DOCUMENT_VALUES_MAX,
            duplicates: Vec::new(),
        };
        let at = reader.offset();
        let value = build.value(&mut reader)?;
        let tolerated = reader.finish()?;
        Ok(Self {
            text: text.into(),
            root: Node { at, value },
            tolerated,
            duplicates: build.duplicates,
        })
    }

    /// The outermost value.
    pub fn root(&self) -> Cursor<'_> {
        Cursor {
            document: self,
            node: &self.root,
            step: None,
        }
    }

    /// Mistakes that Python refuses and this parser read over, with their places.
    pub fn tolerated(&self) -> impl Iterator<Item = (Tolerated, Place)> {
        self.tolerated.iter().map(|&mistake| {
            let at = match mistake {
                Tolerated::ByteOrderMark => 0,
                Tolerated::TrailingComma(at) => at,
            };
            (mistake, Place::of_offset(&self.text, at, ""))
        })
    }

    /// Keys that stand twice in one object, with the place of the later one, which wins; not all where
    /// there are many.
    pub fn duplicates(&self) -> impl Iterator<Item = (&str, Place)> {
        self.duplicates
            .iter()
            .map(|(key, at)| (key.as_str(), Place::of_offset(&self.text, *at, "")))
    }
}

struct Build {
    left: usize,
    duplicates: Vec<(String, usize)>,
}

impl Build {
    fn value(&mut self, reader: &mut Reader<'_>) -> Result<Value, Error> {
        if self.left == 0 {
            return reader.beyond(format!("more than {DOCUMENT_VALUES_MAX} values"));
        }
        self.left -= 1;
        Ok(match reader.kind()? {
            Kind::Object => {
                let mut members: Vec<Member> = Vec::new();
                reader.object(|reader, key, at| {
                    let value = self.value(reader)?;
                    let key = key.into_owned().into_boxed_str();
                    members.push(Member {
                        key,
                        node: Node { at, value },
                    });
                    Ok(())
                })?;
                // There may be many small objects, each with room for more.
                members.shrink_to_fit();
                self.find_duplicates(&members);
                Value::Object(members)
            }
            Kind::Array => {
                let mut elements = Vec::new();
                reader.array(|reader, _| {
                    let at = reader.offset();
                    let value = self.value(reader)?;
                    elements.push(Node { at, value });
                    Ok(())
                })?;
                elements.shrink_to_fit();
                Value::Array(elements)
            }
            Kind::String => {
                let text = reader.string()?;
                let end = text.floor_char_boundary(STRING_BYTES_MAX);
                Value::String(text[..end].into())
            }
            Kind::Number => Value::Number(reader.number()?),
            Kind::Bool => Value::Bool(reader.bool()?),
            Kind::Null => {
                reader.null()?;
                Value::Null
            }
        })
    }

    fn find_duplicates(&mut self, members: &[Member]) {
        let mut sorted: Vec<&Member> = members.iter().collect();
        sorted.sort_by_key(|member| &member.key);
        let mut later: Vec<&Member> = sorted
            .windows(2)
            .filter(|pair| pair[0].key == pair[1].key)
            .map(|pair| pair[1])
            .collect();
        later.sort_by_key(|member| member.node.at);
        let room = DUPLICATES_MAX - self.duplicates.len();
        let kept = later.iter().take(room);
        self.duplicates
            .extend(kept.map(|member| (member.key.to_string(), member.node.at)));
    }
}

/// A value in its document: what it is and where it stands.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    document: &'a Document,
    node: &'a Node,
    /// The way here; none at the root.
    step: Option<Rc<Step<'a>>>,
}

/// One step of a JSON pointer and those before it: keys are hostile and may be long, so a pointer is
/// written only for a place that is shown.
#[derive(Debug)]
struct Step<'a> {
    before: Option<Rc<Self>>,
    name: Name<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Name<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Cursor<'a> {
    /// The value itself.
    pub fn value(&self) -> &'a Value {
        &self.node.value
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        Place::of_offset(&self.document.text, self.node.at, &self.pointer())
    }

    fn pointer(&self) -> String {
        let steps = std::iter::successors(self.step.as_deref(), |step| step.before.as_deref());
        let mut names: Vec<String> = steps
            .map(|step| match step.name {
                Name::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
                Name::Index(index) => format!("/{index}"),
            })
            .collect();
        names.reverse();
        names.concat()
    }

    /// The member `key`; of two equal keys the later one, as in Python.
    pub fn get(&self, key: &str) -> Option<Self> {
        let Value::Object(members) = self.value() else {
            return None;
        };
        let member = members.iter().rev().find(|member| &*member.key == key)?;
        Some(self.child(&member.node, Name::Key(&member.key)))
    }

    /// The member `key`, unless it is `null`.
    pub fn get_set(&self, key: &str) -> Option<Self> {
        self.get(key).filter(|found| !found.is_null())
    }

    /// The members in order.
    pub fn members(&self) -> impl Iterator<Item = (&'a str, Self)> {
        let members: &'a [Member] = match self.value() {
            Value::Object(members) => members,
            _ => &[],
        };
        members.iter().map(|member| {
            (
                &*member.key,
                self.child(&member.node, Name::Key(&member.key)),
            )
        })
    }

    /// The elements in order.
    pub fn elements(&self) -> impl Iterator<Item = Self> {
        let elements: &'a [Node] = match self.value() {
            Value::Array(elements) => elements,
            _ => &[],
        };
        elements
            .iter()
            .enumerate()
            .map(|(index, node)| self.child(node, Name::Index(index)))
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.value(), Value::Null)
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self.value(), Value::Object(_))
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        matches!(self.value(), Value::Array(_))
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&'a str> {
        match self.value() {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value() {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A whole number of at least zero; `8.0` counts, as it does in Python's arithmetic.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "guarded: a whole number below 2^53"
    )]
    pub fn as_u64(&self) -> Option<u64> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self.value() {
            Value::Number(Number::Int(value)) => u64::try_from(*value).ok(),
            Value::Number(Number::Float(value))
                if value.fract() == 0.0 && (0.0..EXACT).contains(value) =>
            {
                Some(*value as u64)
            }
            _ => None,
        }
    }

    /// The value of any number.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a figure to show or compare roughly"
    )]
    pub fn as_f64(&self) -> Option<f64> {
        match self.value() {
            Value::Number(Number::Int(value)) => Some(*value as f64),
            Value::Number(Number::Float(value)) => Some(*value),
            Value::Number(Number::BigInt(text)) => text.parse().ok(),
            _ => None,
        }
    }

    /// What the value is, for a message: `a list`, `the string "x"`, `null`, `3`.
    pub fn describe(&self) -> String {
        match self.value() {
            Value::Null => "`null`".into(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Number(Number::Int(value)) => format!("`{value}`"),
            Value::Number(Number::Float(value)) => format!("`{value}`"),
            Value::Number(Number::BigInt(_)) => "a number beyond 64 bits".into(),
            Value::String(text) => {
                let mut out = String::from("the string `");
                out.extend(text.chars().take(60));
                out.push_str(if text.chars().nth(60).is_some() {
                    "…`"
                } else {
                    "`"
                });
                out
            }
            Value::Array(_) => "a list".into(),
            Value::Object(_) => "an object".into(),
        }
    }

    fn child(&self, node: &'a Node, name: Name<'a>) -> Self {
        let before = self.step.clone();
        Self {
            document: self.document,
            node,
            step: Some(Rc::new(Step { before, name })),
        }
    }
}

const _: () = assert!(DEPTH_MAX < 1000, "Python's limit");

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn positions_are_of_the_key_in_characters() {
        let document = parse("{\n  \"é\": 1, \"b\": {\"c/d\": [true]}}");
        let root = document.root();
        let b = root.get("b").unwrap();
        assert_eq!((b.place().line, b.place().column), (2, 11));
        let inner = b.get("c/d").unwrap().elements().next().unwrap();
        assert_eq!(inner.place().pointer, "/b/c~1d/0");
        assert_eq!(inner.as_bool(), Some(true));
    }

    #[test]
    fn the_later_of_two_equal_keys_wins_and_is_known() {
        let document = parse(r#"{"a": 1, "a": 2}"#);
        assert_eq!(document.root().get("a").unwrap().as_u64(), Some(2));
        assert_eq!(document.duplicates().count(), 1);
    }

    #[test]
    fn reads_what_python_reads() {
        let document = parse(
            r#" [NaN, -Infinity, 123456789012345678901234567890, 1e3, "\ud83d\ude00\ud800"] "#,
        );
        let values: Vec<_> = document.root().elements().collect();
        assert!(values[0].as_f64().unwrap().is_nan());
        assert_eq!(values[1].as_f64(), Some(f64::NEG_INFINITY));
        assert!(matches!(
            values[2].value(),
            Value::Number(Number::BigInt(_))
        ));
        assert_eq!(values[3].as_u64(), Some(1000));
        assert_eq!(values[4].as_str(), Some("😀\u{fffd}"));
    }

    #[test]
    fn a_byte_order_mark_and_trailing_commas_are_read_and_reported() {
        let document = parse("\u{feff}{\"a\": [1, 2,],}");
        let mistakes: Vec<_> = document.tolerated().map(|(mistake, _)| mistake).collect();
        assert_eq!(mistakes.len(), 3);
        assert_eq!(mistakes[0], Tolerated::ByteOrderMark);
        assert_eq!(document.root().get("a").unwrap().elements().count(), 2);
    }

    #[test]
    fn columns_are_characters_as_an_editor_counts_them() {
        for (text, line, column) in [
            ("{\"a\": 1}", 1, 2),
            ("\u{feff}{\"a\": 1}", 1, 2),
            ("\u{feff}{\n\"a\": 1}", 2, 1),
            ("{\r\n\t\"a\": 1}", 2, 2),
            ("{\"é漢😀\": 0, \"a\": 1}", 1, 12),
        ] {
            let document = parse(text);
            let place = document.root().get("a").unwrap().place();
            assert_eq!((place.line, place.column), (line, column), "{text:?}");
        }
    }

    #[test]
    fn every_error_says_where() {
        for (text, message) in [
            ("", "the text ends where a JSON value was expected"),
            ("{", "the text ends before its last bracket is closed"),
            ("{a}", "a key in double quotes was expected"),
            ("{\"a\" 1}", "a colon was expected after the key"),
            ("[1 2]", "a comma or a closing bracket was expected"),
            ("[,]", "a JSON value was expected"),
            ("\"a", "the string does not end"),
            ("\"a\\", "the string does not end"),
            ("\"\n\"", "a control character stands in a string unescaped"),
            ("\"\\q\"", "unknown escape in a string"),
            (
                "\"\\u12\"",
                "four hexadecimal digits were expected after `\\u`",
            ),
            ("01", "not a number"),
            ("-", "not a number"),
            ("1.", "digits were expected after the decimal point"),
            ("1e", "digits were expected in the exponent"),
            ("tru", "`true` or `false` was expected"),
            ("nul", "`null` was expected"),
            ("1 2", "something follows the end of the JSON value"),
        ] {
            let error = Document::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.message, message, "for {text:?}");
        }
        let deep = "[".repeat(10_000);
        let error = Document::parse(deep.as_bytes()).unwrap_err();
        assert!(error.message.contains("nested deeper"), "{error}");
        let error = Document::parse(b"\"\xff\"").unwrap_err();
        assert_eq!((error.message.as_str(), error.at), ("not UTF-8 text", 1));
        let wide = format!("[{}0]", "0,".repeat(DOCUMENT_VALUES_MAX));
        let error = Document::parse(wide.as_bytes()).unwrap_err();
        assert!(error.message.contains("values"), "{error}");
    }
}
