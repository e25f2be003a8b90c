//! The pull parser under everything that reads JSON.

use std::borrow::Cow;

/// Deepest nesting that is read. Python 3.11 reads 994 levels (measured), 3.13 more than 5,000 and 3.14 more than
/// 100,000 (<https://github.com/influxdata/influxdb3_plugins/pull/169>), so deeper is not known to be refused.
pub const DEPTH_MAX: u32 = 512;
/// Deepest nesting that `serde_json` reads, and with it the libraries safetensors and tokenizers.
/// Source: <https://docs.rs/serde_json/1/serde_json/struct.Deserializer.html#method.disable_recursion_limit>
pub const SERDE_DEPTH_MAX: u32 = 127;
/// Most digits of an integer: Python refuses more.
/// Source: <https://docs.python.org/3/library/stdtypes.html#integer-string-conversion-length-limitation>
pub const DIGITS_MAX: usize = 4300;
/// Most bytes of a string with escapes, which is read into memory of its own. No whole file but an index
/// or a header has as many.
pub const ESCAPED_BYTES_MAX: usize = 16 << 20;
/// Mistakes of one text that are kept: the first says that there are some.
const TOLERATED_MAX: usize = 20;

/// Why the reading ended, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Lower case, no final stop.
    pub message: String,
    /// Byte offset into the text.
    pub at: usize,
    /// Whether a bound of this parser ended it, which the loader does not have: the text may be sound.
    pub is_bound: bool,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.message, self.at)
    }
}

impl std::error::Error for Error {}

/// A mistake that Python's `json` refuses and this parser reads over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerated {
    /// A UTF-8 byte order mark before the first value.
    ByteOrderMark,
    /// A comma before a closing bracket, at this byte.
    TrailingComma(usize),
}

impl std::fmt::Display for Tolerated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ByteOrderMark => f.write_str("it starts with a byte order mark"),
            Self::TrailingComma(at) => {
                write!(f, "a comma stands before a closing bracket, at byte {at}")
            }
        }
    }
}

/// What kind of value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    String,
    /// a digit, `-`, `NaN` or `Infinity`
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

/// A number as it stands in the text.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// An integer that fits.
    Int(i64),
    /// An integer beyond 64 bits, as written.
    BigInt(String),
    /// Everything with a fraction or an exponent, and `NaN`, `Infinity`, `-Infinity`.
    Float(f64),
}

/// Pulls values out of JSON text, one at a time.
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
    depth_max: u32,
    tolerated: Vec<Tolerated>,
    python_only: Option<usize>,
}

