//! `check org/name` against a hub on the loopback interface that answers, and fails, as the real one.

use std::fs;
use std::time::Duration;

use loopback_hub::{Fault, Host, LoopbackHub, Repo as HubRepo, Route, Rule, Seen, folder};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Answer, Program};
use crate::repo::{CONFIG, Repo};

/// Would stand out in any output.
const TOKEN: &str = "hf_SesameOpenSesame";
const PASS: i32 = 0;
const FAIL: i32 = 1;
const UNDECIDED: i32 = 3;

/// A hub with the sound model in one file, `acme/one`, and in shards, `acme/two`.
fn hub() -> LoopbackHub {
    let hub = LoopbackHub::start();
    hub.add(model("acme/one", &Repo::sound()));
    hub.add(model("acme/two", &Repo::sharded()));
    hub
}

fn model(id: &str, repo: &Repo) -> HubRepo {
    folder::model(id, repo.path()).expect("a readable folder")
}

/// The program with this hub as its endpoint and nothing else of the Hub in its environment.
fn program(hub: &LoopbackHub) -> Program {
    Program::new()
        .arg("check")
        .env("HF_ENDPOINT", &hub.endpoint())
        .env("HF_HOME", "/nonexistent")
}

fn check(hub: &LoopbackHub, args: &[&str]) -> Answer {
    program(hub).args(args).run()
}

/// The report on the one model of `args`.
fn report(hub: &LoopbackHub, args: &[&str]) -> Value {
    let answer = program(hub).args(args).args(["--format", "json"]).run();
    answer.json()["models"][0].clone()
}

/// What `repository-inaccessible` found.
fn access(model: &Value) -> String {
    let mut rules = model["rules"].as_array().into_iter().flatten();
    let rule =
        rules.find(|rule| rule["id"] == "repository-inaccessible" && rule["outcome"] != "pass");
    rule.map_or_else(String::new, |rule| {
        rule["findings"][0]["message"]
            .as_str()
            .unwrap_or_default()
            .into()
    })
}

fn passes() -> Value {
    json!({"upload": "pass", "fine-tune": "pass"})
}

fn undecided() -> Value {
    json!({"upload": "undecided", "fine-tune": "undecided"})
}

fn fails() -> Value {
    json!({"upload": "fail", "fine-tune": "fail"})
}

/// Fails if the token shows anywhere, or went to another host than the hub.
#[track_caller]
fn keeps_the_token(answer: &Answer, log: &[Seen]) {
    assert!(!answer.stdout.contains("Sesame"), "{}", answer.stdout);
    assert!(!answer.stderr.contains("Sesame"), "{}", answer.stderr);
    let elsewhere = log
        .iter()
        .find(|seen| seen.host != Host::Hub && seen.has_authorization);
    assert!(elsewhere.is_none(), "{elsewhere:?}");
}

#[test]
fn a_sound_model_passes_and_the_report_says_where_it_was() {
    let hub = hub();
    for (id, files) in [("acme/one", 1), ("acme/two", 2)] {
        hub.take_log();
        let model = report(&hub, &[id]);
        assert_eq!(model["verdicts"], passes(), "{model:#}");
        assert_eq!(model["model"]["source"], "hub");
        assert_eq!(model["model"]["id"], id);
        assert_eq!(model["model"]["commit"], json!(hub.commit_of(id, "main")));
        assert_eq!(
            model["facts"]["parameters"]["total"],
            crate::repo::PARAMETERS
        );
        assert_eq!(model["facts"]["weights"]["files"], files);
        // The cost is true.
        let log = hub.take_log();
        assert_eq!(model["cost"]["requests"], log.len(), "{log:#?}");
        assert!(log.iter().all(|seen| seen.method == "GET"), "{log:#?}");
    }
    check(&hub, &["acme/one"]).says(PASS, "acme/one");
}

#[test]
fn everything_is_read_at_one_commit() {
    let hub = hub();
    let repo = Repo::sound();
    hub.add(
        model("acme/one", &repo)
            .branch("next")
            .file("tokenizer_config.json", "{}"),
    );
    let commit = hub.commit_of("acme/one", "next").unwrap();
    let model = report(&hub, &["acme/one@next"]);
    assert_eq!(model["model"]["commit"], json!(commit));
    let log = hub.take_log();
    let named: Vec<_> = log
        .iter()
        .filter(|seen| seen.route == Route::Resolve)
        .collect();
    let late = named.iter().filter(|seen| !seen.path.contains(&commit));
    // What is asked for before the commit is known is the one small file of every repository.
    assert!(
        late.clone()
            .all(|seen| seen.file.as_deref() == Some(CONFIG)),
        "{named:#?}"
    );
    assert!(named.len() > late.count(), "{named:#?}");
}

