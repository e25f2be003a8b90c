//! Facts held against what transformers 4.55.4 really did (`../shared/data`, made by running it) and
//! against 236 real model folders (`../shared/corpus`). Prints "N of M agree" per suite and fails on
//! any disagreement that is not listed here with its reason. Skipped, and said so, without `../shared`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what it skipped, and fails by panicking where it cannot go on"
)]

use std::path::{Path, PathBuf};

use preflight_model::cache::{KvCache, KvDtype};
use preflight_model::checkpoint::Checkpoint;
use preflight_model::context::context_length;
use preflight_model::fact::Fact;
use preflight_model::facts::Facts;
use preflight_model::json::Document;
use preflight_model::release::Release;
use preflight_model::snapshot::{Access, Content, File, Origin, Snapshot, SourceKind};
use preflight_model::task::CausalLm;
use preflight_model::tokenizer::Class;
use serde_json::Value;

fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path);
    if !path.exists() {
        println!("skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

fn lines(path: &str) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(shared(path)?).unwrap();
    Some(
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

fn snapshot(mut files: Vec<(String, Vec<u8>)>) -> Snapshot {
    files.sort();
    let files = files
        .into_iter()
        .map(|(path, bytes)| File {
            path,
            size: Some(bytes.len() as u64),
            sha256: None,
            content: Content::Whole(bytes),
        })
        .collect();
    Snapshot {
        origin: Origin {
            input: String::new(),
            source: SourceKind::Hub,
            stands_for: SourceKind::Hub,
            id: None,
            revision: None,
            commit: None,
        },
        access: Access::Open,
        observed_at: None,
        files: Fact::Known(files),
        container: Fact::Absent,
        base: Fact::Absent,
    }
}

fn ceiling() -> Release {
    Release::parse("4.55").unwrap()
}

/// Collects disagreements of one suite, and says how many cases agree.
struct Suite {
    name: &'static str,
    cases: usize,
    wrong: Vec<String>,
}

impl Suite {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            cases: 0,
            wrong: Vec::new(),
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "short values, and literals read better"
    )]
    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, case: &str, ours: T, theirs: T) {
        self.cases += 1;
        if ours != theirs {
            self.wrong
                .push(format!("{case}: ours {ours:?}, theirs {theirs:?}"));
        }
    }

    fn end(self) {
        println!(
            "{}: {} of {} agree",
            self.name,
            self.cases - self.wrong.len(),
            self.cases
        );
        assert!(
            self.wrong.is_empty(),
            "{}:\n{}",
            self.name,
            self.wrong.join("\n")
        );
    }
}

/// Cases in which the answer differs on purpose.
const ON_PURPOSE: [(&str, &str); 5] = [
    (
        "llama4 composite",
        "`from_config` fails, but `from_pretrained`, which the platform uses, takes the text part",
    ),
    (
        "no model_type, path ends in my-llama-thing",
        "the loader guesses from the path; a missing model type never passes",
    ),
    (
        "no model_type, path ends in x-gpt2-x",
        "the loader guesses from the path; a missing model type never passes",
    ),
    (
        "odd/chatglm2-wrapped-in-perf-config",
        "no model type at the top: the loader guesses one from the path",
    ),
    (
        "odd/whisper-large-v3-turbo-refactored",
        "no model type at the top: the loader guesses one from the path",
    ),
];

fn is_on_purpose(id: &str) -> bool {
    let known = ON_PURPOSE.iter().find(|(case, _)| *case == id);
    if let Some((case, why)) = known {
        println!("on purpose, {case}: {why}");
    }
    known.is_some()
}

/// Errors of `from_pretrained` that say that this machine lacks a library or a GPU, not that the
/// repository is wrong.
const OF_THE_MACHINE: [&str; 4] = [
    "ImportError",
    "PackageNotFoundError",
    "NotImplementedError",
    "RuntimeError",
];

