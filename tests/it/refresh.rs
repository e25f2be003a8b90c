//! `refresh`, and what later runs make of what it kept. The API is a server on the loopback interface; that
//! it answers as the platform's description says is held by `tests/outside/together.py`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;

use crate::program::{Answer, Program};
use crate::repo::Repo;

const KEY: &str = "sk-very-secret";

/// An API that lists one base model, or answers with an error, until the test's process ends.
fn api(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut head = String::new();
            let mut reader = BufReader::new(&stream);
            while reader.read_line(&mut head).is_ok_and(|count| count > 2) {}
            let body = if head.contains("/supported") {
                r#"{"models": ["acme/llama-9b", "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference"]}"#.to_owned()
            } else if head.contains("/hardware") {
                r#"{"data": [{"id": "4x_nvidia_h100_80gb_sxm", "specs": {"gpu_type": "h100", "gpu_memory": 80, "gpu_count": 4}}]}"#.to_owned()
            } else {
                let name = if head.contains("9b") {
                    "acme/llama-9b"
                } else {
                    "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference"
                };
                format!(
                    r#"{{"model_name": "{name}", "max_seq_length_sft": 4096, "max_seq_length_dpo": 2048, "lora_training": {{"max_rank": 32}}}}"#
                )
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    address
}

/// A user's home, empty at first.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn copy(&self) -> PathBuf {
        self.0.path().join("byom-preflight/catalog.json")
    }

    fn program(&self) -> Program {
        Program::new().env("XDG_DATA_HOME", self.0.path().to_str().unwrap())
    }

    fn refresh(&self, address: &str) -> Answer {
        let answer = self
            .program()
            .env("TOGETHER_API_KEY", KEY)
            .env("TOGETHER_BASE_URL", address)
            .args(["refresh", "--timeout", "5"])
            .run();
        assert!(
            !answer.stdout.contains("secret") && !answer.stderr.contains("secret"),
            "{answer:?}"
        );
        answer
    }

    fn refreshed() -> Self {
        let home = Self::new();
        let answer = home.refresh(&api("200 OK"));
        assert_eq!((answer.code, answer.stderr.as_str()), (0, ""));
        home
    }

    fn check(&self, repo: &Path, more: &[&str]) -> Answer {
        self.program()
            .arg("check")
            .arg(repo)
            .args(["--format", "json", "--target", "fine-tune"])
            .args(more)
            .run()
    }
}

fn names(report: &Value) -> Vec<&str> {
    let rows = report["models"][0]["base_models"].as_array().unwrap();
    rows.iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect()
}

#[test]
fn later_runs_go_by_what_was_fetched() {
    let home = Home::refreshed();
    let repo = Repo::sound();
    let report = home.check(repo.path(), &[]).json();
    let origin = report["catalog"]["origin"].as_str().unwrap();
    assert!(
        origin.starts_with("refreshed from http://127.0.0.1:"),
        "{origin}"
    );
    assert_eq!(report["catalog"]["is_stale"], false);
    assert_eq!(
        names(&report),
        [
            "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference",
            "acme/llama-9b"
        ]
    );
    let rows = &report["models"][0]["base_models"];
    assert_eq!(
        (&rows[0]["context"], &rows[0]["lora_max_rank"]),
        (&Value::from(4096), &Value::from(32))
    );
    assert_eq!(rows[1]["verdict"], "not-compared");
    let hardware = &report["models"][0]["fit"]["options"];
    assert_eq!(hardware.as_array().unwrap().len(), 1);
    assert_eq!(hardware[0]["hardware"], "4x_nvidia_h100_80gb_sxm");
    assert_eq!(report["catalog"]["hardware"]["origin"], origin);

    // A name that only the API has, and one that it no longer has.
    let named = home.check(repo.path(), &["--base-model", "acme/llama-9b"]);
    assert_eq!(
        (named.code, named.stderr.as_str()),
        (3, ""),
        "{}",
        named.stdout
    );
    assert!(
        named.stdout.contains(
            "`acme/llama-9b`: its architecture is not known here, so it was not compared"
        ),
        "{}",
        named.stdout
    );
    let gone = home.check(
        repo.path(),
        &["--base-model", "togethercomputer/llama-2-7b-chat"],
    );
    assert_eq!(gone.code, 1, "{}", gone.stdout);
    let list = home.program().args(["base-models"]).run().stdout;
    assert!(
        list.contains("acme/llama-9b") && list.contains("refreshed from"),
        "{list}"
    );
    let line = home.check(repo.path(), &["--format", "jsonl"]);
    assert!(
        line.code == 2 || line.stdout.contains("refreshed from"),
        "{line:?}"
    );

    let own = home.check(repo.path(), &["--catalog", "built-in"]).json();
    assert_eq!(own["catalog"]["origin"], "built-in");
    assert!(names(&own).len() > 90);
}

