use preflight_model::fact::Gap;
use preflight_model::facts::Facts;

use super::config_of;
use crate::base_models::{Architecture, Judgement, ModelShape, Options, Weight, judge, rank};
use crate::case::Case;
use crate::catalog::{Catalog, TrainingType};
use crate::date;
use crate::policy::Policy;
use crate::report::{BaseModelMatch, BaseModelVerdict, Finding};
use crate::rule::{Category, Findings, Outcome, Rule};
use crate::shape::{self, ranking_options};

pub(super) static RULE: Rule = Rule {
    id: "base-model-incompatible",
    summary: "no base model of the platform, or not the one that was named, can act as the template",
    fix: "name a base model of the same architecture; `byom-preflight base-models MODEL` lists them",
    docs: include_str!("base_model_incompatible.md"),
    category: Category::Platform,
    since: "0.1.0",
    check,
};

/// How many alternatives a finding names.
const PROPOSALS: usize = 3;

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let findings = judge_base(facts, case)?;
    let catalog = case.base_models(case.target)?;
    let Some(catalog) = catalog else {
        return Ok(findings);
    };
    let as_of = &catalog.as_of;
    Ok(match date::oddity(as_of, case.now) {
        Some(odd) => findings.with_note(Finding::new(format!("the catalog is of {as_of}, {odd}"))),
        None => findings,
    })
}

fn judge_base(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    let Some(catalog) = case.base_models(case.target)? else {
        return Err(Gap::DoesNotApply("this target needs no base model".into()));
    };
    let config = config_of(checkpoint)?;
    let Some(model_type) = config.model_type() else {
        return Err(Gap::Malformed("config.json names no model type".into()));
    };
    let shape = shape::of(facts);
    let options = ranking_options(case);
    let search = Search {
        model_type,
        catalog,
        ranking: case.ranking,
        proposals: proposable(case.ranking).collect(),
        otherwise: trained_otherwise(&shape, catalog, &options),
        shape,
        options,
    };
    match case.options.base_model.as_deref() {
        Some(name) => search.named(name, case),
        None if search.proposals.is_empty() => {
            let text = search.none_suits()?;
            let finding = Finding::in_config(config.root().get("model_type").as_ref(), text);
            Ok(Findings::problem(finding).with_fix(search.remedy(None)))
        }
        None => Ok(search.unnamed(case)),
    }
}

/// The catalog searched for templates of one checkpoint.
struct Search<'a> {
    model_type: &'a str,
    catalog: &'a Catalog,
    shape: ModelShape<'a>,
    options: Options<'a>,
    /// Best first.
    ranking: &'a [BaseModelMatch],
    /// Those of them that can be proposed.
    proposals: Vec<&'a BaseModelMatch>,
    otherwise: Option<Otherwise>,
}

impl Search<'_> {
    /// The best proposals, quoted.
    fn best(&self) -> String {
        quoted(self.proposals.iter().map(|base| base.name.as_str()))
    }

    /// What to do where the base model is not the one; `named` is what the user named.
    fn remedy(&self, named: Option<&str>) -> String {
        if !self.proposals.is_empty() {
            return format!("name one of {}", self.best());
        }
        if let Some(other) = &self.otherwise {
            return other.fix(named);
        }
        let mut types = self
            .catalog
            .models
            .iter()
            .map(|base| base.model_type.as_deref());
        if types.any(|theirs| theirs == Some(self.model_type)) {
            return "choose a checkpoint with the kinds of layers that a base model of its architecture has".into();
        }
        "choose a checkpoint of an architecture that the catalog has".into()
    }

    /// Why no base model of the catalog is proposed. A gap where one of them was not compared: that one never
    /// disqualifies, and it is no proposal either.
    fn none_suits(&self) -> Result<String, Gap> {
        let (model_type, as_of) = (self.model_type, &self.catalog.as_of);
        let of = |verdict| move |base: &&BaseModelMatch| base.verdict == verdict;
        let mut ranking = self.ranking.iter();
        let not_compared = ranking.find(of(BaseModelVerdict::NotCompared));
        // Of the architecture, and yet not one: its reason is worth more than that there is none.
        let miss = self
            .ranking
            .iter()
            .filter(of(BaseModelVerdict::Incompatible))
            .find(|base| base.model_type.as_deref() == Some(model_type));
        let why = match (&self.otherwise, miss) {
            (Some(other), _) => other.reason(model_type, as_of),
            (None, Some(base)) => format!(
                "no base model of the catalog of {as_of} suits this `{model_type}`: `{}`: {}",
                base.name,
                base.reasons.join("; ")
            ),
            (None, None) => format!(
                "no base model of the catalog of {as_of} {} the architecture `{model_type}`",
                if not_compared.is_some() {
                    "is known to have"
                } else {
                    "has"
                }
            ),
        };
        match not_compared {
            Some(base) => Err(Gap::Unknown(format!(
                "{why}, and the architecture of `{}` is not known",
                base.name
            ))),
            None => Ok(why),
        }
    }

    /// No base model was named, and there are some to propose.
    fn unnamed(&self, case: &Case<'_>) -> Findings {
        let findings = Findings::none().with_note(Finding::new(format!(
            "no base model was named; {} would be the best",
            self.best()
        )));
        match all_too_long(&self.shape, &self.proposals, case) {
            Some(text) => findings.with_note(Finding::new(text)),
            None => findings,
        }
    }

    fn named(&self, name: &str, case: &Case<'_>) -> Outcome {
        let Some(base) = self.catalog.get(name) else {
            return Ok(
                Findings::problem(self.no_such_name(name, case)).with_fix(self.remedy(Some(name)))
            );
        };
        let judgement = judge(base, self.catalog, &self.shape, &self.options);
        if judgement.compatible && judgement.architecture == Architecture::NotCompared {
            return Err(Gap::Unknown(self.not_compared(name, &judgement)));
        }
        let mut findings = Findings::none();
        for reason in &judgement.reasons {
            let finding = Finding::new(format!("`{name}`: {}", reason.text));
            match reason.weight {
                Weight::Disqualifies => findings.push(finding),
                Weight::Warns => findings = findings.with_note(finding),
                // What only informs stands in the report's list of base models.
                Weight::Informs => {}
            }
        }
        Ok(if judgement.compatible {
            findings
        } else {
            findings.with_fix(self.remedy(Some(name)))
        })
    }

    fn no_such_name(&self, name: &str, case: &Case<'_>) -> Finding {
        let hint = match case.policy.base_model_known_elsewhere(name) {
            Some(other) => format!("; policy `{}` has it", other.id),
            None => self
                .catalog
                .suggest(name)
                .map_or(String::new(), |meant| format!("; did you mean `{meant}`?")),
        };
        Finding::new(format!(
            "the catalog of {} has no base model `{name}`{hint}",
            self.catalog.as_of
        ))
    }

    /// Why nothing can be said of a base model, and what to do.
    fn not_compared(&self, name: &str, judgement: &Judgement) -> String {
        let reasons = judgement.reasons.iter().map(|reason| reason.text.as_str());
        let why = reasons.take(1).collect::<String>();
        let by_hand = format!(
            "see that its config.json has the `model_type` `{}`",
            self.model_type
        );
        if self.proposals.is_empty() && self.otherwise.is_none() {
            return format!("`{name}`: {why}: {by_hand}");
        }
        format!("`{name}`: {why}: {}, or {by_hand}", self.remedy(Some(name)))
    }
}

