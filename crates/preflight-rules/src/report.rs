//! What a check found, settled: selected, ordered and judged. Reporters only render it.

use std::collections::BTreeMap;

use crate::catalog::TrainingType;

/// What the model is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Upload for dedicated inference.
    Upload,
    /// Fine-tuning with `from_hf_model`.
    FineTune,
}

impl Target {
    /// All targets, in the order of reports.
    pub const ALL: [Self; 2] = [Self::Upload, Self::FineTune];

    /// The word of the command line and the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::FineTune => "fine-tune",
        }
    }
}

/// How much a rule weighs for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Informs, never moves a verdict.
    Note,
    /// Told, moves a verdict only on request.
    Warning,
    /// Decides.
    Error,
}

impl Level {
    /// The word of the policy and the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The answer for one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing known stands in the way, and everything that decides was looked at.
    Pass,
    /// Something that decides could not be read or is not known.
    Undecided,
    /// A rule that decides fails.
    Fail,
}

impl Verdict {
    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Undecided => "undecided",
            Self::Fail => "fail",
        }
    }
}

/// How one rule ended for one or more targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// At level error.
    Fail,
    /// At level warning or note.
    Warn,
    /// What it needs could not be read or is not known.
    Unknown,
    /// Looked at and fine.
    Pass,
    /// Does not apply, or another rule already reports what it needs as broken.
    Skip,
}

impl Outcome {
    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Pass => "pass",
            Self::Skip => "skip",
        }
    }
}

/// One thing found, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Lower case, no final stop, values in backticks.
    pub message: String,
    /// Path inside the repository.
    pub path: Option<String>,
    /// JSON pointer into the file.
    pub pointer: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
}

/// A rule's row: equal outcomes of several targets share one.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleRow {
    /// Rule id.
    pub id: &'static str,
    /// What the rule says in one line.
    pub summary: &'static str,
    /// Its level for these targets.
    pub level: Level,
    /// The targets this row is about, in order.
    pub targets: Vec<Target>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was ignored, where the user's configuration says so.
    pub ignored: Option<String>,
    /// At most [`FINDINGS_MAX`] of them; why, for `fail`, `warn`, `unknown` and `skip`.
    pub findings: Vec<Finding>,
    /// Findings beyond those kept.
    pub more_findings: usize,
    /// What is worth knowing although it changes nothing.
    pub notes: Vec<Finding>,
    /// What to do about it, one sentence or two; empty where nothing is to be done.
    pub help: String,
}

/// Most findings of a rule that are kept; the rest are counted.
pub const FINDINGS_MAX: usize = 20;

/// The report of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Version of the program.
    pub tool_version: &'static str,
    /// Id of the policy and the date it stands for.
    pub policy: (String, String),
    /// The catalog of base models that was used.
    pub catalog: CatalogUsed,
    /// Whether every verdict of every model is pass.
    pub is_check_passed: bool,
    /// The verdict in one sentence.
    pub message: String,
    /// One per MODEL, in the order of the command line.
    pub models: Vec<ModelReport>,
}

/// A catalog of base models, as reports name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogUsed {
    /// Date that it stands for, or `unknown`.
    pub as_of: String,
    /// Where it is from: `built-in`, or what it was refreshed from.
    pub origin: String,
    /// Whether that is more than [`STALE_DAYS`](crate::date::STALE_DAYS) days ago; none where it is not known.
    pub is_stale: Option<bool>,
    /// Whether that date is still to come; none where it is not known.
    pub is_future: Option<bool>,
    /// The hardware beside it; none where the policy does not say which there is.
    pub hardware: Option<HardwareUsed>,
}

/// The hardware that a model was judged against, as reports name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareUsed {
    /// Latest date that any of it stands for, or `unknown`.
    pub as_of: String,
    /// Where it is from: `built-in`, or what it was refreshed from.
    pub origin: String,
    /// Whether that is more than 90 days ago; none where it is not known.
    pub is_stale: Option<bool>,
}

/// The report of one model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelReport {
    /// What the user gave.
    pub input: String,
    /// `hub`, `s3`, `archive`, `folder` or `recording`.
    pub source: &'static str,
    /// Repository name or address without secrets.
    pub id: Option<String>,
    /// What was asked for.
    pub revision: Option<String>,
    /// What it resolved to.
    pub commit: Option<String>,
    /// RFC 3339, UTC.
    pub observed_at: Option<String>,
    /// `model` or `adapter`.
    pub kind: &'static str,
    /// Whether every verdict is pass.
    pub is_check_passed: bool,
    /// The verdict in one sentence.
    pub message: String,
    /// One per requested target, in order.
    pub verdicts: Vec<(Target, Verdict)>,
    /// What the other shipped policies say.
    pub other_policies: Vec<OtherPolicy>,
    /// What is known of the model.
    pub facts: FactsSummary,
    /// Whether it fits the platform's hardware.
    pub fit: Fit,
    /// Base models, best first.
    pub base_models: Vec<BaseModelMatch>,
    /// All rules that ran, failures first.
    pub rules: Vec<RuleRow>,
    /// What to run to submit, per target whose verdict is pass.
    pub next: Vec<(Target, String)>,
    /// What looking cost.
    pub cost: Cost,
}

