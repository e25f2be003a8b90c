//! Reading at places of an archive: what was read before is not read again, and no more than allowed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::bytes::{ArchiveBytes, Edge, Opened};
use crate::Error;

/// Most bytes of the archive that are kept for later reads.
const KEPT_BYTES_MAX: u64 = 64 << 20;

/// An archive, some of its bytes, and how many more may be read.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) bytes: Box<dyn ArchiveBytes>,
    /// The name of the archive, for messages.
    name: String,
    download_max: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// By where they begin; they do not overlap.
    pieces: BTreeMap<u64, Bytes>,
    size: u64,
}

impl Reader {
    pub(super) fn new(bytes: Box<dyn ArchiveBytes>, name: &str, download_max: u64) -> Self {
        Self {
            bytes,
            name: name.into(),
            download_max,
            kept: Mutex::default(),
        }
    }

    /// Opens the archive and keeps the bytes at its edge.
    pub(super) async fn open(&self, edge: Edge, length: u64) -> Result<Opened, Error> {
        let opened = self.bytes.open(edge, length).await?;
        self.keep(opened.offset, opened.bytes.clone());
        Ok(opened)
    }

    pub(super) fn stream(&self, size: Option<u64>) -> BoxStream<'_, Result<Bytes, Error>> {
        self.bytes.stream(size)
    }

    pub(super) fn is_remote(&self) -> bool {
        self.bytes.is_remote()
    }

    /// Keeps bytes for later reads, unless there are too many.
    pub(super) fn keep(&self, at: u64, bytes: Bytes) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let size = kept.size.saturating_add(bytes.len() as u64);
        if size > KEPT_BYTES_MAX || bytes.is_empty() {
            return;
        }
        if kept.pieces.insert(at, bytes).is_none() {
            kept.size = size;
        }
    }

    /// What is kept from the start of `range` on.
    fn start_of(&self, range: &Range<u64>) -> Bytes {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((at, piece)) = kept.pieces.range(..=range.start).next_back() else {
            return Bytes::new();
        };
        let length = range.end - range.start;
        let from = usize::try_from(range.start - at).unwrap_or(usize::MAX);
        if from >= piece.len() {
            return Bytes::new();
        }
        let to = usize::try_from(length).map_or(piece.len(), |length| {
            from.saturating_add(length).min(piece.len())
        });
        piece.slice(from..to)
    }

    /// Exactly the bytes of `range`, which lies within the archive.
    pub(super) async fn read(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let start = self.start_of(&range);
        let from = range.start + start.len() as u64;
        if from == range.end {
            return Ok(start);
        }
        self.may_read(range.end - from)?;
        let rest = self.bytes.read_at(from..range.end).await?;
        if start.is_empty() {
            return Ok(rest);
        }
        Ok([&start[..], &rest[..]].concat().into())
    }

    /// Fails where `more` bytes would be more than the user allows.
    pub(super) fn may_read(&self, more: u64) -> Result<(), Error> {
        let most = self.download_max;
        if !self.is_remote() || self.bytes.cost().bytes.saturating_add(more) <= most {
            return Ok(());
        }
        Err(Error::Unavailable {
            path: self.name.clone(),
            reason: format!(
                "it takes more than the {most} bytes that may be downloaded: allow more with `--max-download`"
            ),
        })
    }
}
