//! The commands that show what the program knows: rules, base models, hardware.

use preflight_report::lists::list;
use preflight_report::page;
use preflight_rules::catalog::{BaseModel, Catalog, TrainingType};
use preflight_rules::hardware::Hardware;
use preflight_rules::report::Target;
use preflight_rules::{RULES, suggest};
use preflight_source::ModelRef;

use crate::args::{BaseModels, PolicyChoice};
use crate::check::Judge;
use crate::failure::Failure;
use crate::read::Reading;
use crate::{check, policy, screen};

/// `explain RULE`.
pub(crate) fn explain(id: &str) -> Result<(), Failure> {
    let Some(rule) = preflight_rules::rule(id) else {
        let hint = suggest::did_you_mean(id, RULES.iter().map(|rule| rule.id));
        let hint = if hint.is_empty() {
            "; `byom-preflight rules` lists them".into()
        } else {
            hint
        };
        return Err(Failure::usage(format!("no rule is called `{id}`{hint}")));
    };
    screen::print(&page::plain(rule.docs, screen::width().into()))
}

/// `rules`.
pub(crate) fn rules(choice: &PolicyChoice) -> Result<(), Failure> {
    let policy = policy::choose(&choice.policy)?;
    let level = |id, target| {
        let level = policy
            .level(id, target)
            .map(preflight_rules::report::Level::as_str);
        level.unwrap_or("-").to_owned()
    };
    let rows: Vec<_> = RULES
        .iter()
        .map(|rule| {
            vec![
                rule.id.to_owned(),
                level(rule.id, Target::Upload),
                level(rule.id, Target::FineTune),
                rule.summary.to_owned(),
            ]
        })
        .collect();
    let table = list(
        &["rule", "upload", "fine-tune", "says"],
        &rows,
        screen::width().into(),
    );
    screen::print(&format!(
        "{table}\nLevels of policy {}, as of {}.\n",
        policy.id, policy.as_of
    ))
}

/// `hardware`.
pub(crate) fn hardware(choice: &PolicyChoice) -> Result<(), Failure> {
    let policy = policy::choose(&choice.policy)?;
    let id = policy.platform.hardware.get().map_err(|_| {
        Failure::undecided(format!(
            "policy `{}` does not say which hardware there is",
            policy.id
        ))
    })?;
    let rows: Vec<_> = Hardware::built_in()
        .options(id)
        .into_iter()
        .map(|option| {
            vec![
                option.id,
                option.count.to_string(),
                option.gpu.memory_mib.to_string(),
                option.gpu.visible_mib.to_string(),
                option.gpu.name,
            ]
        })
        .collect();
    let headers = ["hardware", "GPUs", "MiB each", "MiB usable", "GPU"];
    let table = list(&headers, &rows, screen::width().into());
    screen::print(&format!(
        "{table}\nMiB each: as the driver (nvidia-smi) reports a GPU; MiB usable: as CUDA reports\nit to a program. Sources: hardware/together.toml of preflight-rules, read\n{}.\n",
        policy.as_of
    ))
}

/// `base-models [MODEL]`.
pub(crate) fn base_models(arguments: &BaseModels) -> Result<(), Failure> {
    let policy = policy::choose(&arguments.policy.policy)?;
    let Ok(Some(catalog)) = policy.target(Target::FineTune).base_models() else {
        return Err(Failure::undecided(format!(
            "the base models of policy `{}` are not known",
            policy.id
        )));
    };
    match &arguments.model {
        None => all(catalog),
        Some(model) => {
            let judge = Judge {
                reading: Reading::new(&arguments.hub),
                targets: &[Target::FineTune],
                policy: &policy,
                options: &check::training(&arguments.training),
            };
            let model = judge.reading.at_revision(ModelRef::from_argument(model)?)?;
            let report = judge.check(&model)?;
            if report.base_models.is_empty() {
                return Err(Failure::undecided(format!(
                    "`{}` cannot be compared: its config.json could not be read",
                    report.input
                )));
            }
            ranking(&report.base_models)
        }
    }
}

fn all(catalog: &Catalog) -> Result<(), Failure> {
    let unknown = || "?".to_owned();
    let rows: Vec<_> = catalog
        .models
        .iter()
        .map(|base| {
            vec![
                base.name.clone(),
                base.model_type.clone().unwrap_or_else(unknown),
                base.parameters.map_or_else(unknown, billions),
                base.context_sft.to_string(),
                base.context_dpo.to_string(),
                training_types(base),
            ]
        })
        .collect();
    let headers = ["base model", "type", "params", "SFT", "DPO", "training"];
    let table = list(&headers, &rows, screen::width().into());
    screen::print(&format!(
        "{table}\nCatalog {}, as of {}: {}\n",
        catalog.id, catalog.as_of, catalog.source
    ))
}

fn ranking(matches: &[preflight_rules::report::BaseModelMatch]) -> Result<(), Failure> {
    let rows: Vec<_> = matches
        .iter()
        .map(|base| {
            vec![
                base.name.clone(),
                if base.compatible { "yes" } else { "no" }.to_owned(),
                base.reasons.join("; "),
            ]
        })
        .collect();
    let table = list(
        &["base model", "fits", "because"],
        &rows,
        screen::width().into(),
    );
    screen::print(&table)
}

fn training_types(base: &BaseModel) -> String {
    let words: Vec<_> = base
        .training_types
        .iter()
        .map(|kind| match kind {
            TrainingType::Lora => "lora",
            TrainingType::Full => "full",
        })
        .collect();
    words.join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn billions(count: u64) -> String {
    format!("{:.1} B", count as f64 / 1e9)
}
