//! One suite: what was compared, and what did not agree.

use std::fmt::{self, Debug, Display};

use super::explained;

/// Comparisons of one kind.
pub(crate) struct Suite {
    name: &'static str,
    pub(crate) agree: usize,
    explained: Vec<(String, String, &'static str)>,
    pub(crate) unexplained: Vec<String>,
}

impl Suite {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            agree: 0,
            explained: Vec::new(),
            unexplained: Vec::new(),
        }
    }

    /// Compares what we say with what the reference says; `case` is what an explanation is found by.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "short values, and literals read better"
    )]
    pub(crate) fn compare<T: PartialEq + Debug>(&mut self, case: String, ours: T, theirs: T) {
        if ours == theirs {
            self.agree += 1;
            return;
        }
        let difference = format!("ours {ours:?}, theirs {theirs:?}");
        match explained::why(&case) {
            Some(why) => self.explained.push((case, difference, why)),
            None => self.unexplained.push(format!("{case}: {difference}")),
        }
    }

    pub(crate) fn cases(&self) -> usize {
        self.agree + self.explained.len() + self.unexplained.len()
    }

    /// Cases that disagree with a reason.
    pub(crate) fn explained(&self) -> impl Iterator<Item = &str> {
        self.explained.iter().map(|(case, ..)| case.as_str())
    }
}

impl Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {} agree", self.name, self.agree, self.cases())?;
        for (case, difference, why) in &self.explained {
            write!(f, "\n  explained: {case}: {difference}\n    {why}")?;
        }
        for case in &self.unexplained {
            write!(f, "\n  DISAGREES: {case}")?;
        }
        Ok(())
    }
}
