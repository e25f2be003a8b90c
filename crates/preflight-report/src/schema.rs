//! The JSON Schema of the JSON report: what `byom-preflight schema` prints.

/// JSON Schema (draft 2020-12) of [`crate::json`]. It requires every field of version 1 and forbids
/// none besides them: a later release may add fields, and a consumer ignores those it does not know.
pub const REPORT: &str = include_str!("../schema/report-v1.json");
