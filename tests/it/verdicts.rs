//! DESIGN.md, "Verdicts and exit codes", sentence by sentence.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::program::{Program, check, report, rules_of};
use crate::repo::{CONFIG, Repo, SHARDS, Tensor, WEIGHTS};

const FORMATS: [&str; 2] = ["table", "json"];

/// A repository that fails for both targets.
fn failing() -> Repo {
    let repo = Repo::sound();
    repo.remove("tokenizer.json");
    repo.remove("tokenizer_config.json");
    repo
}

/// A repository that cannot be decided: its weights were not fetched.
fn undecided() -> Repo {
    let repo = Repo::sound();
    repo.pointer(WEIGHTS, 1_000_000);
    repo
}

/// A repository with no more than warnings.
fn warned() -> Repo {
    let repo = Repo::sound();
    repo.json(
        "tokenizer_config.json",
        &json!({"tokenizer_class": "PreTrainedTokenizerFast"}),
    );
    repo
}

/// A policy that is the default but for these lines.
fn policy(repo: &Repo, lines: &str) -> String {
    repo.write(
        "ours.toml",
        format!("id = \"ours\"\nas_of = \"2026-01-15\"\nextends = \"together-2025-11\"\n{lines}"),
    );
    repo.file("ours.toml").display().to_string()
}

#[test]
fn a_sound_model_passes_both_targets() {
    let repo = Repo::sound();
    let report = report([repo.path()]);
    assert_eq!(report["is_check_passed"], true);
    let model = &report["models"][0];
    assert_eq!(
        model["verdicts"],
        json!({"upload": "pass", "fine-tune": "pass"})
    );
    for outcome in ["fail", "unknown"] {
        assert_eq!(rules_of(model, "upload", outcome), [""; 0]);
        assert_eq!(rules_of(model, "fine-tune", outcome), [""; 0]);
    }
    assert_eq!(
        model["facts"]["parameters"]["total"],
        crate::repo::PARAMETERS
    );
    assert_eq!(model["facts"]["parameters"]["exact"], true);
    assert_eq!(check([repo.path()]).code, 0);
}

#[test]
fn shards_are_as_good_as_one_file() {
    let repo = Repo::sharded();
    let report = report([repo.path()]);
    assert_eq!(
        report["models"][0]["verdicts"],
        json!({"upload": "pass", "fine-tune": "pass"})
    );
    assert_eq!(
        report["models"][0]["facts"]["parameters"]["total"],
        crate::repo::PARAMETERS
    );
}

#[test]
fn the_exit_code_is_that_of_the_verdict_in_every_format() {
    for (repo, code, word) in [
        (Repo::sound(), 0, "pass"),
        (failing(), 1, "fail"),
        (undecided(), 3, "undecided"),
    ] {
        for format in FORMATS {
            let answer = Program::new()
                .arg("check")
                .arg(repo.path())
                .args(["--format", format])
                .run();
            assert_eq!(answer.code, code, "{format}: {answer:#?}");
        }
        let out = repo.file("report.json");
        let answer = Program::new()
            .arg("check")
            .arg(repo.path())
            .arg("--output")
            .arg(&out)
            .run();
        assert_eq!((answer.code, answer.stdout.as_str()), (code, ""));
        let report = report([repo.path()]);
        assert_eq!(
            report["models"][0]["verdicts"],
            json!({"upload": word, "fine-tune": word})
        );
        assert_eq!(report["is_check_passed"], word == "pass");
        assert_eq!(report["models"][0]["is_check_passed"], word == "pass");
    }
}

#[test]
fn exit_zero_turns_1_into_0_and_nothing_else() {
    let code = |repo: &Repo| {
        let codes = FORMATS.map(|format| {
            Program::new()
                .arg("check")
                .arg(repo.path())
                .args(["--exit-zero", "--format", format])
                .run()
                .code
        });
        assert_eq!(codes[0], codes[1]);
        codes[0]
    };
    assert_eq!(code(&failing()), 0);
    assert_eq!(code(&undecided()), 3);
    assert_eq!(code(&Repo::sound()), 0);
    assert_eq!(check(["./nowhere", "--exit-zero"]).code, 2);
    let failing = failing();
    assert_eq!(
        report([failing.path().as_os_str(), "--exit-zero".as_ref()])["is_check_passed"],
        false
    );
}

