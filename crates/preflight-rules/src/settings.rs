//! What a user settles for all checks: `byom-preflight.toml`, parsed. `docs/configuration.md` describes it.
//!
//! A user may be stricter than the policy, may weigh a rule otherwise, and may set a rule aside with a
//! reason. All of it shows in the report.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::policy::{self, Policy};
use crate::report::{Level, ModelReport, Outcome, RuleRow, Target};
use crate::rules::{RULES, rule};
use crate::suggest;

/// A configuration file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configuration {
    /// What models are meant for.
    pub targets: Option<Vec<Target>>,
    /// A shipped policy, or the path of one, relative to the file.
    pub policy: Option<String>,
    /// The base model of fine-tuning jobs.
    pub base_model: Option<String>,
    /// Whether warnings fail a check.
    pub fail_on_warning: Option<bool>,
    /// What changes how rules are judged.
    pub settings: Settings,
}

/// What changes how rules are judged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Limits of the user's own.
    pub limits: Limits,
    levels: BTreeMap<(&'static str, Target), Level>,
    exceptions: Vec<Exception>,
}

/// Limits of the user's own: for both targets, beside those of the platform.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Most logical parameters.
    #[serde(default, deserialize_with = "count")]
    pub parameters_max: Option<u64>,
    /// Most bytes of all weight files that the loader opens; of an adapter, of its own.
    #[serde(default, deserialize_with = "count")]
    pub weights_bytes_max: Option<u64>,
    /// Fewest tokens of context; of an adapter, of its base.
    #[serde(default, deserialize_with = "count")]
    pub context_length_min: Option<u64>,
    /// Highest rank of an adapter.
    #[serde(default, deserialize_with = "count")]
    pub adapter_rank_max: Option<u64>,
}

impl Limits {
    /// Whether one of them is judged by this rule.
    pub(crate) fn are_judged_by(self, rule: &str) -> bool {
        match rule {
            "parameters-over-limit" => self.parameters_max.is_some(),
            "own-limit-exceeded" => {
                self.weights_bytes_max.is_some()
                    || self.context_length_min.is_some()
                    || self.adapter_rank_max.is_some()
            }
            _ => false,
        }
    }
}

/// A rule that is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Its id.
    pub rule: &'static str,
    /// What of it is set aside.
    pub kind: ExceptionKind,
    /// For these targets.
    pub targets: Vec<Target>,
    /// Why.
    pub reason: String,
    /// The last day that it holds, in UTC.
    pub until: Option<Day>,
    /// The line of the file where it stands, from 1.
    pub line: usize,
}

/// What of a rule is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExceptionKind {
    /// Whatever it finds, or cannot find out.
    Ignore,
    /// That it cannot find out.
    AllowUnknown,
}

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: i64,
    month: i64,
    of_month: i64,
}

/// Why a file is no configuration, with line and column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a configuration\n{detail}")]
pub struct ConfigurationError {
    /// The file.
    pub path: String,
    /// Line, caret and what is wrong there, several lines.
    pub detail: String,
}

impl Configuration {
    /// Parses a file; `path` is only for messages.
    pub fn parse(text: &str, path: &str) -> Result<Self, ConfigurationError> {
        let wrong = |detail: String| ConfigurationError {
            path: path.into(),
            detail,
        };
        let file: File = toml::from_str(text).map_err(|error| wrong(policy::describe(&error)))?;
        let mut exceptions = Vec::new();
        let lists = [
            (ExceptionKind::Ignore, file.ignore),
            (ExceptionKind::AllowUnknown, file.allow_unknown),
        ];
        for (kind, list) in lists {
            for written in list {
                let line = line_of(text, written.span().start);
                let exception = written.into_inner().of(kind, line);
                let same = |other: &&Exception| {
                    other.rule == exception.rule
                        && other.kind == kind
                        && other
                            .targets
                            .iter()
                            .any(|it| exception.targets.contains(it))
                };
                if let Some(first) = exceptions.iter().find(same) {
                    return Err(wrong(format!(
                        "line {line}: `{}` is set aside in line {} already",
                        exception.rule, first.line
                    )));
                }
                exceptions.push(exception);
            }
        }
        let mut levels = BTreeMap::new();
        for (RuleId(id), Levels(of_rule)) in file.levels {
            levels.extend(
                of_rule
                    .into_iter()
                    .map(|(target, level)| ((id, target), level)),
            );
        }
        Ok(Self {
            targets: file.targets.map(|targets| targets.0),
            policy: file.policy,
            base_model: file.base_model,
            fail_on_warning: file.fail_on.map(|level| matches!(level, FailOn::Warning)),
            settings: Settings {
                limits: file.limits,
                levels,
                exceptions,
            },
        })
    }
}

