//! An archive behind a URL, which may be presigned: then the method is signed too, so only GET is sent,
//! and no header that signs again. The URL is a secret but for its host and path.

use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use reqwest::header::CONTENT_RANGE;
use reqwest::{StatusCode, Url};

use super::bytes::{ArchiveBytes, Edge, Opened};
use super::options::ArchiveOptions;
use crate::http::{Asked, Client, Endpoint, Head, Problem, Settings, content_range, validator};
use crate::source::{BoxFuture, Cost};
use crate::{Error, SecretUrl};

/// A file behind a URL.
#[derive(Debug)]
pub(super) struct UrlBytes {
    client: Client,
    secret: SecretUrl,
    url: HiddenUrl,
    version: OnceLock<Version>,
}

/// The version of the file that the first answer was about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    size: Option<u64>,
    validator: Option<String>,
}

struct HiddenUrl(Url);

impl std::fmt::Debug for HiddenUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HiddenUrl(…)")
    }
}

impl UrlBytes {
    pub(super) fn new(
        secret: &SecretUrl,
        url: Url,
        options: &ArchiveOptions,
    ) -> Result<Self, Error> {
        // Without the signature: the client shows where it asks.
        let mut origin = url.clone();
        origin.set_query(None);
        let client = Client::new(Settings {
            endpoint: Endpoint(origin),
            token: None,
            stall: options.stall,
            budget: options.timeout,
            patience: options.patience,
            connections: options.connections.clone(),
        })?;
        Ok(Self {
            client,
            secret: secret.clone(),
            url: HiddenUrl(url),
            version: OnceLock::new(),
        })
    }

    fn error(&self, problem: Problem) -> Error {
        let path = self.secret.to_string();
        match problem {
            Problem::Status(mut refusal) => {
                // A server's own words may hold what it was sent.
                refusal.message = None;
                let reason = refusal.to_string();
                match refusal.status {
                    StatusCode::NOT_FOUND | StatusCode::GONE => Error::Refused { path, reason },
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Unavailable {
                        path,
                        reason: format!(
                            "{reason}: it may have expired, or be signed for something else than `GET`"
                        ),
                    },
                    _ => Error::Unavailable { path, reason },
                }
            }
            other => Error::Unavailable {
                path,
                reason: other.to_string(),
            },
        }
    }

    /// The answer to a request for a range: its place, the size of the whole, its bytes.
    async fn ranged(&self, asked: &Asked, length: u64) -> Result<(u64, u64, Bytes), Problem> {
        let mut head = self.client.open(&self.url.0, asked.clone()).await?;
        if head.status() != StatusCode::PARTIAL_CONTENT {
            return Err(head.broken("it ignores ranges"));
        }
        let sent = head.last(CONTENT_RANGE.as_str()).and_then(content_range);
        let Some((range, size)) = sent else {
            return Err(head.broken("it does not say which range it sends"));
        };
        let expected = match asked {
            Asked::Range(range) => range.start..range.end.min(size),
            Asked::Last(count) => size.saturating_sub(*count)..size,
            Asked::Whole | Asked::From(_) => 0..size,
        };
        if range != expected {
            return Err(head.broken(format!(
                "bytes {}-{} were asked for, it sends {}-{}",
                expected.start,
                expected.end.saturating_sub(1),
                range.start,
                range.end - 1
            )));
        }
        self.is_same(&head, Some(size))?;
        let bytes = self.client.body(&mut head, length).await?;
        if bytes.len() as u64 == range.end - range.start {
            return Ok((range.start, size, bytes));
        }
        Err(Problem::Connection {
            host: crate::http::host(head.url()),
            what: format!(
                "it sent {} of {} bytes",
                bytes.len(),
                range.end - range.start
            ),
        })
    }

    /// Holds an answer against the first one.
    fn is_same(&self, head: &Head, size: Option<u64>) -> Result<(), Problem> {
        let now = Version {
            size,
            validator: validator(head).or_else(|| head.last("last-modified").map(str::to_owned)),
        };
        let first = self.version.get_or_init(|| now.clone());
        let changed = |what: String| Err(Problem::Changed(what));
        if let (Some(before), Some(now)) = (first.size, now.size)
            && before != now
        {
            return changed(format!("it had {before} bytes, now it has {now}"));
        }
        if let (Some(before), Some(now)) = (&first.validator, &now.validator)
            && before != now
        {
            return changed("it has another validator (`ETag`) than before".into());
        }
        Ok(())
    }

