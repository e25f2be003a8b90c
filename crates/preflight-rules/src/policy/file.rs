//! How a policy is written: TOML whose every mistake is told with its line.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{
    AdapterPolicy, CatalogId, Ceiling, Cell, Cells, CommandTemplate, Platform, Policy, PolicyError,
    SHIPPED, SourceKind, Stated, TargetPolicy, hint,
};
use preflight_model::adapter::Feature;

use crate::catalog::Catalog;
use crate::report::Level;
use crate::suggest;

/// A file as written: what it leaves out comes from the policy that it extends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: String,
    as_of: Date,
    extends: Option<ShippedId>,
    #[serde(default)]
    platform: PlatformFile,
    #[serde(default)]
    upload: TargetFile,
    #[serde(default, rename = "fine-tune")]
    fine_tune: TargetFile,
    #[serde(default)]
    rules: BTreeMap<RuleId, CellsFile>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PlatformFile {
    parameters_max: Option<Stated<u64>>,
    parameters_max_is_allowed: Option<Stated<bool>>,
    transformers_ceiling: Option<Stated<Ceiling>>,
    fit_context: Option<Stated<u64>>,
    fit_sequences: Option<Stated<u64>>,
    presigned_url_minutes_min: Option<Stated<u64>>,
    archive_formats: Option<Stated<Vec<String>>>,
    adapter_rank_max: Option<Stated<u64>>,
    same_architecture: Option<Stated<Vec<[String; 2]>>>,
    hardware: Option<Stated<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct TargetFile {
    sources: Option<Stated<Vec<SourceKind>>>,
    tasks: Option<Stated<Vec<Task>>>,
    weight_formats: Option<Stated<Vec<String>>>,
    base_models: Option<Stated<CatalogId>>,
    adapter_bases: Option<Stated<Vec<String>>>,
    adapter_types: Option<Stated<Vec<String>>>,
    adapter_features: Option<Stated<Vec<FeatureWord>>>,
    #[serde(default)]
    commands: BTreeMap<SourceKind, Stated<Vec<CommandTemplate>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CellsFile {
    upload: Option<Cell>,
    #[serde(rename = "fine-tune")]
    fine_tune: Option<Cell>,
}

/// Reads a policy that may extend one of `ready`.
pub(super) fn parse(text: &str, path: &str, ready: &[Policy]) -> Result<Policy, PolicyError> {
    let file: File = toml::from_str(text).map_err(|error| PolicyError::Invalid {
        path: path.into(),
        detail: describe(&error),
    })?;
    let base = match &file.extends {
        None => None,
        Some(ShippedId(id)) => {
            let found = ready.iter().find(|policy| policy.id == *id);
            Some(found.ok_or_else(|| PolicyError::NotFound {
                given: id.clone(),
                hint: String::new(),
            })?)
        }
    };
    file.over(base).map_err(|key| PolicyError::Missing {
        path: path.into(),
        key,
    })
}

/// What TOML and serde say, and the likely word where one is unknown.
pub(crate) fn describe(error: &toml::de::Error) -> String {
    let mut text = error.to_string().trim_end().to_owned();
    // serde's own form: "unknown field `given`, expected one of `a`, `b`".
    let message = error.message();
    if message.starts_with("unknown field") || message.starts_with("unknown variant") {
        let mut words = message.split('`').skip(1).step_by(2);
        let given = words.next().unwrap_or_default();
        let hint = suggest::did_you_mean(given, words);
        text.push_str(&hint);
    }
    text
}

impl File {
    fn over(self, base: Option<&Policy>) -> Result<Policy, &'static str> {
        let mut rules = base.map(|base| base.rules.clone()).unwrap_or_default();
        for (RuleId(id), own) in self.rules {
            let cells: &mut Cells = rules.entry(id).or_default();
            cells.upload = own.upload.or_else(|| cells.upload.take());
            cells.fine_tune = own.fine_tune.or_else(|| cells.fine_tune.take());
        }
        Ok(Policy {
            id: self.id,
            as_of: self.as_of.0,
            platform: self.platform.over(base.map(|base| &base.platform))?,
            upload: self.upload.over(
                base.map(|base| &base.upload),
                ["upload.sources", "upload.tasks", "upload.weight_formats"],
            )?,
            fine_tune: self.fine_tune.over(
                base.map(|base| &base.fine_tune),
                [
                    "fine-tune.sources",
                    "fine-tune.tasks",
                    "fine-tune.weight_formats",
                ],
            )?,
            rules,
        })
    }
}

impl PlatformFile {
    fn over(self, base: Option<&Platform>) -> Result<Platform, &'static str> {
        /// The file's own value, else that of the base; the key where neither has one.
        macro_rules! either {
            ($field:ident) => {
                self.$field
                    .or_else(|| base.map(|base| base.$field.clone()))
                    .ok_or(concat!("platform.", stringify!($field)))?
            };
        }
        Ok(Platform {
            parameters_max: either!(parameters_max),
            parameters_max_is_allowed: either!(parameters_max_is_allowed),
            transformers_ceiling: either!(transformers_ceiling),
            fit_context: either!(fit_context),
            fit_sequences: either!(fit_sequences),
            presigned_url_minutes_min: either!(presigned_url_minutes_min),
            archive_formats: either!(archive_formats),
            adapter_rank_max: either!(adapter_rank_max),
            same_architecture: either!(same_architecture),
            hardware: either!(hardware),
        })
    }
}

