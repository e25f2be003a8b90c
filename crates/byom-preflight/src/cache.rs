//! `cache`, and where the cache of recordings is.

use std::path::PathBuf;

use preflight_report::escape::for_terminal;
use preflight_source::recording::CACHE_BYTES_MAX;
use preflight_source::{Error, RecordingCache};

use crate::args::{Bytes, CacheAction};
use crate::failure::{Failure, say};
use crate::screen;

/// The folder for the cache, in the place of the user's folder for caches.
const FOLDER: &str = "BYOM_PREFLIGHT_CACHE";
/// Most that it takes on disk; nothing is kept where that is 0.
const SIZE: &str = "BYOM_PREFLIGHT_CACHE_SIZE";
/// Longest path that is shown.
const PATH_CHARS_MAX: usize = 4000;

/// The cache that the environment names; none where there is no place for one.
pub(crate) fn of_environment() -> Result<Option<RecordingCache>, Error> {
    let given = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let bytes_max = match given(SIZE) {
        None => CACHE_BYTES_MAX,
        Some(size) => {
            let size = size.to_str().and_then(|size| size.parse::<Bytes>().ok());
            let wrong = || format!("`{SIZE}` is no size: write a number and a unit, such as 2GB");
            size.ok_or_else(|| Error::Usage(wrong()))?.0
        }
    };
    let folder = given(FOLDER).map(PathBuf::from);
    let folder = folder.or_else(RecordingCache::default_folder);
    Ok(folder
        .filter(|_| bytes_max > 0)
        .map(|folder| RecordingCache::at(&folder, bytes_max)))
}

/// `cache` and `cache clear`.
pub(crate) fn run(action: Option<&CacheAction>) -> Result<(), Failure> {
    let Some(cache) = of_environment()? else {
        return screen::print("there is no cache: nothing is kept\n");
    };
    let place = for_terminal(&cache.dir().display().to_string(), PATH_CHARS_MAX);
    let failed = |error| Failure::undecided(format!("`{place}`: {error}"));
    let counted = |count: u64| format!("{count} recording{}", if count == 1 { "" } else { "s" });
    match action {
        None => {
            let usage = cache.usage().map_err(failed)?;
            screen::print(&format!(
                "{place}: {}, {} of at most {}\n",
                counted(usage.entries),
                size(usage.bytes),
                size(cache.bytes_max())
            ))
        }
        Some(CacheAction::Clear) => {
            let usage = cache.clear().map_err(failed)?;
            say(&format!(
                "removed {}, {}",
                counted(usage.entries),
                size(usage.bytes)
            ));
            Ok(())
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn size(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
