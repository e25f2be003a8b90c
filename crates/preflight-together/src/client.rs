//! Requests: the key to one origin only, bounded bodies, few retries, one deadline.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use crate::{Error, Settings};

/// The platform's content network refuses clients that give no name of their own (error 1010).
const USER_AGENT: &str = concat!("byom-preflight/", env!("CARGO_PKG_VERSION"));
/// Most bytes of an answer; the longest there is has some 100 000.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Most bytes of an error that are read.
const ERROR_BYTES_MAX: usize = 64 << 10;
/// Most characters of the API's own words that are handed on.
const WORDS_MAX: usize = 200;
/// Most attempts at one request.
const ATTEMPTS_MAX: u32 = 4;
/// Wait before the second attempt; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest silence of the server.
const STALL: Duration = Duration::from_secs(20);

/// One client for all requests.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    settings: Settings,
    deadline: Instant,
}

/// An error of the API.
/// Source: `ErrorData` of <https://github.com/togethercomputer/openapi/blob/main/openapi.yaml>; the
/// answer 404 about limits has `message` at its top.
#[derive(Deserialize)]
struct ErrorAnswer {
    error: Option<ErrorData>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct ErrorData {
    message: Option<String>,
}

/// Why an attempt failed, and whether another may help.
struct Failed {
    error: Error,
    is_passing: bool,
    wait: Option<Duration>,
}

impl Failed {
    fn passing(error: Error) -> Self {
        Self {
            error,
            is_passing: true,
            wait: None,
        }
    }

    fn lasting(error: Error) -> Self {
        Self {
            error,
            is_passing: false,
            wait: None,
        }
    }
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        // Fails where the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, settings.key.authorization()?);
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(headers)
            // A redirect could take the key elsewhere, and this API gives none.
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| Error::Unreachable {
                host: settings.host(),
                why: format!("no connection can be set up: {}", cause(&error)),
            })?;
        Ok(Self {
            http,
            settings: settings.clone(),
            deadline: Instant::now() + settings.budget,
        })
    }

    /// The answer to a request, tried again where that can help.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &'static str,
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        let mut made = 0;
        loop {
            let failed = match self.attempt(path, query).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            made += 1;
            let wait = failed
                .wait
                .unwrap_or_default()
                .max(FIRST_WAIT * 2_u32.pow(made - 1));
            let is_time = wait < self.left();
            if !failed.is_passing || made >= ATTEMPTS_MAX || !is_time {
                return Err(failed.error);
            }
            sleep(wait).await;
        }
    }

    /// An answer that no such API gives.
    pub(crate) fn odd(&self, path: &'static str, what: impl Into<String>) -> Error {
        Error::Odd {
            host: self.settings.host(),
            path,
            what: self.settings.key.redact(&what.into()),
        }
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        path: &'static str,
        query: &[(&str, &str)],
    ) -> Result<T, Failed> {
        let request = self.http.get(self.settings.url(path, query));
        let sent = request.header(ACCEPT, "application/json").send();
        let mut response = self.in_time(sent).await.map_err(Failed::passing)?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(self.refused(path, response).await);
        }
        let body = self
            .body(&mut response, BODY_BYTES_MAX)
            .await
            .map_err(Failed::passing)?;
        let Some(body) = body else {
            let what = format!("it is longer than {BODY_BYTES_MAX} bytes");
            return Err(Failed::lasting(self.odd(path, what)));
        };
        let odd = |what: &str| Failed::lasting(self.odd(path, words(what)));
        // First of all, because what is told of an odd answer may quote a part of it.
        let whole = serde_json::from_slice(&body).map_err(|error| odd(&error.to_string()))?;
        if self.settings.key.is_in(&whole) {
            return Err(odd("it repeats the API key"));
        }
        serde_json::from_slice(&body).map_err(|error| odd(&error.to_string()))
    }

    /// What an answer with another status than 200 means.
    async fn refused(&self, path: &'static str, mut response: Response) -> Failed {
        let status = response.status();
        let wait = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let body = self.body(&mut response, ERROR_BYTES_MAX).await;
        let answer: Option<ErrorAnswer> = body
            .ok()
            .flatten()
            .and_then(|body| serde_json::from_slice(&body).ok());
        let said = answer.and_then(|answer| {
            let inner = answer.error.and_then(|error| error.message);
            inner.or(answer.message)
        });
        let said = said
            .map(|text| words(&self.settings.key.redact(&text)))
            .filter(|text| !text.is_empty());
        let reason = status.canonical_reason().map(str::to_ascii_lowercase);
        let hint = match status.as_u16() {
            401 | 403 => "; check `TOGETHER_API_KEY`",
            404 if path != "fine-tunes/models/limits" => {
                "; does the address lack the version, as in `/v1`?"
            }
            300..=399 => "; the key goes to no other address than the one given",
            _ => "",
        };
        let error = Error::Refused {
            host: self.settings.host(),
            status: status.as_u16(),
            path,
            message: said
                .or(reason)
                .map_or_else(String::new, |text| format!(" ({text})")),
            hint,
        };
        Failed {
            error,
            is_passing: matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504),
            wait,
        }
    }

    /// A body; none where it is longer than allowed.
    async fn body(&self, response: &mut Response, most: usize) -> Result<Option<BytesMut>, Error> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.in_time(response.chunk()).await? {
            if body.len() + chunk.len() > most {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }

    /// Ends a step when nothing comes for [`STALL`], or the time is over.
    async fn in_time<T>(
        &self,
        step: impl Future<Output = Result<T, reqwest::Error>>,
    ) -> Result<T, Error> {
        let most = STALL.min(self.left());
        let why = match timeout(most, step).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => cause(&error),
            Err(_) if most < STALL => {
                format!(
                    "the {} s for it are used up",
                    self.settings.budget.as_secs()
                )
            }
            Err(_) => format!("it sent nothing for {} s", STALL.as_secs()),
        };
        Err(Error::Unreachable {
            host: self.settings.host(),
            why,
        })
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// The innermost reason of a failed request: the outer ones only repeat its address.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    words(&cause.to_string())
}

/// A server's words in a line, without control characters.
fn words(text: &str) -> String {
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = words.chars().filter(|c| !c.is_control());
    shown
        .take(WORDS_MAX)
        .collect::<String>()
        .trim_end_matches('.')
        .to_owned()
}
