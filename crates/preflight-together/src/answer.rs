//! The API's answers, read leniently where they may grow and strictly where they would mislead.

use serde::Deserialize;

/// Longest sequence and highest rank that an answer may name: far beyond what exists.
const LIMIT_MAX: i64 = 1 << 30;
/// Most hardware options.
const HARDWARE_MAX: usize = 1000;
/// Most characters of a name, and most parts between its slashes.
const NAME_MAX: usize = 200;
const NAME_PARTS_MAX: usize = 4;

/// A base model with its limits. `None` is "not said".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseModel {
    /// What the platform calls it.
    pub name: String,
    /// Whether LoRA adapters are trained.
    pub has_lora: bool,
    /// Whether all weights are trained.
    pub has_full: bool,
    /// Longest sequence of supervised fine-tuning, tokens.
    pub context_sft: Option<u64>,
    /// Longest sequence of preference optimisation, tokens.
    pub context_dpo: Option<u64>,
    /// Highest rank of a LoRA adapter.
    pub lora_max_rank: Option<u64>,
}

/// One choice of hardware.
#[derive(Debug, Clone, PartialEq)]
pub struct HardwareOption {
    /// What the platform calls it.
    pub id: String,
    /// For example `h100-80gb` or `h100`.
    pub gpu_type: String,
    /// Nominal memory of a GPU, GB.
    pub gpu_memory_gb: f64,
    /// GPUs of the node.
    pub gpu_count: u64,
}

/// `GET /fine-tunes/models/supported`.
#[derive(Debug, Deserialize)]
pub(crate) struct Supported {
    models: Vec<String>,
}

impl Supported {
    /// The names, each once.
    pub(crate) fn names(self, most: usize) -> Result<Vec<String>, String> {
        if self.models.is_empty() {
            return Err("it lists no model".into());
        }
        if self.models.len() > most {
            return Err(format!("it lists more than {most} models"));
        }
        let mut names: Vec<String> = Vec::new();
        for model in self.models {
            name(&model)?;
            if !names.contains(&model) {
                names.push(model);
            }
        }
        Ok(names)
    }
}

