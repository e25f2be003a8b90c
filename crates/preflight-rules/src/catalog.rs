//! The base models that the platform fine-tunes, as its documentation listed them at one time.
//!
//! Data: `catalogs/*.json`, made by `tools/base_models.py`. A catalog says which of its columns the
//! platform states and where the others come from.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::structure::{self, Structure};
use crate::suggest;

/// How the weights are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrainingType {
    /// A LoRA adapter beside frozen weights.
    Lora,
    /// All weights.
    Full,
}

impl TrainingType {
    /// The word of the command line and the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lora => "lora",
            Self::Full => "full",
        }
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseModel {
    /// What the platform calls it.
    pub name: String,
    /// The publisher's repository on the Hub.
    pub hf_repo: Option<String>,
    /// `model_type` of its config.json.
    pub model_type: Option<String>,
    /// First of `architectures` of its config.json.
    pub architecture: Option<String>,
    /// Parameters in all, nominal: see `parameters_from`.
    pub parameters: Option<u64>,
    /// Where that count was read.
    pub parameters_from: Option<ParametersFrom>,
    /// How it may be trained; empty where that is not known.
    pub training_types: Vec<TrainingType>,
    /// Longest sequence of supervised fine-tuning, tokens.
    pub context_sft: Option<u64>,
    /// Longest sequence of preference optimisation, tokens.
    pub context_dpo: Option<u64>,
    /// Longest sequence with which all weights are trained, where that is shorter.
    #[serde(default)]
    pub full_context_max: Option<u64>,
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

    /// The name that a mistyped one most likely stands for. The publisher's own name for a base model
    /// means that base model, in the variant that the table has first.
    pub fn suggest(&self, name: &str) -> Option<&str> {
        let published = self.models.iter().find(|model| model.is_of(name));
        let names = self.models.iter().map(|model| model.name.as_str());
        published.map_or_else(
            || suggest::closest(name, names),
            |model| Some(model.name.as_str()),
        )
    }

    /// The other base models with the same weights: trained with longer sequences, or with images.
    pub fn variants<'a>(&'a self, base: &'a BaseModel) -> impl Iterator<Item = &'a BaseModel> {
        let same = |other: &&BaseModel| other.name != base.name && other.hf_repo == base.hf_repo;
        let rows = base.hf_repo.as_ref().map(|_| self.models.iter());
        rows.into_iter().flatten().filter(same)
    }

    /// Another shipped catalog that knows this name: the newest one.
    pub fn known_elsewhere(&self, name: &str) -> Option<&'static Self> {
        let mut others = Self::shipped().iter().rev();
        others.find(|other| other.id != self.id && other.get(name).is_some())
    }
}

impl BaseModel {
    /// Longest training sequence, tokens.
    pub fn context(
        &self,
        method: TrainingMethod,
        training_type: Option<TrainingType>,
    ) -> Option<u64> {
        let context = match method {
            TrainingMethod::Sft => self.context_sft,
            TrainingMethod::Dpo => self.context_dpo,
        }?;
        let of_full = self
            .full_context_max
            .filter(|_| training_type == Some(TrainingType::Full));
        Some(context.min(of_full.unwrap_or(context)))
    }

    /// Whether a repository of this name is the publisher's.
    pub fn is_of(&self, repository: &str) -> bool {
        let published = self.hf_repo.as_ref();
        published.is_some_and(|published| published.eq_ignore_ascii_case(repository))
    }

    /// Whether the platform or the publisher calls it so.
    pub fn is_called(&self, name: &str) -> bool {
        self.is_of(name) || self.name.eq_ignore_ascii_case(name)
    }

    /// What it is made of, where that is known.
    pub fn structure(&self) -> Option<&'static Structure> {
        structure::of_repository(self.hf_repo.as_deref()?)
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
                row.context_sft >= Some(1024) && row.context_dpo >= Some(1024),
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
        assert_eq!((row.context_sft, row.context_dpo), (Some(4096), Some(4096)));
        assert_eq!(row.model_type.as_deref(), Some("llama"));
        assert!(row.supports(TrainingType::Full));
        let r1 = catalog("together-2026")
            .get("deepseek-ai/DeepSeek-V3.1")
            .unwrap();
        assert_eq!(
            (
                r1.context(TrainingMethod::Sft, None),
                r1.context(TrainingMethod::Dpo, None)
            ),
            (Some(65536), Some(32768))
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
    fn the_publishers_name_means_the_platforms() {
        let newest = catalog("together-2026");
        for (published, name) in [
            (
                "meta-llama/Llama-3.3-70B-Instruct",
                "meta-llama/Llama-3.3-70B-Instruct-Reference",
            ),
            (
                "meta-llama/llama-3.1-8b-instruct",
                "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference",
            ),
        ] {
            assert_eq!(newest.suggest(published), Some(name));
        }
        assert_eq!(
            catalog("together-2025").suggest("meta-llama/Llama-2-7b-chat-hf"),
            Some("togethercomputer/llama-2-7b-chat")
        );
    }

    #[test]
    fn variants_have_the_same_weights() {
        let older = catalog("together-2025");
        let base = older
            .get("meta-llama/Llama-3.3-70B-Instruct-Reference")
            .unwrap();
        let names: Vec<_> = older.variants(base).map(|row| row.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "meta-llama/Llama-3.3-70B-32k-Instruct-Reference",
                "meta-llama/Llama-3.3-70B-131k-Instruct-Reference"
            ]
        );
        let alone = older.get("togethercomputer/llama-2-7b-chat").unwrap();
        assert_eq!(older.variants(alone).count(), 0);
    }

    #[test]
    fn full_training_of_llama_3_1_ends_at_32k() {
        let row = catalog("together-2025")
            .get("meta-llama/Meta-Llama-3.1-8B-Instruct-Reference")
            .unwrap();
        let context = |kind| row.context(TrainingMethod::Sft, kind);
        assert_eq!(context(Some(TrainingType::Full)), Some(32_768));
        assert_eq!(
            (context(Some(TrainingType::Lora)), context(None)),
            (Some(131_072), Some(131_072))
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
