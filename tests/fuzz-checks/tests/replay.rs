//! The committed inputs of every fuzz target, run once with the stable compiler: seeds cut out of the
//! fixtures, and whatever a fuzzer found and we fixed.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test and its helper"
)]

use std::path::Path;

#[test]
fn header() {
    replay("header", fuzz_checks::header);
}

#[test]
fn index() {
    replay("index", fuzz_checks::index);
}

#[test]
fn config() {
    replay("config", fuzz_checks::config);
}

#[test]
fn snapshot() {
    replay("snapshot", fuzz_checks::snapshot);
}

#[test]
fn tokenizer() {
    replay("tokenizer", fuzz_checks::tokenizer);
}

#[test]
fn adapter() {
    replay("adapter", fuzz_checks::adapter);
}

#[test]
fn archive() {
    replay("archive", fuzz_checks::archive);
}

fn replay(target: &str, check: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let mut replayed = 0;
    for kind in ["seeds", "found"] {
        let folder = fuzz.join(kind).join(target);
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            // Shown where the check fails.
            println!("{}", path.display());
            check(&std::fs::read(&path).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed >= 10, "{replayed} inputs in {}", fuzz.display());
}
