//! Many models in one run: lists, streams, limits, and models that are none.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use loopback_hub::{Fault, Rule};
use serde_json::Value;

use crate::hub::{self, PASS, UNDECIDED};
use crate::program::{Answer, Program, check, root};
use crate::repo::Repo;

/// A recording that passes, and one that fails for fine-tune.
const GOOD: &str = "fixtures/smollm2-1.7b-instruct";
const BAD: &str = "fixtures/gpt-oss-120b";

fn fixture(path: &str) -> String {
    root()
        .canonicalize()
        .unwrap()
        .join(path)
        .display()
        .to_string()
}

/// `check -` in lines of JSON over this list.
fn stream(list: &str, args: &[&str]) -> Answer {
    let program = Program::new().args(["check", "-", "--format", "jsonl"]);
    program.args(args).stdin(list).run()
}

fn lines(answer: &Answer) -> Vec<Value> {
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{answer:#?}"));
    answer.stdout.lines().map(line).collect()
}

fn input(report: &Value) -> &str {
    report["model"]["input"].as_str().unwrap()
}

/// What `repository-inaccessible` says.
fn why(report: &Value) -> String {
    assert_eq!(report["verdicts"]["upload"], "undecided", "{report:#}");
    hub::access(report)
}

#[test]
fn one_bad_model_does_not_stop_the_rest() {
    let good = fixture(GOOD);
    let answer = check(["./nowhere", &good, "ftp://x", "--format", "json"]);
    assert_eq!(answer.code, UNDECIDED, "{answer:#?}");
    let report = answer.json();
    let models = report["models"].as_array().unwrap();
    assert_eq!(report["message"], "3 models: 1 pass, 0 fail, 2 undecided");
    // In the order of the command line, whichever was ready first.
    let inputs: Vec<_> = models.iter().map(input).collect();
    assert_eq!(inputs, ["./nowhere", &good, "ftp://x"]);
    assert_eq!(why(&models[0]), "no such folder: `./nowhere`");
    assert_eq!(models[1]["is_check_passed"], true);
    assert!(
        why(&models[2]).contains("`ftp://` is not an address"),
        "{report:#}"
    );

    // Fail before undecided before pass.
    let answer = check(["./nowhere", &good, &fixture(BAD), "--target", "fine-tune"]);
    answer.says(1, "FAIL 3 models: 1 pass, 1 fail, 1 undecided");
    check([
        "./nowhere",
        &fixture(BAD),
        "--exit-zero",
        "--target",
        "fine-tune",
    ])
    .says(0, "2 models");
    check([&good, &good]).says(PASS, "PASS 2 models: 2 pass, 0 fail, 0 undecided");
}

#[test]
fn there_is_a_summary_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report").display().to_string();
    let models = [fixture(GOOD), "./nowhere".into()];
    let summary = "2 models: 1 pass, 0 fail, 1 undecided, in ";
    let run = |more: &[&str]| {
        check(
            models
                .iter()
                .map(String::as_str)
                .chain(more.iter().copied()),
        )
    };
    for format in ["json", "jsonl", "sarif", "junit", "html"] {
        let answer = run(&["--format", format]);
        assert!(answer.stderr.starts_with(summary), "{format}: {answer:#?}");
    }
    let in_file = run(&["--output", &file]);
    assert!(in_file.stderr.starts_with(summary), "{in_file:#?}");
    let on_screen = run(&["--format", "table", "--format", &format!("json={file}")]);
    assert_eq!(on_screen.stderr, "");
    on_screen.says(UNDECIDED, "UNDECIDED 2 models: 1 pass, 0 fail, 1 undecided");
    // One model needs none.
    assert_eq!(check([&models[0], "--format", "json"]).stderr, "");
}

