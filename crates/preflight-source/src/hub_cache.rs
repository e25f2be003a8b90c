//! Folders of the Hub's cache: `models--org--name/snapshots/<commit>`, whose files are symbolic links
//! into `blobs`, and `refs/<revision>` with the commit of a revision.
//!
//! Source: <https://github.com/huggingface/huggingface_hub/blob/main/docs/source/en/guides/manage-cache.md>

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::regular::{Links, Regular};

/// A file in `refs` holds one commit, 40 characters.
const REF_BYTES_MAX: u64 = 1024;

/// A snapshot in the cache.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cached {
    /// The folder with the files.
    pub(crate) folder: PathBuf,
    /// `org/name`.
    pub(crate) id: String,
    /// The revision that led to the snapshot.
    pub(crate) revision: Option<String>,
    /// Its commit.
    pub(crate) commit: Option<String>,
}

/// What `folder` is in the cache: a snapshot, or a repository's folder with the snapshot that `main`
/// or nothing else can mean. `None` where it is not of the cache.
pub(crate) fn resolve(folder: &Path) -> Result<Option<Cached>, Error> {
    let Ok(real) = folder.canonicalize() else {
        return Ok(None);
    };
    if let Some(id) = repository_id(&real).filter(|_| real.join("snapshots").is_dir()) {
        return resolve_repository(&real, id).map(Some);
    }
    let snapshots = real.parent().filter(|parent| parent.ends_with("snapshots"));
    let id = snapshots.and_then(Path::parent).and_then(repository_id);
    Ok(id.map(|id| Cached {
        id,
        revision: None,
        commit: commit_of(&real),
        folder: real,
    }))
}

fn resolve_repository(repository: &Path, id: String) -> Result<Cached, Error> {
    let snapshots = repository.join("snapshots");
    if let Some(commit) = read_ref(&repository.join("refs").join("main")) {
        let folder = snapshots.join(&commit);
        if folder.is_dir() {
            return Ok(Cached {
                folder,
                id,
                revision: Some("main".into()),
                commit: Some(commit),
            });
        }
    }
    let entries = fs::read_dir(&snapshots)
        .map_err(|error| Error::unavailable(&snapshots.display().to_string(), &error))?;
    let mut folders = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir());
    match (folders.next(), folders.next()) {
        (Some(folder), None) => Ok(Cached {
            id,
            revision: None,
            commit: commit_of(&folder),
            folder,
        }),
        (None, _) => Err(Error::Usage(format!(
            "`{}` has no snapshot: nothing of `{id}` was downloaded",
            repository.display()
        ))),
        (Some(_), Some(_)) => Err(Error::Usage(format!(
            "`{}` has several snapshots and none is `main`: name one of them",
            repository.display()
        ))),
    }
}

/// `org/name` of a folder `models--org--name`.
fn repository_id(folder: &Path) -> Option<String> {
    let name = folder.file_name()?.to_str()?.strip_prefix("models--")?;
    let id = name.replace("--", "/");
    crate::model_ref::is_hub_id(&id).then_some(id)
}

fn commit_of(snapshot: &Path) -> Option<String> {
    let name = snapshot.file_name()?.to_str()?;
    is_commit(name).then(|| name.to_owned())
}

fn read_ref(path: &Path) -> Option<String> {
    let mut file = Regular::open(path, Links::Follow).ok()?;
    let size = file.size;
    let bytes = (size <= REF_BYTES_MAX)
        .then(|| file.read(&(0..size)))?
        .ok()?;
    let commit = std::str::from_utf8(&bytes).ok()?.trim();
    is_commit(commit).then(|| commit.to_owned())
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0123456789abcdef0123456789abcdef01234567";
    const B: &str = "76543210fedcba9876543210fedcba9876543210";

    fn repository(commits: &[&str], main: Option<&str>) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let repository = dir.path().canonicalize().unwrap().join("models--org--name");
        fs::create_dir_all(repository.join("snapshots")).unwrap();
        for commit in commits {
            fs::create_dir(repository.join("snapshots").join(commit)).unwrap();
        }
        if let Some(main) = main {
            fs::create_dir(repository.join("refs")).unwrap();
            fs::write(repository.join("refs/main"), main).unwrap();
        }
        (dir, repository)
    }

    #[test]
    fn main_or_the_only_snapshot() {
        let (_dir, both) = repository(&[A, B], Some(B));
        let cached = resolve(&both).unwrap().unwrap();
        assert_eq!(cached.folder, both.join("snapshots").join(B));
        assert_eq!(
            (cached.id.as_str(), cached.revision.as_deref()),
            ("org/name", Some("main"))
        );
        assert_eq!(cached.commit.as_deref(), Some(B));

        let (_dir, one) = repository(&[A], None);
        let cached = resolve(&one).unwrap().unwrap();
        assert_eq!((cached.revision, cached.commit.as_deref()), (None, Some(A)));
    }

    #[test]
    fn nothing_is_guessed() {
        let (_dir, both) = repository(&[A, B], None);
        assert!(
            resolve(&both)
                .unwrap_err()
                .to_string()
                .ends_with("has several snapshots and none is `main`: name one of them")
        );
        let (_dir, empty) = repository(&[], Some("../../../../etc"));
        assert!(resolve(&empty).unwrap_err().is_usage());
    }

    #[test]
    fn a_snapshot_knows_its_repository() {
        let (_dir, repository) = repository(&[A], None);
        let cached = resolve(&repository.join("snapshots").join(A))
            .unwrap()
            .unwrap();
        assert_eq!(
            (cached.id.as_str(), cached.commit.as_deref()),
            ("org/name", Some(A))
        );
        let other = tempfile::tempdir().unwrap();
        assert_eq!(resolve(other.path()).unwrap(), None);
    }
}