#[test]
fn revisions_in_every_form() {
    let hub = hub();
    let repo = model("acme/many", &Repo::sound())
        .branch("feature/x")
        .tag("v1.0")
        .pull_request(7);
    let sha = |revision: &str| hub.commit_of("acme/many", revision);
    // Each commit differs by one file.
    hub.add(repo.file("note.txt", "7"));
    let main = sha("main").unwrap();
    for revision in ["main", "feature/x", "v1.0", "refs/pr/7", &main] {
        let short = report(&hub, &[&format!("acme/many@{revision}")]);
        let long = report(&hub, &["acme/many", "--revision", revision]);
        for model in [short, long] {
            assert_eq!(model["verdicts"], passes(), "{revision}: {model:#}");
            assert_eq!(model["model"]["commit"], json!(sha(revision)), "{revision}");
            assert_eq!(model["model"]["revision"], revision);
        }
    }
    let model = report(&hub, &["acme/many@nope"]);
    assert_eq!(model["verdicts"], fails());
    assert_eq!(access(&model), "`acme/many` has no revision `nope`");
}

#[test]
fn gates_are_told_apart_from_what_is_missing() {
    let hub = hub();
    hub.token(TOKEN, "alice", &["acme/open"]);
    hub.add(model("acme/gated", &Repo::sound()).gated("manual"));
    hub.add(model("acme/open", &Repo::sound()).gated("auto"));
    hub.add(model("acme/private", &Repo::sound()).private());
    hub.add(model("acme/off", &Repo::sound()).disabled());
    let endpoint = hub.endpoint();
    let anonymous = [
        (
            "acme/gated",
            format!(
                "`acme/gated` is gated: accept its terms at {endpoint}/acme/gated and give a token that may read it"
            ),
        ),
        (
            "acme/private",
            "`acme/private` is missing or private".into(),
        ),
        ("acme/none", "`acme/none` is missing or private".into()),
        ("acme/off", "`acme/off` is disabled on the Hub".into()),
    ];
    for (id, words) in anonymous {
        let model = report(&hub, &[id]);
        assert_eq!(
            (model["verdicts"].clone(), access(&model)),
            (fails(), words)
        );
        assert_eq!(check(&hub, &[id]).code, FAIL, "{id}");
    }
    let with_token = [
        (
            "acme/gated",
            format!(
                "`acme/gated` is gated and this token may not read it: ask for access at {endpoint}/acme/gated"
            ),
        ),
        (
            "acme/none",
            "`acme/none` is not found: it is missing, or private and not for this token".into(),
        ),
    ];
    for (id, words) in with_token {
        let model = report(&hub, &[id, "--token", TOKEN]);
        assert_eq!(
            (model["verdicts"].clone(), access(&model)),
            (fails(), words)
        );
    }
    assert_eq!(
        report(&hub, &["acme/open", "--token", TOKEN])["verdicts"],
        passes()
    );
}

#[test]
fn a_dataset_by_mistake_and_a_renamed_model() {
    let hub = hub();
    hub.add(HubRepo::dataset("acme/words").file("README.md", "words"));
    hub.rename("old/one", "acme/one");
    let model = report(&hub, &["acme/words"]);
    assert_eq!(model["verdicts"], fails());
    assert_eq!(
        access(&model),
        "`acme/words` is missing or private; there is a dataset of this name, and only models are checked"
    );
    let answer = check(&hub, &["old/one"]);
    assert_eq!(answer.code, PASS, "{answer:#?}");
    assert_eq!(answer.stderr, "note: `old/one` is called `acme/one` now\n");
    assert_eq!(report(&hub, &["old/one"])["model"]["id"], "acme/one");
}

#[test]
fn an_invalid_token_does_not_fail_a_public_model() {
    let hub = hub();
    let answer = program(&hub).arg("acme/two").env("HF_TOKEN", TOKEN).run();
    assert_eq!(answer.code, PASS, "{answer:#?}");
    let host = hub.endpoint().replace("http://", "");
    assert_eq!(
        answer.stderr,
        format!("note: `{host}` does not know the token: it was asked without\n")
    );
    keeps_the_token(&answer, &hub.take_log());
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let hub = hub();
    hub.token(TOKEN, "alice", &["acme/gated"]);
    hub.add(model("acme/gated", &Repo::sharded()).gated("auto"));
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("token"), format!("{TOKEN}\n")).unwrap();
    let file = home.path().join("token").display().to_string();
    let home = home.path().display().to_string();
    for (name, value) in [
        ("HF_TOKEN", TOKEN),
        ("HF_TOKEN_PATH", &file),
        ("HF_HOME", &home),
    ] {
        for format in ["table", "json"] {
            let answer = program(&hub)
                .args(["acme/gated", "--format", format])
                .env(name, value)
                .run();
            assert_eq!(answer.code, PASS, "{name}: {answer:#?}");
            let log = hub.take_log();
            assert!(
                log.iter().any(|seen| seen.host == Host::Cdn),
                "weights lie elsewhere"
            );
            assert!(log.iter().any(|seen| seen.has_authorization), "{name}");
            keeps_the_token(&answer, &log);
        }
    }
    // Nor do errors say it, nor does a redirect take it away.
    for fault in [
        Fault::Status(500),
        Fault::RedirectAway,
        Fault::Reset,
        Fault::HtmlPage,
        Fault::Status(401),
    ] {
        hub.heal();
        hub.inject(Rule::new(fault.clone()).on(Route::Resolve).on(Route::Cdn));
        let answer = program(&hub)
            .args(["acme/gated", "--timeout", "2"])
            .env("HF_TOKEN", TOKEN)
            .run();
        assert_ne!(answer.code, PASS, "{fault:?}");
        keeps_the_token(&answer, &hub.take_log());
    }
}

