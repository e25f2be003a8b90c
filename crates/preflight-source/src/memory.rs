//! A repository in memory, for tests and for whoever has the bytes already.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Origin, SourceKind};

use crate::Error;
use crate::regular::check_range;
use crate::source::{BoxFuture, Cost, FileKind, ListedFile, Listing, Meter, Source};

/// Files by path. Judged like a folder; read like a remote place unless [`Memory::local`] says
/// otherwise, so that it also shows how a remote source is used.
#[derive(Debug, Default)]
pub struct Memory {
    files: BTreeMap<String, Entry>,
    is_local: bool,
    meter: Meter,
}

#[derive(Debug)]
enum Entry {
    Regular(Bytes),
    Pointer { size: u64, sha256: String },
}

impl Memory {
    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a file.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Bytes>) -> Self {
        self.files
            .insert(path.into(), Entry::Regular(content.into()));
        self
    }

    /// With a git-lfs pointer to a file of `size` bytes.
    #[must_use]
    pub fn pointer(mut self, path: &str, size: u64, sha256: &str) -> Self {
        let sha256 = sha256.into();
        self.files
            .insert(path.into(), Entry::Pointer { size, sha256 });
        self
    }

    /// Read like a local folder: no byte more than needed.
    #[must_use]
    pub fn local(mut self) -> Self {
        self.is_local = true;
        self
    }
}

impl Source for Memory {
    fn list(&self) -> BoxFuture<'_, Result<Listing, Error>> {
        self.meter.count(0);
        let files = self.files.iter().map(|(path, entry)| {
            let (size, sha256, kind) = match entry {
                Entry::Regular(bytes) => (bytes.len() as u64, None, FileKind::Regular),
                Entry::Pointer { size, sha256 } => (*size, Some(sha256.clone()), FileKind::Pointer),
            };
            ListedFile {
                path: path.clone(),
                size: Some(size),
                sha256,
                kind,
            }
        });
        let listing = Listing {
            origin: Origin {
                input: "memory".into(),
                source: SourceKind::Folder,
                stands_for: SourceKind::Folder,
                id: None,
                revision: None,
                commit: None,
            },
            access: Access::Open,
            observed_at: None,
            files: Fact::Known(files.collect()),
            container: Fact::Absent,
            base: Fact::Absent,
        };
        Box::pin(std::future::ready(Ok(listing)))
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, Error>> {
        let read = || {
            let Some(Entry::Regular(bytes)) = self.files.get(path) else {
                return Err(Error::NotFound(path.into()));
            };
            check_range(path, &range, bytes.len() as u64)?;
            self.meter.count(range.end - range.start);
            // Both ends are at most the length of a slice in memory.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "checked against a usize above"
            )]
            let range = range.start as usize..range.end as usize;
            Ok(bytes.slice(range))
        };
        Box::pin(std::future::ready(read()))
    }

    fn cost(&self) -> Cost {
        self.meter.cost()
    }

    fn is_remote(&self) -> bool {
        !self.is_local
    }
}
