//! JSON Lines: one model a line, for pipelines. Each line is what `models` of the JSON report holds,
//! with `schema_version`, `policy` and `catalog` added (`$defs/line` of [`crate::schema`]), so that a line can be
//! written as soon as its model is judged, and nothing has to be kept.

use std::io::{self, Write};

use preflight_rules::report::{CatalogUsed, ModelReport, Report};

use crate::json;

/// Writes all models, a line each.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for model in &report.models {
        write_model(&report.policy, &report.catalog, model, out)?;
    }
    Ok(())
}

/// Writes one model and a line end, in one call of `out`. `policy` and `catalog` are those of a [`Report`].
pub fn write_model(
    policy: &(String, String),
    catalog: &CatalogUsed,
    model: &ModelReport,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut line = json::line(policy, catalog, model)?;
    line.push('\n');
    out.write_all(line.as_bytes())
}
