//! The commands that show what the program knows: rules, hardware.

use preflight_report::lists::{list, paragraph};
use preflight_report::page;
use preflight_rules::date;
use preflight_rules::hardware::Offered;
use preflight_rules::report::Target;
use preflight_rules::{RULES, suggest};

use crate::args::{HardwareChoice, PolicyChoice};
use crate::failure::Failure;
use crate::{catalog, check, configuration, screen};

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
    let policy = configuration::policy_of(choice)?;
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
    let foot = format!("Levels of policy {}, as of {}.", policy.id, policy.as_of);
    screen::print(&format!(
        "{table}\n{}\n",
        paragraph(&foot, screen::width().into())
    ))
}

/// `hardware`.
pub(crate) fn hardware(arguments: &HardwareChoice) -> Result<(), Failure> {
    let policy = configuration::policy_of(&arguments.policy)?;
    let live = catalog::choose(arguments.catalog.catalog.as_deref())?;
    let offered = Offered::under(&policy, live.as_deref()).ok_or_else(|| {
        Failure::undecided(format!(
            "policy `{}` does not say which hardware there is",
            policy.id
        ))
    })?;
    let now = check::now();
    let used = offered.used(now);
    let unknown = offered.unknown.iter().map(|id| {
        let unknown = || "?".to_owned();
        let gpu = "not known here, so nothing is judged against it".to_owned();
        vec![
            (*id).to_owned(),
            unknown(),
            unknown(),
            used.as_of.clone(),
            gpu,
        ]
    });
    let rows: Vec<_> = offered
        .options
        .iter()
        .cloned()
        .map(|option| {
            vec![
                option.id,
                option.gpu.memory_mib.to_string(),
                option.gpu.visible_mib.to_string(),
                option.as_of,
                option.gpu.name,
            ]
        })
        .chain(unknown)
        .collect();
    let headers = ["hardware", "MiB", "usable", "as of", "GPU"];
    let table = list(&headers, &rows, screen::width().into());
    let odd = date::oddity(&used.as_of, now).map_or_else(String::new, |odd| format!(", {odd}"));
    let foot = format!(
        "Hardware of {} ({}){odd}. MiB of one GPU: as the driver (nvidia-smi) reports it, and usable, as CUDA reports it to a program. Sources: hardware/together.toml of preflight-rules; what is made of it: docs/memory.md.",
        used.as_of, used.origin
    );
    screen::print(&format!(
        "{table}\n{}\n",
        paragraph(&foot, screen::width().into())
    ))
}
