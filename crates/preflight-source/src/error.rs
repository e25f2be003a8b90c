//! The one error of this crate, cut by what a caller can do about it.

use std::io;
use std::ops::Range;
use std::path::Path;

/// Why something could not be opened, listed, read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing is there. Correct the argument.
    #[error("no such folder: `{0}`")]
    NoSuchFolder(String),
    /// Something else is there. Correct the argument.
    #[error("`{path}` is {kind}, not a folder")]
    NotAFolder {
        /// As given.
        path: String,
        /// "a file", "a named pipe".
        kind: &'static str,
    },
    /// The argument cannot be understood. Correct it.
    #[error("{0}")]
    Usage(String),
    /// Understood, but for a later version of this program.
    #[error("{what} are not supported by this version: `{input}`")]
    Unsupported {
        /// What it is, plural.
        what: &'static str,
        /// As given, without secrets.
        input: String,
    },
    /// The repository has no such file.
    #[error("there is no file `{0}`")]
    NotFound(String),
    /// More was asked for than the file has: a mistake of the caller, or the file changed.
    #[error("`{path}` ends before byte {}, bytes {} to {} were asked for", .range.end, .range.start, .range.end)]
    OutOfRange {
        /// Path inside the repository.
        path: String,
        /// What was asked for.
        range: Range<u64>,
    },
    /// The place itself says no; asking again does not help.
    #[error("`{path}` is refused: {reason}")]
    Refused {
        /// Path inside the repository.
        path: String,
        /// In its words.
        reason: String,
    },
    /// It could not be read now; another time or another user might.
    #[error("`{path}` cannot be read: {reason}")]
    Unavailable {
        /// Path inside the repository, or of the folder.
        path: String,
        /// What stood in the way.
        reason: String,
    },
    /// A recording that contradicts itself or that this version does not understand.
    #[error("the recording `{recording}` is not valid: {reason}")]
    MalformedRecording {
        /// The folder.
        recording: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A recording could not be written.
    #[error("cannot write the recording `{recording}`: {reason}")]
    Write {
        /// The folder.
        recording: String,
        /// What stood in the way.
        reason: String,
    },
}

impl Error {
    /// Whether the argument has to change: exit code 2 rather than 3.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoSuchFolder(_)
                | Self::NotAFolder { .. }
                | Self::Usage(_)
                | Self::Unsupported { .. }
        )
    }

    /// Why one file could not be read, for a place that names the file already.
    pub(crate) fn reason(self) -> String {
        match self {
            Self::NotFound(_) => "it is listed and not there".into(),
            Self::OutOfRange { range, .. } => format!("it ends before byte {}", range.end),
            Self::Refused { reason, .. } | Self::Unavailable { reason, .. } => reason,
            other => other.to_string(),
        }
    }

    pub(crate) fn unavailable(path: &str, error: &io::Error) -> Self {
        Self::Unavailable {
            path: path.into(),
            reason: io_reason(error),
        }
    }

    pub(crate) fn write(recording: &Path, reason: impl Into<String>) -> Self {
        Self::Write {
            recording: recording.display().to_string(),
            reason: reason.into(),
        }
    }
}

/// The words of an I/O error as a message of ours: "permission denied", without capital and number.
pub(crate) fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    if error.raw_os_error().is_none() {
        return text;
    }
    let words = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}
