//! The commands that show what the program knows.

use serde_json::Value;

use crate::program::{Answer, Program};
use crate::repo::Repo;

fn run(args: &[&str]) -> Answer {
    let answer = Program::new().args(args).run();
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{args:?}");
    assert!(answer.stdout.ends_with('\n'), "{args:?}");
    answer
}

/// First words of the lines of a list, without its heads and its foot.
fn first_words(list: &str) -> Vec<&str> {
    let rows = list.lines().skip(1).take_while(|line| !line.is_empty());
    rows.filter(|line| !line.starts_with([' ', '-']))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

fn rule_ids() -> Vec<String> {
    let list = run(&["rules"]).stdout;
    first_words(&list).into_iter().map(str::to_owned).collect()
}

#[test]
fn every_rule_of_the_list_is_explained() {
    let ids = rule_ids();
    assert!(ids.len() >= 20, "{ids:?}");
    for id in &ids {
        let page = run(&["explain", id]).stdout;
        assert!(page.contains(id.as_str()), "{id}: {page}");
        for heading in ["What it checks", "Why it matters", "How to fix it"] {
            assert!(page.contains(heading), "{id} lacks `{heading}`:\n{page}");
        }
        // Examples are shown as they are, and an address has no place to break it.
        let prose = page
            .lines()
            .filter(|line| !line.starts_with("    ") && !line.contains("://"));
        let wide: Vec<&str> = prose.filter(|line| line.chars().count() > 80).collect();
        assert_eq!(wide, [""; 0], "{id}");
    }
}

#[test]
fn every_rule_of_a_report_is_in_the_list() {
    let ids = rule_ids();
    let report = crate::program::report([Repo::empty().path()]);
    for row in report["models"][0]["rules"].as_array().unwrap() {
        let id = row["id"].as_str().unwrap();
        assert!(ids.iter().any(|known| known == id), "{id}");
    }
}

#[test]
fn levels_are_those_of_the_policy() {
    let level = |policy: &str| {
        let list = run(&["rules", "--policy", policy]).stdout;
        let row = list
            .lines()
            .find(|line| line.starts_with("weights-not-safetensors"))
            .unwrap()
            .to_owned();
        assert!(list.contains(&format!("Levels of policy {policy}")));
        row.split_whitespace()
            .skip(1)
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(level("together-2025-11"), ["warning", "error"]);
    assert_eq!(level("together-2026-07"), ["error", "error"]);
}

/// Pointers give bounds of a size, of which no factor can be told.
#[test]
fn a_size_with_bounds_only_has_no_factor() {
    let fixture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/qwen2.5-7b-instruct-lfs-pointers"
    );
    let ranking = run(&["base-models", fixture]).stdout;
    let row = ranking
        .lines()
        .find(|line| line.ends_with("  Qwen/Qwen2.5-3B-Instruct"));
    let cells: Vec<_> = row.unwrap().split_whitespace().take(3).collect();
    assert_eq!(cells, ["yes", "qwen2", "?"], "{ranking}");
    let told = "B parameters, the checkpoint has between ";
    assert!(
        ranking.contains(told) && !ranking.contains("near the checkpoint's"),
        "{ranking}"
    );
}

/// What was not compared is no proposal.
#[test]
fn best_base_models_are_those_that_suit() {
    let fixture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/llama-3.1-8b-instruct"
    );
    for format in ["table", "markdown"] {
        let report = run(&[
            "check",
            fixture,
            "--policy",
            "together-2026-07",
            "--target",
            "fine-tune",
            "--format",
            format,
        ])
        .stdout;
        assert!(
            report.contains("Best base models: ") && !report.contains("nvidia/Nemotron"),
            "{report}"
        );
    }
}

