//! Every way in which a network can fail.

use std::time::{Duration, Instant};

use loopback_hub::{Fault, Host, LoopbackHub, Route, Rule};
use preflight_model::snapshot::{Access, Content, Snapshot};
use preflight_source::{Hub, Source as _};

use crate::common::{reason, run};
use crate::{
    ID, LONG_HEADER, hub_with, is_whole, look, model, options, sent, snapshot, unreachable,
};

/// Requests that a check sends together with that for the listing.
const EARLY: u64 = 7;

/// What asking again gets over.
fn passing() -> Vec<Fault> {
    let statuses = [408, 429, 500, 502, 503, 504].map(Fault::Status);
    let others = [
        Fault::RetryAfter(0),
        Fault::RateLimited(0),
        Fault::Reset,
        Fault::Stall,
        Fault::StallBody,
        Fault::Truncate,
    ];
    statuses.into_iter().chain(others).collect()
}

#[test]
fn what_passes_is_got_over_on_every_route() {
    std::thread::scope(|scope| {
        for route in [Route::Info, Route::Resolve, Route::Cdn] {
            for fault in passing() {
                scope.spawn(move || {
                    let hub = hub_with(model(ID));
                    hub.inject(Rule::new(fault.clone()).on(route).times(2));
                    let (collected, _) = look(ID, None, &options(&hub));
                    assert!(is_whole(&collected.snapshot), "{fault:?} on {route:?}");
                    let log = hub.log();
                    assert!(
                        log.iter().any(|seen| seen.fault.is_some()),
                        "{fault:?} on {route:?}"
                    );
                    // An early request that is given up was counted, and may not have got there.
                    let came = log.len() as u64;
                    let counted = collected.cost.requests;
                    assert!(
                        (came..=came + EARLY).contains(&counted),
                        "{fault:?} on {route:?}: {counted} counted, {came} came"
                    );
                });
            }
        }
    });
}

#[test]
fn a_file_that_fails_for_good_is_unavailable_and_the_others_are_read() {
    let hub = hub_with(model(ID));
    hub.inject(Rule::new(Fault::Status(503)).file("model-1"));
    let snapshot = snapshot(&hub);
    assert!(reason(&snapshot, "model-1.safetensors").contains("answers 503"));
    assert!(matches!(
        snapshot.file("model-2.safetensors").unwrap().content,
        Content::Prefix(ref header) if header.len() == LONG_HEADER
    ));
    let tries = hub
        .log()
        .iter()
        .filter(|seen| seen.file.as_deref() == Some("model-1.safetensors"))
        .count();
    assert_eq!(tries, 5);
}

/// The reason why the shard `model-1` is not read, where every answer of the storage has the fault.
fn reason_of(fault: Fault) -> (String, LoopbackHub) {
    let hub = hub_with(model(ID).sparse("model-1.safetensors", crate::common::shard(300), 3 << 30));
    hub.inject(Rule::new(fault).on(Route::Cdn).file("model-1"));
    let snapshot = snapshot(&hub);
    (reason(&snapshot, "model-1.safetensors").to_owned(), hub)
}

#[test]
fn a_server_that_ignores_ranges_is_an_error_and_not_a_download() {
    let (why, hub) = reason_of(Fault::IgnoreRange);
    assert!(
        why.ends_with("it ignores ranges and sends the whole file"),
        "{why}"
    );
    let (collected, _) = look(ID, None, &options(&hub));
    assert!(
        collected.cost.bytes < 1 << 20,
        "{} bytes",
        collected.cost.bytes
    );
}

