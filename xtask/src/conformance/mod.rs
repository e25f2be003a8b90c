//! Holds what the product says against what transformers 4.55.4 really did (`../shared/data`, made by
//! running it) and against real model folders (`../shared/corpus`). Nothing of that folder is needed to
//! build or test the product: where it is not there, the suites are skipped, and said so.

mod checkpoints;
mod corpus;
mod data;
mod explained;
mod index;
mod loading;
mod presets;
mod suite;

use std::fmt::Write as _;
use std::path::PathBuf;

use data::Shared;
use suite::Suite;

/// What the suites found.
pub(crate) struct Found {
    /// The table, and every disagreement with its reason.
    pub(crate) text: String,
    /// Whether all disagreements are explained and none of the explanations is out of date.
    pub(crate) good: bool,
}

/// Runs all suites; each reads one file or folder of `../shared`.
pub(crate) fn run() -> Result<Found, String> {
    let Some(shared) = Shared::beside(crate::repository()) else {
        let path: PathBuf = crate::repository().join("../shared");
        return Ok(Found {
            text: format!(
                "skipped: {} is not here, so nothing was compared\n",
                path.display()
            ),
            good: true,
        });
    };
    let [totals, tensors] = checkpoints::suites(&shared)?;
    let suites = [
        loading::load_probes(&shared)?,
        totals,
        tensors,
        presets::loading(&shared)?,
        presets::context(&shared)?,
        presets::cache(&shared)?,
        presets::tensors(&shared)?,
        loading::corpus_by_the_oracle(&shared)?,
        corpus::pipeline(&shared)?,
        corpus::files_that_python_reads(&shared)?,
        index::facts(&shared)?,
    ];
    Ok(report(&suites))
}

fn report(suites: &[Suite]) -> Found {
    let mut text = String::new();
    for suite in suites {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{suite}");
    }
    let used: Vec<&str> = suites.iter().flat_map(Suite::explained).collect();
    let stale = explained::stale(&used);
    for case in &stale {
        let _ = writeln!(text, "no longer disagrees, delete its explanation: {case}");
    }
    let unexplained: usize = suites.iter().map(|suite| suite.unexplained.len()).sum();
    let _ = writeln!(
        text,
        "{} suites: {} of {} agree, {} disagreements are explained above, {unexplained} are not",
        suites.len(),
        suites.iter().map(|suite| suite.agree).sum::<usize>(),
        suites.iter().map(Suite::cases).sum::<usize>(),
        used.len(),
    );
    Found {
        text,
        good: unexplained == 0 && stale.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    /// The same as `cargo xtask conformance`, so that no change lands that loses agreement.
    #[test]
    fn everything_agrees_or_is_explained() {
        let found = super::run().expect("the files of ../shared can be read");
        assert!(found.good, "{}", found.text);
    }
}
