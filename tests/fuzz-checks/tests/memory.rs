//! The largest files that are read cost no more than [`EXTRA_BYTES_MAX`] beyond themselves, all the way to
//! the printed report. Each is judged in a process of its own, whose allocator counts.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test and its helper"
)]

use std::process::Command;

use fuzz_checks::{EXTRA_BYTES_MAX, HOSTILE};

/// One test a kind, so that they run beside one another.
const KINDS: [&str; 4] = ["config-", "tokenizer-", "index-", "header-"];

#[test]
fn configs() {
    judge_all(KINDS[0]);
}

#[test]
fn tokenizers() {
    judge_all(KINDS[1]);
}

#[test]
fn indexes() {
    judge_all(KINDS[2]);
}

#[test]
fn headers() {
    judge_all(KINDS[3]);
}

#[test]
fn none_is_left_out() {
    let is_judged = |name: &str| KINDS.iter().any(|kind| name.starts_with(kind));
    let left: Vec<_> = HOSTILE
        .iter()
        .filter(|hostile| !is_judged(hostile.name))
        .collect();
    assert!(left.is_empty(), "{} have no test", left.len());
}

fn judge_all(kind: &str) {
    let of_kind: Vec<_> = HOSTILE
        .iter()
        .filter(|hostile| hostile.name.starts_with(kind))
        .collect();
    assert!(!of_kind.is_empty(), "{kind}");
    for hostile in of_kind {
        judge(hostile.name);
    }
}

fn judge(name: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_measure"))
        .arg(name)
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    println!("{name}: {}", text.trim_end());
    let mut words = text.split(' ');
    let input: usize = words.next().unwrap().parse().unwrap();
    let extra: usize = words.next().unwrap().parse().unwrap();
    assert!(input > 16_000_000, "{name} is large: {text}");
    assert!(extra <= EXTRA_BYTES_MAX, "{name}: {text}");
}
