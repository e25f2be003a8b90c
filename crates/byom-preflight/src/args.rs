//! The command line.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::outputs::{Output, OutputParser};

/// Checks that a model will be accepted by a hosted platform, before it is submitted: from config.json
/// and the headers of the safetensors files alone.
#[derive(Debug, Parser)]
#[command(
    name = "byom-preflight",
    version,
    after_help = "Exit codes: 0 pass, 1 fail, 2 wrong usage, 3 undecided (something could not be read or is not known)."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Reads the command line; ends the program where it is wrong or asks for help. A variable that is set to
    /// nothing is none: that is what CI systems make of one that nobody gave a value.
    pub(crate) fn read() -> Self {
        let matches = without_empty_variables(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|argument| {
            if argument.get_env().is_some_and(is_empty) {
                argument.env(None)
            } else {
                argument
            }
        })
        .mut_subcommands(without_empty_variables)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check models and say pass, fail or undecided for each target
    Check(Box<Check>),
    /// Explain what a rule checks, why, and how to fix it
    Explain {
        /// Id of the rule, as reports show it
        rule: String,
    },
    /// List all rules with their levels under a policy
    Rules(PolicyChoice),
    /// List the base models of a policy, or rank them for a model
    BaseModels(BaseModels),
    /// List the hardware of a policy
    Hardware(HardwareChoice),
    /// Print the JSON Schema of the JSON report
    Schema,
    /// Print a completion script
    Completions {
        /// Shell to complete in
        shell: clap_complete::Shell,
    },
    /// Save what a check needs of a model as a recording
    Record(Record),
    /// Ask the platform which base models and hardware it offers now, and keep the answer for later runs
    Refresh(Refresh),
    /// Write a commented `byom-preflight.toml` into this folder
    Init {
        /// Write it anew where there is one
        #[arg(long)]
        force: bool,
    },
    /// Show where what was read of the Hub is kept, and how much
    Cache {
        #[command(subcommand)]
        action: Option<CacheAction>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheAction {
    /// Remove all of it
    Clear,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// `org/name[@revision]` or a page of the Hub, `s3://bucket/prefix/`, a folder or a recording, an archive or its URL; `-` reads a list from standard input
    #[arg(required_unless_present = "models_from", value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    /// File with a list of models, one a line; `org/name` is the Hub there, and a path starts with `.` or `/`
    #[arg(long, value_name = "FILE")]
    pub(crate) models_from: Vec<PathBuf>,
    /// Models that are judged at once; 8, or as many as there are processors, when not given
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<usize>,
    /// What the model is meant for; both when not given
    #[arg(
        long,
        value_enum,
        value_name = "TARGET",
        env = "BYOM_PREFLIGHT_TARGET",
        value_delimiter = ','
    )]
    pub(crate) target: Vec<TargetArg>,
    #[command(flatten)]
    pub(crate) policy: PolicyChoice,
    #[command(flatten)]
    pub(crate) catalog: CatalogChoice,
    /// Base model that acts as the template of the fine-tuning job
    #[arg(long, value_name = "NAME", env = "BYOM_PREFLIGHT_BASE_MODEL")]
    pub(crate) base_model: Option<String>,
    #[command(flatten)]
    pub(crate) training: Training,
    /// What the repository is
    #[arg(long, value_enum, default_value_t = ModelType::Auto)]
    pub(crate) model_type: ModelType,
    /// Look at this kind of GPU only, for example h100
    #[arg(long, value_name = "H")]
    pub(crate) gpu: Option<String>,
    /// Look at nodes with so many GPUs only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) gpu_count: Option<u64>,
    /// Tokens a sequence that the memory estimate is made for
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) context: Option<u64>,
    /// Sequences at once that the memory estimate is made for
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sequences: Option<u64>,
    /// Type of a cache entry that the memory estimate is made for
    #[arg(long, value_enum, default_value_t = KvDtypeArg::Bf16, value_name = "TYPE")]
    pub(crate) kv_dtype: KvDtypeArg,
    /// Share of a GPU's memory that the engine may take, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value_t = preflight_model::memory::GPU_MEMORY_UTILIZATION, value_parser = share)]
    pub(crate) gpu_memory_utilization: f64,
    /// Form of the report; several may be asked for, all but one of them with a file [default: table]
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = OutputParser)]
    pub(crate) format: Vec<Output>,
    /// Write the report to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Place in your checkout that annotations of a remote model point at, as in `models.yaml:12`
    #[arg(long, value_name = "FILE:LINE")]
    pub(crate) location: Option<String>,
    /// Least level that fails a check [default: error]
    #[arg(long, value_enum, value_name = "LEVEL", env = "BYOM_PREFLIGHT_FAIL_ON")]
    pub(crate) fail_on: Option<FailOn>,
    /// Exit with 0 where a check fails; undecided stays 3
    #[arg(long)]
    pub(crate) exit_zero: bool,
    /// Show notes, skipped rules and every hardware option
    #[arg(long, short)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) hub: HubChoice,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Where models are read")]
