//! Why one attempt at a request failed.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;

/// Most characters of a server's own words that are handed on.
const WORDS_MAX: usize = 200;

/// Why an attempt failed, cut by what to do about it. Holds no address beyond the host: paths and
/// queries of signed addresses are credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// An answer that is an error.
    Status(Refusal),
    /// The connection failed: refused, reset, stalled, cut short.
    Connection {
        /// Who was asked.
        host: String,
        /// "it sent nothing for 10 s".
        what: String,
    },
    /// The server does what no answer to this request may do; asking again does not help.
    Broken {
        /// Who was asked.
        host: String,
        /// "it ignores ranges".
        what: String,
    },
    /// The file is not what it was before.
    Changed(String),
    /// The time for the whole model is used up.
    OutOfTime {
        /// All of it.
        budget: Duration,
        /// The wait that no longer fits, and who asks for it.
        wait: Option<(String, Duration)>,
    },
}

/// An answer with an error status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Who answered.
    pub(crate) host: String,
    /// The status.
    pub(crate) status: StatusCode,
    /// The Hub's `X-Error-Code`.
    pub(crate) code: Option<String>,
    /// The Hub's `X-Error-Message`, in a line.
    pub(crate) message: Option<String>,
    /// Whether it has the form of the Hub's own errors.
    pub(crate) is_of_a_hub: bool,
    /// Whether it comes from another origin than the Hub's: from where a signed address led.
    pub(crate) is_elsewhere: bool,
    /// The wait it asks for.
    pub(crate) wait: Option<Duration>,
}

impl Refusal {
    /// Whether the `X-Error-Code` is this one.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the server asks for fewer requests: 429, a 503 that names a wait, or the word that S3 has for it.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>; other servers of S3 say `SlowDownRead` too.
    pub(crate) fn is_limit(&self) -> bool {
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::SERVICE_UNAVAILABLE => {
                let code = self.code.as_deref().unwrap_or_default();
                self.wait.is_some() || code.starts_with("SlowDown")
            }
            _ => false,
        }
    }

    /// The server's words, cut to a line of them.
    pub(crate) fn words(text: &str) -> Option<String> {
        let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let words: String = words
            .trim_end_matches('.')
            .chars()
            .take(WORDS_MAX)
            .collect();
        (!words.is_empty()).then_some(words)
    }
}

impl Problem {
    /// Whether the same request may well succeed another time. A 401 or 403 from elsewhere means that
    /// a signed address has expired: asking the Hub again gives a fresh one.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Status(refusal) => match refusal.status.as_u16() {
                408 | 429 | 500 | 502 | 503 | 504 => true,
                401 | 403 => refusal.is_elsewhere,
                _ => false,
            },
            Self::Connection { .. } => true,
            Self::Broken { .. } | Self::Changed(_) | Self::OutOfTime { .. } => false,
        }
    }

    /// The wait that the server asks for.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Status(refusal) => refusal.wait,
            _ => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(refusal) => write!(f, "{refusal}"),
            Self::Connection { host, what } | Self::Broken { host, what } => {
                write!(f, "`{host}`: {what}")
            }
            Self::Changed(what) => write!(f, "it changed while it was read: {what}"),
            Self::OutOfTime { budget, wait: None } => {
                write!(f, "the {} s for this model are used up", budget.as_secs())
            }
            Self::OutOfTime {
                budget,
                wait: Some((host, wait)),
            } => write!(
                f,
                "`{host}` limits requests and asks to wait {} s, longer than is left of the {} s for this model",
                wait.as_secs(),
                budget.as_secs()
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` answers {}", self.host, self.status.as_u16())?;
        match (&self.message, self.status.canonical_reason()) {
            (Some(message), _) => write!(f, " ({message})"),
            (None, Some(reason)) => write!(f, " ({})", reason.to_ascii_lowercase()),
            (None, None) => Ok(()),
        }
    }
}
