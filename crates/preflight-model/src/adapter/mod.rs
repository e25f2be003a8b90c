//! PEFT adapters: `adapter_config.json`, the tensors beside it, and whether they agree with one another
//! and with the base.
//!
//! What PEFT does in each case was measured with 0.21.2; `docs/how-it-decides.md` says what.

mod address;
mod agreement;
mod config;
mod modules;
mod pattern;
mod selection;
mod tensors;

pub use address::{hub_page, is_address};
use agreement::agreement;
pub use agreement::{Agreement, Feature};
pub use config::Adapter;
pub use modules::Modules;

use crate::checkpoint::{Checkpoint, Kind};
use crate::fact::Fact;
use crate::snapshot::Snapshot;

/// Name of the configuration of an adapter.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";

/// Whether `base_model_name_or_path` is a name of the Hub, `org/name` or a single word, and not a path: PEFT
/// writes the path where the base was loaded from one.
pub fn is_hub_name(name: &str) -> bool {
    let mut parts = name.split('/');
    let is_part = |part: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && !part.starts_with(['.', '-']) && part.chars().all(is_plain)
    };
    let is_short = (1..=2).contains(&parts.clone().count()) && name.len() <= 96;
    is_short && parts.all(is_part)
}

/// The base that the repository names, where it is an adapter or is to be judged as one: its name or path,
/// and its revision.
pub fn named_base(snapshot: &Snapshot, kind: Option<Kind>) -> Option<(String, Option<String>)> {
    // Cheap for the many that are no adapter.
    snapshot.file(ADAPTER_CONFIG)?;
    let whole = Checkpoint::without_base(snapshot);
    let is_adapter = kind.unwrap_or_else(|| whole.kind()) == Kind::Adapter;
    let adapter = whole.adapter.known().filter(|_| is_adapter)?;
    Some((adapter.base_model.clone()?, adapter.revision.clone()))
}

/// See [`Checkpoint::agreement`].
pub(crate) fn compare(checkpoint: &Checkpoint<'_>, base: Option<&Modules>) -> Fact<Agreement> {
    let header = match &checkpoint.adapter_weights {
        Some(shard) => &shard.header,
        None => &Fact::Absent,
    };
    checkpoint.adapter.as_ref().and_then(|adapter| {
        header
            .as_ref()
            .map(|header| agreement(adapter, header, base, checkpoint))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        for name in ["gpt2", "org/name", "unsloth/Meta-Llama-3.1-8B-bnb-4bit"] {
            assert!(is_hub_name(name), "{name}");
        }
        for path in [
            "",
            "./x",
            "/x",
            "/x/y",
            "../x",
            "a/b/c",
            "~/x",
            "C:\\x",
            "a/",
            "/",
            ".",
            "..",
            "a/..",
            "a b/c",
            "file:///etc",
            "https://huggingface.co/org/name",
            "a\u{1b}/b",
        ] {
            assert!(!is_hub_name(path), "{path}");
        }
    }
}
