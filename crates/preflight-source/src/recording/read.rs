//! A recording as a source. It comes from somebody else, so nothing in it is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::read::GzDecoder;
use preflight_model::container::Container;
use preflight_model::fact::Fact;
use preflight_model::header::LENGTH_PREFIX_BYTES;
use preflight_model::snapshot::{Access, Origin, SourceKind};
use preflight_model::wanted::INDEX_BYTES_MAX;

use super::container::ContainerRecord;
use super::document::{Document, Encoding, FORMAT, FileRecord, FileState};
use super::{BASE, GZIP_ENDING, RECORDING_JSON, RECORDING_JSON_BYTES_MAX};
use crate::blocking::blocking;
use crate::error::io_reason;
use crate::regular::{Links, Regular, check_range};
use crate::source::{BoxFuture, Cost, FileKind, ListedFile, Listing, Meter, Source};
use crate::{Error, paths};

/// `format` stands this near to the start of `recording.json`.
const FORMAT_WITHIN_BYTES: u64 = 4096;
/// Most bytes that come out of a compressed file: those of the longest index, which is longer than
/// the longest header.
const COMPRESSED_BYTES_MAX: u64 = INDEX_BYTES_MAX;
/// Room that is made at once for what comes out of a compressed file.
const COMPRESSED_BYTES_USUAL: usize = 1 << 16;

/// Most compressed files that are held open between the length of a header and the header, of some 50 KB each.
const BEGUN_MAX: usize = 64;

/// Compressed files of which the length of the header was read. The header comes next, and to inflate them from the
/// start again would cost as much as the header does.
type Begun = Mutex<BTreeMap<String, GzDecoder<File>>>;

/// A recording as a [`Source`].
#[derive(Debug)]
pub struct Recording {
    dir: PathBuf,
    origin: Origin,
    access: Access,
    observed_at: Option<String>,
    listing: Fact<()>,
    container: Fact<Container>,
    base: Fact<()>,
    /// Sorted by path.
    files: Vec<FileRecord>,
    begun: Arc<Begun>,
    meter: Arc<Meter>,
}

impl Recording {
    /// The recording in the folder `dir`, which the user calls `input`; `None` where the folder has
    /// no `recording.json` of ours.
    pub fn open(dir: &Path, input: &str) -> Result<Option<Self>, Error> {
        let malformed = |reason: String| Error::MalformedRecording {
            recording: input.into(),
            reason,
        };
        let Some(text) = read_document(dir).map_err(malformed)? else {
            return Ok(None);
        };
        let document = Document::parse(&text).map_err(malformed)?;
        let recording = Self::new(dir, input, document).map_err(malformed)?;
        recording.meter.count(text.len() as u64);
        Ok(Some(recording))
    }

    fn new(dir: &Path, input: &str, document: Document) -> Result<Self, String> {
        let stands_for = document.stands_for()?;
        Ok(Self {
            dir: dir.into(),
            access: document.access.access()?,
            listing: document.listing.fact("listing", Fact::Known(()))?,
            container: document
                .container
                .map(ContainerRecord::container)
                .transpose()?
                .into(),
            base: document.base.fact("base", Fact::Absent)?,
            origin: Origin {
                input: input.into(),
                source: SourceKind::Recording,
                stands_for,
                id: document.id,
                revision: document.revision,
                commit: document.commit,
            },
            observed_at: document.observed_at,
            files: document.files,
            begun: Arc::default(),
            meter: Arc::default(),
        })
    }

    /// The commit that it is of.
    pub(super) fn commit(&self) -> Option<&str> {
        self.origin.commit.as_deref()
    }

    /// Paths of all the files that the recording consists of.
    pub(super) fn stored_files(&self) -> BTreeSet<PathBuf> {
        let mut stored = BTreeSet::from([self.dir.join(RECORDING_JSON)]);
        stored.extend(
            self.files
                .iter()
                .filter_map(|file| Kept::of(file, &self.dir))
                .map(|kept| kept.at),
        );
        if let Ok(Fact::Known(base)) = self.open_base() {
            stored.extend(base.stored_files());
        }
        stored
    }

