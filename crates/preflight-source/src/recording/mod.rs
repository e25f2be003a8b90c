//! Recordings: the one stored form of a snapshot. `docs/recording.md` describes the format.

mod cache;
mod container;
mod document;
mod read;
mod write;

pub use cache::{BYTES_MAX as CACHE_BYTES_MAX, Entry, RecordingCache, Usage};
pub use document::FORMAT_VERSION;
pub use read::Recording;
pub use write::write;

/// The file that makes a folder a recording.
pub const RECORDING_JSON: &str = "recording.json";
/// Where the recording of an adapter's base lies.
const BASE: &str = "base";
/// Most bytes of `recording.json`: some 100 000 files.
const RECORDING_JSON_BYTES_MAX: u64 = 32 << 20;
/// Headers longer than this are stored compressed: they shrink to a tenth, and nobody reads them.
const PLAIN_HEADER_BYTES_MAX: usize = 16 << 10;
/// Whole files longer than this are stored compressed: weight indexes, and hardly anything else.
const PLAIN_FILE_BYTES_MAX: usize = 64 << 10;
/// What the name of a compressed file ends with.
const GZIP_ENDING: &str = ".gz";
