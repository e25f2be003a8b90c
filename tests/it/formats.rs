//! Every form says the same: the exit code, and which rules ended how.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::program::{Answer, Program, report, root};
use crate::repo::Repo;

const FORMATS: [&str; 9] = [
    "table", "json", "jsonl", "sarif", "junit", "github", "gitlab", "markdown", "html",
];

/// A model that passes, models that fail, models that are undecided, and one that cannot be looked at.
const FIXTURES: [(&str, i32); 7] = [
    ("smollm2-1.7b-instruct", 0),
    ("gpt-oss-120b", 1),
    ("broken-index", 1),
    ("llama-3.1-8b-lora", 0),
    ("gated-llama-3.3-70b-instruct", 1),
    ("mistral-7b-instruct-v0.3-unreadable", 3),
    ("qwen2.5-7b-instruct-lfs-pointers", 3),
];

/// Rule and outcome.
type Ends = BTreeSet<(String, String)>;

fn formatted(fixture: &str, format: &str, more: &[&str]) -> Answer {
    Program::new()
        .inside(&root())
        .args([
            "check",
            &format!("./fixtures/{fixture}"),
            "--format",
            format,
        ])
        .args(more)
        .run()
}

/// What the JSON report says of each rule: all rows, and those that need telling.
fn ends(model: &Value) -> (Ends, Ends) {
    let rows = model["rules"].as_array().unwrap();
    let end = |row: &Value| {
        let word = |key: &str| row[key].as_str().unwrap().to_owned();
        (word("id"), word("outcome"))
    };
    let door = rows.iter().find(|row| {
        row["id"] == "repository-inaccessible"
            && row["outcome"] != "pass"
            && row["outcome"] != "skip"
    });
    let is_told = |row: &&Value| {
        let is_behind = door.is_some_and(|door| {
            row["id"] != door["id"]
                && row["outcome"] == "unknown"
                && row["findings"] == door["findings"]
        });
        let is_repeated = row["outcome"] == "warn"
            && rows.iter().any(|other| {
                other["outcome"] == "fail"
                    && other["id"] == row["id"]
                    && other["findings"] == row["findings"]
            });
        let is_quiet_note = row["level"] == "note" && row["outcome"] == "unknown";
        let is_problem = ["fail", "warn", "unknown"].contains(&row["outcome"].as_str().unwrap());
        is_problem && !is_behind && !is_repeated && !is_quiet_note
    };
    (
        rows.iter().map(end).collect(),
        rows.iter().filter(is_told).map(end).collect(),
    )
}

#[test]
fn no_format_changes_the_exit_code_or_what_is_said() {
    for (fixture, code) in FIXTURES {
        let json = report([root().join("fixtures").join(fixture)]);
        let (all, told) = ends(&json["models"][0]);
        let level = |id: &str, outcome: &str| -> Vec<String> {
            let rows = json["models"][0]["rules"].as_array().unwrap().iter();
            let rows = rows.filter(|row| row["id"] == id && row["outcome"] == outcome);
            rows.map(|row| row["level"].as_str().unwrap().to_owned())
                .collect()
        };
        for format in FORMATS {
            let answer = formatted(fixture, format, &[]);
            assert_eq!(
                answer.code, code,
                "{fixture} as {format}: {}",
                answer.stderr
            );
            assert_eq!(answer.stderr, "", "{fixture} as {format}");
            if fixture == "broken-index" {
                let zero = formatted(fixture, format, &["--exit-zero"]);
                assert_eq!((zero.code, &zero.stderr), (0, &answer.stderr), "{format}");
            }

            let text = &answer.stdout;
            match format {
                "table" | "markdown" => {
                    // These say what another policy decides in words of their own.
                    let told = told.iter().filter(|(id, _)| id != "policy-outdated");
                    for (id, _) in told {
                        assert!(text.contains(id.as_str()), "{fixture}: no {id} in\n{text}");
                    }
                }
                "html" => {
                    for (id, outcome) in &all {
                        let row = format!("<tr class=\"{outcome}\"><th scope=\"row\">{id}<br/>");
                        assert!(text.contains(&row), "{fixture}: no {row}");
                    }
                }
                "json" => assert_eq!(ends(&answer.json()["models"][0]).0, all),
                "jsonl" => assert_eq!(ends(&answer.json()).0, all),
                "sarif" => {
                    let log = answer.json();
                    let results = log["runs"][0]["results"].as_array().unwrap();
                    let said = results.iter().map(|result| {
                        let word = |value: &Value| value.as_str().unwrap().to_owned();
                        (
                            word(&result["ruleId"]),
                            word(&result["properties"]["outcome"]),
                        )
                    });
                    assert_eq!(said.collect::<Ends>(), told, "{fixture} as {format}");
                    for result in results {
                        assert_located(result);
                    }
                }
                "junit" => assert_eq!(cases(text), expected_cases(&json["models"][0]), "{fixture}"),
                "github" => {
                    let said = text.lines().filter_map(|line| {
                        let (command, rest) = line.strip_prefix("::")?.split_once(' ')?;
                        let (_, title) = rest.split_once(",title=")?;
                        let id = title.split([' ', ':']).next()?;
                        Some((id.to_owned(), command.to_owned()))
                    });
                    let wanted = told.iter().flat_map(|(id, outcome)| {
                        level(id, outcome)
                            .into_iter()
                            .map(|level| (id.clone(), level.replace("note", "notice")))
                    });
                    let (said, wanted): (Ends, Ends) = (said.collect(), wanted.collect());
                    assert!(said.is_subset(&wanted), "{said:?} {wanted:?}");
                    let ids = |ends: &Ends| {
                        ends.iter()
                            .map(|(id, _)| id.clone())
                            .collect::<BTreeSet<_>>()
                    };
                    assert_eq!(ids(&said), ids(&told), "{fixture} as {format}");
                }
                "gitlab" => {
                    let all: Value = answer.json();
                    let said: BTreeSet<&str> = all
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|it| it["check_name"].as_str().unwrap())
                        .collect();
                    let wanted: BTreeSet<&str> = told.iter().map(|(id, _)| id.as_str()).collect();
                    assert_eq!(said, wanted, "{fixture} as {format}");
                }
                other => panic!("no check of what {other} says"),
            }
        }
    }
}

