//! The memory estimate: every verdict follows from the numbers beside it. What the guide shows is run with
//! the examples of all pages.

use serde_json::Value;

use crate::program::{Program, root};

fn program() -> Program {
    Program::new().env("LANG", "C.UTF-8").inside(&root())
}

/// The verdict of an option from nothing but its numbers in the report.
fn derived(option: &Value, context: u64) -> &'static str {
    let number = |key: &str| option[key].as_u64();
    let usable = number("usable_bytes_per_gpu").unwrap();
    let said = option["verdict"].as_str().unwrap();
    let parts = ["weights", "overhead"].map(|part| number(&format!("{part}_bytes_per_gpu")));
    let [Some(weights), Some(overhead)] = parts else {
        let why = option["because"]
            .as_str()
            .expect("without numbers there is a reason");
        assert!(!why.is_empty());
        assert_eq!(option["needed_bytes_per_gpu"], Value::Null);
        return if said == "cannot-split" {
            "cannot-split"
        } else {
            "unknown"
        };
    };
    let missing = number("missing_bytes_per_gpu").unwrap_or(0);
    let Some(cache) = number("cache_bytes_per_gpu") else {
        assert_eq!(missing, (weights + overhead).saturating_sub(usable));
        return if missing > 0 {
            "does-not-fit"
        } else {
            "unknown"
        };
    };
    let needed = weights.saturating_add(overhead).saturating_add(cache);
    assert_eq!(
        number("needed_bytes_per_gpu"),
        Some(needed),
        "the parts add up"
    );
    assert_eq!(missing, needed.saturating_sub(usable));
    let longest = number("max_context");
    match longest {
        _ if needed <= usable => {
            assert!(longest.is_none_or(|longest| longest >= context));
            "fits"
        }
        Some(1..) => {
            assert!(longest.is_some_and(|longest| longest < context));
            "fits-with-shorter-context"
        }
        _ => "does-not-fit",
    }
}

#[test]
fn every_verdict_follows_from_the_numbers_of_the_report() {
    let requests: [&[&str]; 5] = [
        &[],
        &["--context", "131072", "--sequences", "64"],
        &[
            "--context",
            "18446744073709551615",
            "--sequences",
            "18446744073709551615",
        ],
        &["--kv-dtype", "fp8", "--gpu-memory-utilization", "0.3"],
        &["--policy", "together-2026-07", "--gpu-count", "4"],
    ];
    let mut seen = std::collections::BTreeSet::new();
    for request in requests {
        let mut paths: Vec<_> = std::fs::read_dir(root().join("fixtures"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("recording.json").exists())
            .collect();
        paths.sort();
        let answer = program()
            .args(["check", "--format", "json"])
            .args(&paths)
            .args(request)
            .run();
        let report = answer.json();
        for model in report["models"].as_array().unwrap() {
            let fit = &model["fit"];
            let options = fit["options"].as_array().unwrap();
            for option in options {
                let expected = derived(option, fit["context"].as_u64().unwrap());
                assert_eq!(option["verdict"], expected, "{request:?} {option}");
                seen.insert(expected);
            }
            let first = options.iter().find(|option| option["verdict"] == "fits");
            let first = first.map_or(&Value::Null, |option| &option["hardware"]);
            assert_eq!(&fit["smallest"], first);
            let commands = fit["endpoint_commands"].as_array().unwrap();
            assert_eq!(commands.is_empty(), first.is_null());
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}

/// A user's own context and share are never what fails the rule.
#[test]
fn the_rule_asks_for_the_floor_alone() {
    let rule = |args: &[&str]| {
        let report = program()
            .args([
                "check",
                "fixtures/llama-3.1-8b-instruct",
                "--format",
                "json",
            ])
            .args(args)
            .run()
            .json();
        let model = report["models"][0].clone();
        let rules = model["rules"].as_array().unwrap().clone();
        let row = rules.into_iter().find(|row| row["id"] == "node-too-small");
        (
            row.unwrap()["outcome"].clone(),
            model["fit"]["smallest"].clone(),
        )
    };
    let (outcome, smallest) = rule(&["--gpu-memory-utilization", "0.01"]);
    assert_eq!((outcome.as_str(), smallest), (Some("pass"), Value::Null));
    let (outcome, smallest) = rule(&["--context", "131072", "--sequences", "100000"]);
    assert_eq!((outcome.as_str(), smallest), (Some("pass"), Value::Null));
}

#[test]
fn the_options_of_the_estimate_are_in_the_report() {
    let fit = |args: &[&str]| {
        let answer = program()
            .args([
                "check",
                "fixtures/llama-3.1-8b-instruct",
                "--format",
                "json",
            ])
            .args(args)
            .run();
        answer.json()["models"][0]["fit"].clone()
    };
    let plain = fit(&[]);
    assert_eq!(plain["kv_dtype"], "BF16");
    assert_eq!(plain["gpu_memory_utilization"], 0.9);
    let other = fit(&["--kv-dtype", "fp8", "--gpu-memory-utilization", "0.5"]);
    assert_eq!(other["kv_dtype"], "FP8");
    assert_eq!(other["gpu_memory_utilization"], 0.5);
    let number = |fit: &Value, key: &str| fit["options"][0][key].as_u64().unwrap();
    let cache = "cache_bytes_per_gpu";
    assert_eq!(number(&plain, cache), 2 * number(&other, cache));
    let usable = "usable_bytes_per_gpu";
    assert!(number(&other, usable) * 9 / 5 <= number(&plain, usable));
    assert_eq!(plain["training"]["is_estimate"], true);
    assert_eq!(plain["training"]["lora_rank"], 64);

    for wrong in ["0", "1.5", "90", "nan"] {
        let answer = program()
            .args(["check", "x/y", "--gpu-memory-utilization", wrong])
            .run();
        assert_eq!(answer.code, 2, "{wrong}");
        assert!(
            answer.stderr.contains("above 0 and at most 1"),
            "{answer:?}"
        );
    }
}

#[test]
fn bars_are_ascii_where_the_locale_is() {
    let table = |locale: [(&str, &str); 2]| {
        let mut program = Program::new().inside(&root());
        for (name, value) in locale {
            program = program.env(name, value);
        }
        let arguments = [
            "check",
            "fixtures/llama-3.1-8b-instruct",
            "--target",
            "upload",
        ];
        program.args(arguments).run().stdout
    };
    for locale in [
        [("LANG", "C"), ("TERM", "xterm")],
        [("LANG", "en_US.UTF-8"), ("LC_ALL", "POSIX")],
        [("LANG", "de_DE.ISO-8859-1"), ("LC_ALL", "")],
    ] {
        let text = table(locale);
        assert!(
            text.contains("# weights = cache + overhead . free | usable"),
            "{text}"
        );
        assert!(text.is_ascii(), "{text}");
    }
    let text = table([("LANG", "C"), ("LC_CTYPE", "en_US.utf8")]);
    assert!(
        text.contains("█ weights ▒ cache ░ overhead · free │ usable"),
        "{text}"
    );
}
