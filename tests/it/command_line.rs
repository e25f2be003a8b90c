//! DESIGN.md, "Command line", as far as this version has it.

use std::fs;

use serde_json::{Value, json};

use crate::program::{Program, check, report, without_times};
use crate::repo::{Repo, WEIGHTS, policy_file};

#[test]
fn the_result_goes_to_standard_output_and_nothing_else_does() {
    let repo = Repo::sound();
    for format in ["table", "json", "jsonl"] {
        let answer = Program::new()
            .arg("check")
            .arg(repo.path())
            .args(["--format", format])
            .run();
        assert_eq!(answer.stderr, "", "{format}");
        assert!(
            answer.stdout.ends_with('\n') && !answer.stdout.contains('\x1b'),
            "{format}"
        );
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let repo = Repo::sharded();
    repo.remove("tokenizer.json");
    let json = || without_times(report([repo.path()])).to_string();
    assert_eq!(json(), json());
    let table = || check([repo.path()]).stdout;
    assert_eq!(table(), table());
}

/// The form, the place and the environment change nothing of what is said.
#[test]
fn a_report_to_a_file_is_the_one_on_standard_output() {
    let repo = Repo::sound();
    let out = repo.file("report");
    let run = |args: &[&str]| {
        let answer = Program::new()
            .arg("check")
            .arg(repo.path())
            .args(args)
            .arg("--output")
            .arg(&out)
            .run();
        assert_eq!(
            (answer.code, answer.stdout.as_str(), answer.stderr.as_str()),
            (0, "", "")
        );
        fs::read_to_string(&out).unwrap()
    };
    fs::write(&out, "an older and longer report ".repeat(10_000)).unwrap();
    let written: Value = serde_json::from_str(&run(&["--format", "json"])).unwrap();
    assert_eq!(without_times(written), without_times(report([repo.path()])));
    assert_eq!(run(&[]), check([repo.path()]).stdout);
    let left: Vec<_> = fs::read_dir(repo.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 5, "no other file stays: {left:?}");
}

#[test]
fn a_report_that_cannot_be_written_is_no_pass() {
    let repo = Repo::sound();
    let out = repo.file("no/such/folder.json");
    let answer = Program::new()
        .arg("check")
        .arg(repo.path())
        .arg("--output")
        .arg(&out)
        .run();
    answer.complains(
        2,
        &format!(
            "error: cannot write `{}`: there is no folder `{}`",
            out.display(),
            repo.file("no/such").display()
        ),
    );
}

#[test]
fn several_reports_of_one_run_go_to_their_places() {
    let repo = Repo::sound();
    let (json, lines) = (repo.file("report.json"), repo.file("report.jsonl"));
    let answer = Program::new()
        .arg("check")
        .arg(repo.path())
        .arg("--format")
        .arg(format!("json={}", json.display()))
        .args(["--format", "table"])
        .arg(format!("--format=jsonl={}", lines.display()))
        .run();
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.stdout, check([repo.path()]).stdout);
    let read = |path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let (whole, line): (Value, Value) = (read(json), read(lines));
    assert_eq!(line["rules"], whole["models"][0]["rules"]);
    assert_eq!(line["policy"], whole["policy"]);
}

#[test]
fn an_existing_folder_wins_over_the_hub_with_a_note() {
    let repo = Repo::sound();
    let parent = Repo::empty();
    let (org, name) = ("some-org", "some-model");
    fs::create_dir(parent.file(org)).unwrap();
    fs::rename(repo.path(), parent.file(org).join(name)).unwrap();
    let run = |model: &str| {
        Program::new()
            .inside(parent.path())
            .args(["check", model, "--offline"])
            .run()
    };

    let answer = run("some-org/some-model");
    assert_eq!(answer.code, 0);
    assert_eq!(
        answer.stderr,
        "note: `some-org/some-model` is a local path here; `hf://some-org/some-model` names the repository on the Hub\n"
    );
    let answer = run("./some-org/some-model");
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""));
    // The scheme forces the Hub although the folder is there.
    run("hf://some-org/some-model").says(3, "some-org/some-model (hub)");
    let absolute = parent.file("some-org/some-model");
    assert_eq!(check([&absolute]).stderr, "");
}

