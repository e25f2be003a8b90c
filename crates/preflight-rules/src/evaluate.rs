//! The pure heart: a checkpoint and a policy in, a report out.

use std::borrow::Cow;
use std::mem;

use preflight_model::checkpoint::{Checkpoint, Kind};
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::memory::Footprint;
use preflight_model::release::Release;

use crate::adapters;
use crate::base_models;
use crate::case::{Case, Options};
use crate::fit::{FitRequest, NodeFit, fit, node_fit, training_fit};
use crate::hardware::{HardwareOption, Offered};
use crate::live::Live;
use crate::policy::{CommandValues, Policy, SourceKind};
use crate::report::{
    BaseModelMatch, Cost, FINDINGS_MAX, Finding, Fit, Level, ModelReport, OtherPolicy, Outcome,
    RuleRow, Target, Verdict,
};
use crate::rule::{Category, Findings, Rule};
use crate::rules::RULES;
use crate::{shape, summary};

/// The rule that looks at what the other policies say, and so runs last.
const LAST: &str = "policy-outdated";

/// Judges a checkpoint for each target under `policy`, and under all shipped policies beside it.
/// `cost` is what looking cost, for the report only.
pub fn evaluate(
    checkpoint: &Checkpoint<'_>,
    targets: &[Target],
    policy: &Policy,
    options: &Options,
    cost: Cost,
) -> ModelReport {
    let mut judge = Judge::new(checkpoint, policy, options, options.live.as_deref());
    let mut rows = judge.rows(targets, &[]);
    let verdicts = verdicts(&rows, targets, options);
    let others: Vec<OtherPolicy> = Policy::shipped()
        .iter()
        .filter(|other| other.id != policy.id)
        .map(|other| compare(checkpoint, targets, other, options, &rows, &verdicts))
        .collect();
    rows.extend(judge.last_row(&verdicts, &others));
    // Told by the verdicts above, the last row may yet decide where the user gives it a level that does.
    let verdicts = self::verdicts(&rows, targets, options);
    // Failures first; the order of the rules decides among equals.
    rows.sort_by_key(|row| row.outcome);
    let ranking = &judge.rankings[Target::FineTune as usize];
    let named = ranking
        .iter()
        .find(|base| Some(&base.name) == options.base_model.as_ref());
    let next = next_commands(&judge.facts, policy, &verdicts, options, named);
    let is_check_passed = verdicts
        .iter()
        .all(|(_, verdict)| *verdict == Verdict::Pass);
    let origin = &checkpoint.snapshot.origin;
    ModelReport {
        input: origin.input.clone(),
        source: origin.source.as_str(),
        id: origin.id.clone(),
        revision: origin.revision.clone(),
        commit: origin.commit.clone(),
        observed_at: checkpoint.snapshot.observed_at.clone(),
        kind: judge.facts.kind.as_str(),
        is_check_passed,
        message: message(&verdicts, &rows),
        other_policies: others,
        facts: summary::of(&judge.facts),
        fit: judge.fit(),
        base_models: mem::take(&mut judge.rankings[Target::FineTune as usize]),
        verdicts,
        rules: rows,
        next,
        cost,
    }
}

/// One checkpoint under one policy.
struct Judge<'a> {
    facts: Facts<'a>,
    policy: &'a Policy,
    options: &'a Options,
    live: Option<&'a Live>,
    hardware: Cow<'a, [HardwareOption]>,
    node: NodeFit,
    /// Base models best first, for each of [`Target::ALL`].
    rankings: [Vec<BaseModelMatch>; Target::ALL.len()],
}

impl<'a> Judge<'a> {
    fn new(
        checkpoint: &'a Checkpoint<'a>,
        policy: &'a Policy,
        options: &'a Options,
        live: Option<&'a Live>,
    ) -> Self {
        // Rules that depend on the ceiling ask the policy themselves and end as unknown where it is.
        let release = policy.release().unwrap_or_else(Release::newest);
        let mut facts = Facts::derive(checkpoint, release);
        if let Some(kind) = options.kind {
            facts.kind = kind;
        }
        let offered = Offered::under(policy, live);
        let (hardware, unknown) = offered.map_or_else(Default::default, |offered| {
            (offered.options, offered.unknown)
        });
        let node = shape::footprint(adapters::whole_model(&facts))
            .map_or_else(NodeFit::not_measured, |footprint| {
                node_among(&footprint, &hardware, &unknown, &floor(policy))
            });
        let mut judge = Self {
            facts,
            policy,
            options,
            live,
            hardware,
            node,
            rankings: Default::default(),
        };
        let rankings = Target::ALL.map(|target| judge.ranking(target));
        judge.rankings = rankings;
        judge
    }

