//! Repositories and reports as text: the one door between the rules' examples and the API.
//!
//! A repository starts as [`SOUND`], a small Llama that every rule passes, and is changed line by line:
//!
//! ```text
//! base-model: togethercomputer/llama-2-7b-chat      settings come first
//! limits: context-length-min = 4096                 a line of `[limits]`; may come several times
//! archive: model.tar.gz                             came in an archive; then `format`, `wrapped`, `broken`,
//!                                                   `oddity: KIND MEMBER`, `valid: MINUTES`
//! //- config.json                                   replaces a file: text, JSON, or tensors
//! {"model_type": "t5"}
//! //- config.json +                                 sets keys of a JSON file
//! {"torch_dtype": "bf16"}
//! //- model.safetensors                             name, dtype, shape
//! model.norm.weight BF16 [16]
//! //- model.safetensors raw 100                     a header as it is, in a file of 100 bytes
//! //- tokenizer.json removed
//! //- pytorch_model.bin listed 100                  by name and size only
//! //- model.safetensors pointer 100
//! //- model.safetensors unavailable timed out        not even its size is known
//! //- model.safetensors unreadable timed out         listed with a size
//! ```
//!
//! With the setting `adapter: org/base` it starts as [`ADAPTER`], an adapter of [`SOUND`] under that name, whose
//! files are then at `base/…`; with `base-unread: why` as well, the base could not be read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use preflight_model::checkpoint::{Checkpoint, Kind};
use preflight_model::container::{ArchiveFormat, Container, Oddity, OddityKind, Validity};
use preflight_model::fact::Fact;
use preflight_model::header::dtype_named;
use preflight_model::snapshot::{Access, Content, File, Origin, Snapshot, SourceKind};

use crate::case::Options;
use crate::catalog::TrainingType;
use crate::evaluate;
use crate::live::Live;
use crate::policy::Policy;
use crate::report::{Cost, Finding, ModelReport, RuleRow, Target};
use crate::settings::{Configuration, Settings};
use crate::structure::Structure;

/// A repository that passes every rule.
const SOUND: &str = r#"
//- config.json
{
  "architectures": ["LlamaForCausalLM"],
  "hidden_size": 16,
  "intermediate_size": 32,
  "max_position_embeddings": 8192,
  "model_type": "llama",
  "num_attention_heads": 2,
  "num_hidden_layers": 1,
  "num_key_value_heads": 2,
  "torch_dtype": "bfloat16",
  "vocab_size": 64
}
//- model.safetensors
lm_head.weight BF16 [64, 16]
model.embed_tokens.weight BF16 [64, 16]
model.layers.0.input_layernorm.weight BF16 [16]
model.layers.0.mlp.down_proj.weight BF16 [16, 32]
model.layers.0.mlp.gate_proj.weight BF16 [32, 16]
model.layers.0.mlp.up_proj.weight BF16 [32, 16]
model.layers.0.post_attention_layernorm.weight BF16 [16]
model.layers.0.self_attn.k_proj.weight BF16 [16, 16]
model.layers.0.self_attn.o_proj.weight BF16 [16, 16]
model.layers.0.self_attn.q_proj.weight BF16 [16, 16]
model.layers.0.self_attn.v_proj.weight BF16 [16, 16]
model.norm.weight BF16 [16]
//- tokenizer.json listed 1000
//- tokenizer_config.json
{"chat_template": "{{ messages }}", "tokenizer_class": "PreTrainedTokenizerFast"}
"#;

/// An adapter of [`SOUND`] that agrees with it.
const ADAPTER: &str = r#"
//- adapter_config.json
{
  "base_model_name_or_path": "acme/base",
  "lora_alpha": 8,
  "peft_type": "LORA",
  "r": 4,
  "target_modules": ["q_proj", "v_proj"],
  "task_type": "CAUSAL_LM"
}
//- adapter_model.safetensors
base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight F32 [4, 16]
base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight F32 [16, 4]
base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight F32 [4, 16]
base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight F32 [16, 4]
"#;

/// A repository as text, parsed.
pub(crate) struct Repo {
    snapshot: Snapshot,
    options: Options,
    policy: String,
}

