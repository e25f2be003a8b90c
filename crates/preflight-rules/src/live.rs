//! What the platform's API said at one time: base models with their limits, and hardware. `refresh`
//! writes it to a file, which later runs use in place of the data that the program carries.
//!
//! The file is JSON (`docs/base-models.md`). It holds what the API states and nothing else; what is known
//! of the models besides is joined when it is read, from the catalogs of the program that reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::catalog::{BaseModel, Catalog, TrainingType};
use crate::date;
use crate::hardware::{Gpu, Hardware, HardwareOption};

/// The version of the file's form.
const FORMAT: u64 = 1;
/// Most base models and most hardware options of a file: ten times what there ever were.
const ROWS_MAX: usize = 2000;
/// Most characters of a name, and most parts between its slashes.
const NAME_MAX: usize = 200;
const NAME_PARTS_MAX: usize = 4;
/// Longest sequence that a limit may name, tokens: a thousand times the longest there is.
const CONTEXT_MAX: u64 = 1 << 30;
/// The hardware table whose ids the first API lists; the second names its hardware otherwise.
const HARDWARE_TABLE: &str = "together-2025-11";
/// How far a nominal memory may be from what the driver reports for it to be that GPU: 80 GB of an H100
/// are 85.5, 180 GB of a B200 are 192.
const MEMORY_SHARE_MIN: f64 = 0.85;

/// What was fetched, when, and from where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetched {
    /// RFC 3339, UTC.
    pub fetched_at: String,
    /// Address of the API.
    pub origin: String,
    /// The base models that it lists, in its order.
    pub base_models: Vec<ModelLimits>,
    /// Base models that it lists and then knows no limits of.
    pub without_limits: Vec<String>,
    /// The hardware that it lists, in its order.
    pub hardware: Vec<HardwareRow>,
}

/// The limits of one base model. `None` is "not said".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelLimits {
    /// What the platform calls it.
    pub name: String,
    /// How it may be trained; empty where that is not said.
    pub training_types: Vec<TrainingType>,
    /// Longest sequence of supervised fine-tuning, tokens.
    pub context_sft: Option<u64>,
    /// Longest sequence of preference optimisation, tokens.
    pub context_dpo: Option<u64>,
    /// Highest rank of a LoRA adapter.
    pub lora_max_rank: Option<u64>,
}

/// One choice of hardware.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardwareRow {
    /// What the platform calls it.
    pub id: String,
    /// For example `h100-80gb` or `h100`.
    pub gpu_type: String,
    /// Nominal memory of a GPU, GB.
    pub gpu_memory_gb: f64,
    /// GPUs of the node.
    pub gpu_count: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u64,
    /// Of `fetched` as this program writes it: told from a file that was damaged or edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    fetched: Fetched,
}

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// Not JSON, or not of the form.
    #[error("it is no catalog that `byom-preflight refresh` wrote: {0}")]
    Syntax(String),
    /// Written by a later program.
    #[error("it has the form {0}, and this version reads form {FORMAT}")]
    Format(u64),
    /// A value that cannot be.
    #[error("{0}")]
    Value(String),
}

/// What was fetched, ready to be judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// The base models, with what is known of them besides.
    pub catalog: Catalog,
    /// Where they are from, in the words of the report.
    pub origin: String,
    /// Whether the file is just as it was written; none where it does not say how that was.
    pub is_untouched: Option<bool>,
    fetched: Fetched,
}

impl Fetched {
    /// The file, with a line end.
    pub fn to_file(&self) -> Result<String, LiveError> {
        validate(self).map_err(LiveError::Value)?;
        let file = File {
            format: FORMAT,
            sha256: Some(self.digest()),
            fetched: self.clone(),
        };
        let text = serde_json::to_string_pretty(&file);
        text.map(|text| text + "\n")
            .map_err(|error| LiveError::Syntax(error.to_string()))
    }