    fn case<'b>(
        &'b self,
        target: Target,
        others: &'b [OtherPolicy],
        verdict: Option<Verdict>,
    ) -> Case<'b> {
        Case {
            target,
            policy: self.policy,
            options: self.options,
            node: &self.node,
            now: self.options.now,
            verdict,
            others,
            live: self.live,
            ranking: &self.rankings[target as usize],
        }
    }

    /// All rules but the last, for every target; equal outcomes share a row.
    fn rows(&self, targets: &[Target], others: &[OtherPolicy]) -> Vec<RuleRow> {
        let mut judged = Vec::new();
        for rule in RULES.iter().filter(|rule| rule.id != LAST) {
            for &target in targets {
                judged.extend(self.row(rule, &self.case(target, others, None)));
            }
        }
        for &target in targets {
            let is_set_aside =
                |(row, _): &(RuleRow, bool)| row.targets == [target] && self.is_set_aside(row);
            if !judged.iter().any(is_set_aside) {
                continue;
            }
            // What another rule reports as broken was not looked at here, and that rule may be the one that
            // no longer decides.
            for (row, is_malformed) in &mut judged {
                if *is_malformed && row.targets == [target] {
                    row.outcome = Outcome::Unknown;
                }
            }
        }
        let mut rows = Vec::new();
        for (row, _) in judged {
            add(&mut rows, row);
        }
        rows
    }

    /// Whether a rule that decides by the policy has something to say and the user lets it not decide.
    fn is_set_aside(&self, row: &RuleRow) -> bool {
        let decides = |target: &Target| self.policy.level(row.id, *target) == Some(Level::Error);
        row.targets.iter().any(decides)
            && (row.level != Level::Error || row.ignored.is_some())
            && !matches!(row.outcome, Outcome::Pass | Outcome::Skip)
    }

    /// The level of a rule: the policy's, unless the user's configuration gives it another. A limit of the user's own
    /// is one for every target.
    fn level(&self, rule: &'static str, target: Target) -> Option<Level> {
        let settings = &self.options.settings;
        match self.policy.level(rule, target) {
            Some(stated) => Some(settings.level(rule, target).unwrap_or(stated)),
            None if settings.limits.are_judged_by(rule) => {
                Some(settings.level(rule, target).unwrap_or(Level::Error))
            }
            None => None,
        }
    }

    fn last_row(&self, verdicts: &[(Target, Verdict)], others: &[OtherPolicy]) -> Vec<RuleRow> {
        let mut rows = Vec::new();
        for rule in RULES.iter().filter(|rule| rule.id == LAST) {
            for &(target, verdict) in verdicts {
                let judged = self.row(rule, &self.case(target, others, Some(verdict)));
                if let Some((row, _)) = judged {
                    add(&mut rows, row);
                }
            }
        }
        rows
    }

    /// Runs one rule for one target, and says whether it left what it needs to another rule as malformed; none
    /// where the policy has it off.
    fn row(&self, rule: &Rule, case: &Case<'_>) -> Option<(RuleRow, bool)> {
        let level = self.level(rule.id, case.target)?;
        let checked = self.check(rule, case);
        let is_malformed = matches!(checked, Err(Gap::Malformed(_)));
        let (outcome, findings) = match checked {
            Ok(findings) if !findings.problems.is_empty() => {
                let failed = if level == Level::Error {
                    Outcome::Fail
                } else {
                    Outcome::Warn
                };
                (failed, findings)
            }
            Ok(findings) => (Outcome::Pass, findings),
            Err(Gap::DoesNotApply(why) | Gap::Malformed(why)) => (Outcome::Skip, because(why)),
            Err(Gap::Unavailable(why) | Gap::Unknown(why)) => (Outcome::Unknown, because(why)),
        };
        let help = if matches!(outcome, Outcome::Fail | Outcome::Warn) {
            findings.fix.unwrap_or_else(|| rule.fix.into())
        } else {
            String::new()
        };
        let mut notes = findings.notes;
        notes.truncate(FINDINGS_MAX);
        let settings = &self.options.settings;
        let set_aside = settings.set_aside(rule.id, case.target, outcome, case.now);
        let ignored = match set_aside {
            Some(Ok(reason)) => Some(reason),
            Some(Err(over)) => {
                notes.push(Finding::new(over));
                None
            }
            None => None,
        };
        notes.extend(self.other_level(rule.id, case.target, level, outcome));
        let row = RuleRow {
            id: rule.id,
            summary: rule.summary,
            level,
            targets: vec![case.target],
            outcome,
            ignored,
            findings: findings.problems,
            more_findings: findings.more_problems,
            notes,
            help,
        };
        Some((row, is_malformed))
    }

    /// That the level is not the policy's, where the rule has something to say.
    fn other_level(
        &self,
        rule: &str,
        target: Target,
        level: Level,
        outcome: Outcome,
    ) -> Option<Finding> {
        let stated = self.policy.level(rule, target)?;
        let is_told = stated != level && !matches!(outcome, Outcome::Pass | Outcome::Skip);
        let of = |level: Level| match level {
            Level::Error => "an error",
            Level::Warning => "a warning",
            Level::Note => "a note",
        };
        is_told.then(|| {
            Finding::new(format!(
                "your configuration makes this {}; the policy has it as {}",
                of(level),
                of(stated)
            ))
        })
    }

    /// What a rule says of its subject. The rules for whole models are, for an adapter, about the model that
    /// fine-tuning merges it into; for upload that is the platform's own.
    fn check(&self, rule: &Rule, case: &Case<'_>) -> crate::rule::Outcome {
        let is_about_models = matches!(
            rule.category,
            Category::Config | Category::Weights | Category::Tokenizer | Category::Platform
        ) && rule.id != LAST;
        if self.facts.kind == Kind::Model || !is_about_models {
            return (rule.check)(&self.facts, case);
        }
        if case.target == Target::Upload {
            let why = "this is an adapter, not a whole model";
            return Err(Gap::DoesNotApply(why.into()));
        }
        let base = match adapters::base(&self.facts) {
            Fact::Known(base) => base,
            Fact::Unavailable(why) => return Err(self.without_base(case, &why)),
            Fact::Absent | Fact::Malformed(_) => {
                return Err(self.without_base(case, "it is not known"));
            }
        };
        let name = self.base_name();
        let of_base = |finding: Finding| Finding {
            message: format!("base model `{name}`: {}", finding.message),
            ..finding
        };
        match (rule.check)(base, case) {
            Ok(findings) => Ok(Findings {
                problems: findings.problems.into_iter().map(of_base).collect(),
                notes: findings.notes.into_iter().map(of_base).collect(),
                ..findings
            }),
            Err(gap) => Err(gap.map(|why| format!("base model `{name}`: {why}"))),
        }
    }

    /// That the base was not read is told once, by the rule about it, where that decides.
    fn without_base(&self, case: &Case<'_>, why: &str) -> Gap {
        const TOLD_BY: &str = "adapter-base-unsupported";
        let settings = &self.options.settings;
        let set_aside = settings.set_aside(TOLD_BY, case.target, Outcome::Unknown, case.now);
        let decides = self.level(TOLD_BY, case.target) == Some(Level::Error);
        if decides && !matches!(set_aside, Some(Ok(_))) {
            return Gap::DoesNotApply(
                "the base model was not read: see adapter-base-unsupported".into(),
            );
        }
        Gap::Unavailable(format!(
            "base model `{}` could not be read: {why}",
            self.base_name()
        ))
    }

    fn base_name(&self) -> &str {
        let adapter = self.facts.checkpoint.adapter.known();
        let named = adapter.and_then(|adapter| adapter.base_model.as_deref());
        named
            .or_else(|| adapters::current_name(&self.facts))
            .unwrap_or("unknown")
    }

    fn fit(&self) -> Fit {
        let floor = floor(self.policy);
        let options = self.options;
        let request = FitRequest {
            context: options.context.unwrap_or(floor.context),
            sequences: options.sequences.unwrap_or(floor.sequences),
            kv_dtype: options.kv_dtype,
            gpu_memory_utilization: options
                .gpu_memory_utilization
                .unwrap_or(floor.gpu_memory_utilization),
            gpu: options.gpu.clone(),
            gpu_count: options.gpu_count,
        };
        let model = adapters::whole_model(&self.facts);
        let Some(footprint) = shape::footprint(model) else {
            return Fit {
                context: request.context,
                context_asked: request.context,
                sequences: request.sequences,
                kv_dtype: request.kv_dtype.as_str().into(),
                gpu_memory_utilization: request.gpu_memory_utilization,
                load_dtype: "as stored".into(),
                ..Fit::default()
            };
        };
        let mut fit = fit(&footprint, &self.hardware, &request);
        fit.training = shape::training(model).and_then(|training| training_fit(&training, &fit));
        fit
    }

    /// All base models of a target, best first; none where it has none or the config is not known.
    fn ranking(&self, target: Target) -> Vec<BaseModelMatch> {
        let case = self.case(target, &[], None);
        let catalog = case.base_models(target);
        let model = adapters::whole_model(&self.facts);
        match catalog {
            Ok(Some(catalog)) if model.checkpoint.config.known().is_some() => {
                base_models::rank(&shape::of(model), catalog, &shape::ranking_options(&case))
            }
            _ => Vec::new(),
        }
    }
}

