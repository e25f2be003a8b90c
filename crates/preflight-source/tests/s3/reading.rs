use preflight_model::fact::Fact;
use preflight_model::snapshot::{Content, SourceKind};

use super::common::{content, paths, run};
use super::server::{Answer, S3Server};
use super::*;

#[test]
fn a_prefix_is_listed_and_read_at_its_objects() {
    let server = S3Server::start(model());
    let (collected, notes) = look(&options(&server, &KEYS));
    let snapshot = &collected.snapshot;
    let expected = [
        "README.md",
        "config.json",
        "model-1.safetensors",
        "model-2.safetensors",
    ];
    assert_eq!(paths(snapshot), expected, "not those of org/name-2/");
    assert_eq!(
        content(snapshot, "config.json"),
        &Content::Whole(CONFIG.into())
    );
    assert!(
        matches!(content(snapshot, "model-2.safetensors"), Content::Prefix(header) if header.len() == 200_000)
    );
    assert_eq!(snapshot.origin.source, SourceKind::S3);
    assert_eq!(snapshot.origin.id.as_deref(), Some("s3://models/org/name"));
    assert!(notes.is_empty(), "{notes:?}");

    let log = server.log();
    assert_eq!(collected.cost.requests, log.len() as u64);
    assert_eq!(
        log.len(),
        5,
        "listing, three files, the rest of a long header"
    );
    for asked in &log {
        assert!(
            asked.is_signed() && asked.region() == Some("us-east-1"),
            "{asked:?}"
        );
        assert!(
            asked.is_list() || asked.header("if-match").is_some(),
            "{asked:?}"
        );
        assert!(
            asked.is_list() || asked.header("range").is_some(),
            "{asked:?}"
        );
        assert_eq!(
            asked.header("x-amz-request-payer"),
            None,
            "nobody pays without saying so"
        );
    }
}

#[test]
fn listings_come_in_pages() {
    let keys: Vec<String> = (0..2500)
        .map(|number| format!("org/name/file-{number:04}"))
        .collect();
    let objects = keys.iter().map(|key| (key.as_str(), vec![b'x']));
    let server = S3Server::start(objects);
    let (collected, _) = look(&options(&server, &KEYS));
    assert_eq!(paths(&collected.snapshot).len(), 2500);
    assert_eq!(collected.cost.requests, 3);
}

#[test]
fn a_listing_without_end_ends() {
    let server = S3Server::with(model(), 1000, |_| {
        Some(Answer::new(
            200,
            "<ListBucketResult><NextContinuationToken>again</NextContinuationToken></ListBucketResult>",
        ))
    });
    let (is_refused, why) = closed(&options(&server, &KEYS));
    assert!(!is_refused && why.contains("1000 pages"), "{why}");
    assert_eq!(server.log().len(), 1000);
}

#[test]
fn odd_keys() {
    let key = "org/name/a #1 é&<+%41.json";
    let objects = [
        ("org/name/", vec![]),
        (key, b"{}".to_vec()),
        ("org/name/sub/", vec![]),
        ("org/name/sub/x", b"x".to_vec()),
        ("org/name/empty", vec![]),
    ];
    let server = S3Server::start(objects);
    let source = S3::new(PREFIX, &options(&server, &KEYS)).unwrap();
    let Fact::Known(files) = run(source.list()).unwrap().files else {
        panic!("no files");
    };
    let found: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        found,
        ["a #1 é&<+%41.json", "empty", "sub/x"],
        "marks of folders are no files"
    );
    assert_eq!(
        &run(source.read("a #1 é&<+%41.json", 0..2)).unwrap()[..],
        b"{}"
    );
    assert_eq!(run(source.read("empty", 0..0)).unwrap().len(), 0);

    let server = S3Server::start([("org/name/a//b", vec![]), ("org/name/config.json", vec![])]);
    let (is_refused, why) = closed(&options(&server, &KEYS));
    assert!(
        !is_refused && why.contains("a key that has an empty part"),
        "{why}"
    );
}

#[test]
fn a_whole_bucket_is_a_prefix_too() {
    let server = S3Server::start([("config.json", CONFIG.into())]);
    let source = S3::new("s3://models/", &options(&server, &KEYS)).unwrap();
    assert_eq!(paths(&collect_all(&source).snapshot), ["config.json"]);
}