    fn digest(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        let mut hex = String::new();
        for byte in Sha256::digest(text) {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}

impl Live {
    /// Reads a file that `refresh` wrote.
    pub fn parse(text: &str) -> Result<Self, LiveError> {
        #[derive(Deserialize)]
        struct Form {
            format: u64,
        }
        let syntax = |error: serde_json::Error| LiveError::Syntax(error.to_string());
        let form: Form = serde_json::from_str(text).map_err(syntax)?;
        if form.format != FORMAT {
            return Err(LiveError::Format(form.format));
        }
        let file: File = serde_json::from_str(text).map_err(syntax)?;
        validate(&file.fetched).map_err(LiveError::Value)?;
        let is_untouched = file.sha256.map(|sha256| sha256 == file.fetched.digest());
        Ok(Self {
            catalog: catalog(&file.fetched),
            origin: format!("refreshed from {}", file.fetched.origin),
            is_untouched,
            fetched: file.fetched,
        })
    }

    /// The hardware that is offered in place of a table's, and the ids whose GPU is not known; none where
    /// the table is that of another API.
    pub(crate) fn hardware(&self, table: &str) -> Option<(Vec<HardwareOption>, Vec<&str>)> {
        if table != HARDWARE_TABLE {
            return None;
        }
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for row in &self.fetched.hardware {
            match gpu(row) {
                Some(gpu) => known.push(HardwareOption {
                    id: row.id.clone(),
                    gpu: gpu.clone(),
                    count: row.gpu_count,
                    source: self.fetched.origin.clone(),
                    as_of: self.catalog.as_of.clone(),
                    endpoint: endpoint(table, &row.id),
                }),
                None => unknown.push(row.id.as_str()),
            }
        }
        known.sort_by(|a, b| {
            let size = |option: &HardwareOption| (option.count, option.gpu.visible_mib);
            size(a).cmp(&size(b)).then_with(|| a.id.cmp(&b.id))
        });
        Some((known, unknown))
    }
}

/// What to run to serve a model on it: as for any other hardware of the table.
fn endpoint(table: &str, id: &str) -> Vec<String> {
    let options = Hardware::built_in().options(table);
    let other = options.first().into_iter();
    let lines = other.flat_map(|other| {
        other
            .endpoint
            .iter()
            .map(|line| line.replace(&other.id, id))
    });
    lines.collect()
}

/// The GPU of a row, where it is one whose memory is known as the driver reports it.
fn gpu(row: &HardwareRow) -> Option<&'static Gpu> {
    let name = row.gpu_type.to_ascii_lowercase();
    let kind = name.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    let gpu = Hardware::built_in()
        .gpus()
        .iter()
        .find(|gpu| gpu.kind == kind)?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let reported = (gpu.memory_mib << 20) as f64 / 1e9;
    let share = row.gpu_memory_gb / reported;
    (MEMORY_SHARE_MIN..=1.0).contains(&share).then_some(gpu)
}

/// The fetched base models with what the program's own catalogs know of models of these names, the newest
/// first.
fn catalog(fetched: &Fetched) -> Catalog {
    let stated = [
        "name",
        "training_types",
        "context_sft",
        "context_dpo",
        "lora_max_rank",
    ];
    let joined = "the newest catalog of the program that has a base model of this name";
    let inferred = ["hf_repo", "model_type", "architecture", "parameters", "vlm"];
    Catalog {
        id: "together-live".into(),
        as_of: fetched.fetched_at.chars().take(10).collect(),
        source: fetched.origin.clone(),
        stated: stated.map(String::from).to_vec(),
        inferred: inferred
            .into_iter()
            .map(|column| (column.to_owned(), joined.to_owned()))
            .collect::<BTreeMap<_, _>>(),
        models: fetched.base_models.iter().map(base_model).collect(),
    }
}

fn base_model(limits: &ModelLimits) -> BaseModel {
    let mut shipped = Catalog::shipped().iter().rev();
    let known = shipped.find_map(|catalog| catalog.get(&limits.name));
    BaseModel {
        name: limits.name.clone(),
        hf_repo: known.and_then(|known| known.hf_repo.clone()),
        model_type: known.and_then(|known| known.model_type.clone()),
        architecture: known.and_then(|known| known.architecture.clone()),
        parameters: known.and_then(|known| known.parameters),
        parameters_from: known.and_then(|known| known.parameters_from),
        training_types: limits.training_types.clone(),
        context_sft: limits.context_sft,
        context_dpo: limits.context_dpo,
        full_context_max: None,
        lora_max_rank: limits.lora_max_rank,
        vlm: known.map_or(limits.name.ends_with("-VLM"), |known| known.vlm),
    }
}

/// What no answer of the platform and no file may hold.
fn validate(fetched: &Fetched) -> Result<(), String> {
    if date::last_day(&fetched.fetched_at).is_none() || fetched.fetched_at.len() < 10 {
        return Err(format!(
            "`{}` is no date",
            fetched.fetched_at.escape_debug()
        ));
    }
    address(&fetched.origin)?;
    if fetched.base_models.is_empty() {
        return Err("it lists no base model".into());
    }
    if fetched.hardware.is_empty() {
        return Err("it lists no hardware".into());
    }
    let rows = [
        fetched.base_models.len(),
        fetched.hardware.len(),
        fetched.without_limits.len(),
    ];
    if rows.iter().any(|&count| count > ROWS_MAX) {
        return Err(format!("it has more than {ROWS_MAX} rows"));
    }
    let mut names = BTreeSet::new();
    for base in &fetched.base_models {
        name(&base.name, "a base model")?;
        if !names.insert(&base.name) {
            return Err(format!("the base model `{}` stands there twice", base.name));
        }
        let limits = [base.context_sft, base.context_dpo, base.lora_max_rank];
        if limits
            .into_iter()
            .flatten()
            .any(|limit| !(1..=CONTEXT_MAX).contains(&limit))
        {
            return Err(format!("the limits of `{}` cannot be", base.name));
        }
    }
    for missing in &fetched.without_limits {
        name(missing, "a base model")?;
    }
    let mut ids = BTreeSet::new();
    for row in &fetched.hardware {
        name(&row.id, "a hardware option")?;
        name(&row.gpu_type, "a GPU")?;
        if !ids.insert(&row.id) {
            return Err(format!("the hardware `{}` stands there twice", row.id));
        }
        let is_size = (1.0..=100_000.0).contains(&row.gpu_memory_gb);
        if !is_size || !(1..=32).contains(&row.gpu_count) {
            return Err(format!("the size of the hardware `{}` cannot be", row.id));
        }
    }
    Ok(())
}

/// `org/name`, `8x_nvidia_h200_140gb_sxm`: what the platform calls something, and no sentence.
fn name(text: &str, what: &str) -> Result<(), String> {
    let is_part = |part: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(inner)
    };
    let is_short = text.len() <= NAME_MAX && text.split('/').count() <= NAME_PARTS_MAX;
    told_unless(is_short && text.split('/').all(is_part), text, what)
}