/// GitHub refuses a whole file for one result without such a place.
fn assert_located(result: &Value) {
    let place = &result["locations"][0]["physicalLocation"];
    let uri = place["artifactLocation"]["uri"].as_str().unwrap();
    let is_relative = !uri.is_empty() && !uri.starts_with('/') && !uri.contains(':');
    assert!(
        is_relative && !uri.split('/').any(|part| part == ".."),
        "{uri}"
    );
    assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
}

/// Rule, target and end of each case of a `JUnit` report.
fn cases(xml: &str) -> BTreeSet<(String, String, &'static str)> {
    let attribute = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!(" {name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let cases = xml.split("<testcase").skip(1).map(|case| {
        let target = attribute(case, "classname");
        let inside = case.split("</testcase>").next().unwrap();
        let end = ["failure", "error", "skipped"]
            .into_iter()
            .find(|end| inside.contains(&format!("><{end}")));
        let target = target.rsplit_once('.').unwrap().1.to_owned();
        (attribute(case, "name"), target, end.unwrap_or("passed"))
    });
    cases.collect()
}

fn expected_cases(model: &Value) -> BTreeSet<(String, String, &'static str)> {
    let mut cases = BTreeSet::new();
    for row in model["rules"].as_array().unwrap() {
        let end = match (
            row["outcome"].as_str().unwrap(),
            row["level"].as_str().unwrap(),
        ) {
            ("fail", _) => "failure",
            ("unknown", "error") => "error",
            ("unknown" | "skip", _) => "skipped",
            _ => "passed",
        };
        for target in row["targets"].as_array().unwrap() {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            cases.insert((word(&row["id"]), word(target), end));
        }
    }
    cases
}

#[test]
fn exit_zero_never_makes_undecided_a_pass() {
    let undecided = formatted(
        "mistral-7b-instruct-v0.3-unreadable",
        "json",
        &["--exit-zero"],
    );
    assert_eq!(undecided.code, 3);
}

#[test]
fn warnings_that_fail_are_failures_in_junit() {
    let repo = Repo::sound();
    repo.edit("tokenizer_config.json", |config| {
        config.as_object_mut().unwrap().remove("chat_template");
    });
    let run = |more: &[&str]| {
        let command = Program::new().arg("check").arg(repo.path());
        command.args(["--format", "junit"]).args(more).run()
    };
    let plain = run(&[]);
    assert!(
        plain.code == 0 && !plain.stdout.contains("<failure"),
        "{plain:?}"
    );
    assert!(
        plain.stdout.contains("warning: chat-template-missing"),
        "{plain:?}"
    );
    let strict = run(&["--fail-on", "warning"]);
    assert!(
        strict.code == 1 && strict.stdout.contains("<failure type=\"warning\""),
        "{strict:?}"
    );
}