/// Looks for a node among those whose GPUs are known and those whose are not.
fn node_among(
    footprint: &Footprint,
    hardware: &[HardwareOption],
    unknown: &[&str],
    floor: &FitRequest,
) -> NodeFit {
    let node = node_fit(footprint, hardware, floor);
    // A GPU of which nothing is known may be the one that is large enough.
    let may_be_another = hardware.is_empty() || matches!(node, NodeFit::TooSmall(_));
    match unknown {
        [first, others @ ..] if may_be_another => {
            let more = match others.len() {
                0 => String::new(),
                count => format!(" and {count} more"),
            };
            NodeFit::Unknown(format!(
                "the platform lists `{first}`{more}, and how much memory the GPU has is not known here"
            ))
        }
        _ => node,
    }
}

/// The least that a deployment must hold to be worth one.
fn floor(policy: &Policy) -> FitRequest {
    let platform = &policy.platform;
    let default = FitRequest::default();
    let known =
        |figure: &crate::policy::Stated<u64>, default| figure.known().copied().unwrap_or(default);
    FitRequest {
        context: known(&platform.fit_context, default.context),
        sequences: known(&platform.fit_sequences, default.sequences),
        ..default
    }
}

fn because(why: String) -> Findings {
    Findings::problem(Finding::new(why))
}