#[test]
fn a_limit_is_waited_for_within_the_budget_only() {
    let hub = hub();
    hub.inject(Rule::new(Fault::RetryAfter(1)).on(Route::Resolve).times(2));
    hub.inject(Rule::new(Fault::RateLimited(1)).on(Route::Info).times(1));
    assert_eq!(check(&hub, &["acme/one"]).code, PASS);
    hub.heal();
    hub.inject(Rule::new(Fault::RateLimited(172)));
    let model = report(&hub, &["acme/one", "--timeout", "5"]);
    assert_eq!(model["verdicts"], undecided());
    // One second more than the window has left, as the Hub's own client waits.
    assert!(
        access(&model).contains("limits requests and asks to wait 173 s"),
        "{}",
        access(&model)
    );
    assert_eq!(check(&hub, &["acme/one", "--timeout", "5"]).code, UNDECIDED);
}

#[test]
fn offline_knows_what_the_cache_holds() {
    let hub = hub();
    let home = TempDir::new().unwrap();
    let repo = Repo::sound();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let folder = home.path().join("hub/models--acme--one");
    let snapshot = folder.join("snapshots").join(commit);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(folder.join("refs")).unwrap();
    fs::write(folder.join("refs/main"), commit).unwrap();
    let run = |id: &str| {
        let run = program(&hub).args([id, "--offline", "--format", "json"]);
        run.env("HF_HOME", &home.path().display().to_string()).run()
    };
    for file in fs::read_dir(repo.path()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), snapshot.join(file.file_name())).unwrap();
    }
    let answer = run("acme/one");
    let model = &answer.json()["models"][0];
    assert_eq!(model["model"]["commit"], commit);
    assert!(
        model["verdicts"] != fails() && answer.code != FAIL,
        "{model:#}"
    );
    // A file that was never downloaded is not absent.
    fs::remove_file(snapshot.join("model.safetensors")).unwrap();
    assert_eq!(run("acme/one").code, UNDECIDED);
    assert_eq!(run("acme/never").code, UNDECIDED);
    assert!(hub.log().is_empty(), "nothing was sent");
}

#[test]
fn more_files_than_a_page_of_the_tree() {
    let hub = hub();
    let parts = (0..2345).map(|number| format!("parts/{number:05}.txt"));
    hub.add(
        parts.fold(model("acme/many", &Repo::sharded()), |repo, path| {
            repo.file(&path, "x")
        }),
    );
    assert_eq!(report(&hub, &["acme/many"])["verdicts"], passes());
}

#[test]
fn the_header_may_end_anywhere_near_the_first_range() {
    let hub = hub();
    for spaces in [0, 1, 7, 8, 9, 30_000, 65_536 - 2_000, 70_000, 200_000] {
        let repo = Repo::sound();
        let id = format!("acme/edge-{spaces}");
        hub.add(model(&id, &repo).content("model.safetensors", padded(&repo, spaces)));
        let model = report(&hub, &[&id]);
        assert_eq!(model["verdicts"], passes(), "{spaces}: {model:#}");
        assert_eq!(
            model["facts"]["parameters"]["total"],
            crate::repo::PARAMETERS
        );
    }
}

/// The weights of `repo` with so many spaces more after the header's JSON.
fn padded(repo: &Repo, spaces: usize) -> loopback_hub::Content {
    let file = fs::read(repo.file("model.safetensors")).unwrap();
    let (prefix, rest) = file.split_first_chunk::<8>().unwrap();
    let length = usize::try_from(u64::from_le_bytes(*prefix)).unwrap();
    let (header, weights) = rest.split_at(length);
    let longer = u64::try_from(length + spaces).unwrap().to_le_bytes();
    let start = [&longer[..], header, &vec![b' '; spaces]].concat();
    loopback_hub::Content::sparse(&start, (start.len() + weights.len()) as u64)
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
    let header = fs::read(repo.file(crate::repo::SHARDS[0])).unwrap();
    hub.add(huge.sparse(crate::repo::SHARDS[0], header, 3 << 30));
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
        let started = std::time::Instant::now();
        assert_eq!(check(&hub, &["acme/one", "--timeout", "1"]).code, UNDECIDED);
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
