//! `check org/name` against a hub on the loopback interface that answers, and fails, as the real one.

use std::collections::BTreeSet;
use std::fs;

use loopback_hub::{Fault, Host, LoopbackHub, Repo as HubRepo, Route, Rule, Seen, folder};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Answer, Program};
use crate::repo::{CONFIG, Repo, SHARDS, Tensor, WEIGHTS};

/// Would stand out in any output.
const TOKEN: &str = "hf_SesameOpenSesame";
pub(crate) const PASS: i32 = 0;
const FAIL: i32 = 1;
pub(crate) const UNDECIDED: i32 = 3;

/// A hub with the sound model in one file, `acme/one`, and in shards, `acme/two`.
pub(crate) fn hub() -> LoopbackHub {
    let hub = LoopbackHub::start();
    hub.add(model("acme/one", &Repo::sound()));
    hub.add(model("acme/two", &Repo::sharded()));
    hub
}

pub(crate) fn model(id: &str, repo: &Repo) -> HubRepo {
    folder::model(id, repo.path()).expect("a readable folder")
}

/// The program with this hub as its endpoint and nothing else of the Hub in its environment.
pub(crate) fn program(hub: &LoopbackHub) -> Program {
    Program::new()
        .arg("check")
        .env("HF_ENDPOINT", &hub.endpoint())
        .env("HF_HOME", "/nonexistent")
}

pub(crate) fn check(hub: &LoopbackHub, args: &[&str]) -> Answer {
    program(hub).args(args).run()
}

/// The report on the one model of `args`.
pub(crate) fn report(hub: &LoopbackHub, args: &[&str]) -> Value {
    let answer = program(hub).args(args).args(["--format", "json"]).run();
    answer.json()["models"][0].clone()
}

/// What `repository-inaccessible` found.
pub(crate) fn access(model: &Value) -> String {
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

pub(crate) fn passes() -> Value {
    json!({"upload": "pass", "fine-tune": "pass"})
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
fn everything_is_of_one_commit_whenever_the_branch_moves() {
    // Either version alone is told apart from any mixture of the two: the one passes, the other has a
    // layer that its weights lack, or weights of other shapes.
    let shallow = Repo::sound();
    let config = fs::read(shallow.file(CONFIG)).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    config["num_hidden_layers"] = json!(3);
    shallow.json(CONFIG, &config);
    let narrow = Repo::sharded();
    narrow.weights(SHARDS[1], &[Tensor::new("model.norm.weight", "BF16", &[7])]);
    for newer in [&shallow, &narrow] {
        let mut seen = BTreeSet::new();
        for after in 0..14 {
            let hub = LoopbackHub::start();
            hub.add(model("acme/moves", &Repo::sharded()));
            let older = hub.commit_of("acme/moves", "main");
            hub.push_after(after, model("acme/moves", newer));
            let model = report(&hub, &["acme/moves", "--target", "fine-tune"]);
            let is_older = model["model"]["commit"] == json!(older);
            seen.insert(is_older);
            let wanted = if is_older { "pass" } else { "fail" };
            assert_eq!(
                model["verdicts"]["fine-tune"], wanted,
                "after {after}: {model:#}"
            );
        }
        assert_eq!(seen.len(), 2, "both versions were met");
    }
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
    fs::remove_file(snapshot.join(WEIGHTS)).unwrap();
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
    for spaces in [0, 1, 7, 8, 9, 30_000, 49_152 - 2_000, 70_000, 200_000] {
        let repo = Repo::sound();
        let id = format!("acme/edge-{spaces}");
        hub.add(model(&id, &repo).content(WEIGHTS, padded(&repo, spaces)));
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
    let file = fs::read(repo.file(WEIGHTS)).expect("weights");
    let (prefix, rest) = file.split_first_chunk::<8>().expect("a prefix");
    let length = usize::try_from(u64::from_le_bytes(*prefix)).expect("a length");
    let (header, weights) = rest.split_at(length);
    let longer = ((length + spaces) as u64).to_le_bytes();
    let start = [&longer[..], header, &vec![b' '; spaces]].concat();
    loopback_hub::Content::sparse(&start, (start.len() + weights.len()) as u64)
}
