//! What becomes of a check when the hub fails: the same verdict where the fault passes, "undecided" where
//! it stays, in time and without a download.

use std::fs;
use std::time::{Duration, Instant};

use loopback_hub::{Fault, Route, Rule};
use serde_json::json;

use crate::hub::{PASS, UNDECIDED, access, check, hub, model, passes, report};
use crate::program::Program;
use crate::repo::{Repo, SHARDS};

#[test]
fn a_limit_is_waited_for_within_the_budget_only() {
    let hub = hub();
    hub.inject(Rule::new(Fault::RetryAfter(1)).on(Route::Resolve).times(2));
    hub.inject(Rule::new(Fault::RateLimited(1)).on(Route::Info).times(1));
    assert_eq!(check(&hub, &["acme/one"]).code, PASS);
    hub.heal();
    hub.inject(Rule::new(Fault::RateLimited(172)));
    let model = report(&hub, &["acme/one", "--timeout", "5"]);
    assert_eq!(
        model["verdicts"],
        json!({"upload": "undecided", "fine-tune": "undecided"})
    );
    // One second more than the window has left, as the Hub's own client waits.
    assert!(
        access(&model).contains("limits requests and asks to wait 173 s"),
        "{}",
        access(&model)
    );
    assert_eq!(check(&hub, &["acme/one", "--timeout", "5"]).code, UNDECIDED);
}

#[test]
fn a_fault_that_passes_does_not_change_the_verdict() {
    let hub = hub();
    let passing = [408, 429, 500, 502, 503, 504]
        .map(Fault::Status)
        .into_iter();
    let passing = passing.chain([
        Fault::Reset,
        Fault::Truncate,
        Fault::RetryAfter(0),
        Fault::RateLimited(0),
    ]);
    for fault in passing {
        for route in [Route::Info, Route::Resolve, Route::ResolveCache, Route::Cdn] {
            hub.heal();
            hub.inject(Rule::new(fault.clone()).on(route).times(1));
            let answer = check(&hub, &["acme/two"]);
            assert_eq!(answer.code, PASS, "{fault:?} on {route:?}: {answer:#?}");
            let met = hub
                .take_log()
                .iter()
                .filter(|seen| seen.fault.is_some())
                .count();
            assert_eq!(met, 1, "{fault:?} on {route:?} was met");
        }
    }
    hub.heal();
    hub.inject(Rule::new(Fault::ExpiredUrl).times(1));
    assert_eq!(
        check(&hub, &["acme/two"]).code,
        PASS,
        "an address that has expired is asked for again"
    );
}

#[test]
fn a_fault_that_stays_is_undecided() {
    let hub = hub();
    for fault in Fault::every_kind() {
        for route in [Route::Info, Route::Resolve, Route::Cdn] {
            hub.heal();
            hub.take_log();
            hub.inject(Rule::new(fault.clone()).on(route));
            let answer = check(&hub, &["acme/two", "--timeout", "1"]);
            let is_met = hub.take_log().iter().any(|seen| seen.fault.is_some());
            let wanted = if is_met && !is_harmless(&fault, route) {
                UNDECIDED
            } else {
                PASS
            };
            let allowed = [wanted, UNDECIDED];
            assert!(
                allowed.contains(&answer.code),
                "{fault:?} on {route:?}: {answer:#?}"
            );
        }
    }
}

/// What spoils the text of a redirect, which nobody reads, or a validator that nothing was seen of before.
fn is_harmless(fault: &Fault, route: Route) -> bool {
    let is_redirect = route == Route::Resolve;
    match fault {
        Fault::Truncate | Fault::StallBody | Fault::Gzip => is_redirect,
        Fault::OtherEtag => !is_redirect,
        _ => false,
    }
}

#[test]
fn a_server_that_ignores_ranges_costs_no_download() {
    let hub = hub();
    let repo = Repo::sharded();
    let huge = model("acme/huge", &repo);
    let header = fs::read(repo.file(SHARDS[0])).unwrap();
    hub.add(huge.sparse(SHARDS[0], header, 3 << 30));
    hub.inject(Rule::new(Fault::IgnoreRange).on(Route::Cdn));
    let model = report(&hub, &["acme/huge"]);
    assert_ne!(model["verdicts"], passes());
    let bytes = model["cost"]["bytes"].as_u64().unwrap();
    assert!(bytes < 4 << 20, "{bytes} bytes were taken");
}

#[test]
fn a_hub_that_is_not_there_is_undecided() {
    let hub = hub();
    let endpoint = hub.endpoint();
    drop(hub);
    let run = Program::new()
        .args(["check", "acme/one", "--timeout", "3"])
        .env("HF_ENDPOINT", &endpoint);
    let answer = run.env("HF_HOME", "/nonexistent").run();
    assert_eq!(answer.code, UNDECIDED, "{answer:#?}");
}

#[test]
fn a_stalled_hub_is_given_up_in_time() {
    let hub = hub();
    for fault in [Fault::Stall, Fault::StallBody] {
        hub.heal();
        hub.inject(Rule::new(fault));
        let started = Instant::now();
        assert_eq!(check(&hub, &["acme/one", "--timeout", "1"]).code, UNDECIDED);
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
