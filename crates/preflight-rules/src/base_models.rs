//! Which base model to name for a checkpoint.
//!
//! The platform trains a checkpoint by the settings of a base model, and asks for one of the same
//! architecture, near in size, whose longest sequence does not exceed the checkpoint's
//! (<https://docs.together.ai/docs/fine-tuning-byom>, "How to choose the base model?"). Its worked
//! example passes over the nearest size where the sequence is too long, so here too length is
//! asked before size. Only the architecture, the class, layers of another kind and a training type that
//! the base lacks disqualify; what else differs ranks and is told (`docs/base-models.md`).

mod size;
mod traits;

use std::cmp::Ordering;

use preflight_model::release::{self, Release};

use crate::catalog::{BaseModel, Catalog, TrainingMethod, TrainingType};
use crate::report::{BaseModelMatch, BaseModelScore, BaseModelVerdict};
use crate::structure::Structure;
use size::{Distance, Size, billions};
use traits::{Traits, other_layers};

/// What matters of the checkpoint. `None` is "not known".
#[derive(Debug, Clone, Default)]
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
    /// What it is made of.
    pub structure: Option<Structure>,
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
    /// What the platform loads with; the newest release where that is not known.
    pub release: Option<Release>,
}

/// How the architectures compare, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// The same, or what the platform counts as the same.
    Same,
    /// One is the language model inside the other, and both are loaded as the same class.
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
    /// Longest sequence that the base trains with, tokens.
    pub context: Option<u64>,
    /// What to pass as `max_seq_length` where that is beyond the checkpoint's.
    pub max_seq_length: Option<u64>,
    size: Option<Distance>,
    traits: Traits,
}

/// How the checkpoint gets on with one base model of the catalog.
pub fn judge(
    base: &BaseModel,
    catalog: &Catalog,
    shape: &ModelShape,
    options: &Options,
) -> Judgement {
    let (mut architecture, about_architecture) = compare_architecture(base, shape, options);
    let mut reasons = vec![about_architecture];
    let mut traits = Traits::default();
    reasons.extend(training_type_reason(base, options));
    if let (Some(theirs), Some(ours)) = (base.structure(), &shape.structure)
        && architecture < Architecture::NotCompared
    {
        traits = Traits::compare(theirs, ours);
        if let Some(other) = other_layers(theirs, ours) {
            reasons.push(disqualifies(other));
            architecture = Architecture::Different;
        }
    }
    if architecture != Architecture::Different {
        reasons.extend(size_reason(base, shape));
        reasons.push(length_reason(base, shape, options));
        reasons.extend(printed_reason(base, options));
        reasons.extend(traits.text().map(informs));
        if is_for_images(base, shape) {
            reasons.push(informs(
                "trained with images, which the checkpoint does not take",
            ));
        }
        reasons.extend(variants_reason(base, catalog, options));
    }
    reasons.sort_by_key(|reason| reason.weight);
    let compatible = reasons
        .iter()
        .all(|reason| reason.weight != Weight::Disqualifies);
    Judgement {
        architecture,
        compatible,
        reasons,
        context: base.context(options.method, options.training_type),
        max_seq_length: max_seq_length(base, shape, options),
        size: Distance::of(base, shape),
        traits,
    }
}

/// All base models of the catalog, best first.
pub fn rank(shape: &ModelShape, catalog: &Catalog, options: &Options) -> Vec<BaseModelMatch> {
    let rows = judged(shape, catalog, options).into_iter();
    rows.map(|(base, judged)| as_match(base, judged, shape))
        .collect()
}

fn as_match(base: &BaseModel, judged: Judgement, shape: &ModelShape) -> BaseModelMatch {
    let verdict = if !judged.compatible {
        BaseModelVerdict::Incompatible
    } else if judged.architecture == Architecture::NotCompared {
        BaseModelVerdict::NotCompared
    } else if judged.max_seq_length.is_some() {
        BaseModelVerdict::WithShorterSequences
    } else {
        BaseModelVerdict::Suits
    };
    BaseModelMatch {
        name: base.name.clone(),
        compatible: judged.compatible,
        verdict,
        score: score(base, &judged, shape),
        model_type: base.model_type.clone(),
        parameters: base.parameters,
        size_ratio: judged.size.and_then(Distance::ratio),
        context: judged.context,
        max_seq_length: judged.max_seq_length,
        training_types: base.training_types.clone(),
        lora_max_rank: base.lora_max_rank,
        reasons: judged
            .reasons
            .into_iter()
            .map(|reason| reason.text)
            .collect(),
    }
}

