//! The verdict algebra of `DESIGN.md`, "Verdicts and exit codes": a test for each sentence.

use crate::case::Options;
use crate::live::{Fetched, HardwareRow, Live, ModelLimits};
use crate::report::Verdict::{self, Fail, Pass, Undecided};
use crate::report::{Level, ModelReport, Outcome, RuleRow, Target};
use crate::testing::Repo;

/// The verdicts for upload and for fine-tuning.
fn verdicts(text: &str) -> [Verdict; 2] {
    of(&Repo::new(text).report())
}

fn of(report: &ModelReport) -> [Verdict; 2] {
    let targets: Vec<Target> = report.verdicts.iter().map(|(target, _)| *target).collect();
    assert_eq!(targets, Target::ALL);
    [report.verdicts[0].1, report.verdicts[1].1]
}

fn row<'a>(report: &'a ModelReport, id: &str, target: Target) -> &'a RuleRow {
    let mut rows = report
        .rules
        .iter()
        .filter(|row| row.id == id && row.targets.contains(&target));
    let row = rows.next().unwrap();
    assert_eq!(rows.next(), None, "{id} has two rows for one target");
    row
}

fn outcome(text: &str, id: &str, target: Target) -> Outcome {
    row(&Repo::new(text).report(), id, target).outcome
}

/// Unknown for `tokenizer-missing`, which is an error for both targets.
const UNREAD: &str = "//- tokenizer_config.json unavailable timed out\n";
/// A failure of `tokenizer-missing`.
const FAILING: &str = "//- tokenizer.json removed\n";
/// A warning of `chat-template-missing`.
const WARNING: &str =
    "//- tokenizer_config.json\n{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}\n";
/// Unknown for `quantization-unsupported`: a warning for upload, an error for fine-tuning.
const UNREAD_WARNING: &str = "//- hf_quant_config.json unreadable timed out\n";

#[test]
fn a_finding_fails_at_level_error_and_warns_below() {
    let report = Repo::new("//- config.json +\n{\"model_type\": \"qwen3_next\"}").report();
    let of_target = |target| {
        let row = row(&report, "transformers-too-new", target);
        (row.level, row.outcome)
    };
    assert_eq!(of_target(Target::Upload), (Level::Warning, Outcome::Warn));
    assert_eq!(of_target(Target::FineTune), (Level::Error, Outcome::Fail));
}

#[test]
fn known_absent_malformed_and_unavailable_never_look_alike() {
    let id = "config-invalid";
    for (text, config_rule, other_rule) in [
        ("", Outcome::Pass, Outcome::Pass),
        ("//- config.json removed", Outcome::Fail, Outcome::Skip),
        ("//- config.json\n[]", Outcome::Fail, Outcome::Skip),
        (
            "//- config.json unavailable timed out",
            Outcome::Unknown,
            Outcome::Unknown,
        ),
    ] {
        assert_eq!(outcome(text, id, Target::FineTune), config_rule, "{text}");
        assert_eq!(
            outcome(text, "architecture-not-causal-lm", Target::FineTune),
            other_rule,
            "{text}"
        );
    }
}

#[test]
fn any_fail_at_level_error_is_a_fail() {
    assert_eq!(verdicts(FAILING), [Fail, Fail]);
}

#[test]
fn a_fail_beats_an_unknown() {
    let text = format!("{FAILING}//- model.safetensors unavailable timed out");
    assert_eq!(
        outcome(&text, "shard-corrupt", Target::Upload),
        Outcome::Unknown
    );
    assert_eq!(verdicts(&text), [Fail, Fail]);
}

#[test]
fn an_unknown_at_level_error_without_a_fail_is_undecided() {
    assert_eq!(verdicts(UNREAD), [Undecided, Undecided]);
}

#[test]
fn else_it_is_a_pass() {
    assert_eq!(verdicts(""), [Pass, Pass]);
}

