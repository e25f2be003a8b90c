//! How archives are read.

use std::time::Duration;

use crate::http::Connections;

/// Most bytes of one archive that are downloaded where the user says nothing. A zip or tar archive takes a
/// megabyte or two; a compressed tar has to be downloaded as far as it goes, which is no matter for an adapter
/// or an embedding model, and for a large model takes hours and, from S3, dollars: about 9 cents a
/// gigabyte (<https://aws.amazon.com/s3/pricing/>).
pub const DOWNLOAD_BYTES_MAX: u64 = 1 << 30;
/// Longest silence of a server, as of the Hub.
const STALL: Duration = Duration::from_secs(20);

/// How archives are read: for how long, and how much.
#[derive(Debug, Clone)]
pub struct ArchiveOptions {
    pub(super) timeout: Duration,
    pub(super) patience: Duration,
    pub(super) stall: Duration,
    pub(super) download_max: u64,
    /// Shared by all archives of a run.
    pub(super) connections: Connections,
}

impl Default for ArchiveOptions {
    fn default() -> Self {
        Self {
            timeout: crate::hub::TIMEOUT,
            patience: Duration::ZERO,
            stall: STALL,
            download_max: DOWNLOAD_BYTES_MAX,
            connections: Connections::default(),
        }
    }
}

impl ArchiveOptions {
    /// With so much time for all requests of one archive together.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With so much waiting for limits on requests, for each model, that is not taken from its time. At first there is
    /// none: a limit that takes longer than the time of the model ends its check.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The host that asked all who share these connections to wait, and how long it still does.
    pub fn limit_left(&self) -> Option<(String, Duration)> {
        self.connections.longest_pause()
    }

    /// With so much time in which a server may be silent.
    #[must_use]
    pub fn stall(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    /// With so many bytes that may be downloaded of one archive.
    #[must_use]
    pub fn download_max(mut self, bytes: u64) -> Self {
        self.download_max = bytes;
        self
    }
}