fn add(rows: &mut Vec<RuleRow>, mut row: RuleRow) {
    let targets = mem::take(&mut row.targets);
    for other in rows.iter_mut().filter(|other| other.id == row.id) {
        // Compared without the targets, in which they differ.
        let theirs = mem::take(&mut other.targets);
        let is_same = *other == row;
        other.targets = theirs;
        if is_same {
            other.targets.extend(targets);
            return;
        }
    }
    rows.push(RuleRow { targets, ..row });
}

/// Any error-level fail is a fail; else any error-level unknown is undecided; else a pass.
fn verdicts(rows: &[RuleRow], targets: &[Target], options: &Options) -> Vec<(Target, Verdict)> {
    targets
        .iter()
        .map(|&target| (target, verdict(rows, target, options)))
        .collect()
}

fn verdict(rows: &[RuleRow], target: Target, options: &Options) -> Verdict {
    let decides = |row: &&RuleRow| row.targets.contains(&target) && row.ignored.is_none();
    let of_target = || rows.iter().filter(decides);
    let fails = |row: &RuleRow| match row.outcome {
        Outcome::Fail => true,
        Outcome::Warn => options.fail_on_warning && row.level == Level::Warning,
        _ => false,
    };
    if of_target().any(fails) {
        Verdict::Fail
    } else if of_target().any(|row| row.outcome == Outcome::Unknown && row.level == Level::Error) {
        Verdict::Undecided
    } else {
        Verdict::Pass
    }
}

