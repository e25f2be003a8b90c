//! What can go wrong with one answer.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::http::{Request, Response};
use crate::repo::{Content, digest};
use crate::rule::Route;

/// What the Hub says of a token that it does not know.
pub(crate) const UNKNOWN_TOKEN: &str = "Invalid credentials in Authorization header";

/// One way to fail. A fault that means nothing for an answer (a wrong `Content-Range` where no range
/// was asked) leaves it alone and is not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This status, with a text in place of the body.
    Status(u16),
    /// 429 with `Retry-After`, in seconds.
    RetryAfter(u32),
    /// 429 as the Hub gives it: the rate-limit headers say in how many seconds the window ends.
    RateLimited(u32),
    /// The connection is reset instead of an answer.
    Reset,
    /// The request is taken and never answered.
    Stall,
    /// Half of the body, then nothing.
    StallBody,
    /// Half of the body, then the end of the connection.
    Truncate,
    /// The whole file compressed, whatever the client accepts.
    Gzip,
    /// 200 and the whole file where a range was asked.
    IgnoreRange,
    /// The other host says that the signed address has expired.
    ExpiredUrl,
    /// The validator of another version of the file.
    OtherEtag,
    /// The size of another version of the file.
    OtherSize,
    /// Another commit than the one asked for.
    OtherCommit,
    /// 206 with the `Content-Range` of the bytes after those asked for.
    WrongContentRange,
    /// 206 with fewer bytes than asked for, and a `Content-Range` that says so.
    ShorterRange,
    /// A redirect to the same address.
    RedirectLoop,
    /// A redirect to a host that is neither the hub nor its storage.
    RedirectAway,
    /// 200 and a page of a network that wants a login.
    HtmlPage,
    /// The token is taken for one that the hub does not know.
    UnknownToken,
    /// The answer comes this much later.
    Late(Duration),
}

impl Fault {
    /// Every kind that a client may meet and get over by asking again (stalls are among them: a
    /// client needs a short limit of time to be tested with these).
    pub fn every_kind() -> Vec<Self> {
        let statuses = [408, 500, 502, 503, 504].map(Self::Status);
        let others = [
            Self::RetryAfter(0),
            Self::RateLimited(0),
            Self::Reset,
            Self::Stall,
            Self::StallBody,
            Self::Truncate,
            Self::Gzip,
            Self::IgnoreRange,
            Self::ExpiredUrl,
            Self::OtherEtag,
            Self::OtherSize,
            Self::OtherCommit,
            Self::WrongContentRange,
            Self::ShorterRange,
            Self::RedirectLoop,
            Self::RedirectAway,
            Self::HtmlPage,
        ];
        statuses.into_iter().chain(others).collect()
    }

    /// Whether this fault means anything for an answer.
    pub(crate) fn applies(&self, route: Route, request: &Request, response: &Response) -> bool {
        let has_file = response.field("Accept-Ranges").is_some();
        match self {
            Self::StallBody | Self::Truncate | Self::Gzip => {
                !request.is_head() && response.length() > 1
            }
            Self::IgnoreRange | Self::WrongContentRange => response.status == 206,
            Self::ShorterRange => response.status == 206 && response.length() > 1,
            Self::ExpiredUrl => route == Route::Cdn,
            Self::OtherEtag | Self::OtherSize => has_file,
            Self::OtherCommit => response.field("X-Repo-Commit").is_some(),
            Self::UnknownToken => request.field("authorization").is_some(),
            _ => true,
        }
    }

