//! What the Hub's cache holds of a repository, without network.
//!
//! A snapshot in the cache has the files that somebody asked for, and no list of the others. So a file
//! that is not there is not absent, unless a download found it absent and left a mark in `.no_exist`.
//!
//! Source: <https://huggingface.co/docs/huggingface_hub/guides/manage-cache>

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hf_hub::{Cache, Repo, RepoType};
use preflight_model::fact::Fact;
use preflight_model::index::Index;
use preflight_model::snapshot::{Access, Origin, SourceKind};
use preflight_model::wanted;

use super::address::MAIN;
use super::listing::is_commit;
use super::options::HubOptions;
use crate::source::{BoxFuture, Cost, FileKind, ListedFile, Listing, Source};
use crate::{Error, Folder, paths};

/// A file in `refs` holds one commit.
const REF_BYTES_MAX: u64 = 64;
/// Files that are not read but whose presence decides.
const NAMED: [&str; 3] = ["chat_template.jinja", "tokenizer.json", "tokenizer.model"];
const NEVER_DOWNLOADED: &str = "it was never downloaded into the Hub's cache";

/// A repository in the Hub's cache.
#[derive(Debug)]
pub struct CachedHub {
    origin: Origin,
    /// Folder of the marks of files that are known to be absent.
    absent: Option<PathBuf>,
    /// The snapshot; without one, why there is none.
    snapshot: Result<Folder, String>,
}

impl CachedHub {
    /// The repository `id` at `revision`, which the user calls `input`.
    pub fn new(
        id: &str,
        revision: Option<&str>,
        input: &str,
        options: &HubOptions,
    ) -> Result<Self, Error> {
        let mut found = Self {
            origin: Origin {
                input: input.into(),
                source: SourceKind::Hub,
                stands_for: SourceKind::Hub,
                id: Some(id.into()),
                revision: revision.map(Into::into),
                commit: None,
            },
            absent: None,
            snapshot: Err("offline, and there is no cache of the Hub".into()),
        };
        let Some(cache) = &options.cache else {
            return Ok(found);
        };
        let revision = revision.unwrap_or(MAIN);
        let repo = Repo::with_revision(id.into(), RepoType::Model, revision.into());
        let folder = cache.join(repo.folder_name());
        let nothing = |what: &str| {
            Err(format!(
                "offline, and {what} is not in the Hub's cache `{}`",
                cache.display()
            ))
        };
        if !folder.is_dir() {
            found.snapshot = nothing(&format!("`{id}`"));
            return Ok(found);
        }
        let Some(commit) = commit_of(&folder, revision) else {
            found.snapshot = nothing(&format!("revision `{revision}` of `{id}`"));
            return Ok(found);
        };
        let snapshot = Cache::new(cache.clone()).repo(repo).pointer_path(&commit);
        found.snapshot = if snapshot.is_dir() {
            Ok(Folder::new(&snapshot, input)?)
        } else {
            nothing(&format!("commit `{commit}` of `{id}`"))
        };
        found.absent = Some(folder.join(".no_exist").join(&commit));
        found.origin.commit = Some(commit);
        Ok(found)
    }

    async fn listing(&self) -> Result<Listing, Error> {
        let snapshot = match &self.snapshot {
            Ok(snapshot) => snapshot,
            Err(why) => {
                return Ok(Listing {
                    origin: self.origin.clone(),
                    access: Access::Unreachable(why.clone()),
                    observed_at: None,
                    files: Fact::Unavailable(why.clone()),
                    container: Fact::Absent,
                    base: Fact::Absent,
                });
            }
        };
        let listing = snapshot.list().await?;
        let files = match listing.files {
            Fact::Known(files) => Fact::Known(self.with_missing(snapshot, files).await),
            unknown => unknown,
        };
        Ok(Listing {
            origin: self.origin.clone(),
            files,
            ..listing
        })
    }

    /// With the files that the repository may have beside those in the cache.
    async fn with_missing(&self, snapshot: &Folder, mut files: Vec<ListedFile>) -> Vec<ListedFile> {
        let has = |path: &str| files.iter().any(|file| file.path == path);
        let mut missing: BTreeSet<String> = wanted::WHOLE
            .into_iter()
            .chain(NAMED)
            .filter(|path| *path != wanted::INDEX)
            .map(Into::into)
            .collect();
        let size = |path: &str| files.iter().find(|file| file.path == path)?.size;
        if let Some(size) = size(wanted::INDEX) {
            // What the index says is judged elsewhere; one that cannot be read names no shard here.
            let text = match snapshot
                .read(wanted::INDEX, 0..size.min(wanted::INDEX_BYTES_MAX))
                .await
            {
                Ok(text) => text,
                Err(_) => Bytes::new(),
            };
            if let Ok(index) = Index::parse(&text) {
                missing.extend(index.shards().iter().cloned());
            }
        } else if has("adapter_config.json") {
            missing.insert(wanted::ADAPTER_WEIGHTS.into());
        } else if !has(wanted::SINGLE) {
            missing.extend([wanted::INDEX, wanted::SINGLE].map(String::from));
        }
        let missing: Vec<String> = missing
            .into_iter()
            .filter(|path| !has(path) && !self.is_absent(path))
            .collect();
        files.extend(missing.into_iter().map(|path| ListedFile {
            path,
            size: None,
            sha256: None,
            kind: FileKind::Unavailable(NEVER_DOWNLOADED.into()),
        }));
        files.sort_by(|one, other| one.path.cmp(&other.path));
        files
    }

    /// Whether a download found that the repository has no such file.
    fn is_absent(&self, path: &str) -> bool {
        let at = self
            .absent
            .as_deref()
            .and_then(|marks| paths::under(marks, path));
        at.is_some_and(|mark| mark.is_file())
    }
}

/// The commit of a revision: what `refs` says, or the revision itself.
fn commit_of(folder: &Path, revision: &str) -> Option<String> {
    if is_commit(revision) {
        return Some(revision.into());
    }
    let file = File::open(paths::under(&folder.join("refs"), revision)?).ok()?;
    let mut commit = String::new();
    file.take(REF_BYTES_MAX).read_to_string(&mut commit).ok()?;
    let commit = commit.trim();
    is_commit(commit).then(|| commit.to_owned())
}

impl Source for CachedHub {
    fn list(&self) -> BoxFuture<'_, Result<Listing, Error>> {
        Box::pin(self.listing())
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, Error>> {
        match &self.snapshot {
            Ok(snapshot) => snapshot.read(path, range),
            Err(why) => {
                let error = Error::Unavailable {
                    path: path.into(),
                    reason: why.clone(),
                };
                Box::pin(std::future::ready(Err(error)))
            }
        }
    }

    fn cost(&self) -> Cost {
        self.snapshot.as_ref().map(Source::cost).unwrap_or_default()
    }

    fn is_remote(&self) -> bool {
        false
    }
}
