//! Wrong usage: exit code 2, no result, and a hint at what was meant.

use crate::program::Program;
use crate::repo::{Repo, policy_file};

#[test]
fn wrong_usage_is_2_and_says_what_was_meant() {
    let repo = Repo::sound();
    let path = repo.path().to_str().unwrap();
    for (args, says) in [
        (&["check"][..], "required arguments were not provided"),
        (&[], "Usage: byom-preflight <COMMAND>"),
        (
            &["chekc", path],
            "some similar subcommands exist: 'schema', 'check'",
        ),
        (
            &["check", path, "--fromat", "json"],
            "a similar argument exists: '--format'",
        ),
        (
            &["check", path, "--target", "fine-tun"],
            "a similar value exists: 'fine-tune'",
        ),
        (
            &["check", path, "--target", "serve"],
            "[possible values: upload, fine-tune]",
        ),
        (
            &["check", path, "--format", "yaml"],
            "[possible values: table, json",
        ),
        (
            &["check", path, "--fail-on", "note"],
            "[possible values: error, warning]",
        ),
        (
            &["check", path, "--context", "0"],
            "invalid value '0' for '--context <N>'",
        ),
        (
            &["check", path, "--context=-1"],
            "invalid value '-1' for '--context <N>'",
        ),
        (
            &["check", path, "--context", "99999999999999999999"],
            "invalid value",
        ),
        (
            &["check", path, "--sequences", "0"],
            "invalid value '0' for '--sequences <N>'",
        ),
        (
            &["check", path, "--gpu-count", "0"],
            "invalid value '0' for '--gpu-count <N>'",
        ),
        (
            &["explain", "shard-mising"],
            "error: no rule is called `shard-mising`; did you mean `shard-missing`?",
        ),
        (
            &["explain", "zzz"],
            "error: no rule is called `zzz`; `byom-preflight rules` lists them",
        ),
        (
            &["check", path, "--policy", "together-2025-12"],
            "did you mean `together-2025-11`?",
        ),
        (
            &[
                "check",
                path,
                "--base-model",
                "togethercomputer/llama-2-7b-chatt",
            ],
            "error: no base model is called `togethercomputer/llama-2-7b-chatt`; did you mean `togethercomputer/llama-2-7b-chat`?",
        ),
        (
            &["check", path, "--base-model", "zzz"],
            "error: no base model is called `zzz`; `byom-preflight base-models` lists them",
        ),
        (
            &["check", path, "--policy", "./no.toml"],
            "error: cannot read the policy `./no.toml`: No such file",
        ),
        (
            &["check", path, "--policy", "/dev/zero"],
            "error: cannot read the policy `/dev/zero`: not a regular file",
        ),
        (
            &["check", path, "--gpu", "h1000"],
            "error: no node of policy `together-2025-11` has a GPU called `h1000`; there are a100, b200, h100, h200",
        ),
        (
            &["check", path, "--gpu", "h100", "--gpu-count", "3"],
            "error: no node of policy `together-2025-11` has 3 GPUs `h100`",
        ),
        (
            &["check", path, "--gpu-count", "7"],
            "error: no node of policy `together-2025-11` has 7 GPUs",
        ),
        (&["completions", "csh"], "possible values"),
    ] {
        let answer = Program::new().args(args).run();
        assert_eq!(answer.code, 2, "{args:?}: {answer:#?}");
        assert_eq!(answer.stdout, "", "{args:?}");
        assert!(
            answer.stderr.contains(says),
            "{args:?}: no `{says}` in {}",
            answer.stderr
        );
    }
}

#[test]
fn a_policy_file_with_a_mistake_names_the_line_and_the_word() {
    let repo = Repo::sound();
    let start = "id = \"ours\"\nas_of = \"2026-01-15\"\nextends = \"together-2025-11\"\n";
    for (text, says) in [
        (
            format!("{start}[rules.shard-mising]\nupload = \"off\"\n"),
            "unknown rule `shard-mising`; did you mean `shard-missing`?",
        ),
        (
            format!("{start}[rules.shard-missing]\nupload = \"eror\"\n"),
            "error",
        ),
        (format!("{start}[platfrom]\n"), "platform"),
        (
            format!("{start}[rules.tokenizer-missing]\nuplaod = \"off\"\n"),
            "upload",
        ),
        (
            "id = \"together-2025-11\"\nas_of = \"2026\"\nextends = \"together-2025-11\"\n".into(),
            "together-2025-11",
        ),
        (start.replace("-11\"", "-12\""), "together-2025-11"),
        ("id = ".into(), "line 1"),
    ] {
        let (_keep, path) = policy_file(&text);
        let answer = Program::new()
            .arg("check")
            .arg(repo.path())
            .args(["--policy", &path])
            .run();
        assert_eq!(
            (answer.code, answer.stdout.as_str()),
            (2, ""),
            "{answer:#?}"
        );
        assert!(
            answer.stderr.contains(says) && answer.stderr.contains("ours.toml"),
            "{says}: {}",
            answer.stderr
        );
    }
}
