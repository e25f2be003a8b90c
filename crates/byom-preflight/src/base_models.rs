//! `base-models [MODEL]`: the catalog, or its ranking for a model.

use preflight_report::base_models;
use preflight_rules::case::Options;
use preflight_rules::catalog::Catalog;
use preflight_rules::report::{CatalogUsed, Target};
use preflight_source::ModelRef;

use crate::args::{BaseModels, ListFormat};
use crate::check::Judge;
use crate::failure::Failure;
use crate::read::Reading;
use crate::{catalog, check, configuration, screen};

/// Lists the base models, or ranks them for a model.
pub(crate) fn run(arguments: &BaseModels) -> Result<(), Failure> {
    let policy = configuration::policy_of(&arguments.policy)?;
    let live = catalog::choose(arguments.catalog.catalog.as_deref())?;
    let used = catalog::used(&policy, live.as_deref(), check::now());
    let Some(catalog) = catalog::base_models(&policy, live.as_deref()) else {
        return Err(Failure::undecided(format!(
            "the base models of policy `{}` are not known",
            policy.id
        )));
    };
    let Some(model) = &arguments.model else {
        return all(catalog, &used, arguments);
    };
    let judge = Judge {
        reading: Reading::new(&arguments.hub),
        targets: &[Target::FineTune],
        policy: &policy,
        options: &Options {
            live: live.clone(),
            ..check::training(&arguments.training)
        },
    };
    let model = judge.reading.at_revision(ModelRef::from_argument(model)?)?;
    let report = judge.check(&model)?;
    if report.base_models.is_empty() {
        return Err(Failure::undecided(format!(
            "`{}` cannot be compared: its config.json could not be read",
            report.input
        )));
    }
    let named = base_models::Named {
        model: &report.input,
        policy: (&policy.id, &policy.as_of),
        catalog: &used,
    };
    screen::print(&match arguments.format {
        ListFormat::Json => base_models::json(&named, &report.base_models),
        ListFormat::Table => base_models::table(
            &named,
            &report.base_models,
            screen::width().into(),
            arguments.verbose,
        ),
    })
}

fn all(catalog: &Catalog, used: &CatalogUsed, arguments: &BaseModels) -> Result<(), Failure> {
    screen::print(&match arguments.format {
        ListFormat::Json => base_models::catalog_json(catalog, used),
        ListFormat::Table => base_models::catalog_table(catalog, used, screen::width().into()),
    })
}
