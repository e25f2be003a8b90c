//! The catalog of base models, and its ranking for a model: for people and for pipelines.

use std::fmt::Write as _;

use preflight_rules::catalog::{BaseModel, Catalog, TrainingType};
use preflight_rules::date::STALE_DAYS;
use preflight_rules::report::{BaseModelMatch, BaseModelVerdict, CatalogUsed};
use serde_json::json;

use crate::escape;
use crate::json::{BaseModelJson, CatalogJson, SCHEMA_VERSION};
use crate::lists::{list, list_by};
use crate::text::{Keep, wrap};

/// Base models whose reasons are told unless all are asked for.
const EXPLAINED: usize = 3;

/// What a ranking is about.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The model, as the user gave it.
    pub model: &'a str,
    /// Id of the policy and the date it stands for.
    pub policy: (&'a str, &'a str),
    /// The catalog.
    pub catalog: &'a CatalogUsed,
}

/// The ranking as one indented JSON object and a line end.
pub fn json(named: &Named<'_>, ranking: &[BaseModelMatch]) -> String {
    let rows: Vec<_> = ranking.iter().map(BaseModelJson::new).collect();
    in_lines(&json!({
        "schema_version": SCHEMA_VERSION,
        "policy": {"id": named.policy.0, "as_of": named.policy.1},
        "catalog": CatalogJson::new(named.catalog),
        "model": {"input": named.model},
        "base_models": rows,
    }))
}

/// The whole catalog as one indented JSON object and a line end.
pub fn catalog_json(catalog: &Catalog, used: &CatalogUsed) -> String {
    in_lines(&json!({
        "schema_version": SCHEMA_VERSION,
        "catalog": CatalogJson::new(used),
        "base_models": catalog.models,
    }))
}

fn in_lines(value: &serde_json::Value) -> String {
    format!("{}\n", escape::in_json(format!("{value:#}")))
}

/// The ranking in columns, and why: of the best, or of `all`.
pub fn table(named: &Named<'_>, ranking: &[BaseModelMatch], width: usize, all: bool) -> String {
    let rows: Vec<_> = ranking.iter().map(row).collect();
    let headers = [
        "suits",
        "architecture",
        "size",
        "context",
        "methods",
        "base model",
    ];
    let mut text = list_by(headers.len() - 1, &headers, &rows, width);
    let explained = if all { ranking.len() } else { EXPLAINED };
    for base in ranking.iter().take(explained) {
        let _ = writeln!(text, "\n{}", escape::for_terminal(&base.name, 800));
        for reason in &base.reasons {
            let reason = escape::for_terminal(reason, 2000);
            for (at, line) in wrap(&reason, width.saturating_sub(2), Keep::Words)
                .iter()
                .enumerate()
            {
                let _ = writeln!(text, "{}{line}", if at == 0 { "- " } else { "  " });
            }
        }
    }
    let foot = [
        "suits: `shorter` asks for a max_seq_length, `?` was not compared. Size: parameters of the base model in those of the model, `?` where these are not known.",
        "Best first: by architecture, then sequences within what the model takes, then size, then structure, then the nearest length.",
        &format!(
            "Policy {} (as of {}), base models of {}.",
            named.policy.0,
            named.policy.1,
            dated(named.catalog)
        ),
    ];
    for paragraph in foot {
        let paragraph = escape::for_terminal(paragraph, 2000);
        let _ = writeln!(
            text,
            "\n{}",
            wrap(&paragraph, width, Keep::Words).join("\n")
        );
    }
    text
}

/// The word of the column.
pub(crate) fn suits(verdict: BaseModelVerdict) -> &'static str {
    match verdict {
        BaseModelVerdict::Suits => "yes",
        BaseModelVerdict::WithShorterSequences => "shorter",
        BaseModelVerdict::NotCompared => "?",
        BaseModelVerdict::Incompatible => "no",
    }
}

fn row(base: &BaseModelMatch) -> Vec<String> {
    let unknown = || "?".to_owned();
    vec![
        suits(base.verdict).to_owned(),
        base.model_type.clone().unwrap_or_else(unknown),
        base.size_ratio.map_or_else(unknown, times),
        base.context
            .map_or_else(unknown, |tokens| tokens.to_string()),
        methods(&base.training_types),
        base.name.clone(),
    ]
}

/// `4.1x`, `0.02x`, `53x`.
fn times(ratio: f64) -> String {
    if ratio >= 10.0 {
        format!("{ratio:.0}x")
    } else if ratio >= 0.1 {
        format!("{ratio:.1}x")
    } else {
        format!("{ratio:.2}x")
    }
}

/// The catalog in columns.
pub fn catalog_table(catalog: &Catalog, used: &CatalogUsed, width: usize) -> String {
    let unknown = || "?".to_owned();
    let number = |count: Option<u64>| count.map_or_else(unknown, |count| count.to_string());
    let row = |base: &BaseModel| {
        vec![
            base.name.clone(),
            base.model_type.clone().unwrap_or_else(unknown),
            base.parameters.map_or_else(unknown, billions),
            number(base.context_sft),
            number(base.context_dpo),
            methods(&base.training_types),
        ]
    };
    let rows: Vec<_> = catalog.models.iter().map(row).collect();
    let headers = ["base model", "type", "params", "SFT", "DPO", "methods"];
    let table = list(&headers, &rows, width);
    let foot = format!(
        "Catalog {}, of {}: {}",
        catalog.id,
        dated(used),
        catalog.source
    );
    let foot = escape::for_terminal(&foot, 2000);
    format!("{table}\n{}\n", wrap(&foot, width, Keep::Words).join("\n"))
}

/// `2025-11 (built-in)`, and that it is old or cannot be.
fn dated(catalog: &CatalogUsed) -> String {
    let odd = if catalog.is_stale == Some(true) {
        format!(
            ", more than {STALE_DAYS} days ago: `byom-preflight refresh` asks for the present one"
        )
    } else if catalog.is_future == Some(true) {
        ", which is still to come: that date or this machine's clock is wrong".to_owned()
    } else {
        String::new()
    };
    format!("{} ({}){odd}", catalog.as_of, catalog.origin)
}

fn methods(kinds: &[TrainingType]) -> String {
    if kinds.is_empty() {
        return "?".into();
    }
    let words: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    words.join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn billions(count: u64) -> String {
    format!("{:.1} B", count as f64 / 1e9)
}
