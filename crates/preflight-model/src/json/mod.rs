//! The one parser for all JSON of a repository.
//!
//! It reads what Python's `json` module reads (`NaN`, `Infinity`, integers of any length, duplicate
//! keys of which the later wins), knows where everything stands, and is bounded in depth and number
//! of values. Two mistakes that Python refuses, a byte order mark and a comma before a closing
//! bracket, are read all the same and listed as [`Tolerated`], so that one stray comma does not hide
//! what the rest of the file says.
//!
//! [`Reader`] pulls values one at a time, for files with a known shape and any size (headers,
//! indexes); [`Document`] holds a whole small file with the position of every key.

mod document;
mod reader;

pub use document::{Cursor, DOCUMENT_VALUES_MAX, Document, Member, Node, STRING_BYTES_MAX, Value};
pub use reader::{
    DEPTH_MAX, DIGITS_MAX, ESCAPED_BYTES_MAX, Error, Kind, Number, Reader, SERDE_DEPTH_MAX,
    Tolerated,
};

/// A place in a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// JSON pointer (RFC 6901) of the value; empty for the whole file.
    pub pointer: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Place {
    /// The place of byte offset `at` of `text`; an offset beyond the end counts as the end.
    #[expect(
        clippy::naive_bytecount,
        reason = "once per finding, over a small file: not worth a dependency"
    )]
    pub fn of_offset(text: &[u8], at: usize, pointer: &str) -> Self {
        let before = text.get(..at).unwrap_or(text);
        // No editor counts a byte order mark as a character of the first line.
        let before = before.strip_prefix("\u{feff}".as_bytes()).unwrap_or(before);
        let line_start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        // Every byte that does not continue a UTF-8 sequence starts a character.
        let column = 1 + before[line_start..]
            .iter()
            .filter(|&&byte| byte & 0xC0 != 0x80)
            .count();
        Self {
            pointer: pointer.into(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }
}
