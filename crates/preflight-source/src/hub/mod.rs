//! The Hugging Face Hub, or a mirror of it, as a [`Source`].
//!
//! One request gives commit and listing; everything after it is read at that commit, each file by
//! strict ranges. `docs/hub.md` says what a user should know.
//!
//! # hf-hub
//!
//! The crate `hf-hub` 0.5 is used, without its HTTP clients, for what it knows of the local side: the
//! layout of the Hub's cache ([`hf_hub::Cache`], [`hf_hub::Repo`]) and the place of the token file.
//! So it brings three small crates. Its clients stay out: they come with a second copy of reqwest,
//! send the credential on to the host of the weights, take a 200 for a range, know no rate limit and
//! hide the headers that all this is decided by. Its 1.0 line is no better there and brings 124 crates.
//! The addresses are in `address.rs`, since in 0.5 they are part of the clients.

mod access;
mod address;
mod early;
mod environment;
mod listing;
mod offline;
mod options;
mod ranged;
mod token;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join;
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Origin, SourceKind};
use reqwest::Url;
use tokio::sync::OnceCell;

pub(crate) use environment::caches_of_process as cache_home;
pub use offline::CachedHub;
pub(crate) use options::STALL;
pub use options::{HubOptions, TIMEOUT};

use crate::first_range::FIRST_BYTES;
use crate::http::{Client, Problem};
use crate::recording::{Entry, RecordingCache};
use crate::regular::check_range;
use crate::source::{BoxFuture, Cost, FileKind, ListedFile, Listing, Source};
use crate::{Error, paths};
use access::{Asked, Denial, denied};
use early::Early;
use listing::Info;
use ranged::{Seen, Target};

/// A repository of the Hub.
#[derive(Debug)]
pub struct Hub {
    client: Arc<Client>,
    /// Keeps what was read for the next time.
    recordings: Option<Arc<RecordingCache>>,
    /// As the user gave it.
    input: String,
    id: String,
    revision: Option<String>,
    /// Asked once: everything is read at the commit of this answer.
    found: OnceCell<Found>,
    seen: Seen,
}

/// The answer to the first request.
#[derive(Debug)]
struct Found {
    access: Access,
    /// The name the repository has now.
    id: String,
    commit: Option<String>,
    files: Fact<Vec<ListedFile>>,
    early: Early,
    /// Where what is read is kept.
    kept: Option<Entry>,
}

/// The source for a repository of the Hub: over the network, or what the cache holds of it.
pub fn open(
    id: &str,
    revision: Option<&str>,
    input: &str,
    options: &HubOptions,
) -> Result<Box<dyn Source>, Error> {
    if let Some(revision) = revision.filter(|revision| !is_revision(revision)) {
        return Err(Error::Usage(format!(
            "`{revision}` is no revision: give a branch, a tag, a commit or `refs/pr/N`"
        )));
    }
    Ok(if options.is_offline {
        Box::new(CachedHub::new(id, revision, input, options)?)
    } else {
        Box::new(Hub::new(id, revision, input, options)?)
    })
}

/// Whether a name may be that of a revision. An address without one of its parts would name the default
/// branch, silently.
/// Source: <https://git-scm.com/docs/git-check-ref-format>
fn is_revision(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != "." && !part.contains("..");
    name.split('/').all(is_part)
        && !name.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\')
}

impl Hub {
    /// The repository `id` at `revision` (a branch, tag, commit or `refs/pr/N`), which the user calls
    /// `input`. Sends nothing yet.
    pub fn new(
        id: &str,
        revision: Option<&str>,
        input: &str,
        options: &HubOptions,
    ) -> Result<Self, Error> {
        if !crate::model_ref::is_hub_id(id) {
            return Err(Error::Usage(format!(
                "`{id}` is not the name of a repository"
            )));
        }
        Ok(Self {
            client: Arc::new(Client::new(options.settings()?)?),
            recordings: options.recordings.clone(),
            input: input.into(),
            id: id.into(),
            revision: revision.map(Into::into),
            found: OnceCell::new(),
            seen: Seen::default(),
        })
    }

    async fn found(&self) -> &Found {
        self.found.get_or_init(|| self.find()).await
    }

