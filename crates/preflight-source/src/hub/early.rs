//! Files that are asked for before the listing has answered. What comes back counts only if it turns
//! out to be of the commit and the size that were listed; else the file is read again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::join_all;
use preflight_model::wanted;

use super::access::Denial;
use super::address::MAIN;
use super::client::Client;
use super::problem::Problem;

/// What nearly every repository has. One that is not there costs a request.
const FILES: [&str; 1] = ["config.json"];

/// Answers that came early.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// Where the Hub says that we may not read: why.
    pub(super) gate: Option<Problem>,
    files: Mutex<BTreeMap<&'static str, File>>,
}

#[derive(Debug)]
struct File {
    commit: Option<String>,
    bytes: Bytes,
}

impl Early {
    /// Reads the files at a revision whose commit is not known yet.
    pub(super) async fn read(client: &Client, id: &str, revision: Option<&str>) -> Self {
        let reads = FILES.map(|path| async move {
            let url = client.endpoint.file(id, revision.unwrap_or(MAIN), path);
            (path, client.get(&url, wanted::bytes_max(path)).await)
        });
        let mut early = Self::default();
        let mut files = BTreeMap::new();
        for (path, answer) in join_all(reads).await {
            match answer {
                Ok((head, bytes)) => {
                    let commit = head.first("x-repo-commit").map(str::to_owned);
                    files.insert(path, File { commit, bytes });
                }
                Err(problem) => {
                    if matches!(Denial::of(&problem), Denial::Gated | Denial::Disabled) {
                        early.gate = Some(problem);
                    }
                }
            }
        }
        early.files = Mutex::new(files);
        early
    }

    /// What of it is of this commit.
    pub(super) fn at(self, commit: &str) -> Self {
        let mut files = self
            .files
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, file| file.commit.as_deref() == Some(commit));
        Self {
            gate: self.gate,
            files: Mutex::new(files),
        }
    }

    /// The whole of a file, once: the second time it is read anew.
    pub(super) fn take(&self, path: &str, range: &Range<u64>, size: u64) -> Option<Bytes> {
        if *range != (0..size) {
            return None;
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = files.remove(path)?;
        (file.bytes.len() as u64 == size).then_some(file.bytes)
    }
}
