//! Requests: redirects by hand, credential only to the Hub, bounded bodies, everything counted.

use std::error::Error as _;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderMap, RANGE};
use reqwest::{Response, StatusCode, Url};

use super::attempts::{Attempts, Deadline};
use super::connections::Connections;
use super::endpoint::Endpoint;
use super::lanes::Permit;
use super::problem::{Problem, Refusal};
use super::ratelimit;
use super::redirect::{REDIRECTS_MAX, host, is_redirect, next};
use super::token::Token;
use crate::Error;
use crate::source::{Cost, Meter};

/// Longest body of a redirect or an error that is read to its end, so that the connection can be used
/// again; a longer one costs more than a new connection.
const IGNORED_BYTES_MAX: u64 = 16 << 10;
/// Longest wait for such a body.
const IGNORED_TIME: Duration = Duration::from_secs(1);
/// Buffer that is set aside at once for a body, whatever length it announces.
const BUFFER_BYTES: u64 = 1 << 20;

/// Whom a client asks, as whom, for how long.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) endpoint: Endpoint,
    /// Sent to the endpoint's own origin only.
    pub(crate) token: Option<Token>,
    /// Longest silence of a server.
    pub(crate) stall: Duration,
    /// Time for all requests together.
    pub(crate) budget: Duration,
    /// Waiting for limits that is not taken from it.
    pub(crate) patience: Duration,
    pub(crate) connections: Connections,
}

/// One client for all requests of a model.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) endpoint: Endpoint,
    token: Option<Token>,
    is_token_refused: AtomicBool,
    connections: Connections,
    stall: Duration,
    budget: Duration,
    patience: Duration,
    deadline: OnceLock<Deadline>,
    meter: Meter,
}

/// How much of a file a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Whole,
    /// Both ends are within the header field.
    Range(Range<u64>),
    /// So many bytes at the end.
    Last(u64),
    /// Everything from there on.
    From(u64),
}

impl From<Option<&Range<u64>>> for Asked {
    fn from(range: Option<&Range<u64>>) -> Self {
        range.map_or(Self::Whole, |range| Self::Range(range.clone()))
    }
}

impl Asked {
    /// The value of the header `Range`.
    fn field(&self) -> Option<String> {
        match self {
            Self::Whole => None,
            Self::Range(range) => {
                let last = range.end.saturating_sub(1);
                Some(format!("bytes={}-{last}", range.start))
            }
            Self::Last(count) => Some(format!("bytes=-{count}")),
            Self::From(start) => Some(format!("bytes={start}-")),
        }
    }
}

/// An answer whose body is not read yet.
pub(crate) struct Head {
    reply: Reply,
    /// Headers of every hop, the Hub's own first.
    hops: Vec<HeaderMap>,
}

/// An answer, and the lane it keeps until its body is read.
struct Reply {
    response: Response,
    _permit: Permit,
}

impl Head {
    pub(crate) fn status(&self) -> StatusCode {
        self.reply.response.status()
    }

    /// Where the answer comes from in the end.
    pub(crate) fn url(&self) -> &Url {
        self.reply.response.url()
    }

    /// Headers of every hop, the endpoint's own first.
    pub(crate) fn hops(&self) -> &[HeaderMap] {
        &self.hops
    }

    /// A header as the first hop that has it gives it.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        first(&self.hops, name)
    }

    /// A header of the answer itself.
    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        text(self.reply.response.headers(), name)
    }

    /// All values of a header of the answer itself.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let values = self.reply.response.headers().get_all(name);
        values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect()
    }

    /// A problem with this answer that asking again does not solve.
    pub(crate) fn broken(&self, what: impl Into<String>) -> Problem {
        Problem::Broken {
            host: host(self.url()),
            what: what.into(),
        }
    }
}

/// A header as the first hop that has it gives it.
pub(crate) fn first<'a>(hops: &'a [HeaderMap], name: &str) -> Option<&'a str> {
    hops.iter().find_map(|headers| text(headers, name))
}

/// Whether an error has the form that the Hub gives its errors: a page of a proxy that wants a login says
/// nothing about a repository.
fn is_of_a_hub(headers: &HeaderMap) -> bool {
    let challenge = text(headers, "www-authenticate").unwrap_or_default();
    headers.contains_key("x-error-message")
        || headers.contains_key("x-error-code")
        || challenge.starts_with("Bearer")
}

