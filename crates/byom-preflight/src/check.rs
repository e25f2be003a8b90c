//! `check`: from MODEL to exit code.

use std::io::Read as _;
use std::time::{Instant, SystemTime};

use preflight_model::checkpoint::{Checkpoint, Kind};
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Origin, Snapshot, SourceKind};
use preflight_rules::case::Options;
use preflight_rules::catalog::{Catalog, TrainingMethod, TrainingType};
use preflight_rules::evaluate;
use preflight_rules::hardware::Hardware;
use preflight_rules::policy::Policy;
use preflight_rules::report::{Cost, ModelReport, Report, Target, Verdict};
use preflight_source::ModelRef;

use crate::args::{Check, FailOn, MethodArg, ModelType, TargetArg, Training, TrainingTypeArg};
use crate::failure::{Failure, code_of};
use crate::outputs::Outputs;
use crate::policy;
use crate::read::Reading;

/// Most bytes of a list of models on standard input.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// Checks every model and yields the exit code.
pub(crate) fn run(arguments: &Check) -> Result<u8, Failure> {
    let outputs = Outputs::new(
        &arguments.format,
        arguments.output.as_deref(),
        arguments.verbose,
    )?;
    let policy = policy::choose(&arguments.policy.policy)?;
    let options = options(arguments, &policy)?;
    let targets = targets(&arguments.target);
    let reading = Reading::new(&arguments.hub).judged_as(options.kind);
    let models: Vec<ModelRef> = models(&arguments.models)?
        .into_iter()
        .map(|model| reading.at_revision(model))
        .collect::<Result<_, _>>()?;
    let reports: Vec<ModelReport> = models
        .iter()
        .map(|model| check(&reading, model, &targets, &policy, &options))
        .collect::<Result<_, Failure>>()?;
    let verdict = worst(&reports);
    let report = Report {
        tool_version: env!("CARGO_PKG_VERSION"),
        policy: (policy.id.clone(), policy.as_of.clone()),
        catalog: catalog(&policy),
        is_check_passed: verdict == Verdict::Pass,
        message: message(&reports),
        models: reports,
    };
    outputs.write(&report)?;
    Ok(code_of(verdict, arguments.exit_zero))
}

/// Reads and judges one model. A model that cannot be read is a report that says so.
pub(crate) fn check(
    reading: &Reading<'_>,
    model: &ModelRef,
    targets: &[Target],
    policy: &Policy,
    options: &Options,
) -> Result<ModelReport, Failure> {
    let started = Instant::now();
    let (snapshot, cost) = match reading.read(model) {
        Ok(read) => read,
        Err(error) if error.is_usage() => return Err(error.into()),
        Err(error) => (
            unreachable(model, &error),
            preflight_source::Cost::default(),
        ),
    };
    let checkpoint = Checkpoint::read(&snapshot);
    let cost = Cost {
        requests: cost.requests,
        bytes: cost.bytes,
        seconds: started.elapsed().as_secs_f64(),
    };
    Ok(evaluate(&checkpoint, targets, policy, options, cost))
}

fn unreachable(model: &ModelRef, error: &preflight_source::Error) -> Snapshot {
    let source = match model {
        ModelRef::Local { .. } => SourceKind::Folder,
        ModelRef::Hub { .. } => SourceKind::Hub,
        ModelRef::S3(_) => SourceKind::S3,
        ModelRef::Url(_) => SourceKind::Archive,
    };
    Snapshot {
        origin: Origin {
            input: model.to_string(),
            source,
            stands_for: source,
            id: None,
            revision: None,
            commit: None,
        },
        access: Access::Unreachable(error.to_string()),
        observed_at: None,
        files: Fact::Unavailable(error.to_string()),
        container: Fact::Absent,
        base: Fact::Absent,
    }
}

fn options(arguments: &Check, policy: &Policy) -> Result<Options, Failure> {
    if let Some(name) = &arguments.base_model {
        known_base_model(name, policy)?;
    }
    offered_node(arguments, policy)?;
    Ok(Options {
        base_model: arguments.base_model.clone(),
        context: arguments.context,
        sequences: arguments.sequences,
        gpu: arguments.gpu.clone(),
        gpu_count: arguments.gpu_count,
        kind: match arguments.model_type {
            ModelType::Auto => None,
            ModelType::Model => Some(Kind::Model),
            ModelType::Adapter => Some(Kind::Adapter),
        },
        fail_on_warning: arguments.fail_on == FailOn::Warning,
        now: now(),
        ..training(&arguments.training)
    })
}