#[test]
fn a_list_in_lines_has_a_line_for_every_model() {
    let (good, bad) = (fixture(GOOD), fixture(BAD));
    let long = "x".repeat(20_000);
    let list = format!("\u{feff}# ours\r\n{good}\r\n\n./nowhere\nword\n{long}\n{bad}\n{good}");
    let answer = stream(&list, &["--target", "fine-tune"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(
        answer
            .stderr
            .starts_with("6 models: 2 pass, 1 fail, 3 undecided, in "),
        "{}",
        answer.stderr
    );
    let reports = lines(&answer);
    assert_eq!(reports.len(), 6);
    let find = |name: &str| {
        let mut found = reports
            .iter()
            .filter(|report| input(report).starts_with(name));
        found
            .next()
            .unwrap_or_else(|| panic!("no {name} in {answer:#?}"))
    };
    assert_eq!(
        find("./nowhere")["model"]["source"],
        "folder",
        "{answer:#?}"
    );
    assert!(hub::access(find("./nowhere")).ends_with("no such folder: `./nowhere`"));
    assert!(
        hub::access(find("word")).starts_with("line 5 of standard input: `word` is neither"),
        "{answer:#?}"
    );
    assert!(
        hub::access(find("xxx")).contains("line 6 of standard input: it has more than"),
        "{answer:#?}"
    );
    assert!(
        reports
            .iter()
            .all(|report| report["policy"]["id"] == "together-2025-11")
    );
    // What stands twice is judged twice.
    assert_eq!(
        reports
            .iter()
            .filter(|report| input(report) == good)
            .count(),
        2
    );
}

#[test]
fn a_model_is_told_by_the_name_that_it_was_given() {
    let hub = hub::hub();
    let names = [
        "acme/one",
        "acme/two@main",
        "hf://acme/one",
        "https://huggingface.co/acme/two",
    ];
    let answer = hub::program(&hub)
        .args(["-", "--format", "jsonl"])
        .stdin(&names.join("\n"))
        .run();
    assert_eq!(answer.code, PASS, "{answer:#?}");
    let reports = lines(&answer);
    let mut told: Vec<_> = reports.iter().map(input).collect();
    told.sort_unstable();
    assert_eq!(told, names);
    // As an argument too; with `--revision` it is the revision that was asked for.
    for (name, revision) in [(names[3], None), ("acme/two", Some("main"))] {
        let args = revision.map(|revision| ["--revision", revision]);
        let answer = hub::program(&hub)
            .args([name, "--format", "json"])
            .args(args.into_iter().flatten())
            .run();
        let model = &answer.json()["models"][0]["model"];
        assert_eq!(model["input"], name);
        assert_eq!(model["revision"].as_str(), revision);
    }
}

#[test]
fn lists_in_files() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one.txt"), dir.path().join("two.txt"));
    fs::write(&one, format!("{}\n", fixture(GOOD))).unwrap();
    fs::write(&two, "# nothing\n").unwrap();
    let from = |file: &std::path::Path| ["--models-from".into(), file.display().to_string()];
    check(from(&one)).says(PASS, "PASS upload");
    let both = [from(&two), from(&one)].concat();
    check([&both[..], &["./nowhere".into()]].concat())
        .says(UNDECIDED, "1 pass, 0 fail, 1 undecided");
    let nothing = format!("error: the list on `{}` names no model", two.display());
    check(from(&two)).complains(2, &nothing);
    let missing = check(["--models-from", "./nowhere"]);
    assert_eq!(missing.code, 2);
    assert!(
        missing
            .stderr
            .starts_with("error: cannot read the list `./nowhere`: No such file"),
        "{missing:#?}"
    );
    check(["--models-from", "/"]).complains(2, "error: cannot read the list `/`: it is a folder");
    check(["-", "--models-from", "-"]).complains(2, "error: standard input is named twice");
    for jobs in ["0", "257", "x"] {
        let answer = check(["--jobs", jobs, "-"]);
        assert_eq!(answer.code, 2, "{answer:#?}");
        assert!(
            answer.stderr.contains("write a number from 1 to 256"),
            "{answer:#?}"
        );
    }
    // What the command line says of the Hub is wrong for all models alike.
    let answer = stream("org/name\n", &["--endpoint", "nonsense"]);
    assert_eq!(
        (answer.code, answer.stdout.as_str()),
        (2, ""),
        "{answer:#?}"
    );
}

#[test]
fn lines_go_to_a_file_that_is_there_once_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.jsonl");
    let to = file.to_str().unwrap();
    fs::write(&file, "before").unwrap();
    let answer = stream("", &["--output", to]);
    assert_eq!(answer.code, 2);
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    let answer = stream(
        &format!("{}\n./nowhere\n", fixture(GOOD)),
        &["--output", to],
    );
    assert_eq!((answer.code, answer.stdout.as_str()), (UNDECIDED, ""));
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing is left behind"
    );
}

