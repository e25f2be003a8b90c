//! The fixtures as a stranger would try them.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::program::{Program, root, rules_of};

const GOLDEN: &str = "tests/it/golden/verdicts.txt";
const TARGETS: [&str; 2] = ["upload", "fine-tune"];

fn names() -> Vec<String> {
    let entries = fs::read_dir(root().join("fixtures"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let recordings = entries.filter(|path| path.join("recording.json").is_file());
    let mut names: Vec<String> = recordings
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// Each fixture's exit code, verdicts and the rules that made them; each report as the schema has it.
#[test]
fn verdicts() {
    let schema = Program::new().arg("schema").run().json();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let mut found = String::new();
    for name in names() {
        let path = root().join("fixtures").join(&name);
        let answer = Program::new()
            .args(["check", "--format", "json"])
            .arg(path)
            .run();
        let report = answer.json();
        let errors: Vec<String> = validator
            .iter_errors(&report)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, [""; 0], "{name}");
        assert_eq!(answer.stderr, "", "{name}");
        write!(
            found,
            "{name}: exit {}\n{}",
            answer.code,
            summary(&report["models"][0])
        )
        .unwrap();
    }
    compare(&found);
}

fn summary(model: &Value) -> String {
    let mut text = String::new();
    for target in TARGETS {
        writeln!(
            text,
            "  {target} {}",
            model["verdicts"][target].as_str().unwrap()
        )
        .unwrap();
        for outcome in ["fail", "unknown", "warn"] {
            let mut ids = rules_of(model, target, outcome);
            // Only what can move a verdict: a note never does.
            ids.retain(|id| *id != "policy-outdated");
            ids.sort_unstable();
            if !ids.is_empty() {
                writeln!(text, "    {outcome}: {}", ids.join(", ")).unwrap();
            }
        }
    }
    text
}

#[track_caller]
fn compare(found: &str) {
    let path = root().join(GOLDEN);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, found).expect("writable");
        return;
    }
    let expected = fs::read_to_string(&path).expect("the golden file");
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(
            found,
            expected,
            "{GOLDEN}:{}; UPDATE_GOLDEN=1 writes it anew",
            number + 1
        );
    }
    assert_eq!(
        found.lines().count(),
        expected.lines().count(),
        "{GOLDEN}; UPDATE_GOLDEN=1 writes it anew"
    );
}

/// The command of the README, as it stands there.
#[test]
fn the_main_job() {
    let command = "fixtures/smollm2-1.7b-instruct --base-model togethercomputer/llama-2-7b-chat";
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("cargo run --release -- check {command}")));
    let answer = Program::new()
        .inside(&root())
        .arg("check")
        .args(command.split(' '))
        .run();
    assert_eq!(answer.code, 0, "{answer:#?}");
    assert!(answer.stdout.starts_with("PASS"), "{}", answer.stdout);
    let last = answer.stdout.trim_end().rsplit("\n\n").next().unwrap();
    for word in [
        "together fine-tuning create",
        "--model togethercomputer/llama-2-7b-chat",
        "--from-hf-model HuggingFaceTB/SmolLM2-1.7B-Instruct",
    ] {
        assert!(last.contains(word), "no `{word}` at the end: {last}");
    }
}

#[test]
fn a_model_that_fails_has_no_command_to_submit_it() {
    for (name, target) in [
        ("t5-base", "fine-tune"),
        ("llama-3.1-405b-instruct", "fine-tune"),
        ("broken-index", "upload"),
    ] {
        let path = root().join("fixtures").join(name);
        let answer = Program::new()
            .arg("check")
            .arg(path)
            .args(["--target", target, "--format", "json"])
            .run();
        assert_eq!(answer.code, 1, "{name}");
        assert_eq!(
            answer.json()["models"][0]["next"]["command"],
            Value::Null,
            "{name}"
        );
    }
}

/// The wrong count lets gpt-oss-120b pass: 63 billion elements are stored.
#[test]
fn packed_weights_are_counted_as_what_they_hold() {
    let path = root().join("fixtures/gpt-oss-120b");
    let report = Program::new()
        .args(["check", "--format", "json"])
        .arg(path)
        .run()
        .json();
    let parameters = &report["models"][0]["facts"]["parameters"];
    assert_eq!(parameters["total"], 116_829_156_672_u64);
    assert_eq!(parameters["stored_elements"], 63_081_444_672_u64);
}