#[test]
fn an_error_that_fails_outweighs_one_that_is_unknown() {
    let repo = failing();
    repo.pointer(WEIGHTS, 1_000_000);
    let report = report([repo.path()]);
    let model = &report["models"][0];
    assert!(
        rules_of(model, "upload", "unknown").contains(&"shard-corrupt"),
        "{model:#}"
    );
    assert_eq!(rules_of(model, "upload", "fail"), ["tokenizer-missing"]);
    assert_eq!(
        model["verdicts"],
        json!({"upload": "fail", "fine-tune": "fail"})
    );
    assert_eq!(check([repo.path()]).code, 1);
}

#[test]
fn warnings_move_the_verdict_only_when_asked() {
    let repo = warned();
    let plain = report([repo.path()]);
    assert!(rules_of(&plain["models"][0], "upload", "warn").contains(&"chat-template-missing"));
    assert_eq!(check([repo.path()]).code, 0);
    let strict = |format| {
        Program::new()
            .arg("check")
            .arg(repo.path())
            .args(["--fail-on", "warning", "--format", format])
            .run()
    };
    assert_eq!(strict("table").code, 1);
    let report = strict("json").json();
    assert_eq!(
        report["models"][0]["verdicts"],
        json!({"upload": "fail", "fine-tune": "fail"})
    );
    assert_eq!(report["is_check_passed"], false);
    assert!(
        report["message"]
            .as_str()
            .unwrap()
            .contains("chat-template-missing"),
        "{}",
        report["message"]
    );
}

/// An unknown warning is no warning: it never fails, not even where warnings do.
#[test]
fn unknown_warnings_never_move_the_verdict() {
    let repo = undecided();
    let unknown: Vec<String> = rules_of(&report([repo.path()])["models"][0], "upload", "unknown")
        .iter()
        .map(|&id| id.to_owned())
        .collect();
    assert!(unknown.len() > 1, "{unknown:?}");
    let mut lines = String::from("[rules.source-unsupported]\nupload = \"off\"\n");
    for id in &unknown {
        writeln!(lines, "[rules.{id}]\nupload = \"warning\"").unwrap();
    }
    let policy = policy(&repo, &lines);
    for more in [&[][..], &["--fail-on", "warning"]] {
        let args = [
            "check", "--target", "upload", "--format", "json", "--policy", &policy,
        ];
        let answer = Program::new().args(args).arg(repo.path()).args(more).run();
        let report = answer.json();
        let model = &report["models"][0];
        assert_eq!(answer.code, 0, "{}", report["message"]);
        assert_eq!(model["verdicts"], json!({"upload": "pass"}));
        assert_eq!(rules_of(model, "upload", "unknown"), unknown);
    }
}

#[test]
fn of_several_models_fail_comes_before_undecided_before_pass() {
    let (sound, failing, undecided) = (Repo::sound(), failing(), undecided());
    for (repos, code, counts) in [
        (
            vec![&sound, &sound],
            0,
            "2 models: 2 pass, 0 fail, 0 undecided",
        ),
        (
            vec![&undecided, &sound],
            3,
            "2 models: 1 pass, 0 fail, 1 undecided",
        ),
        (
            vec![&sound, &failing],
            1,
            "2 models: 1 pass, 1 fail, 0 undecided",
        ),
        (
            vec![&failing, &undecided, &sound],
            1,
            "3 models: 1 pass, 1 fail, 1 undecided",
        ),
        (
            vec![&undecided, &sound, &failing],
            1,
            "3 models: 1 pass, 1 fail, 1 undecided",
        ),
    ] {
        let answer = Program::new()
            .args(["check", "--format", "json"])
            .args(repos.iter().map(|repo| repo.path()))
            .run();
        let report = answer.json();
        assert_eq!(answer.code, code, "{}", report["message"]);
        assert_eq!(report["message"], counts);
        assert_eq!(report["is_check_passed"], code == 0);
        assert_eq!(
            check(repos.iter().map(|repo| repo.path())).code,
            code,
            "as a table"
        );
        let inputs: Vec<&Value> = report["models"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["model"]["input"])
            .collect();
        assert_eq!(
            inputs,
            repos
                .iter()
                .map(|repo| repo.path().to_str().unwrap())
                .collect::<Vec<_>>()
        );
    }
    assert_eq!(
        check([sound.path(), undecided.path(), "--exit-zero".as_ref()]).code,
        3
    );
    assert_eq!(
        check([failing.path(), undecided.path(), "--exit-zero".as_ref()]).code,
        0
    );
}

