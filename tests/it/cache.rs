//! The cache of recordings as a user meets it.

use std::fs;
use std::path::Path;

use loopback_hub::LoopbackHub;
use serde_json::Value;

use crate::hub::{self, PASS};
use crate::program::{Answer, Program, without_times};

/// `check` of the two models of the hub with a cache in `dir`, and the requests that it took.
fn check(hub: &LoopbackHub, dir: &Path, args: &[&str]) -> (Answer, usize) {
    hub.take_log();
    let answer = hub::program(hub)
        .args(["acme/one", "acme/two"])
        .args(args)
        .env("BYOM_PREFLIGHT_CACHE", dir.to_str().unwrap())
        .run();
    (answer, hub.take_log().len())
}

fn cache(dir: &Path, args: &[&str]) -> Answer {
    let program = Program::new().arg("cache").args(args);
    program
        .env("BYOM_PREFLIGHT_CACHE", dir.to_str().unwrap())
        .run()
}

#[test]
fn the_second_run_gives_the_same_report_for_one_request_a_model() {
    let hub = hub::hub();
    let dir = tempfile::tempdir().unwrap();
    let json = ["--format", "json"];
    let without_cost = |answer: &Answer| {
        let mut report = without_times(answer.json());
        for model in report["models"].as_array_mut().unwrap() {
            model["cost"] = Value::Null;
        }
        report
    };
    let (first, many) = check(&hub, dir.path(), &json);
    assert_eq!(first.code, PASS, "{first:#?}");
    let (second, requests) = check(&hub, dir.path(), &json);
    assert_eq!(requests, 2);
    assert_eq!(without_cost(&first), without_cost(&second));
    for model in second.json()["models"].as_array().unwrap() {
        assert_eq!(model["cost"]["requests"], 1);
        assert_eq!(model["model"]["source"], "hub");
    }
    // Nothing of it without the network, where nobody says who may look and what is current.
    let (offline, requests) = check(&hub, dir.path(), &["--offline"]);
    assert_eq!((offline.code, requests), (hub::UNDECIDED, 0));
    let (anew, requests) = check(&hub, dir.path(), &["--no-cache"]);
    // How many are sent before the listing has answered depends on the time that takes.
    assert!(
        anew.code == PASS && requests > 10 && many > 10,
        "{requests}, {many}"
    );
    // A recording of a model that is kept is as any other.
    let to = dir.path().join("saved");
    let record = Program::new()
        .args(["record", "acme/one", "-o"])
        .arg(&to)
        .env("HF_ENDPOINT", &hub.endpoint())
        .env("BYOM_PREFLIGHT_CACHE", dir.path().to_str().unwrap())
        .run();
    assert_eq!(record.code, PASS, "{record:#?}");
    crate::program::check([&to]).says(PASS, "acme/one");
}

#[test]
fn it_is_shown_and_cleared() {
    let hub = hub::hub();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine"), "").unwrap();
    let place = dir.path().join("recordings-1").display().to_string();
    cache(dir.path(), &[]).says(
        0,
        &format!("{place}: 0 recordings, 0.0 MB of at most 1000.0 MB"),
    );
    check(&hub, dir.path(), &[]);
    cache(dir.path(), &[]).says(0, &format!("{place}: 2 recordings, 0.1 MB of at most"));
    let cleared = cache(dir.path(), &["clear"]);
    assert_eq!((cleared.code, cleared.stdout.as_str()), (0, ""));
    assert_eq!(cleared.stderr, "removed 2 recordings, 0.1 MB\n");
    let left = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["mine"]);
    assert!(check(&hub, dir.path(), &[]).1 > 2);
}

#[test]
fn its_size_can_be_set() {
    let hub = hub::hub();
    let dir = tempfile::tempdir().unwrap();
    let run = |size: &str| {
        let run = hub::program(&hub).args(["acme/one", "acme/two"]);
        run.env("BYOM_PREFLIGHT_CACHE", dir.path().to_str().unwrap())
            .env("BYOM_PREFLIGHT_CACHE_SIZE", size)
            .run()
    };
    let nothing_is_kept = || !dir.path().join("recordings-1").exists();
    assert_eq!(run("0").code, PASS);
    assert!(nothing_is_kept());
    run("much").complains(
        2,
        "error: `BYOM_PREFLIGHT_CACHE_SIZE` is no size: write a number and a unit, such as 2GB",
    );
    assert_eq!(run("10MB").code, PASS);
    assert!(!nothing_is_kept());
    // The user's folder for caches, where nothing else is said.
    let home = tempfile::tempdir().unwrap();
    let answer = hub::program(&hub)
        .args(["acme/one"])
        .env("HOME", home.path().to_str().unwrap())
        .run();
    assert_eq!(answer.code, PASS);
    assert!(
        home.path()
            .join(".cache/byom-preflight/recordings-1")
            .is_dir()
    );
    // A relative one would be another folder everywhere, and in the model's own.
    for (name, value) in [("XDG_CACHE_HOME", "caches"), ("HOME", "home")] {
        let answer = hub::program(&hub)
            .args(["acme/one"])
            .env(name, value)
            .inside(dir.path())
            .run();
        assert_eq!(answer.code, PASS);
        assert!(!dir.path().join(value).exists(), "{name}");
    }
}
