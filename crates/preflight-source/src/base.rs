//! The base model of an adapter: named in its `adapter_config.json`, read beside it.

use std::path::Path;

use preflight_model::adapter::{is_address, is_hub_name, named_base};
use preflight_model::checkpoint::Kind;
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Origin, Snapshot, SourceKind};

use crate::collect::{Collected, Limits, collect_one};
use crate::open::open_local;
use crate::{Error, HubOptions, Source};

/// Reads the base that an adapter names and that `collected` does not have yet: one level, a base has no
/// base. `kind` is what the repository is to be judged as, where that is not left to its files. Yields what the
/// user should know of how the base was read.
///
/// A name of the Hub is asked of the Hub (`hub` says how, and is called only then), whatever lies in the current folder. A
/// path is opened only where the adapter itself is a local folder: what comes from elsewhere opens no file
/// of this machine. A base that cannot be read is unavailable, with the reason.
pub async fn collect_base(
    collected: &mut Collected,
    limits: &Limits,
    kind: Option<Kind>,
    hub: impl FnOnce() -> Result<HubOptions, Error>,
) -> Vec<String> {
    let snapshot = &collected.snapshot;
    // A recording has its base at hand or knows why not.
    if !snapshot.base.is_absent() || snapshot.origin.source == SourceKind::Recording {
        return Vec::new();
    }
    let Some((name, revision)) = named_base(snapshot, kind) else {
        return Vec::new();
    };
    let source = match open_base(&snapshot.origin, &name, revision.as_deref(), hub) {
        Ok(source) => source,
        Err(error) => {
            collected.snapshot.base = Fact::Unavailable(error.to_string());
            return Vec::new();
        }
    };
    collected.snapshot.base = read(&*source, limits).await;
    collected.cost += source.cost();
    source.notes()
}

async fn read(source: &dyn Source, limits: &Limits) -> Fact<Box<Snapshot>> {
    match collect_one(source, limits).await {
        Ok((base, _)) => Fact::Known(Box::new(base)),
        Err(error) => Fact::Unavailable(error.to_string()),
    }
}

fn open_base(
    adapter: &Origin,
    name: &str,
    revision: Option<&str>,
    hub: impl FnOnce() -> Result<HubOptions, Error>,
) -> Result<Box<dyn Source>, Error> {
    if is_hub_name(name) {
        return crate::hub::open(name, revision, name, &hub()?);
    }
    if is_address(name) {
        return Err(Error::Usage(
            "it is named by an address, and only names of the Hub are looked up".into(),
        ));
    }
    if adapter.source == SourceKind::Folder && adapter.id.is_none() {
        return open_local(Path::new(name));
    }
    Err(Error::Usage(
        "it is named by a path, and paths of an adapter from elsewhere are not opened".into(),
    ))
}
