//! Which base model to name for a checkpoint.
//!
//! The platform trains a checkpoint by the settings of a base model, and asks for one of the same
//! architecture, near in size, whose longest sequence does not exceed the checkpoint's
//! (<https://docs.together.ai/docs/fine-tuning-byom>, "How to choose the base model?"). Its worked
//! example passes over the nearest size where the sequence is too long, so here too length is
//! asked before size. Only the architecture and a training type that the base lacks disqualify.

use std::cmp::Ordering;

use crate::catalog::{BaseModel, Catalog, TrainingMethod, TrainingType};
use crate::report::BaseModelMatch;

/// What matters of the checkpoint. `None` is "not known".
#[derive(Debug, Clone, Copy, Default)]
pub struct ModelShape<'a> {
    /// `model_type` of config.json.
    pub model_type: Option<&'a str>,
    /// First of `architectures` of config.json.
    pub class: Option<&'a str>,
    /// Logical parameters.
    pub parameters: Option<u64>,
    /// What they are at least, where the count is not known.
    pub parameters_at_least: Option<u64>,
    /// What they are at most, where the count is not known.
    pub parameters_at_most: Option<u64>,
    /// Tokens that the config gives.
    pub context_length: Option<u64>,
    /// Whether it also takes images, audio or video.
    pub is_multimodal: bool,
}

/// What the user wants, and what the policy says about it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Asked for; `None` leaves it to the platform, which takes LoRA.
    pub training_type: Option<TrainingType>,
    /// Decides which of the base's sequence lengths counts.
    pub method: TrainingMethod,
    /// Pairs of model types of which the first counts as the second.
    pub same_architecture: &'a [[String; 2]],
}

/// How the architectures compare, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// The same, or what the platform counts as the same.
    Same,
    /// One is the language model inside the other.
    TextPart,
    /// One of the two is not known.
    NotCompared,
    /// Not the same.
    Different,
}

/// How much a reason weighs, most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The base cannot be used.
    Disqualifies,
    /// The base can be used, with care.
    Warns,
    /// Worth knowing.
    Informs,
}

/// One thing that speaks for or against a base model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// How much it weighs.
    pub weight: Weight,
    /// Lower case, no final stop, values in backticks.
    pub text: String,
}

/// How a base model suits a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// How the architectures compare.
    pub architecture: Architecture,
    /// Whether nothing known rules it out.
    pub compatible: bool,
    /// Most important first.
    pub reasons: Vec<Reason>,
}

/// How the checkpoint gets on with one base model.
pub fn judge(base: &BaseModel, shape: &ModelShape, options: &Options) -> Judgement {
    let (architecture, about_architecture) = compare_architecture(base, shape, options);
    let mut reasons = vec![about_architecture];
    reasons.extend(training_type_reason(base, options));
    if architecture != Architecture::Different {
        reasons.extend(size_reason(base, shape));
        reasons.push(length_reason(base, shape, options));
        if base.vlm && !shape.is_multimodal {
            reasons.push(informs(
                "trained with images, which the checkpoint does not take",
            ));
        }
    }
    reasons.sort_by_key(|reason| reason.weight);
    let compatible = reasons
        .iter()
        .all(|reason| reason.weight != Weight::Disqualifies);
    Judgement {
        architecture,
        compatible,
        reasons,
    }
}

/// All base models of the catalog, best first.
pub fn rank(shape: &ModelShape, catalog: &Catalog, options: &Options) -> Vec<BaseModelMatch> {
    let rows = judged(shape, catalog, options).into_iter();
    rows.map(as_match).collect()
}

/// The base models worth proposing, best first: compatible, and known to be of the architecture.
pub fn propose(shape: &ModelShape, catalog: &Catalog, options: &Options) -> Vec<BaseModelMatch> {
    judged(shape, catalog, options)
        .into_iter()
        .filter(|(_, judged)| judged.compatible && judged.architecture < Architecture::NotCompared)
        .map(as_match)
        .collect()
}

fn as_match((base, judged): (&BaseModel, Judgement)) -> BaseModelMatch {
    BaseModelMatch {
        name: base.name.clone(),
        compatible: judged.compatible,
        reasons: judged
            .reasons
            .into_iter()
            .map(|reason| reason.text)
            .collect(),
    }
}