impl TargetFile {
    /// `keys` name sources, tasks and weight formats, for the message.
    fn over(
        self,
        base: Option<&TargetPolicy>,
        keys: [&'static str; 3],
    ) -> Result<TargetPolicy, &'static str> {
        let mut commands = base.map(|base| base.commands.clone()).unwrap_or_default();
        commands.extend(self.commands);
        let tasks = self.tasks.map(|tasks| Stated {
            value: tasks
                .value
                .map(|tasks| tasks.into_iter().map(|Task(task)| task).collect()),
            source: tasks.source,
            as_of: tasks.as_of,
        });
        let inherited = base.map(|base| base.adapters.clone()).unwrap_or_default();
        let features = self.adapter_features.map(|features| Stated {
            value: features
                .value
                .map(|words| words.into_iter().map(|FeatureWord(word)| word).collect()),
            source: features.source,
            as_of: features.as_of,
        });
        Ok(TargetPolicy {
            adapters: AdapterPolicy {
                bases: self.adapter_bases.or(inherited.bases),
                types: self.adapter_types.or(inherited.types),
                features: features.or(inherited.features),
            },
            sources: self
                .sources
                .or_else(|| base.map(|base| base.sources.clone()))
                .ok_or(keys[0])?,
            tasks: tasks
                .or_else(|| base.map(|base| base.tasks.clone()))
                .ok_or(keys[1])?,
            weight_formats: self
                .weight_formats
                .or_else(|| base.map(|base| base.weight_formats.clone()))
                .ok_or(keys[2])?,
            base_models: self.base_models.or_else(|| base?.base_models.clone()),
            commands,
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Stated<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written<T> {
            value: Option<T>,
            unknown: Option<String>,
            source: Source,
            as_of: Date,
        }
        let written = Written::<T>::deserialize(deserializer)?;
        let value = match (written.value, written.unknown) {
            (Some(value), None) => Ok(value),
            (None, Some(why)) => Err(why),
            _ => return Err(D::Error::custom(VALUE_OR_UNKNOWN)),
        };
        Ok(Self {
            value,
            source: written.source.0,
            as_of: written.as_of.0,
        })
    }
}

const VALUE_OR_UNKNOWN: &str =
    "give either `value`, or `unknown` with the reason why it is not known";

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum LevelWord {
    Error,
    Warning,
    Note,
    Off,
}

impl From<LevelWord> for Option<Level> {
    fn from(word: LevelWord) -> Self {
        match word {
            LevelWord::Error => Some(Level::Error),
            LevelWord::Warning => Some(Level::Warning),
            LevelWord::Note => Some(Level::Note),
            LevelWord::Off => None,
        }
    }
}

/// A level alone, `"warning"`, or a table with its source.
impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            value: Option<LevelWord>,
            unknown: Option<String>,
            source: Option<Source>,
            as_of: Option<Date>,
        }

        struct CellVisitor;
        impl<'de> Visitor<'de> for CellVisitor {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a level, or a table with `value`, `source` and `as_of`")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Written, E> {
                Ok(Written {
                    value: Some(LevelWord::deserialize(StrDeserializer::new(word))?),
                    unknown: None,
                    source: None,
                    as_of: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                Written::deserialize(MapAccessDeserializer::new(map))
            }
        }