#[test]
fn the_list_of_hardware_is_the_one_that_is_judged_against() {
    let home = Home::refreshed();
    let list = |args: &[&str]| {
        let answer = home.program().arg("hardware").args(args).run();
        assert_eq!((answer.code, answer.stderr.as_str()), (0, ""));
        let ids: Vec<_> = answer
            .stdout
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| word.contains("x_nvidia_") || word.contains("x-nvidia-"))
            .map(str::to_owned)
            .collect();
        (ids, answer.stdout)
    };
    let (ids, text) = list(&[]);
    assert_eq!(ids, ["4x_nvidia_h100_80gb_sxm"], "{text}");
    assert!(text.contains("(refreshed from http://127.0.0.1:"), "{text}");
    let copy = home.copy();
    let (named, text) = list(&["--catalog", copy.to_str().unwrap()]);
    assert_eq!(named, ids, "{text}");
    let (own, text) = list(&["--catalog", "built-in"]);
    assert_eq!(own.len(), 16, "{text}");
    assert!(text.contains("(built-in)"), "{text}");
    // The other policy's hardware is not that of this API: the report says whose it is.
    let repo = Repo::sound();
    let policy = ["--policy", "together-2026-07"];
    let (_, text) = list(&policy);
    assert!(text.contains("(built-in)"), "{text}");
    let report = home.check(repo.path(), &policy).json();
    assert_eq!(report["catalog"]["hardware"]["origin"], "built-in");
    let table = home
        .program()
        .arg("check")
        .arg(repo.path())
        .args(policy)
        .run()
        .stdout;
    let line = table
        .split("\n\n")
        .find(|part| part.contains("base models of"));
    let line = line.unwrap().replace('\n', " ");
    assert!(
        line.contains("refreshed from")
            && line.contains(", hardware of 2026-")
            && line.ends_with("(built-in), more than 90 days ago"),
        "{line}"
    );
}

#[test]
fn a_file_works_on_a_machine_without_the_network() {
    let home = Home::refreshed();
    let file = home.copy();
    let file = file.to_str().unwrap();
    let repo = Repo::sound();
    let elsewhere = Home::new();
    let report = elsewhere.check(repo.path(), &["--catalog", file]).json();
    assert_eq!(names(&report).len(), 2);
    let origin = report["catalog"]["origin"].as_str().unwrap();
    assert!(origin.ends_with(&format!("in `{file}`")), "{origin}");
    let answer = elsewhere.check(repo.path(), &["--catalog", "nowhere.json"]);
    answer.complains(
        2,
        "error: cannot use the catalog `nowhere.json`: there is no such file",
    );

    // An old one is used and says so; edited by hand it is used and says so.
    let text = std::fs::read_to_string(home.copy()).unwrap();
    let day = report["catalog"]["as_of"].as_str().unwrap();
    let old = elsewhere.0.path().join("old.json");
    std::fs::write(&old, text.replace(day, "2026-01-01")).unwrap();
    let answer = elsewhere.check(repo.path(), &["--catalog", old.to_str().unwrap()]);
    assert!(
        answer.stderr.contains("was changed since it was fetched"),
        "{}",
        answer.stderr
    );
    let report: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(report["catalog"]["is_stale"], true);

    assert!(
        answer
            .stdout
            .contains("the catalog is of 2026-01-01, more than 90 days ago"),
        "{}",
        answer.stdout
    );
}

#[test]
fn a_catalog_of_the_future_is_used_and_says_so() {
    let home = Home::refreshed();
    let text = std::fs::read_to_string(home.copy()).unwrap();
    let repo = Repo::sound();
    let report = home.check(repo.path(), &[]).json();
    let day = report["catalog"]["as_of"].as_str().unwrap();
    let future = home.0.path().join("future.json");
    std::fs::write(&future, text.replace(day, "2199-01-01")).unwrap();
    let answer = home.check(repo.path(), &["--catalog", future.to_str().unwrap()]);
    let report: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(report["catalog"]["is_stale"], false);
    assert_eq!(report["catalog"]["is_future"], true);
    let told = |command: &str, words: &str| {
        let program = home.program().arg(command).arg(repo.path());
        let answer = program.arg("--catalog").arg(&future).run();
        let text = answer.stdout.split_whitespace().collect::<Vec<_>>();
        assert!(text.join(" ").contains(words), "{answer:?}");
    };
    told("check", "), a day still to come");
    told(
        "check",
        "the catalog is of 2199-01-01, which is still to come",
    );
    told(
        "base-models",
        "which is still to come: that date or this machine's clock is wrong",
    );
}