impl Repo {
    /// Reads a repository; see the module's description.
    pub(crate) fn new(text: &str) -> Self {
        let mut files = BTreeMap::new();
        let (settings, _) = text.split_once("//-").unwrap_or((text, ""));
        let base = settings
            .lines()
            .find_map(|line| line.strip_prefix("adapter: "));
        if let Some(base) = base {
            apply(&SOUND.replace("//- ", "//- base/"), &mut files);
            apply(&ADAPTER.replace("acme/base", base), &mut files);
        } else {
            apply(SOUND, &mut files);
        }
        let mut unread = None;
        let mut repo = Self {
            snapshot: Snapshot {
                origin: Origin {
                    input: "acme/tiny-llama".into(),
                    source: SourceKind::Hub,
                    stands_for: SourceKind::Hub,
                    id: Some("acme/tiny-llama".into()),
                    revision: None,
                    commit: None,
                },
                access: Access::Open,
                observed_at: None,
                files: Fact::Absent,
                container: Fact::Absent,
                base: Fact::Absent,
            },
            options: Options::default(),
            policy: "together-2025-11".into(),
        };
        let mut listing = None;
        let mut limits = String::from("[limits]\n");
        for line in settings.lines().filter(|line| !line.trim().is_empty()) {
            let (key, value) = line.split_once(": ").unwrap_or((line, ""));
            match key {
                "base-model" => repo.options.base_model = Some(value.into()),
                "training-type" => {
                    let kinds = [TrainingType::Lora, TrainingType::Full];
                    let found = kinds.into_iter().find(|kind| kind.as_str() == value);
                    repo.options.training_type = Some(found.unwrap());
                }
                "limits" => writeln!(limits, "{value}").unwrap(),
                "now" => repo.options.now = value.parse().ok(),
                "fail-on" => repo.options.fail_on_warning = value == "warning",
                "policy" => repo.policy = value.into(),
                "refused" => repo.snapshot.access = Access::Refused(value.into()),
                "unreachable" => repo.snapshot.access = Access::Unreachable(value.into()),
                "unlisted" | "adapter" => {}
                "base-unread" => unread = Some(value.to_owned()),
                "model-type" if value == "model" => repo.options.kind = Some(Kind::Model),
                "model-type" => repo.options.kind = Some(Kind::Adapter),
                "source" => repo.snapshot.origin.stands_for = SourceKind::parse(value).unwrap(),
                "archive" => {
                    repo.snapshot.origin.stands_for = SourceKind::Archive;
                    let format = ArchiveFormat::of_name(value).unwrap_or(ArchiveFormat::Other);
                    repo.snapshot.container = Fact::Known(Container {
                        format: Fact::Known(format),
                        ..Container::unread(value, Validity::NoAddress, "")
                    });
                }
                "format" | "wrapped" | "broken" | "oddity" | "valid" => {
                    let Fact::Known(container) = &mut repo.snapshot.container else {
                        panic!("{key} comes after archive")
                    };
                    change_container(container, key, value);
                    repo.options.now = Some(NOW);
                }
                other => panic!("unknown setting {other:?}"),
            }
            if matches!(key, "refused" | "unreachable" | "unlisted") {
                listing = Some(Fact::Unavailable(value.to_owned()));
            }
        }
        let limits = Configuration::parse(&limits, "limits").unwrap();
        repo.options.settings = limits.settings;
        apply(text, &mut files);
        repo.snapshot.base = match (base, unread) {
            (Some(_), Some(why)) => Fact::Unavailable(why),
            (Some(base), None) => Fact::Known(Box::new(base_of(base, &files))),
            (None, _) => Fact::Absent,
        };
        files.retain(|path, _| !path.starts_with("base/"));
        repo.snapshot.files = listing.unwrap_or_else(|| Fact::Known(files.into_values().collect()));
        repo
    }

    /// Judges it with a user's settings, at this time.
    pub(crate) fn configure(&mut self, settings: Settings, now: Option<i64>) {
        self.options.settings = settings;
        self.options.now = now;
    }

    /// The same, judged by what the platform's API said.
    pub(crate) fn with_live(mut self, live: Live) -> Self {
        self.options.live = Some(Arc::new(live));
        self
    }

    /// What its config says it is made of.
    pub(crate) fn structure(&self) -> Structure {
        Structure::of_checkpoint(&Checkpoint::read(&self.snapshot)).unwrap()
    }

    /// The whole report, for both targets.
    pub(crate) fn report(&self) -> ModelReport {
        let checkpoint = Checkpoint::read(&self.snapshot);
        let policy = Policy::load_shipped(&self.policy).unwrap();
        evaluate(
            &checkpoint,
            &Target::ALL,
            policy,
            &self.options,
            Cost::default(),
        )
    }

    /// What one rule says, as text.
    pub(crate) fn run(&self, rule: &str) -> String {
        let report = self.report();
        let mut rows: Vec<&RuleRow> = report.rules.iter().filter(|row| row.id == rule).collect();
        rows.sort_by_key(|row| row.targets.clone());
        rows.into_iter().map(row_text).collect()
    }
}

/// The time at which archives' URLs are judged.
const NOW: i64 = 1_762_596_672;

