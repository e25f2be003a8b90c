//! An archive on this machine.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::bytes::{ArchiveBytes, Edge, Opened};
use crate::Error;
use crate::blocking::blocking;
use crate::regular::{Links, Regular, read_range};
use crate::source::{BoxFuture, Cost, Meter};

/// A local file.
#[derive(Debug)]
pub(super) struct FileBytes {
    path: PathBuf,
    /// As the user calls it.
    input: String,
    meter: Arc<Meter>,
}

impl FileBytes {
    pub(super) fn new(path: &Path, input: &str) -> Self {
        Self {
            path: path.into(),
            input: input.into(),
            meter: Arc::default(),
        }
    }
}

impl ArchiveBytes for FileBytes {
    fn open(&self, edge: Edge, length: u64) -> BoxFuture<'_, Result<Opened, Error>> {
        Box::pin(async move {
            let (path, input) = (self.path.clone(), self.input.clone());
            let meter = Arc::clone(&self.meter);
            blocking(&self.input, move || {
                let failed = |error: &std::io::Error| Error::unavailable(&input, error);
                let mut file =
                    Regular::open(&path, Links::Follow).map_err(|error| failed(&error))?;
                let size = file.size;
                let range = edge.range(size, length);
                let bytes = file.read(&range).map_err(|error| failed(&error))?;
                meter.count(bytes.len() as u64);
                Ok(Opened {
                    size: Some(size),
                    offset: range.start,
                    bytes: bytes.into(),
                })
            })
            .await
        })
    }

    fn read_at(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, Error>> {
        Box::pin(async move {
            let (path, input) = (self.path.clone(), self.input.clone());
            let meter = Arc::clone(&self.meter);
            blocking(&self.input, move || {
                let bytes = read_range(&path, &input, &range, Links::Follow)?;
                meter.count(bytes.len() as u64);
                Ok(bytes)
            })
            .await
        })
    }

    fn cost(&self) -> Cost {
        self.meter.cost()
    }

    fn is_remote(&self) -> bool {
        false
    }
}
