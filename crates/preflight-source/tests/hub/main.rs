//! The Hub as a source, against a hub on the loopback interface that can fail in every way.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod cache;
mod checkout;
mod early;
mod faults;
mod listing;
mod offline;
mod reading;
mod token;

use std::time::Duration;

use common::{collect_all, shard};
use loopback_hub::{LoopbackHub, Repo, Route, Seen};
use preflight_model::snapshot::{Access, Content, Snapshot};
use preflight_source::{Collected, Hub, HubOptions, Source as _};

const ID: &str = "org/name";
const CONFIG: &str = r#"{"model_type": "llama"}"#;
/// Where the header of the long shard ends: beyond the first range of every size.
const LONG_HEADER: usize = 200_000;

/// A repository with a small file, a shard and one with a long header.
fn model(id: &str) -> Repo {
    Repo::model(id)
        .file("README.md", "# A model")
        .file("config.json", CONFIG)
        .file("model-1.safetensors", shard(300))
        .file("model-2.safetensors", shard(LONG_HEADER))
}

fn hub_with(repo: Repo) -> LoopbackHub {
    let hub = LoopbackHub::start();
    hub.add(repo);
    hub
}

fn options(hub: &LoopbackHub) -> HubOptions {
    HubOptions::at(&hub.endpoint())
        .unwrap()
        .timeout(Duration::from_secs(20))
        .stall(Duration::from_millis(500))
}

/// What a check would read of `id`, and what the user is told of how.
fn look(id: &str, revision: Option<&str>, options: &HubOptions) -> (Collected, Vec<String>) {
    let source = Hub::new(id, revision, id, options).unwrap();
    let collected = collect_all(&source);
    (collected, source.notes())
}

fn snapshot(hub: &LoopbackHub) -> Snapshot {
    look(ID, None, &options(hub)).0.snapshot
}

/// Whether all of [`model`] was read.
fn is_whole(snapshot: &Snapshot) -> bool {
    let kept = |path: &str| match &snapshot.file(path).unwrap().content {
        Content::Whole(bytes) | Content::Prefix(bytes) => bytes.clone(),
        other => panic!("`{path}` is {other:?}"),
    };
    snapshot.access == Access::Open
        && kept("config.json") == CONFIG.as_bytes()
        && kept("model-1.safetensors") == shard(300)[..300]
        && kept("model-2.safetensors") == shard(LONG_HEADER)[..LONG_HEADER]
}

/// Why the Hub does not let us look.
fn refused(snapshot: &Snapshot) -> &str {
    match &snapshot.access {
        Access::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

/// Why we could not look.
fn unreachable(snapshot: &Snapshot) -> &str {
    match &snapshot.access {
        Access::Unreachable(why) => why,
        other => panic!("{other:?}"),
    }
}

/// Requests for a route.
fn sent(log: &[Seen], route: Route) -> Vec<&Seen> {
    log.iter().filter(|seen| seen.route == route).collect()
}