pub(crate) struct HubChoice {
    /// Branch, tag, commit or `refs/pr/N`
    #[arg(long, value_name = "REV")]
    pub(crate) revision: Option<String>,
    /// Token for gated and private repositories; else `HF_TOKEN`, or what `hf auth login` stored
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<Secret>,
    /// Address of a mirror; else `HF_ENDPOINT`
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// Read the Hub's cache only; also `HF_HUB_OFFLINE=1`
    #[arg(long)]
    pub(crate) offline: bool,
    /// Read everything anew and keep nothing of it
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Most that is downloaded of an archive behind a URL, for example 500MB or 20GB
    #[arg(long, value_name = "SIZE", default_value_t = Bytes(preflight_source::archive::DOWNLOAD_BYTES_MAX))]
    pub(crate) max_download: Bytes,
    /// Seconds for all requests of one model
    #[arg(long, value_name = "SECONDS", default_value_t = preflight_source::hub::TIMEOUT.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}

/// Most models at once: more would only wait for each other at the Hub.
const JOBS_MAX: usize = 256;

fn jobs(text: &str) -> Result<usize, String> {
    let jobs = text.parse().ok();
    jobs.filter(|jobs| (1..=JOBS_MAX).contains(jobs))
        .ok_or_else(|| format!("write a number from 1 to {JOBS_MAX}"))
}

/// An argument that is not shown when arguments are.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// A number of bytes with a unit, as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

/// Units: decimal ones as disks and clouds count, binary ones as memory does.
const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("TIB", 1 << 40),
];

impl std::str::FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(at);
        let unit = unit.trim().to_ascii_uppercase();
        let factor = UNITS.iter().find(|(name, _)| *name == unit);
        let count = digits.parse::<u64>().ok();
        count
            .zip(factor)
            .and_then(|(count, (_, factor))| count.checked_mul(*factor))
            .map(Self)
            .ok_or_else(|| "write a number and a unit, for example 500MB or 20GiB".to_owned())
    }
}

