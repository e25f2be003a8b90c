//! Not knowing is a result: [`Fact`] keeps "absent", "broken" and "could not look" apart.

use crate::json::{Error, Place};

/// Something the repository says, or why we cannot tell what it says.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact<T> {
    /// Read and understood.
    Known(T),
    /// Looked for and not there.
    Absent,
    /// There, but not what the loader can read; a rule reports it.
    Malformed(Defect),
    /// Not looked at: out of reach, not fetched, not a regular file. The text says why.
    Unavailable(String),
}

impl<T> Fact<T> {
    /// The value, or the [`Gap`] that ends a rule.
    pub fn get(&self) -> Result<&T, Gap> {
        match self {
            Self::Known(value) => Ok(value),
            Self::Absent => Err(Gap::DoesNotApply("absent".into())),
            Self::Malformed(defect) => Err(Gap::Malformed(defect.message.clone())),
            Self::Unavailable(why) => Err(Gap::Unavailable(why.clone())),
        }
    }

    /// The value where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it was looked for and is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether it may well be there but was not looked at.
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// What a JSON file is that was not parsed: broken, `what` says how, unless a bound of ours ended the
    /// reading, for the loader may well read it.
    pub(crate) fn unparsed(path: &str, text: &[u8], what: &str, error: &Error) -> Self {
        if error.is_bound {
            return Self::Unavailable(format!(
                "`{path}` is larger than what is read: {}",
                error.message
            ));
        }
        let place = Place::of_offset(text, error.at, "");
        Self::Malformed(Defect::at(path, place, format!("{what}{}", error.message)))
    }

    /// The same fact about something computed from the value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(f(value)),
            Self::Absent => Fact::Absent,
            Self::Malformed(defect) => Fact::Malformed(defect),
            Self::Unavailable(why) => Fact::Unavailable(why),
        }
    }

    /// Like [`Fact::map`] for a step that itself yields a fact.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Fact<U>) -> Fact<U> {
        match self {
            Self::Known(value) => f(value),
            Self::Absent => Fact::Absent,
            Self::Malformed(defect) => Fact::Malformed(defect),
            Self::Unavailable(why) => Fact::Unavailable(why),
        }
    }

    /// A fact that borrows the value.
    pub fn as_ref(&self) -> Fact<&T> {
        match self {
            Self::Known(value) => Fact::Known(value),
            Self::Absent => Fact::Absent,
            Self::Malformed(defect) => Fact::Malformed(defect.clone()),
            Self::Unavailable(why) => Fact::Unavailable(why.clone()),
        }
    }
}

impl<T> From<Option<T>> for Fact<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Known)
    }
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Defect {
    /// Lower case, no final stop, values in backticks.
    pub message: String,
    /// Path inside the repository.
    pub path: String,
    /// The offending place, where the file is text.
    pub place: Option<Place>,
}

impl Defect {
    /// A defect of a whole file.
    pub fn of_file(path: &str, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            path: path.into(),
            place: None,
        }
    }

    /// A defect at one place of a file.
    pub fn at(path: &str, place: Place, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            path: path.into(),
            place: Some(place),
        }
    }
}

/// Why a rule ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The rule does not concern this model.
    DoesNotApply(String),
    /// What it needs is broken; another rule says so.
    Malformed(String),
    /// What it needs could not be read.
    Unavailable(String),
    /// What it needs was read, but what it means is not known.
    Unknown(String),
}

impl Gap {
    /// The same gap with another text.
    #[must_use]
    pub fn map(self, f: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::DoesNotApply(why) => Self::DoesNotApply(f(why)),
            Self::Malformed(why) => Self::Malformed(f(why)),
            Self::Unavailable(why) => Self::Unavailable(f(why)),
            Self::Unknown(why) => Self::Unknown(f(why)),
        }
    }
}
