use super::*;
use crate::report::Verdict;
use crate::testing::Repo;

fn parse(text: &str) -> Configuration {
    Configuration::parse(text, "byom-preflight.toml").unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn wrong(text: &str, says: &[&str]) {
    let error = Configuration::parse(text, "ours.toml")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("`ours.toml` is not a configuration\n"),
        "{error}"
    );
    for words in says {
        assert!(error.contains(words), "no `{words}` in {error}");
    }
}

#[test]
fn an_empty_file_changes_nothing() {
    assert_eq!(parse(""), Configuration::default());
    assert_eq!(
        parse("# nothing\n[limits]\n[levels]\n"),
        Configuration::default()
    );
}

#[test]
fn every_key_is_understood() {
    let file = parse(
        r#"
targets = ["fine-tune"]
policy = "./ours.toml"
base-model = "org/base"
fail-on = "warning"
[limits]
parameters-max = 8_000_000_000
weights-bytes-max = 20_000_000_000
context-length-min = 32_768
adapter-rank-max = 64
[levels]
chat-template-missing = "error"
transformers-too-new = { upload = "error" }
[[ignore]]
rule = "remote-code-required"
reason = "we  own\nthe code"
until = 2026-03-01
[[allow-unknown]]
rule = "tokenizer-missing"
targets = ["upload"]
reason = "a mirror without tokenizers"
until = "2026-12-31"
"#,
    );
    assert_eq!(file.targets, Some(vec![Target::FineTune]));
    assert_eq!(file.policy.as_deref(), Some("./ours.toml"));
    assert_eq!(file.base_model.as_deref(), Some("org/base"));
    assert_eq!(file.fail_on_warning, Some(true));
    let settings = &file.settings;
    let limits = Limits {
        parameters_max: Some(8_000_000_000),
        weights_bytes_max: Some(20_000_000_000),
        context_length_min: Some(32_768),
        adapter_rank_max: Some(64),
    };
    assert_eq!(settings.limits, limits);
    let level = |rule, target| settings.level(rule, target);
    assert_eq!(
        level("chat-template-missing", Target::FineTune),
        Some(Level::Error)
    );
    assert_eq!(
        level("transformers-too-new", Target::Upload),
        Some(Level::Error)
    );
    assert_eq!(level("transformers-too-new", Target::FineTune), None);
    let [ignore, allow] = settings.exceptions() else {
        panic!("{settings:?}")
    };
    assert_eq!(ignore.to_string(), "we own the code (until 2026-03-01)");
    assert_eq!((ignore.line, ignore.targets.len()), (14, 2));
    assert_eq!(
        allow.to_string(),
        "unknown is allowed: a mirror without tokenizers (until 2026-12-31)"
    );
}

