//! A bucket, in the region where it is and as the one whom it lets in.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::client::ClientOptions;
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore as _, RetryConfig, StaticCredentialProvider,
};
use preflight_model::snapshot::Access;
use reqwest::Url;

use super::address::{Address, FIRST_REGION, bucket_url};
use super::credentials::{Login, Search};
use super::failed::Failed;
use super::options::Settings;
use super::transport::{Connector, Transport};
use crate::archive::{Edge, Opened};
use crate::http::{Problem, bare, host};

/// Most objects under the prefix of one model, and most pages that they come in.
const OBJECTS_MAX: usize = 100_000;
const PAGES_MAX: usize = 1000;

/// A bucket as it is asked.
pub(super) struct Bucket {
    store: AmazonS3,
    host: String,
    region: String,
}

/// Where it is: the store itself holds credentials.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({} in {})", self.host, self.region)
    }
}

/// An object as it was first seen: everything is read of that one.
#[derive(Debug)]
pub(super) struct Pin {
    pub(super) size: u64,
    /// Of the listing; where that names none, of the first answer.
    etag: OnceLock<String>,
}

impl Pin {
    fn of(meta: &ObjectMeta) -> Self {
        let etag = meta
            .e_tag
            .clone()
            .map_or_else(OnceLock::new, OnceLock::from);
        Self {
            size: meta.size,
            etag,
        }
    }

    /// Whether an answer is about another object than this one.
    fn changed(&self, now: &ObjectMeta) -> Option<Problem> {
        if self.size != now.size {
            return Some(Problem::Changed(format!(
                "{} bytes were listed, now it has {}",
                self.size, now.size
            )));
        }
        let now = now.e_tag.as_ref()?;
        let first = self.etag.get_or_init(|| now.clone());
        (bare(first) != bare(now))
            .then(|| Problem::Changed("it has another `ETag` than listed".into()))
    }
}

/// A bucket that let us in, what the first request brought, and what the user should know.
#[derive(Debug)]
pub(super) struct Entered<T> {
    pub(super) bucket: Arc<Bucket>,
    pub(super) first: T,
    pub(super) notes: Vec<String>,
}

/// How to get into the bucket of `address`.
pub(super) struct Door<'a> {
    pub(super) settings: &'a Arc<Settings>,
    pub(super) transport: &'a Arc<Transport>,
    pub(super) address: &'a Address,
}

