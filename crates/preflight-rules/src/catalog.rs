//! The base models that the platform fine-tunes, as its documentation listed them at one time.
//!
//! Data: `catalogs/*.json`, made by `tools/base_models.py`. A catalog says which of its columns the
//! platform states and where the others come from.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::suggest;

/// How the weights are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrainingType {
    /// A LoRA adapter beside frozen weights.
    Lora,
    /// All weights.
    Full,
}

/// What the training data teaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrainingMethod {
    /// Supervised fine-tuning.
    #[default]
    Sft,
    /// Direct preference optimisation.
    Dpo,
}

/// Where a parameter count was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParametersFrom {
    /// The round figure in the model's name.
    Name,
    /// The publisher's model card.
    Publisher,
}

/// The base models of one published table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// For example `together-2025`.
    pub id: String,
    /// Month that the table stands for.
    pub as_of: String,
    /// Address of the table.
    pub source: String,
    /// Columns that the table itself states.
    pub stated: Vec<String>,
    /// Every other column, and how it was come by.
    pub inferred: BTreeMap<String, String>,
    /// In the order of the table.
    pub models: Vec<BaseModel>,
}

/// One base model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseModel {
    /// What the platform calls it.
    pub name: String,
    /// The publisher's repository on the Hub.
    pub hf_repo: String,
    /// `model_type` of its config.json.
    pub model_type: Option<String>,
    /// First of `architectures` of its config.json.
    pub architecture: Option<String>,
    /// Parameters in all, nominal: see `parameters_from`.
    pub parameters: Option<u64>,
    /// Where that count was read.
    pub parameters_from: Option<ParametersFrom>,
    /// How it may be trained.
    pub training_types: Vec<TrainingType>,
    /// Longest sequence of supervised fine-tuning, tokens.
    pub context_sft: u64,
    /// Longest sequence of preference optimisation, tokens.
    pub context_dpo: u64,
    /// Highest rank of a LoRA adapter, where the table gives it.
    pub lora_max_rank: Option<u64>,
    /// Whether it is trained with images.
    pub vlm: bool,
}

static SHIPPED: LazyLock<Vec<Catalog>> = LazyLock::new(|| {
    [
        include_str!("../catalogs/together-2025.json"),
        include_str!("../catalogs/together-2026.json"),
    ]
    .into_iter()
    .map(|text| serde_json::from_str(text).expect("the catalogs are generated and tested"))
    .collect()
});

impl Catalog {
    /// The catalogs that the program carries, oldest first.
    pub fn shipped() -> &'static [Self] {
        &SHIPPED
    }

    /// A catalog that the program carries.
    pub fn load(id: &str) -> Option<&'static Self> {
        Self::shipped().iter().find(|catalog| catalog.id == id)
    }

    /// The base model of exactly this name.
    pub fn get(&self, name: &str) -> Option<&BaseModel> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The name that a mistyped one most likely stands for.
    pub fn suggest(&self, name: &str) -> Option<&str> {
        suggest::closest(name, self.models.iter().map(|model| model.name.as_str()))
    }

    /// Another shipped catalog that knows this name: the newest one.
    pub fn known_elsewhere(&self, name: &str) -> Option<&'static Self> {
        let mut others = Self::shipped().iter().rev();
        others.find(|other| other.id != self.id && other.get(name).is_some())
    }
}

impl BaseModel {
    /// Longest training sequence, tokens.
    pub fn context(&self, method: TrainingMethod) -> u64 {
        match method {
            TrainingMethod::Sft => self.context_sft,
            TrainingMethod::Dpo => self.context_dpo,
        }
    }

    /// Whether it may be trained in this way.
    pub fn supports(&self, training_type: TrainingType) -> bool {
        self.training_types.contains(&training_type)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn catalog(id: &str) -> &'static Catalog {
        Catalog::load(id).unwrap()
    }

    #[test]
    fn the_tables_are_whole_and_no_name_comes_twice() {
        for (id, rows) in [("together-2025", 93), ("together-2026", 30)] {
            let names: BTreeSet<_> = catalog(id).models.iter().map(|row| &row.name).collect();
            assert_eq!(names.len(), rows, "{id}");
            assert_eq!(catalog(id).models.len(), rows, "{id}");
        }
        assert!(Catalog::load("together-2024").is_none());
    }

    #[test]
    fn rows_make_sense() {
        for row in Catalog::shipped()
            .iter()
            .flat_map(|catalog| &catalog.models)
        {
            assert!(
                row.context_sft >= 1024 && row.context_dpo >= 1024,
                "{}",
                row.name
            );
            assert!(row.supports(TrainingType::Lora), "{}", row.name);
            assert_eq!(
                row.parameters.is_some(),
                row.parameters_from.is_some(),
                "{}",
                row.name
            );
            assert!(
                row.parameters.is_none_or(|count| count > 100_000_000),
                "{}",
                row.name
            );
            assert_eq!(
                row.model_type.is_some(),
                row.architecture.is_some(),
                "{}",
                row.name
            );
            assert!(!row.name.ends_with("-VLM") || row.vlm, "{}", row.name);
        }
    }

    #[test]
    fn every_column_is_stated_or_explained() {
        for catalog in Catalog::shipped() {
            let explained: Vec<_> = catalog
                .stated
                .iter()
                .chain(catalog.inferred.keys())
                .collect();
            for column in [
                "name",
                "hf_repo",
                "model_type",
                "architecture",
                "parameters",
                "vlm",
            ] {
                assert!(explained.iter().any(|name| *name == column), "{column}");
            }
        }
    }

    #[test]
    fn a_row_as_the_platform_prints_it() {
        let row = catalog("together-2025")
            .get("togethercomputer/llama-2-7b-chat")
            .unwrap();
        assert_eq!((row.context_sft, row.context_dpo), (4096, 4096));
        assert_eq!(row.model_type.as_deref(), Some("llama"));
        assert!(row.supports(TrainingType::Full));
        let r1 = catalog("together-2026")
            .get("deepseek-ai/DeepSeek-V3.1")
            .unwrap();
        assert_eq!(
            (
                r1.context(TrainingMethod::Sft),
                r1.context(TrainingMethod::Dpo)
            ),
            (65536, 32768)
        );
        assert_eq!(r1.lora_max_rank, Some(16));
        assert!(!r1.supports(TrainingType::Full));
    }

    #[test]
    fn a_name_is_looked_up_exactly_and_suggested_loosely() {
        let newest = catalog("together-2026");
        assert!(
            newest
                .get("meta-llama/Meta-Llama-3.1-8B-Instruct")
                .is_none()
        );
        assert_eq!(
            newest.suggest("meta-llama/Meta-Llama-3.1-8B-Instruct"),
            Some("meta-llama/Meta-Llama-3.1-8B-Instruct-Reference")
        );
        assert_eq!(
            catalog("together-2025").suggest("llama-2-7b-chat"),
            Some("togethercomputer/llama-2-7b-chat")
        );
        assert_eq!(
            newest.suggest("sentence-transformers/all-MiniLM-L6-v2"),
            None
        );
    }

    #[test]
    fn a_name_of_another_time_is_named_as_such() {
        let newest = catalog("together-2026");
        let elsewhere = newest
            .known_elsewhere("togethercomputer/llama-2-7b-chat")
            .unwrap();
        assert_eq!(elsewhere.id, "together-2025");
        assert!(newest.known_elsewhere("Qwen/Qwen3.5-9B").is_none());
        let both = newest
            .models
            .iter()
            .filter(|row| newest.known_elsewhere(&row.name).is_some());
        assert_eq!(both.count(), 8);
    }
}