/// `GET /fine-tunes/models/limits`, of which the published description lacks the sequence lengths.
#[derive(Debug, Deserialize)]
pub(crate) struct Limits {
    model_name: String,
    lora_training: Option<Lora>,
    full_training: Option<Full>,
    supports_full_training: Option<bool>,
    max_seq_length_sft: Option<i64>,
    max_seq_length_dpo: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Lora {
    max_rank: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Full {
    max_batch_size: Option<i64>,
}

impl Limits {
    /// The limits of the base model that was asked about.
    pub(crate) fn base_model(self, asked: &str) -> Result<BaseModel, String> {
        if !self.model_name.eq_ignore_ascii_case(asked) {
            name(&self.model_name)?;
            return Err(format!(
                "asked about `{asked}`, it speaks of `{}`",
                self.model_name
            ));
        }
        // Where full training is not supported, its limits are absent or zero.
        let has_batch = |full: &Full| full.max_batch_size.is_some_and(|most| most > 0);
        let has_full = self
            .supports_full_training
            .unwrap_or_else(|| self.full_training.as_ref().is_some_and(has_batch));
        let rank = self.lora_training.as_ref().and_then(|lora| lora.max_rank);
        Ok(BaseModel {
            name: asked.to_owned(),
            has_lora: self.lora_training.is_some(),
            has_full,
            context_sft: limit(self.max_seq_length_sft, "max_seq_length_sft")?,
            context_dpo: limit(self.max_seq_length_dpo, "max_seq_length_dpo")?,
            lora_max_rank: limit(rank, "max_rank")?,
        })
    }
}

/// A limit; zero is how the API says that there is none to speak of.
fn limit(given: Option<i64>, key: &str) -> Result<Option<u64>, String> {
    match given {
        None | Some(0) => Ok(None),
        Some(limit @ 1..=LIMIT_MAX) => Ok(u64::try_from(limit).ok()),
        Some(limit) => Err(format!("`{key}` is {limit}")),
    }
}

/// `GET /hardware`.
#[derive(Debug, Deserialize)]
pub(crate) struct Hardware {
    data: Vec<HardwareRow>,
}

#[derive(Debug, Deserialize)]
struct HardwareRow {
    id: String,
    specs: Specs,
}

#[derive(Debug, Deserialize)]
struct Specs {
    #[serde(rename = "gpu_type")]
    kind: String,
    #[serde(rename = "gpu_memory")]
    memory: f64,
    #[serde(rename = "gpu_count")]
    count: i64,
}

impl Hardware {
    /// The options, each id once.
    pub(crate) fn options(self) -> Result<Vec<HardwareOption>, String> {
        if self.data.is_empty() {
            return Err("it lists no hardware".into());
        }
        if self.data.len() > HARDWARE_MAX {
            return Err(format!("it lists more than {HARDWARE_MAX} options"));
        }
        let mut options: Vec<HardwareOption> = Vec::new();
        for HardwareRow { id, specs } in self.data {
            name(&id)?;
            name(&specs.kind)?;
            let gpu_count = u64::try_from(specs.count)
                .ok()
                .filter(|count| (1..=32).contains(count));
            let Some(gpu_count) = gpu_count.filter(|_| (1.0..=100_000.0).contains(&specs.memory))
            else {
                return Err(format!("the size of `{id}` cannot be"));
            };
            if !options.iter().any(|known| known.id == id) {
                options.push(HardwareOption {
                    id,
                    gpu_type: specs.kind,
                    gpu_memory_gb: specs.memory,
                    gpu_count,
                });
            }
        }
        Ok(options)
    }
}

/// `org/name`, `8x_nvidia_h200_140gb_sxm`: what the platform calls something, and no sentence.
fn name(text: &str) -> Result<(), String> {
    let is_part = |part: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | ':');
        part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(inner)
    };
    let is_short = text.len() <= NAME_MAX && text.split('/').count() <= NAME_PARTS_MAX;
    if is_short && text.split('/').all(is_part) {
        return Ok(());
    }
    let start: String = text.escape_debug().take(40).collect();
    Err(format!("`{start}` is no name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(text: &str) -> Result<BaseModel, String> {
        serde_json::from_str::<Limits>(text)
            .map_err(|error| error.to_string())?
            .base_model("acme/base")
    }

    #[test]
    fn limits_with_and_without_what_the_description_lacks() {
        let new = limits(
            r#"{"model_name": "acme/base", "max_seq_length_sft": 32768, "max_seq_length_dpo": 16384, "supports_full_training": false,
              "full_training": {"max_batch_size": 0}, "lora_training": {"max_rank": 64, "target_modules": []}, "min_max_seq_length": 1024}"#,
        )
        .unwrap();
        assert_eq!(
            (new.context_sft, new.context_dpo),
            (Some(32_768), Some(16_384))
        );
        assert_eq!(
            (new.has_lora, new.has_full, new.lora_max_rank),
            (true, false, Some(64))
        );
        let old = limits(r#"{"model_name": "Acme/Base", "full_training": {"max_batch_size": 16}}"#)
            .unwrap();
        assert_eq!((old.has_lora, old.has_full), (false, true));
        assert_eq!((old.context_sft, old.lora_max_rank), (None, None));
        assert_eq!(old.name, "acme/base");
    }

    #[test]
    fn odd_limits_are_refused() {
        for (text, why) in [
            (
                r#"{"model_name": "acme/other"}"#,
                "asked about `acme/base`, it speaks of `acme/other`",
            ),
            (
                r#"{"model_name": "acme/base", "max_seq_length_sft": -5}"#,
                "`max_seq_length_sft` is -5",
            ),
            (
                r#"{"model_name": "acme/base", "max_seq_length_dpo": 99999999999}"#,
                "`max_seq_length_dpo` is 99999999999",
            ),
            (
                r#"{"model_name": "acme/base", "max_seq_length_sft": "many"}"#,
                "invalid type",
            ),
            ("{}", "missing field `model_name`"),
        ] {
            let error = limits(text).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }

    #[test]
    fn odd_lists_are_refused() {
        let names = |models: Vec<String>| Supported { models }.names(3);
        assert_eq!(
            names(vec!["a".into(), "b".into(), "a".into()]).unwrap(),
            ["a", "b"]
        );
        assert_eq!(names(vec![]).unwrap_err(), "it lists no model");
        assert_eq!(
            names(vec!["a".into(); 4]).unwrap_err(),
            "it lists more than 3 models"
        );
        assert_eq!(
            names(vec!["a\u{1b}[2J".into()]).unwrap_err(),
            "`a\\u{1b}[2J` is no name"
        );
        assert!(names(vec!["x".repeat(201)]).is_err());
        for good in [
            "a",
            "acme/base",
            "Qwen/Qwen3.5-9B",
            "a/b_c/d",
            "a/b:c",
            "a/b+",
        ] {
            assert_eq!(names(vec![good.into()]).unwrap(), [good]);
        }
        for odd in [
            "acme/base sk-key",
            "acme/",
            "/base",
            "a//b",
            "../base",
            "https://acme.example",
            "acme/bäse",
            "a\"b",
            "a/b/c/d/e",
            "",
        ] {
            assert!(names(vec![odd.into()]).is_err(), "{odd}");
        }
        let options = |text: &str| serde_json::from_str::<Hardware>(text).unwrap().options();
        let row = |count: i64, memory: f64| {
            format!(
                r#"{{"data": [{{"id": "1x", "specs": {{"gpu_type": "h100", "gpu_memory": {memory:?}, "gpu_count": {count}}}}}]}}"#
            )
        };
        assert_eq!(options(&row(8, 80.0)).unwrap()[0].gpu_count, 8);
        assert_eq!(
            options(r#"{"data": []}"#).unwrap_err(),
            "it lists no hardware"
        );
        for odd in [
            row(0, 80.0),
            row(-1, 80.0),
            row(1000, 80.0),
            row(8, 0.0),
            row(8, 1e30),
        ] {
            assert_eq!(options(&odd).unwrap_err(), "the size of `1x` cannot be");
        }
    }
}
