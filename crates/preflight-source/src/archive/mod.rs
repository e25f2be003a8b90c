//! One archive as a [`Source`](crate::Source): a local file, a URL, an object in S3.

mod bytes;

pub use bytes::{ArchiveBytes, Edge, Opened};
