//! The JSON report, `schema_version` 1. Its contract is [`crate::schema`]: fields are only ever added
//! within a version, and a value that is not known is `null`.

use std::io::{self, Write};

use preflight_rules::report::{
    AdapterSummary, BaseModelMatch, CatalogUsed, FactsSummary, Finding, Fit, FitOption,
    ModelReport, ParametersSummary, Report, RuleRow, Target, TrainingFit, Verdict,
};
use serde::{Serialize, Serializer};

use crate::escape;

/// The version of the format.
pub const SCHEMA_VERSION: u32 = 1;

/// Writes the report as one indented JSON object and a line end. Characters that could fool a
/// terminal are written as `\uXXXX`, which is the same to a parser.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string_pretty(&ReportJson::new(report))?;
    writeln!(out, "{}", escape::in_json(json))
}

/// One model of the report as one line; see [`crate::jsonl`].
pub(crate) fn line(
    policy: &(String, String),
    catalog: &CatalogUsed,
    model: &ModelReport,
) -> serde_json::Result<String> {
    let json = serde_json::to_string(&LineJson {
        schema_version: SCHEMA_VERSION,
        policy: PolicyJson::new(policy),
        catalog: CatalogJson::new(catalog),
        model: ModelJson::new(model),
    })?;
    Ok(escape::in_json(json))
}

#[derive(Serialize)]
struct LineJson<'a> {
    schema_version: u32,
    policy: PolicyJson<'a>,
    catalog: CatalogJson<'a>,
    #[serde(flatten)]
    model: ModelJson<'a>,
}

#[derive(Serialize)]
struct ReportJson<'a> {
    schema_version: u32,
    tool: ToolJson<'a>,
    policy: PolicyJson<'a>,
    catalog: CatalogJson<'a>,
    is_check_passed: bool,
    message: &'a str,
    models: Vec<ModelJson<'a>>,
}

impl<'a> ReportJson<'a> {
    fn new(report: &'a Report) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tool: ToolJson {
                name: "byom-preflight",
                version: report.tool_version,
            },
            policy: PolicyJson::new(&report.policy),
            catalog: CatalogJson::new(&report.catalog),
            is_check_passed: report.is_check_passed,
            message: &report.message,
            models: report.models.iter().map(ModelJson::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct ToolJson<'a> {
    name: &'static str,
    version: &'a str,
}

#[derive(Serialize)]
struct PolicyJson<'a> {
    id: &'a str,
    as_of: &'a str,
}

impl<'a> PolicyJson<'a> {
    fn new((id, as_of): &'a (String, String)) -> Self {
        Self { id, as_of }
    }
}

#[derive(Serialize)]
pub(crate) struct CatalogJson<'a> {
    as_of: &'a str,
    origin: &'a str,
    is_stale: Option<bool>,
    is_future: Option<bool>,
    hardware: Option<HardwareJson<'a>>,
}

#[derive(Serialize)]
struct HardwareJson<'a> {
    as_of: &'a str,
    origin: &'a str,
    is_stale: Option<bool>,
}

impl<'a> CatalogJson<'a> {
    pub(crate) fn new(catalog: &'a CatalogUsed) -> Self {
        Self {
            as_of: &catalog.as_of,
            origin: &catalog.origin,
            is_stale: catalog.is_stale,
            is_future: catalog.is_future,
            hardware: catalog.hardware.as_ref().map(|hardware| HardwareJson {
                as_of: &hardware.as_of,
                origin: &hardware.origin,
                is_stale: hardware.is_stale,
            }),
        }
    }
}

#[derive(Serialize)]
struct ModelJson<'a> {
    model: RepositoryJson<'a>,
    kind: &'static str,
    is_check_passed: bool,
    message: &'a str,
    verdicts: Object<&'static str>,
    other_policies: Vec<OtherPolicyJson<'a>>,
    facts: FactsJson<'a>,
    fit: FitJson<'a>,
    base_models: Vec<BaseModelJson<'a>>,
    rules: Vec<RuleJson<'a>>,
    next: Option<NextJson<'a>>,
    cost: CostJson,
}

