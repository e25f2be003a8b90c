//! Real folders: the whole program over each, and what is no JSON to Python is none to us.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use preflight_model::checkpoint::Checkpoint;
use preflight_model::json::Document;
use preflight_model::snapshot::Snapshot;
use preflight_report::table::TableOptions;
use preflight_rules::case::Options;
use preflight_rules::evaluate;
use preflight_rules::policy::Policy;
use preflight_rules::report::{CatalogUsed, Cost, Outcome, Report, Target};
use preflight_source::{Folder, Limits, collect};
use serde_json::Value;

use super::data::{self, Shared};
use super::suite::Suite;

/// A folder as the program reads it.
pub(crate) fn folder(path: &Path) -> Result<Snapshot, String> {
    let source =
        Folder::new(path, &path.display().to_string()).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime
        .block_on(collect(&source, &Limits::default()))
        .map(|collected| collected.snapshot)
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Where a row of the index keeps its folder.
pub(crate) fn folder_of(shared: &Shared, row: &Value) -> Result<std::path::PathBuf, String> {
    let corpus = shared.path("corpus");
    Ok(corpus
        .join(data::name(row, "kind")?)
        .join(data::name(row, "slug")?))
}

/// Every folder, under every policy, for both targets, as table and as JSON: it ends, and
/// `config-invalid` blames no config that the loader of that release takes.
pub(crate) fn pipeline(shared: &Shared) -> Result<Suite, String> {
    let mut suite = Suite::new("corpus, the whole program");
    let oracle = shared.lines("data/oracle-corpus.jsonl")?;
    for row in shared.lines("corpus/INDEX.jsonl")? {
        let slug = data::name(&row, "slug")?;
        let snapshot = folder(&folder_of(shared, &row)?)?;
        for policy in Policy::shipped() {
            let run = catch_unwind(AssertUnwindSafe(|| judge(&snapshot, policy)));
            let ended = run.as_ref().is_ok_and(Result::is_ok);
            suite.compare(format!("{slug} (ends under {})", policy.id), ended, true);
            let Ok(Ok(blamed)) = run else { continue };
            let id = format!("{}/{slug}", data::name(&row, "kind")?);
            let answer = oracle.iter().find(|answer| answer["id"] == id);
            if let Some(answer) = answer.filter(|_| policy.id == "together-2025-11") {
                let taken = answer["auto_config"]["ok"] == Value::Bool(true);
                suite.compare(format!("{slug} (config-invalid)"), blamed && taken, false);
            }
        }
    }
    Ok(suite)
}

/// Judges and renders; whether `config-invalid` failed.
fn judge(snapshot: &Snapshot, policy: &'static Policy) -> Result<bool, String> {
    let checkpoint = Checkpoint::read(snapshot);
    let model = evaluate(
        &checkpoint,
        &Target::ALL,
        policy,
        &Options::default(),
        Cost::default(),
    );
    let blamed = model
        .rules
        .iter()
        .any(|row| row.id == "config-invalid" && row.outcome == Outcome::Fail);
    let report = Report {
        tool_version: "0.0.0",
        policy: (policy.id.clone(), policy.as_of.clone()),
        catalog: CatalogUsed {
            as_of: "2025-11-08".into(),
            origin: "built-in".into(),
            is_stale: None,
            is_future: None,
            hardware: None,
        },
        is_check_passed: model.is_check_passed,
        message: model.message.clone(),
        models: vec![model],
    };
    let options = TableOptions {
        width: 80,
        unicode: true,
        colour: true,
        verbose: true,
    };
    let mut out = Vec::new();
    preflight_report::table::write(&report, options, &mut out)
        .and_then(|()| preflight_report::json::write(&report, &mut out))
        .map_err(|error| error.to_string())?;
    Ok(blamed)
}

/// Which JSON files Python's reader refused stands in the index, under `oddities`.
pub(crate) fn files_that_python_reads(shared: &Shared) -> Result<Suite, String> {
    let mut suite = Suite::new("corpus, files that Python reads");
    for row in shared.lines("corpus/INDEX.jsonl")? {
        let slug = data::name(&row, "slug")?;
        let oddities = row["oddities"].as_array().into_iter().flatten();
        let refused: Vec<&str> = oddities
            .filter_map(Value::as_str)
            .filter(|oddity| oddity.contains("not valid JSON") || oddity.contains("not JSON"))
            .filter_map(|oddity| Some(oddity.split_once(": ")?.0))
            .collect();
        for path in row["files"].as_array().into_iter().flatten() {
            let Some(path) = path.as_str().filter(|path| is_json(path)) else {
                continue;
            };
            let file = folder_of(shared, &row)?.join(path);
            let bytes =
                std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            suite.compare(
                format!("{slug}/{path}"),
                Document::parse(&bytes).is_ok(),
                !refused.contains(&path),
            );
        }
    }
    Ok(suite)
}

fn is_json(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "json")
}
