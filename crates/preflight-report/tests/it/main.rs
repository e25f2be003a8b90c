//! The formats, each against golden files and, where there is one, its schema.

mod golden;
mod sample;
mod schema;
