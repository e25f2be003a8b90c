//! How many requests are under way at one origin: few until it has shown how it speaks, so that 200
//! shards do not begin 200 handshakes where one HTTP/2 connection carries them all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::{Url, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections to an https origin that has not answered yet: the requests that start a check.
const UNKNOWN: usize = 8;
/// Connections to an https origin that speaks HTTP/1, where each request under way needs its own.
const HTTP_1: usize = 64;
/// Requests at an HTTP/2 origin, which are all on one connection, and at one without TLS, where a
/// connection costs next to nothing. The same as are under way for one model at most.
const CHEAP: usize = 256;

/// The origins that were asked so far.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<BTreeMap<String, Arc<Lane>>>);

#[derive(Debug)]
struct Lane {
    free: Arc<Semaphore>,
    is_known: AtomicBool,
}

/// The right to have one request under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    lane: Arc<Lane>,
    /// None where the semaphore was closed, which it never is.
    _held: Option<OwnedSemaphorePermit>,
}

impl Lanes {
    /// Waits until a request to `url` may start.
    pub(crate) async fn enter(&self, url: &Url) -> Permit {
        let lane = self.lane(url);
        let held = Arc::clone(&lane.free).acquire_owned().await.ok();
        Permit { lane, _held: held }
    }

    fn lane(&self, url: &Url) -> Arc<Lane> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(url.origin().ascii_serialization());
        Arc::clone(lane.or_insert_with(|| {
            let is_tls = url.scheme() == "https";
            Arc::new(Lane {
                free: Arc::new(Semaphore::new(if is_tls { UNKNOWN } else { CHEAP })),
                is_known: AtomicBool::new(!is_tls),
            })
        }))
    }
}

impl Permit {
    /// After an answer: the version opens the lane for as many requests as it can carry.
    pub(crate) fn answered(&self, version: Version) {
        if !self.lane.is_known.swap(true, Ordering::Relaxed) {
            let most = if version >= Version::HTTP_2 {
                CHEAP
            } else {
                HTTP_1
            };
            self.lane.free.add_permits(most - UNKNOWN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(lanes: &Lanes, url: &str) -> usize {
        lanes
            .lane(&Url::parse(url).unwrap())
            .free
            .available_permits()
    }

    #[test]
    fn the_first_answer_opens_the_lane() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let lanes = Lanes::default();
        let enter = |url: &str| runtime.block_on(lanes.enter(&Url::parse(url).unwrap()));
        let first = enter("https://two/a?b");
        assert_eq!(room(&lanes, "https://two/c"), UNKNOWN - 1);
        first.answered(Version::HTTP_2);
        first.answered(Version::HTTP_2);
        assert_eq!(room(&lanes, "https://two/c"), CHEAP - 1);
        drop(first);
        assert_eq!(room(&lanes, "https://two/c"), CHEAP);

        enter("https://one/").answered(Version::HTTP_11);
        assert_eq!(room(&lanes, "https://one/"), HTTP_1);
        enter("http://plain/").answered(Version::HTTP_11);
        assert_eq!(room(&lanes, "http://plain/"), CHEAP);
    }
}
