//! One object of a bucket: an archive.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use preflight_model::container::Validity;
use preflight_model::snapshot::{Access, Origin, SourceKind};
use tokio::sync::OnceCell;

use super::address::Address;
use super::bucket::{Bucket, Door, Entered, Pin};
use super::options::{S3Options, Settings};
use super::transport::Transport;
use crate::archive::{ArchiveBytes, Edge, Opened};
use crate::source::{BoxFuture, Cost, Listing, Source};
use crate::{Archive, ArchiveOptions, Error};

/// The bytes of an object, of the version that was opened.
#[derive(Debug)]
struct Object {
    address: Address,
    settings: Arc<Settings>,
    transport: Arc<Transport>,
    entered: OnceCell<Entered<(Pin, Opened)>>,
}

/// An archive in a bucket as a [`Source`].
#[derive(Debug)]
pub(super) struct S3Archive {
    archive: Archive,
    object: Arc<Object>,
}

impl S3Archive {
    pub(super) fn new(
        address: Address,
        input: &str,
        options: &S3Options,
        archive: &ArchiveOptions,
    ) -> Result<Self, Error> {
        let name = address
            .key
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        let origin = Origin {
            input: input.into(),
            source: SourceKind::S3,
            stands_for: SourceKind::Archive,
            id: Some(address.to_string()),
            revision: None,
            commit: None,
        };
        let object = Arc::new(Object {
            address,
            settings: Arc::new(Settings::new(options)?),
            transport: Arc::new(Transport::new(options)?),
            entered: OnceCell::new(),
        });
        let bytes = Box::new(Shared(Arc::clone(&object)));
        Ok(Self {
            archive: Archive::new(bytes, origin, &name, Validity::NoAddress, archive),
            object,
        })
    }
}

impl Source for S3Archive {
    fn list(&self) -> BoxFuture<'_, Result<Listing, Error>> {
        self.archive.list()
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, Error>> {
        self.archive.read(path, range)
    }

    fn cost(&self) -> Cost {
        self.archive.cost()
    }

    fn is_remote(&self) -> bool {
        self.archive.is_remote()
    }

    fn is_at_hand(&self, path: &str) -> bool {
        self.archive.is_at_hand(path)
    }

    fn notes(&self) -> Vec<String> {
        let of_bucket = self
            .object
            .entered
            .get()
            .map(|entered| entered.notes.clone());
        let mut notes = of_bucket.unwrap_or_default();
        notes.extend(self.archive.notes());
        notes
    }
}

/// The object, held by the archive and by its source.
#[derive(Debug)]
struct Shared(Arc<Object>);

impl Object {
    /// Opened once, at the edge that is asked for first.
    async fn open(&self, edge: Edge, length: u64) -> Result<&Entered<(Pin, Opened)>, Error> {
        let enter = async || {
            let door = Door {
                settings: &self.settings,
                transport: &self.transport,
                address: &self.address,
            };
            let key = &self.address.key;
            let first = |bucket: Arc<Bucket>| {
                let key = key.clone();
                async move { bucket.edge(&key, edge, length).await }
            };
            door.enter(first).await.map_err(|access| {
                let path = self.address.to_string();
                match access {
                    Access::Refused(reason) => Error::Refused { path, reason },
                    Access::Unreachable(reason) => Error::Unavailable { path, reason },
                    Access::Open => Error::NotFound(path),
                }
            })
        };
        self.entered.get_or_try_init(enter).await
    }
}

impl ArchiveBytes for Shared {
    fn open(&self, edge: Edge, length: u64) -> BoxFuture<'_, Result<Opened, Error>> {
        Box::pin(async move {
            let entered = self.0.open(edge, length).await?;
            Ok(entered.first.1.clone())
        })
    }

    fn read_at(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, Error>> {
        Box::pin(async move {
            let path = self.0.address.to_string();
            let Some(entered) = self.0.entered.get() else {
                let reason = "it was not opened".into();
                return Err(Error::Unavailable { path, reason });
            };
            let read = entered
                .bucket
                .read(&self.0.address.key, &entered.first.0, range);
            read.await.map_err(|failed| super::refused(&path, &failed))
        })
    }

    fn cost(&self) -> Cost {
        self.0.transport.cost()
    }

    fn is_remote(&self) -> bool {
        true
    }
}