#[test]
fn the_summary_of_a_github_job_is_added_to_what_is_there_and_never_too_long() {
    let repo = Repo::empty();
    let path = repo.file("summary.md");
    let run = |format: &str| {
        let command = Program::new().inside(&root());
        let command = command.env("GITHUB_STEP_SUMMARY", path.to_str().unwrap());
        command
            .args(["check", "./fixtures/gpt-oss-120b", "--format", format])
            .run()
    };
    assert_eq!(run("json").code, 1);
    assert!(!path.exists(), "only the github format writes it");
    let plain = formatted("gpt-oss-120b", "github", &[]);
    let markdown = formatted("gpt-oss-120b", "markdown", &[]).stdout;
    let answer = run("github");
    assert_eq!(
        (answer.code, &answer.stdout, &answer.stderr),
        (1, &plain.stdout, &plain.stderr)
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), markdown);
    run("github");
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("{markdown}\n\n{markdown}")
    );
    for there in [1_048_000, 1 << 20, 2 << 20] {
        fs::write(&path, "x".repeat(there)).unwrap();
        assert_eq!(run("github").code, 1);
        let size = fs::read(&path).unwrap().len();
        assert!(
            size <= there.max(1 << 20) && (size > there) == (there < 1_048_576),
            "{there} became {size}"
        );
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let answer = run("github");
    assert_eq!((answer.code, &answer.stdout), (1, &plain.stdout));
    assert!(
        answer
            .stderr
            .starts_with("note: cannot add to the summary of the job: "),
        "{}",
        answer.stderr
    );
}

/// The place of a finding in the checkout: line and column of the key in the model's own file, from the
/// root that the CI system names.
#[test]
fn annotations_point_at_the_key_in_the_checkout() {
    let repo = Repo::sound();
    let model = repo.file("models/tiny");
    fs::create_dir_all(&model).unwrap();
    fs::write(
        model.join("config.json"),
        "{\n  \"model_type\": \"Llama\"\n}\n",
    )
    .unwrap();
    let run = |folder: &str, argument: &str, format: &str| {
        let command = Program::new().inside(&repo.file(folder));
        let command = command.env("GITHUB_WORKSPACE", repo.path().to_str().unwrap());
        command
            .args(["check", argument, "--format", format])
            .run()
            .stdout
    };
    let of_key = "::error file=models/tiny/config.json,line=2,col=3,title=config-invalid::";
    for (folder, argument) in [
        (".", "./models/tiny"),
        ("models", "./tiny"),
        ("models/tiny", "./"),
    ] {
        let text = run(folder, argument, "github");
        assert!(text.contains(of_key), "{folder}: {text}");
    }
    // A workspace by way of a link, and paths that are spelled so.
    let link = Repo::empty();
    let link = link.file("workspace");
    std::os::unix::fs::symlink(repo.path(), &link).unwrap();
    for variable in ["GITHUB_WORKSPACE", "PWD"] {
        let program = Program::new().inside(repo.path());
        let program = program.env(variable, link.to_str().unwrap());
        let program = program.arg("check").arg(link.join("models/tiny"));
        let text = program.args(["--format", "github"]).run().stdout;
        assert!(text.contains(of_key), "{variable}: {text}");
    }
    let quality: Value = serde_json::from_str(&run("models", "./tiny", "gitlab")).unwrap();
    let found = quality
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["check_name"] == "config-invalid");
    assert_eq!(
        found.unwrap()["location"],
        serde_json::json!({"path": "models/tiny/config.json", "lines": {"begin": 2}})
    );
}

#[test]
fn a_place_that_the_user_names_is_that_of_all() {
    let named = formatted("gpt-oss-120b", "github", &["--location", "models.yaml:12"]);
    assert_eq!(named.code, 1);
    let mut lines = named.stdout.lines();
    // GitHub shows the first ten notices, and the verdict is to be one of them.
    let first = lines.next();
    assert_eq!(
        first.map(|it| it.starts_with("::notice title=")),
        Some(true)
    );
    for line in lines {
        assert!(line.contains(" file=models.yaml,line=12,title="), "{line}");
    }
    assert!(
        named
            .stdout
            .contains("(config.json:62:3 of openai/gpt-oss-120b)"),
        "{}",
        named.stdout
    );
    for (place, why) in [
        ("models.yaml:0", "lines and columns are counted from 1"),
        ("/etc/passwd:1", "the file is not in the checkout"),
        (":12", "write FILE:LINE, as in `models.yaml:12`"),
        ("models.yaml:12x", "what stands behind the `:` is no line"),
        (
            "fixtures:3",
            "it is a folder; write FILE:LINE, as in `models.yaml:12`",
        ),
    ] {
        let wrong = formatted("gpt-oss-120b", "github", &["--location", place]);
        wrong.complains(
            2,
            &format!("error: `--location {place}` is no place: {why}"),
        );
    }
}