    fn open_base(&self) -> Result<Fact<Self>, Error> {
        match &self.base {
            Fact::Known(()) => {
                let dir = self.dir.join(BASE);
                let input = dir.display().to_string();
                let malformed = |reason: &str| Error::MalformedRecording {
                    recording: input.clone(),
                    reason: reason.into(),
                };
                let is_folder = dir.symlink_metadata().is_ok_and(|found| found.is_dir());
                let base = if is_folder {
                    Self::open(&dir, &input)?
                } else {
                    None
                };
                let base = base.ok_or_else(|| malformed("it is missing"))?;
                if !base.base.is_absent() {
                    return Err(malformed("it has a base of its own"));
                }
                Ok(Fact::Known(base))
            }
            other => Ok(other.clone().and_then(|()| Fact::Absent)),
        }
    }

    fn listing(&self) -> Result<Listing, Error> {
        let base = self
            .open_base()?
            .map(|base| Box::new(base) as Box<dyn Source>);
        let files = self
            .listing
            .clone()
            .map(|()| self.files.iter().map(listed).collect());
        Ok(Listing {
            origin: self.origin.clone(),
            access: self.access.clone(),
            observed_at: self.observed_at.clone(),
            files,
            container: self.container.clone(),
            base,
        })
    }

    fn find(&self, path: &str) -> Result<Kept, Error> {
        let not_found = || Error::NotFound(path.into());
        let index = self
            .files
            .binary_search_by(|file| file.path.as_str().cmp(path))
            .map_err(|_| not_found())?;
        let file = self.files.get(index).ok_or_else(not_found)?;
        Kept::of(file, &self.dir).ok_or_else(|| Error::Unavailable {
            path: path.into(),
            reason: "the recording did not keep it".into(),
        })
    }
}