/// The clock, in seconds since 1970; none where it cannot be right.
fn now() -> Option<i64> {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// The options that the training choices give.
pub(crate) fn training(training: &Training) -> Options {
    Options {
        training_type: training.training_type.map(|kind| match kind {
            TrainingTypeArg::Lora => TrainingType::Lora,
            TrainingTypeArg::Full => TrainingType::Full,
        }),
        method: match training.method {
            MethodArg::Sft => TrainingMethod::Sft,
            MethodArg::Dpo => TrainingMethod::Dpo,
        },
        ..Options::default()
    }
}

/// A name that no catalog has is a typing mistake; one of another catalog is for the rule to tell.
fn known_base_model(name: &str, policy: &Policy) -> Result<(), Failure> {
    let own = policy.target(Target::FineTune).base_models().ok().flatten();
    let anywhere = Catalog::shipped()
        .iter()
        .any(|catalog| catalog.get(name).is_some());
    if anywhere || own.is_some_and(|catalog| catalog.get(name).is_some()) {
        return Ok(());
    }
    let meant = own.and_then(|catalog| catalog.suggest(name)).or_else(|| {
        Catalog::shipped()
            .iter()
            .find_map(|catalog| catalog.suggest(name))
    });
    let hint = meant.map_or_else(
        || "; `byom-preflight base-models` lists them".to_owned(),
        |meant| format!("; did you mean `{meant}`?"),
    );
    Err(Failure::usage(format!(
        "no base model is called `{name}`{hint}"
    )))
}

/// Nodes that the platform does not offer hold no model; asking for one is a typing mistake.
fn offered_node(arguments: &Check, policy: &Policy) -> Result<(), Failure> {
    let Some(table) = policy.platform.hardware.known() else {
        return Ok(());
    };
    let mut nodes = Hardware::built_in().options(table);
    if let Some(gpu) = &arguments.gpu {
        let mut kinds: Vec<_> = nodes.iter().map(|node| node.gpu.kind.clone()).collect();
        kinds.sort();
        kinds.dedup();
        nodes.retain(|node| node.gpu.kind.eq_ignore_ascii_case(gpu));
        if nodes.is_empty() {
            return Err(Failure::usage(format!(
                "no node of policy `{}` has a GPU called `{gpu}`; there are {}",
                policy.id,
                kinds.join(", ")
            )));
        }
    }
    let wanted = |count| nodes.iter().any(|node| node.count == count);
    if let Some(count) = arguments.gpu_count.filter(|&count| !wanted(count)) {
        let kind = arguments
            .gpu
            .as_ref()
            .map_or(String::new(), |gpu| format!(" `{gpu}`"));
        return Err(Failure::usage(format!(
            "no node of policy `{}` has {count} GPUs{kind}",
            policy.id
        )));
    }
    Ok(())
}

fn targets(asked: &[TargetArg]) -> Vec<Target> {
    let is_asked = |target: &Target| {
        asked.is_empty()
            || asked.contains(&match target {
                Target::Upload => TargetArg::Upload,
                Target::FineTune => TargetArg::FineTune,
            })
    };
    Target::ALL.into_iter().filter(is_asked).collect()
}

/// The models of the command line, with `-` replaced by the list on standard input.
fn models(arguments: &[String]) -> Result<Vec<ModelRef>, Failure> {
    let mut models = Vec::new();
    for argument in arguments {
        if argument != "-" {
            models.push(ModelRef::from_argument(argument)?);
            continue;
        }
        let mut list = String::new();
        std::io::stdin()
            .lock()
            .take(LIST_BYTES_MAX)
            .read_to_string(&mut list)
            .map_err(|error| {
                Failure::usage(format!("cannot read the list on standard input: {error}"))
            })?;
        let lines = list.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            models.push(ModelRef::from_list(line)?);
        }
    }
    if models.is_empty() {
        return Err(Failure::usage("the list on standard input names no model"));
    }
    Ok(models)
}

fn catalog(policy: &Policy) -> (String, String) {
    let catalog = policy.target(Target::FineTune).base_models().ok().flatten();
    let as_of = catalog.map_or("unknown", |catalog| catalog.as_of.as_str());
    (as_of.into(), "built-in".into())
}

/// Fail before undecided before pass.
fn worst(reports: &[ModelReport]) -> Verdict {
    let verdicts = reports.iter().flat_map(|report| &report.verdicts);
    verdicts
        .map(|(_, verdict)| *verdict)
        .max()
        .unwrap_or(Verdict::Undecided)
}

fn message(reports: &[ModelReport]) -> String {
    if let [report] = reports {
        return report.message.clone();
    }
    let count = |wanted: Verdict| {
        let worst = |report: &&ModelReport| {
            report.verdicts.iter().map(|(_, verdict)| *verdict).max() == Some(wanted)
        };
        reports.iter().filter(worst).count()
    };
    format!(
        "{} models: {} pass, {} fail, {} undecided",
        reports.len(),
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::Undecided)
    )
}
