//! What is asked for before the listing has answered.

use std::time::Duration;

use loopback_hub::{Fault, LoopbackHub, Repo, Route, Rule};
use preflight_model::snapshot::{Content, Snapshot};

use crate::common::{content, shard};
use crate::{CONFIG, ID, hub_with, look, options, snapshot};

/// A model of one weight file, with all the small files that are asked for early.
fn single(header: usize) -> Repo {
    Repo::model(ID)
        .file("config.json", CONFIG)
        .file("generation_config.json", "{}")
        .file("special_tokens_map.json", "{}")
        .file("tokenizer.json", "{}")
        .file("tokenizer_config.json", "{}")
        .file("model.safetensors", shard(header))
}

fn is_right(snapshot: &Snapshot, header: usize) -> bool {
    *content(snapshot, "config.json") == Content::Whole(CONFIG.into())
        && *content(snapshot, "tokenizer_config.json") == Content::Whole("{}".into())
        && *content(snapshot, "model.safetensors")
            == Content::Prefix(shard(header)[..header].to_vec())
}

/// Requests for a file at `main`, and at the commit.
fn asked(hub: &LoopbackHub, file: &str) -> (usize, usize) {
    let log = hub.take_log();
    let of_file = log
        .iter()
        .filter(|seen| seen.route == Route::Resolve && seen.file.as_deref() == Some(file));
    let (early, late): (Vec<_>, Vec<_>) =
        of_file.partition(|seen| seen.path.contains("/resolve/main/"));
    (early.len(), late.len())
}

#[test]
fn a_model_of_one_file_is_not_asked_for_again() {
    let hub = hub_with(single(300));
    assert!(is_right(&snapshot(&hub), 300));
    let log = hub.take_log();
    assert!(
        log.iter()
            .all(|seen| !seen.path.contains("/resolve/") || seen.path.contains("/resolve/main/"))
    );
    // One for the listing, one for the index that is not there; for each file one at the hub and one where
    // it leads.
    assert_eq!(log.len(), 1 + 1 + 2 * 6);
}

/// A model of two shards, of which the first has nine tenths of the tensors and so the longer header.
fn uneven(long: usize, short: usize) -> Repo {
    let entry = |number: usize| {
        let shard = usize::from(number > 90);
        format!(r#""model.layers.{number:02}.mlp.down_proj.weight": "model-{shard}.safetensors""#)
    };
    let entries: Vec<String> = (0..100).map(entry).collect();
    let index = format!(
        r#"{{"metadata": {{}}, "weight_map": {{{}}}}}"#,
        entries.join(", ")
    );
    Repo::model(ID)
        .file("config.json", CONFIG)
        .file("model.safetensors.index.json", index)
        .file("model-0.safetensors", shard(long))
        .file("model-1.safetensors", shard(short))
}

#[test]
fn the_index_is_asked_for_early_and_sizes_the_read_of_each_shard() {
    let hub = hub_with(uneven(10_000, 1000));
    let found = snapshot(&hub);
    for (path, end) in [
        ("model-0.safetensors", 10_000),
        ("model-1.safetensors", 1000),
    ] {
        assert_eq!(
            *content(&found, path),
            Content::Prefix(shard(end)[..end].to_vec())
        );
    }
    let log = hub.take_log();
    let ranges: Vec<_> = log
        .iter()
        .filter(|seen| seen.route == Route::Cdn)
        .map(|seen| seen.bytes)
        .collect();
    assert_eq!(ranges.len(), 2, "one of each shard");
    let (least, most) = (ranges.iter().min(), ranges.iter().max());
    assert!(
        least < Some(&1500) && most >= Some(&10_000),
        "each as long as its tensors ask for: {ranges:?}"
    );
    let of_index = log.iter().filter(|seen| seen.path.ends_with("index.json"));
    let late = |seen: &&loopback_hub::Seen| !seen.path.contains("/resolve/main/");
    assert_eq!(
        of_index.filter(late).count(),
        1,
        "only where the early request was led"
    );
}

#[test]
fn a_shard_is_asked_for_once_and_then_where_it_lies() {
    let hub = hub_with(uneven(10_000, 1000));
    snapshot(&hub);
    let log = hub.take_log();
    for shard in ["model-0.safetensors", "model-1.safetensors"] {
        let asked = log
            .iter()
            .filter(|seen| seen.file.as_deref() == Some(shard))
            .map(|seen| seen.route);
        assert_eq!(asked.collect::<Vec<_>>(), [Route::Resolve, Route::Cdn]);
    }
}

#[test]
fn a_place_that_is_not_that_of_the_commit_is_not_gone_to() {
    let hub = hub_with(uneven(10_000, 1000));
    // An index that is there with the listing leaves nothing to do ahead.
    let late = Fault::Late(Duration::from_millis(300));
    hub.inject(Rule::new(late).file("model.safetensors.index.json"));
    let rule = Rule::new(Fault::OtherCommit).on(Route::Resolve);
    hub.inject(rule.file("model-0.safetensors").times(1));
    let found = snapshot(&hub);
    assert_eq!(
        *content(&found, "model-0.safetensors"),
        Content::Prefix(shard(10_000)[..10_000].to_vec())
    );
    assert_eq!(asked(&hub, "model-0.safetensors"), (0, 2), "asked anew");
}

#[test]
fn a_longer_header_is_read_on_from_the_same_place() {
    let hub = hub_with(single(100_000));
    assert!(is_right(&snapshot(&hub), 100_000));
    assert_eq!(asked(&hub, "model.safetensors"), (1, 0));
}

#[test]
fn what_is_of_another_commit_is_read_again() {
    // The rule for the weights meets the index too, which is asked for at the same time.
    for (file, header, times) in [("config.json", 300, 1), ("model.safetensors", 300, 2)] {
        let hub = hub_with(single(header));
        let rule = Rule::new(Fault::OtherCommit).on(Route::Resolve).file(file);
        // A redirect to the cache tells the commit again, with another address.
        hub.inject(rule.times(times));
        assert!(is_right(&snapshot(&hub), header), "{file}");
        assert_eq!(asked(&hub, file), (1, 1), "{file}");
    }
}

#[test]
fn what_is_of_another_size_is_read_again() {
    let hub = hub_with(single(300));
    hub.inject(Rule::new(Fault::OtherSize).on(Route::Cdn).times(1));
    assert!(is_right(&snapshot(&hub), 300));
    assert_eq!(asked(&hub, "model.safetensors"), (1, 1));
}

#[test]
fn a_page_in_the_place_of_a_file_is_not_taken_for_it() {
    let hub = hub_with(single(300));
    hub.inject(Rule::new(Fault::HtmlPage).on(Route::Resolve).times(5));
    assert!(is_right(&snapshot(&hub), 300));
}

#[test]
fn files_that_are_not_there_do_no_harm() {
    let hub = hub_with(Repo::model(ID).file("README.md", "x"));
    let (collected, _) = look(ID, None, &options(&hub));
    assert_eq!(collected.snapshot.files.known().unwrap().len(), 1);
    assert_eq!(collected.cost.requests, 8);
}