/// Whether the Hub says that it does not know the token, rather than what the token may not open.
fn is_token_unknown(response: &Response) -> bool {
    let headers = response.headers();
    response.status() == StatusCode::UNAUTHORIZED
        && is_of_a_hub(headers)
        && text(headers, "x-error-code") != Some("GatedRepo")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Client {
    pub(crate) fn new(settings: Settings) -> Result<Self, Error> {
        let http = settings
            .connections
            .http()
            .map_err(|cause| Error::Unavailable {
                path: settings.endpoint.host(),
                reason: format!("no connection can be set up: {cause}"),
            })?;
        Ok(Self {
            http,
            endpoint: settings.endpoint,
            token: settings.token,
            is_token_refused: AtomicBool::new(false),
            connections: settings.connections,
            stall: settings.stall,
            budget: settings.budget,
            patience: settings.patience,
            deadline: OnceLock::new(),
            meter: Meter::default(),
        })
    }

    pub(crate) fn cost(&self) -> Cost {
        self.meter.cost()
    }

    /// Whether the user gave a token and the Hub does not know it.
    pub(crate) fn is_token_refused(&self) -> bool {
        self.is_token_refused.load(Ordering::Relaxed)
    }

    /// Whether requests carry a token now.
    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some() && !self.is_token_refused()
    }

    /// The attempts at a new request. The time for the model starts with the first one.
    pub(crate) fn attempts(&self) -> Attempts {
        Attempts::new(self.deadline())
    }

    fn deadline(&self) -> Deadline {
        let start = || Deadline::new(self.budget, self.patience);
        self.deadline.get_or_init(start).clone()
    }

    /// The whole body of a successful answer, tried again where that can help.
    pub(crate) async fn get(&self, url: &Url, bytes_max: u64) -> Result<(Head, Bytes), Problem> {
        let mut attempts = self.attempts();
        loop {
            match self.get_once(url, bytes_max).await {
                Ok(answer) => return Ok(answer),
                Err(problem) => attempts.after(problem).await?,
            }
        }
    }

    /// One attempt at [`Client::get`].
    pub(crate) async fn get_once(
        &self,
        url: &Url,
        bytes_max: u64,
    ) -> Result<(Head, Bytes), Problem> {
        let mut head = self.open(url, None).await?;
        let body = self.body(&mut head, bytes_max).await?;
        Ok((head, body))
    }

    /// One attempt: follows redirects to a successful answer.
    pub(crate) async fn open(&self, url: &Url, asked: impl Into<Asked>) -> Result<Head, Problem> {
        let asked = asked.into();
        let mut url = url.clone();
        let mut hops = Vec::new();
        // Once a request has left the Hub, the credential does not come back to it.
        let mut is_at_hub = true;
        while hops.len() <= REDIRECTS_MAX {
            is_at_hub = is_at_hub && self.endpoint.is_origin_of(&url);
            let reply = self.send(&url, &asked, is_at_hub).await?;
            let headers = reply.response.headers();
            hops.push(headers.clone());
            let status = reply.response.status();
            if is_redirect(status) || status.is_success() {
                self.connections.let_in(&url);
            }
            if is_redirect(status) {
                url = next(&url, headers).map_err(|what| Problem::Broken {
                    host: host(&url),
                    what,
                })?;
                self.ignore_body(reply).await;
                continue;
            }
            if !status.is_success() {
                return Err(self.refusal(reply, is_at_hub).await);
            }
            let head = Head { reply, hops };
            return match head.last(CONTENT_ENCODING.as_str()) {
                None | Some("identity" | "") => Ok(head),
                Some(encoding) => Err(head.broken(format!(
                    "it sends `{encoding}` although nothing but `identity` was asked for"
                ))),
            };
        }
        Err(Problem::Broken {
            host: host(&url),
            what: format!("more than {REDIRECTS_MAX} redirects"),
        })
    }

    /// Where redirects of the endpoint lead to elsewhere, and the headers of every hop up to there; none
    /// where it answers itself. One attempt.
    pub(crate) async fn locate(&self, url: &Url) -> Result<Option<(Url, Vec<HeaderMap>)>, Problem> {
        let mut url = url.clone();
        let mut hops = Vec::new();
        while hops.len() <= REDIRECTS_MAX && self.endpoint.is_origin_of(&url) {
            let reply = self.send(&url, &Asked::Range(0..1), true).await?;
            let headers = reply.response.headers();
            if !is_redirect(reply.response.status()) {
                return Ok(None);
            }
            url = next(&url, headers).map_err(|what| Problem::Broken {
                host: host(&url),
                what,
            })?;
            hops.push(headers.clone());
            self.ignore_body(reply).await;
        }
        Ok((!self.endpoint.is_origin_of(&url)).then_some((url, hops)))
    }

    /// Sends one request. Where the Hub does not know the token: once more, since a server that errs
    /// must not make a private model look missing, and then without it.
    async fn send(&self, url: &Url, asked: &Asked, is_at_hub: bool) -> Result<Reply, Problem> {
        for _ in 0..2 {
            if !(is_at_hub && self.has_token()) {
                break;
            }
            let reply = self.send_as(url, asked, true).await?;
            if !is_token_unknown(&reply.response) {
                return Ok(reply);
            }
            self.ignore_body(reply).await;
        }
        if is_at_hub && self.has_token() {
            self.is_token_refused.store(true, Ordering::Relaxed);
        }
        self.send_as(url, asked, false).await
    }

    async fn send_as(&self, url: &Url, asked: &Asked, with_token: bool) -> Result<Reply, Problem> {
        let permit = self.connections.enter(url).await;
        self.wait_for_limit(url).await?;
        let mut request = self
            .http
            .get(url.clone())
            .header(ACCEPT_ENCODING, "identity");
        if let Some(field) = asked.field() {
            request = request.header(RANGE, field);
        }
        let token = self.token.as_ref().filter(|_| with_token);
        if let Some(value) = token.and_then(Token::authorization) {
            request = request.header(AUTHORIZATION, value);
        }
        self.meter.count(0);
        let response = self.in_time(url, request.send()).await?;
        permit.answered(response.version());
        Ok(Reply {
            response,
            _permit: permit,
        })
    }

    /// The rest of the body, at most `bytes_max` of it.
    pub(crate) async fn body(&self, head: &mut Head, bytes_max: u64) -> Result<Bytes, Problem> {
        let too_long =
            |head: &Head| head.broken(format!("its answer is longer than {bytes_max} bytes"));
        let announced = head.reply.response.content_length();
        if announced.is_some_and(|length| length > bytes_max) {
            return Err(too_long(head));
        }
        let capacity = announced.unwrap_or(0).min(BUFFER_BYTES);
        let mut body = BytesMut::with_capacity(usize::try_from(capacity).unwrap_or(0));
        while let Some(chunk) = self.chunk(head).await? {
            if body.len() as u64 + chunk.len() as u64 > bytes_max {
                return Err(too_long(head));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The next piece of the body; none at its end.
    pub(crate) async fn chunk(&self, head: &mut Head) -> Result<Option<Bytes>, Problem> {
        let url = head.url().clone();
        let chunk = self.in_time(&url, head.reply.response.chunk()).await?;
        self.meter
            .receive(chunk.as_ref().map_or(0, |chunk| chunk.len() as u64));
        Ok(chunk)
    }

    /// Reads a short body that says nothing to us, so that the connection can be used again.
    async fn ignore_body(&self, mut reply: Reply) {
        let response = &mut reply.response;
        if response
            .content_length()
            .is_none_or(|length| length > IGNORED_BYTES_MAX)
        {
            return;
        }
        let rest = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                self.meter.receive(chunk.len() as u64);
            }
        };
        let _ = tokio::time::timeout(IGNORED_TIME, rest).await;
    }

    fn redacted(&self, words: &str) -> String {
        match &self.token {
            Some(token) => token.redact(words),
            None => words.to_owned(),
        }
    }

    async fn refusal(&self, reply: Reply, is_at_hub: bool) -> Problem {
        let response = &reply.response;
        let headers = response.headers();
        let mut refusal = Refusal {
            host: host(response.url()),
            status: response.status(),
            code: text(headers, "x-error-code").map(str::to_owned),
            message: text(headers, "x-error-message")
                .map(|words| self.redacted(words))
                .and_then(|words| Refusal::words(&words)),
            is_of_a_hub: is_of_a_hub(headers),
            is_elsewhere: !is_at_hub,
            wait: ratelimit::wait(headers, SystemTime::now()),
        };
        if refusal.is_limit() && (refusal.wait.is_some() || !self.patience.is_zero()) {
            refusal.wait = self.connections.limit(response.url(), refusal.wait);
        }
        self.ignore_body(reply).await;
        Problem::Status(refusal)
    }

    /// Waits where another request was told to; what would take too long is left to the answer.
    async fn wait_for_limit(&self, url: &Url) -> Result<(), Problem> {
        let wait = self.connections.pause_left(url);
        if wait.is_zero() {
            return Ok(());
        }
        if !self.deadline().allows_wait(wait) {
            return Err(Problem::OutOfTime {
                budget: self.budget,
                wait: Some((host(url), wait)),
            });
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    async fn in_time<T>(
        &self,
        url: &Url,
        step: impl Future<Output = Result<T, reqwest::Error>>,
    ) -> Result<T, Problem> {
        self.deadline().in_time(self.stall, url, step).await
    }
}

/// The innermost reason of an error, which names no address.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    let text = cause.map_or_else(|| "the request failed".to_owned(), ToString::to_string);
    let text = text.split(" (os error").next().unwrap_or(&text).to_owned();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
