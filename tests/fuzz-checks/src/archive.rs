use std::ops::Range;

use preflight_model::container::Validity;
use preflight_model::snapshot::{Content, Snapshot};
use preflight_source::archive::{ArchiveBytes, ArchiveOptions, Edge, Opened};
use preflight_source::{Archive, BoxFuture, Cost, Error, Limits, collect};

use crate::config::origin;
use crate::snapshot::whole;

/// Any bytes as an archive, under the name that they suggest: every file that is listed lies inside, once,
/// and what was read of it is no more than its size.
pub fn archive(bytes: &[u8]) {
    let name = match bytes {
        [b'P', b'K', ..] => "model.zip",
        [0x1f, 0x8b, ..] => "model.tar.gz",
        _ => "model.tar",
    };
    if let Some(snapshot) = read(name, bytes) {
        lies_inside(&snapshot);
        whole(&snapshot);
    }
}

fn read(name: &str, bytes: &[u8]) -> Option<Snapshot> {
    let archive = Archive::new(
        Box::new(Memory(bytes.to_vec().into())),
        origin(),
        name,
        Validity::NoAddress,
        &ArchiveOptions::default(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime without threads");
    let collected = runtime.block_on(collect(&archive, &Limits::default()));
    collected.ok().map(|collected| collected.snapshot)
}

fn lies_inside(snapshot: &Snapshot) {
    let files = snapshot.files.known().map_or(&[][..], Vec::as_slice);
    for pair in files.windows(2) {
        assert!(pair[0].path < pair[1].path, "sorted, each once");
    }
    for file in files {
        let mut parts = file.path.split('/');
        assert!(
            parts.all(|part| !matches!(part, "" | "." | "..")),
            "`{}` leads elsewhere",
            file.path
        );
        let read = match &file.content {
            Content::Whole(bytes) | Content::Prefix(bytes) => bytes.len() as u64,
            _ => 0,
        };
        assert!(file.size.is_none_or(|size| read <= size));
        if let Content::Whole(_) = file.content {
            assert_eq!(file.size, Some(read));
        }
    }
}

/// An archive in memory.
#[derive(Debug)]
struct Memory(bytes::Bytes);

impl ArchiveBytes for Memory {
    fn open(&self, edge: Edge, length: u64) -> BoxFuture<'_, Result<Opened, Error>> {
        let size = self.0.len() as u64;
        let range = edge.range(size, length);
        let opened = Opened {
            size: Some(size),
            offset: range.start,
            bytes: self.slice(&range),
        };
        Box::pin(std::future::ready(Ok(opened)))
    }

    fn read_at(&self, range: Range<u64>) -> BoxFuture<'_, Result<bytes::Bytes, Error>> {
        assert!(range.start < range.end && range.end <= self.0.len() as u64);
        Box::pin(std::future::ready(Ok(self.slice(&range))))
    }

    fn cost(&self) -> Cost {
        Cost::default()
    }

    fn is_remote(&self) -> bool {
        false
    }
}

impl Memory {
    fn slice(&self, range: &Range<u64>) -> bytes::Bytes {
        let at = |offset| usize::try_from(offset).expect("within memory");
        self.0.slice(at(range.start)..at(range.end))
    }
}
