//! `check`: from MODEL to exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use preflight_model::cache::KvDtype;
use preflight_model::checkpoint::{Checkpoint, Kind};
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Origin, Snapshot, SourceKind};
use preflight_report::jsonl;
use preflight_rules::case::Options;
use preflight_rules::catalog::{Catalog, TrainingMethod, TrainingType};
use preflight_rules::evaluate;
use preflight_rules::hardware::Offered;
use preflight_rules::live::Live;
use preflight_rules::policy::Policy;
use preflight_rules::report::{CatalogUsed, Cost, ModelReport, Report, Target, Verdict};
use preflight_source::{Error, ModelRef, masked};

use crate::args::{
    Check, FailOn, KvDtypeArg, MethodArg, ModelType, TargetArg, Training, TrainingTypeArg,
};
use crate::configuration::Configured;
use crate::failure::{Failure, code_of, say};
use crate::inputs::{Inputs, Named};
use crate::many::{Stop, Tally, Work};
use crate::outputs::Outputs;
use crate::progress::ManyProgress;
use crate::read::Reading;
use crate::screen::Lines;
use crate::{catalog, many, progress};

/// Models that are judged at once where the user says nothing and there are not more processors: most of
/// the time goes by in waiting for answers.
const JOBS: usize = 8;

/// Checks every model and yields the exit code.
pub(crate) fn run(arguments: &Check) -> Result<u8, Failure> {
    let outputs = Outputs::new(
        &arguments.format,
        arguments.output.as_deref(),
        arguments.location.as_deref(),
        arguments.verbose,
    )?;
    let configured = Configured::find(&arguments.policy)?;
    let policy = configured.policy(&arguments.policy)?;
    let options = options(arguments, &configured, &policy)?;
    let targets = targets(
        &arguments.target,
        configured.configuration.targets.as_deref(),
    );
    configured.tell_ended(options.now);
    configured.tell_levels(&policy);
    let inputs = Inputs::new(&arguments.models, &arguments.models_from)?;
    let reading = Reading::new(&arguments.hub).judged_as(options.kind);
    let mut judge = Judge {
        reading,
        targets: &targets,
        policy: &policy,
        options: &options,
    };
    let used = Mutex::new(vec![false; configured.settings().exceptions().len()]);
    let note_used = |report: &ModelReport| {
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
        for at in configured.settings().used_by(report) {
            used[at] = true;
        }
    };
    let tell_unused = || {
        let used = used.lock().unwrap_or_else(PoisonError::into_inner);
        configured.tell_unused(&used, options.now, |target| targets.contains(&target));
    };
    let started = Instant::now();
    let is_single = inputs.single().is_some();
    let reports = if let Some(text) = inputs.single() {
        // What is wrong with the only model is a mistake in the command line.
        let model = judge.reading.at_revision(ModelRef::from_argument(text)?)?;
        vec![judge.check_as(&masked(text), &model)?]
    } else {
        judge.reading = judge.reading.of_many();
        judge.reading.must_be_possible()?;
        let jobs = arguments.jobs.unwrap_or_else(jobs);
        match outputs.stream()? {
            Some(lines) => {
                let tally = stream(&judge, inputs, jobs, lines, &note_used)?;
                say_summary(tally, started);
                tell_unused();
                return Ok(code_of(tally.worst(), arguments.exit_zero));
            }
            None => collect(&judge, inputs, jobs)?,
        }
    };
    let mut tally = Tally::default();
    for report in &reports {
        tally += Tally::of(report);
        note_used(report);
    }
    let report = Report {
        tool_version: env!("CARGO_PKG_VERSION"),
        policy: judge.policy_name(),
        catalog: judge.catalog(),
        is_check_passed: tally.worst() == Verdict::Pass,
        message: match reports.as_slice() {
            [report] => report.message.clone(),
            _ => tally.to_string(),
        },
        models: reports,
    };
    outputs.write(&report)?;
    if !is_single && !outputs.is_table_on_screen() {
        say_summary(tally, started);
    }
    tell_unused();
    Ok(code_of(tally.worst(), arguments.exit_zero))
}