#[test]
fn a_mistake_is_told_with_its_line_and_the_likely_word() {
    wrong(
        "base_model = \"x\"\n",
        &["line 1, column 1", "did you mean `base-model`?"],
    );
    wrong("\n\n[limit]\n", &["line 3", "did you mean `limits`?"]);
    wrong(
        "[limits]\nparameters_max = 1\n",
        &["line 2", "did you mean `parameters-max`?"],
    );
    wrong(
        "[levels]\nchat-template-mising = \"error\"\n",
        &[
            "line 2",
            "unknown rule `chat-template-mising`; did you mean `chat-template-missing`?",
        ],
    );
    wrong(
        "[levels]\nchat-template-missing = \"eror\"\n",
        &["line 2, column 25", "no level is called `eror`"],
    );
    wrong(
        "[levels]\nchat-template-missing = \"off\"\n",
        &["write an `[[ignore]]` for it"],
    );
    wrong(
        "[levels]\nchat-template-missing = { uplaod = \"note\" }\n",
        &["no target is called `uplaod`"],
    );
    wrong("targets = []\n", &["`targets` is empty"]);
    wrong(
        "fail-on = \"never\"\n",
        &["line 1", "expected `error` or `warning`"],
    );
    wrong(
        "[[ignore]]\nrule = \"config-invalid\"\n",
        &["line 1", "missing field `reason`"],
    );
    wrong(
        "[[ignore]]\nrule = \"config-invalid\"\nreason = \" \"\n",
        &["line 3", "`reason` is empty"],
    );
    wrong(
        "[[ignore]]\nrule = \"config-invalid\"\nreason = \"x\"\nreasn = \"y\"\n",
        &["line 4", "did you mean `reason`?"],
    );
    for day in [
        "2026-02-29",
        "\"2026-3-1\"",
        "2026-13-01",
        "2026-01-01T00:00:00Z",
        "3",
        "\"soon\"",
    ] {
        let text =
            format!("[[ignore]]\nrule = \"config-invalid\"\nreason = \"x\"\nuntil = {day}\n");
        wrong(&text, &["line 4"]);
    }
    wrong(
        "[ignore]\nrule = \"config-invalid\"\nreason = \"x\"\n",
        &[
            "line 1, column 1",
            "two brackets on each side, as in `[[ignore]]`",
        ],
    );
    wrong(
        "[[ignore]]\nrule = \"xyz\"\nreason = \"x\"\n",
        &[
            "line 2, column 8",
            "unknown rule `xyz`; `byom-preflight rules` lists them",
        ],
    );
    wrong(
        "targets = \"upload\"\n",
        &["line 1, column 11", "write a list, such as [\"upload\"]"],
    );
    wrong("targets = [1]\n", &["write a list, such as [\"upload\"]"]);
    wrong(
        "[levels]\nnode-too-small = {}\n",
        &["line 2", "write a level"],
    );
    for count in ["0", "-1", "1.5", "\"70B\""] {
        wrong(
            &format!("[limits]\nweights-bytes-max = {count}\n"),
            &[
                "line 2, column 21",
                "write a whole number above 0 without a unit",
            ],
        );
    }
    let twice = "[[ignore]]\nrule = \"config-invalid\"\nreason = \"x\"\n";
    wrong(
        &format!("{twice}targets = [\"upload\"]\n{twice}"),
        &["line 5: `config-invalid` is set aside in line 1 already"],
    );
    wrong("parameters-max = -1\n[limits", &["line 2"]);
}

#[test]
fn a_day_ends_with_its_last_second() {
    let end = |text: &str| Day::parse(text).unwrap().end();
    assert_eq!(end("1970-01-01"), 86_400);
    // `date -u -d 2024-03-01 +%s`, `date -u -d 2000-03-01 +%s`, `date -u -d 2101-01-01 +%s`
    assert_eq!(end("2024-02-29"), 1_709_251_200);
    assert_eq!(end("2000-02-29"), 951_868_800);
    assert_eq!(end("2100-12-31"), 4_133_980_800);
    assert_eq!(Day::parse("2100-02-29"), None);
    assert_eq!(Day::parse("2026-00-10"), None);
    assert_eq!(Day::parse("2026-01-00"), None);
    assert_eq!(Day::parse("２026-01-0"), None);
}

/// A sound repository in which the chat template is missing.
const WITHOUT_TEMPLATE: &str =
    "//- tokenizer_config.json\n{\"tokenizer_class\": \"LlamaTokenizer\"}\n";
/// A time in 2026.
const NOW: i64 = 1_770_000_000;

fn judged(repo: &str, configuration: &str) -> ModelReport {
    let mut repo = Repo::new(repo);
    repo.configure(parse(configuration).settings, Some(NOW));
    repo.report()
}

fn row<'a>(report: &'a ModelReport, id: &str) -> &'a RuleRow {
    report.rules.iter().find(|row| row.id == id).unwrap()
}

fn verdict(report: &ModelReport, target: Target) -> Verdict {
    report
        .verdicts
        .iter()
        .find(|(it, _)| *it == target)
        .unwrap()
        .1
}

#[test]
fn a_level_of_ones_own_decides() {
    let rule = "chat-template-missing";
    let before = judged(WITHOUT_TEMPLATE, "");
    assert_eq!(row(&before, rule).outcome, Outcome::Warn);
    assert_eq!(verdict(&before, Target::Upload), Verdict::Pass);
    let report = judged(
        WITHOUT_TEMPLATE,
        "[levels]\nchat-template-missing = { upload = \"error\" }\n",
    );
    let of_upload = row(&report, rule);
    assert_eq!(
        (of_upload.outcome, of_upload.level),
        (Outcome::Fail, Level::Error)
    );
    assert_eq!(
        of_upload.notes.last().unwrap().message,
        "your configuration makes this an error; the policy has it as a warning"
    );
    assert_eq!(verdict(&report, Target::Upload), Verdict::Fail);
    assert_eq!(verdict(&report, Target::FineTune), Verdict::Pass);
    assert!(
        report
            .message
            .contains("refused for upload (chat-template-missing)"),
        "{}",
        report.message
    );
    // A sound repository says nothing of it.
    let sound = judged("", "[levels]\nchat-template-missing = \"error\"\n");
    assert!(row(&sound, rule).notes.is_empty());
}