#[test]
fn load_probes() {
    let Some(probes) = lines("data/load-probes.jsonl") else {
        return;
    };
    let mut suite = Suite::new("load probes");
    for probe in &probes {
        let id = probe["id"].as_str().unwrap();
        if is_on_purpose(id) {
            continue;
        }
        let files = probe["files"].as_object().unwrap();
        let files = files
            .iter()
            .map(|(path, content)| {
                let text = content
                    .as_str()
                    .map_or_else(|| content.to_string(), str::to_owned);
                (path.clone(), text.into_bytes())
            })
            .collect();
        let snapshot = snapshot(files);
        let checkpoint = Checkpoint::read(&snapshot);
        let facts = Facts::derive(&checkpoint, ceiling());
        if let Some(tokenizer) = probe.get("tokenizer") {
            let remote = tokenizer["remote_code"] == Value::Bool(true);
            let need = facts
                .remote_code
                .needs
                .iter()
                .any(|need| need.step == "AutoTokenizer");
            suite.compare(&format!("{id} (tokenizer, remote code)"), need, remote);
            let loads = tokenizer.get("ok").is_some();
            suite.compare(
                &format!("{id} (tokenizer loads)"),
                tokenizer_loads(&facts) && !need,
                loads,
            );
            continue;
        }
        let steps = ["auto_config", "from_config", "from_pretrained"].map(|step| &probe[step]);
        let remote = steps
            .iter()
            .any(|step| step["remote_code"] == Value::Bool(true));
        // `trust_remote_code=True` was given in one probe, which shows that code is there.
        let generates = id.starts_with("custom_generate");
        let need = facts
            .remote_code
            .needs
            .iter()
            .any(|need| need.step != "AutoTokenizer");
        suite.compare(&format!("{id} (remote code)"), need, remote || generates);
        let loads = steps.iter().all(|step| {
            let error = step["error"].as_str();
            let says = step["says"].as_str().unwrap_or("");
            error.is_none_or(|error| {
                OF_THE_MACHINE.contains(&error) || says.contains("requires torchao to be installed")
            })
        });
        suite.compare(
            &format!("{id} (loads)"),
            model_loads(&facts),
            loads && !remote,
        );
    }
    suite.end();
}

/// Whether the loader gets as far as weights: the head that `architectures` names plays no part.
fn model_loads(facts: &Facts<'_>) -> bool {
    let checkpoint = facts.checkpoint;
    let Some(config) = checkpoint.config.known() else {
        return false;
    };
    let part_is_known = ["text_config", "vision_config"].iter().all(|key| {
        let part = config.root().get(key);
        let named = part.and_then(|part| part.get("model_type")?.as_str().map(str::to_owned));
        named.is_none_or(|name| preflight_model::release::knows_model_type(facts.release, &name))
    });
    let causal = match &facts.causal_lm {
        Some(CausalLm::Yes { .. } | CausalLm::Unclear(_)) => true,
        Some(CausalLm::No { key, .. }) => *key == "architectures",
        Some(CausalLm::NotNative) | None => false,
    };
    let native = config.model_type().is_some_and(|model_type| {
        preflight_model::release::knows_model_type(facts.release, model_type)
    });
    let remote = facts
        .remote_code
        .needs
        .iter()
        .any(|need| !matches!(need.step, "AutoTokenizer" | "generate"));
    checkpoint.config_defects.is_empty() && causal && native && part_is_known && !remote
}

fn tokenizer_loads(facts: &Facts<'_>) -> bool {
    let known = match &facts.tokenizer.class {
        Class::Known(_) | Class::ByModelType => true,
        Class::Nowhere | Class::Later(..) | Class::Foreign(_) | Class::Unread(_) => false,
    };
    let of_tokenizer = |path: &str| path == "tokenizer_config.json";
    let misread = facts
        .misread
        .iter()
        .any(|defect| of_tokenizer(&defect.path));
    let malformed = matches!(facts.checkpoint.tokenizer_config, Fact::Malformed(_));
    known && facts.tokenizer.vocabulary.known().is_some() && !misread && !malformed
}

/// Presets whose cache an engine keeps in another form than transformers, or whose formula is not known.
const CACHE_DIFFERS: [&str; 1] = ["rwkv-169m"];

