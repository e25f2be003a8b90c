//! The one error of this crate, cut by what a caller can do about it.

/// Why the API could not be asked, or what is wrong with its answer. Holds neither the key nor a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The user has to change the key or the address.
    #[error("{0}")]
    Usage(String),
    /// The API answers with an error.
    #[error("`{host}` answers {status} to `{path}`{message}{hint}")]
    Refused {
        /// Who answered.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        path: &'static str,
        /// ` (its words)`, or nothing.
        message: String,
        /// `; what to do`, or nothing.
        hint: &'static str,
    },
    /// No answer.
    #[error("`{host}` cannot be reached: {why}")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// Refused, reset, stalled, out of time.
        why: String,
    },
    /// An answer that no such API gives.
    #[error("`{host}` gives an odd answer to `{path}`: {what}")]
    Odd {
        /// Who answered.
        host: String,
        /// What was asked for.
        path: &'static str,
        /// What is odd about it.
        what: String,
    },
}

impl Error {
    /// Whether the command line has to change: exit code 2 rather than 3.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_))
    }
}