#[test]
fn an_ignored_rule_shows_its_reason_and_decides_nothing() {
    let broken = "//- tokenizer.json\n<gone>\n";
    let before = judged(broken, "");
    assert_eq!(
        verdict(&before, Target::Upload),
        Verdict::Fail,
        "{before:#?}"
    );
    assert!(
        before
            .rules
            .iter()
            .filter(|row| row.outcome == Outcome::Fail)
            .all(|row| row.id == "tokenizer-missing")
    );
    let ignore =
        "[[ignore]]\nrule = \"tokenizer-missing\"\nreason = \"ours\"\ntargets = [\"upload\"]\n";
    let report = judged(broken, ignore);
    let rows: Vec<_> = report
        .rules
        .iter()
        .filter(|row| row.id == "tokenizer-missing")
        .collect();
    assert_eq!(rows.len(), 2, "each target has its row");
    let of_upload = rows
        .iter()
        .find(|row| row.targets == [Target::Upload])
        .unwrap();
    assert_eq!(
        (of_upload.outcome, of_upload.ignored.as_deref()),
        (Outcome::Fail, Some("ours"))
    );
    assert_eq!(verdict(&report, Target::Upload), Verdict::Pass);
    assert_eq!(verdict(&report, Target::FineTune), Verdict::Fail);
    assert!(
        report.message.starts_with("accepted for upload"),
        "{}",
        report.message
    );
    let settings = parse(ignore).settings;
    assert_eq!(settings.used_by(&report), [0]);
    assert!(settings.used_by(&before).is_empty());
    // Of a rule that finds nothing there is nothing to ignore.
    let sound = judged("", ignore);
    assert_eq!(row(&sound, "tokenizer-missing").ignored, None);
    assert!(settings.used_by(&sound).is_empty());
}

#[test]
fn what_has_ended_no_longer_holds_and_is_told() {
    let broken = "//- tokenizer.json\n<gone>\n";
    let ignore = |day: &str| {
        format!("[[ignore]]\nrule = \"tokenizer-missing\"\nreason = \"ours\"\nuntil = {day}\n")
    };
    // NOW is in 2026-02-02.
    let holds = judged(broken, &ignore("2026-02-02"));
    assert_eq!(
        row(&holds, "tokenizer-missing").ignored.as_deref(),
        Some("ours (until 2026-02-02)")
    );
    let over = judged(broken, &ignore("2026-02-01"));
    let row_of = row(&over, "tokenizer-missing");
    assert_eq!(row_of.ignored, None);
    assert_eq!(
        row_of.notes.last().unwrap().message,
        "it was set aside until 2026-02-01, and is no longer"
    );
    assert_eq!(verdict(&over, Target::Upload), Verdict::Fail);
    // Without a clock nobody knows.
    let mut repo = Repo::new(broken);
    repo.configure(parse(&ignore("2026-02-02")).settings, None);
    assert_eq!(verdict(&repo.report(), Target::Upload), Verdict::Fail);
}

#[test]
fn allowing_unknown_allows_nothing_else() {
    let unread = "//- tokenizer.json unavailable\n";
    let allow = "[[allow-unknown]]\nrule = \"tokenizer-missing\"\nreason = \"a mirror\"\n";
    let before = judged(unread, "");
    assert_eq!(
        verdict(&before, Target::Upload),
        Verdict::Undecided,
        "{before:#?}"
    );
    let report = judged(unread, allow);
    assert_eq!(
        row(&report, "tokenizer-missing").ignored.as_deref(),
        Some("unknown is allowed: a mirror")
    );
    assert_eq!(verdict(&report, Target::Upload), Verdict::Pass);
    let broken = judged("//- tokenizer.json\n<gone>\n", allow);
    assert_eq!(verdict(&broken, Target::Upload), Verdict::Fail);
}

#[test]
fn what_another_rule_should_have_told_is_unknown_where_that_is_set_aside() {
    let broken = "//- config.json\n[]\n";
    let report = judged(broken, "");
    assert_eq!(verdict(&report, Target::FineTune), Verdict::Fail);
    assert!(
        report
            .rules
            .iter()
            .any(|row| row.outcome == Outcome::Skip && row.level == Level::Error)
    );
    for configuration in [
        "[[ignore]]\nrule = \"config-invalid\"\nreason = \"x\"\n",
        "[levels]\nconfig-invalid = \"warning\"\n",
    ] {
        let report = judged(broken, configuration);
        for target in Target::ALL {
            assert_ne!(verdict(&report, target), Verdict::Pass, "{report:#?}");
        }
    }
}