/// The address of an API, without anything that could hide what it is.
fn address(text: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '@');
    let is_address = text.len() <= NAME_MAX && text.contains("://") && text.chars().all(is_plain);
    told_unless(is_address, text, "the API")
}

fn told_unless(is_name: bool, text: &str, what: &str) -> Result<(), String> {
    if is_name {
        return Ok(());
    }
    let start: String = text.escape_debug().take(40).collect();
    Err(format!("{what} cannot be called `{start}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TrainingMethod;
    use crate::testing::Repo;

    fn fetched() -> Fetched {
        Fetched {
            fetched_at: "2026-11-22T10:00:00Z".into(),
            origin: "https://api.together.ai/v1".into(),
            base_models: vec![
                ModelLimits {
                    name: "Qwen/Qwen3.5-9B".into(),
                    training_types: vec![TrainingType::Lora, TrainingType::Full],
                    context_sft: Some(32_768),
                    context_dpo: None,
                    lora_max_rank: Some(64),
                },
                ModelLimits {
                    name: "acme/new".into(),
                    training_types: vec![],
                    context_sft: None,
                    context_dpo: None,
                    lora_max_rank: None,
                },
            ],
            without_limits: vec!["acme/gone".into()],
            hardware: vec![
                row("8x_nvidia_h200_140gb_sxm", "h200", 140.0, 8),
                row("1x_nvidia_h100_80gb_sxm", "h100-80gb", 80.0, 1),
                row("1x_nvidia_a100_40gb_pcie", "a100-40gb", 40.0, 1),
                row("8x_nvidia_vr200_288gb", "vr200", 288.0, 8),
            ],
        }
    }

    fn row(id: &str, gpu_type: &str, gpu_memory_gb: f64, gpu_count: u64) -> HardwareRow {
        HardwareRow {
            id: id.into(),
            gpu_type: gpu_type.into(),
            gpu_memory_gb,
            gpu_count,
        }
    }

    #[test]
    fn what_is_written_is_read_and_joined_with_what_is_known() {
        let text = fetched().to_file().unwrap();
        let live = Live::parse(&text).unwrap();
        assert_eq!(live.is_untouched, Some(true));
        assert_eq!(live.catalog.as_of, "2026-11-22");
        assert_eq!(live.origin, "refreshed from https://api.together.ai/v1");
        let known = live.catalog.get("Qwen/Qwen3.5-9B").unwrap();
        assert_eq!(known.model_type.as_deref(), Some("qwen3_5"));
        // The API's figure, not that of the catalog of July.
        assert_eq!(known.context(TrainingMethod::Sft, None), Some(32_768));
        assert_eq!(known.context(TrainingMethod::Dpo, None), None);
        assert!(known.structure().is_some());
        let new = live.catalog.get("acme/new").unwrap();
        assert_eq!(
            (&new.model_type, new.parameters, &new.hf_repo),
            (&None, None, &None)
        );
    }

    #[test]
    fn hardware_is_that_of_the_api_where_the_gpu_is_known() {
        let live = Live::parse(&fetched().to_file().unwrap()).unwrap();
        let (known, unknown) = live.hardware("together-2025-11").unwrap();
        let ids: Vec<_> = known.iter().map(|option| option.id.as_str()).collect();
        assert_eq!(ids, ["1x_nvidia_h100_80gb_sxm", "8x_nvidia_h200_140gb_sxm"]);
        assert_eq!(
            unknown,
            ["1x_nvidia_a100_40gb_pcie", "8x_nvidia_vr200_288gb"]
        );
        assert_eq!(
            known[0].endpoint,
            ["together endpoints create --model MODEL_NAME --hardware 1x_nvidia_h100_80gb_sxm"]
        );
        assert_eq!(live.hardware("together-2026-07"), None, "another API's ids");
    }

    #[test]
    fn every_shipped_option_would_be_recognised() {
        for option in Hardware::built_in().options(HARDWARE_TABLE) {
            let nominal: f64 = option
                .id
                .split('_')
                .find_map(|part| part.strip_suffix("gb"))
                .unwrap()
                .parse()
                .unwrap();
            let gpu_type = option.id.split('_').nth(2).unwrap();
            assert_eq!(
                gpu(&row(&option.id, gpu_type, nominal, option.count)),
                Some(&option.gpu),
                "{}",
                option.id
            );
        }
    }

    #[test]
    fn a_file_that_was_edited_says_so() {
        let text = fetched().to_file().unwrap();
        let edited = text.replace("32768", "65536");
        assert_ne!(text, edited);
        assert_eq!(Live::parse(&edited).unwrap().is_untouched, Some(false));
        let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
        file.as_object_mut().unwrap().remove("sha256");
        assert_eq!(Live::parse(&file.to_string()).unwrap().is_untouched, None);
    }

    #[test]
    fn a_file_that_is_damaged_is_refused() {
        let text = fetched().to_file().unwrap();
        for end in [0, 1, text.len() / 2, text.len() - 3] {
            assert!(Live::parse(&text[..end]).is_err(), "{end}");
        }
        for (from, to, why) in [
            (
                "\"format\": 1",
                "\"format\": 2",
                "it has the form 2, and this version reads form 1",
            ),
            (
                "acme/new",
                "Qwen/Qwen3.5-9B",
                "the base model `Qwen/Qwen3.5-9B` stands there twice",
            ),
            ("32768", "0", "the limits of `Qwen/Qwen3.5-9B` cannot be"),
            (
                "32768",
                "99999999999",
                "the limits of `Qwen/Qwen3.5-9B` cannot be",
            ),
            (
                "32768",
                "-1",
                "it is no catalog that `byom-preflight refresh` wrote: invalid value",
            ),
            (
                "acme/new",
                "a\\u001b[31m",
                "a base model cannot be called `a\\u{1b}[31m`",
            ),
            (
                "acme/new",
                "acme/new model",
                "a base model cannot be called `acme/new model`",
            ),
            (
                "acme/gone",
                "see https://acme.example",
                "a base model cannot be called `see https://acme.example`",
            ),
            (
                "v1",
                "v1?key=sk",
                "the API cannot be called `https://api.together.ai/v1?key=sk`",
            ),
            (
                "2026-11-22T",
                "2026-13-22T",
                "`2026-13-22T10:00:00Z` is no date",
            ),
            (
                "\"gpu_count\": 8",
                "\"gpu_count\": 0",
                "the size of the hardware `8x_nvidia_h200_140gb_sxm` cannot be",
            ),
            ("140.0", "1e300", "the size of the hardware"),
            ("\"fetched\"", "\"other\"", "it is no catalog that"),
        ] {
            let broken = text.replacen(from, to, 1);
            assert_ne!(broken, text, "{from}");
            let error = Live::parse(&broken).unwrap_err().to_string();
            assert!(error.starts_with(why), "{error}");
        }
        let empty = Fetched {
            base_models: vec![],
            ..fetched()
        };
        assert_eq!(
            empty.to_file().unwrap_err().to_string(),
            "it lists no base model"
        );
        let bare = Fetched {
            hardware: vec![],
            ..fetched()
        };
        assert_eq!(
            bare.to_file().unwrap_err().to_string(),
            "it lists no hardware"
        );
        let rows = serde_json::to_string(&fetched().hardware).unwrap();
        let compact: serde_json::Value = serde_json::from_str(&text).unwrap();
        let without = compact.to_string().replace(&rows, "[]");
        assert_eq!(
            Live::parse(&without).unwrap_err().to_string(),
            "it lists no hardware"
        );
        let many = Fetched {
            without_limits: vec!["a".into(); ROWS_MAX + 1],
            ..fetched()
        };
        assert!(many.to_file().is_err());
    }

    /// A GPU of which nothing is known may be the one that is large enough.
    #[test]
    fn hardware_that_is_not_known_keeps_a_model_from_being_too_large() {
        let huge = "//- model.safetensors\nmodel.embed_tokens.weight BF16 [2000000000, 1000]\n";
        let run = |rows: Vec<HardwareRow>| {
            let fetched = Fetched {
                hardware: rows,
                ..fetched()
            };
            let live = Live::parse(&fetched.to_file().unwrap()).unwrap();
            Repo::new(huge).with_live(live).run("node-too-small")
        };
        let h100 = row("1x_nvidia_h100_80gb_sxm", "h100", 80.0, 1);
        let got = run(vec![h100.clone()]);
        assert!(got.contains("upload: fail"), "{got}");
        let got = run(vec![h100, row("8x_nvidia_vr200_288gb", "vr200", 288.0, 8)]);
        assert!(got.contains("upload: unknown"), "{got}");
    }

    /// A new name may be a base model that is trained in full.
    #[test]
    fn a_base_that_is_not_compared_leaves_how_the_others_are_trained_open() {
        let run = |training: &str| {
            let mut fetched = fetched();
            fetched.base_models[0].name = "deepseek-ai/DeepSeek-V3.1".into();
            fetched.base_models[0].training_types = vec![TrainingType::Lora];
            let live = Live::parse(&fetched.to_file().unwrap()).unwrap();
            let repo = format!(
                "{training}//- config.json +\n{{\"model_type\": \"deepseek_v3\", \"architectures\": [\"DeepseekV3ForCausalLM\"], \"n_routed_experts\": 256}}"
            );
            Repo::new(&repo)
                .with_live(live)
                .run("base-model-incompatible")
        };
        let got = run("training-type: full\n");
        assert!(
            got.contains("fine-tune: unknown")
                && got.contains("`deepseek-ai/DeepSeek-V3.1`, the only base model of the architecture `deepseek_v3`")
                && got.contains("trained with LoRA only, and training in full was asked for, and the architecture of `acme/new` is not known"),
            "{got}"
        );
        let got = run("training-type: lora\n");
        assert!(got.contains("fine-tune: pass"), "{got}");
    }

    #[test]
    fn the_policies_that_are_compared_with_keep_their_catalogs() {
        let live = Live::parse(&fetched().to_file().unwrap()).unwrap();
        let report = Repo::new("").with_live(live).report();
        let names: Vec<_> = report
            .base_models
            .iter()
            .map(|base| base.name.as_str())
            .collect();
        assert_eq!(names, ["acme/new", "Qwen/Qwen3.5-9B"]);
        let own = Repo::new("").report();
        let of = |report: &crate::report::ModelReport| {
            let other = report
                .other_policies
                .iter()
                .find(|other| other.id == "together-2026-07");
            other.unwrap().verdicts.clone()
        };
        assert_eq!(of(&report), of(&own));
    }
}
