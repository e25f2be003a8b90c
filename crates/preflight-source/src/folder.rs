//! A local folder: a checkout, a snapshot in the Hub's cache, a training run's output.

use std::collections::VecDeque;
use std::fs::{self, DirEntry};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Origin, SourceKind};
use preflight_model::wanted;

use crate::blocking::blocking;
use crate::error::io_reason;
use crate::regular::{Links, Regular, describe, read_range};
use crate::source::{BoxFuture, Cost, FileKind, ListedFile, Listing, Meter, Source};
use crate::{Error, hub_cache, paths, pointer};

/// Most entries of a folder that are listed. The largest model repositories have some thousand
/// files; a home directory given by mistake has millions.
const ENTRIES_MAX: usize = 100_000;
/// Most levels of folders that are listed.
const DEPTH_MAX: usize = 32;
/// Folders that hold no file of the model: git's own, and the download state of
/// `hf download --local-dir`.
const SKIPPED: [&str; 2] = [".git", ".cache"];

/// A folder as a [`Source`].
#[derive(Debug)]
pub struct Folder {
    tree: Tree,
    origin: Origin,
    meter: Arc<Meter>,
}

/// Where to look, and how much.
#[derive(Debug, Clone)]
struct Tree {
    root: PathBuf,
    /// Links of the Hub's cache that lead nowhere are files that were not downloaded.
    is_hub_cache: bool,
    entries_max: usize,
}

impl Folder {
    /// The folder at `path`, which the user calls `input`. A repository's folder in the Hub's cache
    /// is resolved to its snapshot of `main`, or to its only one.
    pub fn new(path: &Path, input: &str) -> Result<Self, Error> {
        let cached = hub_cache::resolve(path)?;
        let mut origin = Origin {
            input: input.into(),
            source: SourceKind::Folder,
            stands_for: SourceKind::Folder,
            id: None,
            revision: None,
            commit: None,
        };
        let mut tree = Tree {
            root: path.into(),
            is_hub_cache: cached.is_some(),
            entries_max: ENTRIES_MAX,
        };
        if let Some(cached) = cached {
            tree.root = cached.folder;
            origin.id = Some(cached.id);
            origin.revision = cached.revision;
            origin.commit = cached.commit;
        }
        Ok(Self {
            tree,
            origin,
            meter: Arc::default(),
        })
    }
}

impl Source for Folder {
    fn list(&self) -> BoxFuture<'_, Result<Listing, Error>> {
        Box::pin(async {
            let (tree, meter) = (self.tree.clone(), Arc::clone(&self.meter));
            let walked = blocking(&self.origin.input, move || {
                Ok(Walk::new(&tree, &meter).run())
            })
            .await?;
            let (access, files) = match walked {
                Ok(files) => (Access::Open, Fact::Known(files)),
                Err(Stopped::TooMany) => (
                    Access::Open,
                    Fact::Unavailable(too_many(self.tree.entries_max)),
                ),
                Err(Stopped::Unreadable(reason)) => (
                    Access::Unreachable(reason.clone()),
                    Fact::Unavailable(reason),
                ),
            };
            Ok(Listing {
                origin: self.origin.clone(),
                access,
                observed_at: None,
                files,
                container: Fact::Absent,
                base: Fact::Absent,
            })
        })
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, Error>> {
        Box::pin(async move {
            let at =
                paths::under(&self.tree.root, path).ok_or_else(|| Error::NotFound(path.into()))?;
            let (path, meter) = (path.to_owned(), Arc::clone(&self.meter));
            blocking(&path.clone(), move || {
                let bytes = read_range(&at, &path, &range, Links::Follow)?;
                meter.count(bytes.len() as u64);
                Ok(bytes)
            })
            .await
        })
    }

    fn cost(&self) -> Cost {
        self.meter.cost()
    }

    fn is_remote(&self) -> bool {
        false
    }
}

/// A listing under way: level by level, so that the root, which decides, comes first.
struct Walk<'a> {
    tree: &'a Tree,
    meter: &'a Meter,
    entries_left: usize,
    files: Vec<ListedFile>,
    pending: VecDeque<Pending>,
}

struct Pending {
    folder: PathBuf,
    /// Path inside the repository; empty for the root.
    path: String,
    depth: usize,
}

/// Why a folder was not listed to its end.
enum Stopped {
    TooMany,
    Unreadable(String),
}

impl<'a> Walk<'a> {
    fn new(tree: &'a Tree, meter: &'a Meter) -> Self {
        Self {
            tree,
            meter,
            entries_left: tree.entries_max,
            files: Vec::new(),
            pending: VecDeque::new(),
        }
    }

    fn run(mut self) -> Result<Vec<ListedFile>, Stopped> {
        self.list(&Pending {
            folder: self.tree.root.clone(),
            path: String::new(),
            depth: 0,
        })?;
        while let Some(next) = self.pending.pop_front() {
            let (files, pending) = (self.files.len(), self.pending.len());
            if let Err(stopped) = self.list(&next) {
                // A part of a folder would look like all of it.
                self.files.truncate(files);
                self.pending.truncate(pending);
                self.files.push(not_a_file(
                    next.path,
                    match stopped {
                        Stopped::TooMany => format!(
                            "a folder that is not listed: {}",
                            too_many(self.tree.entries_max)
                        ),
                        Stopped::Unreadable(reason) => {
                            format!("a folder that cannot be read: {reason}")
                        }
                    },
                ));
            }
        }
        self.files
            .sort_unstable_by(|one, other| one.path.cmp(&other.path));
        // Names that are not UTF-8 can become equal.
        self.files.dedup_by(|one, other| one.path == other.path);
        Ok(self.files)
    }

