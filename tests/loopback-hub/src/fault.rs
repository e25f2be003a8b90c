//! What can go wrong, where, and how often.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::http::{Request, Response};
use crate::repo::{Content, digest};

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

    fn applies(&self, route: Route, request: &Request, response: &Response) -> bool {
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

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// `/api/models/{id}` with or without `/revision/{rev}`.
    Info,
    /// `/api/models/{id}/tree/{rev}`.
    Tree,
    /// `/{id}/resolve/{rev}/{path}`.
    Resolve,
    /// `/api/resolve-cache/…`, where the Hub sends the reader of a small file.
    ResolveCache,
    /// The host that large files lie on.
    Cdn,
    /// `/api/models/{id}/safetensors-metadata/{index}`.
    Headers,
    /// Everything else.
    Other,
}

/// Which requests meet which fault.
#[derive(Debug, Clone)]
pub struct Rule {
    faults: Vec<Fault>,
    routes: Vec<Route>,
    part: String,
    after: u64,
    times: u64,
    probability: f64,
}

impl Rule {
    /// Every request meets `fault`, until a method below says less.
    pub fn new(fault: Fault) -> Self {
        Self::any_of(vec![fault])
    }

    /// Each request that fails meets one of `faults`.
    pub fn any_of(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            routes: Vec::new(),
            part: String::new(),
            after: 0,
            times: u64::MAX,
            probability: 1.0,
        }
    }

    /// Only this route; called again, that one too.
    #[must_use]
    pub fn on(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Only where the repository's file, or the address, contains `part`.
    #[must_use]
    pub fn file(mut self, part: &str) -> Self {
        self.part = part.into();
        self
    }

    /// Spares the first `count` requests that match.
    #[must_use]
    pub fn after(mut self, count: u64) -> Self {
        self.after = count;
        self
    }

    /// Fails no more than `count` requests.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    /// Fails this share of the requests. Which ones depends on the seed, the address and how often it
    /// was asked for, not on the order in which different addresses are.
    #[must_use]
    pub fn probability(mut self, share: f64) -> Self {
        self.probability = share;
        self
    }
}

/// All rules, and what they have seen.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) seed: u64,
    rules: Vec<(Rule, Seen)>,
}

#[derive(Debug, Default)]
struct Seen {
    matched: u64,
    failed: u64,
    addresses: HashMap<String, u64>,
}

impl Faults {
    pub(crate) fn add(&mut self, rule: Rule) {
        self.rules.push((rule, Seen::default()));
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault that this request meets, by the first rule that says so.
    pub(crate) fn draw(
        &mut self,
        route: Route,
        subject: &str,
        request: &Request,
        response: &Response,
    ) -> Option<Fault> {
        let seed = self.seed;
        self.rules.iter_mut().find_map(|(rule, seen)| {
            let is_here = rule.routes.is_empty() || rule.routes.contains(&route);
            let is_named = subject.contains(&rule.part) || request.path.contains(&rule.part);
            if !is_here || !is_named {
                return None;
            }
            let faults = rule.faults.iter();
            let faults: Vec<_> = faults
                .filter(|fault| fault.applies(route, request, response))
                .collect();
            let count = faults.len() as u64;
            if count == 0 {
                return None;
            }
            seen.matched += 1;
            if seen.matched <= rule.after || seen.failed >= rule.times {
                return None;
            }
            let address = format!("{} {subject}", request.method);
            let asked = seen.addresses.entry(address.clone()).or_default();
            *asked += 1;
            let dice = dice(&format!("{seed} {address} {asked}"));
            if share(dice) >= rule.probability {
                return None;
            }
            seen.failed += 1;
            let chosen = self::dice(&format!("{dice}")) % count;
            faults.get(usize::try_from(chosen).ok()?).copied().cloned()
        })
    }
}

/// An even 64-bit number for a text.
fn dice(text: &str) -> u64 {
    u64::from_str_radix(&digest(b"dice", text.as_bytes(), 16), 16).map_or(0, |state| {
        // The last step of splitmix64: FNV alone leaves the high bits of short texts alike.
        let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ (state >> 31)
    })
}

/// The number as a part of 1.
fn share(dice: u64) -> f64 {
    f64::from(u32::try_from(dice >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dice_are_even_and_repeat() {
        let mut faults = Faults::default();
        let rule = Rule::any_of(vec![Fault::Reset, Fault::Stall]).probability(0.05);
        faults.add(rule);
        let response = Response::text(200, "");
        let request = Request::default();
        let mut draw = || {
            let subject = "a";
            faults.draw(Route::Info, subject, &request, &response)
        };
        let drawn: Vec<_> = (0..20_000).map(|_| draw()).collect();
        let count = |fault: &Fault| drawn.iter().flatten().filter(|it| *it == fault).count();
        for fault in [Fault::Reset, Fault::Stall] {
            assert!((400..600).contains(&count(&fault)), "{}", count(&fault));
        }
    }
}
