//! What the formats of CI systems promise beyond their form.

use std::io;

use preflight_report::checkout::Checkout;
use preflight_report::{gitlab, html, junit, markdown, sarif};
use preflight_rules::report::{Level, Outcome, Report};
use serde_json::Value;

use crate::sample;

type Write = fn(&Report, &Checkout, &mut dyn io::Write) -> io::Result<()>;

fn written(write: Write, report: &Report) -> Value {
    let checkout = Checkout {
        root: "/src".into(),
        root_also: vec![],
        folder: "/src/work".into(),
        location: None,
    };
    let mut out = vec![];
    write(report, &checkout, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// GitHub refuses a file with more, and an error must not be what is left out.
#[test]
fn sarif_has_no_more_results_than_code_scanning_takes() {
    let of = |report: &Report| -> Value { written(sarif::write, report)["runs"][0].take() };
    let count = |run: &Value, level: &str| {
        let results = run["results"].as_array().unwrap();
        results.iter().filter(|it| it["level"] == level).count()
    };
    let one = sample::hostile();
    let (errors, all) = {
        let run = of(&one);
        assert!(run["invocations"].is_null());
        (
            count(&run, "error"),
            run["results"].as_array().unwrap().len(),
        )
    };
    let copies = 25_000 / all + 2;
    let mut many = one.clone();
    many.models = vec![one.models[0].clone(); copies];
    let run = of(&many);
    assert_eq!(run["results"].as_array().unwrap().len(), 25_000);
    assert!(errors > 0 && errors < all);
    assert_eq!(count(&run, "error"), errors * copies);
    let said = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    let left_out = copies * all - 25_000;
    assert!(
        said.as_str()
            .unwrap()
            .starts_with(&format!("{left_out} results are left out")),
        "{said}"
    );
}

/// Two revisions of a repository have one name, and a test report that cannot tell them apart loses one.
#[test]
fn models_of_one_name_are_called_as_the_user_called_them() {
    let mut report = sample::several();
    report.models.truncate(1);
    report.models.push(report.models[0].clone());
    report.models[0].input = "acme/tiny@first".into();
    report.models[1].input = "acme/tiny@second".into();
    for model in &mut report.models {
        model.id = Some("acme/tiny".into());
    }
    let mut texts = vec![];
    for write in [junit::write, markdown::write, html::write] {
        let mut out = vec![];
        write(&report, &mut out).unwrap();
        texts.push(String::from_utf8(out).unwrap());
    }
    for text in &texts {
        for name in ["acme/tiny@first", "acme/tiny@second"] {
            assert!(text.contains(name), "{text}");
        }
    }
    assert!(
        texts[0].contains("classname=\"acme/tiny@second.upload\""),
        "{}",
        texts[0]
    );
    report.models.pop();
    let mut out = vec![];
    junit::write(&report, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("classname=\"acme/tiny.upload\""), "{text}");
}

/// What keeps us from looking differs from machine to machine; what was not looked at is the same.
#[test]
fn what_is_not_known_has_one_fingerprint_whatever_the_reason() {
    let print = |outcome: Outcome, why: &str| {
        let mut report = sample::hostile();
        let model = &mut report.models[0];
        model.rules.truncate(1);
        let row = &mut model.rules[0];
        row.outcome = outcome;
        row.level = Level::Error;
        row.findings.truncate(1);
        row.findings[0].message = why.into();
        written(gitlab::write, &report)[0]["fingerprint"].to_string()
    };
    let unknown = |why: &str| print(Outcome::Unknown, why);
    assert_eq!(unknown("not in `/root/cache`"), unknown("timed out"));
    let failed = |why: &str| print(Outcome::Fail, why);
    assert_ne!(failed("`a` is missing"), failed("`b` is missing"));
}

/// GitHub knows no suppressions and would open an alert.
#[test]
fn what_is_ignored_is_no_result_of_sarif() {
    let mut report = sample::hostile();
    let model = &mut report.models[0];
    model.rules.truncate(1);
    let row = &mut model.rules[0];
    (row.level, row.outcome) = (Level::Error, Outcome::Fail);
    let results = |report: &Report| {
        let run = written(sarif::write, report)["runs"][0].take();
        (run["results"].as_array().unwrap().len(), run)
    };
    assert!(results(&report).0 > 0);
    report.models[0].rules[0].ignored = Some("ours".into());
    let (count, run) = results(&report);
    assert_eq!(count, 0);
    let ignored = &run["properties"]["ignored"][0];
    assert_eq!(
        (&ignored["reason"], &ignored["outcome"]),
        (&"ours".into(), &"fail".into())
    );
}

/// GitHub's `upload-sarif` reads each file that a result stands in, and weights have many gigabytes.
#[test]
fn nothing_stands_in_weights_and_the_message_says_where_it_is() {
    let mut report = sample::hostile();
    let model = &mut report.models[0];
    (model.source, model.input) = ("folder", "./m".into());
    model.rules.truncate(1);
    let row = &mut model.rules[0];
    (row.level, row.outcome) = (Level::Error, Outcome::Fail);
    row.help = String::new();
    row.more_findings = 0;
    row.findings.truncate(1);
    let finding = &mut row.findings[0];
    finding.path = Some("model.safetensors".into());
    (finding.line, finding.column, finding.pointer) = (None, None, None);
    finding.message = "it is odd".into();
    let found = written(gitlab::write, &report)[0].take();
    assert_eq!(found["location"]["path"], "work/m/config.json");
    assert_eq!(found["description"], "it is odd (model.safetensors)");
    report.models[0].rules[0].findings[0].message = "`model.safetensors` is odd".into();
    let found = written(gitlab::write, &report)[0].take();
    assert_eq!(found["description"], "`model.safetensors` is odd");
}
