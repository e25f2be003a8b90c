//! The memory estimate: every verdict follows from the numbers beside it. What the guide shows is run with
//! the examples of all pages.

use std::collections::BTreeSet;

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
        assert_eq!(number("needed_bytes_per_gpu"), None);
        assert_eq!(missing, (weights + overhead).saturating_sub(usable));
        return if missing > 0 {
            "does-not-fit"
        } else {
            "unknown"
        };
    };
    let needed = weights + overhead + cache;
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

/// What a line shows as needed and usable, in units of the last decimal, and what stands after.
fn numbers(line: &str) -> Option<(Option<u64>, u64, &str)> {
    let (before, after) = line.split_once(" of ")?;
    let needed = before.rsplit([' ', '>']).next()?;
    let (usable, rest) = after.split_at(after.find([' ', '|']).unwrap_or(after.len()));
    let (_, decimals) = usable.split_once('.')?;
    let units = |text: &str| text.replace('.', "").parse::<u64>().ok();
    if needed == "-" {
        return Some((None, units(usable)?, rest));
    }
    let shown = needed.split_once('.')?.1;
    assert_eq!(shown.len(), decimals.len(), "compared at a glance: {line}");
    Some((Some(units(needed)?), units(usable)?, rest))
}

/// The first word of every verdict of a format for people, each derived from the numbers beside it.
fn shown_verdicts(text: &str) -> Vec<&'static str> {
    let mut badge = "";
    let mut verdicts = Vec::new();
    for line in text.lines() {
        if let Some((_, after)) = line.split_once("<span class=\"badge\">") {
            badge = after;
        }
        let Some((needed, usable, rest)) = numbers(line) else {
            continue;
        };
        let units = |text: &str| text.replace('.', "").parse::<u64>().unwrap();
        let is_html = line.starts_with("<p");
        let said = if is_html {
            badge
        } else {
            rest.trim_start_matches(" GiB:")
                .trim_start_matches([' ', '|'])
        };
        if line.starts_with("<svg") || said.is_empty() {
            continue;
        }
        let Some(needed) = needed else {
            assert!(
                said.starts_with("cannot split:") || said.starts_with("unknown:"),
                "{line}"
            );
            verdicts.push(if said.starts_with('c') {
                "cannot"
            } else {
                "unknown"
            });
            continue;
        };
        verdicts.push(
            if let Some((missing, _)) = said.split_once(" GiB too much") {
                assert_eq!(
                    needed.checked_sub(usable),
                    Some(units(missing)),
                    "{line} {said}"
                );
                assert!(units(missing) > 0, "{line} {said}");
                "too much"
            } else if said.starts_with("only up to ") {
                assert!(needed > usable, "{line} {said}");
                "only"
            } else {
                assert!(
                    said.starts_with("fits") && needed <= usable,
                    "{line} {said}"
                );
                "fits"
            },
        );
        if let (true, Some((_, parts))) = (is_html, rest.split_once(": ")) {
            let words = parts.trim_end_matches("</p>").split([' ', ',']);
            let parts = words.filter(|word| word.contains('.')).map(units);
            assert_eq!(parts.sum::<u64>(), needed, "{line}");
        }
    }
    verdicts
}

#[test]
fn every_verdict_follows_from_the_numbers_of_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["table", "markdown", "html"].map(|format| (format, folder.path().join(format)));
    // What one H100 holds of the cache of gpt-oss-120b beside its weights, and one token more.
    let requests: [&[&str]; 7] = [
        &[],
        &["--context", "59954"],
        &["--context", "59955"],
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
    let (mut seen, mut shown) = (BTreeSet::new(), BTreeSet::new());
    for request in requests {
        let mut paths: Vec<_> = std::fs::read_dir(root().join("fixtures"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("recording.json").exists())
            .collect();
        paths.sort();
        let formats = files
            .each_ref()
            .map(|(format, path)| format!("--format={format}={}", path.display()));
        let answer = program()
            .args(["check", "--format", "json", "--verbose"])
            .args(formats)
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
        let drawn = files
            .each_ref()
            .map(|(_, path)| shown_verdicts(&std::fs::read_to_string(path).unwrap()));
        assert!(drawn[0].len() > 90, "{}", drawn[0].len());
        // A model whose options are all unknown has no picture.
        let known = drawn.each_ref().map(|verdicts| {
            let mut known = verdicts.clone();
            known.retain(|&verdict| verdict != "unknown");
            known
        });
        assert_eq!(known[0], known[1], "{request:?}");
        assert_eq!(known[0], known[2], "{request:?}");
        shown.extend(drawn.into_iter().flatten());
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert_eq!(shown.len(), 5, "{shown:?}");
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