#[test]
fn base_models_are_listed_and_ranked() {
    let list = run(&["base-models"]).stdout;
    assert!(list.contains("togethercomputer/llama-2-7b-chat"), "{list}");
    let newer = run(&["base-models", "--policy", "together-2026-07"]).stdout;
    assert_ne!(list, newer);

    let repo = Repo::sound();
    let ranking = run(&["base-models", repo.path().to_str().unwrap()]).stdout;
    let compatible = |line: &&str| line.starts_with("yes ");
    let rows: Vec<_> = ranking
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect();
    assert!(rows.len() > 20, "{ranking}");
    assert!(
        rows.first().is_some_and(compatible),
        "the best first: {ranking}"
    );
    assert!(
        !rows.last().is_some_and(compatible),
        "the worst last: {ranking}"
    );

    let path = repo.path().to_str().unwrap();
    let json = run(&["base-models", path, "--format", "json"]).json();
    assert_eq!(json["base_models"].as_array().unwrap().len(), rows.len());
    let report = crate::program::report([repo.path()]);
    assert_eq!(json["base_models"], report["models"][0]["base_models"]);
    assert_eq!(json["catalog"]["as_of"], report["catalog"]["as_of"]);
    let best = json["base_models"][0]["name"].as_str().unwrap();
    assert!(
        ranking.contains(&format!("\n\n{best}\n- ")),
        "the best explained: {ranking}"
    );
    let all = run(&["base-models", "--format", "json"]).json();
    assert_eq!(all["base_models"].as_array().unwrap().len(), rows.len());
    let verbose = run(&["base-models", path, "--verbose"]).stdout;
    assert!(verbose.lines().count() > ranking.lines().count() + rows.len());

    // Each method and training type has its own limits.
    let context = |more: &[&str]| {
        let answer = run(&[&["base-models", path, "--format", "json"], more].concat()).json();
        let rows = answer["base_models"].as_array().unwrap().clone();
        let named = |row: &&Value| row["name"] == "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference";
        rows.iter().find(named).unwrap()["context"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(context(&["--training-type", "lora"]), 131_072);
    assert_eq!(context(&["--method", "dpo"]), 65_536);
    assert_eq!(context(&["--training-type", "full"]), 32_768);

    let nothing = Repo::empty();
    let answer = Program::new().arg("base-models").arg(nothing.path()).run();
    let input = nothing.path().display();
    answer.complains(
        3,
        &format!("error: `{input}` cannot be compared: its config.json could not be read"),
    );
    Program::new()
        .args(["base-models", "./nowhere"])
        .run()
        .complains(2, "error: no such folder: `./nowhere`");
}

#[test]
fn hardware_of_each_policy() {
    let old = run(&["hardware"]).stdout;
    assert!(old.contains("1x_nvidia_h100_80gb_sxm"), "{old}");
    let new = run(&["hardware", "--policy", "together-2026-07"]).stdout;
    assert!(first_words(&new).len() > 3, "{new}");
    for line in old.lines().chain(new.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    // Of 28 April 2026, so old whenever this runs.
    let words: Vec<&str> = old.split_whitespace().collect();
    assert!(
        words
            .join(" ")
            .contains("(built-in), more than 90 days ago"),
        "{old}"
    );
}

#[test]
fn the_schema_is_one() {
    let schema = run(&["schema"]).json();
    assert_eq!(schema["properties"]["schema_version"]["const"], 1);
    jsonschema::validator_for(&schema).expect("a schema");
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(!validator.is_valid(&Value::Null), "it can refuse");
    let good = crate::program::report([Repo::sound().path()]);
    assert!(validator.is_valid(&good));
}

#[test]
fn completions_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]).stdout;
        for word in ["byom-preflight", "base-models", "fail-on", "exit-zero"] {
            assert!(script.contains(word), "{shell} does not complete `{word}`");
        }
    }
}

/// What bash offers where a user asks it to complete the last of these words.
#[cfg(unix)]
fn completed_by_bash(words: &[&str]) -> String {
    let script = r#"
        source <(byom-preflight completions bash)
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        complete_with=$(complete -p byom-preflight); complete_with=${complete_with##*-F }
        "${complete_with%% *}" byom-preflight "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
        echo "${COMPREPLY[@]}""#;
    let program = Program::shell("exec bash -c \"$0\" bash \"$@\"");
    let answer = program.arg(script).args(words).run();
    assert_eq!(answer.code, 0, "{answer:#?}");
    answer.stdout
}

#[test]
#[cfg(unix)]
fn bash_completes_subcommands_too() {
    for (words, offered) in [
        (&["ca"][..], "cache"),
        (&["check", "--exit"], "--exit-zero"),
        (&["check", "--format", "sa"], "sarif"),
        (&["cache", "cl"], "clear"),
        (&["base-models", "--training"], "--training-type"),
    ] {
        let words = [&["byom-preflight"], words].concat();
        let answer = completed_by_bash(&words);
        assert_eq!(answer.trim(), offered, "{words:?}");
    }
}

#[test]
fn version_and_help() {
    for flag in ["--version", "-V"] {
        assert_eq!(
            run(&[flag]).stdout,
            format!("byom-preflight {}\n", env!("CARGO_PKG_VERSION"))
        );
    }
    let help = run(&["--help"]).stdout;
    assert!(
        help.contains("Exit codes: 0 pass, 1 fail, 2 wrong usage, 3 undecided"),
        "{help}"
    );
    for command in [
        "check",
        "explain",
        "rules",
        "base-models",
        "hardware",
        "schema",
        "completions",
        "record",
    ] {
        let help = run(&[command, "--help"]).stdout;
        assert!(help.contains("Usage: byom-preflight"), "{command}");
    }
}
