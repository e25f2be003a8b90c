//! A file beyond a bound of ours may be sound: the loader has no such bound. So nobody knows.

use std::fmt::Write as _;

use preflight_model::json::{DEPTH_MAX, DOCUMENT_VALUES_MAX, ESCAPED_BYTES_MAX};
use preflight_model::{header, index};

use crate::report::{Outcome, Verdict};
use crate::testing::Repo;

/// A name of more bytes than are read.
const NAME_BYTES: usize = 5000;

/// `rule` does not know about this repository and says why, no rule fails, and the verdict is open.
fn is_unknown(repository: &str, rule: &str, why: &str) {
    let report = Repo::new(repository).report();
    let row = report.rules.iter().find(|row| row.id == rule).unwrap();
    assert_eq!(row.outcome, Outcome::Unknown, "{rule}: {:?}", row.findings);
    let says = &row.findings[0].message;
    assert!(says.contains(why), "{rule} should say {why:?}: {says}");
    let failed: Vec<_> = report
        .rules
        .iter()
        .filter(|row| row.outcome == Outcome::Fail)
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    for (target, verdict) in &report.verdicts {
        assert_eq!(*verdict, Verdict::Undecided, "{target:?}");
    }
}

fn many(count: usize, each: impl Fn(usize) -> String) -> String {
    let mut out = String::new();
    for number in 0..count {
        let comma = if number == 0 { "" } else { "," };
        write!(out, "{comma}{}", each(number)).unwrap();
    }
    out
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn more_values_than_are_read() {
    let list = format!(
        r#"{{"x": [{}]}}"#,
        many(DOCUMENT_VALUES_MAX, |_| "0".into())
    );
    for (path, rule) in [
        ("config.json", "config-invalid"),
        ("tokenizer_config.json", "tokenizer-missing"),
    ] {
        let repository = format!("//- {path}\n{list}");
        is_unknown(&repository, rule, "more than 524288 values");
    }
}

#[test]
fn deeper_than_is_read() {
    // Python 3.14 reads 100,000 levels.
    for levels in [DEPTH_MAX as usize, 5000] {
        let config = format!("//- config.json\n{{\"x\": {}}}", nested(levels));
        is_unknown(&config, "config-invalid", "nested deeper than 512 levels");
    }
    let index = of_index(&format!(r#"{{"x": {}}}"#, nested(DEPTH_MAX as usize)));
    is_unknown(&index, "index-mismatch", "nested deeper than 512 levels");
}

fn of_index(text: &str) -> String {
    format!("//- model.safetensors removed\n//- model.safetensors.index.json\n{text}")
}

fn of_map(map: &str) -> String {
    of_index(&format!(r#"{{"metadata": {{}}, "weight_map": {{{map}}}}}"#))
}

#[test]
fn an_index_beyond_what_is_read() {
    let tensors = many(index::TENSORS_MAX + 1, |number| {
        format!(r#""{number}":"a.safetensors""#)
    });
    let shards = many(index::SHARDS_MAX + 1, |number| {
        format!(r#""{number}":"{number}.safetensors""#)
    });
    let name = format!(r#""{}":"a.safetensors""#, "n".repeat(NAME_BYTES));
    let escaped = many(2500, |number| {
        format!(r#""\n{number}{}":"a.safetensors""#, "n".repeat(4000))
    });
    for (map, why) in [
        (tensors, "more than 1000000 tensors"),
        (shards, "more than 10000 shards"),
        (name, "a name of more than 4096 bytes"),
        (escaped, "bytes of shard names and escaped tensor names"),
    ] {
        is_unknown(&of_map(&map), "index-mismatch", why);
    }
}

fn of_header(tensors: &str) -> String {
    format!("//- model.safetensors raw 1000000000\n{{{tensors}}}")
}

fn tensor(name: &str, shape: &str) -> String {
    format!(r#""{name}":{{"dtype":"U8","shape":[{shape}],"data_offsets":[0,1]}}"#)
}

#[test]
fn a_header_beyond_what_is_read() {
    let tensors = many(header::TENSORS_MAX + 1, |number| {
        tensor(&number.to_string(), "")
    });
    let ones = many(header::DIMENSIONS_MAX, |_| "1".into());
    let count = 4 * header::TENSORS_MAX / header::DIMENSIONS_MAX + 1;
    let dimensions = many(count, |number| tensor(&number.to_string(), &ones));
    let escaped = many(1500, |number| {
        tensor(&format!("\\n{number}{}", "n".repeat(4000)), "")
    });
    for (tensors, why) in [
        (tensors, "more than 500000 tensors"),
        (dimensions, "more than 2000000 dimensions"),
        (
            tensor(&"n".repeat(NAME_BYTES), ""),
            "a name of more than 4096 bytes",
        ),
        (escaped, "bytes of names with escapes"),
    ] {
        is_unknown(&of_header(&tensors), "shard-corrupt", why);
    }
}

#[test]
fn a_string_with_escapes_beyond_what_is_read() {
    let long = format!(
        r#"{{"model": {{"x": "\n{}"}}}}"#,
        "n".repeat(ESCAPED_BYTES_MAX)
    );
    let repository = format!("//- tokenizer.json\n{long}");
    is_unknown(&repository, "tokenizer-missing", "a string with escapes");
}

#[test]
fn an_adapter_beyond_what_is_read() {
    let list = many(DOCUMENT_VALUES_MAX, |_| "0".into());
    let config = format!(
        "adapter: meta-llama/Meta-Llama-3.1-8B-Instruct-Reference\n//- adapter_config.json\n{{\"peft_type\": \"LORA\", \"x\": [{list}]}}"
    );
    is_unknown(&config, "adapter-incomplete", "more than 524288 values");
    let name = tensor(&"n".repeat(NAME_BYTES), "");
    let weights =
        format!("adapter: acme/base\n//- adapter_model.safetensors raw 1000000000\n{{{name}}}");
    // Another rule knows that the base of this example is not served.
    let said = Repo::new(&weights).run("adapter-incomplete");
    assert!(said.starts_with("upload, fine-tune: unknown"), "{said}");
    assert!(said.contains("a name of more than"), "{said}");
}

/// The bounds of the loaders themselves remain defects.
#[test]
fn a_bound_of_the_loader_is_a_defect() {
    let deep = of_header(&format!(
        r#""a":{{"x":{},"dtype":"U8","shape":[],"data_offsets":[0,1]}}"#,
        nested(126)
    ));
    let said = Repo::new(&deep).run("shard-corrupt");
    assert!(said.contains("nested deeper than 127 levels"), "{said}");
    assert!(said.contains(": fail"), "{said}");
    let digits = format!("//- config.json\n{{\"x\": {}}}", "1".repeat(4301));
    let said = Repo::new(&digits).run("config-invalid");
    assert!(said.contains(": fail"), "{said}");
}
