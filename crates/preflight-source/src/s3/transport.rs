//! How requests of `object_store` are sent: by our own client, which bounds and counts them, tries again,
//! and hands on whole answers only.
//!
//! `object_store` signs requests, follows the pages of a listing and reads its XML. It is built without its own
//! HTTP client, which brings another TLS library and has limits of its own for retries and time.

use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::response::Parts;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE,
};
use reqwest::{Method, Response, StatusCode, Url};

use super::failed::Failed;
use super::options::S3Options;
use crate::Error;
use crate::http::{Attempts, Connections, Deadline, Problem, content_range, host};
use crate::source::{Cost, Meter};

/// Longest answer without a range: a page of a listing, of 1000 keys of at most 1024 bytes, escaped.
const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// Longest error that is read.
const ERROR_BYTES_MAX: u64 = 64 << 10;

/// One client for all requests of a model.
#[derive(Debug)]
pub(super) struct Transport {
    http: reqwest::Client,
    connections: Connections,
    stall: Duration,
    budget: Duration,
    patience: Duration,
    deadline: OnceLock<Deadline>,
    meter: Meter,
}

impl Transport {
    pub(super) fn new(options: &S3Options) -> Result<Self, Error> {
        let connections = options.connections.clone();
        Ok(Self {
            http: connections.http().map_err(|cause| Error::Unavailable {
                path: "s3".into(),
                reason: format!("no connection can be set up: {cause}"),
            })?,
            connections,
            stall: options.stall,
            budget: options.timeout,
            patience: options.patience,
            deadline: OnceLock::new(),
            meter: Meter::default(),
        })
    }

    pub(super) fn cost(&self) -> Cost {
        self.meter.cost()
    }

    /// For requests that others send: so many more, of so many bytes.
    pub(super) fn count(&self, bytes: u64) {
        self.meter.count(bytes);
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub(super) fn stall(&self) -> Duration {
        self.stall.min(self.deadline().left())
    }

    fn deadline(&self) -> Deadline {
        let start = || Deadline::new(self.budget, self.patience);
        self.deadline.get_or_init(start).clone()
    }

    /// The region that a bucket names to anybody who asks, allowed or not.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
    pub(super) async fn bucket_region(&self, bucket_url: &str) -> Option<String> {
        let url = Url::parse(bucket_url).ok()?;
        let request = reqwest::Request::new(Method::HEAD, url.clone());
        match self.send(&url, request).await {
            Ok(response) => {
                let region = response
                    .headers()
                    .get("x-amz-bucket-region")?
                    .to_str()
                    .ok()?;
                super::address::is_region(region).then(|| region.to_owned())
            }
            Err(failed) => failed.region,
        }
    }

    /// Sends a request until it succeeds or there is no use in it.
    async fn answer(&self, parts: &http::request::Parts) -> Result<(Parts, Bytes), Failed> {
        let mut attempts = Attempts::new(self.deadline());
        loop {
            match self.attempt(parts).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => {
                    if let Err(problem) = attempts.after(*failed.problem.clone()).await {
                        let problem = Box::new(problem);
                        return Err(Failed { problem, ..failed });
                    }
                }
            }
        }
    }