impl Door<'_> {
    /// Makes the first request: with the credentials there are, in the region that is named, then in the one that the
    /// bucket names, then without credentials, since a public bucket lets in who proves nothing.
    pub(super) async fn enter<T, Asked>(
        &self,
        first: impl Fn(Arc<Bucket>) -> Asked + Send + Sync,
    ) -> Result<Entered<T>, Access>
    where
        T: Send,
        Asked: Future<Output = Result<T, Failed>> + Send,
    {
        let (login, broken) = match Search::new(self.settings, self.transport).run().await {
            Ok(login) => (login, None),
            Err(broken) => (None, Some(broken.0)),
        };
        let mut region = self
            .settings
            .region
            .clone()
            .unwrap_or_else(|| FIRST_REGION.into());
        let mut notes = Vec::new();
        let refusal = match self.ask(&first, login.as_ref(), &mut region).await {
            Ok((bucket, first)) => {
                if login.is_none() {
                    let why = broken.unwrap_or_else(|| "no AWS credentials were found".into());
                    notes.push(format!("{why}: `{}` was asked without", bucket.host));
                }
                return Ok(Entered {
                    bucket,
                    first,
                    notes,
                });
            }
            Err(failed) => failed,
        };
        if let Some(login) = &login
            && refusal.is_denied()
            && let Ok((bucket, first)) = self.ask(&first, None, &mut region).await
        {
            let why = self.denied(&refusal, Some(login), None, &region);
            if let Access::Unreachable(why) | Access::Refused(why) = why {
                notes.push(format!("{why}; it was asked without credentials"));
            }
            return Ok(Entered {
                bucket,
                first,
                notes,
            });
        }
        Err(self.denied(&refusal, login.as_ref(), broken.as_deref(), &region))
    }

    /// One request, and once more in the region that the bucket says it is in.
    async fn ask<T, Asked>(
        &self,
        first: impl Fn(Arc<Bucket>) -> Asked + Send + Sync,
        login: Option<&Login>,
        region: &mut String,
    ) -> Result<(Arc<Bucket>, T), Failed>
    where
        T: Send,
        Asked: Future<Output = Result<T, Failed>> + Send,
    {
        let bucket = Arc::new(self.bucket(login, region)?);
        let failed = match first(Arc::clone(&bucket)).await {
            Ok(value) => return Ok((bucket, value)),
            Err(failed) => failed,
        };
        let named = match &failed.region {
            None if failed.is_other_region() => {
                self.transport.bucket_region(&self.url(region)).await
            }
            named => named.clone(),
        };
        let Some(named) = named.filter(|named| named != region) else {
            return Err(failed);
        };
        *region = named;
        let bucket = Arc::new(self.bucket(login, region)?);
        let value = first(Arc::clone(&bucket)).await?;
        Ok((bucket, value))
    }

    fn url(&self, region: &str) -> String {
        bucket_url(
            &self.address.bucket,
            region,
            self.settings.endpoint.as_ref(),
            self.settings.style,
        )
    }

    fn bucket(&self, login: Option<&Login>, region: &str) -> Result<Bucket, Failed> {
        let url = self.url(region);
        let host = Url::parse(&url).map_or_else(|_| self.address.bucket.clone(), |url| host(&url));
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.address.bucket)
            .with_region(region)
            // The address is whole: `object_store` adds nothing to one that has the bucket in its host.
            .with_virtual_hosted_style_request(true)
            .with_endpoint(url)
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_http_connector(Connector(Arc::clone(self.transport)))
            // The transport tries again, and knows the time that is left.
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })
            .with_request_payer(self.settings.is_payer && login.is_some());
        builder = match login {
            None => builder.with_skip_signature(true),
            Some(login) => {
                builder.with_credentials(Arc::new(StaticCredentialProvider::new(AwsCredential {
                    key_id: login.credential.access_key_id.clone(),
                    secret_key: login.credential.secret_access_key.clone(),
                    token: login.credential.session_token.clone(),
                })))
            }
        };
        let store = builder
            .build()
            .map_err(|error| Failed::from_store(&error, &host))?;
        Ok(Bucket {
            store,
            host,
            region: region.into(),
        })
    }

    /// What a refusal of the first request means. Only a bucket or an object that is not there says something
    /// about the model; all else says that we, now, could not look.
    fn denied(
        &self,
        failed: &Failed,
        login: Option<&Login>,
        broken: Option<&str>,
        region: &str,
    ) -> Access {
        let Address { bucket, .. } = self.address;
        let host = self
            .settings
            .endpoint
            .as_ref()
            .map_or_else(|| "AWS".to_owned(), |url| format!("`{}`", host(url)));
        let whose = login.map_or_else(
            || "no credentials".into(),
            |login| format!("the credentials of {}", login.whose),
        );
        let why = match (failed.code(), failed.status()) {
            (Some("NoSuchBucket"), _) => {
                return Access::Refused(format!("there is no bucket `{bucket}` at {host}"));
            }
            (Some("NoSuchKey"), _) => {
                return Access::Refused(format!("there is no object `{}`", self.address));
            }
            (Some("ExpiredToken" | "TokenRefreshRequired"), _) => {
                format!(
                    "{whose} have expired: log in again (`aws sso login`), or renew the session token"
                )
            }
            (Some("InvalidAccessKeyId"), _) => {
                format!("{host} does not know the access key of {whose}")
            }
            (Some("InvalidToken"), _) => {
                format!("{host} does not accept the session token of {whose}")
            }
            (Some("SignatureDoesNotMatch"), _) => {
                format!(
                    "{host} does not accept the signature: the secret key of {whose} does not belong to its access key"
                )
            }
            (Some("RequestTimeTooSkewed"), _) => skewed(&host, failed.ahead),
            (Some("InvalidObjectState"), _) => {
                format!("`{}` is archived (Glacier): restore it first", self.address)
            }
            _ if failed.is_other_region() => match &failed.region {
                Some(named) => {
                    format!("the bucket `{bucket}` is in the region `{named}`, not in `{region}`")
                }
                None => format!(
                    "the bucket `{bucket}` is not in the region `{region}`: set `AWS_REGION`"
                ),
            },
            (_, Some(401 | 403)) => {
                let needed = if self.address.is_archive {
                    "`s3:GetObject`"
                } else {
                    "`s3:ListBucket` and `s3:GetObject`"
                };
                format!(
                    "`{}` may not be read with {whose} ({}): they need {needed}; where the requester pays, `AWS_REQUEST_PAYER=requester` says that you do",
                    self.address, failed.problem
                )
            }
            _ => failed.problem.to_string(),
        };
        Access::Unreachable(match broken {
            Some(broken) => format!("{why}; {broken}"),
            None => why,
        })
    }
}