#[test]
fn whatever_goes_wrong_the_old_copy_stays() {
    let home = Home::refreshed();
    let before = std::fs::read(home.copy()).unwrap();
    for (address, why) in [
        (
            api("401 Unauthorized"),
            "error: `127.0.0.1` answers 401 to `fine-tunes/models/supported` (unauthorized); check `TOGETHER_API_KEY`",
        ),
        (api("302 Found"), "error: `127.0.0.1` answers 302"),
        (
            "http://127.0.0.1:1".to_owned(),
            "error: `127.0.0.1` cannot be reached: ",
        ),
    ] {
        let answer = home.refresh(&address);
        assert_eq!(
            (answer.code, answer.stdout.as_str()),
            (3, ""),
            "{}",
            answer.stderr
        );
        assert!(
            answer.stderr.starts_with(why) && answer.stderr.lines().count() == 1,
            "{}",
            answer.stderr
        );
        assert_eq!(std::fs::read(home.copy()).unwrap(), before);
    }
    let files = std::fs::read_dir(home.copy().parent().unwrap()).unwrap();
    assert_eq!(files.count(), 1, "nothing half-written stays");

    // A folder that cannot be made.
    let blocked = Home::new();
    std::fs::write(blocked.0.path().join("byom-preflight"), "a file").unwrap();
    let answer = blocked.refresh(&api("200 OK"));
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(
        answer.stderr.starts_with("error: cannot write `"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_copy_that_is_not_as_it_was_written_is_not_used() {
    let home = Home::refreshed();
    let repo = Repo::sound();
    let text = std::fs::read_to_string(home.copy()).unwrap();
    let no_sum = {
        let mut file: Value = serde_json::from_str(&text).unwrap();
        file.as_object_mut().unwrap().remove("sha256");
        file.to_string()
    };
    for (broken, why) in [
        (
            text.replace("4096", "131072"),
            "it was changed since it was fetched",
        ),
        (no_sum, "it was changed since it was fetched"),
        (
            text[..text.len() / 2].to_owned(),
            "it is no catalog that `byom-preflight refresh` wrote",
        ),
        (
            String::new(),
            "it is no catalog that `byom-preflight refresh` wrote",
        ),
        (
            "\u{1b}[2J\0".to_owned(),
            "it is no catalog that `byom-preflight refresh` wrote",
        ),
        (
            "[".repeat(1 << 20),
            "it is no catalog that `byom-preflight refresh` wrote",
        ),
        ("x".repeat((8 << 20) + 1), "it is longer than"),
    ] {
        std::fs::write(home.copy(), &broken).unwrap();
        let answer = home.check(repo.path(), &[]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        assert!(
            answer.stderr.starts_with("note: the refreshed catalog `")
                && answer.stderr.contains(why),
            "{}",
            answer.stderr
        );
        assert_eq!(answer.stderr.lines().count(), 1);
        let report: Value = serde_json::from_str(&answer.stdout).unwrap();
        assert_eq!(report["catalog"]["origin"], "built-in");
    }
    std::fs::remove_file(home.copy()).unwrap();
    std::fs::create_dir(home.copy()).unwrap();
    let answer = home.check(repo.path(), &[]);
    assert!(
        answer.code == 0 && answer.stderr.contains("it is no regular file"),
        "{}",
        answer.stderr
    );
}

#[test]
fn what_refresh_needs() {
    let home = Home::new();
    let answer = home.program().arg("refresh").run();
    answer.complains(
        2,
        "error: no API key of the platform is given: set `TOGETHER_API_KEY`",
    );
    let answer = home
        .program()
        .env("TOGETHER_API_KEY", KEY)
        .args(["refresh", "--base-url", "http://api.together.ai/v1"])
        .run();
    answer.complains(2, "error: the address of the API has to begin with `https://`: the key would be sent in the clear");
    let answer = Program::new()
        .env("TOGETHER_API_KEY", KEY)
        .arg("refresh")
        .run();
    answer.complains(2, "error: there is no home to keep the catalog in: set `HOME`, or name a file with `--output`");
    let help = home
        .program()
        .env("TOGETHER_API_KEY", KEY)
        .args(["refresh", "--help"])
        .run();
    assert!(!help.stdout.contains("secret"), "{}", help.stdout);
    let file = home.0.path().join("here.json");
    let answer = Program::new()
        .env("TOGETHER_API_KEY", KEY)
        .args([
            "refresh",
            "--base-url",
            &api("200 OK"),
            "--output",
            file.to_str().unwrap(),
        ])
        .run();
    assert!(
        answer.code == 0 && file.is_file() && !home.copy().exists(),
        "{}",
        answer.stderr
    );
}
