//! The contract of a source, the same for a folder, the Hub, S3 and archives.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
pub use futures_util::future::BoxFuture;
use preflight_model::container::Container;
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Origin};

use crate::Error;
use crate::recording::Entry;

/// A place with one repository: list it, read ranges of its files. `tests/conformance.rs` holds what
/// every source must do.
pub trait Source: std::fmt::Debug + Send + Sync {
    /// The files, and what is known of the repository as a whole.
    ///
    /// A place that refuses us or cannot be reached is an answer too: [`Listing::access`] says so.
    /// `Err` is for what is no repository at all.
    fn list(&self) -> BoxFuture<'_, Result<Listing, Error>>;

    /// Exactly the bytes of `range` of the file at `path`. A range that ends beyond the file is
    /// [`Error::OutOfRange`], never a short answer.
    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, Error>>;

    /// What this source has cost so far, failed attempts included.
    fn cost(&self) -> Cost;

    /// Whether a read is a round trip to somewhere else, so that it pays to ask for more bytes than
    /// are known to be needed. Of a source that is not remote, no byte of a weight is ever read.
    fn is_remote(&self) -> bool {
        true
    }

    /// Whether the file at `path` was asked for together with the listing and is here already, so that
    /// reading it before anything else costs no round trip.
    fn is_at_hand(&self, _path: &str) -> bool {
        false
    }

    /// Finds out where the bytes of the file at `path` are, so that the next read of it goes straight there;
    /// `None` where there is nothing to find out. A failure is left to that read.
    fn locate<'a>(&'a self, _path: &'a str) -> Option<BoxFuture<'a, ()>> {
        None
    }

    /// Where what is read is kept for the next time, once it is listed; none where nothing is kept.
    fn kept(&self) -> Option<&Entry> {
        None
    }

    /// What the user should know of how it was read ("the token is not known"), after the reading.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What a source says of its repository.
#[derive(Debug)]
pub struct Listing {
    /// Where this is.
    pub origin: Origin,
    /// Whether the place let us look.
    pub access: Access,
    /// When the repository was observed, for a source that kept it from an earlier time.
    pub observed_at: Option<String>,
    /// All files, sorted by path; unavailable where they could not be listed.
    pub files: Fact<Vec<ListedFile>>,
    /// The archive that they came in.
    pub container: Fact<Container>,
    /// For an adapter: the repository it adapts, where the source has it at hand.
    pub base: Fact<Box<dyn Source>>,
}

/// One file of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Path inside the repository with `/` between components.
    pub path: String,
    /// Size in bytes: for a git-lfs pointer, of what it points to.
    pub size: Option<u64>,
    /// Hexadecimal SHA-256 where the place tells it.
    pub sha256: Option<String>,
    /// What it is.
    pub kind: FileKind,
}

/// What a listed file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A file that can be read.
    Regular,
    /// A git-lfs pointer in the place of the file.
    Pointer,
    /// Nothing that may be opened; the text names it ("a named pipe").
    Other(String),
    /// A file that is known not to be at hand; the text says why.
    Unavailable(String),
}

/// What looking cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests, or for local sources files opened and folders listed.
    pub requests: u64,
    /// Bytes of content received or read.
    pub bytes: u64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.bytes += other.bytes;
    }
}

/// Counts the [`Cost`] of a source while many reads are under way.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Meter {
    /// Counts a request that brought `bytes`.
    pub fn count(&self, bytes: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.receive(bytes);
    }

    /// Counts bytes of a request that is counted already.
    pub fn receive(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// All that was counted.
    pub fn cost(&self) -> Cost {
        Cost {
            requests: self.requests.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}
