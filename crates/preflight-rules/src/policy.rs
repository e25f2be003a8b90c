//! A policy: every number and level that belongs to the platform, with where and when it was read.
//!
//! Policies are TOML (`policies/*.toml`; `docs/policy.md` describes the keys). `together-2025-11` is
//! the default. A file of the user's own extends a shipped one or stands alone.

mod command;
mod file;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use preflight_model::fact::Gap;
use preflight_model::release::Release;

use crate::catalog::Catalog;
use crate::report::{Level, Target};
use crate::suggest;

pub use command::{CommandTemplate, CommandValues};
pub(crate) use file::describe;

/// Id and text of the shipped policies, the default first. One extends only those before it.
const SHIPPED: [(&str, &str); 2] = [
    (
        "together-2025-11",
        include_str!("../policies/together-2025-11.toml"),
    ),
    (
        "together-2026-07",
        include_str!("../policies/together-2026-07.toml"),
    ),
];

/// The platform's rules as they stood at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// For example `together-2025-11`.
    pub id: String,
    /// Date that it stands for: `2025-11-08`, or a month or a year.
    pub as_of: String,
    /// What does not depend on the target.
    pub platform: Platform,
    /// What each target takes.
    upload: TargetPolicy,
    fine_tune: TargetPolicy,
    /// By rule id.
    rules: BTreeMap<String, Cells>,
}

/// Figures that do not depend on the target.
#[derive(Debug, Clone, PartialEq)]
pub struct Platform {
    /// Most logical parameters of a model that is fine-tuned.
    pub parameters_max: Stated<u64>,
    /// Whether exactly that many are still allowed.
    pub parameters_max_is_allowed: Stated<bool>,
    /// Newest transformers release line that the platform loads models with.
    pub transformers_ceiling: Stated<Ceiling>,
    /// Tokens of the shortest context that is worth a deployment.
    pub fit_context: Stated<u64>,
    /// Sequences at once that are worth a deployment.
    pub fit_sequences: Stated<u64>,
    /// Minutes that a presigned URL has to stay valid.
    pub presigned_url_minutes_min: Stated<u64>,
    /// Endings of the archives that are taken, for example `.tar.gz`.
    pub archive_formats: Stated<Vec<String>>,
    /// Highest rank of a LoRA adapter that is served.
    pub adapter_rank_max: Stated<u64>,
    /// Pairs of model types of which the first counts as the second.
    pub same_architecture: Stated<Vec<[String; 2]>>,
    /// Id of the hardware table.
    pub hardware: Stated<String>,
}

/// What one target takes, and how to submit to it.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetPolicy {
    /// Where models may come from.
    pub sources: Stated<Vec<SourceKind>>,
    /// What models may be for, in the words of the report (`causal-lm`, `embedding`).
    pub tasks: Stated<Vec<String>>,
    /// Formats of weights, in the words of the report (`safetensors`).
    pub weight_formats: Stated<Vec<String>>,
    /// The base models to choose from; `None` where none is named.
    base_models: Option<Stated<CatalogId>>,
    /// What is taken of adapters.
    pub adapters: AdapterPolicy,
    /// What to run, by where the model comes from.
    commands: BTreeMap<SourceKind, Stated<Vec<CommandTemplate>>>,
}

/// What a target takes of adapters; `None` where the policy does not speak of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AdapterPolicy {
    /// Base models, as the platform calls them; `None` where any base will do.
    pub bases: Option<Stated<Vec<String>>>,
    /// Methods, in PEFT's words (`LORA`).
    pub types: Option<Stated<Vec<String>>>,
    /// What is taken beyond plain LoRA on linear layers (`dora`, `saved-modules`, …).
    pub features: Option<Stated<Vec<String>>>,
}

/// A figure or word of the platform, with where and when it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated<T> {
    value: Result<T, String>,
    /// Address of the document that says so.
    pub source: String,
    /// When it said so: `2025-11-08`, or a month or a year.
    pub as_of: String,
}

impl<T> Stated<T> {
    /// The value, or the [`Gap`] that ends a rule as unknown.
    pub fn get(&self) -> Result<&T, Gap> {
        self.value.as_ref().map_err(|why| Gap::Unknown(why.clone()))
    }

    /// The value where it is known.
    pub fn known(&self) -> Option<&T> {
        self.value.as_ref().ok()
    }
}

/// A release line of transformers, for example 4.55: every 4.55.x is within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ceiling {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
}

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Where a model comes from, as far as the platform tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A repository on the Hugging Face Hub.
    Hub,
    /// One archive behind an address.
    Archive,
    /// A folder on the user's machine.
    Folder,
}

/// Id of a shipped catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogId(String);

/// The levels of one rule.
#[derive(Debug, Clone, PartialEq, Default)]
struct Cells {
    upload: Option<Cell>,
    fine_tune: Option<Cell>,
}

