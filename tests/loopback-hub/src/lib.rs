//! A stand-in for the Hugging Face Hub on the loopback interface.
//!
//! It answers as the real one does, as far as reading models goes: model information, tree with pages,
//! files by redirect to a second host, gates, tokens, renamed repositories, error codes, rate limits.
//! And it can fail in every way that a network can, by rules that repeat exactly ([`Rule`]). Every
//! request is written down ([`Seen`]). A repository of 140 GB costs its headers.
//!
//! What it is not: commit ids and checksums are not git's and not SHA-256, nothing can be uploaded,
//! there is no Xet storage behind the Xet headers, and it speaks plain HTTP/1.1 only.
//! `tests/outside/hub.py` holds it against the genuine `huggingface_hub` client.

mod cdn;
mod control;
mod fault;
pub mod folder;
mod http;
mod repo;
mod routes;
mod rule;
mod server;
mod state;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub use crate::fault::Fault;
pub use crate::repo::{Content, Kind, Repo};
pub use crate::rule::{Route, Rule};
pub use crate::state::{Host, Seen};

use crate::server::Shared;
use crate::state::{Quota, State, Token};

/// A hub that runs, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct LoopbackHub {
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LoopbackHub {
    /// Starts an empty hub at free ports.
    ///
    /// # Panics
    ///
    /// Where the loopback interface cannot be used.
    pub fn start() -> Self {
        Self::start_at(0).expect("three ports of the loopback interface")
    }

    /// Starts an empty hub at `port`, the other two hosts at free ones.
    pub fn start_at(port: u16) -> io::Result<Self> {
        let [hub, cdn, away] = [server::bind(port)?, server::bind(0)?, server::bind(0)?];
        let address = |listener: &std::net::TcpListener| {
            listener
                .local_addr()
                .map(|address| format!("http://{address}"))
        };
        let state = State::new(address(&hub)?, address(&cdn)?, address(&away)?);
        let shared = Arc::new(Shared::new(state));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            runtime.block_on(async move {
                for (listener, host) in [(hub, Host::Hub), (cdn, Host::Cdn), (away, Host::Away)] {
                    tokio::spawn(server::accept(listener, host, Arc::clone(&serving)));
                }
                // Dropped or told: the end either way.
                let _ = stopped.await;
            });
        });
        Ok(Self {
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The address for `HF_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        self.shared.lock().hub.clone()
    }

    /// The address of the host that large files lie on.
    pub fn cdn(&self) -> String {
        self.shared.lock().cdn.clone()
    }

    /// Adds a repository, or puts it in the place of the one with the same id.
    pub fn add(&self, repo: Repo) {
        self.shared.lock().add(repo);
    }

    /// Moves the references of a repository to those of `newer` once the hub has answered `after` more
    /// requests; older commits can still be read.
    pub fn push_after(&self, after: u64, newer: Repo) {
        let mut state = self.shared.lock();
        let after = state.answered + after;
        state.upcoming.push((after, newer));
    }

    /// The commit that a revision of a model names.
    pub fn commit_of(&self, id: &str, revision: &str) -> Option<String> {
        let state = self.shared.lock();
        state.repo(Kind::Model, id)?.commit_of(revision)
    }

    /// Redirects `old` to `new`, as the Hub does for a renamed repository.
    pub fn rename(&self, old: &str, new: &str) {
        self.shared.lock().renamed.insert(old.into(), new.into());
    }

    /// Makes a token of `user` known, with access to the gated and private repositories of `grants`.
    pub fn token(&self, token: &str, user: &str, grants: &[&str]) {
        let known = Token {
            user: user.into(),
            grants: grants.iter().map(|&grant| grant.into()).collect(),
        };
        self.shared.lock().tokens.insert(token.into(), known);
    }

    /// Entries of a page of the tree, 1000 at first.
    pub fn set_page_size(&self, entries: usize) {
        self.shared.lock().page_size = entries.max(1);
    }

    /// Time from a request to its answer, none at first.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.lock().latency = latency;
    }

    /// How long a signed address is good, in whole seconds; an hour at first.
    pub fn set_url_lifetime(&self, lifetime: Duration) {
        self.shared.lock().url_lifetime = lifetime;
    }

    /// Whether large files carry the header fields of Xet.
    pub fn set_xet(&self, has_xet: bool) {
        self.shared.lock().has_xet = has_xet;
    }

    /// Lets the hub take `most` requests in each `window`, and answer 429 beyond.
    pub fn set_quota(&self, most: u64, window: Duration) {
        let began = Instant::now();
        self.shared.lock().quota = Some(Quota {
            most,
            window,
            began,
            used: 0,
        });
    }

    /// Adds a rule. The first rule that a request meets counts.
    pub fn inject(&self, rule: Rule) {
        self.shared.lock().faults.add(rule);
    }

    /// The seed of rules with a probability.
    pub fn set_seed(&self, seed: u64) {
        self.shared.lock().faults.seed = seed;
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.shared.lock().faults.clear();
    }

    /// All requests so far, in the order they came.
    pub fn log(&self) -> Vec<Seen> {
        self.shared.lock().log.clone()
    }

    /// All requests so far, and forgets them.
    pub fn take_log(&self) -> Vec<Seen> {
        std::mem::take(&mut self.shared.lock().log)
    }

    /// Connections taken so far, over all hosts.
    pub fn connections(&self) -> u64 {
        self.shared.connections()
    }
}

impl Drop for LoopbackHub {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody listens any more where the thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic there has failed the test that waits for its answer.
            let _ = thread.join();
        }
    }
}