    /// The same, tried again where that can help.
    async fn ranged_again(&self, asked: &Asked, length: u64) -> Result<(u64, u64, Bytes), Problem> {
        let mut attempts = self.client.attempts();
        loop {
            match self.ranged(asked, length).await {
                Ok(answer) => return Ok(answer),
                Err(problem) => attempts.after(problem).await?,
            }
        }
    }

    async fn open_at(&self, edge: Edge, length: u64) -> Result<Opened, Problem> {
        // Servers that do not know ranges from the end answer in many ways, also with 500 where the file is
        // shorter: what is wrong is said of the plain ranges below.
        if edge == Edge::End
            && let Ok((offset, size, bytes)) = self.ranged(&Asked::Last(length), length).await
        {
            return Ok(opened(size, offset, bytes));
        }
        let first = Asked::Range(0..length);
        match self.ranged_again(&first, length).await {
            Ok((_, size, bytes)) if edge == Edge::Start || size <= length => {
                Ok(opened(size, 0, bytes))
            }
            Ok((_, size, _)) => {
                let tail = Asked::Range(size - length..size);
                let (offset, size, bytes) = self.ranged_again(&tail, length).await?;
                Ok(opened(size, offset, bytes))
            }
            Err(Problem::Broken { .. }) if edge == Edge::Start => self.open_whole(length).await,
            Err(problem) => Err(problem),
        }
    }

    /// The first bytes of an answer that holds everything, for what is read from start to end anyway.
    async fn open_whole(&self, length: u64) -> Result<Opened, Problem> {
        let mut head = self.client.open(&self.url.0, Asked::Whole).await?;
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < length
            && let Some(piece) = self.client.chunk(&mut head).await?
        {
            bytes.extend_from_slice(&piece);
        }
        bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(Opened {
            size: None,
            offset: 0,
            bytes: bytes.into(),
        })
    }

    /// The answer from `at` on.
    async fn open_from(&self, at: u64) -> Result<Head, Problem> {
        if at == 0 {
            let head = self.client.open(&self.url.0, Asked::Whole).await?;
            self.is_same(&head, length(&head))?;
            return Ok(head);
        }
        let head = self.client.open(&self.url.0, Asked::From(at)).await?;
        let sent = head.last(CONTENT_RANGE.as_str()).and_then(content_range);
        match sent.filter(|_| head.status() == StatusCode::PARTIAL_CONTENT) {
            Some((range, size)) if range == (at..size) => self.is_same(&head, Some(size))?,
            _ => return Err(head.broken("it broke off, and does not go on where it did")),
        }
        Ok(head)
    }

    /// The next piece of a stream.
    async fn next(&self, flow: &mut Flow) -> Result<Option<Bytes>, Problem> {
        let mut attempts = self.client.attempts();
        loop {
            let read = async {
                if flow.head.is_none() {
                    flow.head = Some(self.open_from(flow.at).await?);
                }
                match &mut flow.head {
                    Some(head) => self.client.chunk(head).await,
                    None => Ok(None),
                }
            };
            match read.await {
                Ok(piece) => {
                    flow.at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
                    return Ok(piece);
                }
                Err(problem) => {
                    flow.head = None;
                    attempts.after(problem).await?;
                }
            }
        }
    }
}

/// An answer that is being read, and how far.
#[derive(Default)]
struct Flow {
    at: u64,
    head: Option<Head>,
    is_over: bool,
}

fn opened(size: u64, offset: u64, bytes: Bytes) -> Opened {
    Opened {
        size: Some(size),
        offset,
        bytes,
    }
}

fn length(head: &Head) -> Option<u64> {
    head.last("content-length")?.parse().ok()
}

impl ArchiveBytes for UrlBytes {
    fn open(&self, edge: Edge, length: u64) -> BoxFuture<'_, Result<Opened, Error>> {
        Box::pin(async move {
            let opened = self.open_at(edge, length).await;
            opened.map_err(|problem| self.error(problem))
        })
    }

    fn read_at(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, Error>> {
        Box::pin(async move {
            let length = range.end - range.start;
            let read = self.ranged_again(&Asked::Range(range), length).await;
            read.map(|(_, _, bytes)| bytes)
                .map_err(|problem| self.error(problem))
        })
    }

    fn stream(&self, _size: Option<u64>) -> BoxStream<'_, Result<Bytes, Error>> {
        let next = move |mut flow: Flow| async move {
            if flow.is_over {
                return None;
            }
            let piece = self.next(&mut flow).await;
            flow.is_over = piece.is_err();
            let piece = piece.map_err(|problem| self.error(problem)).transpose()?;
            Some((piece, flow))
        };
        stream::unfold(Flow::default(), next).boxed()
    }

    fn cost(&self) -> Cost {
        self.client.cost()
    }

    fn is_remote(&self) -> bool {
        true
    }
}
