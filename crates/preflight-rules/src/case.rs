//! What a rule judges against.

use std::sync::Arc;

use preflight_model::cache::KvDtype;
use preflight_model::checkpoint::Kind;
use preflight_model::fact::Gap;

use crate::catalog::{Catalog, TrainingMethod, TrainingType};
use crate::fit::NodeFit;
use crate::live::Live;
use crate::policy::Policy;
use crate::report::{BaseModelMatch, OtherPolicy, Target, Verdict};
use crate::settings::Settings;

/// What the user asks for beside the model.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--base-model`.
    pub base_model: Option<String>,
    /// `--training-type`; none leaves it to the platform.
    pub training_type: Option<TrainingType>,
    /// `--method`.
    pub method: TrainingMethod,
    /// `--context`: tokens a sequence; none means the policy's floor.
    pub context: Option<u64>,
    /// `--sequences`: sequences at once; none means the policy's floor.
    pub sequences: Option<u64>,
    /// `--kv-dtype`: type of a cache entry.
    pub kv_dtype: KvDtype,
    /// `--gpu-memory-utilization`: share of a GPU's memory that the engine takes; none means its default.
    pub gpu_memory_utilization: Option<f64>,
    /// `--gpu`: only this kind of GPU, for example `h100`.
    pub gpu: Option<String>,
    /// `--gpu-count`: only hardware with so many.
    pub gpu_count: Option<u64>,
    /// `--model-type`; none decides by the files.
    pub kind: Option<Kind>,
    /// `--fail-on warning`.
    pub fail_on_warning: bool,
    /// The time to judge at, in seconds since 1970-01-01 UTC; none where it is not known.
    pub now: Option<i64>,
    /// What `byom-preflight.toml` says of rules.
    pub settings: Settings,
    /// What the platform's API said, which counts in place of the policy's own catalog and hardware. The
    /// policies that are only compared with keep theirs.
    pub live: Option<Arc<Live>>,
}

/// The case before the rules: one target under one policy.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What the model is meant for.
    pub target: Target,
    /// The rules of the platform.
    pub policy: &'a Policy,
    /// What the user asks for.
    pub options: &'a Options,
    /// Whether any node of the platform holds the model at all.
    pub node: &'a NodeFit,
    /// The time to judge at, in seconds since 1970-01-01 UTC; none where it is not known.
    pub now: Option<i64>,
    /// The verdict of all other rules, once it is known.
    pub verdict: Option<Verdict>,
    /// What the other policies say; empty while they are being asked.
    pub others: &'a [OtherPolicy],
    /// What the platform's API said.
    pub live: Option<&'a Live>,
    /// All of [`Case::base_models`] of the target, best first; empty where it has none.
    pub ranking: &'a [BaseModelMatch],
}

impl<'a> Case<'a> {
    /// The base models to choose from for a target: `None` where it needs none, a [`Gap`] where the
    /// platform has a list that is not known. What the API said counts for fine-tuning.
    pub fn base_models(&self, target: Target) -> Result<Option<&'a Catalog>, Gap> {
        let own = self.policy.target(target).base_models();
        match self.live {
            Some(live) if target == Target::FineTune && !matches!(own, Ok(None)) => {
                Ok(Some(&live.catalog))
            }
            _ => own,
        }
    }
}
