//! Why a request to S3 failed: the words of its errors, without what is secret in them.

use std::time::{Duration, SystemTime};

use object_store::Error as StoreError;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{StatusCode, Url};

use super::address::is_region;
use crate::http::{Problem, Refusal, ratelimit};

/// What ended a request, as it comes back inside the errors of `object_store`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{problem}")]
pub(super) struct Failed {
    pub(super) problem: Box<Problem>,
    /// The region that the bucket is in, where the answer names one.
    pub(super) region: Option<String>,
    /// How far the server's clock is ahead of ours, in seconds.
    pub(super) ahead: Option<i64>,
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            region: None,
            ahead: None,
        }
    }
}

impl Failed {
    /// Understands an answer with an error status. `sent` are the headers of the request.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
    pub(super) fn of(
        url: &Url,
        status: StatusCode,
        headers: &HeaderMap,
        body: &str,
        sent: &HeaderMap,
    ) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_code = |code: &String| {
            !code.is_empty()
                && code.len() <= 64
                && code
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        };
        let message = element(body, "Message").map(|words| redacted(&words, sent));
        let region = text("x-amz-bucket-region")
            .map(str::to_owned)
            .or_else(|| element(body, "Region"));
        let code = element(body, "Code").filter(is_code);
        let words = match (&code, message) {
            (Some(code), Some(message)) => Some(format!("{code}: {message}")),
            (Some(code), None) => Some(code.clone()),
            (None, message) => message,
        };
        Self {
            problem: Box::new(Problem::Status(Refusal {
                host: crate::http::host(url),
                status,
                message: words.and_then(|words| Refusal::words(&words)),
                code,
                is_of_a_hub: false,
                is_elsewhere: false,
                wait: ratelimit::wait(headers, SystemTime::now()),
            })),
            region: region.filter(|region| is_region(region)),
            ahead: text("date").and_then(ahead),
        }
    }

    /// What `object_store` says: our own error inside it, or its own about an answer that it does not
    /// understand.
    pub(super) fn from_store(error: &StoreError, host: &str) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(failed) = error.downcast_ref::<Self>() {
                return failed.clone();
            }
            cause = error.source();
        }
        let what = match error {
            StoreError::InvalidPath { .. } => {
                "it lists a key that has an empty part, `.` or `..`, which is not read".into()
            }
            other => format!("its answer is not understood: {}", innermost(other)),
        };
        Self::from(Problem::Broken {
            host: host.into(),
            what,
        })
    }

    /// The code of S3, `NoSuchBucket` and the like.
    pub(super) fn code(&self) -> Option<&str> {
        match &*self.problem {
            Problem::Status(refusal) => refusal.code.as_deref(),
            _ => None,
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        match &*self.problem {
            Problem::Status(refusal) => Some(refusal.status.as_u16()),
            _ => None,
        }
    }

    /// Whether the bucket does not answer in the region that was asked.
    pub(super) fn is_other_region(&self) -> bool {
        matches!(self.status(), Some(301 | 307))
            || matches!(
                self.code(),
                Some(
                    "PermanentRedirect"
                        | "TemporaryRedirect"
                        | "AuthorizationHeaderMalformed"
                        | "IllegalLocationConstraintException"
                )
            )
    }

    /// Whether another credential, or none, may be let in.
    pub(super) fn is_denied(&self) -> bool {
        let is_credential = matches!(
            self.code(),
            Some(
                "ExpiredToken"
                    | "TokenRefreshRequired"
                    | "InvalidAccessKeyId"
                    | "InvalidToken"
                    | "SignatureDoesNotMatch"
                    | "RequestTimeTooSkewed"
            )
        );
        is_credential || matches!(self.status(), Some(401 | 403))
    }
}

fn innermost(error: &StoreError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Refusal::words(&cause.to_string()).unwrap_or_default()
}

/// The text of the first element of this name, in an answer that has a handful of them.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    Some(
        plain
            .iter()
            .fold(text.to_owned(), |text, (entity, letter)| {
                text.replace(entity, letter)
            }),
    )
}

/// A server's words without what the request proves itself with, should it echo that.
fn redacted(words: &str, sent: &HeaderMap) -> String {
    let value = |name: &str| {
        sent.get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let authorization = value(AUTHORIZATION.as_str());
    let part = |name: &str, end: &[char]| {
        let rest = authorization
            .split_once(name)
            .map(|(_, rest)| rest)
            .unwrap_or_default();
        rest.split(end).next().unwrap_or_default()
    };
    let secrets = [
        authorization,
        value("x-amz-security-token"),
        part("Signature=", &[',', ' ']),
        part("Credential=", &['/']),
    ];
    let given = secrets.into_iter().filter(|secret| !secret.is_empty());
    given.fold(words.to_owned(), |words, secret| words.replace(secret, "…"))
}

/// Seconds that a `Date` is ahead of our clock.
fn ahead(date: &str) -> Option<i64> {
    let there = httpdate::parse_http_date(date).ok()?;
    let seconds = |span: Duration| i64::try_from(span.as_secs()).ok();
    match there.duration_since(SystemTime::now()) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => seconds(behind.duration()).map(|span| -span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(status: u16, headers: &[(&'static str, &str)], body: &str) -> Failed {
        let map = |pairs: &[(&'static str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            pairs.collect::<HeaderMap>()
        };
        let sent = map(&[
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDSECRET/20260101/x/s3/aws4_request, SignedHeaders=host, Signature=abcdef0123",
            ),
            ("x-amz-security-token", "SESSIONTOKEN"),
        ]);
        let url = Url::parse("http://h:9/b").unwrap();
        Failed::of(
            &url,
            StatusCode::from_u16(status).unwrap(),
            &map(headers),
            body,
            &sent,
        )
    }

    #[test]
    fn the_words_of_s3() {
        let denied = failed(
            403,
            &[],
            "<?xml?><Error><Code>AccessDenied</Code><Message>User: a&amp;b may not.</Message></Error>",
        );
        assert_eq!(
            denied.to_string(),
            "`h:9` answers 403 (AccessDenied: User: a&b may not)"
        );
        assert!(denied.is_denied() && !denied.is_other_region());
        let region = failed(
            400,
            &[],
            "<Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region>",
        );
        assert!(region.is_other_region());
        assert_eq!(region.region.as_deref(), Some("eu-west-3"));
        let moved = failed(301, &[("x-amz-bucket-region", "us-west-2")], "");
        assert!(moved.is_other_region());
        assert_eq!(moved.region.as_deref(), Some("us-west-2"));
        assert_eq!(
            failed(301, &[("x-amz-bucket-region", "evil.example/")], "").region,
            None
        );
        assert_eq!(
            failed(500, &[], "<Code>A B</Code>").to_string(),
            "`h:9` answers 500 (internal server error)"
        );
    }

    #[test]
    fn what_a_server_echoes_is_not_shown() {
        let body = "<Code>X</Code><Message>got Credential=AKIDSECRET/2026 abcdef0123 SESSIONTOKEN</Message>";
        let shown = format!("{:?} {}", failed(400, &[], body), failed(400, &[], body));
        for secret in ["AKIDSECRET", "abcdef0123", "SESSIONTOKEN"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