    /// The answer as it is after the fault.
    pub(crate) fn spoil(&self, request: &Request, response: Response, away: &str) -> Spoilt {
        let mut delivery = Delivery::Whole;
        let mut late = Duration::ZERO;
        let response = match self {
            Self::Status(status) => Response::text(*status, "the hub is not well"),
            Self::RetryAfter(seconds) => {
                Response::text(429, "too many requests").with("Retry-After", seconds.to_string())
            }
            Self::RateLimited(seconds) => rate_limited(u64::from(*seconds)),
            Self::Reset => {
                delivery = Delivery::Reset;
                response
            }
            Self::Stall => {
                delivery = Delivery::Stall;
                response
            }
            Self::StallBody => {
                delivery = Delivery::HalfThenStall;
                response
            }
            Self::Truncate => {
                delivery = Delivery::HalfThenClose;
                response
            }
            Self::Late(by) => {
                late = *by;
                response
            }
            Self::Gzip => gzip(response),
            Self::IgnoreRange => whole(response),
            Self::ExpiredUrl => denied("Request has expired"),
            Self::OtherEtag => response.with("ETag", "\"another-version\"").with(
                "X-Linked-ETag",
                format!("\"{}\"", digest(b"other", b"", 64)),
            ),
            Self::OtherSize => other_size(response),
            Self::OtherCommit => response.with("X-Repo-Commit", digest(b"other", b"", 40)),
            Self::WrongContentRange => {
                let (start, end) = (response.part.start + 1, response.part.end);
                let total = response.body.size;
                response.with("Content-Range", format!("bytes {start}-{end}/{total}"))
            }
            Self::ShorterRange => shorter(response),
            Self::RedirectLoop => redirect(&format!("{}?{}", request.path, request.query)),
            Self::RedirectAway => redirect(&format!("{away}{}", request.path)),
            Self::UnknownToken => {
                Response::text(401, UNKNOWN_TOKEN).with("X-Error-Message", UNKNOWN_TOKEN)
            }
            Self::HtmlPage => Response::new(
                200,
                "text/html",
                "<!DOCTYPE html><title>Welcome</title><p>Please log in to this network.",
            ),
        };
        Spoilt {
            response,
            delivery,
            late,
        }
    }
}

pub(crate) struct Spoilt {
    pub(crate) response: Response,
    pub(crate) delivery: Delivery,
    pub(crate) late: Duration,
}

/// How an answer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Reset,
    Stall,
    HalfThenStall,
    HalfThenClose,
}

/// As the Hub answers beyond its limit (<https://huggingface.co/docs/hub/rate-limits>).
pub(crate) fn rate_limited(seconds: u64) -> Response {
    Response::text(429, "too many requests")
        .with("RateLimit", format!("\"api\";r=0;t={seconds}"))
        .with("RateLimit-Policy", "\"fixed window\";\"api\";q=500;w=300")
}

/// As the storage behind the Hub refuses an address.
pub(crate) fn denied(why: &str) -> Response {
    let body = format!("<Error><Code>AccessDenied</Code><Message>{why}</Message></Error>");
    Response::new(403, "application/xml", body)
}

fn redirect(location: &str) -> Response {
    Response::text(302, "Found").with("Location", location)
}

/// Compresses the file from its start; of a very large one no more than a client should ever take.
fn gzip(response: Response) -> Response {
    const MOST: usize = 4 << 20;
    let mut plain = response.body.head.to_vec();
    let size = usize::try_from(response.body.size).unwrap_or(MOST);
    plain.resize(size.min(MOST).max(plain.len()), 0);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&plain).expect("a vector takes all");
    let packed = Content::new(encoder.finish().expect("a vector takes all"));
    Response {
        status: if response.status == 206 {
            200
        } else {
            response.status
        },
        part: 0..packed.size,
        body: packed,
        ..response
    }
    .without("Content-Range")
    .with("Content-Encoding", "gzip")
}

fn whole(response: Response) -> Response {
    Response {
        status: 200,
        part: 0..response.body.size,
        ..response
    }
    .without("Content-Range")
}

fn shorter(response: Response) -> Response {
    let end = response.part.start + response.length() / 2;
    let (start, total) = (response.part.start, response.body.size);
    Response {
        part: start..end,
        ..response
    }
    .with(
        "Content-Range",
        format!("bytes {start}-{}/{total}", end - 1),
    )
}

/// One byte more than there is, wherever the answer names the size.
fn other_size(response: Response) -> Response {
    let total = response.body.size + 1;
    let linked = response.field("X-Linked-Size").map(str::to_owned);
    let ranged = response.field("Content-Range").map(str::to_owned);
    match (linked, ranged) {
        (Some(size), _) => {
            let size = size.parse::<u64>().unwrap_or(0) + 1;
            response.with("X-Linked-Size", size.to_string())
        }
        (_, Some(range)) => {
            let range = range.split('/').next().unwrap_or_default().to_owned();
            response.with("Content-Range", format!("{range}/{total}"))
        }
        _ => Response {
            part: 0..total,
            body: Content::sparse(&response.body.head, total),
            ..response
        },
    }
}
