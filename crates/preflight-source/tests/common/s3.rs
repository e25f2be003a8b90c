//! As much of S3 as a reader meets, on the loopback interface: listings in pages, ranges, `If-Match`. A test
//! can put any answer in the place of the usual one. It looks at no signature: `tests/outside` asks real servers.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) const BUCKET: &str = "models";

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Decoded.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.headers.contains_key("authorization")
    }

    pub(crate) fn is_list(&self) -> bool {
        self.query.contains_key("list-type")
    }

    /// The region that it is signed for.
    pub(crate) fn region(&self) -> Option<&str> {
        self.header("authorization")?.split('/').nth(2)
    }
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Bytes that are really sent of the body, where that is less.
    pub(crate) cut_at: Option<usize>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            ..Self::default()
        }
    }

    /// An error as S3 writes them.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let xml = format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>because.</Message></Error>"
        );
        Self::new(status, xml)
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.into(), value.into()));
        self
    }
}

type Fault = Box<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;

struct State {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    page: usize,
    fault: Fault,
    log: Mutex<Vec<Asked>>,
}

/// A server with one bucket.
pub(crate) struct S3Server {
    state: Arc<State>,
    port: u16,
}

impl S3Server {
    pub(crate) fn start<'a>(objects: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Self {
        Self::with(objects, 1000, |_| None)
    }

    /// One with `page` objects on a page of a listing, and answers of the test's own.
    pub(crate) fn with<'a>(
        objects: impl IntoIterator<Item = (&'a str, Vec<u8>)>,
        page: usize,
        fault: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let objects = objects
            .into_iter()
            .map(|(key, bytes)| (key.to_owned(), bytes))
            .collect();
        let state = Arc::new(State {
            objects: Mutex::new(objects),
            page,
            fault: Box::new(fault),
            log: Mutex::default(),
        });
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&serving);
                thread::spawn(move || serve(&state, stream));
            }
        });
        Self { state, port }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What was asked so far.
    pub(crate) fn log(&self) -> Vec<Asked> {
        self.state.log.lock().unwrap().clone()
    }
}

fn serve(state: &State, stream: TcpStream) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        let answer = (state.fault)(&asked).unwrap_or_else(|| usual(state, &asked));
        let is_head = asked.method == "HEAD";
        state.log.lock().unwrap().push(asked);
        let mut bytes = format!(
            "HTTP/1.1 {} x\r\nContent-Length: {}\r\n",
            answer.status,
            answer.body.len()
        );
        for (name, value) in &answer.headers {
            let _ = write!(bytes, "{name}: {value}\r\n");
        }
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        let sent = answer.cut_at.unwrap_or(answer.body.len());
        if !is_head {
            bytes.extend(&answer.body[..sent]);
        }
        if reader.get_mut().write_all(&bytes).is_err() || answer.cut_at.is_some() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(&value.replace('+', " ")))
    });
    let mut asked = Asked {
        method,
        path: decode(path),
        query: query.collect(),
        ..Asked::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        asked
            .headers
            .insert(name.to_ascii_lowercase(), value.trim().into());
    }
    let length = asked
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).unwrap();
    Some(asked)
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .filter(|_| byte == b'%')
            .and_then(|two| std::str::from_utf8(two).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(value.unwrap_or(byte));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap()
}

pub(crate) fn etag(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(bytes.len() as u64, |sum, &byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    format!("\"{sum:032x}\"")
}

fn usual(state: &State, asked: &Asked) -> Answer {
    let objects = state.objects.lock().unwrap();
    let rest = asked.path.trim_start_matches('/');
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket != BUCKET {
        return Answer::error(404, "NoSuchBucket");
    }
    if key.is_empty() {
        return list(&objects, state.page, asked);
    }
    let Some(bytes) = objects.get(key) else {
        return Answer::error(404, "NoSuchKey");
    };
    if asked
        .header("if-match")
        .is_some_and(|wanted| wanted != etag(bytes))
    {
        return Answer::error(412, "PreconditionFailed");
    }
    let range = asked.header("range").and_then(|range| {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        if first.is_empty() {
            return Some(bytes.len().saturating_sub(last.parse().ok()?)..bytes.len());
        }
        Some(first.parse::<usize>().ok()?..bytes.len().min(last.parse::<usize>().ok()? + 1))
    });
    let answer = match range {
        Some(range) if range.start >= bytes.len() => return Answer::error(416, "InvalidRange"),
        Some(range) => {
            let place = format!("bytes {}-{}/{}", range.start, range.end - 1, bytes.len());
            Answer::new(206, &bytes[range]).with("Content-Range", place)
        }
        None => Answer::new(200, bytes.clone()),
    };
    answer
        .with("ETag", etag(bytes))
        .with("Last-Modified", "Sun, 22 Nov 2026 06:00:00 GMT")
}

fn list(objects: &BTreeMap<String, Vec<u8>>, page: usize, asked: &Asked) -> Answer {
    let prefix = asked.query.get("prefix").map_or("", String::as_str);
    let start: usize = asked
        .query
        .get("continuation-token")
        .map_or(0, |token| token.parse().unwrap());
    let found: Vec<_> = objects
        .iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .collect();
    let end = found.len().min(start + page);
    let mut xml = String::from(
        "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
    );
    for (key, bytes) in &found[start..end] {
        let key = key.replace('&', "&amp;").replace('<', "&lt;");
        let (etag, size) = (etag(bytes).replace('"', "&quot;"), bytes.len());
        let _ = write!(
            xml,
            "<Contents><Key>{key}</Key><LastModified>2026-11-22T06:00:00.000Z</LastModified><ETag>{etag}</ETag><Size>{size}</Size></Contents>"
        );
    }
    if end < found.len() {
        let _ = write!(
            xml,
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{end}</NextContinuationToken>"
        );
    }
    xml.push_str("</ListBucketResult>");
    Answer::new(200, xml).with("Content-Type", "application/xml")
}