/// The base models worth proposing, best first.
fn proposable(ranking: &[BaseModelMatch]) -> impl Iterator<Item = &BaseModelMatch> {
    ranking.iter().filter(|base| base.verdict.is_proposal())
}

/// The first [`PROPOSALS`] names.
fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names
        .take(PROPOSALS)
        .map(|name| format!("`{name}`"))
        .collect();
    names.join(", ")
}

/// Base models that would do if the model were trained in another way than was asked for.
struct Otherwise {
    asked: TrainingType,
    other: TrainingType,
    /// Best first.
    names: Vec<String>,
}

/// The base models of the architecture where none of them is trained as was asked for; none where there is
/// none at all.
fn trained_otherwise(
    shape: &ModelShape,
    catalog: &Catalog,
    options: &Options,
) -> Option<Otherwise> {
    let asked = options.training_type?;
    let other = match asked {
        TrainingType::Full => TrainingType::Lora,
        TrainingType::Lora => TrainingType::Full,
    };
    let instead = Options {
        training_type: Some(other),
        ..*options
    };
    let ranking = rank(shape, catalog, &instead);
    let names: Vec<_> = proposable(&ranking).map(|base| base.name.clone()).collect();
    (!names.is_empty()).then_some(Otherwise {
        asked,
        other,
        names,
    })
}

impl Otherwise {
    fn reason(&self, model_type: &str, as_of: &str) -> String {
        let ways = |kind| match kind {
            TrainingType::Lora => "with LoRA",
            TrainingType::Full => "in full",
        };
        let which = match self.names.as_slice() {
            [only] => format!("`{only}`, the only base model"),
            [_, _] => "both base models".into(),
            all => format!("all {} base models", all.len()),
        };
        format!(
            "{which} of the architecture `{model_type}` in the catalog of {as_of} {} trained {} only, and training {} was asked for",
            if self.names.len() == 1 { "is" } else { "are" },
            ways(self.other),
            ways(self.asked)
        )
    }

    /// `named` is what the user named as base model.
    fn fix(&self, named: Option<&str>) -> String {
        let way = format!("pass `--training-type {}`", self.other.as_str());
        match named {
            Some(name) if !self.names.iter().any(|known| known == name) => {
                let best = quoted(self.names.iter().map(String::as_str));
                format!("name one of {best} and {way}")
            }
            _ => way,
        }
    }
}

/// What is to be said where every base model of the architecture trains with longer sequences than the
/// checkpoint takes: what to pass, and which policy has a shorter one.
fn all_too_long(
    shape: &ModelShape,
    proposals: &[&BaseModelMatch],
    case: &Case<'_>,
) -> Option<String> {
    let ours = shape.context_length?;
    if proposals.iter().any(|base| base.max_seq_length.is_none()) {
        return None;
    }
    let shortest = proposals.iter().min_by_key(|base| base.context)?;
    let options = ranking_options(case);
    let others = Policy::shipped()
        .iter()
        .filter(|other| other.id != case.policy.id);
    let elsewhere = others.rev().find_map(|other| {
        let catalog = other.target(case.target).base_models().ok().flatten()?;
        let ranking = rank(shape, catalog, &options);
        let best = proposable(&ranking).next()?;
        let tokens = best.context.filter(|_| best.max_seq_length.is_none())?;
        Some(format!(
            "; policy `{}` has `{}` with {tokens}",
            other.id, best.name
        ))
    });
    Some(format!(
        "no base model of the architecture trains with sequences as short as the checkpoint's {ours} tokens (the shortest is `{}` with {}): pass a `max_seq_length` of at most {ours}{}",
        shortest.name,
        shortest.context?,
        elsewhere.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests;