impl<'a> Reader<'a> {
    /// A reader at the first value of `bytes`, which must be UTF-8.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(bytes).map_err(|error| Error {
            message: "not UTF-8 text".into(),
            at: error.valid_up_to(),
            is_bound: false,
        })?;
        let mut reader = Self {
            text,
            at: 0,
            depth: 0,
            depth_max: DEPTH_MAX,
            tolerated: Vec::new(),
            python_only: None,
        };
        if text.starts_with('\u{feff}') {
            reader.tolerated.push(Tolerated::ByteOrderMark);
            reader.at = '\u{feff}'.len_utf8();
        }
        reader.white_space();
        Ok(reader)
    }

    /// Reads no deeper than the loader of the text does, which is less than [`DEPTH_MAX`].
    #[must_use]
    pub fn no_deeper_than(mut self, depth: u32) -> Self {
        self.depth_max = depth.min(DEPTH_MAX);
        self
    }

    /// Byte offset of what Python reads and strict parsers refuse, where something of the kind was met:
    /// `NaN`, infinity, also as a number beyond 64 bits, or half of a surrogate pair.
    pub fn python_only(&self) -> Option<usize> {
        self.python_only
    }

    /// Byte offset of the next value.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// An error at the next value.
    pub fn error<T>(&self, message: impl Into<String>) -> Result<T, Error> {
        Err(Error {
            message: message.into(),
            at: self.at,
            is_bound: false,
        })
    }

    /// An error at the next value that is not the text's fault: it is beyond a bound of ours.
    pub fn beyond<T>(&self, message: impl Into<String>) -> Result<T, Error> {
        Err(Error {
            message: message.into(),
            at: self.at,
            is_bound: true,
        })
    }

    /// Ends the reading: nothing but white space may follow. Yields the mistakes read over.
    pub fn finish(mut self) -> Result<Vec<Tolerated>, Error> {
        self.white_space();
        if self.at < self.text.len() {
            return self.error("something follows the end of the JSON value");
        }
        Ok(self.tolerated)
    }

    /// What comes next.
    pub fn kind(&self) -> Result<Kind, Error> {
        match self.byte() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => self.error("a JSON value was expected"),
            None => self.error("the text ends where a JSON value was expected"),
        }
    }

    /// Reads an object: `member` is called with each key and its byte offset, and must read the
    /// value.
    pub fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.open(b'{', "an object was expected")?;
        while !self.close(b'}')? {
            let key_at = self.at;
            if self.byte() != Some(b'"') {
                return self.error("a key in double quotes was expected");
            }
            let key = self.string()?;
            if self.byte() != Some(b':') {
                return self.error("a colon was expected after the key");
            }
            self.step();
            member(self, key, key_at)?;
            self.separator(b'}')?;
        }
        Ok(())
    }

    /// Reads an array: `element` is called before each element and must read it.
    pub fn array(
        &mut self,
        mut element: impl FnMut(&mut Self, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.open(b'[', "an array was expected")?;
        let mut index = 0;
        while !self.close(b']')? {
            element(self, index)?;
            index += 1;
            self.separator(b']')?;
        }
        Ok(())
    }

    /// Reads a string. A lone surrogate, which Python keeps, becomes U+FFFD.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        if self.byte() != Some(b'"') {
            return self.error("a string was expected");
        }
        let start = self.at + 1;
        let end = start + plain_length(&self.text.as_bytes()[start..]);
        match self.text.as_bytes().get(end) {
            Some(b'"') => {
                let plain = &self.text[start..end];
                self.at = end + 1;
                self.white_space();
                Ok(Cow::Borrowed(plain))
            }
            Some(b'\\') => self.escaped_string(start, end).map(Cow::Owned),
            Some(_) => {
                self.at = end;
                self.error("a control character stands in a string unescaped")
            }
            None => self.error("the string does not end"),
        }
    }

    /// Whether a minus comes next.
    pub fn is_negative(&self) -> bool {
        self.byte() == Some(b'-')
    }

    /// Reads a number.
    pub fn number(&mut self) -> Result<Number, Error> {
        // Nearly all numbers start with a digit, and are spared the words.
        if !matches!(self.byte(), Some(b'0'..=b'9')) {
            for (word, value) in [
                ("NaN", f64::NAN),
                ("Infinity", f64::INFINITY),
                ("-Infinity", f64::NEG_INFINITY),
            ] {
                let at = self.at;
                if self.word(word) {
                    self.is_python_only(at);
                    return Ok(Number::Float(value));
                }
            }
        }
        let start = self.at;
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let first = start + usize::from(bytes.get(start) == Some(&b'-'));
        let mut end = digits(first);
        let leading_zero = end > first + 1 && bytes.get(first) == Some(&b'0');
        if end == first || leading_zero {
            return self.error("not a number");
        }
        let mut integer = true;
        if bytes.get(end) == Some(&b'.') {
            let after = digits(end + 1);
            if after == end + 1 {
                return self.error("digits were expected after the decimal point");
            }
            end = after;
            integer = false;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let after = digits(end + 1 + sign);
            if after == end + 1 + sign {
                return self.error("digits were expected in the exponent");
            }
            end = after;
            integer = false;
        }
        if integer && end - first > DIGITS_MAX {
            return self.error(format!("an integer of more than {DIGITS_MAX} digits"));
        }
        let written = &self.text[start..end];
        self.at = end;
        self.white_space();
        if !integer {
            // The grammar above is a subset of what Rust parses, so this cannot fail.
            let value: f64 = written.parse().unwrap_or(f64::NAN);
            if !value.is_finite() {
                self.is_python_only(start);
            }
            return Ok(Number::Float(value));
        }
        Ok(written
            .parse()
            .map_or_else(|_| Number::BigInt(written.into()), Number::Int))
    }

    /// Reads a whole number of up to 18 digits, which 64 bits hold. Whatever else comes next is left for
    /// [`Self::number`].
    pub fn short_integer(&mut self) -> Option<u64> {
        const DIGITS_MAX: usize = 18;
        let digits = &self.text.as_bytes()[self.at..];
        let (mut value, mut length) = (0_u64, 0);
        while let Some(digit @ b'0'..=b'9') = digits.get(length) {
            if length == DIGITS_MAX {
                return None;
            }
            value = value * 10 + u64::from(digit - b'0');
            length += 1;
        }
        let has_leading_zero = length > 1 && digits[0] == b'0';
        if length == 0 || has_leading_zero || matches!(digits.get(length), Some(b'.' | b'e' | b'E'))
        {
            return None;
        }
        self.at += length;
        self.white_space();
        Some(value)
    }

    /// Reads `true` or `false`.
    pub fn bool(&mut self) -> Result<bool, Error> {
        if self.word("true") {
            Ok(true)
        } else if self.word("false") {
            Ok(false)
        } else {
            self.error("`true` or `false` was expected")
        }
    }

    /// Reads `null`.
    pub fn null(&mut self) -> Result<(), Error> {
        if self.word("null") {
            Ok(())
        } else {
            self.error("`null` was expected")
        }
    }

    /// Reads one value of any kind and forgets it.
    pub fn skip(&mut self) -> Result<(), Error> {
        match self.kind()? {
            Kind::Object => self.object(|reader, _, _| reader.skip()),
            Kind::Array => self.array(|reader, _| reader.skip()),
            Kind::String => self.string().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::Bool => self.bool().map(drop),
            Kind::Null => self.null(),
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at += 1;
        self.white_space();
    }

    fn white_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn open(&mut self, bracket: u8, otherwise: &str) -> Result<(), Error> {
        if self.byte() != Some(bracket) {
            return self.error(otherwise);
        }
        if self.depth == self.depth_max {
            let message = format!("nested deeper than {} levels", self.depth_max);
            return if self.depth_max == DEPTH_MAX {
                self.beyond(message)
            } else {
                self.error(message)
            };
        }
        self.depth += 1;
        self.step();
        Ok(())
    }

    fn close(&mut self, bracket: u8) -> Result<bool, Error> {
        match self.byte() {
            Some(byte) if byte == bracket => {
                self.depth -= 1;
                self.step();
                Ok(true)
            }
            Some(_) => Ok(false),
            None => self.error("the text ends before its last bracket is closed"),
        }
    }

    /// After a value: a comma, or the closing bracket, which is left for [`Self::close`].
    fn separator(&mut self, bracket: u8) -> Result<(), Error> {
        match self.byte() {
            Some(b',') => {
                let comma = self.at;
                self.step();
                if self.byte() == Some(bracket) && self.tolerated.len() < TOLERATED_MAX {
                    self.tolerated.push(Tolerated::TrailingComma(comma));
                }
                Ok(())
            }
            Some(byte) if byte == bracket => Ok(()),
            Some(_) => self.error("a comma or a closing bracket was expected"),
            None => self.error("the text ends before its last bracket is closed"),
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.text[self.at..].starts_with(word);
        if found {
            self.at += word.len();
            self.white_space();
        }
        found
    }

    fn is_python_only(&mut self, at: usize) {
        self.python_only.get_or_insert(at);
    }

    /// The rest of a string that has an escape at `backslash`.
    fn escaped_string(&mut self, start: usize, backslash: usize) -> Result<String, Error> {
        let mut out = String::from(&self.text[start..backslash]);
        self.at = backslash;
        loop {
            let rest = &self.text[self.at..];
            let plain = plain_length(rest.as_bytes());
            out.push_str(&rest[..plain]);
            self.at += plain;
            if out.len() > ESCAPED_BYTES_MAX {
                return self.beyond(format!(
                    "a string with escapes of more than {ESCAPED_BYTES_MAX} bytes"
                ));
            }
            match self.byte() {
                Some(b'"') => {
                    self.step();
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return self.error("a control character stands in a string unescaped"),
                None => return self.error("the string does not end"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let Some(&letter) = self.text.as_bytes().get(self.at + 1) else {
            return self.error("the string does not end");
        };
        let simple = match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return self.error("unknown escape in a string"),
        };
        self.at += 2;
        Ok(simple)
    }

    fn unicode_escape(&mut self) -> Result<char, Error> {
        let high = self.hex_unit()?;
        if !(0xD800..0xE000).contains(&high) {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if high >= 0xDC00 || !self.text[self.at..].starts_with("\\u") {
            self.is_python_only(self.at);
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let after_high = self.at;
        let low = self.hex_unit()?;
        if !(0xDC00..0xE000).contains(&low) {
            self.at = after_high;
            self.is_python_only(self.at);
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Reads `\uXXXX`.
    fn hex_unit(&mut self) -> Result<u32, Error> {
        let digits = self.text.as_bytes().get(self.at + 2..self.at + 6);
        let unit = digits.and_then(|digits| {
            digits.iter().try_fold(0, |unit, &digit| {
                Some(unit * 16 + char::from(digit).to_digit(16)?)
            })
        });
        let Some(unit) = unit else {
            return self.error("four hexadecimal digits were expected after `\\u`");
        };
        self.at += 6;
        Ok(unit)
    }
}

/// Bytes before the first that does not stand for itself in a string: a quote, a backslash, a control character.
///
/// Eight bytes at once: a byte below `n` borrows when `n` is subtracted from it, and `byte ^ mark` is below one
/// where the byte is the mark. A borrow reaches only bytes after the one it comes from, so the first that is told
/// is right. Source: `SliceRead::skip_to_escape` of <https://github.com/serde-rs/json/blob/master/src/read.rs>.
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20);
        let quote = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
        let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        let found = (control | quote | backslash) & !word & HIGH_BITS;
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
    words.len() * 8 + rest.iter().take_while(|byte| is_plain(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::plain_length;

    #[test]
    fn the_first_byte_that_is_not_plain_is_found_wherever_it_stands() {
        for special in 0..=u8::MAX {
            let is_plain = !(special < 0x20 || special == b'"' || special == b'\\');
            for before in 0..20 {
                for (filler, follower) in [(b'a', b'"'), (0x21, 0x21), (0xff, 0x1f), (0x80, 0x22)] {
                    let mut text = vec![filler; before];
                    text.push(special);
                    text.extend([follower; 9]);
                    let ends = |byte: &u8| *byte < 0x20 || [b'"', b'\\'].contains(byte);
                    let wanted = text.iter().position(ends).unwrap_or(text.len());
                    assert_eq!(plain_length(&text), wanted, "{text:?}");
                    assert_eq!(wanted == before, !is_plain);
                }
            }
        }
    }
}
