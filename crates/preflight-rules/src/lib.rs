//! The platform's rules: policy and catalogs as data, one function a rule, the verdict.
//!
//! [`evaluate()`] takes a [`Checkpoint`](preflight_model::checkpoint::Checkpoint), the targets, a
//! [`Policy`](policy::Policy) and [`Options`](case::Options), and gives a
//! [`ModelReport`](report::ModelReport). It cannot fail and asks nobody; the example of `preflight-source` shows the
//! whole line. What the rules are, and what a policy makes of them, can be asked without a model:
//!
//! ```
//! use preflight_rules::policy::Policy;
//! use preflight_rules::report::{Level, Target};
//! use preflight_rules::{RULES, rule};
//!
//! let policy = Policy::load_shipped("together-2025-11")?;
//! let found = rule("shard-missing").expect("a rule");
//! assert_eq!(policy.level(found.id, Target::Upload), Some(Level::Error));
//! assert!(found.docs.contains("## How to fix it"));
//! assert!(RULES.iter().all(|rule| !rule.summary.is_empty()));
//! # Ok::<(), preflight_rules::policy::PolicyError>(())
//! ```

mod adapter_bases;
mod adapters;
pub mod base_models;
pub mod case;
pub mod catalog;
pub mod date;
pub mod evaluate;
pub mod fit;
pub mod hardware;
pub mod live;
pub mod policy;
pub mod report;
mod rule;
mod rules;
pub mod settings;
mod shape;
pub mod structure;
pub mod suggest;
mod summary;
#[cfg(test)]
mod testing;

pub use evaluate::evaluate;
pub use rule::{Category, Rule};
pub use rules::{RULES, rule};