    fn list(&mut self, pending: &Pending) -> Result<(), Stopped> {
        let unreadable = |error: io::Error| Stopped::Unreadable(io_reason(&error));
        self.meter.count(0);
        for entry in fs::read_dir(&pending.folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            self.entries_left = self.entries_left.checked_sub(1).ok_or(Stopped::TooMany)?;
            self.entry(&entry, pending).map_err(unreadable)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, parent: &Pending) -> io::Result<()> {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if SKIPPED.contains(&&*name) {
            return Ok(());
        }
        let path = match parent.path.as_str() {
            "" => name.into_owned(),
            folder => format!("{folder}/{name}"),
        };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            self.folder(entry.path(), path, parent.depth + 1);
        } else if kind.is_file() || kind.is_symlink() {
            let file = self.file(&entry.path(), path, kind.is_symlink());
            self.files.push(file);
        } else {
            self.files.push(not_a_file(path, describe(kind)));
        }
        Ok(())
    }

    fn folder(&mut self, folder: PathBuf, path: String, depth: usize) {
        if wanted::is_wanted(&path) {
            self.files.push(not_a_file(path, "a folder"));
        } else if depth > DEPTH_MAX {
            let why =
                format!("a folder that is not listed: it lies more than {DEPTH_MAX} levels deep");
            self.files.push(not_a_file(path, why));
        } else {
            self.pending.push_back(Pending {
                folder,
                path,
                depth,
            });
        }
    }

    fn file(&self, at: &Path, path: String, is_link: bool) -> ListedFile {
        match fs::metadata(at) {
            Ok(found) if found.is_file() => self.regular(at, path, found.len()),
            Ok(found) if found.is_dir() => not_a_file(path, "a symbolic link to a folder"),
            Ok(found) => not_a_file(path, describe(found.file_type())),
            Err(error) if is_link && error.kind() == io::ErrorKind::NotFound => {
                self.dangling(at, path)
            }
            Err(error) => listed(path, FileKind::Unavailable(io_reason(&error))),
        }
    }

    fn dangling(&self, at: &Path, path: String) -> ListedFile {
        let target = fs::read_link(at).unwrap_or_default();
        let reason = format!(
            "the symbolic link leads to `{}`, which is not there",
            target.display()
        );
        let what = if self.tree.is_hub_cache {
            "not downloaded: "
        } else {
            ""
        };
        listed(path, FileKind::Unavailable(format!("{what}{reason}")))
    }

    fn regular(&self, at: &Path, path: String, size: u64) -> ListedFile {
        let mut file = ListedFile {
            size: Some(size),
            ..listed(path, FileKind::Regular)
        };
        if pointer::could_be_pointer(&file.path, size)
            && let Ok(text) =
                Regular::open(at, Links::Follow).and_then(|mut opened| opened.read(&(0..size)))
        {
            self.meter.count(size);
            if let Some(pointer) = pointer::parse(&text) {
                file.size = Some(pointer.size);
                file.sha256 = Some(pointer.sha256);
                file.kind = FileKind::Pointer;
            }
        }
        file
    }
}

fn listed(path: String, kind: FileKind) -> ListedFile {
    ListedFile {
        path,
        size: None,
        sha256: None,
        kind,
    }
}

fn not_a_file(path: String, what: impl Into<String>) -> ListedFile {
    listed(path, FileKind::Other(what.into()))
}

fn too_many(entries_max: usize) -> String {
    format!("there are more than {entries_max} files")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, collect};

    #[test]
    fn a_folder_with_too_many_files_is_not_listed_in_part() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/1", "a/2", "a/3", "a/4", "b/1", "c/1", "x", "y"] {
            let at = dir.path().join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, "").unwrap();
        }
        let files = |entries_max| {
            let mut folder = Folder::new(dir.path(), "folder").unwrap();
            folder.tree.entries_max = entries_max;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime
                .block_on(collect(&folder, &Limits::default()))
                .unwrap()
                .snapshot
                .files
        };
        let paths = |entries_max| -> Vec<String> {
            let files = files(entries_max);
            files
                .known()
                .unwrap()
                .iter()
                .map(|file| file.path.clone())
                .collect()
        };
        assert_eq!(
            paths(11),
            ["a/1", "a/2", "a/3", "a/4", "b/1", "c/1", "x", "y"]
        );
        assert_eq!(
            files(4),
            Fact::Unavailable("there are more than 4 files".into())
        );
        // The root's five entries fit; which of the folders still fit depends on their order.
        let short = paths(8);
        assert!(
            short.contains(&"a".into()) && short.contains(&"x".into()),
            "{short:?}"
        );
        assert!(
            !short.iter().any(|path| path.starts_with("a/")),
            "{short:?}"
        );
    }
}