    /// Asks for the repository and, without waiting for the answer, for the files that nearly every
    /// repository has; not where they are likely to be in the cache of recordings.
    async fn find(&self) -> Found {
        let revision = self.revision.as_deref();
        let endpoint = self.client.endpoint.0.as_str();
        let recordings = self.recordings.as_ref();
        let is_known = recordings.is_some_and(|cache| cache.knows(endpoint, &self.id));
        let start = |revision| Early::start(&self.client, &self.id, revision, FIRST_BYTES);
        let mut early = if is_known {
            Early::default()
        } else {
            start(revision)
        };
        match listing::info(&self.client, &self.id, revision).await {
            Ok(info) => {
                let entry =
                    recordings.and_then(|cache| cache.entry(endpoint, &self.id, &info.commit));
                let is_kept = entry.as_ref().is_some_and(Entry::exists);
                if is_known && !is_kept {
                    early = start(Some(&info.commit));
                } else if is_known && info.is_gated {
                    // What the Hub tells everyone of a gated repository does not say who may read it.
                    early = Early::start_gate(&self.client, &self.id, &info.commit);
                }
                self.found_at(info, early, entry).await
            }
            Err(problem) => {
                drop(early);
                self.not_found(&problem).await
            }
        }
    }

    async fn found_at(&self, info: Info, early: Early, entry: Option<Entry>) -> Found {
        let id = info.id.unwrap_or_else(|| self.id.clone());
        let gate = if info.is_gated {
            early.gate().await
        } else {
            None
        };
        // Only who may read the files now is shown what was kept of them.
        let is_gate_open = !info.is_gated || early.is_gate_open();
        let access = match gate {
            _ if info.is_disabled => Access::Refused(format!("`{id}` is disabled on the Hub")),
            Some(gate) if matches!(Denial::of(&gate), Denial::Gated | Denial::Disabled) => {
                denied(&gate, &self.asked(&id))
            }
            _ => Access::Open,
        };
        let files = match info.files {
            Some(files) => Ok(files),
            None => listing::tree(&self.client, &id, &info.commit).await,
        };
        let files = match (files, &access) {
            (Ok(files), Access::Open) => Fact::Known(files),
            (Ok(files), Access::Refused(why) | Access::Unreachable(why)) => {
                Fact::Known(files.into_iter().map(|file| closed(file, why)).collect())
            }
            (Err(problem), _) => Fact::Unavailable(problem.to_string()),
        };
        early.keep(|path| {
            let file = files.known().and_then(|files| find_file(files, path));
            file.is_some_and(|file| file.kind == FileKind::Regular)
        });
        let kept = entry.filter(|_| access == Access::Open).map(|entry| {
            if is_gate_open {
                entry
            } else {
                entry.for_writing()
            }
        });
        Found {
            access,
            early,
            id,
            commit: Some(info.commit),
            files,
            kept,
        }
    }

    async fn not_found(&self, problem: &Problem) -> Found {
        let mut access = denied(problem, &self.asked(&self.id));
        let (Access::Refused(why) | Access::Unreachable(why)) = &mut access else {
            unreachable!("a problem is never open access")
        };
        if Denial::of(problem) == Denial::Missing
            && let Some(kind) = self.other_kind().await
        {
            *why = format!("{why}; there is a {kind} of this name, and only models are checked");
        }
        Found {
            files: Fact::Unavailable(why.clone()),
            access,
            id: self.id.clone(),
            commit: None,
            early: Early::default(),
            kept: None,
        }
    }

    /// The kind of repository that has this name, where it is not a model.
    async fn other_kind(&self) -> Option<&'static str> {
        let is_there = async |kind| {
            let url = self.client.endpoint.other_info(kind, &self.id);
            self.client.open(&url, None).await.is_ok()
        };
        match join(is_there("datasets"), is_there("spaces")).await {
            (true, _) => Some("dataset"),
            (_, true) => Some("space"),
            _ => None,
        }
    }

    fn asked<'a>(&'a self, id: &'a str) -> Asked<'a> {
        Asked {
            endpoint: &self.client.endpoint,
            id,
            revision: self.revision.as_deref(),
            has_token: self.client.has_token(),
            is_token_refused: self.client.is_token_refused(),
        }
    }

    async fn find_place(&self, path: &str) {
        let found = self.found().await;
        let Ok(readable) = found.readable(path) else {
            return;
        };
        // What was asked for early knows its place.
        if found.early.is_asked(path) {
            return;
        }
        let url = self.client.endpoint.file(&found.id, readable.commit, path);
        let target = readable.target(&url);
        ranged::locate(&self.client, &self.seen, target).await;
    }

    async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let found = self.found().await;
        let readable = found.readable(path)?;
        check_range(path, &range, readable.size)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let url = self.client.endpoint.file(&found.id, readable.commit, path);
        let target = readable.target(&url);
        if let Some(bytes) = found.early.take(&self.seen, target, &range).await {
            return Ok(bytes);
        }
        let read = ranged::read(&self.client, &self.seen, target, &range);
        read.await.map_err(|problem| refused(path, &problem))
    }
}