#[test]
fn of_several_targets_fail_comes_first_and_only_the_asked_ones_count() {
    let repo = Repo::sound();
    repo.edit(CONFIG, |config| {
        config["quantization_config"] = json!({"quant_method": "newest"});
    });
    let code = |targets: &[&str]| {
        let targets = targets.iter().flat_map(|target| ["--target", target]);
        let answer = Program::new()
            .args(["check", "--format", "json"])
            .arg(repo.path())
            .args(targets)
            .run();
        (answer.code, answer.json()["models"][0]["verdicts"].clone())
    };
    assert_eq!(
        code(&[]),
        (1, json!({"upload": "pass", "fine-tune": "fail"}))
    );
    assert_eq!(code(&["upload"]), (0, json!({"upload": "pass"})));
    assert_eq!(code(&["fine-tune"]), (1, json!({"fine-tune": "fail"})));
    assert_eq!(
        code(&["fine-tune", "upload"]),
        (1, json!({"upload": "pass", "fine-tune": "fail"}))
    );
    assert_eq!(code(&["upload", "upload"]), (0, json!({"upload": "pass"})));
}

/// "Could not look" is never "pass", whichever file it is.
#[cfg(unix)]
#[test]
fn no_file_that_matters_can_be_missed() {
    for path in [
        CONFIG,
        "tokenizer_config.json",
        SHARDS[0],
        SHARDS[1],
        crate::repo::INDEX,
    ] {
        let repo = Repo::sharded();
        repo.pipe(path);
        let report = report([repo.path()]);
        let verdicts = &report["models"][0]["verdicts"];
        assert_eq!(
            *verdicts,
            json!({"upload": "undecided", "fine-tune": "undecided"}),
            "{path}: {}",
            report["message"]
        );
    }
}

/// 60 billion parameters in each of two files are over the limit, whatever the third says.
#[cfg(unix)]
#[test]
fn what_was_read_may_decide() {
    let repo = Repo::sharded();
    let names = ["a", "b", "c"].map(|name| format!("model-{name}.safetensors"));
    for name in &names[..2] {
        repo.weights(
            name,
            &[Tensor::new(
                format!("{name}.weight"),
                "BF16",
                &[60_000, 1_000_000],
            )],
        );
    }
    repo.pipe(&names[2]);
    let map: serde_json::Map<_, _> = names
        .iter()
        .map(|name| (format!("{name}.weight"), json!(name)))
        .collect();
    repo.json(
        crate::repo::INDEX,
        &json!({"metadata": {}, "weight_map": map}),
    );
    let report = report([repo.path()]);
    let model = &report["models"][0];
    assert!(
        rules_of(model, "fine-tune", "fail").contains(&"parameters-over-limit"),
        "{}",
        report["message"]
    );
    assert_eq!(model["verdicts"]["fine-tune"], "fail");
    assert_eq!(model["facts"]["parameters"]["total"], Value::Null);
    assert!(model["facts"]["parameters"]["at_least"].as_u64().unwrap() >= 120_000_000_000);

    // 60 billion and a file that nobody read decide nothing.
    repo.weights(&names[0], &[Tensor::new("a.weight", "BF16", &[8])]);
    let report = crate::program::report([repo.path()]);
    let unknown = rules_of(&report["models"][0], "fine-tune", "unknown");
    assert!(
        unknown.contains(&"parameters-over-limit"),
        "{}",
        report["message"]
    );
}

#[test]
fn sizes_bound_the_parameters_of_a_checkout_of_pointers() {
    let over_limit = |bytes: u64| {
        let repo = Repo::sound();
        repo.pointer(WEIGHTS, bytes);
        let report = report([repo.path()]);
        let model = report["models"][0].clone();
        assert_eq!(model["facts"]["parameters"]["total"], Value::Null);
        for (outcome, verdict) in [("pass", "pass"), ("fail", "fail"), ("unknown", "undecided")] {
            if rules_of(&model, "fine-tune", outcome).contains(&"parameters-over-limit") {
                return verdict;
            }
        }
        panic!("no such row");
    };
    assert_eq!(over_limit(16_000_000_000), "pass");
    assert_eq!(over_limit(4_000_000_000_000), "fail");
    assert_eq!(over_limit(220_000_000_000), "undecided");
}
