//! S3 as a source, against a server on the loopback interface that can fail in every way.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/s3.rs"]
mod server;

mod access;
mod credentials;
mod faults;
mod reading;

use std::time::Duration;

use common::{collect_all, shard};
use preflight_model::snapshot::Access;
use preflight_source::{Collected, S3, S3Options, Source as _};
use server::S3Server;

const PREFIX: &str = "s3://models/org/name/";
const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2"),
];
const CONFIG: &str = r#"{"model_type": "llama"}"#;

/// A model: a small file, a shard and one with a long header.
fn model() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("org/name/README.md", b"# A model".to_vec()),
        ("org/name/config.json", CONFIG.into()),
        ("org/name/model-1.safetensors", shard(300)),
        ("org/name/model-2.safetensors", shard(200_000)),
        ("org/name-2/config.json", b"{}".to_vec()),
    ]
}

/// The server and nothing else: no file and no service of this machine is asked.
fn options<'a>(server: &S3Server, more: &[(&'a str, &'a str)]) -> S3Options {
    let endpoint = server.endpoint();
    let metadata = format!("{endpoint}/metadata");
    let own = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.as_str()),
    ];
    let all = own
        .iter()
        .filter(|(name, _)| more.iter().all(|(other, _)| other != name))
        .chain(more);
    S3Options::of(all.copied())
        .timeout(Duration::from_secs(20))
        .stall(Duration::from_millis(500))
}

/// What a check would read, and what the user is told of how.
fn look(options: &S3Options) -> (Collected, Vec<String>) {
    let source = S3::new(PREFIX, options).unwrap();
    let collected = collect_all(&source);
    (collected, source.notes())
}

/// Why there is nothing to see; whether the place itself says so.
fn closed(options: &S3Options) -> (bool, String) {
    let (collected, _) = look(options);
    assert!(collected.snapshot.files.known().is_none());
    match collected.snapshot.access {
        Access::Refused(why) => (true, why),
        Access::Unreachable(why) => (false, why),
        Access::Open => panic!("it is open"),
    }
}