#[test]
fn a_list_on_standard_input() {
    let (one, two) = (Repo::sound(), Repo::sharded());
    let list = format!(
        "# models\n{}\n\n   {}  \r\n",
        one.path().display(),
        two.path().display()
    );
    let answer = Program::new()
        .args(["check", "-", "--format", "json"])
        .stdin(&list)
        .run();
    let report = answer.json();
    assert_eq!(answer.code, 0, "{}", report["message"]);
    assert_eq!(report["models"].as_array().unwrap().len(), 2);
    assert_eq!(
        report["models"][1]["model"]["input"],
        two.path().to_str().unwrap()
    );

    // Together with models of the command line, in that order.
    let both = Program::new()
        .args(["check", "--format", "json", "-"])
        .arg(two.path())
        .stdin(&list)
        .run()
        .json();
    assert_eq!(both["models"].as_array().unwrap().len(), 3);
}

#[test]
fn a_list_does_not_depend_on_this_disk() {
    let list = |text: &str| {
        Program::new()
            .inside(Repo::sound().path())
            .args(["check", "-"])
            .stdin(text)
            .run()
    };
    list("").complains(2, "error: the list on standard input names no model");
    list("# nothing\n\n").complains(2, "error: the list on standard input names no model");
    let answer = list("config.json\n");
    answer.says(
        3,
        "line 1 of standard input: `config.json` is neither `org/name` nor an address; in a list, a path starts with `.` or `/`",
    );
    let parent = Repo::empty();
    fs::create_dir_all(parent.file("org/name")).unwrap();
    let answer = Program::new()
        .inside(parent.path())
        .args(["check", "-", "--offline"])
        .stdin("org/name\n")
        .run();
    answer.says(3, "org/name (hub)");
}

#[test]
fn the_policy_that_was_chosen_is_the_one_that_judges() {
    let repo = Repo::sound();
    let (_keep, path) = policy_file(
        "id = \"ours\"\nas_of = \"2026-01-15\"\nextends = \"together-2025-11\"\n[platform]\nparameters_max = { value = 1000, source = \"a test\", as_of = \"2026\" }\n",
    );
    let answer = Program::new()
        .args(["check", "--format", "json", "--policy", &path])
        .arg(repo.path())
        .run();
    let report = answer.json();
    assert_eq!(answer.code, 1);
    assert_eq!(
        report["policy"],
        json!({"id": "ours", "as_of": "2026-01-15"})
    );
    assert_eq!(
        report["models"][0]["verdicts"],
        json!({"upload": "pass", "fine-tune": "fail"})
    );
    let others: Vec<_> = report["models"][0]["other_policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["id"])
        .collect();
    assert_eq!(others, ["together-2025-11", "together-2026-07"]);
    assert_eq!(
        crate::program::report([repo.path()])["policy"]["id"],
        "together-2025-11",
        "the default"
    );
}

#[test]
fn gpu_context_and_sequences_change_the_estimate() {
    let repo = Repo::sound();
    let fit = |args: &[&str]| {
        Program::new()
            .arg("check")
            .arg(repo.path())
            .args(["--format", "json"])
            .args(args)
            .run()
            .json()["models"][0]["fit"]
            .clone()
    };
    let plain = fit(&[]);
    assert_eq!(
        (&plain["context"], &plain["sequences"]),
        (&json!(4096), &json!(1))
    );
    let longer = fit(&["--context", "8192", "--sequences", "3"]);
    assert_eq!(
        (&longer["context"], &longer["sequences"]),
        (&json!(8192), &json!(3))
    );
    let cache = |fit: &Value| fit["options"][0]["cache_bytes_per_gpu"].as_u64().unwrap();
    assert!(cache(&longer) > cache(&plain));
    let only = fit(&["--gpu", "h100", "--gpu-count", "1"]);
    let options: Vec<_> = only["options"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["hardware"].as_str().unwrap())
        .collect();
    assert_eq!(options, ["1x_nvidia_h100_80gb_sxm"]);
}

/// `byom-preflight … | head` must end quietly and still tell the verdict.
#[test]
fn a_reader_that_has_left_is_no_error() {
    let (good, bad) = (Repo::sound(), Repo::sound());
    bad.write(WEIGHTS, "");
    for (repo, code) in [(&good, 0), (&bad, 1)] {
        for format in ["table", "json"] {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let answer = Program::new()
                .arg("check")
                .arg(repo.path())
                .args(["--format", format])
                .stdout(writer)
                .run();
            assert_eq!((answer.code, answer.stderr.as_str()), (code, ""));
        }
    }
    for command in [
        &["rules"][..],
        &["schema"],
        &["base-models"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let answer = Program::new().args(command).stdout(writer).run();
        assert!(
            !answer.stderr.contains("panicked"),
            "{command:?}: {answer:#?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let answer = Program::new()
        .arg("check")
        .arg(Repo::sound().path())
        .stdout(full)
        .run();
    assert_eq!(answer.code, 3);
    assert_eq!(
        answer.stderr,
        "error: cannot write the result: No space left on device (os error 28)\n"
    );
}
