//! The formats, each against golden files and, where there is one, its schema.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where its sample is not what it should be"
)]

mod golden;
mod hostile;
mod promises;
mod sample;
mod schema;
