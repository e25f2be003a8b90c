//! The listing: one answer, or as many pages as there are.

use loopback_hub::{Fault, Repo, Route, Rule};
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

/// [`model`] with so many files in all.
fn many(files: usize) -> Repo {
    (4..files).fold(model(ID), |repo, number| {
        repo.file(&format!("checkpoints/step-{number:05}.txt"), "x")
    })
}

#[test]
fn more_than_a_thousand_files_are_all_listed() {
    for (files, pages) in [(999, 0), (1000, 2), (2349, 0), (3000, 4)] {
        let hub = hub_with(many(files));
        let (collected, _) = look(ID, None, &options(&hub));
        assert!(is_whole(&collected.snapshot));
        assert_eq!(paths(&collected.snapshot).len(), files);
        assert!(paths(&collected.snapshot).is_sorted());
        // The folder `checkpoints` is an entry of its own.
        assert_eq!(sent(&hub.log(), Route::Tree).len(), pages, "{files} files");
    }
}

#[test]
fn a_page_that_cannot_be_had_leaves_the_listing_unknown() {
    let hub = hub_with(many(2000));
    hub.inject(Rule::new(Fault::Status(500)).on(Route::Tree).after(1));
    let snapshot = snapshot(&hub);
    let Fact::Unavailable(why) = &snapshot.files else {
        panic!("{:?}", snapshot.files.known().map(Vec::len));
    };
    assert!(why.contains("answers 500"), "{why}");
}
