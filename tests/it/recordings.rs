//! `record`, and recordings that come from strangers.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::program::{Answer, Program, check, report};
use crate::repo::{CONFIG, Repo, SHARDS};

const RECORDING: &str = "recording.json";

fn record(model: &Path, to: &Path) -> Answer {
    Program::new()
        .arg("record")
        .arg(model)
        .arg("-o")
        .arg(to)
        .run()
}

/// A recording of a sound folder, in a folder that goes away with the first.
fn recorded() -> (Repo, PathBuf) {
    let place = Repo::empty();
    let to = place.file("recorded");
    let answer = record(Repo::sharded().path(), &to);
    assert_eq!(answer.code, 0, "{answer:#?}");
    (place, to)
}

fn edit(recording: &Path, change: impl FnOnce(&mut Value)) {
    let path = recording.join(RECORDING);
    let mut document = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut document);
    fs::write(path, document.to_string()).unwrap();
}

/// A report without what a recording may change: where it is, what it cost, when it was.
fn judgement(mut report: Value) -> Value {
    for model in report["models"].as_array_mut().unwrap() {
        for key in ["source", "input", "observed_at"] {
            model["model"][key] = Value::Null;
        }
        model["cost"] = Value::Null;
    }
    report
}

#[test]
fn a_recording_is_judged_as_what_it_recorded() {
    let broken = Repo::sharded();
    broken.pointer(SHARDS[1], 4_000_000);
    broken.edit(CONFIG, |config| config["vocab_size"] = json!(300));
    broken.write("readme.md", "listed only");
    for repo in [Repo::sound(), Repo::sharded(), broken] {
        let place = Repo::empty();
        let to = place.file("recorded");
        let answer = record(repo.path(), &to);
        assert_eq!((answer.code, answer.stdout.as_str()), (0, ""));
        assert_eq!(
            answer.stderr,
            format!("wrote the recording `{}`\n", to.display())
        );

        let (before, after) = (report([repo.path()]), report([&to]));
        assert_eq!(before["models"][0]["model"]["source"], "folder");
        assert_eq!(after["models"][0]["model"]["source"], "recording");
        assert_eq!(judgement(before), judgement(after));
        assert_eq!(check([repo.path()]).code, check([&to]).code);
    }
}

#[test]
fn the_time_of_a_recording_is_that_of_the_looking() {
    let (_place, to) = recorded();
    edit(&to, |document| {
        document["observed_at"] = json!("2025-11-08T00:00:00Z");
    });
    let first = report([&to]);
    assert_eq!(
        first["models"][0]["model"]["observed_at"],
        "2025-11-08T00:00:00Z"
    );
}

#[test]
fn the_same_model_gives_the_same_recording() {
    let (place, one) = recorded();
    let two = place.file("two");
    assert_eq!(record(&one, &two).code, 0);
    let read = |dir: &Path| {
        let mut files: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
            .iter()
            .map(|path| {
                (
                    path.file_name().unwrap().to_owned(),
                    fs::read(path).unwrap(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(read(&one), read(&two));
    // A recording replaces itself.
    assert_eq!(record(&one, &two).code, 0);
    assert_eq!(read(&one), read(&two));
}

#[test]
fn no_weight_is_recorded() {
    let (_place, to) = recorded();
    let bytes: u64 = fs::read_dir(&to)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(
        bytes < 20_000,
        "{bytes} bytes of a model of {}",
        crate::repo::PARAMETERS * 2
    );
}

#[test]
fn record_writes_over_nothing_but_a_recording() {
    let model = Repo::sound();
    let precious = Repo::empty();
    precious.write("thesis.txt", "years of work");
    let answer = record(model.path(), precious.path());
    assert_ne!(answer.code, 0);
    assert!(
        answer
            .stderr
            .starts_with("error: cannot write the recording"),
        "{answer:#?}"
    );
    assert_eq!(
        fs::read_to_string(precious.file("thesis.txt")).unwrap(),
        "years of work"
    );
    let answer = record(Path::new("./nowhere"), &precious.file("new"));
    answer.complains(2, "error: no such folder: `./nowhere`");
    assert!(!precious.file("new").exists());
}

/// Paths of a recording stay inside it, or nothing of it is believed.
#[test]
fn paths_that_lead_outside() {
    let secret = Repo::empty();
    secret.write("secret.json", "{\"model_type\": \"secret\"}");
    let absolute = secret.file("secret.json").display().to_string();
    for path in [
        "../secret.json",
        "/etc/passwd",
        "a/../../b",
        "",
        ".",
        "a//b",
        "a\0b",
        &absolute,
    ] {
        let (_place, to) = recorded();
        edit(&to, |document| document["files"][0]["path"] = json!(path));
        let answer = check([&to]);
        answer.says(3, "leads outside");
        assert!(!answer.stdout.contains("PASS"));
    }
}

#[cfg(unix)]
#[test]
fn links_in_a_recording_are_not_followed() {
    let (_place, to) = recorded();
    let elsewhere = Repo::sound();
    fs::remove_file(to.join(CONFIG)).unwrap();
    std::os::unix::fs::symlink(elsewhere.file(CONFIG), to.join(CONFIG)).unwrap();
    check([&to]).says(3, "symbolic link");
}

#[test]
fn recordings_that_cannot_be_believed() {
    let change = |change: &dyn Fn(&mut Value)| {
        let (place, to) = recorded();
        edit(&to, change);
        (place, to)
    };
    for ((_place, to), says) in [
        (
            change(&|document| document["format_version"] = json!(2)),
            "its format version is 2, this program reads version 1",
        ),
        (
            change(&|document| document["source"] = json!("ftp")),
            "its `source` is `ftp`",
        ),
        (
            change(&|document| document["files"] = json!(7)),
            "is not as expected",
        ),
        (
            change(&|document| {
                let first = document["files"][0].clone();
                document["files"].as_array_mut().unwrap().push(first);
            }),
            "stands twice in it",
        ),
        (
            change(&|document| document["container"] = json!({"kind": "tar"})),
            "`recording.json` is not as expected",
        ),
        (
            change(&|document| document["base"] = json!({"state": "known"})),
            "it is missing",
        ),
    ] {
        let answer = check([&to]);
        answer.says(3, says);
        for format in ["table", "json"] {
            assert_eq!(
                Program::new()
                    .arg("check")
                    .arg(&to)
                    .args(["--format", format])
                    .run()
                    .code,
                3
            );
        }
    }
}

/// What a recording lost is not known; it is never taken for absent or sound.
#[test]
fn a_file_that_was_lost_or_cut() {
    let (_place, to) = recorded();
    for path in [CONFIG, SHARDS[0]] {
        let whole = fs::read(to.join(path)).unwrap();
        fs::remove_file(to.join(path)).unwrap();
        check([&to]).says(
            3,
            &format!("`{path}` could not be read: the recording should hold it: no such file"),
        );
        fs::write(to.join(path), &whole[..whole.len() / 2]).unwrap();
        assert_eq!(check([&to]).code, 3, "{path} cut");
        fs::write(to.join(path), whole).unwrap();
    }
    check([&to]).says(0, "PASS upload");
}

#[test]
fn what_the_place_refused_fails_and_what_it_did_not_answer_is_undecided() {
    let (_place, to) = recorded();
    let access = |state: &str| {
        edit(&to, |document| {
            document["access"] = json!({"state": state, "reason": "in the words of the place"});
        });
        check([&to])
    };
    access("refused").says(1, "in the words of the place");
    access("unreachable").says(3, "in the words of the place");
}