/// What another policy says of the same model.
#[derive(Debug, Clone, PartialEq)]
pub struct OtherPolicy {
    /// Its id.
    pub id: String,
    /// One per requested target.
    pub verdicts: Vec<(Target, Verdict)>,
    /// Ids of the rules that make the difference; empty where the verdicts agree.
    pub because: Vec<&'static str>,
}

/// The facts of a model as reported. `None` is "not known", never 0 and never a guess.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FactsSummary {
    /// `model_type` of config.json.
    pub model_type: Option<String>,
    /// `architectures` of config.json.
    pub architectures: Vec<String>,
    /// What the model is for: `causal-lm`, `embedding`, `seq2seq`, … or `unknown`.
    pub task: String,
    /// `text`, `image`, `audio`, `video`.
    pub modalities: Vec<&'static str>,
    /// Logical parameters.
    pub parameters: ParametersSummary,
    /// `safetensors`, `pytorch`, `gguf`, … or `none`; `None` where not known.
    pub weights_format: Option<&'static str>,
    /// Weight files the loader opens.
    pub weights_files: Option<u64>,
    /// Their bytes together.
    pub weights_bytes: Option<u64>,
    /// Tensors in them.
    pub weights_tensors: Option<u64>,
    /// Quantisation method and bits of a weight.
    pub quantization: Option<(String, Option<u64>)>,
    /// `transformers_version`: who saved the config.
    pub saved_with: Option<String>,
    /// First transformers release that knows the model type.
    pub introduced_in: Option<String>,
    /// Whether loading needs the repository's own code; `None` where not known.
    pub remote_code_required: Option<bool>,
    /// Why it does.
    pub remote_code_because: Vec<String>,
    /// `torch_dtype` of the config, or the dtype of most of the weights.
    pub dtype: Option<String>,
    /// Tokens, the config's own figure.
    pub context_length: Option<u64>,
    /// Bytes a token in 16 bits, within any window.
    pub kv_cache_bytes_per_token: Option<u64>,
    /// For an adapter.
    pub adapter: Option<AdapterSummary>,
    /// For an adapter: the facts of its base, where it was read.
    pub base: Option<Box<FactsSummary>>,
}

/// Logical parameters; see [`preflight_model`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParametersSummary {
    /// The count, where it is known.
    pub total: Option<u64>,
    /// What they are at least.
    pub at_least: Option<u64>,
    /// What they are at most.
    pub at_most: Option<u64>,
    /// Of a mixture of experts: those that one token uses.
    pub active: Option<u64>,
    /// Elements as the files store them.
    pub stored_elements: Option<u64>,
    /// The same by dtype.
    pub by_dtype: BTreeMap<String, u64>,
    /// Whether `total` is exact.
    pub exact: bool,
}

/// What an adapter says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterSummary {
    /// `peft_type`.
    pub kind: Option<String>,
    /// `r`.
    pub rank: Option<u64>,
    /// `lora_alpha`.
    pub alpha: Option<f64>,
    /// `target_modules`, sorted.
    pub target_modules: Vec<String>,
    /// `base_model_name_or_path`.
    pub base_model: Option<String>,
}

/// Whether the model fits the platform's hardware, and under which assumptions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fit {
    /// Tokens a sequence: what was asked for, or what the model takes if that is less.
    pub context: u64,
    /// Tokens a sequence that were asked for.
    pub context_asked: u64,
    /// Sequences at once.
    pub sequences: u64,
    /// Type of a cache entry, for example `BF16`.
    pub kv_dtype: String,
    /// Share of a GPU's memory that the engine takes.
    pub gpu_memory_utilization: f64,
    /// Type the weights are loaded in: `as stored`, or `BF16` for 32-bit files.
    pub load_dtype: String,
    /// Model type whose cache was counted, where it is that of a language model inside the repository's own
    /// code: what that code keeps besides is not known.
    pub cache_of: Option<String>,
    /// Smallest option that fits.
    pub smallest: Option<String>,
    /// What to run to serve the model on it, once it is uploaded; empty where none fits.
    pub endpoint_commands: Vec<String>,
    /// All options, fewest GPUs and least memory first.
    pub options: Vec<FitOption>,
    /// What training would take; none where a size is not known or the weights are quantised.
    pub training: Option<TrainingFit>,
}