/// The end of a run of many models, for who does not see it in the report.
fn say_summary(tally: Tally, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    say(&format!("{tally}, in {seconds:.1} s"));
}

fn jobs() -> usize {
    std::thread::available_parallelism().map_or(JOBS, |cores| cores.get().max(JOBS))
}

/// Judges all models and yields their reports in the order in which they were named.
fn collect(judge: &Judge<'_>, inputs: Inputs, jobs: usize) -> Result<Vec<ModelReport>, Failure> {
    let mut reports = Vec::new();
    judge.all(inputs, jobs, &mut |at, report| {
        reports.push((at, report));
        Ok(())
    })?;
    reports.sort_by_key(|(at, _)| *at);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

/// Judges all models and writes the report of each as a line as soon as there is one. Nothing is kept.
fn stream(
    judge: &Judge<'_>,
    inputs: Inputs,
    jobs: usize,
    mut lines: Lines,
    see: &(dyn Fn(&ModelReport) + Sync),
) -> Result<Tally, Failure> {
    let (policy, catalog) = (judge.policy_name(), judge.catalog());
    let tally = judge.all(inputs, jobs, &mut |_, report| {
        see(&report);
        let mut line = Vec::new();
        jsonl::write_model(&policy, &catalog, &report, &mut line).map_err(|error| {
            Stop::Failed(Failure::undecided(format!(
                "cannot write the report: {error}"
            )))
        })?;
        lines.write(&line)
    })?;
    lines.finish()?;
    Ok(tally)
}

/// What models are judged by, the same for all of a run.
pub(crate) struct Judge<'a> {
    pub(crate) reading: Reading<'a>,
    pub(crate) targets: &'a [Target],
    pub(crate) policy: &'a Policy,
    pub(crate) options: &'a Options,
}

impl Judge<'_> {
    /// Reads and judges one model. A model that cannot be read is a report that says so; the error is for
    /// what names no model.
    pub(crate) fn check(&self, model: &ModelRef) -> Result<ModelReport, Error> {
        let started = Instant::now();
        let (snapshot, cost) = match self.reading.read(model) {
            Ok(read) => read,
            Err(error) if error.is_usage() => return Err(error),
            Err(error) => {
                let source = match model {
                    ModelRef::Local { .. } => SourceKind::Folder,
                    ModelRef::Hub { .. } => SourceKind::Hub,
                    ModelRef::S3(_) => SourceKind::S3,
                    ModelRef::Url(_) => SourceKind::Archive,
                };
                let snapshot = unreachable(model.to_string(), source, error.to_string());
                (snapshot, preflight_source::Cost::default())
            }
        };
        Ok(self.judge(&snapshot, cost, started))
    }

    /// The same for what the user wrote as `given`: a repository of the Hub has many spellings, and a pipeline knows
    /// its models by its own.
    fn check_as(&self, given: &str, model: &ModelRef) -> Result<ModelReport, Error> {
        let mut report = self.check(model)?;
        if matches!(model, ModelRef::Hub { .. }) {
            report.input = given.into();
        }
        Ok(report)
    }

    /// The same for one of many: whatever is wrong with it is in its report and stops nothing.
    fn check_named(&self, named: Named) -> ModelReport {
        let started = Instant::now();
        let judged = named.resolve(|given, model| {
            let check = || self.check_as(given, &self.reading.at_revision(model)?);
            // A fault of ours is no reason to lose the others either.
            catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|_| {
                Err(Error::Unavailable {
                    path: given.into(),
                    reason: "the check itself broke, which is a mistake in this program".into(),
                })
            })
        });
        judged.unwrap_or_else(|(input, why)| {
            let source = if input.starts_with("s3://") {
                SourceKind::S3
            } else if input.starts_with(['.', '/']) {
                SourceKind::Folder
            } else {
                SourceKind::Hub
            };
            let cost = preflight_source::Cost::default();
            self.judge(&unreachable(input, source, why), cost, started)
        })
    }

    fn judge(
        &self,
        snapshot: &Snapshot,
        cost: preflight_source::Cost,
        started: Instant,
    ) -> ModelReport {
        let checkpoint = Checkpoint::read(snapshot);
        let cost = Cost {
            requests: cost.requests,
            bytes: cost.bytes,
            seconds: started.elapsed().as_secs_f64(),
        };
        evaluate(&checkpoint, self.targets, self.policy, self.options, cost)
    }

    fn all(
        &self,
        inputs: Inputs,
        jobs: usize,
        take: &mut (dyn FnMut(u64, ModelReport) -> Result<(), Stop> + Send),
    ) -> Result<Tally, Failure> {
        let progress = ManyProgress::default();
        let work = Work {
            check: &|named| self.check_named(named),
            take,
            show: &|tally| progress.show(tally, self.reading.limit_left()),
        };
        let tally = many::run(inputs, jobs, work);
        progress::erase();
        tally
    }

    fn catalog(&self) -> CatalogUsed {
        let live = self.options.live.as_deref();
        catalog::used(self.policy, live, self.options.now)
    }

    fn policy_name(&self) -> (String, String) {
        (self.policy.id.clone(), self.policy.as_of.clone())
    }
}

