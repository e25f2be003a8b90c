//! Round trips, ranges and what they cost.

use loopback_hub::{Host, Repo, Route};
use preflight_model::snapshot::Content;
use preflight_source::{Error, Hub, Limits, Source as _, collect};

use crate::common::{content, run, shard};
use crate::{CONFIG, ID, LONG_HEADER, hub_with, is_whole, look, model, options, sent, snapshot};

#[test]
fn the_cost_is_what_was_sent_and_received() {
    let hub = hub_with(model(ID));
    let (collected, _) = look(ID, None, &options(&hub));
    let log = hub.log();
    assert_eq!(collected.cost.requests, log.len() as u64);
    assert_eq!(
        collected.cost.bytes,
        log.iter().map(|seen| seen.bytes).sum::<u64>()
    );
}

#[test]
fn a_second_range_goes_straight_to_where_the_file_is() {
    let hub = hub_with(model(ID));
    assert!(is_whole(&snapshot(&hub)));
    let log = hub.log();
    let of = |route| {
        let mut seen = sent(&log, route);
        seen.retain(|seen| seen.file.as_deref() == Some("model-2.safetensors"));
        seen
    };
    assert_eq!(of(Route::Resolve).len(), 1);
    let ranges: Vec<_> = of(Route::Cdn)
        .iter()
        .map(|seen| seen.range.clone().unwrap())
        .collect();
    let first = 48 << 10;
    assert_eq!(
        ranges,
        [
            format!("bytes=0-{}", first - 1),
            format!("bytes={first}-{}", LONG_HEADER - 1)
        ]
    );
}

#[test]
fn no_byte_of_a_weight_file_is_read_beyond_the_first_range() {
    let repo = (0..5).fold(
        Repo::model(ID).file("config.json", CONFIG),
        |repo, number| {
            repo.sparse(
                &format!("model-{number}.safetensors"),
                shard(70_000),
                5 << 30,
            )
        },
    );
    let hub = hub_with(repo);
    let (collected, _) = look(ID, None, &options(&hub));
    for number in 0..5 {
        let Content::Prefix(header) =
            content(&collected.snapshot, &format!("model-{number}.safetensors"))
        else {
            panic!()
        };
        assert_eq!(header.len(), 70_000);
    }
    let from_storage = hub.log().into_iter().filter(|seen| seen.host == Host::Cdn);
    assert_eq!(from_storage.map(|seen| seen.bytes).sum::<u64>(), 5 * 70_000);
}

#[test]
fn of_a_tokenizer_as_much_as_is_worth_its_bytes() {
    let of = |files: &[(&str, usize)]| {
        let repo = Repo::model(ID).file("config.json", CONFIG);
        let repo = files.iter().fold(repo, |repo, (path, size)| {
            repo.file(path, "x".repeat(*size))
        });
        snapshot(&hub_with(repo))
    };
    let whole = |size: usize| Content::Whole("x".repeat(size).into());
    let small = of(&[("tokenizer.json", 256 << 10), ("tokenizer.model", 100)]);
    assert_eq!(*content(&small, "tokenizer.json"), whole(256 << 10));
    // It goes before the other.
    assert_eq!(*content(&small, "tokenizer.model"), Content::Listed);
    let large = of(&[("tokenizer.json", (256 << 10) + 1)]);
    assert_eq!(
        *content(&large, "tokenizer.json"),
        Content::Prefix("x".repeat(4096).into())
    );
    let other = of(&[
        ("tokenizer.model", 100),
        ("vocab.json", 64 << 10),
        ("merges.txt", 100_000),
    ]);
    assert_eq!(*content(&other, "tokenizer.model"), whole(100));
    assert_eq!(
        *content(&other, "vocab.json"),
        Content::Prefix("x".repeat(512).into())
    );
    assert_eq!(*content(&other, "merges.txt"), Content::Listed);
}

#[test]
fn headers_at_the_edge_of_the_first_range() {
    const EDGE: usize = 48 << 10;
    for (end, ranges) in [(EDGE - 1, 1), (EDGE, 1), (EDGE + 1, 2)] {
        let hub = hub_with(Repo::model(ID).file("config.json", "{}").sparse(
            "model.safetensors",
            shard(end),
            1 << 30,
        ));
        let snapshot = snapshot(&hub);
        assert_eq!(
            *content(&snapshot, "model.safetensors"),
            Content::Prefix(shard(end)[..end].to_vec())
        );
        assert_eq!(
            sent(&hub.log(), Route::Cdn).len(),
            ranges,
            "header of {end} bytes"
        );
    }
}

#[test]
fn connections_are_used_again() {
    let repo = (0..200).fold(
        Repo::model(ID).file("config.json", CONFIG),
        |repo, number| repo.file(&format!("model-{number:03}.safetensors"), shard(300)),
    );
    let hub = hub_with(repo);
    let source = Hub::new(ID, None, ID, &options(&hub)).unwrap();
    let limits = Limits {
        in_flight: 8,
        ..Limits::default()
    };
    let collected = run(collect(&source, &limits)).unwrap();
    assert!(collected.cost.requests > 400);
    // At each of the two hosts one for a request in flight, and those of the first six requests: 22 on a quiet
    // machine. On a busy one, some are opened before another has come back.
    assert!(
        hub.connections() <= 3 * (2 * 8 + 6),
        "{} connections",
        hub.connections()
    );
}

#[test]
fn names_that_need_encoding() {
    let odd = "model ä%20?#+&.safetensors";
    let hub = hub_with(
        Repo::model(ID)
            .file("config.json", CONFIG)
            .file(odd, shard(300)),
    );
    let snapshot = snapshot(&hub);
    assert_eq!(
        *content(&snapshot, odd),
        Content::Prefix(shard(300)[..300].to_vec())
    );
}

#[test]
fn a_read_before_the_listing_lists() {
    let hub = hub_with(model(ID));
    let source = Hub::new(ID, None, ID, &options(&hub)).unwrap();
    assert_eq!(
        run(source.read("config.json", 2..12)).unwrap(),
        &CONFIG[2..12]
    );
    assert!(matches!(
        run(source.read("none", 0..1)),
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        run(source.read("config.json", 0..999)),
        Err(Error::OutOfRange { .. })
    ));
}