/// Memory for training: always an estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingFit {
    /// Tokens of a sequence.
    pub context: u64,
    /// Rank of the adapters.
    pub lora_rank: u64,
    /// Memory of all GPUs together to train adapters.
    pub lora_bytes: u64,
    /// Smallest option that has as much.
    pub lora_smallest: Option<String>,
    /// Memory of all GPUs together to train all weights.
    pub full_bytes: u64,
    /// Smallest option that has as much.
    pub full_smallest: Option<String>,
}

/// One choice of hardware.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOption {
    /// Id of the hardware.
    pub hardware: String,
    /// How many GPUs it has.
    pub gpu_count: u64,
    /// When the platform was seen to offer it.
    pub as_of: String,
    /// Whether it fits.
    pub verdict: FitVerdict,
    /// Why the model cannot be split, or why nothing is known.
    pub because: Option<String>,
    /// Weights, cache and overhead of one GPU.
    pub needed_bytes_per_gpu: Option<u64>,
    /// By how much that is more than can be used; none where it is not.
    pub missing_bytes_per_gpu: Option<u64>,
    /// What the engine may use of one GPU.
    pub usable_bytes_per_gpu: u64,
    /// Weights on one GPU.
    pub weights_bytes_per_gpu: Option<u64>,
    /// KV cache and fixed state on one GPU.
    pub cache_bytes_per_gpu: Option<u64>,
    /// Activations and runtime on one GPU.
    pub overhead_bytes_per_gpu: Option<u64>,
    /// Longest context that fits with the asked number of sequences.
    pub max_context: Option<u64>,
}

/// Whether a model fits one choice of hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitVerdict {
    /// It does.
    Fits,
    /// It does with a shorter context.
    FitsWithShorterContext,
    /// The weights and overhead alone are too much.
    DoesNotFit,
    /// What engines divide does not divide among that many GPUs.
    CannotSplit,
    /// Not known.
    Unknown,
}

impl FitVerdict {
    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::FitsWithShorterContext => "fits-with-shorter-context",
            Self::DoesNotFit => "does-not-fit",
            Self::CannotSplit => "cannot-split",
            Self::Unknown => "unknown",
        }
    }
}

/// How a base model of the catalog suits the checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct BaseModelMatch {
    /// Its name on the platform.
    pub name: String,
    /// Whether nothing known speaks against it.
    pub compatible: bool,
    /// In one word.
    pub verdict: BaseModelVerdict,
    /// What the order goes by.
    pub score: BaseModelScore,
    /// Its `model_type`, where it is known.
    pub model_type: Option<String>,
    /// Its parameters, nominal, where they are known.
    pub parameters: Option<u64>,
    /// Its parameters in those of the checkpoint: 2 is twice the size. `None` also where only bounds of those
    /// are known.
    pub size_ratio: Option<f64>,
    /// Longest sequence that it trains with by the asked method, tokens.
    pub context: Option<u64>,
    /// What to pass as `max_seq_length`, where that is beyond what the checkpoint takes.
    pub max_seq_length: Option<u64>,
    /// How it may be trained; empty where that is not known.
    pub training_types: Vec<TrainingType>,
    /// Highest rank of a LoRA adapter, where the catalog gives it.
    pub lora_max_rank: Option<u64>,
    /// What speaks for and against it, most important first.
    pub reasons: Vec<String>,
}

/// How a base model suits, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseModelVerdict {
    /// As it is.
    Suits,
    /// With a `max_seq_length`.
    WithShorterSequences,
    /// Its architecture or the checkpoint's is not known.
    NotCompared,
    /// The job would break.
    Incompatible,
}

impl BaseModelVerdict {
    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suits => "suits",
            Self::WithShorterSequences => "suits-with-shorter-sequences",
            Self::NotCompared => "not-compared",
            Self::Incompatible => "incompatible",
        }
    }

    /// Whether it can be proposed: one that was not compared cannot.
    pub fn is_proposal(self) -> bool {
        matches!(self, Self::Suits | Self::WithShorterSequences)
    }
}

/// What base models are ranked by: each part from 0 to 1, `None` where it is not known. The first
/// part that differs decides.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BaseModelScore {
    /// 1 for the same, 0.5 for the language model inside a multimodal one, 0.25 where it is not known,
    /// 0 for another; three quarters of that for a variant that is trained with images.
    pub architecture: f64,
    /// 1 where its sequences are within what the checkpoint takes.
    pub length: Option<f64>,
    /// The smaller size as a share of the larger.
    pub size: Option<f64>,
    /// Share of what is known of both structures that agrees.
    pub structure: Option<f64>,
}

/// What looking cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// Requests, or reads of local files.
    pub requests: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
}