fn skewed(host: &str, ahead: Option<i64>) -> String {
    let by = ahead.map_or_else(String::new, |seconds| {
        let side = if seconds < 0 { "ahead" } else { "behind" };
        format!(" (it is {} s {side})", seconds.unsigned_abs())
    });
    format!(
        "{host} refuses requests of another time than its own: set the clock of this machine{by}"
    )
}

impl Bucket {
    /// All objects whose keys start with `prefix`, by the rest of their keys.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<(String, Pin)>, Failed> {
        let mut objects = Vec::new();
        let mut page_token = None;
        for _ in 0..PAGES_MAX {
            let options = PaginatedListOptions {
                page_token: page_token.take(),
                ..PaginatedListOptions::default()
            };
            let asked = Some(prefix).filter(|prefix| !prefix.is_empty());
            let page = self.store.list_paginated(asked, options).await;
            let page = page.map_err(|error| self.failed(&error))?;
            let named = page.result.objects.iter().filter_map(|meta| {
                // Of the prefix itself there may be a mark, an empty object.
                let path = meta.location.as_ref().strip_prefix(prefix)?;
                (!path.is_empty()).then(|| (path.to_owned(), Pin::of(meta)))
            });
            objects.extend(named);
            if objects.len() > OBJECTS_MAX {
                break;
            }
            match page.page_token {
                Some(token) => page_token = Some(token),
                None => return Ok(objects),
            }
        }
        Err(Problem::Broken {
            host: self.host.clone(),
            what: format!("it has more than {OBJECTS_MAX} objects or {PAGES_MAX} pages of them here: give the prefix of one model"),
        }
        .into())
    }

    /// Exactly the bytes of `range` of the object that was pinned. The range is not empty.
    pub(super) async fn read(
        &self,
        key: &str,
        pin: &Pin,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, Failed> {
        let path = Path::parse(key).map_err(|error| self.failed(&error.into()))?;
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: pin.etag.get().cloned(),
            ..GetOptions::default()
        };
        let found = self
            .store
            .get_opts(&path, options)
            .await
            .map_err(|error| self.failed(&error))?;
        if let Some(problem) = pin.changed(&found.meta) {
            return Err(problem.into());
        }
        found.bytes().await.map_err(|error| self.failed(&error))
    }

    /// The bytes at one end of an object that nobody has seen yet, and what holds it fast.
    pub(super) async fn edge(
        &self,
        key: &str,
        edge: Edge,
        length: u64,
    ) -> Result<(Pin, Opened), Failed> {
        if edge == Edge::End {
            match self.first(key, GetRange::Suffix(length)).await {
                Ok(opened) => return Ok(opened),
                // Servers that know no ranges from the end, or none that is longer than the object.
                Err(failed) if matches!(*failed.problem, Problem::Broken { .. }) => {}
                Err(failed) if matches!(failed.status(), Some(400 | 416 | 500 | 501)) => {}
                Err(failed) => return Err(failed),
            }
        }
        let (pin, opened) = match self.first(key, GetRange::Bounded(0..length)).await {
            // Nothing of an empty object can be asked for.
            Err(failed) if failed.status() == Some(416) => {
                let etag = OnceLock::new();
                let bytes = Bytes::new();
                (
                    Pin { size: 0, etag },
                    Opened {
                        size: Some(0),
                        offset: 0,
                        bytes,
                    },
                )
            }
            answer => answer?,
        };
        if edge == Edge::Start || pin.size <= length {
            return Ok((pin, opened));
        }
        let range = edge.range(pin.size, length);
        let offset = range.start;
        let bytes = self.read(key, &pin, range).await?;
        Ok((
            pin,
            Opened {
                offset,
                bytes,
                ..opened
            },
        ))
    }

    async fn first(&self, key: &str, range: GetRange) -> Result<(Pin, Opened), Failed> {
        let path = Path::parse(key).map_err(|error| self.failed(&error.into()))?;
        let options = GetOptions {
            range: Some(range),
            ..GetOptions::default()
        };
        let found = self.store.get_opts(&path, options).await;
        let found = found.map_err(|error| self.failed(&error))?;
        let pin = Pin::of(&found.meta);
        let offset = found.range.start;
        let bytes = found.bytes().await.map_err(|error| self.failed(&error))?;
        let size = Some(pin.size);
        Ok((
            pin,
            Opened {
                size,
                offset,
                bytes,
            },
        ))
    }

    fn failed(&self, error: &object_store::Error) -> Failed {
        Failed::from_store(error, &self.host)
    }
}
