//! Large input is read in bounded memory and time.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::program::Program;
use crate::repo::{INDEX, Repo, SHARDS, WEIGHTS};

/// Time for a debug build on a busy machine; it takes a tenth of that on an idle one.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn a_hundred_thousand_tensors() {
    let repo = Repo::sound();
    let mut header = String::from("{");
    for number in 0..100_000_u32 {
        let (start, end) = (number * 2, number * 2 + 2);
        let comma = if number == 0 { "" } else { "," };
        let experts = format!(
            "model.layers.{}.mlp.experts.{}.w.weight",
            number / 1000,
            number % 1000
        );
        write!(
            header,
            r#"{comma}"{experts}":{{"dtype":"BF16","shape":[1],"data_offsets":[{start},{end}]}}"#
        )
        .unwrap();
    }
    header.push('}');
    repo.raw_weights(WEIGHTS, &header, 200_000);
    let started = Instant::now();
    let report = Program::new()
        .args(["check", "--format", "json"])
        .arg(repo.path())
        .run()
        .json();
    assert_eq!(report["models"][0]["facts"]["weights"]["tensors"], 100_000);
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

/// An index of 50 MB is read, in memory of less than 64 MB beyond it and the program, with half a million tensors amiss.
#[cfg(target_os = "linux")]
#[test]
fn an_index_of_50_megabytes() {
    let repo = Repo::sharded();
    let mut index = String::with_capacity(60 << 20);
    let sound = std::fs::read_to_string(repo.file(INDEX)).unwrap();
    index.push_str(sound.trim_end().strip_suffix("}}").unwrap());
    let mut number = 0;
    while index.len() < 50 << 20 {
        write!(
            index,
            ",\"model.layers.{}.mlp.experts.{number}.down_proj.weight\":\"{}\"",
            number / 100,
            SHARDS[0]
        )
        .unwrap();
        number += 1;
    }
    index.push_str("}}");
    repo.write(INDEX, &index);
    let started = Instant::now();
    let answer = Program::limit_memory(300)
        .args(["check", "--format", "json"])
        .arg(repo.path())
        .run();
    let model = answer.json()["models"][0].clone();
    assert_eq!(answer.code, 0, "{model:#}");
    let row = model["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["id"] == "index-mismatch")
        .unwrap();
    assert_eq!(row["outcome"], "pass");
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

/// Nothing of a weight is read, however many there are.
#[test]
fn a_terabyte_of_holes_costs_a_few_kilobytes() {
    let repo = Repo::sharded();
    let mut tensors = crate::repo::tensors();
    tensors.push(crate::repo::Tensor::new(
        "huge",
        "BF16",
        &[1 << 20, 1 << 19],
    ));
    repo.remove(INDEX);
    repo.weights(WEIGHTS, &tensors);
    assert!(repo.size(WEIGHTS) > 1 << 40);
    let started = Instant::now();
    let report = Program::new()
        .args(["check", "--format", "json"])
        .arg(repo.path())
        .run()
        .json();
    let cost = &report["models"][0]["cost"];
    assert!(cost["bytes"].as_u64().unwrap() < 100_000, "{cost}");
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

/// Files that are not read cannot fill the memory: 300 MB of config, a header that says 90 MB.
#[cfg(target_os = "linux")]
#[test]
fn what_is_too_large_is_not_read() {
    let repo = Repo::sound();
    repo.sparse("config.json", b"{", 300 << 20);
    repo.sparse(WEIGHTS, &u64::to_le_bytes(1 << 63), 1 << 40);
    repo.sparse("tokenizer.json", b"{", 300 << 20);
    let answer = Program::limit_memory(64)
        .arg("check")
        .arg(repo.path())
        .run();
    assert_eq!(answer.code, 1, "{answer:#?}");
}

/// A folder may hold many files that nobody asked for.
#[test]
fn ten_thousand_other_files() {
    let repo = Repo::sound();
    std::fs::create_dir(repo.file("other")).unwrap();
    for number in 0..10_000 {
        repo.write(&format!("other/{number}.txt"), "");
    }
    let started = Instant::now();
    let answer = Program::new().arg("check").arg(repo.path()).run();
    assert_eq!(answer.code, 0);
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}
