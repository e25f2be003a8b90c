//! The commands that show what the program knows: rules, hardware.

use preflight_report::lists::list;
use preflight_report::page;
use preflight_rules::hardware::Hardware;
use preflight_rules::report::Target;
use preflight_rules::{RULES, suggest};

use crate::args::PolicyChoice;
use crate::failure::Failure;
use crate::{configuration, screen};

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
    screen::print(&format!(
        "{table}\nLevels of policy {}, as of {}.\n",
        policy.id, policy.as_of
    ))
}

/// `hardware`.
pub(crate) fn hardware(choice: &PolicyChoice) -> Result<(), Failure> {
    let policy = configuration::policy_of(choice)?;
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
                option.gpu.memory_mib.to_string(),
                option.gpu.visible_mib.to_string(),
                option.as_of,
                option.gpu.name,
            ]
        })
        .collect();
    let headers = ["hardware", "MiB", "usable", "as of", "GPU"];
    let table = list(&headers, &rows, screen::width().into());
    screen::print(&format!(
        "{table}\nMiB of one GPU: as the driver (nvidia-smi) reports it, and usable, as CUDA\nreports it to a program. Sources: hardware/together.toml of preflight-rules;\nwhat is made of it: docs/memory.md.\n"
    ))
}