/// What the order goes by, each part from 0 to 1; the first part that differs decides.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn score(base: &BaseModel, judged: &Judgement, shape: &ModelShape) -> BaseModelScore {
    let images = if is_for_images(base, shape) {
        0.75
    } else {
        1.0
    };
    let (same, compared) = judged.traits.score();
    BaseModelScore {
        architecture: images
            * match judged.architecture {
                Architecture::Same => 1.0,
                Architecture::TextPart => 0.5,
                Architecture::NotCompared => 0.25,
                Architecture::Different => 0.0,
            },
        length: match (judged.context, shape.context_length) {
            (Some(theirs), Some(ours)) => Some(if theirs > ours { 0.0 } else { 1.0 }),
            _ => None,
        },
        size: judged.size.map(Distance::share),
        structure: (compared > 0).then(|| same as f64 / compared as f64),
    }
}

fn judged<'a>(
    shape: &ModelShape,
    catalog: &'a Catalog,
    options: &Options,
) -> Vec<(&'a BaseModel, Judgement)> {
    let first = |base: &BaseModel, judged: &Judgement| {
        let too_long = match (judged.context, shape.context_length) {
            (Some(theirs), Some(ours)) if theirs > ours => 2,
            (None, Some(_)) => 1,
            _ => 0,
        };
        (
            !judged.compatible,
            judged.architecture,
            is_for_images(base, shape),
            too_long,
        )
    };
    let mut rows: Vec<_> = catalog
        .models
        .iter()
        .map(|base| {
            let judged = judge(base, catalog, shape, options);
            // Boxed, as sorting moves it.
            (first(base, &judged), base, Box::new(judged))
        })
        .collect();
    // A stable sort: what nothing here tells apart stays in the platform's order.
    rows.sort_by(|(first_a, a, judged_a), (first_b, b, judged_b)| {
        let lora_only = |base: &BaseModel| !base.supports(TrainingType::Full);
        first_a
            .cmp(first_b)
            .then_with(|| Distance::nearer(judged_a.size, judged_b.size))
            .then_with(|| judged_a.traits.closer(&judged_b.traits))
            .then_with(|| compare_length(judged_a.context, judged_b.context, shape))
            .then_with(|| lora_only(a).cmp(&lora_only(b)))
    });
    let rows = rows.into_iter();
    rows.map(|(_, base, judged)| (base, *judged)).collect()
}

