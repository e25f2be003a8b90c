//! What each format looks like. `UPDATE_GOLDEN=1 cargo test -p preflight-report` writes the files
//! anew; the difference is reviewed like code.

use std::path::PathBuf;

use preflight_report::checkout::{Checkout, Location};
use preflight_report::table::TableOptions;
use preflight_report::{
    github, gitlab, html, json, jsonl, junit, lists, markdown, page, sarif, table,
};
use preflight_rules::RULES;
use preflight_rules::report::{FitVerdict, Report, Target, Verdict};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::sample;

const PLAIN: TableOptions = TableOptions {
    width: 80,
    colour: false,
    unicode: false,
    verbose: false,
};

#[test]
fn table() {
    for (name, report) in [
        ("good", sample::good()),
        ("hostile", sample::hostile()),
        ("adapter", sample::adapter()),
        ("several", sample::several()),
    ] {
        for width in [80, 120] {
            let unicode = width == 80;
            let text = drawn(
                &report,
                TableOptions {
                    width,
                    unicode,
                    ..PLAIN
                },
            );
            assert_is_safe(&text);
            assert_fits(&text, usize::from(width));
            assert_is_golden(&format!("{name}-{width}.txt"), &text);
        }
    }
}

#[test]
fn verbose_table() {
    let options = TableOptions {
        verbose: true,
        ..PLAIN
    };
    let text = drawn(&sample::hostile(), options);
    assert_is_safe(&text);
    assert_fits(&text, 80);
    assert_is_golden("hostile-verbose-80.txt", &text);
}

#[test]
fn a_good_model_fits_on_a_screen_and_ends_with_the_command() {
    let report = sample::good();
    let text = drawn(&report, PLAIN);
    assert!(text.lines().count() <= 38, "{} lines", text.lines().count());
    let (_, command) = report.models[0].next.last().unwrap();
    assert_eq!(text.lines().last(), Some(command.as_str()));
}

#[test]
fn any_width_is_drawn() {
    for width in [0, 1, 29, 40, u16::MAX] {
        let text = drawn(&sample::several(), TableOptions { width, ..PLAIN });
        assert_is_safe(&text);
        assert!(text.contains("FAIL"), "{width}");
    }
}

#[test]
fn the_hardware_before_the_smallest_shows_why_not_less() {
    let mut report = sample::good();
    report.models[0].fit.smallest = Some("4x_nvidia_h100_80gb_sxm".into());
    let text = drawn(&report, PLAIN);
    let shown: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once("_nvidia_"))
        .map(|(count, _)| count)
        .collect();
    assert_eq!(shown, ["2x", "4x", "8x"]);
}

#[test]
fn a_model_too_large_for_all_hardware_is_shown_the_largest() {
    let mut report = sample::good();
    let fit = &mut report.models[0].fit;
    fit.smallest = None;
    for option in &mut fit.options {
        option.verdict = FitVerdict::DoesNotFit;
        option.missing_bytes_per_gpu = Some(1 << 30);
        option.needed_bytes_per_gpu = Some(option.usable_bytes_per_gpu + (1 << 30));
    }
    let text = drawn(&report, PLAIN);
    assert!(
        text.contains("None of the hardware here is large enough for 1 sequence of 4096 tokens")
    );
    let last = text.lines().find(|line| line.contains("8x_nvidia_h200"));
    assert!(
        last.is_some_and(|line| line.ends_with("  1.0 GiB too much")),
        "{text}"
    );
}

#[test]
fn a_narrow_terminal_shows_the_same_one_below_the_other() {
    let mut report = sample::hostile();
    report.models[0].rules.clear();
    let options = TableOptions {
        width: 44,
        verbose: true,
        ..PLAIN
    };
    let text = drawn(&report, options);
    let start = text.find("  1x_nvidia_h100").unwrap();
    let shown: Vec<&str> = text[start..].lines().take(3).collect();
    assert_eq!(
        shown,
        [
            "  1x_nvidia_h100_80gb_sxm",
            "    ###############|############==+",
            "    147.6 of 71.6 GiB: 76.0 GiB too much",
        ]
    );
    for line in text[start..].lines().take_while(|line| !line.is_empty()) {
        assert!(line.is_ascii() && line.len() <= 44, "{line}");
    }
}

