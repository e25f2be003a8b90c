//! What the requests for all models of a process share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;
use tokio::time::Instant;

use super::client::cause;
use super::lanes::{Lanes, Permit};

const USER_AGENT: &str = concat!("byom-preflight/", env!("CARGO_PKG_VERSION"));

/// Connections and the pauses that servers asked for. A clone is the same connections: certificates are
/// loaded once, a connection serves one model after the other, and a limit that one of them met holds for all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    http: OnceLock<reqwest::Client>,
    lanes: Lanes,
    /// By origin, before when no request may start.
    pauses: Mutex<BTreeMap<String, Instant>>,
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

    /// Notes that the server of `url` asks to wait.
    pub(crate) fn pause(&self, url: &Url, wait: Duration) {
        let until = Instant::now() + wait;
        let mut pauses = self.0.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = pauses
            .entry(url.origin().ascii_serialization())
            .or_insert(until);
        *pause = (*pause).max(until);
    }

    /// How long the server of `url` is to be left alone.
    pub(crate) fn pause_left(&self, url: &Url) -> Duration {
        let pauses = self.0.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let until = pauses.get(&url.origin().ascii_serialization());
        until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }

    /// The origin, without its scheme, that is to be left alone for longest, and for how long.
    pub(crate) fn longest_pause(&self) -> Option<(String, Duration)> {
        let pauses = self.0.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let (origin, until) = pauses.iter().max_by_key(|(_, until)| **until)?;
        let left = until.saturating_duration_since(Instant::now());
        let host = origin
            .split_once("://")
            .map_or(origin.as_str(), |(_, host)| host);
        (!left.is_zero()).then(|| (host.to_owned(), left))
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

    #[test]
    fn a_pause_holds_for_all_who_ask_the_same_origin() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let one = Connections::default();
            let other = one.clone();
            let url = |text| Url::parse(text).unwrap();
            one.pause(&url("https://hub/a"), Duration::from_secs(9));
            one.pause(&url("https://hub/b"), Duration::from_secs(2));
            assert_eq!(other.pause_left(&url("https://hub/c")).as_secs(), 9);
            assert!(other.pause_left(&url("https://cdn/c")).is_zero());
            let longest = other.longest_pause();
            assert_eq!(longest, Some(("hub".into(), Duration::from_secs(9))));
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert!(other.pause_left(&url("https://hub/c")).is_zero());
            assert_eq!(other.longest_pause(), None);
        });
    }
}