/// What a build log shows is read by the runner too: nothing in it may begin a command of its.
#[test]
fn nothing_that_a_repository_says_is_a_command_to_a_runner() {
    let repo = Repo::sound();
    let hostile = format!(
        "{} ::set-output name=verdict::pass ##[add-mask]a",
        "x".repeat(50)
    );
    repo.edit("config.json", |config| {
        config["model_type"] = hostile.clone().into();
    });
    for format in FORMATS {
        let program = Program::new().arg("check").arg(repo.path());
        let answer = program.args(["--format", format]).run();
        assert!(answer.stdout.contains("set-output"), "{format}");
        for line in answer.stdout.lines().chain(answer.stderr.lines()) {
            let is_ours = format == "github" && line.starts_with("::");
            let is_command = line.trim_start().starts_with("::") || line.contains("##[");
            assert!(is_ours || !is_command, "{format}: {line}");
        }
    }
}

/// A report that cannot be written keeps no other back, and it is no mistake in the command line by then.
#[test]
fn a_full_disk_ends_as_undecided_in_every_form_and_the_other_reports_are_there() {
    let good = root().join("fixtures/smollm2-1.7b-instruct");
    let dir = Repo::empty();
    let other = dir.file("other.json");
    for format in FORMATS {
        let program = Program::new().arg("check").arg(&good);
        let answer = program
            .args(["--format", &format!("{format}=/dev/full"), "--format"])
            .arg(format!("json={}", other.display()))
            .run();
        assert_eq!(answer.code, 3, "{format}: {answer:#?}");
        let start = "error: cannot write `/dev/full`: ";
        assert!(answer.stderr.starts_with(start), "{format}: {answer:#?}");
        assert!(other.is_file(), "{format}");
        fs::remove_file(&other).unwrap();
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_the_check() {
    let dir = Repo::empty();
    // A name that no file system takes, so that it holds for root too.
    let long = dir.file(&"x".repeat(300));
    let run = |formats: &[&str]| {
        let mut program = Program::new().inside(dir.path());
        program = program.args(["check", "./nowhere"]);
        for format in formats {
            program = program.args(["--format", format]);
        }
        program.run()
    };
    let answer = run(&[&format!("json={}", long.display())]);
    assert_eq!(answer.code, 2, "{answer:#?}");
    assert!(answer.stderr.contains("too long"), "{}", answer.stderr);
    // One file in two spellings.
    run(&["json=a", "table=./a"]).complains(2, "error: two reports go to `./a`");
    fs::write(dir.file("b"), "").unwrap();
    std::os::unix::fs::symlink("b", dir.file("c")).unwrap();
    run(&["json=b", "table=c"]).complains(2, "error: two reports go to `c`");
    let files = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files, 2, "nothing is left of trying");
}

#[test]
fn a_link_to_a_report_stays_one() {
    let good = root().join("fixtures/smollm2-1.7b-instruct");
    let dir = Repo::empty();
    for format in ["table", "jsonl"] {
        let (file, link) = (dir.file(format), dir.file(&format!("{format}-link")));
        fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink(format, &link).unwrap();
        // Two models, so that lines are written as they are made.
        let program = Program::new().arg("check").args([&good, &good]);
        let program = program.args(["--format", format, "--output"]);
        assert_eq!(program.arg(&link).run().code, 0);
        assert!(link.is_symlink(), "{format}");
        assert!(
            fs::read_to_string(&file).unwrap().contains("SmolLM2"),
            "{format}"
        );
    }
}

/// The same problem has the same fingerprint wherever its line is; another problem has another.
#[test]
fn fingerprints_follow_the_problem_and_not_its_line() {
    let repo = Repo::sound();
    let prints = |config: &str| -> Vec<String> {
        repo.write("config.json", config);
        let answer = Program::new()
            .inside(repo.path())
            .args(["check", ".", "--format", "sarif"])
            .run();
        let log = answer.json();
        let results = log["runs"][0]["results"].as_array().unwrap();
        let print =
            |result: &Value| result["partialFingerprints"]["primaryLocationLineHash"].to_string();
        let prints: Vec<String> = results.iter().map(print).collect();
        assert_eq!(
            prints.iter().collect::<BTreeSet<_>>().len(),
            prints.len(),
            "{prints:?}"
        );
        prints
    };
    let first = prints("{\"model_type\": \"Llama\"}");
    assert_eq!(first, prints("\n\n{\n\n  \"model_type\": \"Llama\"}"));
    assert_ne!(first, prints("{\"model_type\": \"Lama\"}"));
}
