//! Counts held against 130 checkpoints whose true totals are known (`../shared/data`, made by
//! building the models; see its README). Skipped, and said so, where that folder is absent.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what it skipped, and fails by panicking where it cannot go on"
)]

use std::path::Path;

use preflight_model::config::Config;
use preflight_model::fact::Fact;
use preflight_model::json::Document;
use preflight_model::snapshot::{Access, Content, File, Origin, Snapshot, SourceKind};
use preflight_model::{parameters, quantization, weights};
use serde_json::Value;

/// `a.{0-2,5}.b` stands for `a.0.b`, `a.1.b`, `a.2.b` and `a.5.b`.
fn expand(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return vec![pattern.into()];
    };
    let (ranges, after) = rest.split_once('}').unwrap();
    let mut names = Vec::new();
    for range in ranges.split(',') {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        for number in low.parse::<u64>().unwrap()..=high.parse().unwrap() {
            for tail in expand(after) {
                names.push(format!("{before}{number}{tail}"));
            }
        }
    }
    names
}

fn header(layout: &[Value]) -> (Vec<u8>, u64) {
    let mut text = String::from("{");
    let mut at = 0_u64;
    for line in layout {
        let dtype = line[1].as_str().unwrap();
        let shape: Vec<u64> = line[2]
            .as_array()
            .unwrap()
            .iter()
            .map(|size| size.as_u64().unwrap())
            .collect();
        let bits = preflight_model::header::dtype_named(dtype)
            .unwrap()
            .bitsize() as u64;
        let bytes = bits * shape.iter().product::<u64>() / 8;
        for name in expand(line[0].as_str().unwrap()) {
            use std::fmt::Write as _;
            let comma = if text.len() == 1 { "" } else { "," };
            let end = at + bytes;
            write!(text, r#"{comma}"{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{at},{end}]}}"#).unwrap();
            at = end;
        }
    }
    text.push('}');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    let size = bytes.len() as u64 + at;
    (bytes, size)
}

#[test]
fn totals_and_stored_elements() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/checkpoint-layouts.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not here", path.display());
        return;
    };
    let mut disagree = Vec::new();
    let mut number = 0;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["config"].is_null() {
            continue;
        }
        number += 1;
        let config_text = serde_json::to_string(&line["config"]).unwrap();
        let config = Config::new(Document::parse(config_text.as_bytes()).unwrap()).unwrap();
        let (bytes, size) = header(line["layout"].as_array().unwrap());
        let file = File {
            path: "model.safetensors".into(),
            size: Some(size),
            sha256: None,
            content: Content::Prefix(bytes),
        };
        let snapshot = Snapshot {
            origin: Origin {
                input: String::new(),
                source: SourceKind::Folder,
                stands_for: SourceKind::Folder,
                id: None,
                revision: None,
                commit: None,
            },
            access: Access::Open,
            observed_at: None,
            files: Fact::Known(vec![file]),
            container: Fact::Absent,
            base: Fact::Absent,
        };
        let weights = weights::weights(&snapshot, snapshot.files.known().unwrap(), Some(&config));
        assert_eq!(
            weights.shards[0].header.known().unwrap().defects,
            [""; 0],
            "{}",
            line["id"]
        );
        let quantization = quantization::find(Some(&config), None, None);
        let found = parameters::count(&weights, Some(&config), quantization.as_ref());
        let (logical, stored) = (
            line["params_logical"].as_u64(),
            line["file_elements_total"].as_u64(),
        );
        if found.total != logical || found.stored_elements != stored {
            disagree.push(format!(
                "{}: total {:?}, expected {logical:?}; stored {:?}, expected {stored:?}; {:?}",
                line["id"], found.total, found.stored_elements, found.inexact_because
            ));
        }
    }
    println!("{} of {number} checkpoints agree", number - disagree.len());
    assert!(disagree.is_empty(), "{}", disagree.join("\n"));
}