        let written = deserializer.deserialize_any(CellVisitor)?;
        if written.source.is_some() != written.as_of.is_some() {
            return Err(D::Error::custom("`source` and `as_of` go together"));
        }
        let level = match (written.value, &written.unknown) {
            (Some(word), None) => word.into(),
            (None, Some(_)) => Some(Level::Warning),
            _ => return Err(D::Error::custom(VALUE_OR_UNKNOWN)),
        };
        if level == Some(Level::Error) && written.source.is_none() {
            return Err(D::Error::custom(
                "level `error` needs a `source` and its date `as_of`; without one a rule is a `warning` at most",
            ));
        }
        Ok(Self {
            level,
            unknown: written.unknown,
            source: written.source.map(|source| source.0),
            as_of: written.as_of.map(|date| date.0),
        })
    }
}

/// Defines a text that is checked when it is read, so that the message has its line.
macro_rules! checked {
    ($name:ident, $check:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let check: fn(&str) -> Result<(), String> = $check;
                check(&text).map_err(D::Error::custom)?;
                Ok(Self(text))
            }
        }
    };
}

struct Source(String);
checked!(Source, |text| {
    if text.trim().is_empty() {
        return Err("`source` is empty; name the document that says so".into());
    }
    Ok(())
});

/// A day, a month or a year: documents are not always dated to the day.
struct Date(String);
checked!(Date, |text| {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    if ["0000", "0000-00", "0000-00-00"].contains(&shape.as_str()) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a date such as `2025-11-08`, `2025-11` or `2025`"
    ))
});

struct ShippedId(String);
checked!(ShippedId, |text| {
    let ids = SHIPPED.map(|(id, _)| id);
    if ids.contains(&text) {
        return Ok(());
    }
    Err(format!(
        "no shipped policy is called `{text}`{}",
        hint(text, ids)
    ))
});

checked!(CatalogId, |text| {
    if Catalog::load(text).is_some() {
        return Ok(());
    }
    let ids: Vec<_> = Catalog::shipped()
        .iter()
        .map(|catalog| catalog.id.as_str())
        .collect();
    Err(format!(
        "no catalog of base models is called `{text}`{}",
        hint(text, ids)
    ))
});

/// The words of the report for what a model is for, as far as a platform may take them.
const TASKS: [&str; 6] = [
    "causal-lm",
    "embedding",
    "seq2seq",
    "masked-lm",
    "classification",
    "image-text-to-text",
];

struct Task(String);
checked!(Task, |text| {
    if TASKS.contains(&text) {
        return Ok(());
    }
    Err(format!("no task is called `{text}`{}", hint(text, TASKS)))
});

struct FeatureWord(String);
checked!(FeatureWord, |text| {
    let words = Feature::ALL.map(Feature::as_str);
    if words.contains(&text) {
        return Ok(());
    }
    Err(format!(
        "no feature of adapters is called `{text}`{}",
        hint(text, words)
    ))
});

/// The default policy speaks of every rule, so its keys are the rules there are.
static RULE_IDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let table: toml::Table = toml::from_str(SHIPPED[0].1).expect("the shipped policies are tested");
    let rules = table.get("rules").and_then(toml::Value::as_table);
    rules
        .into_iter()
        .flat_map(toml::Table::keys)
        .cloned()
        .collect()
});

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct RuleId(String);
checked!(RuleId, |text| {
    if RULE_IDS.iter().any(|id| id == text) {
        return Ok(());
    }
    let hint = suggest::did_you_mean(text, RULE_IDS.iter().map(String::as_str));
    Err(format!("unknown rule `{text}`{hint}"))
});

impl<'de> Deserialize<'de> for Ceiling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = |part: &str| {
            let is_plain = part.len() <= 5 && part.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| part.parse().ok()).flatten()
        };
        text.split_once('.')
            .and_then(|(major, minor)| {
                Some(Self {
                    major: number(major)?,
                    minor: number(minor)?,
                })
            })
            .ok_or_else(|| {
                D::Error::custom(format!("`{text}` is not a release line such as `4.55`"))
            })
    }
}
