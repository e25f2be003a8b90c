//! Why a header cannot be read.

use super::HEADER_BYTES_MAX;

/// A header that cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderError {
    /// The file is shorter than the length prefix and the header it announces.
    CutShort {
        /// Bytes that the prefix asks for, prefix included.
        needed: u64,
        /// Bytes of the file.
        size: u64,
    },
    /// The announced length is beyond what the reference implementation reads.
    TooLong(u64),
    /// Not JSON, or not of the shape that the format asks for.
    NotAHeader(String),
    /// Beyond a bound of ours, which the reference implementation does not have: it may be sound.
    TooMuch(String),
    /// Only a part of the header was read.
    NotRead,
}

impl std::fmt::Display for HeaderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CutShort { needed, size } => write!(
                f,
                "the file has {size} bytes, its header alone needs {needed}"
            ),
            // Its first bytes are those of <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.
            Self::TooLong(length) if length.to_le_bytes() == *b"version " => f.write_str(
                "the file is a git-lfs pointer, not the weights: `git lfs pull` fetches them",
            ),
            Self::TooLong(length) => write!(
                f,
                "the first 8 bytes announce a header of {length} bytes, more than the {HEADER_BYTES_MAX} that safetensors reads"
            ),
            Self::NotAHeader(why) => write!(f, "the header is not valid: {why}"),
            Self::TooMuch(why) => write!(f, "the header is larger than what is read: {why}"),
            Self::NotRead => write!(f, "the header was read only in part"),
        }
    }
}
