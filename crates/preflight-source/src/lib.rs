//! Where a model comes from. A [`Source`] lists a repository and reads ranges of its files;
//! [`collect`] turns that into the [`Snapshot`](preflight_model::snapshot::Snapshot) that everything
//! else is computed from. The only files and sockets of the project.

pub mod archive;
mod base;
mod blocking;
mod checkout;
mod collect;
mod error;
mod first_range;
mod folder;
mod http;
pub mod hub;
mod hub_cache;
pub mod memory;
mod model_ref;
mod open;
mod paths;
mod pointer;
pub mod recording;
mod regular;
pub mod s3;
mod source;

pub use archive::{Archive, ArchiveOptions};
pub use base::collect_base;
pub use collect::{Collected, Limits, collect};
pub use error::Error;
pub use folder::Folder;
pub use hub::{Hub, HubOptions};
pub use model_ref::{ModelRef, SecretUrl, masked};
pub use open::open;
pub use recording::{Recording, RecordingCache};
pub use s3::{S3, S3Options};
pub use source::{BoxFuture, Cost, FileKind, ListedFile, Listing, Meter, Source};
