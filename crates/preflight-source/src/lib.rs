//! Where a model comes from. A [`Source`] lists a repository and reads ranges of its files;
//! [`collect`] turns that into the [`Snapshot`](preflight_model::snapshot::Snapshot) that everything
//! else is computed from. The only files and sockets of the project.
//!
//! From what a user types to the verdict:
//!
//! ```
//! use preflight_model::checkpoint::Checkpoint;
//! use preflight_rules::report::{Cost, Target, Verdict};
//! use preflight_rules::{case::Options, evaluate, policy::Policy};
//! use preflight_source::{ArchiveOptions, HubOptions, Limits, ModelRef, S3Options, collect, open};
//!
//! let model = ModelRef::from_argument("../../fixtures/gpt-oss-120b")?;
//! let s3 = || Ok(S3Options::from_environment());
//! let source = open(&model, HubOptions::from_environment, &ArchiveOptions::default(), s3)?;
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! let collected = runtime.block_on(collect(&*source, &Limits::default()))?;
//!
//! let checkpoint = Checkpoint::read(&collected.snapshot);
//! let policy = Policy::load_shipped("together-2025-11")?;
//! let targets = [Target::FineTune];
//! let report = evaluate(&checkpoint, &targets, policy, &Options::default(), Cost::default());
//! assert_eq!(report.verdicts, [(Target::FineTune, Verdict::Fail)]);
//! println!("{}", report.message);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A place that cannot be read is no error where it can be named: the snapshot says so, and the verdict is
//! undecided. `Err` is for what names no model, and for a listing that could not be had.
//! [`memory::Memory`] is a source of bytes that the caller has; a store of one's own implements [`Source`].

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
pub use blocking::reading_in_place;
pub use collect::{Collected, Limits, collect};
pub use error::Error;
pub use folder::Folder;
pub use hub::{Hub, HubOptions};
pub use model_ref::{ModelRef, SecretUrl, masked};
pub use open::open;
pub use recording::{Recording, RecordingCache};
pub use s3::{S3, S3Options};
pub use source::{BoxFuture, Cost, FileKind, ListedFile, Listing, Meter, Source};