#[test]
fn what_no_answer_may_do_is_said() {
    for (fault, says) in [
        (
            Fault::Gzip,
            "it sends `gzip` although nothing but `identity` was asked for",
        ),
        (
            Fault::WrongContentRange,
            "bytes 0-49151 were asked for, it sends 1-49152",
        ),
        (
            Fault::ShorterRange,
            "bytes 0-49151 were asked for, it sends 0-",
        ),
        (
            Fault::OtherSize,
            "it changed while it was read: 3221225472 bytes were listed, now it has",
        ),
        (Fault::ExpiredUrl, "answers 403"),
        (
            Fault::HtmlPage,
            "it ignores ranges and sends the whole file",
        ),
        (Fault::Status(404), "answers 404"),
    ] {
        let (why, _) = reason_of(fault.clone());
        assert!(why.contains(says), "{fault:?}: {why}");
        assert!(
            !why.contains("http://") && !why.contains("ignature"),
            "no address: {why}"
        );
    }
}

#[test]
fn an_address_that_expires_between_two_ranges_is_asked_for_again() {
    let hub = hub_with(model(ID));
    hub.inject(
        Rule::new(Fault::ExpiredUrl)
            .on(Route::Cdn)
            .file("model-2")
            .after(1)
            .times(1),
    );
    assert!(is_whole(&snapshot(&hub)));
    let log = hub.log();
    let of = |route| {
        let seen = sent(&log, route);
        seen.iter()
            .filter(|seen| seen.file.as_deref() == Some("model-2.safetensors"))
            .count()
    };
    assert_eq!((of(Route::Resolve), of(Route::Cdn)), (2, 3));
}

#[test]
fn a_file_that_changes_under_us_is_unavailable() {
    for (rule, says) in [
        (
            Rule::new(Fault::OtherEtag).on(Route::Cdn).after(1),
            "another checksum",
        ),
        (
            Rule::new(Fault::OtherSize).on(Route::Cdn).after(1),
            "bytes were listed",
        ),
        (Rule::new(Fault::OtherCommit).on(Route::Resolve), "commit"),
        (
            Rule::new(Fault::OtherEtag).on(Route::Resolve),
            "another checksum",
        ),
    ] {
        let hub = hub_with(model(ID));
        hub.inject(rule.file("model-2"));
        let snapshot = snapshot(&hub);
        let why = reason(&snapshot, "model-2.safetensors");
        assert!(
            why.starts_with("it changed while it was read: ") && why.contains(says),
            "{why}"
        );
        assert!(matches!(
            snapshot.file("model-1.safetensors").unwrap().content,
            Content::Prefix(_)
        ));
    }
}

#[test]
fn two_ranges_of_one_file_have_one_validator() {
    let hub = hub_with(model(ID));
    let source = Hub::new(ID, None, ID, &options(&hub)).unwrap();
    let read = |range| run(source.read("README.md", range));
    assert_eq!(read(0..3).unwrap(), "# A");
    hub.inject(Rule::new(Fault::OtherEtag).file("README").times(3));
    assert_eq!(
        read(3..6).unwrap_err().to_string(),
        "`README.md` cannot be read: it changed while it was read: it has another validator (`ETag`) than before"
    );
    hub.heal();
    assert_eq!(read(3..6).unwrap(), " mo");
}

#[test]
fn a_limit_is_waited_for_where_there_is_time() {
    for fault in [Fault::RetryAfter(1), Fault::RateLimited(0)] {
        let hub = hub_with(model(ID));
        hub.inject(Rule::new(fault.clone()).on(Route::Info).times(1));
        let started = Instant::now();
        assert!(is_whole(&snapshot(&hub)), "{fault:?}");
        let took = started.elapsed();
        assert!(
            took >= Duration::from_secs(1) && took < Duration::from_secs(5),
            "{fault:?}: {took:?}"
        );
    }
}

#[test]
fn a_limit_that_lasts_longer_than_the_time_ends_at_once_and_says_so() {
    for fault in [Fault::RetryAfter(100), Fault::RateLimited(99)] {
        let hub = hub_with(model(ID));
        hub.inject(Rule::new(fault).on(Route::Info));
        let started = Instant::now();
        let snapshot = snapshot(&hub);
        assert!(started.elapsed() < Duration::from_secs(2));
        let why = unreachable(&snapshot);
        assert!(
            why.contains("asks to wait 100 s, longer than is left of the 20 s for this model")
                || why.contains("asks to wait 99 s, longer"),
            "{why}"
        );
    }
}