fn judged<'a>(
    shape: &ModelShape,
    catalog: &'a Catalog,
    options: &Options,
) -> Vec<(&'a BaseModel, Judgement)> {
    let mut rows: Vec<_> = catalog
        .models
        .iter()
        .map(|base| (base, judge(base, shape, options)))
        .collect();
    // A stable sort: what nothing here tells apart stays in the platform's order.
    rows.sort_by(|(a, judged_a), (b, judged_b)| {
        let first = |base: &BaseModel, judged: &Judgement| {
            (
                !judged.compatible,
                judged.architecture,
                base.vlm && !shape.is_multimodal,
                is_too_long(base, shape, options),
            )
        };
        let lora_only = |base: &BaseModel| !base.supports(TrainingType::Full);
        first(a, judged_a)
            .cmp(&first(b, judged_b))
            .then_with(|| nearer(size_distance(a, shape), size_distance(b, shape)))
            .then_with(|| compare_length(a, b, shape, options))
            .then_with(|| lora_only(a).cmp(&lora_only(b)))
    });
    rows
}

fn compare_architecture(
    base: &BaseModel,
    shape: &ModelShape,
    options: &Options,
) -> (Architecture, Reason) {
    // The loader goes by `model_type`; the class speaks only where a type is missing.
    if let (Some(theirs), Some(ours)) = (base.model_type.as_deref(), shape.model_type) {
        if ours == theirs {
            return (
                Architecture::Same,
                informs(format!("same architecture, `{ours}`")),
            );
        }
        if counts_as(ours, options) == counts_as(theirs, options) {
            let text = format!("`{ours}` counts as `{theirs}`");
            return (Architecture::Same, informs(text));
        }
        if text_of(ours) == text_of(theirs) {
            let text = format!("of the same family: `{theirs}`, the checkpoint is `{ours}`");
            return (Architecture::TextPart, warns(text));
        }
        let text = format!("architecture `{theirs}`, the checkpoint's is `{ours}`");
        return (Architecture::Different, disqualifies(text));
    }
    match (base.architecture.as_deref(), shape.class) {
        (Some(theirs), Some(ours)) if ours == theirs => {
            (Architecture::Same, informs(format!("same class, `{ours}`")))
        }
        (Some(theirs), Some(ours)) => {
            let text = format!("class `{theirs}`, the checkpoint's is `{ours}`");
            (Architecture::Different, disqualifies(text))
        }
        (None, _) => {
            let text = "its architecture is not known here, so it was not compared";
            (Architecture::NotCompared, warns(text))
        }
        (_, None) => {
            let text = "the checkpoint's architecture is not known, so it was not compared";
            (Architecture::NotCompared, warns(text))
        }
    }
}

fn counts_as<'a>(model_type: &'a str, options: &'a Options) -> &'a str {
    let mut pairs = options.same_architecture.iter();
    pairs
        .find(|[from, _]| from == model_type)
        .map_or(model_type, |[_, to]| to)
}

/// Transformers names the language model inside a multimodal `x` `x_text`
/// (`src/transformers/models/auto/configuration_auto.py`: `gemma3_text`, `llama4_text`, …).
fn text_of(model_type: &str) -> &str {
    model_type.strip_suffix("_text").unwrap_or(model_type)
}

fn training_type_reason(base: &BaseModel, options: &Options) -> Option<Reason> {
    match options.training_type {
        Some(TrainingType::Full) if !base.supports(TrainingType::Full) => Some(disqualifies(
            "trained with LoRA only, and full fine-tuning was asked for",
        )),
        Some(TrainingType::Lora) if !base.supports(TrainingType::Lora) => {
            Some(disqualifies("trained in full only, and LoRA was asked for"))
        }
        None if !base.supports(TrainingType::Full) => Some(informs("trained with LoRA only")),
        _ => None,
    }
}

/// From this factor on, sizes are not called near. The platform says "the closest", and gives no
/// figure; twice is where its own neighbouring sizes (3B, 7B, 14B) begin to part.
const NEAR_FACTOR: u128 = 2;

