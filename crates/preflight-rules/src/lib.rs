//! The platform's rules: policy and catalogs as data, one function a rule, the verdict.

mod adapter_bases;
mod adapters;
pub mod base_models;
pub mod case;
pub mod catalog;
pub mod evaluate;
pub mod fit;
pub mod hardware;
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
