//! `s3://bucket/prefix/`, and where on the network a bucket is.

use std::fmt;

use object_store::path::Path;
use reqwest::Url;

use crate::Error;
use crate::http::host;
use crate::model_ref::{is_archive, masked};

/// The region that answers for buckets of any region with the name of theirs.
pub(super) const FIRST_REGION: &str = "us-east-1";
/// Longest name of a bucket: that of the oldest ones.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
const BUCKET_BYTES_MAX: usize = 255;
/// Longest name of a region that is believed; those of AWS have about 15 characters.
const REGION_BYTES_MAX: usize = 40;

/// A prefix or an object of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) bucket: String,
    /// What all keys of the model start with: empty, or ending in `/`. Of an archive, its key.
    pub(super) key: String,
    pub(super) is_archive: bool,
}

impl Address {
    /// Understands `s3://bucket/key`, which is not percent-encoded: as the AWS CLI has it.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let usage = |what: String| Err(Error::Usage(format!("`{}` {what}", masked(text))));
        let rest = text.strip_prefix("s3://").unwrap_or(text);
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.starts_with("arn:") {
            return usage(
                "names an access point: give the bucket, or the alias of the access point".into(),
            );
        }
        if !is_bucket(bucket) {
            return usage(format!("names no bucket: `{}` is none", masked(bucket)));
        }
        let is_archive = is_archive(key);
        let key = match key {
            "" => String::new(),
            key if is_archive || key.ends_with('/') => key.to_owned(),
            key => format!("{key}/"),
        };
        if key.starts_with('/') || Path::parse(&key).is_err() {
            return usage("has a part that is empty, `.` or `..`, which is not read".into());
        }
        Ok(Self {
            bucket: bucket.into(),
            key,
            is_archive,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

fn is_bucket(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (3..=BUCKET_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_part)
        && !name.contains("..")
        && name
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a name may be that of a region: it becomes part of a host name.
pub(super) fn is_region(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty()
        && name.len() <= REGION_BYTES_MAX
        && name.bytes().all(is_part)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// How the bucket stands in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// In the path.
    Path,
    /// In the host name.
    Virtual,
}

/// The address of a bucket: at `endpoint`, else at AWS in `region`.
///
/// A bucket with a dot in its name stands in the path: no certificate covers `a.b.s3.amazonaws.com`. So it does at
/// any other endpoint than AWS, whose host names need not cover buckets.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
pub(super) fn bucket_url(
    bucket: &str,
    region: &str,
    endpoint: Option<&Url>,
    style: Option<Style>,
) -> String {
    let is_label =
        !bucket.contains(['.', '_']) && !bucket.bytes().any(|byte| byte.is_ascii_uppercase());
    let usual = if endpoint.is_none() && is_label {
        Style::Virtual
    } else {
        Style::Path
    };
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    let (scheme, place, path) = endpoint.map_or_else(
        || ("https", format!("s3.{region}.{domain}"), ""),
        |url| (url.scheme(), host(url), url.path().trim_end_matches('/')),
    );
    match style.unwrap_or(usual) {
        Style::Virtual => format!("{scheme}://{bucket}.{place}{path}"),
        Style::Path => format!("{scheme}://{place}{path}/{bucket}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> String {
        Address::parse(text).unwrap().key
    }

    #[test]
    fn prefixes_and_archives() {
        assert_eq!(key("s3://models/"), "");
        assert_eq!(key("s3://models/a/b"), "a/b/");
        assert_eq!(key("s3://models/a/b/"), "a/b/");
        assert_eq!(key("s3://models/a #1 é%20/"), "a #1 é%20/");
        let archive = Address::parse("s3://models/a/b.tar.gz").unwrap();
        assert!(archive.is_archive);
        assert_eq!(archive.key, "a/b.tar.gz");
        assert_eq!(archive.to_string(), "s3://models/a/b.tar.gz");
        for wrong in [
            "s3://a/",
            "s3://mod els/x",
            "s3://evil.example@h/x",
            "s3://models//x/",
            "s3://models/a//b/",
            "s3://models/a/../b/",
            "s3://a..b/c/",
            "s3://arn:aws:s3:eu-west-1:1:accesspoint/x/",
        ] {
            assert!(Address::parse(wrong).unwrap_err().is_usage(), "{wrong}");
        }
    }

    #[test]
    fn where_a_bucket_is() {
        let of = |bucket: &str, region: &str, endpoint: Option<&str>, style| {
            let endpoint = endpoint.map(|url| Url::parse(url).unwrap());
            bucket_url(bucket, region, endpoint.as_ref(), style)
        };
        assert_eq!(
            of("models", "eu-west-1", None, None),
            "https://models.s3.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            of("my.models", "eu-west-1", None, None),
            "https://s3.eu-west-1.amazonaws.com/my.models"
        );
        assert_eq!(
            of("models", "cn-north-1", None, None),
            "https://models.s3.cn-north-1.amazonaws.com.cn"
        );
        let minio = Some("http://minio:9000/");
        assert_eq!(
            of("models", "eu-west-1", minio, None),
            "http://minio:9000/models"
        );
        assert_eq!(
            of("models", "eu-west-1", minio, Some(Style::Virtual)),
            "http://models.minio:9000"
        );
        assert_eq!(
            of("models", "x", None, Some(Style::Path)),
            "https://s3.x.amazonaws.com/models"
        );
        assert_eq!(
            of("models", "x", Some("https://h/gate/"), None),
            "https://h/gate/models"
        );
    }

    #[test]
    fn a_region_is_a_word() {
        for good in ["us-east-1", "auto", "garage", "cn-northwest-1"] {
            assert!(is_region(good), "{good}");
        }
        for odd in [
            "",
            "evil.example/",
            "a b",
            "-x",
            "x-",
            "US-EAST-1",
            &"a".repeat(41),
        ] {
            assert!(!is_region(odd), "{odd}");
        }
    }
}