impl Settings {
    /// The level that the user gives a rule.
    pub(crate) fn level(&self, rule: &'static str, target: Target) -> Option<Level> {
        self.levels.get(&(rule, target)).copied()
    }

    /// The rules whose level the user gives for targets for which the policy does not have them: that changes
    /// nothing, which whoever wrote it does not know.
    pub fn levels_of_no_use(&self, policy: &Policy) -> Vec<&'static str> {
        let is_used = |(rule, target): &(&'static str, Target)| {
            policy.level(rule, *target).is_some() || self.limits.are_judged_by(rule)
        };
        let used: BTreeSet<_> = self.levels.keys().filter(|key| is_used(key)).collect();
        let mut rules: Vec<_> = self.levels.keys().map(|(rule, _)| *rule).collect();
        rules.dedup();
        rules.retain(|rule| !used.iter().any(|(other, _)| other == rule));
        rules
    }

    /// What sets a rule that ended so aside for this target, be it over or not.
    fn find(&self, rule: &str, target: Target, outcome: Outcome) -> Option<&Exception> {
        self.exceptions.iter().find(|exception| {
            exception.rule == rule
                && exception.targets.contains(&target)
                && match exception.kind {
                    ExceptionKind::Ignore => {
                        matches!(outcome, Outcome::Fail | Outcome::Warn | Outcome::Unknown)
                    }
                    ExceptionKind::AllowUnknown => outcome == Outcome::Unknown,
                }
        })
    }

    /// Why a rule that ended so is set aside at `now`; or a note where that is over.
    pub(crate) fn set_aside(
        &self,
        rule: &str,
        target: Target,
        outcome: Outcome,
        now: Option<i64>,
    ) -> Option<Result<String, String>> {
        let exception = self.find(rule, target, outcome)?;
        Some(match exception.until.filter(|_| !exception.holds(now)) {
            None => Ok(exception.to_string()),
            Some(_) if now.is_none() => Err(
                "it is set aside until a day, and the clock of this machine cannot be read".into(),
            ),
            Some(until) => Err(format!("it was set aside until {until}, and is no longer")),
        })
    }

    /// What is set aside, in the order of the file: ignores first.
    pub fn exceptions(&self) -> &[Exception] {
        &self.exceptions
    }

    /// The exceptions that a report made use of, by their place in [`Settings::exceptions`].
    pub fn used_by(&self, report: &ModelReport) -> Vec<usize> {
        let uses = |exception: &Exception, row: &RuleRow| {
            row.id == exception.rule
                && row.ignored.as_ref() == Some(&exception.to_string())
                && row.targets.iter().any(|it| exception.targets.contains(it))
        };
        (0..self.exceptions.len())
            .filter(|&at| {
                report
                    .rules
                    .iter()
                    .any(|row| uses(&self.exceptions[at], row))
            })
            .collect()
    }
}

impl Exception {
    /// Whether it holds at a time; one that ends holds at no time that is not known.
    pub fn holds(&self, now: Option<i64>) -> bool {
        match self.until {
            None => true,
            Some(until) => now.is_some_and(|now| now < until.end()),
        }
    }
}

/// What the report shows of it.
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == ExceptionKind::AllowUnknown {
            f.write_str("unknown is allowed: ")?;
        }
        f.write_str(&self.reason)?;
        self.until
            .map_or(Ok(()), |until| write!(f, " (until {until})"))
    }
}

impl Day {
    /// The day of `2026-03-01`.
    fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let is_shaped = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
        let number = |range: std::ops::Range<usize>| {
            let part = text.get(range)?;
            part.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| part.parse().ok())?
        };
        if !is_shaped {
            return None;
        }
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => return None,
        };
        (1..=days).contains(&day).then_some(Self {
            year,
            month,
            of_month: day,
        })
    }

    /// The first second after it, since 1970-01-01 UTC.
    /// Source: `days_from_civil`, <https://howardhinnant.github.io/date_algorithms.html>
    fn end(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month = (self.month + 9) % 12;
        let day_of_year = (153 * month + 2) / 5 + self.of_month - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        (era * 146_097 + day_of_era - 719_468 + 1) * 86_400
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.of_month)
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or_default().matches('\n').count()
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    targets: Option<Targets>,
    policy: Option<String>,
    base_model: Option<String>,
    fail_on: Option<FailOn>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    levels: BTreeMap<RuleId, Levels>,
    #[serde(default, deserialize_with = "tables")]
    ignore: Vec<Spanned<Written>>,
    #[serde(default, deserialize_with = "tables")]
    allow_unknown: Vec<Spanned<Written>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum FailOn {
    Error,
    Warning,
}