#[test]
fn presets() {
    let (Some(oracle), Some(path)) = (
        lines("data/oracle-presets.jsonl"),
        shared("data/model-presets.json"),
    ) else {
        return;
    };
    let presets: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut suite = Suite::new("presets");
    for row in &oracle {
        let id = row["id"].as_str().unwrap();
        let config = presets["presets"][id]["config"].to_string();
        let snapshot = snapshot(vec![("config.json".into(), config.into_bytes())]);
        let checkpoint = Checkpoint::read(&snapshot);
        let facts = Facts::derive(&checkpoint, ceiling());
        compare_with_oracle(&mut suite, id, row, &facts);
        let Some(measured) = row["kv_cache"]["growing_bytes_per_token"].as_u64() else {
            continue;
        };
        if CACHE_DIFFERS.contains(&id) {
            continue;
        }
        let config = checkpoint.config.known().unwrap();
        let cache = KvCache::of_transformers(config)
            .map(|cache| cache.growing_bytes_per_token(KvDtype::Bf16));
        // transformers keeps the keys of GPT-J in 32 bit.
        let measured = if id == "gpt-j-6b" {
            measured / 3 * 2
        } else {
            measured
        };
        suite.compare(&format!("{id} (cache)"), cache, Some(measured));
    }
    suite.end();
}

#[test]
fn corpus_against_the_oracle() {
    let (Some(oracle), Some(corpus)) = (lines("data/oracle-corpus.jsonl"), shared("corpus")) else {
        return;
    };
    let mut suite = Suite::new("corpus, by the oracle");
    for row in &oracle {
        let id = row["id"].as_str().unwrap();
        if is_on_purpose(id) {
            continue;
        }
        let snapshot = folder(&corpus.join(id));
        let checkpoint = Checkpoint::read(&snapshot);
        compare_with_oracle(&mut suite, id, row, &Facts::derive(&checkpoint, ceiling()));
    }
    suite.end();
}

fn compare_with_oracle(suite: &mut Suite, id: &str, row: &Value, facts: &Facts<'_>) {
    let verdict = row["causal_lm"]["verdict"].as_str().unwrap_or("");
    let need = facts
        .remote_code
        .needs
        .iter()
        .any(|need| !matches!(need.step, "AutoTokenizer" | "generate"));
    suite.compare(
        &format!("{id} (remote code)"),
        need,
        verdict == "needs_remote_code",
    );
    if row["auto_config"]["ok"] == Value::Bool(true) || verdict == "native" {
        let native = matches!(
            &facts.causal_lm,
            Some(
                CausalLm::Yes { .. }
                    | CausalLm::Unclear(_)
                    | CausalLm::No {
                        key: "architectures",
                        ..
                    }
            )
        );
        suite.compare(&format!("{id} (causal LM)"), native, verdict == "native");
    }
    if let Some(length) = row["context"].get("length") {
        let config = facts.checkpoint.config.known().unwrap();
        suite.compare(
            &format!("{id} (context)"),
            context_length(&config.text()),
            length.as_u64(),
        );
    }
}

fn folder(path: &Path) -> Snapshot {
    let mut files = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let name = entry
                    .strip_prefix(path)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                files.push((name, std::fs::read(&entry).unwrap()));
            }
        }
    }
    snapshot(files)
}

#[test]
fn no_real_file_is_malformed() {
    let (Some(index), Some(corpus)) = (lines("corpus/INDEX.jsonl"), shared("corpus")) else {
        return;
    };
    let mut suite = Suite::new("corpus, files that Python reads");
    for row in &index {
        let slug = row["slug"].as_str().unwrap();
        let folder_path = corpus.join(row["kind"].as_str().unwrap()).join(slug);
        let snapshot = folder(&folder_path);
        // Never a panic, whatever the release.
        let checkpoint = Checkpoint::read(&snapshot);
        let _ = Facts::derive(&checkpoint, Release::newest());
        for file in snapshot.files.known().unwrap() {
            let Content::Whole(bytes) = &file.content else {
                continue;
            };
            if Path::new(&file.path)
                .extension()
                .is_none_or(|end| end != "json")
            {
                continue;
            }
            let python = serde_json::from_slice::<Value>(bytes).is_ok();
            if python {
                suite.compare(
                    &format!("{slug}/{}", file.path),
                    Document::parse(bytes).is_ok(),
                    true,
                );
            }
        }
        if let (Some(model_type), Fact::Known(config)) =
            (row["model_type"].as_str(), &checkpoint.config)
        {
            suite.compare(
                &format!("{slug} (model type)"),
                config.model_type(),
                Some(model_type),
            );
        }
    }
    suite.end();
}