fn size_reason(base: &BaseModel, shape: &ModelShape) -> Option<Reason> {
    let theirs = billions(base.parameters?);
    let ours = match (
        shape.parameters,
        shape.parameters_at_least,
        shape.parameters_at_most,
    ) {
        (Some(count), _, _) => billions(count),
        (None, Some(least), _) => format!("at least {}", billions(least)),
        (None, None, Some(most)) => format!("at most {}", billions(most)),
        (None, None, None) => {
            return Some(informs(format!(
                "{theirs}; the checkpoint's size is not known"
            )));
        }
    };
    let distance = size_distance(base, shape)?;
    if distance.larger <= u128::from(distance.smaller) * NEAR_FACTOR {
        return Some(informs(format!(
            "{theirs} parameters, near the checkpoint's {ours}"
        )));
    }
    let times = distance.times();
    Some(warns(if distance.base_is_larger {
        format!("{theirs} parameters, {times} times the checkpoint's {ours}")
    } else {
        format!("{theirs} parameters, the checkpoint's {ours} are {times} times that")
    }))
}

fn length_reason(base: &BaseModel, shape: &ModelShape, options: &Options) -> Reason {
    let theirs = base.context(options.method);
    match shape.context_length {
        Some(ours) if theirs > ours => warns(format!(
            "trains with up to {theirs} tokens a sequence, the checkpoint takes {ours}: pass a `max_seq_length` of at most {ours}"
        )),
        Some(ours) => informs(format!(
            "trains with up to {theirs} tokens a sequence, within the checkpoint's {ours}"
        )),
        None => informs(format!(
            "trains with up to {theirs} tokens a sequence; the checkpoint's context length is not known"
        )),
    }
}

fn is_too_long(base: &BaseModel, shape: &ModelShape, options: &Options) -> bool {
    let ours = shape.context_length.unwrap_or(u64::MAX);
    base.context(options.method) > ours
}

/// Nearest to the checkpoint's length first; the longer first where that is not known.
fn compare_length(a: &BaseModel, b: &BaseModel, shape: &ModelShape, options: &Options) -> Ordering {
    let (a, b) = (a.context(options.method), b.context(options.method));
    match shape.context_length {
        Some(ours) => a.abs_diff(ours).cmp(&b.abs_diff(ours)),
        None => b.cmp(&a),
    }
}

/// The factor between two sizes, kept as a fraction so that comparing is exact.
#[derive(Debug, Clone, Copy)]
struct Distance {
    larger: u128,
    smaller: u64,
    base_is_larger: bool,
}

impl Distance {
    fn compare(self, other: Self) -> Ordering {
        let ours = self.larger * u128::from(other.smaller);
        ours.cmp(&(other.larger * u128::from(self.smaller)))
    }

    /// The factor: `4.1`, or `53` where it is large.
    fn times(self) -> String {
        let smaller = u128::from(self.smaller);
        let tenths = (self.larger * 10 + smaller / 2) / smaller;
        if tenths >= 100 {
            return ((tenths + 5) / 10).to_string();
        }
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

/// How far the base's size is from the nearest size that the checkpoint can have.
fn size_distance(base: &BaseModel, shape: &ModelShape) -> Option<Distance> {
    let base = base.parameters.filter(|&count| count > 0)?;
    let least = shape.parameters.or(shape.parameters_at_least);
    let most = shape.parameters.or(shape.parameters_at_most);
    if least.is_none() && most.is_none() {
        return None;
    }
    let ours = base
        .min(most.unwrap_or(u64::MAX))
        .max(least.unwrap_or(0))
        .max(1);
    Some(Distance {
        larger: u128::from(base.max(ours)),
        smaller: base.min(ours),
        base_is_larger: base > ours,
    })
}

/// The nearer first; a size that is not known comes last.
fn nearer(a: Option<Distance>, b: Option<Distance>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.compare(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// A parameter count as people say it: `671B`, `7B`, `1.7B`, `135M`.
fn billions(count: u64) -> String {
    const MILLION: u64 = 1_000_000;
    if count < 1000 * MILLION - MILLION / 2 {
        return format!("{}M", count.saturating_add(MILLION / 2) / MILLION);
    }
    let tenths = count.saturating_add(50 * MILLION) / (100 * MILLION);
    if tenths >= 1000 || tenths.is_multiple_of(10) {
        return format!("{}B", (tenths + 5) / 10);
    }
    format!("{}.{}B", tenths / 10, tenths % 10)
}

fn disqualifies(text: impl Into<String>) -> Reason {
    reason(Weight::Disqualifies, text)
}

fn warns(text: impl Into<String>) -> Reason {
    reason(Weight::Warns, text)
}

fn informs(text: impl Into<String>) -> Reason {
    reason(Weight::Informs, text)
}

fn reason(weight: Weight, text: impl Into<String>) -> Reason {
    Reason {
        weight,
        text: text.into(),
    }
}

#[cfg(test)]
mod tests;
