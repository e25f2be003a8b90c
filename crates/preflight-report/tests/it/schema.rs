//! The JSON report keeps its contract, and the contract can be broken.

use jsonschema::Validator;
use preflight_report::{json, jsonl, schema};
use preflight_rules::report::Report;
use serde_json::{Value, json};

use crate::sample;

#[test]
fn the_schema_is_a_schema() {
    let schema = parsed_schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    assert_eq!(
        schema["properties"]["schema_version"]["const"],
        json!(json::SCHEMA_VERSION)
    );
}

#[test]
fn reports_are_valid() {
    let validator = validator();
    for report in [
        sample::good(),
        sample::hostile(),
        sample::adapter(),
        sample::several(),
    ] {
        let errors: Vec<_> = validator
            .iter_errors(&written(&report))
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, [""; 0]);
    }
}

#[test]
fn a_report_without_any_one_of_its_fields_is_rejected() {
    let validator = validator();
    let report = whole();
    let mut removed = 0;
    for pointer in pointers(&report)
        .iter()
        .filter(|pointer| is_required(pointer))
    {
        let mut broken = report.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        broken
            .pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(key)
            .unwrap();
        assert!(!validator.is_valid(&broken), "valid without {pointer}");
        removed += 1;
    }
    assert!(removed > 90, "{removed} fields");
}

#[test]
fn a_report_with_any_field_of_a_wrong_type_is_rejected() {
    let validator = validator();
    let report = whole();
    for pointer in pointers(&report) {
        let mut broken = report.clone();
        let value = broken.pointer_mut(&pointer).unwrap();
        *value = if value.is_object() {
            json!([])
        } else {
            json!({"an": "object"})
        };
        assert!(!validator.is_valid(&broken), "valid with an odd {pointer}");
    }
}

#[test]
fn words_and_numbers_outside_the_contract_are_rejected() {
    let validator = validator();
    for (pointer, value) in [
        ("/schema_version", json!(2)),
        ("/models/0/model/source", json!("ftp")),
        ("/models/0/verdicts", json!({})),
        ("/models/0/verdicts", json!({"serve": "pass"})),
        ("/models/0/verdicts/upload", json!("maybe")),
        ("/models/0/rules/0/outcome", json!("error")),
        ("/models/0/rules/0/id", json!("Not An Id")),
        ("/models/0/rules/0/findings", json!([{"message": "only"}])),
        ("/models/0/facts/parameters/total", json!(-1)),
        ("/models/0/facts/parameters/total", json!(1.5)),
        ("/models/0/fit/gpu_memory_utilization", json!(90)),
        ("/models/0/cost/seconds", json!(null)),
    ] {
        let mut broken = whole();
        *broken.pointer_mut(pointer).unwrap() = value;
        assert!(!validator.is_valid(&broken), "{pointer}");
    }
}

#[test]
fn a_field_of_a_later_release_is_tolerated() {
    let mut later = whole();
    later["new"] = json!(1);
    later["models"][0]["facts"]["parameters"]["new"] = json!(null);
    assert!(validator().is_valid(&later));
}

#[test]
fn every_field_that_is_written_is_described() {
    let schema = parsed_schema();
    let report = whole();
    for pointer in pointers(&report) {
        let described = describe(&schema, &pointer);
        assert!(
            described.is_some_and(|text| text.len() > 5),
            "{pointer} is not described"
        );
    }
}

#[test]
fn what_was_never_worked_out_is_null() {
    let report = written(&sample::adapter());
    let fit = &report["models"][0]["fit"];
    for field in [
        "context",
        "context_asked",
        "sequences",
        "kv_dtype",
        "gpu_memory_utilization",
        "load_dtype",
        "cache_of",
        "smallest",
    ] {
        assert_eq!(fit[field], Value::Null, "{field}");
    }
    assert_eq!(report["models"][0]["next"], Value::Null);
    assert_eq!(
        report["models"][0]["facts"]["remote_code"]["required"],
        Value::Null
    );
}

#[test]
fn a_line_is_one_of_the_models_with_version_and_policy() {
    let validator = jsonschema::draft202012::new(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": "#/$defs/line",
        "$defs": parsed_schema()["$defs"],
        "properties": parsed_schema()["properties"],
    }))
    .unwrap();
    let report = sample::several();
    let whole = written(&report);
    let mut out = vec![];
    jsonl::write(&report, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    for (line, model) in text.lines().zip(whole["models"].as_array().unwrap()) {
        let mut line: Value = serde_json::from_str(line).unwrap();
        assert!(validator.is_valid(&line), "{line}");
        let object = line.as_object_mut().unwrap();
        assert_eq!(object.shift_remove("schema_version"), Some(json!(1)));
        assert_eq!(
            object.shift_remove("policy").as_ref(),
            Some(&whole["policy"])
        );
        assert_eq!(
            object.shift_remove("catalog").as_ref(),
            Some(&whole["catalog"])
        );
        assert!(
            !validator.is_valid(&line),
            "a line without its version is none"
        );
        assert_eq!(&line, model);
    }
}

fn parsed_schema() -> Value {
    serde_json::from_str(schema::REPORT).unwrap()
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&parsed_schema()).unwrap()
}

fn written(report: &Report) -> Value {
    let mut out = vec![];
    json::write(report, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// A report with one of everything.
fn whole() -> Value {
    let mut report = sample::good();
    let model = &mut report.models[0];
    let awkward = sample::hostile().models.swap_remove(0);
    let adapter = sample::adapter().models.swap_remove(0);
    model.rules = awkward.rules;
    model.facts.quantization = awkward.facts.quantization;
    model.facts.adapter = adapter.facts.adapter;
    model.facts.base = adapter.facts.base;
    written(&report)
}

/// Pointers to every field of every object, the first element of an array standing for all.
fn pointers(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        if let Some(object) = value.as_object() {
            for (key, value) in object {
                let at = format!("{at}/{key}");
                found.push(at.clone());
                walk(value, &at, found);
            }
        } else if let Some(first) = value.get(0) {
            walk(first, &format!("{at}/0"), found);
        }
    }
    let mut found = vec![];
    walk(value, "", &mut found);
    found
}

/// Whether a field is always there: the keys of a map are not.
fn is_required(pointer: &str) -> bool {
    !["verdicts", "commands", "by_dtype"]
        .iter()
        .any(|map| pointer.contains(&format!("/{map}/")))
}

/// The description of the field at `pointer`, followed through the schema as a reader would.
fn describe<'a>(schema: &'a Value, pointer: &str) -> Option<&'a str> {
    let mut at = schema;
    let mut text = None;
    for key in pointer.split('/').skip(1) {
        at = resolved(schema, at);
        let next = if key == "0" {
            at.get("items")
        } else {
            at.get("properties")
                .and_then(|fields| fields.get(key))
                .or(at.get("additionalProperties"))
        };
        at = next?;
        text = at["description"]
            .as_str()
            .or(resolved(schema, at)["description"].as_str())
            .or(text);
    }
    text
}

/// What a schema refers to, if need be through a choice with null.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = schema.pointer("/anyOf/0").unwrap_or(schema);
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}