/// A number of something, of which there is at least one.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = toml::Value::deserialize(deserializer)?;
    let count = value
        .as_integer()
        .and_then(|count| u64::try_from(count).ok());
    let count = count.filter(|&count| count > 0).ok_or_else(|| {
        D::Error::custom("write a whole number above 0 without a unit, such as 70_000_000_000")
    })?;
    Ok(Some(count))
}

/// The `[[…]]` tables of one name.
fn tables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Spanned<Written>>, D::Error> {
    struct Tables;
    impl<'de> Visitor<'de> for Tables {
        type Value = Vec<Spanned<Written>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of tables: two brackets on each side, as in `[[ignore]]`")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
            let mut tables = Vec::new();
            while let Some(table) = all.next_element()? {
                tables.push(table);
            }
            Ok(tables)
        }
    }
    deserializer.deserialize_seq(Tables)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rule: RuleId,
    reason: Reason,
    targets: Option<Targets>,
    until: Option<Day>,
}

impl Written {
    fn of(self, kind: ExceptionKind, line: usize) -> Exception {
        Exception {
            rule: self.rule.0,
            kind,
            targets: self
                .targets
                .map_or(Target::ALL.to_vec(), |targets| targets.0),
            reason: self.reason.0,
            until: self.until,
            line,
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct RuleId(&'static str);

impl<'de> Deserialize<'de> for RuleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        rule(&text).map(|rule| Self(rule.id)).ok_or_else(|| {
            let meant = suggest::closest(&text, RULES.iter().map(|rule| rule.id));
            let hint = meant.map_or_else(
                || "`byom-preflight rules` lists them".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            D::Error::custom(format!("unknown rule `{text}`; {hint}"))
        })
    }
}

struct Reason(String);

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words: Vec<_> = text.split_whitespace().collect();
        if words.is_empty() {
            return Err(D::Error::custom(
                "`reason` is empty: say why, the report shows it",
            ));
        }
        Ok(Self(words.join(" ")))
    }
}

struct Targets(Vec<Target>);

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FORM: &str = "write a list, such as [\"upload\"]";
        let value = toml::Value::deserialize(deserializer)?;
        let words = value.as_array().ok_or_else(|| D::Error::custom(FORM))?;
        let targets: Result<Vec<_>, _> = words
            .iter()
            .map(|word| target(word.as_str().ok_or(FORM)?))
            .collect();
        let mut targets = targets.map_err(D::Error::custom)?;
        targets.sort_unstable();
        targets.dedup();
        if targets.is_empty() {
            return Err(D::Error::custom("`targets` is empty; leave it out for all"));
        }
        Ok(Self(targets))
    }
}

fn target(word: &str) -> Result<Target, String> {
    let found = Target::ALL.into_iter().find(|it| it.as_str() == word);
    found.ok_or_else(|| format!("no target is called `{word}`; there are `upload`, `fine-tune`"))
}

/// A level for all targets, or a table with one for some.
struct Levels(Vec<(Target, Level)>);

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FORM: &str = "write a level, or a table such as { upload = \"warning\" }";
        let of = |word: &str| match word {
            "error" => Ok(Level::Error),
            "warning" => Ok(Level::Warning),
            "note" => Ok(Level::Note),
            "off" => Err(D::Error::custom(
                "no rule is turned off without a reason: write an `[[ignore]]` for it",
            )),
            _ => Err(D::Error::custom(format!(
                "no level is called `{word}`; there are `error`, `warning`, `note`"
            ))),
        };
        let levels: Result<Vec<_>, D::Error> = match toml::Value::deserialize(deserializer)? {
            toml::Value::String(word) => {
                let level = of(&word)?;
                Ok(Target::ALL.map(|target| (target, level)).to_vec())
            }
            toml::Value::Table(table) => table
                .iter()
                .map(|(key, value)| {
                    let word = value.as_str().ok_or_else(|| D::Error::custom(FORM))?;
                    Ok((target(key).map_err(D::Error::custom)?, of(word)?))
                })
                .collect(),
            _ => Err(D::Error::custom(FORM)),
        };
        let levels = levels?;
        if levels.is_empty() {
            return Err(D::Error::custom(FORM));
        }
        Ok(Self(levels))
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match toml::Value::deserialize(deserializer)? {
            toml::Value::Datetime(date) => date.to_string(),
            toml::Value::String(text) => text,
            _ => return Err(D::Error::custom("write a day, such as 2026-03-01")),
        };
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom(format!("`{text}` is not a day such as 2026-03-01")))
    }
}

#[cfg(test)]
mod tests;
