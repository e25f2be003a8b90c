//! Files that are asked for before the listing has answered: the round trip of the listing costs them
//! nothing. What comes back counts only if it turns out to be of the commit, the size and the checksum that were
//! listed; else the file is read again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::{join, join_all};
use preflight_model::wanted;

use super::access::Denial;
use super::address::MAIN;
use super::client::Client;
use super::problem::Problem;
use super::ranged::{Seen, Start, Target};

/// What nearly every repository has, and a check reads whole. One that is not there costs a request.
const FILES: [&str; 4] = [
    GATE,
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
];
/// The file whose answer shows whether a gate is open to us: the Hub looks at the gate before it
/// looks whether there is such a file.
const GATE: &str = "config.json";

/// Answers that came early.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// Where the Hub says that we may not read: why.
    pub(super) gate: Option<Problem>,
    starts: Mutex<BTreeMap<&'static str, Start>>,
}

impl Early {
    /// Reads the files at a revision whose commit is not known yet, and the first `header_bytes` of the
    /// weight file of a model that is not sharded.
    pub(super) async fn read(
        client: &Client,
        id: &str,
        revision: Option<&str>,
        header_bytes: u64,
    ) -> Self {
        let file = |path| client.endpoint.file(id, revision.unwrap_or(MAIN), path);
        let small = FILES.map(|path| async move {
            let (url, bytes_max) = (file(path), wanted::bytes_max(path));
            // What is read again later is not worth a second attempt; a gate is.
            let answer = if path == GATE {
                client.get(&url, bytes_max).await
            } else {
                client.get_once(&url, bytes_max).await
            };
            (path, answer.map(|(head, bytes)| Start::whole(&head, bytes)))
        });
        let header = async {
            let start = Start::read(client, &file(wanted::SINGLE), header_bytes).await;
            (wanted::SINGLE, start)
        };
        let (small, header) = join(join_all(small), header).await;
        let mut gate = None;
        let mut starts = BTreeMap::new();
        for (path, answer) in small.into_iter().chain([header]) {
            match answer {
                Ok(start) => {
                    starts.insert(path, start);
                }
                Err(problem)
                    if matches!(Denial::of(&problem), Denial::Gated | Denial::Disabled) =>
                {
                    gate = Some(problem);
                }
                Err(_) => {}
            }
        }
        Self {
            gate,
            starts: Mutex::new(starts),
        }
    }

    /// The bytes of `range`, once: the second time they are read anew.
    pub(super) fn take(
        &self,
        seen: &Seen,
        target: Target<'_>,
        range: &Range<u64>,
    ) -> Option<Bytes> {
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        starts.remove(target.path)?.take(seen, target, range)
    }
}
