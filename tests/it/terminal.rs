//! What a repository says never reaches the terminal raw: names are chosen by strangers.

use serde_json::json;

use crate::program::{Program, check, report};
use crate::repo::{CONFIG, INDEX, Repo, SHARDS, Tensor, WEIGHTS, tensors};

/// Clears the screen, sets a title, turns the writing round, and pretends to be another line.
const NASTY: &str = "a\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}b\r\nPASS  upload\u{9b}31m\0\u{feff}";

#[track_caller]
fn assert_tame(text: &str) {
    let bad = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    assert_eq!(text.chars().find(bad), None, "{text:?}");
    assert!(
        !text
            .lines()
            .any(|line| line.trim_start().starts_with("PASS  upload\u{9b}")),
        "{text}"
    );
}

#[test]
fn escapes_in_files_are_shown_not_obeyed() {
    let with = |change: &dyn Fn(&Repo)| {
        let repo = Repo::sharded();
        change(&repo);
        repo
    };
    let repos = [
        with(&|repo| {
            repo.edit(CONFIG, |config| config["model_type"] = json!(NASTY));
        }),
        with(&|repo| {
            repo.edit(CONFIG, |config| config["architectures"] = json!([NASTY]));
        }),
        with(&|repo| {
            repo.edit(CONFIG, |config| config["torch_dtype"] = json!(NASTY));
        }),
        with(&|repo| {
            repo.edit(CONFIG, |config| {
                config["transformers_version"] = json!(NASTY);
            });
        }),
        with(&|repo| {
            repo.edit(CONFIG, |config| {
                config["quantization_config"] = json!({"quant_method": NASTY});
            });
        }),
        with(&|repo| {
            repo.edit(CONFIG, |config| {
                config["auto_map"] = json!({"AutoModelForCausalLM": NASTY});
            });
        }),
        with(&|repo| {
            repo.edit("tokenizer_config.json", |config| {
                config["tokenizer_class"] = json!(NASTY);
            });
        }),
        with(&|repo| {
            repo.edit(INDEX, |index| index["weight_map"][NASTY] = json!(SHARDS[0]));
        }),
        with(&|repo| {
            repo.edit(INDEX, |index| {
                index["weight_map"]["lm_head.weight"] = json!(NASTY);
            });
        }),
        with(&|repo| {
            repo.remove(INDEX);
            let mut tensors = tensors();
            tensors.push(Tensor::new(NASTY, "BF16", &[1]));
            repo.weights(WEIGHTS, &tensors);
        }),
        with(&|repo| {
            repo.remove(INDEX);
            let header = json!({NASTY: {"dtype": NASTY, "shape": [1], "data_offsets": [0, 1]}});
            repo.raw_weights(WEIGHTS, &header.to_string(), 1);
        }),
    ];
    for repo in repos {
        for more in [&[][..], &["--verbose"]] {
            let answer = Program::new()
                .arg("check")
                .arg(repo.path())
                .args(more)
                .run();
            assert_tame(&answer.stdout);
            assert_tame(&answer.stderr);
        }
        // JSON keeps the text itself, escaped as JSON has it.
        let json = Program::new()
            .arg("check")
            .arg(repo.path())
            .args(["--format", "json"])
            .run()
            .stdout;
        assert!(
            !json.contains('\u{1b}') && !json.contains('\u{7}'),
            "{json}"
        );
    }
}

#[cfg(unix)]
#[test]
fn escapes_in_file_names_are_shown_not_obeyed() {
    let repo = Repo::sound();
    let name = NASTY.replace('\0', "");
    repo.write(&format!("{name}.safetensors"), "");
    std::fs::create_dir(repo.file(&name)).unwrap();
    let answer = Program::new()
        .args(["check", "--verbose"])
        .arg(repo.path())
        .run();
    assert_eq!(answer.code, 0);
    assert_tame(&answer.stdout);
    let answer = check([repo.file(&name)]);
    assert_eq!(answer.code, 1, "an empty folder with a name");
    assert_tame(&answer.stdout);
    let answer = check([repo.file(&name).join("x")]);
    assert_eq!(answer.code, 2);
    assert_tame(&answer.stderr);
}

#[test]
fn escapes_in_arguments_are_shown_not_obeyed() {
    let name = NASTY.replace('\0', "");
    for args in [
        &["explain", &name][..],
        &["check", &name],
        &["check", ".", "--policy", &name],
        &["check", ".", "--base-model", &name],
        &["check", ".", "--gpu", &name],
    ] {
        let answer = Program::new().args(args).run();
        assert_eq!(answer.code, 2, "{answer:#?}");
        assert_tame(&answer.stderr);
    }
    for format in ["table", "jsonl"] {
        let program = Program::new().args(["check", "-", "--format", format]);
        let answer = program.stdin(&name).run();
        assert_eq!(answer.code, 3, "{answer:#?}");
        assert_tame(&answer.stdout);
        assert_tame(&answer.stderr);
    }
}

/// A name of a megabyte is cut for people; the verdict stands first all the same.
#[test]
fn long_names_do_not_flood_the_screen() {
    let repo = Repo::sound();
    let long = "x".repeat(1 << 20);
    repo.edit(CONFIG, |config| config["model_type"] = json!(long));
    let answer = check([repo.path()]);
    assert_eq!(answer.code, 1);
    assert!(
        answer.stdout.len() < 100_000,
        "{} bytes",
        answer.stdout.len()
    );
    let mut some = tensors();
    some.extend(
        (0..200).map(|number| Tensor::new(format!("{number}{}", "y".repeat(10_000)), "BF16", &[1])),
    );
    let repo = Repo::sound();
    repo.weights(WEIGHTS, &some);
    assert!(check([repo.path()]).stdout.len() < 100_000);
}

#[test]
fn no_colour_into_a_pipe_whatever_is_asked() {
    let repo = Repo::sound();
    for (name, value) in [
        ("NO_COLOR", "1"),
        ("CLICOLOR_FORCE", "1"),
        ("TERM", "xterm-256color"),
        ("LANG", "C"),
    ] {
        let answer = Program::new()
            .arg("check")
            .arg(repo.path())
            .env(name, value)
            .run();
        assert!(!answer.stdout.contains('\u{1b}'), "{name}={value}");
    }
}

#[test]
fn a_table_keeps_to_80_columns() {
    let repo = Repo::sound();
    repo.remove("tokenizer.json");
    repo.write(WEIGHTS, "");
    let answer = check([repo.path()]);
    for line in answer.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(answer.stdout.starts_with("FAIL"), "the verdict comes first");
    assert_eq!(report([repo.path()])["is_check_passed"], false);
}
