//! A rule is a value: metadata, its page and one function.

use preflight_model::fact::{Defect, Gap};
use preflight_model::facts::Facts;
use preflight_model::json::Cursor;

use crate::case::Case;
use crate::report::{FINDINGS_MAX, Finding};

/// One rule. Its level is not here: the policy gives it, per target.
#[derive(Debug)]
pub struct Rule {
    /// Names the defect, in kebab-case; the file name with `-` for `_`.
    pub id: &'static str,
    /// What a finding of this rule means, in one line.
    pub summary: &'static str,
    /// What to do about it, in a sentence or two.
    pub fix: &'static str,
    /// The page: what it checks, why it matters, how to fix it, an example of each outcome.
    pub docs: &'static str,
    /// What part of a repository it looks at.
    pub category: Category,
    /// Version of this program that first had it.
    pub since: &'static str,
    pub(crate) check: fn(&Facts<'_>, &Case<'_>) -> Outcome,
}

/// What part of a repository a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// Whether and where the repository can be read.
    Access,
    /// config.json and what it asks of the loader.
    Config,
    /// Weight files.
    Weights,
    /// Tokenizer and chat template.
    Tokenizer,
    /// What the platform offers: hardware, base models.
    Platform,
    /// The files of an adapter, and its base.
    Adapter,
    /// What the user's own configuration asks for.
    Limits,
}

impl Category {
    /// The word of listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Config => "config",
            Self::Weights => "weights",
            Self::Tokenizer => "tokenizer",
            Self::Platform => "platform",
            Self::Adapter => "adapter",
            Self::Limits => "limits",
        }
    }
}

/// What a rule's function yields: what it found, or why it could not tell.
pub(crate) type Outcome = Result<Findings, Gap>;

/// What a rule found. Nothing found is a pass.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Findings {
    /// What is wrong, at most [`FINDINGS_MAX`].
    pub(crate) problems: Vec<Finding>,
    /// Problems beyond those: a hostile index has millions.
    pub(crate) more_problems: usize,
    /// What is worth knowing and not wrong.
    pub(crate) notes: Vec<Finding>,
    /// A remedy for just this model, in place of the rule's own.
    pub(crate) fix: Option<String>,
}

impl Findings {
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn problem(finding: Finding) -> Self {
        Self {
            problems: vec![finding],
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, finding: Finding) {
        if self.problems.len() < FINDINGS_MAX {
            self.problems.push(finding);
        } else {
            self.more_problems += 1;
        }
    }

    pub(crate) fn with_note(mut self, finding: Finding) -> Self {
        self.notes.push(finding);
        self
    }

    pub(crate) fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

impl FromIterator<Finding> for Findings {
    fn from_iter<T: IntoIterator<Item = Finding>>(findings: T) -> Self {
        let mut all = Self::default();
        findings.into_iter().for_each(|finding| all.push(finding));
        all
    }
}

impl Finding {
    /// About the repository as a whole.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            path: None,
            pointer: None,
            line: None,
            column: None,
        }
    }

    /// About one file.
    pub(crate) fn in_file(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            ..Self::new(message)
        }
    }

    /// About one value of a JSON file.
    pub(crate) fn at(path: &str, cursor: &Cursor<'_>, message: impl Into<String>) -> Self {
        let defect = Defect::at(path, cursor.place(), message);
        Self::from(&defect)
    }

    /// About one value of config.json, or the file where the value is not there.
    pub(crate) fn in_config(cursor: Option<&Cursor<'_>>, message: impl Into<String>) -> Self {
        match cursor {
            Some(cursor) => Self::at("config.json", cursor, message),
            None => Self::in_file("config.json", message),
        }
    }
}

impl From<&Defect> for Finding {
    fn from(defect: &Defect) -> Self {
        let place = defect.place.as_ref();
        Self {
            message: defect.message.clone(),
            path: Some(defect.path.clone()),
            pointer: place
                .map(|place| place.pointer.clone())
                .filter(|pointer| !pointer.is_empty()),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
        }
    }
}