#[test]
fn each_target_has_its_own_verdict() {
    let bare = "//- config.json +\n{\"architectures\": [\"BertModel\"], \"model_type\": \"bert\"}";
    let report = Repo::new(bare).report();
    assert_eq!(
        row(&report, "architecture-not-causal-lm", Target::FineTune).outcome,
        Outcome::Fail
    );
    assert!(
        !report
            .rules
            .iter()
            .any(|row| row.id == "architecture-not-causal-lm"
                && row.targets.contains(&Target::Upload))
    );
    assert_eq!(of(&report)[1], Fail);
}

#[test]
fn warnings_never_move_it() {
    assert_eq!(
        outcome(WARNING, "chat-template-missing", Target::Upload),
        Outcome::Warn
    );
    assert_eq!(verdicts(WARNING), [Pass, Pass]);
}

#[test]
fn unknown_warnings_never_move_it() {
    let id = "quantization-unsupported";
    assert_eq!(
        outcome(UNREAD_WARNING, id, Target::Upload),
        Outcome::Unknown
    );
    assert_eq!(verdicts(UNREAD_WARNING), [Pass, Undecided]);
}

#[test]
fn fail_on_warning_makes_warnings_fail() {
    assert_eq!(
        verdicts(&format!("fail-on: warning\n{WARNING}")),
        [Fail, Fail]
    );
    let report = Repo::new(&format!("fail-on: warning\n{WARNING}")).report();
    assert!(!report.is_check_passed);
    assert!(
        report.message.contains("(chat-template-missing)"),
        "{}",
        report.message
    );
}

#[test]
fn fail_on_warning_moves_neither_unknown_warnings_nor_notes() {
    let report = Repo::new(&format!("fail-on: warning\n{UNREAD_WARNING}")).report();
    let note = row(&report, "policy-outdated", Target::Upload);
    assert_eq!((note.level, note.outcome), (Level::Note, Outcome::Warn));
    assert_eq!(of(&report), [Pass, Undecided]);
}

#[test]
fn a_rule_at_level_note_moves_nothing_even_then() {
    let report = Repo::new(WARNING).report();
    let mut row = row(&report, "chat-template-missing", Target::Upload).clone();
    let strict = Options {
        fail_on_warning: true,
        ..Options::default()
    };
    assert_eq!(
        super::verdict(std::slice::from_ref(&row), Target::Upload, &strict),
        Fail
    );
    row.level = Level::Note;
    assert_eq!(super::verdict(&[row], Target::Upload, &strict), Pass);
}

#[test]
fn of_several_verdicts_fail_comes_before_undecided_before_pass() {
    assert_eq!([Pass, Fail, Undecided].iter().max(), Some(&Fail));
    assert_eq!([Undecided, Pass].iter().max(), Some(&Undecided));
    assert!(!Repo::new(UNREAD_WARNING).report().is_check_passed);
}

#[test]
fn could_not_look_is_never_a_pass() {
    for path in ["config.json", "model.safetensors", "tokenizer_config.json"] {
        for how in ["unavailable timed out", "pointer 1000", "listed 1000"] {
            let text = format!("//- {path} {how}");
            assert_eq!(verdicts(&text), [Undecided, Undecided], "{text}");
        }
    }
}

