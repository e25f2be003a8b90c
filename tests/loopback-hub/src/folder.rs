//! Repositories from folders, for the program: `ROOT/org/name` is `main`, `ROOT/org/name@v1.0` another
//! branch (`/` in it written `%2F`), `ROOT/datasets/org/name` a dataset.
//!
//! `loopback.json` in a repository's folder is not served; it may say `{"gated": "manual"}`,
//! `{"private": true}`, `{"disabled": true}`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::http::decode;
use crate::repo::{Content, Kind, Repo};

const SETTINGS: &str = "loopback.json";
/// Bytes of a weight file beyond its header that are kept: none has a meaning here.
const WEIGHTS_BYTES: u64 = 64;
/// A file of more bytes is kept as its start and zeros.
const WHOLE_BYTES_MAX: u64 = 64 << 20;

/// All repositories below `root`.
pub fn read(root: &Path) -> io::Result<Vec<Repo>> {
    let mut repos = read_kind(root, Kind::Model)?;
    for kind in [Kind::Dataset, Kind::Space] {
        let folder = root.join(kind.plural());
        if folder.is_dir() {
            repos.extend(read_kind(&folder, kind)?);
        }
    }
    Ok(repos)
}

/// The model `id` with the files of one folder.
pub fn model(id: &str, folder: &Path) -> io::Result<Repo> {
    fill(settings(Repo::model(id), folder)?, folder, "")
}

fn read_kind(root: &Path, kind: Kind) -> io::Result<Vec<Repo>> {
    let mut repos: BTreeMap<String, Repo> = BTreeMap::new();
    for (org, org_folder) in folders(root)? {
        if kind == Kind::Model && Kind::ALL.iter().any(|kind| kind.plural() == org) {
            continue;
        }
        // Sorted: `name` comes before `name@branch`.
        for (name, folder) in folders(&org_folder)? {
            let (name, branch) = match name.split_once('@') {
                Some((name, branch)) => (name, Some(decode(branch))),
                None => (name.as_str(), None),
            };
            let id = format!("{org}/{name}");
            let mut repo = repos.remove(&id).unwrap_or(Repo {
                kind,
                ..Repo::model(&id)
            });
            if let Some(branch) = branch {
                repo = repo.branch(&branch);
                if let Some(commit) = repo.commits.last_mut() {
                    commit.files.clear();
                }
            }
            repo = fill(settings(repo, &folder)?, &folder, "")?;
            repos.insert(id, repo);
        }
    }
    Ok(repos.into_values().collect())
}

fn settings(mut repo: Repo, folder: &Path) -> io::Result<Repo> {
    let path = folder.join(SETTINGS);
    if path.is_file() {
        let settings: Value = serde_json::from_slice(&fs::read(path)?)?;
        repo.gated = settings["gated"].as_str().map(str::to_owned);
        repo.is_private = settings["private"].as_bool().unwrap_or(false);
        repo.is_disabled = settings["disabled"].as_bool().unwrap_or(false);
    }
    Ok(repo)
}

fn fill(mut repo: Repo, folder: &Path, inside: &str) -> io::Result<Repo> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let inner = format!("{inside}{name}");
        if path.is_dir() {
            repo = fill(repo, &path, &format!("{inner}/"))?;
        } else if path.is_file() && inner != SETTINGS {
            repo = repo.content(&inner, content(&path)?);
        }
    }
    Ok(repo)
}

/// A file: a weight file's header and size, of others everything.
fn content(path: &Path) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut kept = WHOLE_BYTES_MAX.min(size);
    let mut bytes = Vec::new();
    if path
        .extension()
        .is_some_and(|ending| ending == "safetensors")
    {
        file.by_ref().take(8).read_to_end(&mut bytes)?;
        let length = bytes
            .first_chunk::<8>()
            .map(|prefix| u64::from_le_bytes(*prefix));
        let header = length.unwrap_or(0).saturating_add(8 + WEIGHTS_BYTES);
        kept = kept.min(header);
    }
    let rest = kept.saturating_sub(bytes.len() as u64);
    file.take(rest).read_to_end(&mut bytes)?;
    Ok(Content::sparse(bytes, size))
}

fn folders(parent: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        if path.is_dir() {
            let name = path.file_name().unwrap_or_default();
            folders.push((name.to_string_lossy().into_owned(), path.clone()));
        }
    }
    folders.sort();
    Ok(folders)
}