/// The level of one rule for one target, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// `None` is off. A rule that the platform is not known to have is a warning.
    pub level: Option<Level>,
    /// Why it is not known whether the platform has this rule.
    pub unknown: Option<String>,
    /// Address of the document that says so. An error always has one.
    pub source: Option<String>,
    /// When it said so.
    pub as_of: Option<String>,
}

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No shipped policy has this name.
    #[error("no policy is called `{given}`{hint}")]
    NotFound {
        /// As given.
        given: String,
        /// `; did you mean …?`, or the names there are.
        hint: String,
    },
    /// The text is not a policy.
    #[error("`{path}` is not a policy\n{detail}")]
    Invalid {
        /// The file.
        path: String,
        /// Line, caret and what is wrong there, several lines.
        detail: String,
    },
    /// A policy that stands alone leaves something out.
    #[error(
        "`{path}` does not give `{key}`; give it, or start from a shipped policy with `extends`"
    )]
    Missing {
        /// The file.
        path: String,
        /// The key.
        key: &'static str,
    },
    /// A file uses the id of a shipped policy.
    #[error("`{path}` has the id `{id}` of a shipped policy; give it its own")]
    Taken {
        /// The file.
        path: String,
        /// The id.
        id: String,
    },
}

static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    SHIPPED.iter().fold(Vec::new(), |mut ready, (id, text)| {
        let policy = file::parse(text, &format!("policies/{id}.toml"), &ready);
        ready.push(
            policy.unwrap_or_else(|error| panic!("the shipped policies are tested: {error}")),
        );
        ready
    })
});

impl Policy {
    /// The policies that the program carries, the default first.
    pub fn shipped() -> &'static [Self] {
        &POLICIES
    }

    /// A policy that the program carries.
    pub fn load_shipped(id: &str) -> Result<&'static Self, PolicyError> {
        let found = Self::shipped().iter().find(|policy| policy.id == id);
        found.ok_or_else(|| PolicyError::NotFound {
            given: id.into(),
            hint: hint(id, SHIPPED.map(|(id, _)| id)),
        })
    }

    /// The policy that a user's file holds; `path` is only for messages.
    pub fn parse(text: &str, path: &str) -> Result<Self, PolicyError> {
        let policy = file::parse(text, path, Self::shipped())?;
        if SHIPPED.iter().any(|(id, _)| *id == policy.id) {
            return Err(PolicyError::Taken {
                path: path.into(),
                id: policy.id,
            });
        }
        Ok(policy)
    }

    /// The release of transformers that the platform loads with; `None` where it is not known.
    pub fn release(&self) -> Option<Release> {
        let ceiling = self.platform.transformers_ceiling.known()?;
        Release::parse(&ceiling.to_string())
    }

    /// How much a rule weighs for a target; `None` is off.
    pub fn level(&self, rule: &str, target: Target) -> Option<Level> {
        self.cell(rule, target)?.level
    }

    /// The same, and who says so; `None` where the policy says nothing of the rule.
    pub fn cell(&self, rule: &str, target: Target) -> Option<&Cell> {
        let cells = self.rules.get(rule)?;
        match target {
            Target::Upload => cells.upload.as_ref(),
            Target::FineTune => cells.fine_tune.as_ref(),
        }
    }

    /// Ids of the rules that the policy speaks of, sorted.
    pub fn rule_ids(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    /// What a target takes.
    pub fn target(&self, target: Target) -> &TargetPolicy {
        match target {
            Target::Upload => &self.upload,
            Target::FineTune => &self.fine_tune,
        }
    }

    /// Whether a model of so many logical parameters is within the limit.
    pub fn allows_parameters(&self, count: u64) -> Result<bool, Gap> {
        let max = *self.platform.parameters_max.get()?;
        if count == max {
            return self.platform.parameters_max_is_allowed.get().copied();
        }
        Ok(count < max)
    }

    /// The shipped policy, other than this one, under which a base model of that name can be
    /// fine-tuned.
    pub fn base_model_known_elsewhere(&self, name: &str) -> Option<&'static Self> {
        Self::shipped()
            .iter()
            .filter(|other| other.id != self.id)
            .find(|other| {
                let catalog = other.target(Target::FineTune).base_models();
                matches!(catalog, Ok(Some(catalog)) if catalog.get(name).is_some())
            })
    }
}

impl TargetPolicy {
    /// The base models to choose from: `None` where the target needs none, a [`Gap`] where the
    /// platform has a list that is not known.
    pub fn base_models(&self) -> Result<Option<&'static Catalog>, Gap> {
        let Some(id) = &self.base_models else {
            return Ok(None);
        };
        Ok(Catalog::load(&id.get()?.0))
    }

    /// The lines to run for a model from there; `None` where the platform takes none from there.
    pub fn commands(&self, from: SourceKind, values: &CommandValues) -> Option<Vec<String>> {
        let templates = self.commands.get(&from)?.known()?;
        Some(templates.iter().map(|line| line.render(values)).collect())
    }
}

/// The end of a message about an unknown name: the likely one, or all.
fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let hint = suggest::did_you_mean(given, known.clone());
    if !hint.is_empty() {
        return hint;
    }
    let names: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
    format!("; there are {}", names.join(", "))
}

#[cfg(test)]
mod tests;
