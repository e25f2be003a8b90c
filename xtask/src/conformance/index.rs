//! Every fact that the index of the real folders states.

use std::collections::BTreeSet;

use preflight_model::architecture::{expected, is_described};
use preflight_model::checkpoint::{Checkpoint, Kind};
use preflight_model::facts::Facts;
use preflight_model::release::{self, Release};
use preflight_model::task::Task;
use serde_json::Value;

use super::corpus;
use super::data::{self, Shared};
use super::suite::Suite;

/// Model types that do not begin like the family that the index puts them in.
const FAMILIES: [(&str, &[&str]); 13] = [
    ("deepseek-vl", &["deepseek_vl_v2"]),
    ("falcon", &["RefinedWeb"]),
    ("glm", &["glm4_moe", "glm_moe_dsa"]),
    ("gpt3-ru", &["rugpt3xl"]),
    ("janus", &["multi_modality"]),
    ("minicpm", &["minicpmv", "qwen2"]),
    ("openpangu", &["PanguEmbedded"]),
    ("pixtral", &["llava"]),
    ("qwen-audio", &["qwen"]),
    ("qwen-vl", &["qwen"]),
    ("qwen2.5", &["qwen2"]),
    ("starcoder", &["gpt_bigcode"]),
    ("phi", &["mixformer-sequential"]),
];

/// Families whose models are Llama by type.
const LLAMAS: [&str; 3] = ["granite", "smollm", "yi"];

/// Compares the facts of all folders.
pub(crate) fn facts(shared: &Shared) -> Result<Suite, String> {
    let mut suite = Suite::new("corpus, by its index");
    for row in shared.lines("corpus/INDEX.jsonl")? {
        let snapshot = corpus::folder(&corpus::folder_of(shared, &row)?)?;
        let checkpoint = Checkpoint::read(&snapshot);
        let facts = Facts::derive(&checkpoint, data::release()?);
        let mut case = Case {
            slug: data::name(&row, "slug")?,
            row: &row,
            facts: &facts,
            suite: &mut suite,
        };
        case.config();
        case.task();
        case.remote_code();
        case.quantisation();
        case.tokenizer();
        case.adapter();
        case.index();
        case.parameters();
    }
    Ok(suite)
}

/// One row of the index.
struct Case<'a> {
    slug: &'a str,
    row: &'a Value,
    facts: &'a Facts<'a>,
    suite: &'a mut Suite,
}