/// What another policy says, and which rules make the difference.
fn compare(
    checkpoint: &Checkpoint<'_>,
    targets: &[Target],
    other: &Policy,
    options: &Options,
    rows: &[RuleRow],
    own: &[(Target, Verdict)],
) -> OtherPolicy {
    let judge = Judge::new(checkpoint, other, options, None);
    let other_rows = judge.rows(targets, &[]);
    let theirs = verdicts(&other_rows, targets, options);
    let mut because = Vec::new();
    for ((target, mine), (_, their)) in own.iter().zip(&theirs) {
        if mine == their {
            continue;
        }
        let deciding = |rows: &[RuleRow]| -> Vec<&'static str> {
            let decides = |row: &&RuleRow| {
                row.targets.contains(target)
                    && row.ignored.is_none()
                    && match row.outcome {
                        Outcome::Fail => true,
                        Outcome::Unknown => row.level == Level::Error,
                        Outcome::Warn => options.fail_on_warning && row.level == Level::Warning,
                        Outcome::Pass | Outcome::Skip => false,
                    }
            };
            rows.iter().filter(decides).map(|row| row.id).collect()
        };
        let (here, there) = (deciding(rows), deciding(&other_rows));
        because.extend(there.iter().filter(|id| !here.contains(id)));
        because.extend(here.iter().filter(|id| !there.contains(id)));
    }
    because.sort_unstable();
    because.dedup();
    OtherPolicy {
        id: other.id.clone(),
        verdicts: theirs,
        because,
    }
}

/// `accepted for upload; refused for fine-tune (parameters-over-limit)`.
fn message(verdicts: &[(Target, Verdict)], rows: &[RuleRow]) -> String {
    let parts = verdicts.iter().map(|(target, verdict)| {
        let of_target = |outcome: Outcome, level: Level| -> Vec<&str> {
            let is_it = |row: &&RuleRow| {
                row.outcome == outcome
                    && row.level == level
                    && row.targets.contains(target)
                    && row.ignored.is_none()
            };
            rows.iter().filter(is_it).map(|row| row.id).collect()
        };
        let (word, ids) = match verdict {
            Verdict::Pass => ("accepted", Vec::new()),
            Verdict::Undecided => ("undecided", of_target(Outcome::Unknown, Level::Error)),
            Verdict::Fail => ("refused", {
                let failed = of_target(Outcome::Fail, Level::Error);
                if failed.is_empty() {
                    of_target(Outcome::Warn, Level::Warning)
                } else {
                    failed
                }
            }),
        };
        let because = if ids.is_empty() {
            String::new()
        } else {
            format!(" ({})", ids.join(", "))
        };
        format!("{word} for {}{because}", target.as_str())
    });
    parts.collect::<Vec<_>>().join("; ")
}

fn next_commands(
    facts: &Facts<'_>,
    policy: &Policy,
    verdicts: &[(Target, Verdict)],
    options: &Options,
    named: Option<&BaseModelMatch>,
) -> Vec<(Target, String)> {
    use preflight_model::snapshot::SourceKind as From;
    let origin = &facts.checkpoint.snapshot.origin;
    let from = match origin.stands_for {
        From::Hub => SourceKind::Hub,
        From::Archive | From::S3 => SourceKind::Archive,
        From::Folder | From::Recording => SourceKind::Folder,
    };
    let name = origin.id.as_deref().and_then(|id| id.rsplit('/').next());
    let name = name.map(|name| match from {
        // A model is not called after the form it came in.
        SourceKind::Archive => name
            .trim_end_matches(".gz")
            .trim_end_matches(".tar")
            .trim_end_matches(".zip"),
        _ => name,
    });
    let passed = verdicts
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Pass);
    passed
        .filter_map(|(target, _)| {
            let served = adapters::served_in(facts, policy, *target).map(|base| base.name.as_str());
            let values = CommandValues {
                repo: origin.id.as_deref(),
                revision: origin.commit.as_deref(),
                folder: (from == SourceKind::Folder).then_some(origin.input.as_str()),
                base_model: match (facts.kind, target) {
                    // An adapter is served on its base, whatever template a training would take.
                    (Kind::Adapter, Target::Upload) => served,
                    _ => options.base_model.as_deref(),
                },
                model_name: name,
                is_adapter: facts.kind == Kind::Adapter,
                is_full: options.training_type == Some(crate::catalog::TrainingType::Full),
                is_dpo: options.method == crate::catalog::TrainingMethod::Dpo,
                max_seq_length: named.and_then(|base| base.max_seq_length),
                ..CommandValues::default()
            };
            let lines = policy.target(*target).commands(from, &values)?;
            Some((*target, lines.join("\n")))
        })
        .collect()
}

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod tests;