/// A model of which nothing could be read.
fn unreachable(input: String, source: SourceKind, why: String) -> Snapshot {
    Snapshot {
        origin: Origin {
            input,
            source,
            stands_for: source,
            id: None,
            revision: None,
            commit: None,
        },
        access: Access::Unreachable(why.clone()),
        observed_at: None,
        files: Fact::Unavailable(why),
        container: Fact::Absent,
        base: Fact::Absent,
    }
}

fn options(
    arguments: &Check,
    configured: &Configured,
    policy: &Policy,
) -> Result<Options, Failure> {
    let live = catalog::choose(arguments.catalog.catalog.as_deref())?;
    let configuration = &configured.configuration;
    let given = arguments.base_model.clone();
    let base_model = given
        .filter(|name| !name.is_empty())
        .or_else(|| configuration.base_model.clone());
    if let Some(name) = &base_model {
        known_base_model(name, policy, live.as_deref())?;
    }
    offered_node(arguments, policy, live.as_deref())?;
    Ok(Options {
        live,
        base_model,
        context: arguments.context,
        sequences: arguments.sequences,
        kv_dtype: match arguments.kv_dtype {
            KvDtypeArg::Bf16 => KvDtype::Bf16,
            KvDtypeArg::Fp8 => KvDtype::Fp8,
        },
        gpu_memory_utilization: Some(arguments.gpu_memory_utilization),
        gpu: arguments.gpu.clone(),
        gpu_count: arguments.gpu_count,
        kind: match arguments.model_type {
            ModelType::Auto => None,
            ModelType::Model => Some(Kind::Model),
            ModelType::Adapter => Some(Kind::Adapter),
        },
        fail_on_warning: match arguments.fail_on {
            Some(level) => level == FailOn::Warning,
            None => configuration.fail_on_warning.unwrap_or_default(),
        },
        settings: configuration.settings.clone(),
        now: now(),
        ..training(&arguments.training)
    })
}

/// The clock, in seconds since 1970; none where it cannot be right.
pub(crate) fn now() -> Option<i64> {
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
fn known_base_model(name: &str, policy: &Policy, live: Option<&Live>) -> Result<(), Failure> {
    let own = catalog::base_models(policy, live);
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
fn offered_node(arguments: &Check, policy: &Policy, live: Option<&Live>) -> Result<(), Failure> {
    let Some(offered) = Offered::under(policy, live) else {
        return Ok(());
    };
    let mut nodes = offered.options.into_owned();
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

fn targets(asked: &[TargetArg], configured: Option<&[Target]>) -> Vec<Target> {
    if let (true, Some(targets)) = (asked.is_empty(), configured) {
        return targets.to_vec();
    }
    let is_asked = |target: &Target| {
        asked.is_empty()
            || asked.contains(&match target {
                Target::Upload => TargetArg::Upload,
                Target::FineTune => TargetArg::FineTune,
            })
    };
    Target::ALL.into_iter().filter(is_asked).collect()
}