impl<'a> ModelJson<'a> {
    fn new(model: &'a ModelReport) -> Self {
        Self {
            model: RepositoryJson {
                input: &model.input,
                source: model.source,
                id: model.id.as_deref(),
                revision: model.revision.as_deref(),
                commit: model.commit.as_deref(),
                observed_at: model.observed_at.as_deref(),
            },
            kind: model.kind,
            is_check_passed: model.is_check_passed,
            message: &model.message,
            verdicts: verdicts(&model.verdicts),
            other_policies: model
                .other_policies
                .iter()
                .map(|other| OtherPolicyJson {
                    id: &other.id,
                    verdicts: verdicts(&other.verdicts),
                    because: &other.because,
                })
                .collect(),
            facts: FactsJson::new(&model.facts),
            fit: FitJson::new(&model.fit),
            base_models: model.base_models.iter().map(BaseModelJson::new).collect(),
            rules: model.rules.iter().map(RuleJson::new).collect(),
            next: NextJson::new(&model.next),
            cost: CostJson {
                requests: model.cost.requests,
                bytes: model.cost.bytes,
                seconds: model.cost.seconds,
            },
        }
    }
}

#[derive(Serialize)]
struct RepositoryJson<'a> {
    input: &'a str,
    source: &'static str,
    id: Option<&'a str>,
    revision: Option<&'a str>,
    commit: Option<&'a str>,
    observed_at: Option<&'a str>,
}

#[derive(Serialize)]
struct OtherPolicyJson<'a> {
    id: &'a str,
    verdicts: Object<&'static str>,
    because: &'a [&'static str],
}

#[derive(Serialize)]
struct FactsJson<'a> {
    model_type: Option<&'a str>,
    architectures: &'a [String],
    task: &'a str,
    modalities: &'a [&'static str],
    parameters: ParametersJson<'a>,
    weights: WeightsJson,
    quantization: Option<QuantizationJson<'a>>,
    transformers: TransformersJson<'a>,
    remote_code: RemoteCodeJson<'a>,
    dtype: Option<&'a str>,
    context_length: Option<u64>,
    kv_cache_bytes_per_token: Option<u64>,
    adapter: Option<AdapterJson<'a>>,
    base: Option<Box<FactsJson<'a>>>,
}

impl<'a> FactsJson<'a> {
    fn new(facts: &'a FactsSummary) -> Self {
        Self {
            model_type: facts.model_type.as_deref(),
            architectures: &facts.architectures,
            task: given(&facts.task).unwrap_or("unknown"),
            modalities: &facts.modalities,
            parameters: ParametersJson::new(&facts.parameters),
            weights: WeightsJson {
                format: facts.weights_format,
                files: facts.weights_files,
                bytes: facts.weights_bytes,
                tensors: facts.weights_tensors,
            },
            quantization: facts
                .quantization
                .as_ref()
                .map(|(method, bits)| QuantizationJson {
                    method,
                    bits: *bits,
                }),
            transformers: TransformersJson {
                saved_with: facts.saved_with.as_deref(),
                introduced_in: facts.introduced_in.as_deref(),
            },
            remote_code: RemoteCodeJson {
                required: facts.remote_code_required,
                because: &facts.remote_code_because,
            },
            dtype: facts.dtype.as_deref(),
            context_length: facts.context_length,
            kv_cache_bytes_per_token: facts.kv_cache_bytes_per_token,
            adapter: facts.adapter.as_ref().map(AdapterJson::new),
            base: facts.base.as_deref().map(|base| Box::new(Self::new(base))),
        }
    }
}

#[derive(Serialize)]
struct ParametersJson<'a> {
    total: Option<u64>,
    at_least: Option<u64>,
    at_most: Option<u64>,
    active: Option<u64>,
    stored_elements: Option<u64>,
    by_dtype: &'a std::collections::BTreeMap<String, u64>,
    exact: bool,
}

impl<'a> ParametersJson<'a> {
    fn new(parameters: &'a ParametersSummary) -> Self {
        Self {
            total: parameters.total,
            at_least: parameters.at_least,
            at_most: parameters.at_most,
            active: parameters.active,
            stored_elements: parameters.stored_elements,
            by_dtype: &parameters.by_dtype,
            exact: parameters.exact,
        }
    }
}