#[test]
fn warnings_that_fail_are_named_beside_the_verdict() {
    let mut report = sample::hostile();
    let model = &mut report.models[0];
    model.verdicts = vec![(Target::Upload, Verdict::Fail)];
    let text = drawn(&report, PLAIN);
    let first = text.lines().next();
    assert_eq!(
        first,
        Some("FAIL  upload  transformers-too-new, chat-template-missing")
    );
}

#[test]
fn colour_changes_nothing_but_the_verdict_words() {
    let report = sample::several();
    let coloured = drawn(
        &report,
        TableOptions {
            colour: true,
            ..PLAIN
        },
    );
    assert!(coloured.contains("\x1b[1;32mPASS\x1b[0m"));
    assert!(coloured.contains("\x1b[1;33mUNDECIDED\x1b[0m"));
    assert!(coloured.contains("\x1b[1;31mFAIL\x1b[0m"));
    let mut plain = coloured;
    for code in ["\x1b[1;31m", "\x1b[1;32m", "\x1b[1;33m", "\x1b[0m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, drawn(&report, PLAIN));
}

#[test]
fn json() {
    for (name, report) in [
        ("good", sample::good()),
        ("hostile", sample::hostile()),
        ("adapter", sample::adapter()),
    ] {
        let mut out = vec![];
        json::write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_is_safe(&text);
        assert_is_golden(&format!("{name}.json"), &text);
    }
}

#[test]
fn json_lines() {
    let report = sample::several();
    let mut out = vec![];
    jsonl::write(&report, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_is_safe(&text);
    assert_eq!(text.lines().count(), report.models.len());
    assert_is_golden("several.jsonl", &text);
}

/// Formats whose readers open files of the checkout: with the model in it, and with a place that the
/// user named.
#[test]
fn formats_of_a_checkout() {
    type Write = fn(&Report, &Checkout, &mut dyn std::io::Write) -> std::io::Result<()>;
    let formats: [(&str, Write); 3] = [
        ("sarif", sarif::write),
        ("github", github::write),
        ("gitlab.json", gitlab::write),
    ];
    let written = |write: Write, report: &Report, checkout: &Checkout| {
        let mut out = vec![];
        write(report, checkout, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_is_safe(&text);
        without_rules(text)
    };
    let named = Checkout {
        location: Some(Location {
            path: "models.yaml".into(),
            line: 12,
            column: None,
        }),
        ..checkout()
    };
    for (extension, write) in formats {
        for (name, report) in [("good", sample::good()), ("hostile", sample::hostile())] {
            let text = written(write, &report, &checkout());
            assert_is_golden(&format!("{name}.{extension}"), &text);
        }
        let text = written(write, &sample::several(), &named);
        assert_is_golden(&format!("several-named.{extension}"), &text);
    }
}

/// A SARIF log without the rules' pages, which have tests of their own; any other text as it is.
fn without_rules(text: String) -> String {
    let Ok(Value::Object(mut log)) = serde_json::from_str(&text) else {
        return text;
    };
    let Some(run) = log.get_mut("runs").and_then(|runs| runs.get_mut(0)) else {
        return text;
    };
    let rules = run["tool"]["driver"]["rules"].take();
    assert_eq!(rules.as_array().unwrap().len(), RULES.len());
    format!("{}\n", serde_json::to_string_pretty(&log).unwrap())
}

fn checkout() -> Checkout {
    Checkout {
        root: "/src".into(),
        root_also: vec![],
        folder: "/src/work".into(),
        location: None,
    }
}

#[test]
fn junit() {
    for (name, report) in [("good", sample::good()), ("several", sample::several())] {
        let mut out = vec![];
        junit::write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_is_safe(&text);
        assert_is_golden(&format!("{name}.xml"), &text);
    }
}

#[test]
fn html() {
    for (name, report) in [("good", sample::good()), ("several", sample::several())] {
        let mut out = vec![];
        html::write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_is_safe(&text);
        let (head, rest) = text.split_once("<style>").unwrap();
        let (_, body) = rest.split_once("</style>").unwrap();
        assert_is_golden(&format!("{name}.html"), &format!("{head}{body}"));
    }
}

#[test]
fn markdown() {
    for (name, report) in [
        ("good", sample::good()),
        ("hostile", sample::hostile()),
        ("several", sample::several()),
    ] {
        let mut out = vec![];
        markdown::write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_is_safe(&text);
        assert_is_golden(&format!("{name}.md"), &text);
    }
}

#[test]
fn markdown_is_cut_between_blocks() {
    let report = sample::several();
    let at_most = |bytes_max| {
        let mut out = vec![];
        markdown::write_at_most(&report, bytes_max, &mut out).unwrap();
        assert!(out.len() <= bytes_max, "{} of {bytes_max}", out.len());
        String::from_utf8(out).unwrap()
    };
    let mut whole = vec![];
    markdown::write(&report, &mut whole).unwrap();
    let whole = String::from_utf8(whole).unwrap();
    assert_eq!(at_most(whole.len()), whole);
    for bytes_max in (0..whole.len()).step_by(97) {
        let cut = at_most(bytes_max);
        let start = cut.split("\nThe rest is left out").next().unwrap();
        assert!(whole.starts_with(start), "{bytes_max}: {cut}");
        assert!(cut.is_empty() || cut.ends_with("too long for this place.\n"));
    }
}

#[test]
fn list() {
    let rows = [
        [
            "togethercomputer/llama-2-7b-chat",
            "4096",
            "same architecture, smaller context than the checkpoint's, so pass `--max-seq-length 4096`",
        ],
        [
            "Qwen/通义千问-7B",
            "-",
            "another \x1b[31marchitecture\nthan the checkpoint's",
        ],
        [
            "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference",
            "131072",
            "",
        ],
    ];
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.map(String::from).to_vec())
        .collect();
    let text = lists::list(&["base model", "context", "remarks"], &rows, 100);
    assert_is_safe(&text);
    assert_fits(&text, 100);
    assert_is_golden("list-100.txt", &text);
    assert_eq!(lists::list(&["id", "summary"], &[], 80), "id  summary\n");
}

#[test]
fn page() {
    let markdown = "\
# shard-missing

## What it checks

Every shard that `model.safetensors.index.json` names is in the repository, under exactly that
name. See <https://huggingface.co/docs/safetensors/index>.

- first, an item that is long enough to be continued on a line that is indented like its first one
- second
10. `hf upload org/name . --include '*.safetensors' --commit-message 'add the missing shards'`

```repo
//- config.json
{\"model_type\": \"llama\",     \"a very long line of JSON that is not wrapped because it is code\": true}
# not a heading
```
Prose after code.
";
    let text = page::plain(markdown, 60);
    assert_is_safe(&text);
    assert_is_golden("page-60.txt", &text);
}

fn drawn(report: &Report, options: TableOptions) -> String {
    let mut out = vec![];
    table::write(report, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// No character that a terminal acts upon, or that hides or reverses what stands around it.
fn assert_is_safe(text: &str) {
    let fools = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    assert_eq!(text.chars().find(fools), None, "{text:?}");
}

/// No line is wider than asked, but for what is never broken: a command, a path.
fn assert_fits(text: &str, width: usize) {
    for line in text.lines() {
        let copied = line.trim_start();
        let is_whole = !copied.contains(' ')
            || ["together ", "at ", "all at ", "`hf "]
                .iter()
                .any(|start| copied.starts_with(start));
        assert!(
            line.width() <= width || is_whole,
            "{} columns: {line}",
            line.width()
        );
        assert_eq!(line, line.trim_end(), "no line ends with a space");
    }
}

fn assert_is_golden(name: &str, actual: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", name]
        .iter()
        .collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; is now:\n{actual}",
        path.display()
    );
}