fn change_container(container: &mut Container, key: &str, value: &str) {
    match key {
        "format" => {
            container.format = ArchiveFormat::parse(value).map_or_else(
                || Fact::Unavailable("`host` answers 403".into()),
                Fact::Known,
            );
        }
        "wrapped" => container.wrapped_in = Some(value.into()),
        "broken" => container.broken = Some(value.into()),
        "oddity" => {
            let (kind, member) = value.split_once(' ').unwrap();
            container.oddities.push(Oddity {
                member: member.into(),
                kind: OddityKind::parse(kind).unwrap(),
            });
        }
        _ => {
            let minutes = value.trim_end_matches(" temporary").parse::<i64>();
            container.validity = match (value, minutes) {
                (_, Ok(minutes)) => Validity::Until {
                    ends_at: NOW + 60 * minutes,
                    is_temporary: value.ends_with("temporary"),
                },
                ("forever", _) => Validity::Unsigned,
                _ => Validity::Unclear("it does not say".into()),
            };
        }
    }
}

/// The snapshot of the files in `base/`.
fn base_of(id: &str, files: &BTreeMap<String, File>) -> Snapshot {
    let inside = files.values().filter_map(|file| {
        let path = file.path.strip_prefix("base/")?.to_owned();
        Some(File {
            path,
            ..file.clone()
        })
    });
    Snapshot {
        origin: Origin {
            input: id.into(),
            source: SourceKind::Hub,
            stands_for: SourceKind::Hub,
            id: Some(id.into()),
            revision: None,
            commit: None,
        },
        access: Access::Open,
        observed_at: None,
        files: Fact::Known(inside.collect()),
        container: Fact::Absent,
        base: Fact::Absent,
    }
}

fn row_text(row: &RuleRow) -> String {
    let targets: Vec<_> = row.targets.iter().map(|target| target.as_str()).collect();
    let mut out = format!("{}: {}\n", targets.join(", "), row.outcome.as_str());
    for finding in &row.findings {
        writeln!(out, "  {}", finding_text(finding)).unwrap();
    }
    if row.more_findings > 0 {
        writeln!(out, "  and {} more", row.more_findings).unwrap();
    }
    for note in &row.notes {
        writeln!(out, "  note: {}", finding_text(note)).unwrap();
    }
    if !row.help.is_empty() {
        writeln!(out, "  fix: {}", row.help).unwrap();
    }
    out
}

fn finding_text(finding: &Finding) -> String {
    let mut place = finding.path.clone().unwrap_or_default();
    if let Some((line, column)) = finding.line.zip(finding.column) {
        write!(place, ":{line}:{column}").unwrap();
    }
    if place.is_empty() {
        finding.message.clone()
    } else {
        format!("{place}: {}", finding.message)
    }
}

fn apply(text: &str, files: &mut BTreeMap<String, File>) {
    for entry in text.split("//- ").skip(1) {
        let (head, body) = entry.split_once('\n').unwrap_or((entry, ""));
        let mut words = head.split_whitespace();
        let path = words.next().unwrap().to_owned();
        let rest: Vec<&str> = words.collect();
        let number = || rest.get(1).and_then(|word| word.parse::<u64>().ok());
        let (size, content) = match rest.first().copied() {
            Some("removed") => {
                files.remove(&path);
                continue;
            }
            Some("listed") => (number(), Content::Listed),
            Some("pointer") => (number(), Content::Pointer),
            Some("unavailable") => (None, Content::Unavailable(rest[1..].join(" "))),
            Some("unreadable") => (Some(100), Content::Unavailable(rest[1..].join(" "))),
            Some("raw") => (number(), Content::Prefix(framed(body.trim_end()))),
            Some("+") => {
                let Some(Content::Whole(before)) =
                    files.get(&path).map(|file| file.content.clone())
                else {
                    panic!("{path} is no JSON file");
                };
                let merged = merge(&before, body);
                (Some(merged.len() as u64), Content::Whole(merged))
            }
            Some(other) => panic!("unknown word {other:?} after {path}"),
            None if path.ends_with(".safetensors") => {
                let (header, size) = header_of(body);
                (Some(size), Content::Prefix(header))
            }
            None => (
                Some(body.len() as u64),
                Content::Whole(body.trim_end().as_bytes().to_vec()),
            ),
        };
        let file = File {
            path: path.clone(),
            size,
            sha256: None,
            content,
        };
        files.insert(path, file);
    }
}

/// Sets the members of `patch` in a JSON object, one key a line.
fn merge(before: &[u8], patch: &str) -> Vec<u8> {
    let mut object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(before).unwrap();
    let patch: serde_json::Map<String, serde_json::Value> = serde_json::from_str(patch).unwrap();
    object.extend(patch);
    let lines: Vec<String> = object
        .iter()
        .map(|(key, value)| format!("  {}: {value}", serde_json::Value::from(key.as_str())))
        .collect();
    format!("{{\n{}\n}}", lines.join(",\n")).into_bytes()
}

fn framed(header: &str) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes
}