fn compare_architecture(
    base: &BaseModel,
    shape: &ModelShape,
    options: &Options,
) -> (Architecture, Reason) {
    // The loader goes by `model_type`; the class decides only where a type is missing.
    if let (Some(theirs), Some(ours)) = (base.model_type.as_deref(), shape.model_type) {
        if ours == theirs {
            let reason = match (base.architecture.as_deref(), shape.class) {
                (Some(theirs), Some(class)) if !class.eq_ignore_ascii_case(theirs) => {
                    warns(format!(
                        "same architecture, `{ours}`, with the class `{theirs}`; the checkpoint names `{class}`"
                    ))
                }
                _ => informs(format!("same architecture, `{ours}`")),
            };
            return (Architecture::Same, reason);
        }
        if counts_as(ours, options) == counts_as(theirs, options) {
            let text = format!("`{ours}` counts as `{theirs}`");
            return (Architecture::Same, informs(text));
        }
        if text_of(ours) == text_of(theirs) {
            if let Some((base, checkpoint)) = classes(theirs, ours, options)
                && base != checkpoint
            {
                let text = format!(
                    "of the same family, but `{theirs}` is loaded as `{base}` and the checkpoint's `{ours}` as `{checkpoint}`"
                );
                return (Architecture::Different, disqualifies(text));
            }
            let text = format!("of the same family: `{theirs}`, the checkpoint is `{ours}`");
            return (Architecture::TextPart, warns(text));
        }
        // Most of a catalog, so without the formatter.
        let text = [
            "architecture `",
            theirs,
            "`, the checkpoint's is `",
            ours,
            "`",
        ]
        .concat();
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

/// The classes that `AutoModelForCausalLM` makes of two types, both by the same release: that of the
/// platform, or the newest where the platform's does not have both yet.
fn classes(
    base: &str,
    checkpoint: &str,
    options: &Options,
) -> Option<(&'static str, &'static str)> {
    let releases = options.release.into_iter().chain([Release::newest()]);
    releases.into_iter().find_map(|release| {
        let of = |model_type| release::causal_lm_class(release, model_type);
        Some((of(base)?, of(checkpoint)?))
    })
}

fn training_type_reason(base: &BaseModel, options: &Options) -> Option<Reason> {
    if base.training_types.is_empty() {
        return Some(informs("how it is trained is not known"));
    }
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
    let Some(ours) = Size::of(shape).text() else {
        return Some(informs(format!(
            "{theirs}; the checkpoint's size is not known"
        )));
    };
    let distance = Distance::of(base, shape)?;
    let is_near = distance.larger <= u128::from(distance.smaller) * NEAR_FACTOR;
    let times = distance.times();
    Some(
        match (is_near, distance.is_exact, distance.base_is_larger) {
            (true, true, _) => {
                informs(format!("{theirs} parameters, near the checkpoint's {ours}"))
            }
            (true, false, _) => informs(format!("{theirs} parameters, the checkpoint has {ours}")),
            (false, true, true) => warns(format!(
                "{theirs} parameters, {times} times the checkpoint's {ours}"
            )),
            (false, true, false) => warns(format!(
                "{theirs} parameters, the checkpoint's {ours} are {times} times that"
            )),
            (false, false, true) => warns(format!(
                "{theirs} parameters, at least {times} times the checkpoint's, which has {ours}"
            )),
            (false, false, false) => warns(format!(
                "{theirs} parameters, the checkpoint has {ours}, at least {times} times that"
            )),
        },
    )
}

fn length_reason(base: &BaseModel, shape: &ModelShape, options: &Options) -> Reason {
    let Some(theirs) = base.context(options.method, options.training_type) else {
        return informs("how long its training sequences may be is not known");
    };
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

/// The sequence length to pass where the base trains with longer ones than the checkpoint takes.
fn max_seq_length(base: &BaseModel, shape: &ModelShape, options: &Options) -> Option<u64> {
    let theirs = base.context(options.method, options.training_type)?;
    shape.context_length.filter(|&ours| theirs > ours)
}

/// Rows of the table that a reader would take for a misprint.
fn printed_reason(base: &BaseModel, options: &Options) -> Option<Reason> {
    let (sft, dpo) = (base.context_sft?, base.context_dpo?);
    if options.method == TrainingMethod::Dpo && dpo > sft {
        return Some(informs(format!(
            "the table prints longer sequences for DPO ({dpo}) than for SFT ({sft})"
        )));
    }
    let limit = base.full_context_max.filter(|&limit| sft > limit)?;
    let is_lora = options.training_type == Some(TrainingType::Lora);
    (!is_lora).then(|| informs(format!("full fine-tuning with up to {limit} tokens only")))
}

/// Rows with the same weights, which differ in what they are trained with.
fn variants_reason(base: &BaseModel, catalog: &Catalog, options: &Options) -> Option<Reason> {
    let names: Vec<_> = catalog
        .variants(base)
        .map(|other| {
            let context = other.context(options.method, options.training_type);
            let context = context.map_or_else(String::new, |tokens| format!(" ({tokens} tokens)"));
            format!("`{}`{context}", other.name)
        })
        .collect();
    (!names.is_empty()).then(|| informs(format!("has the same weights as {}", names.join(", "))))
}

fn is_for_images(base: &BaseModel, shape: &ModelShape) -> bool {
    base.vlm && !shape.is_multimodal
}

/// Nearest to the checkpoint's length first; the longer first where that is not known.
fn compare_length(a: Option<u64>, b: Option<u64>, shape: &ModelShape) -> Ordering {
    match (a, b, shape.context_length) {
        (Some(a), Some(b), Some(ours)) => a.abs_diff(ours).cmp(&b.abs_diff(ours)),
        _ => b.cmp(&a),
    }
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