#[test]
fn one_limit_holds_back_all_requests() {
    let hub = hub_with(model(ID));
    hub.inject(
        Rule::new(Fault::RetryAfter(100))
            .on(Route::Resolve)
            .file("model-1"),
    );
    let snapshot = snapshot(&hub);
    assert!(reason(&snapshot, "model-1.safetensors").contains("asks to wait"));
    let refused = hub.log().iter().filter(|seen| seen.fault.is_some()).count();
    assert_eq!(refused, 1);
}

#[test]
fn the_time_for_a_model_is_kept() {
    let hub = hub_with(model(ID));
    hub.inject(Rule::new(Fault::Stall).on(Route::Cdn));
    let options = options(&hub)
        .timeout(Duration::from_secs(2))
        .stall(Duration::from_secs(30));
    let started = Instant::now();
    let snapshot = look(ID, None, &options).0.snapshot;
    let took = started.elapsed();
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_secs(4),
        "{took:?}"
    );
    assert_eq!(
        reason(&snapshot, "model-1.safetensors"),
        "the 2 s for this model are used up"
    );
}

/// Whether a snapshot says nothing wrong of [`model`]: what it says is right, the rest is unknown.
fn is_honest(snapshot: &Snapshot) -> bool {
    let Some(files) = snapshot.files.known() else {
        return matches!(snapshot.access, Access::Unreachable(_) | Access::Open);
    };
    let is_right = |path: &str, bytes: &[u8]| match path {
        "config.json" => bytes == crate::CONFIG.as_bytes(),
        "model-1.safetensors" => bytes == &crate::common::shard(300)[..300],
        "model-2.safetensors" => bytes == &crate::common::shard(LONG_HEADER)[..LONG_HEADER],
        _ => false,
    };
    files.len() == 4
        && files.iter().all(|file| match &file.content {
            Content::Whole(bytes) | Content::Prefix(bytes) => is_right(&file.path, bytes),
            Content::Listed => file.path == "README.md",
            Content::Unavailable(_) => true,
            Content::Pointer | Content::NotRegular(_) => false,
        })
}

#[test]
fn one_request_in_five_failing_in_every_way_never_gives_a_wrong_answer() {
    const RUNS: u64 = 60;
    let whole = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for worker in 0..12 {
            let whole = &whole;
            scope.spawn(move || {
                let hub = hub_with(model(ID));
                for run in 0..RUNS / 12 {
                    hub.heal();
                    hub.set_seed(worker * 1000 + run);
                    hub.inject(Rule::any_of(Fault::every_kind()).probability(0.2));
                    let snapshot = snapshot(&hub);
                    assert!(
                        is_honest(&snapshot),
                        "seed {}: {snapshot:?}",
                        worker * 1000 + run
                    );
                    let is_all_read = snapshot.files.known().is_some_and(|files| {
                        !files
                            .iter()
                            .any(|file| matches!(file.content, Content::Unavailable(_)))
                    });
                    whole.fetch_add(is_all_read.into(), std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    // Not so strict that nothing is ever read.
    let whole = whole.into_inner();
    assert!(whole * 5 >= RUNS, "{whole} of {RUNS} read in full");
}

#[test]
fn no_refusal_is_made_up_from_a_failing_storage() {
    let hub = hub_with(model(ID));
    hub.inject(Rule::new(Fault::Status(401)).on(Route::Cdn));
    let snapshot = snapshot(&hub);
    assert_eq!(snapshot.access, Access::Open);
    assert!(reason(&snapshot, "model-1.safetensors").contains("answers 401"));
    assert!(hub.log().iter().any(|seen| seen.host == Host::Cdn));

    // A bare 401 is not in the Hub's words: a proxy that wants a login says nothing of the repository.
    let hub = hub_with(model(ID));
    hub.inject(Rule::new(Fault::Status(401)).on(Route::Info));
    assert!(unreachable(&crate::snapshot(&hub)).contains("answers 401"));
}