/// A header from lines of name, dtype and shape, and the size of the whole file.
fn header_of(body: &str) -> (Vec<u8>, u64) {
    let mut members = vec![r#""__metadata__":{"format":"pt"}"#.to_owned()];
    let mut at = 0;
    for line in body.lines().filter(|line| !line.trim().is_empty()) {
        let (name, rest) = line.split_once(' ').unwrap();
        let (dtype, shape) = rest.split_once(' ').unwrap();
        let sizes: Vec<u64> = serde_json::from_str(shape).unwrap();
        let bits = dtype_named(dtype).unwrap().bitsize() as u64;
        let end = at + bits * sizes.iter().product::<u64>() / 8;
        members.push(format!(
            r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{at},{end}]}}"#
        ));
        at = end;
    }
    let header = framed(&format!("{{{}}}", members.join(",")));
    let size = header.len() as u64 + at;
    (header, size)
}

mod pages {
    //! The examples of every rule's page are true.

    use std::fmt::Write as _;

    use super::Repo;
    use crate::policy::Policy;
    use crate::rules::{RULES, rule};

    const HEADINGS: [&str; 4] = [
        "## What it checks",
        "## Why it matters",
        "## How to fix it",
        "## Examples",
    ];

    /// Pairs of a ```` ```repo ```` and the ```` ```report ```` that follows it.
    fn examples(page: &str) -> Vec<(&str, &str)> {
        let mut found = Vec::new();
        let mut rest = page;
        while let Some((_, after)) = rest.split_once("```repo\n") {
            let (repo, after) = after.split_once("```").unwrap();
            let (_, after) = after
                .split_once("```report\n")
                .expect("a report follows each repo");
            let (report, after) = after.split_once("```").unwrap();
            found.push((repo, report));
            rest = after;
        }
        found
    }

    #[test]
    fn every_example_is_true() {
        let update = std::env::var_os("UPDATE_GOLDEN").is_some();
        let mut wrong = String::new();
        for rule in RULES {
            let mut page = rule.docs.to_owned();
            let examples = examples(rule.docs);
            let outcomes: Vec<String> = examples
                .iter()
                .map(|(repo, report)| {
                    let got = Repo::new(repo).run(rule.id);
                    if got != **report && update {
                        page = page.replace(
                            &format!("```report\n{report}```"),
                            &format!("```report\n{got}```"),
                        );
                    } else if got != **report {
                        writeln!(wrong, "{}\n--- page\n{report}--- program\n{got}", rule.id)
                            .unwrap();
                    }
                    got
                })
                .collect();
            if page != rule.docs {
                let name = format!("src/rules/{}.md", rule.id.replace('-', "_"));
                std::fs::write(
                    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name),
                    page,
                )
                .unwrap();
            }
            let has = |words: &[&str]| {
                outcomes
                    .iter()
                    .any(|out| words.iter().any(|word| out.contains(word)))
            };
            if !has(&[": fail", ": warn"]) || !has(&[": pass"]) {
                writeln!(
                    wrong,
                    "{}: the page needs an example that fails and one that passes",
                    rule.id
                )
                .unwrap();
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    #[test]
    fn pages_and_ids_are_in_order() {
        let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        for one in RULES {
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(one.id.chars().all(kebab), "{}", one.id);
            let title = format!("# {}\n", one.id);
            assert!(
                one.docs.starts_with(&title),
                "{} starts with its id",
                one.id
            );
            let at: Vec<_> = HEADINGS
                .iter()
                .map(|heading| one.docs.find(heading))
                .collect();
            assert!(
                at.iter().all(Option::is_some) && at.is_sorted(),
                "{}: {HEADINGS:?}",
                one.id
            );
            assert!(
                !one.summary.ends_with('.') && !one.fix.ends_with('.'),
                "{}",
                one.id
            );
        }
        assert!(rule("shard-missing").is_some() && rule("shard_missing").is_none());
    }

    #[test]
    fn every_file_of_a_rule_is_listed() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(stem) = name.strip_suffix(".rs").filter(|stem| *stem != "mod") else {
                continue;
            };
            assert!(
                rule(&stem.replace('_', "-")).is_some(),
                "{name} is not in RULES"
            );
        }
    }

    #[test]
    fn every_rule_has_a_level_in_the_default_policy() {
        let policy = &Policy::shipped()[0];
        for rule in RULES {
            assert!(
                policy.rule_ids().any(|id| id == rule.id),
                "{} has no level",
                rule.id
            );
        }
    }

    #[test]
    fn a_sound_repository_passes_every_rule() {
        let report = Repo::new("base-model: togethercomputer/llama-2-7b-chat\n").report();
        for row in &report.rules {
            assert!(
                row.findings.is_empty()
                    || row.outcome == crate::report::Outcome::Skip
                    || row.id == "policy-outdated",
                "{row:?}"
            );
        }
        assert!(report.is_check_passed, "{}", report.message);
    }
}
