//! The real binary, end to end. Needs no network, no Python and nothing outside this repository.
//!
//! `UPDATE_GOLDEN=1` writes the golden files anew.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends with the first surprise, and so do its helpers"
)]

mod program;
mod repo;

mod adapters;
mod bad_files;
mod bad_weights;
mod cache;
mod command_line;
mod configuration;
mod docs;
mod fixtures;
mod formats;
mod hub;
mod hub_campaign;
mod hub_faults;
mod large;
mod lists;
mod many;
mod memory;
mod recordings;
mod reference;
mod refresh;
mod terminal;
mod usage;
mod verdicts;