#[derive(Serialize)]
struct WeightsJson {
    format: Option<&'static str>,
    files: Option<u64>,
    bytes: Option<u64>,
    tensors: Option<u64>,
}

#[derive(Serialize)]
struct QuantizationJson<'a> {
    method: &'a str,
    bits: Option<u64>,
}

#[derive(Serialize)]
struct TransformersJson<'a> {
    saved_with: Option<&'a str>,
    introduced_in: Option<&'a str>,
}

#[derive(Serialize)]
struct RemoteCodeJson<'a> {
    required: Option<bool>,
    because: &'a [String],
}

#[derive(Serialize)]
struct AdapterJson<'a> {
    r#type: Option<&'a str>,
    rank: Option<u64>,
    alpha: Option<f64>,
    target_modules: &'a [String],
    base_model: Option<&'a str>,
}

impl<'a> AdapterJson<'a> {
    fn new(adapter: &'a AdapterSummary) -> Self {
        Self {
            r#type: adapter.kind.as_deref(),
            rank: adapter.rank,
            alpha: adapter.alpha,
            target_modules: &adapter.target_modules,
            base_model: adapter.base_model.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct FitJson<'a> {
    context: Option<u64>,
    context_asked: Option<u64>,
    sequences: Option<u64>,
    kv_dtype: Option<&'a str>,
    gpu_memory_utilization: Option<f64>,
    load_dtype: Option<&'a str>,
    cache_of: Option<&'a str>,
    smallest: Option<&'a str>,
    endpoint_commands: &'a [String],
    options: Vec<FitOptionJson<'a>>,
    training: Option<TrainingJson<'a>>,
}

impl<'a> FitJson<'a> {
    /// A fit that was never worked out has zeros and empty words; they say nothing.
    fn new(fit: &'a Fit) -> Self {
        Self {
            context: Some(fit.context).filter(|tokens| *tokens > 0),
            context_asked: Some(fit.context_asked).filter(|tokens| *tokens > 0),
            sequences: Some(fit.sequences).filter(|count| *count > 0),
            kv_dtype: given(&fit.kv_dtype),
            gpu_memory_utilization: Some(fit.gpu_memory_utilization).filter(|share| *share > 0.0),
            load_dtype: given(&fit.load_dtype),
            cache_of: fit.cache_of.as_deref(),
            smallest: fit.smallest.as_deref(),
            endpoint_commands: &fit.endpoint_commands,
            options: fit.options.iter().map(FitOptionJson::new).collect(),
            training: fit.training.as_ref().map(TrainingJson::new),
        }
    }
}

#[derive(Serialize)]
struct TrainingJson<'a> {
    is_estimate: bool,
    context: u64,
    lora_rank: u64,
    lora_bytes: u64,
    lora_smallest: Option<&'a str>,
    full_bytes: u64,
    full_smallest: Option<&'a str>,
}

impl<'a> TrainingJson<'a> {
    fn new(training: &'a TrainingFit) -> Self {
        Self {
            is_estimate: true,
            context: training.context,
            lora_rank: training.lora_rank,
            lora_bytes: training.lora_bytes,
            lora_smallest: training.lora_smallest.as_deref(),
            full_bytes: training.full_bytes,
            full_smallest: training.full_smallest.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct FitOptionJson<'a> {
    hardware: &'a str,
    gpu_count: u64,
    as_of: &'a str,
    verdict: &'static str,
    because: Option<&'a str>,
    needed_bytes_per_gpu: Option<u64>,
    missing_bytes_per_gpu: Option<u64>,
    usable_bytes_per_gpu: u64,
    weights_bytes_per_gpu: Option<u64>,
    cache_bytes_per_gpu: Option<u64>,
    overhead_bytes_per_gpu: Option<u64>,
    max_context: Option<u64>,
}

impl<'a> FitOptionJson<'a> {
    fn new(option: &'a FitOption) -> Self {
        Self {
            hardware: &option.hardware,
            gpu_count: option.gpu_count,
            as_of: &option.as_of,
            verdict: option.verdict.as_str(),
            because: option.because.as_deref(),
            needed_bytes_per_gpu: option.needed_bytes_per_gpu,
            missing_bytes_per_gpu: option.missing_bytes_per_gpu,
            usable_bytes_per_gpu: option.usable_bytes_per_gpu,
            weights_bytes_per_gpu: option.weights_bytes_per_gpu,
            cache_bytes_per_gpu: option.cache_bytes_per_gpu,
            overhead_bytes_per_gpu: option.overhead_bytes_per_gpu,
            max_context: option.max_context,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct BaseModelJson<'a> {
    name: &'a str,
    compatible: bool,
    reasons: &'a [String],
    verdict: &'static str,
    score: BaseModelScoreJson,
    model_type: Option<&'a str>,
    parameters: Option<u64>,
    size_ratio: Option<f64>,
    context: Option<u64>,
    max_seq_length: Option<u64>,
    training_types: Vec<&'static str>,
    lora_max_rank: Option<u64>,
}

impl<'a> BaseModelJson<'a> {
    pub(crate) fn new(base: &'a BaseModelMatch) -> Self {
        Self {
            name: &base.name,
            compatible: base.compatible,
            reasons: &base.reasons,
            verdict: base.verdict.as_str(),
            score: BaseModelScoreJson {
                architecture: base.score.architecture,
                length: base.score.length,
                size: base.score.size,
                structure: base.score.structure,
            },
            model_type: base.model_type.as_deref(),
            parameters: base.parameters,
            size_ratio: base.size_ratio,
            context: base.context,
            max_seq_length: base.max_seq_length,
            training_types: base
                .training_types
                .iter()
                .map(|kind| kind.as_str())
                .collect(),
            lora_max_rank: base.lora_max_rank,
        }
    }
}

#[derive(Serialize)]
struct BaseModelScoreJson {
    architecture: f64,
    length: Option<f64>,
    size: Option<f64>,
    structure: Option<f64>,
}

#[derive(Serialize)]
struct RuleJson<'a> {
    id: &'static str,
    level: &'static str,
    targets: Vec<&'static str>,
    outcome: &'static str,
    ignored: Option<&'a str>,
    findings: Vec<FindingJson<'a>>,
    help: Option<&'a str>,
    summary: &'static str,
    more_findings: usize,
    notes: Vec<FindingJson<'a>>,
}

impl<'a> RuleJson<'a> {
    fn new(row: &'a RuleRow) -> Self {
        Self {
            id: row.id,
            level: row.level.as_str(),
            targets: row.targets.iter().map(|target| target.as_str()).collect(),
            outcome: row.outcome.as_str(),
            ignored: row.ignored.as_deref(),
            findings: row.findings.iter().map(FindingJson::new).collect(),
            help: given(&row.help),
            summary: row.summary,
            more_findings: row.more_findings,
            notes: row.notes.iter().map(FindingJson::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct FindingJson<'a> {
    message: &'a str,
    path: Option<&'a str>,
    pointer: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
}

impl<'a> FindingJson<'a> {
    fn new(finding: &'a Finding) -> Self {
        Self {
            message: &finding.message,
            path: finding.path.as_deref(),
            pointer: finding.pointer.as_deref(),
            line: finding.line,
            column: finding.column,
        }
    }
}

#[derive(Serialize)]
struct NextJson<'a> {
    command: &'a str,
    commands: Object<&'a str>,
}

impl<'a> NextJson<'a> {
    /// `command` is the first target's: the one that a script without a preference runs.
    fn new(next: &'a [(Target, String)]) -> Option<Self> {
        let (_, command) = next.first()?;
        let commands = next
            .iter()
            .map(|(target, command)| (target.as_str(), command.as_str()));
        Some(Self {
            command,
            commands: Object(commands.collect()),
        })
    }
}

#[derive(Serialize)]
struct CostJson {
    requests: u64,
    bytes: u64,
    seconds: f64,
}

/// An object whose keys keep their order.
struct Object<V>(Vec<(&'static str, V)>);

impl<V: Serialize> Serialize for Object<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn verdicts(verdicts: &[(Target, Verdict)]) -> Object<&'static str> {
    let pairs = verdicts
        .iter()
        .map(|(target, verdict)| (target.as_str(), verdict.as_str()));
    Object(pairs.collect())
}

/// Text where there is some.
fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