    async fn attempt(&self, parts: &http::request::Parts) -> Result<(Parts, Bytes), Failed> {
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| Problem::Broken {
            host: parts.uri.host().unwrap_or_default().into(),
            what: error.to_string(),
        })?;
        let mut request = reqwest::Request::new(parts.method.clone(), url.clone());
        *request.headers_mut() = parts.headers.clone();
        request
            .headers_mut()
            .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let permit = self.connections.enter(&url).await;
        self.wait_for_limit(&url).await?;
        let response = self.send(&url, request).await?;
        permit.answered(response.version());
        let asked = asked_range(&parts.headers);
        let broken = |what: String| Problem::Broken {
            host: host(&url),
            what,
        };
        if response
            .headers()
            .get(CONTENT_ENCODING)
            .is_some_and(|encoding| encoding != "identity")
        {
            return Err(broken(
                "it sends an encoded answer although only `identity` was asked for".into(),
            )
            .into());
        }
        let length = match &asked {
            Some(range) => {
                Some(sent_length(response.status(), response.headers(), range).map_err(&broken)?)
            }
            None => None,
        };
        let status = response.status();
        let (version, headers) = (response.version(), response.headers().clone());
        let body = self
            .body(&url, response, length.unwrap_or(ANSWER_BYTES_MAX))
            .await?;
        if let Some(length) = length.filter(|length| (body.len() as u64) < *length) {
            return Err(Problem::Connection {
                host: host(&url),
                what: format!("it sent {} of {length} bytes", body.len()),
            }
            .into());
        }
        let (mut answer, ()) = http::Response::new(()).into_parts();
        (answer.status, answer.version, answer.headers) = (status, version, headers);
        Ok((answer, body))
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

    /// Sends a request once; an error status is an error with the server's words.
    async fn send(&self, url: &Url, request: reqwest::Request) -> Result<Response, Failed> {
        let sent = request.headers().clone();
        self.meter.count(0);
        let response = self.in_time(url, self.http.execute(request)).await?;
        if response.status().is_success() {
            self.connections.let_in(url);
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        // An answer to HEAD has no body; one that is too long says nothing to us.
        let body = self
            .body(url, response, ERROR_BYTES_MAX)
            .await
            .unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        let mut failed = Failed::of(url, status, &headers, &body, &sent);
        if let Problem::Status(refusal) = &mut *failed.problem
            && refusal.is_limit()
            && (refusal.wait.is_some() || !self.patience.is_zero())
        {
            refusal.wait = self.connections.limit(url, refusal.wait);
        }
        Err(failed)
    }

    /// The body of an answer, at most `bytes_max` of it.
    async fn body(
        &self,
        url: &Url,
        mut response: Response,
        bytes_max: u64,
    ) -> Result<Bytes, Problem> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.in_time(url, response.chunk()).await? {
            self.meter.receive(chunk.len() as u64);
            if body.len() as u64 + chunk.len() as u64 > bytes_max {
                return Err(Problem::Broken {
                    host: host(url),
                    what: format!("its answer is longer than {bytes_max} bytes"),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    async fn in_time<T>(
        &self,
        url: &Url,
        step: impl Future<Output = Result<T, reqwest::Error>>,
    ) -> Result<T, Problem> {
        self.deadline().in_time(self.stall, url, step).await
    }
}

/// The range that a request of ours asks for.
fn asked_range(headers: &HeaderMap) -> Option<Range<u64>> {
    let range = headers.get(RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (first, last) = range.split_once('-')?;
    Some(first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?)
}

/// The length of an answer that has exactly the range that was asked for, as far as the object goes: whether
/// it is the object that was listed, with its size, is looked at later.
fn sent_length(status: StatusCode, headers: &HeaderMap, asked: &Range<u64>) -> Result<u64, String> {
    if status != StatusCode::PARTIAL_CONTENT {
        return Err("it ignores ranges and sends the whole file".into());
    }
    let sent = headers
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    let Some((sent, size)) = sent.and_then(content_range) else {
        return Err("it does not say which range it sends".into());
    };
    if sent != (asked.start..asked.end.min(size)) {
        return Err(format!(
            "bytes {}-{} were asked for, it sends {}-{}",
            asked.start,
            asked.end - 1,
            sent.start,
            sent.end - 1
        ));
    }
    Ok(sent.end - sent.start)
}

/// The door through which `object_store` sends.
#[derive(Debug, Clone)]
pub(super) struct Connector(pub(super) std::sync::Arc<Transport>);

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Everything we ask is a GET without a body.
        let (parts, _) = request.into_parts();
        match self.0.answer(&parts).await {
            Ok((parts, body)) => Ok(HttpResponse::from_parts(parts, body.into())),
            // `Unknown` is not tried again: that is done.
            Err(failed) => Err(HttpError::new(HttpErrorKind::Unknown, failed)),
        }
    }
}
