//! `byom-preflight.toml`, and what comes before it.

use std::fs;

use serde_json::Value;

use crate::program::{Answer, Program, root};
use crate::repo::Repo;

const NAME: &str = "byom-preflight.toml";

fn fixture(name: &str) -> String {
    let fixtures = root().canonicalize().unwrap().join("fixtures");
    fixtures.join(name).display().to_string()
}

/// A working folder with this configuration at its top, and one below it.
fn folder(configuration: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("a/b");
    fs::create_dir_all(&below).unwrap();
    fs::write(dir.path().join(NAME), configuration).unwrap();
    (dir, below)
}

fn check(configuration: &str, args: &[&str]) -> Answer {
    let (_dir, below) = folder(configuration);
    Program::new().inside(&below).arg("check").args(args).run()
}

fn verdicts(answer: &Answer) -> Value {
    answer.json()["models"][0]["verdicts"].clone()
}

#[test]
fn it_is_found_on_the_way_up_and_said() {
    let good = fixture("smollm2-1.7b-instruct");
    let args = [good.as_str(), "--format", "json"];
    let answer = check("targets = [\"upload\"]\n", &args);
    assert_eq!(answer.code, 0, "{answer:#?}");
    assert!(
        answer.stderr.starts_with("note: settings from `/"),
        "{}",
        answer.stderr
    );
    assert_eq!(verdicts(&answer), serde_json::json!({"upload": "pass"}));

    let without = check(
        "targets = [\"upload\"]\n",
        &[&args[..], &["--no-config"]].concat(),
    );
    assert_eq!(
        (
            without.stderr.as_str(),
            verdicts(&without).as_object().unwrap().len()
        ),
        ("", 2)
    );
    // The nearest counts, and the one that is named.
    let (dir, below) = folder("targets = [\"upload\"]\n");
    fs::write(below.join(NAME), "targets = [\"fine-tune\"]\n").unwrap();
    let near = Program::new().inside(&below).arg("check").args(args).run();
    assert_eq!(near.stderr, "note: settings from `byom-preflight.toml`\n");
    assert!(verdicts(&near)["upload"].is_null());
    let named = Program::new()
        .inside(&below)
        .arg("check")
        .args(args)
        .arg("--config")
        .arg(dir.path().join(NAME))
        .run();
    assert_eq!(named.stderr, "");
    assert!(verdicts(&named)["fine-tune"].is_null());
}

