//! `byom-preflight.toml`: where it is found, and `init`, which writes one. What it means is settled in
//! `preflight_rules::settings`. The command line beats the environment beats the file.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use preflight_rules::policy::Policy;
use preflight_rules::settings::{Configuration, ExceptionKind, Settings};

use crate::args::PolicyChoice;
use crate::failure::{Failure, say};
use crate::policy;

/// The file's name.
const NAME: &str = "byom-preflight.toml";
/// Most bytes of it.
const BYTES_MAX: u64 = 1 << 20;
/// Names the file where the command line does not.
const VARIABLE: &str = "BYOM_PREFLIGHT_CONFIG";
/// What `init` writes.
const TEMPLATE: &str = include_str!("configuration.toml");
/// The policy where nobody names one.
const POLICY: &str = "together-2025-11";

/// The configuration of a run; that of an empty file where there is none.
#[derive(Debug, Default)]
pub(crate) struct Configured {
    pub(crate) configuration: Configuration,
    path: Option<PathBuf>,
}

impl Configured {
    /// The file that `--config` names, or the first on the way up from the working folder.
    pub(crate) fn find(choice: &PolicyChoice) -> Result<Self, Failure> {
        if choice.no_config {
            return Ok(Self::default());
        }
        // Not clap's, for which a variable would conflict with `--no-config` in place of giving way to it.
        let variable = || std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
        if let Some(path) = choice.config.clone().or_else(|| variable().map(Into::into)) {
            return Self::read(&path);
        }
        let here = std::env::current_dir().unwrap_or_default();
        let found = here
            .ancestors()
            .map(|folder| folder.join(NAME))
            // One that cannot be read must not be passed over: what it says might decide.
            .find(|path| path.symlink_metadata().is_ok());
        let Some(path) = found else {
            return Ok(Self::default());
        };
        let shown = path.strip_prefix(&here).unwrap_or(&path);
        say(&format!("note: settings from `{}`", shown.display()));
        Self::read(&path)
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let cannot =
            |why: String| Failure::usage(format!("cannot read the configuration `{shown}`: {why}"));
        if path.exists() && !path.is_file() {
            return Err(cannot("not a regular file".into()));
        }
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text))
            .map_err(|error| cannot(error.to_string()))?;
        if text.len() as u64 > BYTES_MAX {
            return Err(cannot(format!("it has more than {BYTES_MAX} bytes")));
        }
        Ok(Self {
            configuration: Configuration::parse(&text, &shown)
                .map_err(Failure::usage_with_lines)?,
            path: Some(path.into()),
        })
    }

    /// The policy that the user chose.
    pub(crate) fn policy(&self, choice: &PolicyChoice) -> Result<Policy, Failure> {
        let given = choice.policy.as_deref().filter(|given| !given.is_empty());
        if let Some(given) = given {
            return policy::choose(given);
        }
        let Some(named) = &self.configuration.policy else {
            return policy::choose(POLICY);
        };
        if !policy::is_path(named) {
            return policy::choose(named);
        }
        // A path in a file is meant from where the file is.
        let folder = self.path.as_deref().and_then(Path::parent);
        let path = folder.unwrap_or(Path::new("")).join(named);
        policy::read(&path.display().to_string())
    }

    /// Tells which exceptions are over at `now`.
    pub(crate) fn tell_ended(&self, now: Option<i64>) {
        for exception in self.settings().exceptions() {
            if !exception.holds(now)
                && let Some(until) = exception.until
            {
                self.warn(
                    exception.line,
                    &format!("what sets `{}` aside ended on {until}", exception.rule),
                );
            }
        }
    }

    /// Tells which levels change nothing under this policy.
    pub(crate) fn tell_levels(&self, policy: &Policy) {
        let path = self.path.as_deref().unwrap_or(Path::new(NAME));
        for rule in self.settings().levels_of_no_use(policy) {
            say(&format!(
                "warning: `{}`: the level of `{rule}` changes nothing: policy `{}` does not have the rule for that target",
                path.display(),
                policy.id
            ));
        }
    }

    /// Tells which ignores no report made use of. `is_asked` says of a target whether it was judged.
    pub(crate) fn tell_unused(
        &self,
        used: &[bool],
        now: Option<i64>,
        is_asked: impl Fn(preflight_rules::report::Target) -> bool,
    ) {
        for (exception, is_used) in self.settings().exceptions().iter().zip(used) {
            let is_due = exception.kind == ExceptionKind::Ignore
                && exception.holds(now)
                && exception.targets.iter().any(|target| is_asked(*target));
            if is_due && !is_used {
                self.warn(
                    exception.line,
                    &format!(
                        "the ignore of `{}` matches nothing: remove it",
                        exception.rule
                    ),
                );
            }
        }
    }

    fn warn(&self, line: usize, what: &str) {
        let path = self.path.as_deref().unwrap_or(Path::new(NAME));
        say(&format!(
            "warning: `{}`, line {line}: {what}",
            path.display()
        ));
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.configuration.settings
    }
}

/// The policy for a command that judges nothing.
pub(crate) fn policy_of(choice: &PolicyChoice) -> Result<Policy, Failure> {
    Configured::find(choice)?.policy(choice)
}

/// `init`: writes a configuration that changes nothing yet.
pub(crate) fn init(force: bool) -> Result<(), Failure> {
    let mut options = File::options();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options
        .open(NAME)
        .and_then(|mut file| file.write_all(TEMPLATE.as_bytes()));
    match written {
        Ok(()) => say(&format!("wrote `{NAME}`")),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::usage(format!(
                "`{NAME}` exists; `--force` writes it anew"
            )));
        }
        Err(error) => {
            return Err(Failure::usage(format!("cannot write `{NAME}`: {error}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_init_writes_changes_nothing_and_every_example_in_it_is_right() {
        let empty = Configuration::parse(TEMPLATE, NAME).unwrap();
        assert_eq!(empty, Configuration::default());
        // Prose begins with `# `, an example with `#` alone.
        let examples: Vec<_> = TEMPLATE
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(example) if !example.starts_with(' ') => example,
                _ => line,
            })
            .collect();
        let all = Configuration::parse(&examples.join("\n"), NAME).unwrap();
        assert!(all.targets.is_some() && all.policy.is_some() && all.base_model.is_some());
        assert!(all.fail_on_warning.is_some() && all.settings.limits.parameters_max.is_some());
        let limits = all.settings.limits;
        assert!(limits.weights_bytes_max.is_some() && limits.context_length_min.is_some());
        assert!(limits.adapter_rank_max.is_some());
        assert_eq!(all.settings.exceptions().len(), 2);
    }
}