impl Case<'_> {
    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, ours: T, theirs: T) {
        self.suite
            .compare(format!("{} ({what})", self.slug), ours, theirs);
    }

    fn checkpoint(&self) -> &Checkpoint<'_> {
        self.facts.checkpoint
    }

    fn model_type(&self) -> Option<String> {
        let config = self.checkpoint().config.known()?;
        config.model_type().map(str::to_owned)
    }

    fn config(&mut self) {
        let config = self.checkpoint().config.known();
        let architectures: Option<Vec<String>> = config
            .map(|config| config.architectures())
            .filter(|names| !names.is_empty())
            .map(|names| names.into_iter().map(str::to_owned).collect());
        let saved_with = config.and_then(|config| {
            let root = config.root();
            root.get("transformers_version")?
                .as_str()
                .map(str::to_owned)
        });
        let offered: Option<BTreeSet<String>> = config.and_then(|config| {
            let root = config.root();
            let map = root.get("auto_map")?;
            Some(map.members().map(|(key, _)| key.to_owned()).collect())
        });
        let theirs = |key: &str| self.row[key].as_str().map(str::to_owned);
        let (model_type, version) = (theirs("model_type"), theirs("transformers_version"));
        let listed = |key: &str| -> Option<Vec<String>> {
            let names = self.row[key].as_array()?;
            let names = names.iter().filter_map(Value::as_str);
            Some(names.map(str::to_owned).collect())
        };
        let named = listed("architectures").or_else(|| Some(vec![theirs("architectures")?]));
        let keys = listed("auto_map_keys").map(|keys| keys.into_iter().collect());
        let ours = self.model_type();
        self.compare("model type", ours, model_type);
        self.compare("architectures", architectures, named);
        self.compare("saved with", saved_with, version);
        if keys.is_some() {
            self.compare("auto_map", offered, keys);
        }
        self.family();
        self.since();
    }

    /// The index names families, configs name types.
    fn family(&mut self) {
        let Some(family) = self.row["family"].as_str().filter(|name| *name != "custom") else {
            return;
        };
        let Some(model_type) = self.model_type() else {
            return;
        };
        let listed = FAMILIES.iter().find(|(name, _)| *name == family);
        let plain = |name: &str| name.to_lowercase().replace(['-', '_', '.'], "");
        let is_of = plain(&model_type).starts_with(&plain(family))
            || listed.is_some_and(|(_, types)| types.contains(&model_type.as_str()))
            || LLAMAS.contains(&family) && model_type == "llama"
            || family == "llama" && model_type == "mllama";
        let ours = if is_of { family } else { &model_type };
        self.compare("family", ours.to_owned(), family.to_owned());
    }

    /// "4.37 (from memory)", of releases that the tables can tell apart.
    fn since(&mut self) {
        let stated = self.row["facts"]["native_transformers_since"].as_str();
        let Some(stated) = stated.and_then(|text| text.split(' ').next()) else {
            return;
        };
        let model_type = self.model_type().unwrap_or_default();
        let since = release::model_type_since(&model_type);
        if stated == "no" {
            let ours = since.filter(|since| since.release <= self.facts.release);
            self.compare("native since", ours.map(|since| since.to_string()), None);
        } else if let Some(stated) = Release::parse(stated)
            && stated > Release::oldest()
        {
            let ours = since.map(|since| since.release.to_string());
            self.compare("native since", ours, Some(stated.to_string()));
        }
    }

    fn task(&mut self) {
        let stated = &self.row["facts"];
        let ours = self.facts.task.as_str().to_owned();
        let is_causal = self.facts.task == Task::CausalLm;
        let is_adapter = self.facts.kind == Kind::Adapter;
        self.compare("is an adapter", is_adapter, self.row["kind"] == "adapter");
        if is_adapter {
            return;
        }
        let word = match stated["task"].as_str() {
            Some("text-generation (causal LM)") => "causal-lm",
            Some("embedding/encoder") => "embedding",
            Some("seq2seq") => "seq2seq",
            Some("classifier/reward" | "question answering head") => "classification",
            _ => "",
        };
        if !word.is_empty() {
            self.compare("task", ours, word.to_owned());
        }
        if let Some(causal) = stated["causal_lm"].as_bool().filter(|causal| !causal) {
            self.compare("causal LM", is_causal, causal);
        }
    }

    fn remote_code(&mut self) {
        let stated = self.row["facts"]["needs_remote_code"]
            .as_str()
            .unwrap_or("");
        let theirs = if stated.starts_with("yes") {
            true
        } else if stated == "no" || stated.starts_with("no auto_map") {
            false
        } else if let Some((_, since)) = stated.split_once("native in transformers >= ") {
            let since = Release::parse(since);
            since.is_none_or(|since| since > self.facts.release)
        } else {
            return;
        };
        let ours = self.facts.remote_code.required();
        self.compare("remote code", ours == Some(true), theirs);
    }

    fn quantisation(&mut self) {
        let stated = &self.row["facts"]["quantised"];
        if !stated.is_object() {
            if stated == "none" {
                let ours = self.checkpoint().quantization.clone();
                self.compare("quantisation", ours, None);
            }
            return;
        }
        let ours = self.checkpoint().quantization.as_ref();
        let (method, bits) = ours.map_or((None, None), |found| (found.method.clone(), found.bits));
        let place = ours.map(|found| found.path.to_owned());
        let theirs = stated["where"].as_str().unwrap_or_default();
        let file = theirs.split(' ').next().map(str::to_owned);
        self.compare("quantised by the word of", place, file);
        if let Some(stated) = stated["quant_method"].as_str() {
            self.compare("quantisation method", method, Some(stated.to_owned()));
        }
        if let Some(stated) = stated["bits"].as_u64() {
            self.compare("bits", bits, Some(stated));
        }
    }

    fn tokenizer(&mut self) {
        let stated = &self.row["tokenizer"];
        if !stated.is_object() {
            return;
        }
        let class = self.checkpoint().tokenizer_class().map(str::to_owned);
        let has_template = self.checkpoint().chat_template().known().is_some();
        self.compare(
            "tokenizer",
            class,
            stated["class"].as_str().map(str::to_owned),
        );
        if let Some(theirs) = stated["chat_template"].as_bool() {
            self.compare("chat template", has_template, theirs);
        }
    }

    fn adapter(&mut self) {
        let stated = &self.row["adapter"];
        if !stated.is_object() {
            return;
        }
        let found = self.checkpoint().adapter.known();
        let ours = found.map(|found| (found.peft_type.clone(), found.base_model.clone()));
        let text = |key: &str| stated[key].as_str().map(str::to_owned);
        // Without a type it is another program's file.
        let theirs = text("peft_type").map(|kind| (Some(kind), text("base")));
        self.compare("adapter", ours, theirs);
    }

    fn index(&mut self) {
        let stated = &self.row["facts"]["safetensors_index"];
        if !stated.is_object() {
            return;
        }
        let weights = self.checkpoint().weights.known();
        let ours = weights
            .and_then(|weights| weights.index.known())
            .map(|index| {
                (
                    Some(index.len() as u64),
                    Some(index.shards().len() as u64),
                    index.total_size,
                )
            });
        let number = |key: &str| stated[key].as_u64();
        let theirs = (
            number("tensors"),
            number("shards"),
            number("total_size_bytes"),
        );
        self.compare("weight index", ours, Some(theirs));
    }

    /// Parameters that the config's class would have, by a closed formula.
    fn parameters(&mut self) {
        let stated = self.row["facts"]["params_from_config"]["count"].as_u64();
        let config = self.checkpoint().config.known();
        let class = config.and_then(|config| {
            let named = config.architectures().first().copied();
            named
                .filter(|name| is_described(name))
                .or_else(|| release::causal_lm_class(Release::newest(), config.model_type()?))
        });
        let (Some(stated), Some(config), Some(class)) = (stated, config, class) else {
            return;
        };
        if let Ok(found) = expected(class, config) {
            let ours = found.elements();
            self.compare("parameters by config", ours, Some(stated));
        }
    }
}
