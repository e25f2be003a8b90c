//! `refresh`: asks the platform what it offers now, and keeps the answer for later runs.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use preflight_rules::catalog::TrainingType;
use preflight_rules::live::{Fetched, HardwareRow, ModelLimits};
use preflight_together::{BaseModel, Key, Offer, Settings};

use crate::args::Refresh;
use crate::failure::{Failure, say};
use crate::interrupt::finish_writing;
use crate::{catalog, screen};

/// Names of base models without limits that are printed.
const NAMED_MAX: usize = 10;

/// Fetches, and replaces the user's copy in one step. Whatever goes wrong, the old one stays.
pub(crate) fn run(arguments: &Refresh) -> Result<(), Failure> {
    let path = match &arguments.output {
        Some(path) => path.clone(),
        None => catalog::path().ok_or_else(|| {
            Failure::usage("there is no home to keep the catalog in: set `HOME`, or name a file with `--output`")
        })?,
    };
    let key = arguments.api_key.as_ref().map_or("", |key| key.0.as_str());
    let base_url = arguments
        .base_url
        .as_deref()
        .filter(|url| !url.trim().is_empty());
    let budget = Duration::from_secs(arguments.timeout);
    let settings = Settings::new(Key::new(key)?, base_url, budget)?;
    let offer = preflight_together::fetch(&settings)?;
    let fetched = fetched(offer, settings.origin());
    let text = fetched.to_file().map_err(|error| {
        Failure::undecided(format!(
            "`{}` gives an odd answer: {error}",
            settings.origin()
        ))
    })?;
    replace(&path, &text).map_err(|error| {
        Failure::undecided(format!("cannot write `{}`: {error}", path.display()))
    })?;
    if !fetched.without_limits.is_empty() {
        let names = fetched.without_limits.iter().take(NAMED_MAX).cloned();
        say(&format!(
            "note: {} listed without limits and left out: {}",
            counted(fetched.without_limits.len(), "base model"),
            names.collect::<Vec<_>>().join(", ")
        ));
    }
    screen::print(&format!(
        "{} and {} of {}, as of {}, kept in {}\n",
        counted(fetched.base_models.len(), "base model"),
        counted(fetched.hardware.len(), "hardware option"),
        fetched.origin,
        fetched.fetched_at,
        path.display()
    ))
}

impl From<preflight_together::Error> for Failure {
    fn from(error: preflight_together::Error) -> Self {
        if error.is_usage() {
            Self::usage(error)
        } else {
            Self::undecided(error)
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn fetched(offer: Offer, origin: String) -> Fetched {
    Fetched {
        fetched_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        origin,
        base_models: offer.base_models.into_iter().map(limits).collect(),
        without_limits: offer.without_limits,
        hardware: offer
            .hardware
            .into_iter()
            .map(|option| HardwareRow {
                id: option.id,
                gpu_type: option.gpu_type,
                gpu_memory_gb: option.gpu_memory_gb,
                gpu_count: option.gpu_count,
            })
            .collect(),
    }
}

fn limits(base: BaseModel) -> ModelLimits {
    let lora = base.has_lora.then_some(TrainingType::Lora);
    let full = base.has_full.then_some(TrainingType::Full);
    ModelLimits {
        name: base.name,
        training_types: lora.into_iter().chain(full).collect(),
        context_sft: base.context_sft,
        context_dpo: base.context_dpo,
        lora_max_rank: base.lora_max_rank,
    }
}

/// Puts the text in the file's place in one step: a reader sees the old one or the new one, also where the
/// program or the machine ends between.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let _writing = finish_writing();
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder)?;
    }
    let beside = beside(path);
    let written = write_new(&beside, text).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What could not be renamed is of no use.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A name in the same folder that no other run uses.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}
