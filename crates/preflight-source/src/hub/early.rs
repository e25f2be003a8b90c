//! Files that are asked for before the listing has answered: the round trip of the listing costs them
//! nothing. What comes back counts only if it turns out to be of the commit, the size and the checksum that were
//! listed; else the file is read again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use preflight_model::wanted;
use reqwest::Url;
use tokio::task::JoinHandle;

use super::address::MAIN;
use super::ranged::{Seen, Start, Target};
use crate::http::Client;
use crate::http::Problem;

/// What nearly every repository has, and a check reads whole. One that is not there costs a request.
const FILES: [&str; 5] = [
    GATE,
    "generation_config.json",
    // Of a sharded model: what it says sizes the reads of the shards.
    wanted::INDEX,
    "special_tokens_map.json",
    "tokenizer_config.json",
];
/// The file whose answer shows whether a gate is open to us: the Hub looks at the gate before it
/// looks whether there is such a file.
const GATE: &str = "config.json";

/// Reads that were started early. They end when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Early(Mutex<BTreeMap<&'static str, Read>>);

#[derive(Debug)]
enum Read {
    UnderWay(Task),
    Done(Start),
}

/// A read that nobody waits for yet; it is given up with its handle.
#[derive(Debug)]
struct Task(JoinHandle<Result<Start, Problem>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Task {
    fn start(read: impl Future<Output = Result<Start, Problem>> + Send + 'static) -> Read {
        Read::UnderWay(Self(tokio::spawn(read)))
    }

    /// Its result; none where the runtime that it ran on is gone.
    async fn end(mut self) -> Option<Result<Start, Problem>> {
        (&mut self.0).await.ok()
    }
}

impl Early {
    /// Starts to read the files at a revision whose commit is not known yet, the first `header_bytes` of
    /// the weight file of a model that is not sharded, and what is read of its tokenizer.
    pub(super) fn start(
        client: &Arc<Client>,
        id: &str,
        revision: Option<&str>,
        header_bytes: u64,
    ) -> Self {
        let file = |path| client.endpoint.file(id, revision.unwrap_or(MAIN), path);
        let small = FILES.map(|path| (path, Self::small(client, file(path), path)));
        let starts = [
            (wanted::SINGLE, header_bytes),
            (wanted::TOKENIZER, wanted::TOKENIZER_START_BYTES),
        ]
        .map(|(path, length)| {
            let (client, url) = (Arc::clone(client), file(path));
            let start = async move { Start::read(&client, &url, length).await };
            (path, Task::start(start))
        });
        Self(Mutex::new(small.into_iter().chain(starts).collect()))
    }

    /// Starts to read only what shows whether a gate is open to us.
    pub(super) fn start_gate(client: &Arc<Client>, id: &str, commit: &str) -> Self {
        let url = client.endpoint.file(id, commit, GATE);
        let gate = Self::small(client, url, GATE);
        Self(Mutex::new(BTreeMap::from([(GATE, gate)])))
    }

    fn small(client: &Arc<Client>, url: Url, path: &'static str) -> Read {
        let client = Arc::clone(client);
        Task::start(async move {
            let bytes_max = wanted::bytes_max(path);
            // What is read again later is not worth a second attempt; a gate is.
            let (head, bytes) = if path == GATE {
                client.get(&url, bytes_max).await?
            } else {
                client.get_once(&url, bytes_max).await?
            };
            Ok(Start::whole(&head, bytes))
        })
    }

    /// Whether [`Early::gate`] was answered with the file.
    pub(super) fn is_gate_open(&self) -> bool {
        matches!(self.reads().get(GATE), Some(Read::Done(_)))
    }

    /// Why the Hub does not let us read a file of a gated repository, where it does not.
    pub(super) async fn gate(&self) -> Option<Problem> {
        let Read::UnderWay(task) = self.reads().remove(GATE)? else {
            return None;
        };
        match task.end().await? {
            Ok(start) => {
                self.reads().insert(GATE, Read::Done(start));
                None
            }
            Err(problem) => Some(problem),
        }
    }

    /// Gives up what turns out not to be there, or not to be readable.
    pub(super) fn keep(&self, is_there: impl Fn(&str) -> bool) {
        self.reads().retain(|path, _| is_there(path));
    }

    /// Whether the file was asked for and not taken yet.
    pub(super) fn is_asked(&self, path: &str) -> bool {
        self.reads().contains_key(path)
    }

    /// Whether the answer about the file is here and was not taken yet.
    pub(super) fn has(&self, path: &str) -> bool {
        self.reads().get(path).is_some_and(|read| match read {
            Read::UnderWay(task) => task.0.is_finished(),
            Read::Done(_) => true,
        })
    }

    /// The bytes of `range`, once: the second time they are read anew.
    pub(super) async fn take(
        &self,
        seen: &Seen,
        target: Target<'_>,
        range: &Range<u64>,
    ) -> Option<Bytes> {
        let read = self.reads().remove(target.path)?;
        let start = match read {
            Read::UnderWay(task) => task.end().await?.ok()?,
            Read::Done(start) => start,
        };
        start.take(seen, target, range)
    }

    fn reads(&self) -> MutexGuard<'_, BTreeMap<&'static str, Read>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