/// What it says might decide, so one that cannot be read is not passed over.
#[cfg(unix)]
#[test]
fn one_that_is_no_file_is_wrong_usage() {
    let good = fixture("smollm2-1.7b-instruct");
    let (dir, below) = folder("");
    let path = dir.path().join(NAME);
    for (target, why) in [
        (Some("nowhere"), "No such file"),
        (Some(NAME), "symbolic links"),
        (Some("/dev/zero"), "not a regular file"),
        (None, "not a regular file"),
    ] {
        fs::remove_file(&path).unwrap();
        match target {
            Some(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
            None => fs::create_dir(&path).unwrap(),
        }
        let answer = Program::new().inside(&below).args(["check", &good]).run();
        assert_eq!(answer.code, 2, "{answer:#?}");
        assert!(
            answer.stderr.contains(NAME) && answer.stderr.contains(why),
            "{answer:#?}"
        );
    }
}

#[test]
fn the_command_line_beats_the_environment_beats_the_file() {
    let good = fixture("smollm2-1.7b-instruct");
    let (_dir, below) = folder(
        "targets = [\"upload\"]\npolicy = \"together-2026-07\"\nbase-model = \"togethercomputer/llama-2-7b-chat\"\nfail-on = \"warning\"\n",
    );
    let run = |variables: &[(&str, &str)], args: &[&str]| {
        let mut program = Program::new().inside(&below);
        for (name, value) in variables {
            program = program.env(name, value);
        }
        let program = program.args(["check", &good, "--format", "json"]);
        program.args(args).run().json()
    };
    let file = run(&[], &[]);
    assert_eq!(file["policy"]["id"], "together-2026-07");
    assert_eq!(file["models"][0]["verdicts"].as_object().unwrap().len(), 1);
    let variables = [
        ("BYOM_PREFLIGHT_POLICY", "together-2025-11"),
        ("BYOM_PREFLIGHT_TARGET", "upload,fine-tune"),
        ("BYOM_PREFLIGHT_FAIL_ON", "error"),
        ("BYOM_PREFLIGHT_BASE_MODEL", "meta-llama/Meta-Llama-3-8B"),
    ];
    let environment = run(&variables, &[]);
    assert_eq!(environment["policy"]["id"], "together-2025-11");
    assert_eq!(
        environment["models"][0]["verdicts"]
            .as_object()
            .unwrap()
            .len(),
        2
    );
    let template =
        |report: &Value| report["models"][0]["next"]["commands"]["fine-tune"].to_string();
    assert!(
        template(&environment).contains("meta-llama/Meta-Llama-3-8B"),
        "{environment:#}"
    );
    let line = run(
        &variables,
        &[
            "--target",
            "fine-tune",
            "--policy",
            "together-2025-11",
            "--base-model",
            "togethercomputer/llama-2-7b-chat",
        ],
    );
    assert!(line["models"][0]["verdicts"]["upload"].is_null());
    assert!(template(&line).contains("llama-2-7b-chat"), "{line:#}");
    // The other commands that have a policy take it from there too.
    let rules = Program::new().inside(&below).arg("rules").run();
    assert!(
        rules.stdout.contains("Levels of policy together-2026-07"),
        "{rules:#?}"
    );
}

#[test]
fn a_variable_gives_way_and_one_without_a_value_is_none() {
    let good = fixture("smollm2-1.7b-instruct");
    let (dir, below) = folder("targets = [\"upload\"]\n");
    let named = dir.path().join(NAME).display().to_string();
    let away = tempfile::tempdir().unwrap();
    let run = |variables: &[(&str, &str)], args: &[&str]| {
        let mut program = Program::new().inside(away.path());
        for (name, value) in variables {
            program = program.env(name, value);
        }
        let program = program.args(["check", &good, "--format", "json"]);
        program.args(args).run()
    };
    let of = |answer: &Answer| verdicts(answer).as_object().unwrap().len();
    let config = [("BYOM_PREFLIGHT_CONFIG", named.as_str())];
    assert_eq!(of(&run(&config, &[])), 1);
    assert_eq!(of(&run(&config, &["--no-config"])), 2);
    let other = below.join("other.toml");
    fs::write(&other, "").unwrap();
    assert_eq!(
        of(&run(&config, &["--config", &other.display().to_string()])),
        2
    );
    // As CI systems set what nobody gave a value.
    let empty = [
        ("BYOM_PREFLIGHT_CONFIG", ""),
        ("BYOM_PREFLIGHT_TARGET", ""),
        ("BYOM_PREFLIGHT_POLICY", ""),
        ("BYOM_PREFLIGHT_BASE_MODEL", ""),
        ("BYOM_PREFLIGHT_FAIL_ON", ""),
    ];
    let answer = run(&empty, &[]);
    assert_eq!((answer.code, of(&answer)), (0, 2), "{answer:#?}");
    assert_eq!(run(&[("BYOM_PREFLIGHT_TARGET", "x")], &[]).code, 2);
}

/// The line and the caret under the word, as lines.
#[test]
fn a_mistake_is_shown_where_it_is() {
    let good = fixture("smollm2-1.7b-instruct");
    let (dir, _) = folder("\n[limits]\n\tparameter-max = 3\n");
    let run = |args: &[&str]| Program::new().inside(dir.path()).args(args).run();
    let answer = run(&["check", &good]);
    assert_eq!(answer.code, 2);
    let lines: Vec<&str> = answer.stderr.lines().skip(1).collect();
    assert_eq!(
        lines[1..5],
        [
            "TOML parse error at line 3, column 2",
            "  |",
            "3 |  parameter-max = 3",
            "  |  ^^^^^^^^^^^^^"
        ],
        "{}",
        answer.stderr
    );
    assert!(lines[0].ends_with("is not a configuration"), "{}", lines[0]);
    // A policy's mistakes look the same.
    fs::write(dir.path().join("ours.toml"), "id = 3\n").unwrap();
    let answer = run(&["rules", "--policy", "ours.toml", "--no-config"]);
    assert!(
        answer.stderr.contains("\n1 | id = 3\n"),
        "{}",
        answer.stderr
    );
}

/// Whoever writes a level believes that it decides something.
#[test]
fn a_level_that_changes_nothing_is_told() {
    let good = fixture("smollm2-1.7b-instruct");
    let told = |levels: &str| {
        let answer = check(&format!("[levels]\n{levels}\n"), &[&good]);
        assert_eq!(answer.code, 0, "{answer:#?}");
        let lines = answer.stderr.lines();
        lines.filter(|line| line.starts_with("warning: ")).count()
    };
    assert_eq!(told("task-unsupported = { fine-tune = \"error\" }"), 1);
    assert_eq!(told("own-limit-exceeded = \"warning\""), 1);
    // For one of the targets it decides.
    assert_eq!(told("task-unsupported = \"error\""), 0);
    let limit =
        "parameters-over-limit = { upload = \"note\" }\n[limits]\nparameters-max = 9_000_000_000";
    assert_eq!(told(limit), 0);
    let answer = check(
        "[levels]\ntask-unsupported = { fine-tune = \"error\" }\n",
        &[&good],
    );
    let says = "the level of `task-unsupported` changes nothing: policy `together-2025-11` does not have the rule for that target";
    assert!(answer.stderr.contains(says), "{}", answer.stderr);
}

/// Every limit, each in the words of the report and in the exit code; unknown where the model does not say.
#[test]
fn limits_of_ones_own_decide() {
    let model = fixture("smollm2-1.7b-instruct");
    let adapter = fixture("llama-3.1-8b-lora");
    let unread = fixture("mistral-7b-instruct-v0.3-unreadable");
    for (limit, model, code, says) in [
        ("weights-bytes-max = 3_422_777_952", &model, 0, "PASS"),
        (
            "weights-bytes-max = 3_422_777_951",
            &model,
            1,
            "the weights have 3,422,777,952 bytes, your own limit is 3,422,777,951",
        ),
        ("context-length-min = 8_192", &model, 0, "PASS"),
        (
            "context-length-min = 8_193",
            &model,
            1,
            "the model has a context of 8,192 tokens, your own limit is at least 8,193",
        ),
        ("adapter-rank-max = 1", &model, 0, "PASS"),
        ("adapter-rank-max = 1", &adapter, 1, "your own limit is 1"),
        // Undecided before, and a limit that is kept makes it no pass.
        ("context-length-min = 1", &unread, 3, "UNDECIDED"),
    ] {
        let answer = check(&format!("[limits]\n{limit}\n"), &[model]);
        assert_eq!(answer.code, code, "{limit}: {answer:#?}");
        let text = answer
            .stdout
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(text.contains(says), "{limit}: {}", answer.stdout);
    }
}

#[test]
fn a_policy_of_ones_own_is_found_from_the_file() {
    let (dir, below) = folder("policy = \"policies/ours.toml\"\n");
    fs::create_dir(dir.path().join("policies")).unwrap();
    fs::write(
        dir.path().join("policies/ours.toml"),
        "id = \"ours\"\nas_of = \"2026-01-15\"\nextends = \"together-2025-11\"\n",
    )
    .unwrap();
    let answer = Program::new()
        .inside(&below)
        .args([
            "check",
            &fixture("smollm2-1.7b-instruct"),
            "--format",
            "json",
        ])
        .run();
    assert_eq!(answer.json()["policy"]["id"], "ours");
}

#[test]
fn what_is_set_aside_shows_in_every_form_of_the_report() {
    let configuration = "[[ignore]]\nrule = \"parameters-over-limit\"\nreason = \"ours <b>\"\n[[ignore]]\nrule = \"quantization-unsupported\"\nreason = \"dequantised before\"\n";
    let bad = fixture("gpt-oss-120b");
    let args = [bad.as_str(), "--target", "fine-tune"];
    let answer = check(configuration, &[&args[..], &["--format", "json"]].concat());
    let report = answer.json();
    let rows = report["models"][0]["rules"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["id"] == "parameters-over-limit")
        .unwrap();
    assert_eq!(
        (&row["outcome"], &row["ignored"]),
        (&"fail".into(), &"ours <b>".into())
    );
    assert_ne!(
        report["models"][0]["verdicts"]["fine-tune"], "fail",
        "{report:#}"
    );
    for format in ["table", "sarif", "junit", "github", "gitlab", "jsonl"] {
        let answer = check(configuration, &[&args[..], &["--format", format]].concat());
        let is_told = answer.stdout.contains("dequantised before");
        // Annotations and code quality are for what is to be done.
        assert!(
            is_told || matches!(format, "github" | "gitlab"),
            "{format}: {}",
            answer.stdout
        );
    }
}

#[test]
fn ignores_that_are_over_or_of_no_use_are_told() {
    let good = fixture("smollm2-1.7b-instruct");
    let configuration = "\n[[ignore]]\nrule = \"tokenizer-missing\"\nreason = \"x\"\n[[ignore]]\nrule = \"config-invalid\"\nreason = \"y\"\nuntil = 2020-01-01\n[[ignore]]\nrule = \"parameters-over-limit\"\nreason = \"z\"\ntargets = [\"fine-tune\"]\n";
    let told = |answer: &Answer| -> Vec<String> {
        let warnings = answer
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix("warning: "));
        warnings
            .map(|line| line.split_once("`, ").unwrap().1.to_owned())
            .collect()
    };
    let over = "line 5: what sets `config-invalid` aside ended on 2020-01-01";
    let unused = "line 2: the ignore of `tokenizer-missing` matches nothing: remove it";
    let answer = check(configuration, &[&good, "--target", "upload"]);
    assert_eq!(answer.code, 0, "{answer:#?}");
    assert_eq!(told(&answer), [over, unused]);
    // Of a target that nobody asked for nothing is known.
    let both = check(configuration, &[&good]);
    assert_eq!(told(&both).len(), 3, "{}", both.stderr);
    // Of many models one that needs it is enough.
    let many = [
        good.as_str(),
        &fixture("gpt-oss-120b"),
        "--target",
        "fine-tune",
    ];
    for format in ["table", "jsonl"] {
        let answer = check(configuration, &[&many[..], &["--format", format]].concat());
        assert_eq!(told(&answer), [over, unused], "{format}");
    }
}