#[test]
fn a_limit_of_ones_own_is_never_looser() {
    let rule = "parameters-over-limit";
    let strict = judged("", "[limits]\nparameters-max = 10\n");
    let found = row(&strict, rule);
    assert_eq!(
        (found.outcome, found.targets.as_slice()),
        (Outcome::Fail, &Target::ALL[..])
    );
    assert!(
        found.findings[0].message.ends_with("your own limit is 10"),
        "{found:#?}"
    );
    let loose = judged("", "[limits]\nparameters-max = 900_000_000_000\n");
    assert_eq!(row(&loose, rule).outcome, Outcome::Pass);
    // For upload the platform has no such limit.
    let without = judged("", "");
    assert_eq!(row(&without, rule).targets, [Target::FineTune]);
}

/// Also where the policy has no such rule for a target, and the limit alone makes it one.
#[test]
fn a_limit_of_ones_own_weighs_what_the_user_says() {
    for (rule, limit) in [
        ("parameters-over-limit", "parameters-max = 10"),
        ("own-limit-exceeded", "weights-bytes-max = 10"),
    ] {
        let strict = judged("", &format!("[limits]\n{limit}\n"));
        let report = judged(
            "",
            &format!("[limits]\n{limit}\n[levels]\n{rule} = \"warning\"\n"),
        );
        let rows = report.rules.iter().filter(|row| row.id == rule);
        let ends: Vec<_> = rows.map(|row| (row.level, row.outcome)).collect();
        assert!(!ends.is_empty(), "{rule}");
        for end in ends {
            assert_eq!(end, (Level::Warning, Outcome::Warn), "{rule}");
        }
        for target in Target::ALL {
            assert_eq!(verdict(&strict, target), Verdict::Fail, "{rule}");
            assert_eq!(verdict(&report, target), Verdict::Pass, "{rule}");
        }
        let ignore = format!("[[ignore]]\nrule = \"{rule}\"\nreason = \"x\"\n");
        let ignored = judged("", &format!("[limits]\n{limit}\n{ignore}"));
        assert!(ignored.is_check_passed, "{rule}: {}", ignored.message);
        assert_eq!(parse(&ignore).settings.used_by(&ignored), [0], "{rule}");
    }
}

/// The newer policy cannot decide a sound model for upload, so this rule finds something.
#[test]
fn the_rule_that_runs_last_decides_where_the_user_says_so() {
    let rule = "policy-outdated";
    let plain = judged("", "");
    assert_eq!(row(&plain, rule).level, Level::Note);
    assert_eq!(verdict(&plain, Target::Upload), Verdict::Pass);
    let warned = judged("", "[levels]\npolicy-outdated = \"warning\"\n");
    assert_eq!(verdict(&warned, Target::Upload), Verdict::Pass);
    let strict = judged("", "[levels]\npolicy-outdated = \"error\"\n");
    assert_eq!(row(&strict, rule).outcome, Outcome::Fail);
    assert_eq!(verdict(&strict, Target::Upload), Verdict::Fail);
    assert!(!strict.is_check_passed);
    assert!(
        strict
            .message
            .contains("refused for upload (policy-outdated)"),
        "{}",
        strict.message
    );
    assert!(
        strict
            .next
            .iter()
            .all(|(target, _)| *target != Target::Upload)
    );
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_configuration_or_an_error(text in ".{0,40}", key in "[a-z-]{1,12}", value in "[\\[\\]{}=\"0-9a-z, -]{0,20}") {
        let _ = Configuration::parse(&text, "x");
        let _ = Configuration::parse(&format!("{key} = {value}\n[[ignore]]\n{key} = {value}\n"), "x");
    }

    #[test]
    fn a_day_follows_the_day_before(year in 1970_i64..2200, month in 1_i64..=12, day in 1_i64..=27) {
        let of = |of_month| Day { year, month, of_month }.end();
        proptest::prop_assert_eq!(of(day + 1) - of(day), 86_400);
        let text = Day { year, month, of_month: day }.to_string();
        proptest::prop_assert_eq!(Day::parse(&text), Some(Day { year, month, of_month: day }));
    }
}
