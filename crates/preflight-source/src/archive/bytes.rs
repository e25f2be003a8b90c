//! The bytes of one archive, wherever it lies: what a place has to offer so that archives can be read
//! there. A file, a URL and an object in S3 are such places.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use crate::Error;
use crate::source::{BoxFuture, Cost};

/// Bytes of one read where a place is read from start to end by ranges: few requests, and little that
/// was read in vain where the reading stops.
const CHUNK_BYTES: usize = 8 << 20;

/// One archive as a run of bytes.
///
/// [`ArchiveBytes::open`] is called first and once. All bytes are those of the same version: a place
/// that can be written to meanwhile compares a validator (`ETag`) and the size, and fails where they
/// change.
///
/// Errors: [`Error::Refused`] or [`Error::NotFound`] where the place itself says no, everything else is
/// [`Error::Unavailable`]. They name the place without secrets.
pub trait ArchiveBytes: fmt::Debug + Send + Sync {
    /// The size, and some bytes at one end: `length` of them, or all where there are fewer.
    fn open(&self, edge: Edge, length: u64) -> BoxFuture<'_, Result<Opened, Error>>;

    /// Exactly the bytes of `range`, which is not empty and lies within the size.
    fn read_at(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, Error>>;

    /// All bytes from the start, piece by piece; whoever needs no more drops it. `size` as
    /// [`ArchiveBytes::open`] gave it.
    fn stream(&self, size: Option<u64>) -> BoxStream<'_, Result<Bytes, Error>> {
        let end = size.unwrap_or(0);
        let starts = (0..end).step_by(CHUNK_BYTES);
        let read = move |at: u64| self.read_at(at..at.saturating_add(CHUNK_BYTES as u64).min(end));
        stream::iter(starts).then(read).boxed()
    }

    /// What it has cost so far, failed attempts included.
    fn cost(&self) -> Cost;

    /// Whether a read is a round trip to somewhere else.
    fn is_remote(&self) -> bool;
}

/// One end of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Where a tar archive begins.
    Start,
    /// Where the directory of a zip archive is.
    End,
}

/// What [`ArchiveBytes::open`] found.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Bytes of the whole archive; none where the place reads no ranges, so that
    /// [`ArchiveBytes::stream`] is all there is.
    pub size: Option<u64>,
    /// Where `bytes` begin.
    pub offset: u64,
    /// The bytes at the edge.
    pub bytes: Bytes,
}

impl Edge {
    /// The `length` bytes at this edge of `size`.
    pub fn range(self, size: u64, length: u64) -> Range<u64> {
        match self {
            Self::Start => 0..length.min(size),
            Self::End => size.saturating_sub(length)..size,
        }
    }
}
