//! What the rules about adapters share.

use preflight_model::adapter::{Adapter, Agreement, Modules};
use preflight_model::checkpoint::{Checkpoint, Kind};
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;

use crate::adapter_bases::AdapterBase;
use crate::case::Case;
use crate::policy::Policy;
use crate::report::Target;

/// The checkpoint of an adapter; ends a rule for whole models.
pub(crate) fn of_an_adapter<'a, 'b>(facts: &'b Facts<'a>) -> Result<&'b Checkpoint<'a>, Gap> {
    match facts.kind {
        Kind::Adapter => Ok(facts.checkpoint),
        Kind::Model => Err(Gap::DoesNotApply(
            "this is a whole model, not an adapter".into(),
        )),
    }
}

/// What it says of itself; where it says nothing, `adapter-incomplete` tells.
pub(crate) fn config<'a>(checkpoint: &'a Checkpoint<'_>) -> Result<&'a Adapter, Gap> {
    match &checkpoint.adapter {
        Fact::Absent => Err(Gap::Malformed(
            "there is no adapter_config.json of PEFT: see adapter-incomplete".into(),
        )),
        adapter => adapter.get(),
    }
}

/// The base that was read, or why it was not.
pub(crate) fn base<'a, 'b>(facts: &'b Facts<'a>) -> Fact<&'b Facts<'a>> {
    use preflight_model::snapshot::Access;
    match &facts.base {
        Fact::Known(base) => match &base.checkpoint.snapshot.access {
            Access::Open if base.kind == Kind::Adapter => {
                Fact::Unavailable("it is itself an adapter, and only one level is followed".into())
            }
            Access::Open => Fact::Known(base),
            Access::Refused(why) | Access::Unreachable(why) => Fact::Unavailable(why.clone()),
        },
        Fact::Absent => Fact::Unavailable("it was not looked for".into()),
        other => other.as_ref().and_then(|_| Fact::Absent),
    }
}

/// The model that is run: the base of an adapter, where it was read.
pub(crate) fn whole_model<'a, 'b>(facts: &'b Facts<'a>) -> &'b Facts<'a> {
    match base(facts) {
        Fact::Known(base) if facts.kind == Kind::Adapter => base,
        _ => facts,
    }
}

/// The base models that the policy serves adapters on, of those that are known here, whose repositories
/// include that of this adapter's base.
pub(crate) fn served(facts: &Facts<'_>, case: &Case<'_>) -> Option<&'static AdapterBase> {
    served_in(facts, case.policy, case.target)
}

/// The same, outside of a rule.
pub(crate) fn served_in(
    facts: &Facts<'_>,
    policy: &Policy,
    target: Target,
) -> Option<&'static AdapterBase> {
    let bases = policy.target(target).adapters.bases.as_ref()?;
    let named = facts.checkpoint.adapter.known()?.base_model.as_deref()?;
    let listed = bases.known()?.iter();
    listed
        .filter_map(|name| AdapterBase::named(name))
        .find(|base| base.is_in(named) || current_name(facts).is_some_and(|id| base.is_in(id)))
}

/// The name that the base's repository has now, where it was read.
pub(crate) fn current_name<'b>(facts: &'b Facts<'_>) -> Option<&'b str> {
    let base = facts.base.known()?;
    base.checkpoint.snapshot.origin.id.as_deref()
}

/// Those of the base, where it was read.
pub(crate) fn modules_of_base<'b>(facts: &'b Facts<'_>) -> Fact<&'b Modules> {
    base(facts).and_then(|base| base.checkpoint.modules().as_ref())
}

/// The modules that the adapter's tensors are held against: of the base that was read, else, for
/// upload, of the served base that it names.
pub(crate) fn modules<'b>(facts: &'b Facts<'_>, case: &Case<'_>) -> Fact<&'b Modules> {
    let read = modules_of_base(facts);
    match (&read, case.target) {
        (Fact::Known(_), _) | (_, Target::FineTune) => read,
        (_, Target::Upload) => match served(facts, case).and_then(AdapterBase::modules) {
            Some(modules) => Fact::Known(modules),
            None => read,
        },
    }
}

/// The adapter held against these modules, where its own files were read.
pub(crate) fn agreement(
    checkpoint: &Checkpoint<'_>,
    modules: Option<&Modules>,
) -> Result<Agreement, Gap> {
    match checkpoint.agreement(modules) {
        Fact::Known(agreement) => Ok(agreement),
        Fact::Absent => Err(Gap::Malformed(
            "an adapter's file is absent: see adapter-incomplete".into(),
        )),
        Fact::Malformed(defect) => Err(Gap::Malformed(defect.message)),
        Fact::Unavailable(why) => Err(Gap::Unavailable(why)),
    }
}
