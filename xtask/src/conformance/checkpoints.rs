//! 128 checkpoints in every layout, whose true totals are known.

use preflight_model::architecture::is_described;
use preflight_model::checkpoint::Checkpoint;
use preflight_model::fact::Fact;
use serde_json::Value;

use super::data::{self, Shared};
use super::suite::Suite;

const FILE: &str = "data/checkpoint-layouts.jsonl";

/// Counts (logical parameters and stored elements), and of what is not quantised the tensors that the
/// class expects.
pub(crate) fn suites(shared: &Shared) -> Result<[Suite; 2], String> {
    let mut totals = Suite::new("checkpoints, totals");
    let mut tensors = Suite::new("checkpoints, expected tensors");
    for row in models(shared)? {
        let id = data::name(&row, "id")?;
        let class = data::name(&row, "class")?;
        let mut config = row["config"].clone();
        config["architectures"] = Value::from(vec![class]);
        let snapshot = data::model(&config, &row["layout"])?;
        let checkpoint = Checkpoint::read(&snapshot);
        let found = &checkpoint.parameters;
        totals.compare(
            format!("{id} (parameters)"),
            found.total,
            row["params_logical"].as_u64(),
        );
        totals.compare(
            format!("{id} (stored elements)"),
            found.stored_elements,
            row["file_elements_total"].as_u64(),
        );
        if row["quant"].is_null() && is_described(class) {
            let differences = match &checkpoint.comparison {
                Fact::Known(found) => format!(
                    "{} missing, {} unexpected, {} of wrong shape",
                    found.missing.len(),
                    found.unexpected.len(),
                    found.wrong_shape.len()
                ),
                other => format!("{other:?}"),
            };
            tensors.compare(
                format!("{id} (tensors)"),
                differences.as_str(),
                "0 missing, 0 unexpected, 0 of wrong shape",
            );
        }
    }
    Ok([totals, tensors])
}

/// All lines but those of adapters.
fn models(shared: &Shared) -> Result<Vec<Value>, String> {
    let mut rows = shared.lines(FILE)?;
    rows.retain(|row| !row["config"].is_null());
    Ok(rows)
}
