//! The report as people and pipelines read it: one file per format, each with one function that
//! writes a finished [`Report`](preflight_rules::report::Report). Nothing is selected, ordered or
//! judged here.

pub mod escape;
pub mod json;
pub mod jsonl;
pub mod lists;
pub mod page;
pub mod schema;
pub mod table;
mod text;
mod units;