impl fmt::Display for Bytes {
    /// The largest unit that gives a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS
            .iter()
            .filter(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor))
            .max_by_key(|(_, factor)| *factor);
        match whole {
            Some((unit, factor)) => write!(f, "{}{}", self.0 / factor, unit.replace("IB", "iB")),
            None => write!(f, "{}", self.0),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PolicyChoice {
    /// Rules of the platform: a shipped policy, or a TOML file of your own [default: together-2025-11]
    #[arg(long, value_name = "NAME|FILE", env = "BYOM_PREFLIGHT_POLICY")]
    pub(crate) policy: Option<String>,
    /// File with settings, instead of the first `byom-preflight.toml` on the way up from this folder; also `BYOM_PREFLIGHT_CONFIG`
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    pub(crate) config: Option<PathBuf>,
    /// Look for no file with settings
    #[arg(long)]
    pub(crate) no_config: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CatalogChoice {
    /// Base models and hardware: a file that `refresh` wrote, or `built-in`; else what `refresh` fetched last
    #[arg(long, value_name = "FILE")]
    pub(crate) catalog: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct HardwareChoice {
    #[command(flatten)]
    pub(crate) policy: PolicyChoice,
    #[command(flatten)]
    pub(crate) catalog: CatalogChoice,
}

#[derive(Debug, Args)]
pub(crate) struct Refresh {
    /// API key of the platform; better in the environment, where other users do not see it
    #[arg(
        long,
        value_name = "KEY",
        env = "TOGETHER_API_KEY",
        hide_env_values = true
    )]
    pub(crate) api_key: Option<Secret>,
    /// Address of the API, with its version
    #[arg(
        long,
        value_name = "URL",
        env = "TOGETHER_BASE_URL",
        hide_env_values = true
    )]
    pub(crate) base_url: Option<String>,
    /// Write to this file, for `--catalog` on another machine
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Seconds for all requests
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Training {
    /// How the model is to be trained; LoRA when not given
    #[arg(long, value_enum, value_name = "TYPE")]
    pub(crate) training_type: Option<TrainingTypeArg>,
    /// What it is to be trained with
    #[arg(long, value_enum, default_value_t = MethodArg::Sft)]
    pub(crate) method: MethodArg,
}

#[derive(Debug, Args)]
pub(crate) struct BaseModels {
    /// Model to rank them for
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) policy: PolicyChoice,
    #[command(flatten)]
    pub(crate) catalog: CatalogChoice,
    #[command(flatten)]
    pub(crate) training: Training,
    /// Form of the list
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub(crate) format: ListFormat,
    /// Say of every base model why, not of the best alone
    #[arg(long, short)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) hub: HubChoice,
}

#[derive(Debug, Args)]
pub(crate) struct Record {
    /// `org/name[@revision]`, `s3://bucket/prefix/`, a folder or a recording, an archive or its URL
    pub(crate) model: String,
    /// Folder to write
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) hub: HubChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetArg {
    /// Upload for dedicated inference
    Upload,
    /// Fine-tuning with `from_hf_model`
    FineTune,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TrainingTypeArg {
    /// Low-rank adapters
    Lora,
    /// All weights
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MethodArg {
    /// Supervised fine-tuning
    Sft,
    /// Direct preference optimisation
    Dpo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KvDtypeArg {
    /// 16 bits
    Bf16,
    /// 8 bits
    Fp8,
}

/// A share of something: above 0 and at most 1.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok();
    share
        .filter(|&share| share > 0.0 && share <= 1.0)
        .ok_or_else(|| "write a number above 0 and at most 1, for example 0.9".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModelType {
    /// Decide by the files
    Auto,
    /// A whole model
    Model,
    /// An adapter of a model
    Adapter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON object
    Json,
    /// One JSON object a model, each on a line
    Jsonl,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// For test reports
    #[value(help = "JUnit XML, for test reports")]
    Junit,
    /// Annotations of GitHub Actions, and a summary of the job
    Github,
    /// Code Quality of GitLab
    Gitlab,
    /// For a comment or a model card
    Markdown,
    /// One page with the memory as a picture
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Table,
    /// One JSON object
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Only what decides
    Error,
    /// Warnings too
    Warning,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_above_nothing_and_at_most_all() {
        for (text, value) in [("0.9", 0.9), ("1", 1.0), ("1e-3", 0.001)] {
            assert_eq!(share(text), Ok(value));
        }
        for wrong in ["0", "-0.5", "1.01", "90", "nan", "inf", "90%", ""] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units() {
        let of = |text: &str| text.parse::<Bytes>().map(|bytes| bytes.0);
        assert_eq!(of("500MB"), Ok(500_000_000));
        assert_eq!(of("1 gib"), Ok(1 << 30));
        assert_eq!(of("0"), Ok(0));
        for wrong in ["", "MB", "-1", "1.5GB", "1XB", "99999999TB"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        for text in ["1GiB", "500MB", "7B", "1TB"] {
            assert_eq!(text.parse::<Bytes>().unwrap().to_string(), text);
        }
    }
}
