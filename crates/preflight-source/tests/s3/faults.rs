use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::common::reason;
use super::server::{Answer, Asked, S3Server, etag};
use super::*;

fn is_config(asked: &Asked) -> bool {
    asked.path.ends_with("org/name/config.json")
}

/// What is said of config.json where the server answers so.
fn config_fails(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> String {
    let server = S3Server::with(model(), 1000, move |asked| {
        is_config(asked).then(|| answer(asked))
    });
    let (collected, _) = look(&options(&server, &KEYS));
    reason(&collected.snapshot, "config.json").replace(&server.host(), "HOST")
}

#[test]
fn a_range_is_that_range() {
    let whole = |_: &Asked| Answer::new(200, CONFIG).with("ETag", etag(CONFIG.as_bytes()));
    assert_eq!(
        config_fails(whole),
        "`HOST`: it ignores ranges and sends the whole file"
    );
    let other = |_: &Asked| Answer::new(206, "abc").with("Content-Range", "bytes 0-2/23");
    assert_eq!(
        config_fails(other),
        "`HOST`: bytes 0-22 were asked for, it sends 0-2"
    );
    let silent = |_: &Asked| Answer::new(206, CONFIG);
    assert_eq!(
        config_fails(silent),
        "`HOST`: it does not say which range it sends"
    );
    let long = |_: &Asked| {
        Answer::new(206, [CONFIG, "more"].concat()).with("Content-Range", "bytes 0-22/23")
    };
    assert_eq!(
        config_fails(long),
        "`HOST`: its answer is longer than 23 bytes"
    );
    let packed = |_: &Asked| {
        Answer::new(206, CONFIG)
            .with("Content-Range", "bytes 0-22/23")
            .with("Content-Encoding", "gzip")
    };
    assert_eq!(
        config_fails(packed),
        "`HOST`: it sends an encoded answer although only `identity` was asked for"
    );
}

#[test]
fn an_object_that_changes_is_not_judged() {
    let gone_over = |_: &Asked| Answer::error(412, "PreconditionFailed");
    assert_eq!(
        config_fails(gone_over),
        "it changed while it was read: it is not the object that was listed"
    );
    // A server that does not know `If-Match`.
    let sound = |etag: &str, range: &str| {
        Answer::new(206, CONFIG)
            .with("Content-Range", range)
            .with("ETag", etag)
            .with("Last-Modified", "Sun, 22 Nov 2026 06:00:00 GMT")
    };
    let other = move |_: &Asked| sound("\"other\"", "bytes 0-22/23");
    assert_eq!(
        config_fails(other),
        "it changed while it was read: it has another `ETag` than listed"
    );
    let grown = move |_: &Asked| sound(&etag(CONFIG.as_bytes()), "bytes 0-22/24");
    assert_eq!(
        config_fails(grown),
        "it changed while it was read: 23 bytes were listed, now it has 24"
    );
    let gone = |_: &Asked| Answer::error(404, "NoSuchKey");
    assert_eq!(config_fails(gone), "it is listed and not there");
    let frozen = |_: &Asked| Answer::error(403, "InvalidObjectState");
    assert_eq!(
        config_fails(frozen),
        "it is archived (Glacier): restore it first"
    );
}

#[test]
fn what_passes_is_tried_again() {
    let failures = AtomicUsize::new(0);
    let server = S3Server::with(model(), 1000, move |asked| {
        let turn = is_config(asked).then(|| failures.fetch_add(1, Ordering::Relaxed))?;
        match turn {
            0 => Some(Answer::error(503, "SlowDown")),
            1 => Some(Answer::error(500, "InternalError")),
            2 => Some(Answer {
                cut_at: Some(5),
                ..Answer::new(206, CONFIG).with("Content-Range", "bytes 0-22/23")
            }),
            _ => None,
        }
    });
    let (collected, _) = look(&options(&server, &KEYS));
    assert!(matches!(
        super::common::content(&collected.snapshot, "config.json"),
        preflight_model::snapshot::Content::Whole(_)
    ));
    assert_eq!(
        server.log().iter().filter(|asked| is_config(asked)).count(),
        4
    );
    let always = |_: &Asked| Answer::error(503, "SlowDown");
    assert_eq!(
        config_fails(always),
        "`HOST` answers 503 (SlowDown: because)"
    );
}

#[test]
fn who_is_patient_waits_where_s3_asks_for_fewer_requests() {
    let started = Instant::now();
    let server = S3Server::with(model(), 1000, move |_| {
        let is_busy = started.elapsed() < Duration::from_millis(700);
        is_busy.then(|| Answer::error(503, "SlowDown"))
    });
    // Less time for a model than the server is busy.
    let options = options(&server, &KEYS).timeout(Duration::from_millis(500));
    let patient = options.clone().patience(Duration::from_mins(1));
    assert!(closed(&options).1.contains("SlowDown"));
    assert_eq!(look(&patient).0.snapshot.access, Access::Open);
    assert!(patient.limit_left().is_none() && started.elapsed() > Duration::from_secs(1));
}

#[test]
fn odd_answers_to_a_listing() {
    for (body, part) in [
        ("", "not understood"),
        ("<a>", "not understood"),
        ("{}", "not understood"),
    ] {
        let server = S3Server::with(model(), 1000, move |_| Some(Answer::new(200, body)));
        let (is_refused, why) = closed(&options(&server, &KEYS));
        assert!(!is_refused && why.contains(part), "{body}: {why}");
    }
    let server = S3Server::with(model(), 1000, |_| {
        Some(Answer::new(200, vec![b'x'; 9 << 20]))
    });
    let (_, why) = closed(&options(&server, &KEYS));
    assert!(why.contains("longer than 8388608 bytes"), "{why}");
}

#[test]
fn nobody_there() {
    let (is_refused, why) = closed(&S3Options::of([
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        KEYS[0],
        KEYS[1],
    ]));
    assert!(
        !is_refused && why == "`127.0.0.1:1`: connection refused",
        "{why}"
    );
}
