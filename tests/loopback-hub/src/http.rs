//! As much of HTTP/1.1 as a test server needs, with every byte on the wire in our own hands.

use std::fmt::Write as _;
use std::io;
use std::ops::Range;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::repo::Content;

/// Longest line and most header fields of a request, longest body.
const LINE_BYTES_MAX: u64 = 64 << 10;
const FIELDS_MAX: usize = 200;
const BODY_BYTES_MAX: u64 = 1 << 20;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A request as it came.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Still percent-encoded.
    pub(crate) path: String,
    pub(crate) query: String,
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The next request of a connection; `None` where the client has closed it.
    pub(crate) async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let Some(line) = read_line(stream).await? else {
            return Ok(None);
        };
        let mut words = line.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(invalid("request line"));
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Self {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            ..Self::default()
        };
        while let Some(line) = read_line(stream).await? {
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            if request.fields.len() == FIELDS_MAX {
                return Err(invalid("too many header fields"));
            }
            let field = (name.to_ascii_lowercase(), value.trim().to_owned());
            request.fields.push(field);
        }
        let length = request.field("content-length").unwrap_or("0").parse();
        let length: u64 = length.map_err(|_| invalid("content-length"))?;
        if length > BODY_BYTES_MAX {
            return Err(invalid("too long a body"));
        }
        stream.take(length).read_to_end(&mut request.body).await?;
        Ok(Some(request))
    }

    /// The value of a header field, by its name in small letters.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find_map(|(field, value)| (field == name).then_some(value.as_str()))
    }

    /// The decoded value of a parameter of the address.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        parameters(&self.query).find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Whether a parameter is set to yes.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        let value = self.parameter(name).unwrap_or_default();
        matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes")
    }

    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A line without its end; `None` at the end of the stream.
async fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    stream
        .take(LINE_BYTES_MAX)
        .read_until(b'\n', &mut line)
        .await?;
    match line.strip_suffix(b"\n") {
        Some(text) => Ok(Some(String::from_utf8_lossy(text).trim_end().to_owned())),
        None if line.is_empty() => Ok(None),
        None => Err(invalid("line without end")),
    }
}

/// Names and values of `a=1&b=2`, decoded.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                decode(&name.replace('+', " ")),
                decode(&value.replace('+', " ")),
            )
        })
}

/// Resolves `%20` and the like.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while let Some(&byte) = bytes.get(place) {
        let digits = bytes.get(place + 1..place + 3).filter(|_| byte == b'%');
        let value = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(value.unwrap_or(byte));
        place += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Escapes everything but letters, digits, `-._~` and the characters of `kept`.
pub(crate) fn encode(text: &str, kept: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let letter = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-._~".contains(letter) || kept.contains(letter) {
            encoded.push(letter);
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Content,
    /// The part of `body` that is sent.
    pub(crate) part: Range<u64>,
}

impl Response {
    pub(crate) fn new(status: u16, kind: &str, body: impl AsRef<[u8]>) -> Self {
        let body = Content::new(body);
        Self {
            status,
            fields: Vec::new(),
            part: 0..body.size,
            body,
        }
        .with("Content-Type", kind)
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", value.to_string())
    }

    /// Sets a header field.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find_map(|(field, value)| (field == name).then_some(value.as_str()))
    }

    pub(crate) fn length(&self) -> u64 {
        self.part.end - self.part.start
    }

    /// Sends the head and the first `length` bytes of the body.
    pub(crate) async fn send(
        &self,
        stream: &mut BufReader<TcpStream>,
        length: u64,
    ) -> io::Result<()> {
        let mut bytes = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.fields {
            let _ = write!(bytes, "{name}: {value}\r\n");
        }
        let _ = write!(bytes, "Content-Length: {}\r\n\r\n", self.length());
        let mut bytes = bytes.into_bytes();
        let end = self.part.start + length;
        let head_end = end.min(self.body.head.len() as u64);
        if let Some(stored) = slice(&self.body.head, self.part.start..head_end) {
            bytes.extend_from_slice(stored);
        }
        let mut zeros = end - self.part.start.max(head_end);
        // A short answer leaves in one packet.
        let few = usize::try_from(zeros.min(4096)).unwrap_or(0);
        bytes.resize(bytes.len() + few, 0);
        zeros -= few as u64;
        stream.write_all(&bytes).await?;
        while zeros > 0 {
            let some = usize::try_from(zeros)
                .unwrap_or(usize::MAX)
                .min(ZEROS.len());
            stream.write_all(&ZEROS[..some]).await?;
            zeros -= some as u64;
        }
        stream.flush().await
    }
}

fn slice(bytes: &[u8], range: Range<u64>) -> Option<&[u8]> {
    let start = usize::try_from(range.start).ok()?;
    bytes.get(start..usize::try_from(range.end).ok()?)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

/// What a `Range` field asks of a file (RFC 9110, section 14).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing, or what a server may leave aside: several ranges, other units.
    Whole,
    Part(Range<u64>),
    /// Nothing of it is there: 416.
    Beyond,
}

pub(crate) fn asked(field: Option<&str>, size: u64) -> Asked {
    let parse = || {
        let (first, last) = field?.trim().strip_prefix("bytes=")?.split_once('-')?;
        if first.is_empty() {
            let count: u64 = last.parse().ok()?;
            return Some(size.saturating_sub(count)..size);
        }
        let start: u64 = first.parse().ok()?;
        let end = match last {
            "" => size,
            last => last.parse::<u64>().ok()?.saturating_add(1).min(size),
        };
        // A last byte before the first is no range at all.
        (last.is_empty() || last.parse::<u64>().ok()? >= start).then_some(start..end)
    };
    match parse() {
        None => Asked::Whole,
        Some(range) if range.start >= range.end => Asked::Beyond,
        Some(range) => Asked::Part(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_the_rfc_has_them() {
        assert_eq!(asked(None, 10), Asked::Whole);
        assert_eq!(asked(Some("bytes=0-3"), 10), Asked::Part(0..4));
        assert_eq!(asked(Some("bytes=8-99"), 10), Asked::Part(8..10));
        assert_eq!(asked(Some("bytes=8-"), 10), Asked::Part(8..10));
        assert_eq!(asked(Some("bytes=-3"), 10), Asked::Part(7..10));
        assert_eq!(asked(Some("bytes=-0"), 10), Asked::Beyond);
        assert_eq!(asked(Some("bytes=10-"), 10), Asked::Beyond);
        assert_eq!(asked(Some("bytes=0-1"), 0), Asked::Beyond);
        for whole in ["bytes=5-2", "bytes=0-1,4-5", "items=0-1", "bytes=x-"] {
            assert_eq!(asked(Some(whole), 10), Asked::Whole, "{whole}");
        }
    }

    #[test]
    fn addresses_survive_the_round_trip() {
        let odd = "sub dir/file #1 é%2F.json";
        assert_eq!(decode(&encode(odd, "/")), odd);
        assert_eq!(encode("a/b", ""), "a%2Fb");
        assert_eq!(decode("%zz%4"), "%zz%4");
    }
}
