//! A prefix of a bucket, at AWS or at any place that speaks the same, as a [`Source`].
//!
//! One request lists it (one more for every thousand objects); everything after it is read by strict ranges, of the
//! very object that was listed (`If-Match`). `docs/s3.md` says what a user should know.
//!
//! # Crates
//!
//! `object_store` signs, follows pages and reads the XML of listings. Its own HTTP client, retries and credentials are
//! not used: the client brings a second TLS library, and the credentials know neither profiles nor SSO, and ask the
//! instance metadata service for three minutes. The requests are sent by `transport`, the credentials come
//! from the providers of `reqsign`, one by one in `credentials`.
//! What `object_store` cannot name, a key with an empty part, `.` or `..`, cannot be read.

mod address;
mod bucket;
mod context;
mod credentials;
mod failed;
mod object;
mod options;
mod profile;
mod transport;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Origin, SourceKind};
use tokio::sync::OnceCell;

pub use options::S3Options;

use crate::http::Problem;
use crate::regular::check_range;
use crate::source::{BoxFuture, Cost, FileKind, ListedFile, Listing, Source};
use crate::{ArchiveOptions, Error};
use address::Address;
use bucket::{Bucket, Door, Pin};
use failed::Failed;
use object::S3Archive;
use options::Settings;
use transport::Transport;

/// A model under a prefix of a bucket.
#[derive(Debug)]
pub struct S3 {
    /// As the user gave it.
    input: String,
    address: Address,
    settings: Arc<Settings>,
    transport: Arc<Transport>,
    found: OnceCell<Found>,
}

/// The answer to the listing.
#[derive(Debug)]
struct Found {
    access: Access,
    /// By their paths; or why they are not known.
    objects: Result<BTreeMap<String, Pin>, String>,
    bucket: Option<Arc<Bucket>>,
    notes: Vec<String>,
}

/// The source for `s3://…`: a prefix, or one archive.
pub fn open(
    input: &str,
    options: &S3Options,
    archive: &ArchiveOptions,
) -> Result<Box<dyn Source>, Error> {
    let address = Address::parse(input)?;
    if address.is_archive {
        return Ok(Box::new(S3Archive::new(address, input, options, archive)?));
    }
    Ok(Box::new(S3::new(input, options)?))
}

impl S3 {
    /// The model at `input`, `s3://bucket/prefix/`. Sends nothing yet.
    pub fn new(input: &str, options: &S3Options) -> Result<Self, Error> {
        Ok(Self {
            input: input.into(),
            address: Address::parse(input)?,
            settings: Arc::new(Settings::new(options)?),
            transport: Arc::new(Transport::new(options)?),
            found: OnceCell::new(),
        })
    }

    async fn found(&self) -> &Found {
        self.found.get_or_init(|| self.find()).await
    }

    async fn find(&self) -> Found {
        let door = Door {
            settings: &self.settings,
            transport: &self.transport,
            address: &self.address,
        };
        let prefix = &self.address.key;
        let list = |bucket: Arc<Bucket>| {
            let prefix = prefix.clone();
            async move { bucket.list(&prefix).await }
        };
        let closed = |access: Access| {
            let why = match &access {
                Access::Refused(why) | Access::Unreachable(why) => why.clone(),
                Access::Open => String::new(),
            };
            Found {
                access,
                objects: Err(why),
                bucket: None,
                notes: Vec::new(),
            }
        };
        match door.enter(list).await {
            Err(access) => closed(access),
            Ok(entered) if entered.first.is_empty() => Found {
                notes: entered.notes,
                ..closed(Access::Refused(format!(
                    "there is no object under `{}`",
                    self.address
                )))
            },
            Ok(entered) => Found {
                access: Access::Open,
                objects: Ok(without_marks(entered.first)),
                bucket: Some(entered.bucket),
                notes: entered.notes,
            },
        }
    }

    async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let found = self.found().await;
        let (Ok(objects), Some(bucket)) = (&found.objects, &found.bucket) else {
            return Err(Error::Unavailable {
                path: path.into(),
                reason: "the objects under the prefix are not known".into(),
            });
        };
        let pin = objects
            .get(path)
            .ok_or_else(|| Error::NotFound(path.into()))?;
        check_range(path, &range, pin.size)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let key = format!("{}{path}", self.address.key);
        bucket
            .read(&key, pin, range)
            .await
            .map_err(|failed| refused(path, &failed))
    }
}

/// The objects that are files. Some tools mark a folder with an empty object of its name.
fn without_marks(listed: Vec<(String, Pin)>) -> BTreeMap<String, Pin> {
    let mut objects: BTreeMap<String, Pin> = listed.into_iter().collect();
    let empty = objects
        .iter()
        .filter(|(_, pin)| pin.size == 0)
        .map(|(path, _)| path.clone());
    let marks: Vec<String> = empty
        .filter(|path| {
            let inside = format!("{path}/");
            objects
                .range(inside.clone()..)
                .next()
                .is_some_and(|(next, _)| next.starts_with(&inside))
        })
        .collect();
    for mark in marks {
        objects.remove(&mark);
    }
    objects
}

/// Why an object was not read.
fn refused(path: &str, failed: &Failed) -> Error {
    let reason = match (failed.code(), failed.status()) {
        (Some("NoSuchKey"), _) => return Error::NotFound(path.into()),
        (_, Some(412)) => {
            Problem::Changed("it is not the object that was listed".into()).to_string()
        }
        (Some("InvalidObjectState"), _) => "it is archived (Glacier): restore it first".into(),
        _ => failed.problem.to_string(),
    };
    Error::Unavailable {
        path: path.into(),
        reason,
    }
}

impl Source for S3 {
    fn list(&self) -> BoxFuture<'_, Result<Listing, Error>> {
        Box::pin(async {
            let found = self.found().await;
            let file = |(path, pin): (&String, &Pin)| ListedFile {
                path: path.clone(),
                size: Some(pin.size),
                sha256: None,
                kind: FileKind::Regular,
            };
            let files = match &found.objects {
                Ok(objects) => Fact::Known(objects.iter().map(file).collect()),
                Err(why) => Fact::Unavailable(why.clone()),
            };
            Ok(Listing {
                origin: Origin {
                    input: self.input.clone(),
                    source: SourceKind::S3,
                    stands_for: SourceKind::S3,
                    id: Some(self.address.to_string().trim_end_matches('/').to_owned()),
                    revision: None,
                    commit: None,
                },
                access: found.access.clone(),
                observed_at: None,
                files,
                container: Fact::Absent,
                base: Fact::Absent,
            })
        })
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, Error>> {
        Box::pin(self.read_range(path, range))
    }

    fn cost(&self) -> Cost {
        self.transport.cost()
    }

    fn notes(&self) -> Vec<String> {
        self.found
            .get()
            .map_or_else(Vec::new, |found| found.notes.clone())
    }
}