impl Found {
    /// The file at `path`, where it can be read.
    fn readable(&self, path: &str) -> Result<Readable<'_>, Error> {
        let unavailable = |reason: &str| Error::Unavailable {
            path: path.into(),
            reason: reason.into(),
        };
        let (Fact::Known(files), Some(commit)) = (&self.files, &self.commit) else {
            return Err(unavailable("the files of the repository are not known"));
        };
        let file = find_file(files, path).filter(|_| paths::is_inside(path));
        let file = file.ok_or_else(|| Error::NotFound(path.into()))?;
        if let FileKind::Unavailable(why) | FileKind::Other(why) = &file.kind {
            return Err(unavailable(why));
        }
        let size = file.size;
        let size = size.ok_or_else(|| unavailable("its size is not known"))?;
        Ok(Readable { file, commit, size })
    }
}

/// A file that can be read, and the commit it is read at.
struct Readable<'a> {
    file: &'a ListedFile,
    commit: &'a str,
    size: u64,
}

impl<'a> Readable<'a> {
    fn target(&self, url: &'a Url) -> Target<'a> {
        Target {
            path: &self.file.path,
            url,
            commit: self.commit,
            size: self.size,
            sha256: self.file.sha256.as_deref(),
        }
    }
}

/// The file at `path` of a sorted listing.
fn find_file<'a>(files: &'a [ListedFile], path: &str) -> Option<&'a ListedFile> {
    let at = files
        .binary_search_by(|file| file.path.as_str().cmp(path))
        .ok()?;
    files.get(at)
}

/// Why a file was not read.
fn refused(path: &str, problem: &Problem) -> Error {
    let path = path.to_owned();
    let reason = problem.to_string();
    match Denial::of(problem) {
        Denial::Gated | Denial::Disabled => Error::Refused { path, reason },
        _ if matches!(problem, Problem::Status(refusal) if refusal.is("EntryNotFound")) => {
            Error::NotFound(path)
        }
        _ => Error::Unavailable { path, reason },
    }
}

/// A file of a repository that does not let us read it.
fn closed(file: ListedFile, why: &str) -> ListedFile {
    ListedFile {
        kind: FileKind::Unavailable(why.into()),
        ..file
    }
}

impl Source for Hub {
    fn list(&self) -> BoxFuture<'_, Result<Listing, Error>> {
        Box::pin(async {
            let found = self.found().await;
            Ok(Listing {
                origin: Origin {
                    input: self.input.clone(),
                    source: SourceKind::Hub,
                    stands_for: SourceKind::Hub,
                    id: Some(found.id.clone()),
                    revision: self.revision.clone(),
                    commit: found.commit.clone(),
                },
                access: found.access.clone(),
                observed_at: None,
                files: found.files.clone(),
                container: Fact::Absent,
                base: Fact::Absent,
            })
        })
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, Error>> {
        Box::pin(self.read_range(path, range))
    }

    fn cost(&self) -> Cost {
        self.client.cost()
    }

    fn locate<'a>(&'a self, path: &'a str) -> Option<BoxFuture<'a, ()>> {
        Some(Box::pin(self.find_place(path)))
    }

    fn is_at_hand(&self, path: &str) -> bool {
        self.found.get().is_some_and(|found| found.early.has(path))
    }

    fn kept(&self) -> Option<&Entry> {
        self.found.get()?.kept.as_ref()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.client.is_token_refused() {
            notes.push(format!(
                "`{}` does not know the token: it was asked without",
                self.client.endpoint.host()
            ));
        }
        if let Some(found) = self.found.get()
            && found.id != self.id
        {
            notes.push(format!("`{}` is called `{}` now", self.id, found.id));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::is_revision;

    #[test]
    fn odd_revisions_are_none() {
        for good in ["main", "v1.0", "refs/pr/3", "feature/x.y", "a-b_c"] {
            assert!(is_revision(good), "{good}");
        }
        for odd in [
            "", ".", "..", "a/../b", "/a", "a/", "a//b", "a b", "a\nb", "a\\b",
        ] {
            assert!(!is_revision(odd), "{odd:?}");
        }
    }
}
