//! A thousand checks while one request in twenty fails: a verdict is what it is without faults, or it
//! is "undecided".
//!
//! `HUB_CAMPAIGN_CHECKS` sets the number, `HUB_CAMPAIGN_SEED` the failures.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use loopback_hub::{Fault, Host, LoopbackHub, Repo as HubRepo, Rule, folder};
use preflight_model::checkpoint::Checkpoint;
use preflight_rules::case::Options;
use preflight_rules::evaluate;
use preflight_rules::policy::Policy;
use preflight_rules::report::{Cost, ModelReport, Outcome, Target, Verdict};
use preflight_source::{ArchiveOptions, HubOptions, Limits, ModelRef, collect, open};
use tokio::task::JoinSet;

use crate::repo::{Repo, Tensor};

const CHECKS: usize = 1000;
/// Checks under way at once: their waits between attempts overlap.
const AT_ONCE: usize = 48;
const SHARE: f64 = 0.05;
const TOKEN: &str = "hf_SesameOpenSesame";
/// Short, so that a stalled request costs little; on a busy machine an answer takes some of it.
const STALL: Duration = Duration::from_millis(400);

/// What a run decided: the verdicts, and the rules that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Decision {
    verdicts: Vec<Verdict>,
    failed: Vec<&'static str>,
}

impl Decision {
    fn of(report: &ModelReport) -> Self {
        let failed = report
            .rules
            .iter()
            .filter(|rule| rule.outcome == Outcome::Fail);
        let mut failed: Vec<_> = failed.map(|rule| rule.id).collect();
        failed.sort_unstable();
        failed.dedup();
        Self {
            verdicts: report
                .verdicts
                .iter()
                .map(|(_, verdict)| *verdict)
                .collect(),
            failed,
        }
    }

    /// Whether this says nothing that `truth` does not: each verdict the same or undecided, no failure
    /// of its own.
    fn is_true_to(&self, truth: &Self) -> bool {
        let verdicts = self.verdicts.iter().zip(&truth.verdicts);
        let mut verdicts =
            verdicts.map(|(this, truth)| this == truth || *this == Verdict::Undecided);
        verdicts.all(|same| same) && self.failed.iter().all(|rule| truth.failed.contains(rule))
    }
}

/// Models that pass, that fail for what they have, for what they lack, and that do not let us look.
fn hub() -> LoopbackHub {
    let hub = LoopbackHub::start();
    hub.token(TOKEN, "alice", &[]);
    let add = |id: &str, repo: &Repo, change: fn(HubRepo) -> HubRepo| {
        hub.add(change(
            folder::model(id, repo.path()).expect("a readable folder"),
        ));
    };
    add("acme/sound", &Repo::sharded(), |repo| repo);
    add("acme/one", &Repo::sound(), |repo| repo);
    let repo = Repo::sharded();
    repo.remove("tokenizer.json");
    repo.remove("tokenizer_config.json");
    add("acme/bare", &repo, |repo| repo);
    let wrong = Repo::sharded();
    let tensor = Tensor::new("model.norm.weight", "BF16", &[7]);
    wrong.weights(crate::repo::SHARDS[1], &[tensor]);
    add("acme/wrong", &wrong, |repo| repo);
    add("acme/gated", &Repo::sound(), |repo| repo.gated("manual"));
    hub
}

const MODELS: [&str; 6] = [
    "acme/sound",
    "acme/one",
    "acme/bare",
    "acme/wrong",
    "acme/gated",
    "acme/none",
];

async fn decide(id: &'static str, options: HubOptions) -> Decision {
    let model = ModelRef::from_list(id).expect("an id");
    let source = open(
        &model,
        || Ok(options),
        &ArchiveOptions::default(),
        || panic!("`{model}` is not on S3"),
    )
    .expect("a source");
    let collected = collect(&*source, &Limits::default())
        .await
        .expect("a snapshot");
    let policy = Policy::load_shipped("together-2025-11").expect("shipped");
    let cost = Cost {
        requests: collected.cost.requests,
        bytes: collected.cost.bytes,
        seconds: 0.0,
    };
    let checkpoint = Checkpoint::read(&collected.snapshot);
    let report = evaluate(&checkpoint, &Target::ALL, policy, &Options::default(), cost);
    Decision::of(&report)
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn one_request_in_twenty_fails_and_no_verdict_is_wrong() {
    let hub = hub();
    let options = HubOptions::at(&hub.endpoint()).expect("an address");
    let options = options.token(TOKEN).expect("a token").stall(STALL);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let truth: BTreeMap<_, _> = MODELS
        .into_iter()
        .map(|id| (id, runtime.block_on(decide(id, options.clone()))))
        .collect();
    assert_eq!(truth["acme/sound"].verdicts, [Verdict::Pass; 2]);
    assert_eq!(truth["acme/one"].verdicts, [Verdict::Pass; 2]);
    assert!(
        truth["acme/bare"].failed.contains(&"tokenizer-missing"),
        "{truth:?}"
    );
    assert_eq!(truth["acme/wrong"].verdicts[1], Verdict::Fail);
    assert_eq!(truth["acme/gated"].failed, ["repository-inaccessible"]);
    assert_eq!(truth["acme/none"].failed, ["repository-inaccessible"]);

    let checks = number("HUB_CAMPAIGN_CHECKS", CHECKS);
    hub.set_seed(number("HUB_CAMPAIGN_SEED", 1) as u64);
    hub.inject(Rule::any_of(Fault::every_kind()).probability(SHARE));
    hub.take_log();
    let mut same = 0;
    let mut tell = |id: &str, decision: &Decision| {
        assert!(
            decision.is_true_to(&truth[id]),
            "{id}: {decision:?}, in truth {:?}",
            truth[id]
        );
        same += usize::from(*decision == truth[id]);
    };
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut running = JoinSet::new();
        for place in 0..checks {
            let id = MODELS[place % MODELS.len()];
            let options = options.clone();
            running.spawn_local(async move { (id, decide(id, options).await) });
            if running.len() == AT_ONCE {
                let (id, decision) = running
                    .join_next()
                    .await
                    .expect("some run")
                    .expect("no panic");
                tell(id, &decision);
            }
        }
        while let Some(done) = running.join_next().await {
            let (id, decision) = done.expect("no panic");
            tell(id, &decision);
        }
    });
    let log = hub.take_log();
    let failed = log.iter().filter(|seen| seen.fault.is_some()).count();
    let kinds: BTreeSet<_> = log
        .iter()
        .filter_map(|seen| seen.fault.as_deref())
        .collect();
    println!(
        "{checks} checks, {} requests, {failed} failed in {} ways, {same} decided as without",
        log.len(),
        kinds.len()
    );
    if checks >= CHECKS {
        assert_eq!(kinds.len(), Fault::every_kind().len(), "{kinds:?}");
    }
    assert!(
        log.iter()
            .all(|seen| seen.host == Host::Hub || !seen.has_authorization),
        "the token went astray"
    );
    // Most failures are got over: retries are worth something.
    assert!(same * 2 > checks, "{same} of {checks}");
}
