//! Which catalog counts: the program's own, what `refresh` fetched, or a file that the user names.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use preflight_rules::catalog::Catalog;
use preflight_rules::date;
use preflight_rules::hardware::{BUILT_IN, Offered};
use preflight_rules::live::Live;
use preflight_rules::policy::Policy;
use preflight_rules::report::{CatalogUsed, Target};

use crate::failure::{Failure, say};

/// Most bytes of a catalog file; one of 100 base models has some 20 000.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// What `--catalog` names; without it what `refresh` wrote, where that is there and sound.
pub(crate) fn choose(given: Option<&str>) -> Result<Option<Arc<Live>>, Failure> {
    let live = match given {
        Some(BUILT_IN) => None,
        Some(file) => Some(named(Path::new(file))?),
        None => refreshed(),
    };
    Ok(live.map(Arc::new))
}

/// The catalog of base models that counts, as reports name it.
pub(crate) fn used(policy: &Policy, live: Option<&Live>, now: Option<i64>) -> CatalogUsed {
    let catalog = base_models(policy, live);
    let as_of = catalog.map_or("unknown", |catalog| catalog.as_of.as_str());
    CatalogUsed {
        as_of: as_of.into(),
        origin: live.map_or_else(|| BUILT_IN.into(), |live| live.origin.clone()),
        is_stale: date::is_stale(as_of, now),
        is_future: date::is_future(as_of, now),
        hardware: Offered::under(policy, live).map(|offered| offered.used(now)),
    }
}

/// The base models that count.
pub(crate) fn base_models<'a>(policy: &Policy, live: Option<&'a Live>) -> Option<&'a Catalog> {
    let own = policy.target(Target::FineTune).base_models().ok().flatten();
    live.map(|live| &live.catalog).or(own)
}

/// A file that the user names: what is wrong with it is a mistake in the command line.
fn named(path: &Path) -> Result<Live, Failure> {
    let mut live = read(path).map_err(|why| {
        Failure::usage(format!(
            "cannot use the catalog `{}`: {why}",
            path.display()
        ))
    })?;
    if live.is_untouched == Some(false) {
        say(&format!(
            "note: the catalog `{}` was changed since it was fetched",
            path.display()
        ));
    }
    live.origin = format!("{}, in `{}`", live.origin, path.display());
    Ok(live)
}

/// The user's own copy. One that is damaged or was changed is left out, and said.
fn refreshed() -> Option<Live> {
    let path = path()?;
    // Most users have none.
    if path.symlink_metadata().is_err() {
        return None;
    }
    let read = read(&path).and_then(|live| match live.is_untouched {
        Some(true) => Ok(live),
        _ => Err("it was changed since it was fetched".into()),
    });
    match read {
        Ok(live) => Some(live),
        Err(why) => {
            say(&format!(
                "note: the refreshed catalog `{}` is not used: {why}; `byom-preflight refresh` writes it anew",
                path.display()
            ));
            None
        }
    }
}

fn read(path: &Path) -> Result<Live, String> {
    match path.metadata() {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err("it is no regular file".into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err("there is no such file".into());
        }
        Err(error) => return Err(error.to_string()),
    }
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let length = file
        .take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(format!("it is longer than {FILE_BYTES_MAX} bytes"));
    }
    Live::parse(&text).map_err(|error| error.to_string())
}

/// Where `refresh` writes: in the user's folder for data that programs keep; none where there is no home.
pub(crate) fn path() -> Option<PathBuf> {
    data_home(&|name| std::env::var(name).ok())
        .map(|home| home.join("byom-preflight").join("catalog.json"))
}

/// Source: <https://specifications.freedesktop.org/basedir-spec/latest/>, which ignores relative paths; the
/// folders that Apple and Microsoft name for it.
fn data_home(environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name| {
        environment(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    if let Some(home) = absolute("XDG_DATA_HOME") {
        return Some(home);
    }
    if cfg!(windows) {
        return absolute("LOCALAPPDATA");
    }
    let below = if cfg!(target_os = "macos") {
        "Library/Application Support"
    } else {
        ".local/share"
    };
    Some(absolute("HOME")?.join(below))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn where_data_is_kept() {
        let of = |variables: &'static [(&str, &str)]| {
            data_home(&|name| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let both = &[("XDG_DATA_HOME", "/data"), ("HOME", "/home/a")];
        assert_eq!(of(both), Some("/data".into()));
        assert_eq!(
            of(&[("XDG_DATA_HOME", "data")]),
            None,
            "a relative path counts as none"
        );
        assert!(
            of(&[("XDG_DATA_HOME", ""), ("HOME", "/home/a")])
                .unwrap()
                .starts_with("/home/a")
        );
        assert_eq!(of(&[]), None);
    }
}
