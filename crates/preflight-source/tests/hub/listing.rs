//! The listing: one answer, or as many pages as there are.

use loopback_hub::{Fault, Route, Rule};
use preflight_model::fact::Fact;

use crate::common::paths;
use crate::{ID, hub_with, is_whole, look, model, options, sent, snapshot};

#[test]
fn one_request_lists_a_usual_repository() {
    let hub = hub_with(model(ID));
    assert!(is_whole(&snapshot(&hub)));
    let log = hub.log();
    assert_eq!(sent(&log, Route::Info).len(), 1);
    assert!(sent(&log, Route::Tree).is_empty());
    let agent = format!("byom-preflight/{}", env!("CARGO_PKG_VERSION"));
    assert!(log.iter().all(|seen| seen.user_agent == agent));
}

#[test]
fn more_than_a_thousand_files_are_all_listed() {
    let repo = (0..2_345).fold(model(ID), |repo, number| {
        repo.file(&format!("checkpoints/step-{number:05}.txt"), "x")
    });
    let hub = hub_with(repo);
    let (collected, _) = look(ID, None, &options(&hub));
    assert!(is_whole(&collected.snapshot));
    assert_eq!(paths(&collected.snapshot).len(), 2_349);
    assert!(paths(&collected.snapshot).is_sorted());
    assert_eq!(sent(&hub.log(), Route::Tree).len(), 3);
}

#[test]
fn a_page_that_cannot_be_had_leaves_the_listing_unknown() {
    let repo = (0..1_500).fold(model(ID), |repo, number| {
        repo.file(&format!("x/{number}"), "x")
    });
    let hub = hub_with(repo);
    hub.inject(Rule::new(Fault::Status(500)).on(Route::Tree).after(1));
    let snapshot = snapshot(&hub);
    let Fact::Unavailable(why) = &snapshot.files else {
        panic!("{:?}", snapshot.files.known().map(Vec::len));
    };
    assert!(why.contains("answers 500"), "{why}");
}
