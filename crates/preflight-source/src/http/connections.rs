//! What the requests for all models of a process share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;
use tokio::time::Instant;

use super::client::cause;
use super::lanes::{Lanes, Permit};

const USER_AGENT: &str = concat!("byom-preflight/", env!("CARGO_PKG_VERSION"));
/// Shortest and longest wait for a server that asks for fewer requests and does not say for how long.
const UNNAMED_MIN: Duration = Duration::from_secs(1);
const UNNAMED_MAX: Duration = Duration::from_mins(1);
/// Most such waits in a row: seven minutes, more than a window of the Hub.
const IN_VAIN_MAX: u32 = 12;

/// Connections and the pauses that servers asked for. A clone is the same connections: certificates are
/// loaded once, a connection serves one model after the other, and a limit that one of them met holds for all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    http: OnceLock<reqwest::Client>,
    lanes: Lanes,
    /// By origin.
    pauses: Mutex<BTreeMap<String, Pause>>,
}

/// The wait that a server last asked for.
#[derive(Debug, Clone, Copy)]
struct Pause {
    /// Before when no request may start.
    until: Instant,
    /// How long it is to be where the server does not say.
    unnamed: Duration,
    /// Such pauses since it last let somebody in.
    in_vain: u32,
    /// Whether it let somebody in since.
    is_let_in: bool,
}

impl Pause {
    /// How long to wait now, where the server does not say.
    fn next_unnamed(&mut self) -> Option<Duration> {
        let unnamed = if std::mem::take(&mut self.is_let_in) {
            self.in_vain = 0;
            self.unnamed / 2
        } else {
            self.in_vain += 1;
            self.unnamed * 2
        };
        self.unnamed = unnamed.clamp(UNNAMED_MIN, UNNAMED_MAX);
        (self.in_vain <= IN_VAIN_MAX).then_some(self.unnamed)
    }
}

impl Connections {
    /// The client, set up with its first use; or why it cannot be.
    pub(crate) fn http(&self) -> Result<reqwest::Client, String> {
        if let Some(http) = self.0.http.get() {
            return Ok(http.clone());
        }
        let http = builder().build().map_err(|error| cause(&error))?;
        Ok(self.0.http.get_or_init(|| http).clone())
    }

    /// Waits until a request to `url` may have a connection.
    pub(crate) async fn enter(&self, url: &Url) -> Permit {
        self.0.lanes.enter(url).await
    }

    /// Notes that the server of `url` asks for fewer requests, and for how long, where it says so; all wait. Yields the
    /// wait. One that nobody named is longer after each that was in vain, and shorter after one that was not; none
    /// where too many were in vain.
    pub(crate) fn limit(&self, url: &Url, asked: Option<Duration>) -> Option<Duration> {
        let now = Instant::now();
        let mut pauses = self.pauses();
        let pause = pauses
            .entry(url.origin().ascii_serialization())
            .or_insert(Pause {
                until: now,
                unnamed: UNNAMED_MIN / 2,
                in_vain: 0,
                is_let_in: false,
            });
        let wait = match asked {
            Some(asked) => asked,
            // A pause that has begun is that of all who were under way.
            None if pause.until > now => pause.until - now,
            None => pause.next_unnamed()?,
        };
        pause.until = pause.until.max(now + wait);
        Some(wait)
    }

    /// Notes that the server of `url` has answered.
    pub(crate) fn let_in(&self, url: &Url) {
        let mut pauses = self.pauses();
        if !pauses.is_empty()
            && let Some(pause) = pauses.get_mut(&url.origin().ascii_serialization())
        {
            pause.is_let_in = true;
        }
    }

    /// How long the server of `url` is to be left alone.
    pub(crate) fn pause_left(&self, url: &Url) -> Duration {
        let pauses = self.pauses();
        let pause = pauses.get(&url.origin().ascii_serialization());
        pause.map_or(Duration::ZERO, |pause| {
            pause.until.saturating_duration_since(Instant::now())
        })
    }

    /// The origin, without its scheme, that is to be left alone for longest, and for how long.
    pub(crate) fn longest_pause(&self) -> Option<(String, Duration)> {
        let pauses = self.pauses();
        let (origin, pause) = pauses.iter().max_by_key(|(_, pause)| pause.until)?;
        let left = pause.until.saturating_duration_since(Instant::now());
        let host = origin
            .split_once("://")
            .map_or(origin.as_str(), |(_, host)| host);
        (!left.is_zero()).then(|| (host.to_owned(), left))
    }

    fn pauses(&self) -> MutexGuard<'_, BTreeMap<String, Pause>> {
        self.0.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that leaves redirects and retries to us.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    // Fails where the process has a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs it with a clock that goes on by itself where all wait.
    fn in_no_time(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(test);
    }

    #[test]
    fn a_pause_holds_for_all_who_ask_the_same_origin() {
        in_no_time(async {
            let one = Connections::default();
            let other = one.clone();
            let url = |text| Url::parse(text).unwrap();
            let seconds = |seconds| Some(Duration::from_secs(seconds));
            assert_eq!(one.limit(&url("https://hub/a"), seconds(9)), seconds(9));
            assert_eq!(one.limit(&url("https://hub/b"), seconds(2)), seconds(2));
            assert_eq!(other.pause_left(&url("https://hub/c")).as_secs(), 9);
            assert!(other.pause_left(&url("https://cdn/c")).is_zero());
            let longest = other.longest_pause();
            assert_eq!(longest, Some(("hub".into(), Duration::from_secs(9))));
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert!(other.pause_left(&url("https://hub/c")).is_zero());
            assert_eq!(other.longest_pause(), None);
        });
    }

    #[test]
    fn a_wait_that_nobody_named_grows_while_it_is_in_vain() {
        in_no_time(async {
            let all = Connections::default();
            let url = Url::parse("https://hub/a").unwrap();
            let seconds = || all.limit(&url, None).map(|wait| wait.as_secs());
            let mut waits = Vec::new();
            while let Some(wait) = seconds() {
                // Who was under way at the same time waits for the same.
                assert_eq!(seconds(), Some(wait));
                waits.push(wait);
                tokio::time::sleep(Duration::from_secs(wait)).await;
            }
            assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]);
            all.let_in(&url);
            assert_eq!(seconds(), Some(30));
            tokio::time::sleep(Duration::from_secs(30)).await;
            all.let_in(&url);
            assert_eq!(seconds(), Some(15));
            tokio::time::sleep(Duration::from_secs(15)).await;
            assert_eq!(seconds(), Some(30));
        });
    }
}