/// Repositories that something is wrong with, and the verdicts. `skip` for what is malformed is safe only
/// because another rule at level error fails for the same target, so none of these is ever a pass.
const BROKEN: [(&str, [Verdict; 2]); 31] = [
    ("//- config.json\n[1, 2]", [Fail, Fail]),
    ("//- config.json\n{\"model_type\": ", [Fail, Fail]),
    ("//- config.json\n{}", [Fail, Fail]),
    ("//- config.json +\n{\"model_type\": null}", [Fail, Fail]),
    (
        "//- config.json +\n{\"model_type\": \"acme\"}",
        [Undecided, Fail],
    ),
    ("//- config.json removed", [Fail, Fail]),
    ("//- model.safetensors raw 1000\n[]", [Fail, Fail]),
    ("//- model.safetensors raw 4\n{}", [Fail, Fail]),
    (
        "//- model.safetensors raw 100\n{\"a\":{\"dtype\":\"BF17\",\"shape\":[1],\"data_offsets\":[0,2]}}",
        [Fail, Fail],
    ),
    (
        "//- model.safetensors removed\n//- model.safetensors.index.json\n{}",
        [Fail, Fail],
    ),
    (
        "//- model.safetensors removed\n//- model.safetensors.index.json\nnot JSON",
        [Fail, Fail],
    ),
    (
        "//- model.safetensors removed\n//- model.safetensors.index.json unavailable timed out",
        [Undecided, Undecided],
    ),
    (
        "//- model.safetensors removed\n//- model.safetensors.index.json\n{\"metadata\": {}, \"weight_map\": {\"a\": \"1.safetensors\"}}",
        [Fail, Fail],
    ),
    ("//- tokenizer_config.json\n{\"a\": }", [Fail, Fail]),
    ("//- tokenizer_config.json\n[]", [Fail, Fail]),
    (
        "//- config.json removed\n//- model.safetensors removed\n//- adapter_model.safetensors\na BF16 [1]\n\
         //- adapter_config.json\n{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"acme/base\"}",
        [Fail, Fail],
    ),
    (
        "adapter: acme/base\nbase-unread: timed out\n",
        [Fail, Undecided],
    ),
    (
        "adapter: acme/base\n//- base/config.json removed",
        [Fail, Fail],
    ),
    (
        "adapter: acme/base\n//- adapter_model.safetensors unreadable timed out",
        [Fail, Undecided],
    ),
    (
        "adapter: acme/base\n//- adapter_config.json removed",
        [Fail, Fail],
    ),
    (
        "adapter: acme/base\n//- adapter_config.json unreadable timed out",
        [Undecided, Undecided],
    ),
    ("model-type: adapter\n", [Fail, Fail]),
    ("adapter: acme/base\nmodel-type: model\n", [Fail, Fail]),
    (
        "adapter: acme/base\n//- base/model.safetensors unreadable timed out",
        [Fail, Undecided],
    ),
    (
        "adapter: acme/base\n//- base/adapter_model.safetensors\na BF16 [1]\n//- base/model.safetensors removed",
        [Fail, Undecided],
    ),
    ("//- model.safetensors removed", [Fail, Fail]),
    (
        "//- model.safetensors removed\n//- model.gguf listed 1000",
        [Fail, Fail],
    ),
    (
        "//- model.safetensors removed\n//- consolidated.safetensors\na BF16 [1]",
        [Fail, Fail],
    ),
    (
        "unlisted: the folder may not be read\n",
        [Undecided, Undecided],
    ),
    ("refused: the repository is gated\n", [Fail, Fail]),
    ("unreachable: no route to host\n", [Undecided, Undecided]),
];

#[test]
fn a_broken_repository_is_never_a_pass() {
    for (text, expected) in BROKEN {
        let report = Repo::new(text).report();
        assert_eq!(of(&report), expected, "{text}\n{}", report.message);
        for verdict in verdicts(&format!("policy: together-2026-07\n{text}")) {
            assert_ne!(verdict, Pass, "{text} under the later policy");
        }
    }
}

#[test]
fn a_pickle_is_no_pass_where_its_format_is_an_error() {
    let pickle = "//- model.safetensors removed\n//- pytorch_model.bin listed 26000\n";
    assert_eq!(verdicts(pickle), [Pass, Fail]);
    let later = verdicts(&format!("policy: together-2026-07\n{pickle}"));
    assert_eq!(later, [Fail, Fail]);
}

/// Two shards: 60 billion parameters and one that `second` describes.
fn sharded(first: &str, second: &str) -> String {
    format!(
        "//- model.safetensors removed\n//- model.safetensors.index.json\n\
         {{\"metadata\": {{}}, \"weight_map\": {{\"a.weight\": \"1.safetensors\", \"b.weight\": \"2.safetensors\"}}}}\n\
         //- 1.safetensors\na.weight BF16 {first}\n//- 2.safetensors {second}\n"
    )
}

#[test]
fn shards_over_the_limit_fail_although_another_cannot_be_read() {
    let over = sharded("[200000, 600000]", "unavailable timed out");
    assert_eq!(verdicts(&over), [Undecided, Fail]);
    let below = sharded("[100, 100]", "unavailable timed out");
    assert_eq!(verdicts(&below), [Undecided, Undecided]);
}

