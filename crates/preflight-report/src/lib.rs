//! The report as people and pipelines read it: one file per format, each with one function that
//! writes a finished [`Report`](preflight_rules::report::Report). Nothing is selected, ordered or
//! judged here.

pub mod base_models;
pub mod checkout;
pub mod escape;
pub mod github;
pub mod gitlab;
pub mod html;
pub mod json;
pub mod jsonl;
pub mod junit;
pub mod lists;
pub mod markdown;
mod markup;
pub mod page;
mod problem;
pub mod sarif;
pub mod schema;
pub mod table;
mod text;
mod told;
mod units;
mod words;