#[test]
fn a_mistake_in_it_is_wrong_usage_with_its_line() {
    let good = fixture("smollm2-1.7b-instruct");
    let answer = check("polcy = \"x\"\n", &[&good]);
    assert_eq!((answer.code, answer.stdout.as_str()), (2, ""));
    for words in [
        "is not a configuration",
        "line 1, column 1",
        "did you mean `policy`?",
    ] {
        assert!(
            answer.stderr.contains(words),
            "no `{words}` in {}",
            answer.stderr
        );
    }
    let answer = check(
        "base-model = \"togethercomputer/llama-2-7b-chatt\"\n",
        &[&good],
    );
    assert_eq!(answer.code, 2);
    assert!(
        answer
            .stderr
            .contains("did you mean `togethercomputer/llama-2-7b-chat`?"),
        "{answer:#?}"
    );
    let run = |path: &str| {
        let program = Program::new().args(["check", &good, "--config", path]);
        program.run()
    };
    run("/dev/zero").complains(
        2,
        "error: cannot read the configuration `/dev/zero`: not a regular file",
    );
    assert_eq!(run("./nowhere.toml").code, 2);
    assert_eq!(check("", &[&good, "--config", "x", "--no-config"]).code, 2);
}

#[test]
fn init_writes_one_that_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let init = |args: &[&str]| {
        Program::new()
            .inside(dir.path())
            .arg("init")
            .args(args)
            .run()
    };
    let answer = init(&[]);
    assert_eq!(
        (answer.code, answer.stderr.as_str()),
        (0, "wrote `byom-preflight.toml`\n")
    );
    init(&[]).complains(
        2,
        "error: `byom-preflight.toml` exists; `--force` writes it anew",
    );
    fs::write(dir.path().join(NAME), "x").unwrap();
    assert_eq!(init(&["--force"]).code, 0);
    let repo = Repo::sound();
    let report = |args: &[&str]| {
        let program = Program::new()
            .inside(dir.path())
            .arg("check")
            .arg(repo.path());
        program.args(args).args(["--format", "json"]).run().json()
    };
    let (with, without) = (report(&[]), report(&["--no-config"]));
    assert_eq!(
        crate::program::without_times(with),
        crate::program::without_times(without)
    );
}