#[test]
fn sizes_bound_a_checkout_of_pointers() {
    let id = "parameters-over-limit";
    for (bytes, expected) in [
        (16_000_000_000_u64, Outcome::Pass),
        (400_000_000_000, Outcome::Unknown),
        (900_000_000_000, Outcome::Fail),
    ] {
        let text = format!("//- model.safetensors pointer {bytes}");
        assert_eq!(outcome(&text, id, Target::FineTune), expected, "{bytes}");
        // The headers were not seen, so a small one is no pass either.
        let verdict = if expected == Outcome::Fail {
            Fail
        } else {
            Undecided
        };
        assert_eq!(verdicts(&text)[1], verdict, "{bytes}");
    }
}

#[test]
fn only_the_hubs_own_refusal_is_a_failed_rule() {
    let id = "repository-inaccessible";
    assert_eq!(
        outcome("refused: gated\n", id, Target::Upload),
        Outcome::Fail
    );
    assert_eq!(
        outcome("unreachable: error 500\n", id, Target::Upload),
        Outcome::Unknown
    );
}

#[test]
fn nothing_to_run_without_a_pass() {
    let next = |text: &str| Repo::new(text).report().next;
    assert_eq!(next("").len(), 2);
    assert_eq!(next(UNREAD), []);
    assert_eq!(next(FAILING), []);
}

#[test]
fn every_rule_has_one_row_for_each_target_and_failures_come_first() {
    for (text, _) in BROKEN {
        let report = Repo::new(text).report();
        assert!(report.rules.is_sorted_by_key(|row| row.outcome), "{text}");
        let mut keys: Vec<_> = report
            .rules
            .iter()
            .flat_map(|row| row.targets.iter().map(|target| (row.id, *target)))
            .collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "{text}");
        let says_why = |row: &RuleRow| row.outcome == Outcome::Pass || !row.findings.is_empty();
        assert!(report.rules.iter().all(says_why), "{text}");
    }
}

#[test]
fn another_policy_names_what_makes_the_difference() {
    let report = Repo::new("").report();
    let [other] = report.other_policies.as_slice() else {
        panic!("{:?}", report.other_policies);
    };
    assert_eq!(other.id, "together-2026-07");
    let theirs: Vec<_> = other.verdicts.iter().map(|(_, verdict)| *verdict).collect();
    assert_eq!(
        (theirs, other.because.as_slice()),
        (vec![Undecided, Pass], &["base-model-incompatible"][..])
    );
}

/// A catalog that lists these nodes of GPUs of which nothing is known here.
fn with_unknown_hardware(ids: &[&str]) -> Repo {
    let row = |id: &&str| HardwareRow {
        id: (*id).into(),
        gpu_type: "mi300x".into(),
        gpu_memory_gb: 192.0,
        gpu_count: 1,
    };
    let fetched = Fetched {
        fetched_at: "2026-11-22T10:00:00Z".into(),
        origin: "https://api.together.ai/v1".into(),
        base_models: vec![ModelLimits {
            name: "acme/new".into(),
            training_types: vec![],
            context_sft: None,
            context_dpo: None,
            lora_max_rank: None,
        }],
        without_limits: vec![],
        hardware: ids.iter().map(row).collect(),
    };
    Repo::new("").with_live(Live::parse(&fetched.to_file().unwrap()).unwrap())
}

#[test]
fn hardware_whose_memory_is_not_known_is_named() {
    for (ids, named) in [
        (
            &["1x_amd_mi300x_192gb"][..],
            "the platform lists `1x_amd_mi300x_192gb`, and how much memory the GPU has is not known here",
        ),
        (
            &["1x_amd_mi300x_192gb", "8x_amd_mi300x_192gb"],
            "the platform lists `1x_amd_mi300x_192gb` and 1 more, and how much memory the GPU has is not known here",
        ),
    ] {
        let said = with_unknown_hardware(ids).run("node-too-small");
        assert!(said.contains(named), "{said}");
    }
}
