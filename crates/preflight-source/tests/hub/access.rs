//! What the Hub says of a repository that it does not let us read.

use loopback_hub::{Fault, LoopbackHub, Repo, Route, Rule};
use preflight_model::fact::Fact;
use preflight_model::snapshot::SourceKind;

use crate::common::{collect_all, reason};
use crate::{CONFIG, ID, hub_with, is_whole, look, model, options, refused, unreachable};

#[test]
fn every_kind_of_revision_is_read_at_its_commit() {
    let repo = model(ID)
        .branch("dev/x")
        .file("config.json", r#"{"is": "branch"}"#)
        .tag("v1")
        .file("config.json", r#"{"is": "tag"}"#)
        .pull_request(3)
        .file("config.json", r#"{"is": "pull request"}"#);
    let hub = hub_with(repo);
    let of_tag = hub.commit_of(ID, "v1").unwrap();
    for (revision, config) in [
        (None, CONFIG),
        (Some("main"), CONFIG),
        (Some("dev/x"), r#"{"is": "branch"}"#),
        (Some("v1"), r#"{"is": "tag"}"#),
        (Some("refs/pr/3"), r#"{"is": "pull request"}"#),
        (Some(of_tag.as_str()), r#"{"is": "tag"}"#),
    ] {
        hub.take_log();
        let snapshot = look(ID, revision, &options(&hub)).0.snapshot;
        let commit = hub.commit_of(ID, revision.unwrap_or("main")).unwrap();
        assert_eq!(snapshot.origin.commit, Some(commit.clone()));
        assert_eq!(snapshot.origin.revision.as_deref(), revision);
        assert_eq!(snapshot.origin.id.as_deref(), Some(ID));
        assert_eq!(snapshot.origin.source, SourceKind::Hub);
        let content = crate::common::content(&snapshot, "config.json");
        assert_eq!(
            *content,
            preflight_model::snapshot::Content::Whole(config.into()),
            "{revision:?}"
        );
        let log = hub.take_log();
        let weights = log.iter().filter(|seen| seen.path.contains("/model-"));
        let at: Vec<_> = weights
            .filter(|seen| seen.route == Route::Resolve)
            .collect();
        assert!(!at.is_empty());
        for seen in at {
            assert!(
                seen.path.contains(&commit),
                "{} is at the commit",
                seen.path
            );
        }
    }
}

#[test]
fn a_gate_is_told_apart_with_and_without_a_token() {
    let hub = hub_with(model(ID).gated("manual"));
    hub.token("hf_other", "bob", &[]);
    hub.token("hf_granted", "alice", &[ID]);

    let snapshot = look(ID, None, &options(&hub)).0.snapshot;
    let page = format!("{}/{ID}", hub.endpoint());
    assert_eq!(
        refused(&snapshot),
        format!("`{ID}` is gated: accept its terms at {page} and give a token that may read it")
    );
    // What is public of it is known all the same.
    let files = snapshot.files.known().unwrap();
    assert_eq!(files.len(), 4);
    assert!(
        files
            .iter()
            .all(|file| file.size.is_some() && file.sha256.is_none()
                || file.sha256.as_ref().is_some_and(|hex| hex.len() == 64))
    );
    assert!(reason(&snapshot, "config.json").contains("is gated"));

    let other = options(&hub).token("hf_other").unwrap();
    let snapshot = look(ID, None, &other).0.snapshot;
    assert_eq!(
        refused(&snapshot),
        format!("`{ID}` is gated and this token may not read it: ask for access at {page}")
    );

    let granted = options(&hub).token("hf_granted").unwrap();
    assert!(is_whole(&look(ID, None, &granted).0.snapshot));
}

#[test]
fn missing_private_and_disabled() {
    let hub = hub_with(model(ID).private());
    hub.add(model("org/off").disabled());
    hub.token("hf_other", "bob", &[]);
    let anonymous = options(&hub);
    let other = options(&hub).token("hf_other").unwrap();

    for id in [ID, "org/nowhere"] {
        let snapshot = look(id, None, &anonymous).0.snapshot;
        assert_eq!(refused(&snapshot), format!("`{id}` is missing or private"));
        assert!(matches!(snapshot.files, Fact::Unavailable(_)));
        let snapshot = look(id, None, &other).0.snapshot;
        assert_eq!(
            refused(&snapshot),
            format!("`{id}` is not found: it is missing, or private and not for this token")
        );
    }
    let snapshot = look("org/off", None, &anonymous).0.snapshot;
    assert_eq!(refused(&snapshot), "`org/off` is disabled on the Hub");
}

#[test]
fn a_revision_that_is_not_there() {
    let hub = hub_with(model(ID));
    let snapshot = look(ID, Some("v9"), &options(&hub)).0.snapshot;
    assert_eq!(refused(&snapshot), format!("`{ID}` has no revision `v9`"));
}

#[test]
fn a_renamed_repository_is_read_under_its_new_name() {
    let hub = hub_with(model(ID));
    hub.rename("old/name", ID);
    let (collected, notes) = look("old/name", None, &options(&hub));
    assert!(is_whole(&collected.snapshot));
    assert_eq!(collected.snapshot.origin.id.as_deref(), Some(ID));
    assert_eq!(collected.snapshot.origin.input, "old/name");
    assert_eq!(notes, [format!("`old/name` is called `{ID}` now")]);
}

#[test]
fn a_dataset_or_space_of_the_name_is_said() {
    let hub = LoopbackHub::start();
    hub.add(Repo::dataset("org/data").file("README.md", "x"));
    hub.add(Repo::space("org/app").file("app.py", "x"));
    for (id, kind) in [("org/data", "dataset"), ("org/app", "space")] {
        let snapshot = look(id, None, &options(&hub)).0.snapshot;
        assert_eq!(
            refused(&snapshot),
            format!(
                "`{id}` is missing or private; there is a {kind} of this name, and only models are checked"
            )
        );
    }
}

#[test]
fn what_the_hub_does_not_say_itself_is_not_its_word() {
    for (fault, says) in [
        (Fault::Status(404), "answers 404"),
        (Fault::Status(403), "answers 403"),
        (Fault::Status(503), "answers 503"),
        (Fault::HtmlPage, "is not the description of a repository"),
        (Fault::RedirectLoop, "more than 5 redirects"),
        (Fault::RedirectAway, "answers 404"),
        (Fault::Reset, "connection"),
        (Fault::Stall, "it sent nothing for 0.5 s"),
    ] {
        let hub = hub_with(model(ID));
        hub.inject(Rule::new(fault.clone()).on(Route::Info));
        let snapshot = look(ID, None, &options(&hub)).0.snapshot;
        assert!(
            unreachable(&snapshot).contains(says),
            "{fault:?}: {}",
            unreachable(&snapshot)
        );
    }
}

#[test]
fn nobody_listens() {
    let options = {
        let hub = LoopbackHub::start();
        options(&hub)
    };
    let snapshot = look(ID, None, &options).0.snapshot;
    assert!(
        unreachable(&snapshot).contains("connection refused"),
        "{}",
        unreachable(&snapshot)
    );
}

#[test]
fn a_page_of_the_mirror_that_is_asked_names_its_model() {
    let hub = hub_with(model(ID));
    for path in [ID.to_owned(), format!("{ID}/tree/main")] {
        let url = format!("{}/{path}", hub.endpoint());
        let named = preflight_source::ModelRef::from_argument(&url).unwrap();
        let archives = preflight_source::ArchiveOptions::default();
        let no_s3 = || panic!("nothing is on S3");
        let source =
            preflight_source::open(&named, || Ok(options(&hub)), &archives, no_s3).unwrap();
        assert!(is_whole(&collect_all(&*source).snapshot), "{path}");
    }
}
