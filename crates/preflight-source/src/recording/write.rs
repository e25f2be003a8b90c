//! Writing a snapshot as a recording.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Content, File, Snapshot, SourceKind};

use super::container::ContainerRecord;
use super::document::{Document, Encoding, FORMAT, FORMAT_VERSION, FileRecord, State};
use super::{
    BASE, GZIP_ENDING, PLAIN_FILE_BYTES_MAX, PLAIN_HEADER_BYTES_MAX, RECORDING_JSON,
    RECORDING_JSON_BYTES_MAX, Recording,
};
use crate::error::io_reason;
use crate::{Error, paths};

/// Writes `snapshot` as the recording `dir`, which must be absent, empty or a recording, which is
/// replaced. Either the whole recording is there at the end, or what was there before.
pub fn write(snapshot: &Snapshot, dir: &Path) -> Result<(), Error> {
    let failed = |error: io::Error| Error::write(dir, io_reason(&error));
    let target = resolve(dir).map_err(failed)?;
    let before = Before::look(&target).map_err(|reason| Error::write(dir, reason))?;
    let temporary = sibling(&target, "new");
    fs::create_dir(&temporary).map_err(failed)?;
    let written = write_into(snapshot, &temporary, 0).and_then(|()| {
        before
            .replace(&temporary, &target)
            .map_err(|error| io_reason(&error))
    });
    if written.is_err() {
        // What was written so far is ours alone; the first error is the one to tell.
        let _ = fs::remove_dir_all(&temporary);
    }
    written.map_err(|reason| Error::write(dir, reason))
}

/// The absolute path of `dir`, whose parent must exist.
fn resolve(dir: &Path) -> io::Result<PathBuf> {
    match dir.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let absolute = std::path::absolute(dir)?;
            let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
                return Err(error);
            };
            Ok(parent.canonicalize()?.join(name))
        }
        found => found,
    }
}

/// A name beside `target` that no user would choose.
fn sibling(target: &Path, what: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{what}-{}", std::process::id()))
}

/// What stands where the recording goes.
enum Before {
    Nothing,
    EmptyFolder,
    Recording,
}

impl Before {
    fn look(target: &Path) -> Result<Self, String> {
        match fs::symlink_metadata(target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Nothing),
            Err(error) => return Err(io_reason(&error)),
            Ok(found) if !found.is_dir() => return Err("a file of that name exists".into()),
            Ok(_) => {}
        }
        let mut entries = fs::read_dir(target).map_err(|error| io_reason(&error))?;
        if entries.next().is_none() {
            return Ok(Self::EmptyFolder);
        }
        let recording = Recording::open(target, &target.display().to_string())
            .map_err(|error| error.to_string())?;
        let Some(recording) = recording else {
            return Err("the folder is not empty and not a recording".into());
        };
        match foreign_file(target, &recording.stored_files()).map_err(|error| io_reason(&error))? {
            Some(path) => Err(format!(
                "the recording that is there holds `{}`, which is not part of it",
                path.display()
            )),
            None => Ok(Self::Recording),
        }
    }

    fn replace(&self, temporary: &Path, target: &Path) -> io::Result<()> {
        match self {
            Self::Nothing => fs::rename(temporary, target),
            Self::EmptyFolder => {
                fs::remove_dir(target)?;
                fs::rename(temporary, target)
            }
            Self::Recording => {
                let old = sibling(target, "old");
                fs::rename(target, &old)?;
                if let Err(error) = fs::rename(temporary, target) {
                    fs::rename(&old, target)?;
                    return Err(error);
                }
                fs::remove_dir_all(&old)
            }
        }
    }
}

/// A file under `folder` that is not one of `known`: replacing the folder would lose it.
fn foreign_file(folder: &Path, known: &BTreeSet<PathBuf>) -> io::Result<Option<PathBuf>> {
    let mut pending = vec![folder.to_path_buf()];
    while let Some(next) = pending.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            } else if !known.contains(&entry.path()) {
                let path = entry.path();
                return Ok(Some(
                    path.strip_prefix(folder).unwrap_or(&path).to_path_buf(),
                ));
            }
        }
    }
    Ok(None)
}

fn write_into(snapshot: &Snapshot, dir: &Path, level: usize) -> Result<(), String> {
    let listing = State::of_fact(&snapshot.files).ok_or("its listing is malformed")?;
    let base = State::of_fact(&snapshot.base).ok_or("its base is malformed")?;
    if let Fact::Known(base) = &snapshot.base {
        if level > 0 {
            return Err("a base has a base of its own; only one level is recorded".into());
        }
        let dir = dir.join(BASE);
        fs::create_dir(&dir).map_err(|error| io_reason(&error))?;
        write_into(base, &dir, level + 1)?;
    }
    let files: &[File] = snapshot.files.known().map_or(&[], Vec::as_slice);
    let files = files
        .iter()
        .map(|file| Ok(FileRecord::new(file, keep(file, dir)?)));
    let origin = &snapshot.origin;
    if origin.stands_for == SourceKind::Recording {
        return Err("it does not say which kind of place it stands for".into());
    }
    let document = Document {
        format: FORMAT.into(),
        format_version: FORMAT_VERSION,
        source: origin.stands_for.as_str().into(),
        id: origin.id.clone(),
        revision: origin.revision.clone(),
        commit: origin.commit.clone(),
        observed_at: snapshot.observed_at.clone(),
        access: State::of_access(&snapshot.access),
        container: ContainerRecord::of(&snapshot.container)?,
        listing,
        base,
        files: files.collect::<Result<_, String>>()?,
    };
    let mut text = serde_json::to_vec_pretty(&document).map_err(|error| error.to_string())?;
    text.push(b'\n');
    // What is written must be what is read.
    Document::parse(&text)?;
    if text.len() as u64 > RECORDING_JSON_BYTES_MAX {
        return Err(format!(
            "its list of files has more than {RECORDING_JSON_BYTES_MAX} bytes"
        ));
    }
    create(&dir.join(RECORDING_JSON), &text)
}

/// Stores what was kept of a file.
fn keep(file: &File, dir: &Path) -> Result<Option<Encoding>, String> {
    let (bytes, plain_bytes_max) = match &file.content {
        Content::Whole(bytes) => (bytes, PLAIN_FILE_BYTES_MAX),
        Content::Prefix(bytes) => (bytes, PLAIN_HEADER_BYTES_MAX),
        _ => return Ok(None),
    };
    let is_long = bytes.len() > plain_bytes_max;
    let stored = if is_long {
        format!("{}{GZIP_ENDING}", file.path)
    } else {
        file.path.clone()
    };
    let at = paths::under(dir, &stored)
        .ok_or_else(|| format!("the path `{}` leads outside", stored.escape_debug()))?;
    if let Some(parent) = at.parent() {
        fs::create_dir_all(parent).map_err(|error| io_reason(&error))?;
    }
    if !is_long {
        create(&at, bytes)?;
        return Ok(None);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let compressed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    create(&at, &compressed.map_err(|error| io_reason(&error))?)?;
    Ok(Some(Encoding::Gzip))
}

/// Writes a new file. Two files that would be stored under one name are an error, whatever the file
/// system takes for one name.
fn create(at: &Path, bytes: &[u8]) -> Result<(), String> {
    let mut options = OpenOptions::new();
    let written = options
        .write(true)
        .create_new(true)
        .open(at)
        .and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| {
        let name = at.file_name().unwrap_or_default().to_string_lossy();
        format!("`{name}`: {}", io_reason(&error))
    })
}