/// The binary with a list whose end the test holds, and lines that the test takes.
fn filter() -> std::process::Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_byom-preflight"));
    command
        .env_clear()
        .args(["check", "-", "--format", "jsonl", "--target", "fine-tune"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_list_is_judged_as_it_comes() {
    let mut child = filter();
    let mut list = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for path in [fixture(GOOD), fixture(BAD), "./nowhere".into()] {
        writeln!(list, "{path}").unwrap();
        // The line comes although the list is not at its end.
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let report: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(input(&report), path);
    }
    drop(list);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let mut child = filter();
    let mut list = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    writeln!(list, "{}", fixture(GOOD)).unwrap();
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    // Some more, until it notices; the list has no end.
    let feeding = thread::spawn(move || {
        while writeln!(list, "{}", fixture(GOOD)).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    // Not all was looked at.
    assert_eq!(child.wait().unwrap().code(), Some(UNDECIDED), "{stderr}");
    assert!(
        !stderr.contains("error") && !stderr.contains("panicked"),
        "{stderr}"
    );
    feeding.join().unwrap();
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_byom-preflight"));
    let mut child = command
        .env_clear()
        .args(["check", "-", "--format", "jsonl", "--output"])
        .arg(dir.path().join("report.jsonl"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut list = child.stdin.take().unwrap();
    writeln!(list, "{}", fixture(GOOD)).unwrap();
    let files = || fs::read_dir(dir.path()).unwrap().count();
    let started = Instant::now();
    while files() == 0 {
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "it has begun to write"
        );
        thread::sleep(Duration::from_millis(5));
    }
    let kill = Command::new("sh")
        .args(["-c", &format!("kill -INT {}", child.id())])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(files(), 0);
}

#[test]
fn a_limit_that_names_no_time_is_waited_for_too() {
    let hub = hub::hub();
    hub.inject(Rule::new(Fault::Status(429)));
    // Longer than the time that a model has for its answers.
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(1500));
            hub.heal();
        });
        let check = hub::program(&hub).args(["acme/one", "acme/two", "--timeout", "1"]);
        check.run()
    });
    assert_eq!(answer.code, PASS, "{answer:#?}");
    let host = hub.endpoint().replace("http://", "");
    let told = format!("note: `{host}` limits requests: waiting ");
    assert!(answer.stderr.contains(&told), "{}", answer.stderr);
}

#[test]
fn a_limit_on_requests_is_waited_for_by_all() {
    let hub = hub::hub();
    // Fewer requests than all models take together, and less time for a model than the windows last.
    hub.set_quota(30, Duration::from_secs(3));
    let list = "acme/one\nacme/two\n".repeat(4);
    let answer = hub::program(&hub)
        .args(["-", "--format", "jsonl", "--timeout", "2", "--jobs", "4"])
        .stdin(&list)
        .run();
    assert_eq!(answer.code, PASS, "{}", answer.stderr);
    assert_eq!(lines(&answer).len(), 8);
    let host = hub.endpoint().replace("http://", "");
    assert!(
        answer
            .stderr
            .contains(&format!("note: `{host}` limits requests: waiting ")),
        "{}",
        answer.stderr
    );
    assert!(
        answer.stderr.contains("8 models: 8 pass"),
        "{}",
        answer.stderr
    );
    let refused = hub
        .take_log()
        .iter()
        .filter(|seen| seen.status == 429)
        .count();
    assert!(refused > 0, "the limit was met");

    // One model alone says at once that it would take too long.
    hub.set_quota(0, Duration::from_secs(30));
    let started = Instant::now();
    let answer = hub::check(&hub, &["acme/one", "--timeout", "2"]);
    assert_eq!(answer.code, UNDECIDED);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_note_that_holds_for_all_is_told_once() {
    let hub = hub::hub();
    let answer = hub::program(&hub)
        .args(["acme/one", "acme/two", "acme/one", "--token", "hf_unknown"])
        .run();
    assert_eq!(answer.code, PASS, "{answer:#?}");
    assert_eq!(
        answer.stderr.matches("does not know the token").count(),
        1,
        "{answer:#?}"
    );
}

#[test]
fn a_folder_of_repositories_at_once() {
    let repos: Vec<Repo> = (0..12).map(|_| Repo::sound()).collect();
    let paths: Vec<_> = repos
        .iter()
        .map(|repo| repo.path().display().to_string())
        .collect();
    let list = paths.join("\n");
    for jobs in ["1", "3", "64"] {
        let answer = Program::new()
            .args(["check", "-", "--format", "json", "--jobs", jobs])
            .stdin(&list)
            .run();
        assert_eq!(answer.code, PASS, "{}", answer.stderr);
        let report = answer.json();
        let models = report["models"].as_array().unwrap();
        let inputs: Vec<_> = models.iter().map(input).collect();
        assert_eq!(inputs, paths);
    }
}
