//! The largest files that are read cost no more than [`EXTRA_BYTES_MAX`] beyond themselves, all the way to
//! the printed report. Each is judged in a process of its own, whose allocator counts.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test and its helper"
)]

use std::process::Command;

use fuzz_checks::{EXTRA_BYTES_MAX, HOSTILE};

/// One of each kind, in seconds.
#[test]
fn one_of_each_kind() {
    for name in [
        "config-of-values",
        "config-long-class",
        "tokenizer-of-tokens",
        "index-of-names",
        "header-of-tensors",
    ] {
        judge(name);
    }
}

#[test]
#[ignore = "takes minutes: run it with --release after changes of a parser"]
fn all() {
    for hostile in HOSTILE {
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