impl Source for Recording {
    fn list(&self) -> BoxFuture<'_, Result<Listing, Error>> {
        Box::pin(std::future::ready(self.listing()))
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, Error>> {
        Box::pin(async move {
            let kept = self.find(path)?;
            let (dir, begun) = (self.dir.clone(), Arc::clone(&self.begun));
            let meter = Arc::clone(&self.meter);
            blocking(path, move || {
                kept.must_be_inside(&dir)?;
                let bytes = kept.read(range, &begun)?;
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

/// `recording.json`, where it is ours.
fn read_document(dir: &Path) -> Result<Option<Vec<u8>>, String> {
    let at = dir.join(RECORDING_JSON);
    // A model may have a file of this name, whatever it is; only ours is judged.
    let Ok(mut file) = Regular::open(&at, Links::Refuse) else {
        return Ok(None);
    };
    let size = file.size;
    let start = file
        .read(&(0..size.min(FORMAT_WITHIN_BYTES)))
        .map_err(|error| io_reason(&error))?;
    let is_ours = start
        .windows(FORMAT.len())
        .any(|window| window == FORMAT.as_bytes());
    if !is_ours {
        return Ok(None);
    }
    if size > RECORDING_JSON_BYTES_MAX {
        return Err(format!(
            "`{RECORDING_JSON}` has {size} bytes, more than the {RECORDING_JSON_BYTES_MAX} that are read"
        ));
    }
    let whole = file.read(&(0..size));
    whole.map(Some).map_err(|error| io_reason(&error))
}

fn listed(file: &FileRecord) -> ListedFile {
    let reason = || {
        file.reason
            .clone()
            .unwrap_or_else(|| "the recording does not say why".into())
    };
    ListedFile {
        path: file.path.clone(),
        size: file.size,
        sha256: file.sha256.clone(),
        kind: match file.state {
            FileState::Listed | FileState::Whole | FileState::Prefix => FileKind::Regular,
            FileState::Pointer => FileKind::Pointer,
            FileState::NotRegular => FileKind::Other(reason()),
            FileState::Unavailable => FileKind::Unavailable(reason()),
        },
    }
}

/// A file of which bytes were kept.
struct Kept {
    at: PathBuf,
    path: String,
    size: Option<u64>,
    is_whole: bool,
    encoding: Option<Encoding>,
}

impl Kept {
    fn of(file: &FileRecord, dir: &Path) -> Option<Self> {
        if !matches!(file.state, FileState::Whole | FileState::Prefix) {
            return None;
        }
        let ending = file.encoding.map_or("", |Encoding::Gzip| GZIP_ENDING);
        Some(Self {
            at: paths::under(dir, &format!("{}{ending}", file.path))?,
            path: file.path.clone(),
            size: file.size,
            is_whole: file.state == FileState::Whole,
            encoding: file.encoding,
        })
    }

    fn unavailable(&self, reason: impl Into<String>) -> Error {
        Error::Unavailable {
            path: self.path.clone(),
            reason: reason.into(),
        }
    }

    /// The folders on the way must be folders: a link among them could lead anywhere.
    fn must_be_inside(&self, dir: &Path) -> Result<(), Error> {
        let between = self
            .at
            .ancestors()
            .skip(1)
            .take_while(|folder| *folder != dir);
        for folder in between {
            let found = folder
                .symlink_metadata()
                .map_err(|error| Error::unavailable(&self.path, &error))?;
            if !found.is_dir() {
                return Err(self.unavailable("a part of its path in the recording is no folder"));
            }
        }
        Ok(())
    }

    fn read(&self, range: Range<u64>, begun: &Begun) -> Result<Bytes, Error> {
        check_range(&self.path, &range, self.size.unwrap_or(u64::MAX))?;
        if self.encoding.is_some() {
            return self.read_compressed(&range, begun);
        }
        let mut file = Regular::open(&self.at, Links::Refuse).map_err(|error| self.lost(&error))?;
        let as_recorded = match self.size {
            Some(size) if self.is_whole => file.size == size,
            Some(size) => file.size <= size,
            None => true,
        };
        if !as_recorded {
            return Err(self.unavailable(format!(
                "the recording holds {} bytes of it, which does not agree with its size of {}",
                file.size,
                self.size.unwrap_or_default()
            )));
        }
        if range.end > file.size {
            return Err(self.not_kept(&range));
        }
        let bytes = file.read(&range);
        bytes
            .map(Bytes::from)
            .map_err(|error| Error::unavailable(&self.path, &error))
    }

    /// Decompresses up to the end of the range, which is bounded by the longest header or index.
    fn read_compressed(&self, range: &Range<u64>, begun: &Begun) -> Result<Bytes, Error> {
        if range.end > COMPRESSED_BYTES_MAX {
            return Err(self.not_kept(range));
        }
        let begun = || begun.lock().unwrap_or_else(PoisonError::into_inner);
        let broken = |error: io::Error| {
            self.unavailable(format!(
                "its compressed form in the recording is broken: {error}"
            ))
        };
        let is_next = range.start == LENGTH_PREFIX_BYTES;
        let next = begun().remove(&self.path).filter(|_| is_next);
        let mut reader = if let Some(next) = next {
            next
        } else {
            let file = Regular::open(&self.at, Links::Refuse).map_err(|error| self.lost(&error))?;
            let mut reader = GzDecoder::new(file.into_file());
            if range.start > 0 {
                io::copy(&mut reader.by_ref().take(range.start), &mut io::sink())
                    .map_err(broken)?;
            }
            reader
        };
        let length = range.end.saturating_sub(range.start);
        // The length is what a header says of itself, so little is believed beforehand.
        let room = usize::try_from(length).map_or(COMPRESSED_BYTES_USUAL, |length| {
            length.min(COMPRESSED_BYTES_USUAL)
        });
        let mut bytes = Vec::with_capacity(room);
        reader
            .by_ref()
            .take(length)
            .read_to_end(&mut bytes)
            .map_err(broken)?;
        if bytes.len() as u64 != length {
            return Err(self.not_kept(range));
        }
        let is_last = self.is_whole && self.size == Some(range.end);
        // Reading on also checks the checksum, which stands at the end.
        if is_last && reader.read(&mut [0]).map_err(broken)? != 0 {
            return Err(self.unavailable(format!(
                "the recording holds more than its {} bytes",
                range.end
            )));
        }
        if *range == (0..LENGTH_PREFIX_BYTES) && !is_last {
            let mut begun = begun();
            if begun.len() < BEGUN_MAX {
                begun.insert(self.path.clone(), reader);
            }
        }
        Ok(bytes.into())
    }

    fn not_kept(&self, range: &Range<u64>) -> Error {
        self.unavailable(format!(
            "the recording does not hold its bytes {} to {}",
            range.start, range.end
        ))
    }

    fn lost(&self, error: &io::Error) -> Error {
        self.unavailable(format!(
            "the recording should hold it: {}",
            io_reason(error)
        ))
    }
}
