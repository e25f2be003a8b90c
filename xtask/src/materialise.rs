//! `materialise`: a fixture as a folder, to try the folder source and other programs on it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Component, Path};

use preflight_model::snapshot::{Content, File, Snapshot};
use preflight_model::wanted::TOKENIZER;

/// A tokenizer that the library reads, in place of one of which only the size was kept: a hole is none.
const STAND_IN: &str = r#"{"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}"#;

/// Writes `snapshot` as a folder `dir`, which must not exist or be empty. Sizes are true; what was
/// not kept of a file is a hole, so a model of 800 GB takes a few megabytes. Answers with what could
/// not be written.
pub(crate) fn materialise(snapshot: &Snapshot, dir: &Path) -> Result<Vec<String>, String> {
    let files = snapshot
        .files
        .known()
        .ok_or("nothing is known of its files, so there is nothing to write")?;
    fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut entries = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    if entries.next().is_some() {
        return Err(format!("{} is not empty", dir.display()));
    }
    let mut skipped = Vec::new();
    for file in files {
        match start_of(file) {
            Ok((start, size)) => write(dir, &file.path, &start, size)?,
            Err(why) => skipped.push(format!("{}: {why}", file.path)),
        }
    }
    Ok(skipped)
}

/// The first bytes of a file and its size on disk, or why there is none.
fn start_of(file: &File) -> Result<(Vec<u8>, u64), String> {
    let size = file.size.unwrap_or(0);
    match &file.content {
        Content::Listed | Content::Prefix(_) if file.path == TOKENIZER => {
            let length = usize::try_from(size).map_err(|error| error.to_string())?;
            let mut text = STAND_IN.as_bytes().to_vec();
            text.resize(length.max(text.len()), b' ');
            Ok((text, size))
        }
        Content::Listed => Ok((Vec::new(), size)),
        Content::Whole(bytes) | Content::Prefix(bytes) => {
            Ok((bytes.clone(), size.max(bytes.len() as u64)))
        }
        Content::Pointer => {
            let text = pointer(file.sha256.as_deref(), size);
            let length = text.len() as u64;
            Ok((text.into_bytes(), length))
        }
        Content::NotRegular(kind) => Err(format!("it is {kind}")),
        Content::Unavailable(why) => Err(format!("it was never read ({why})")),
    }
}

/// A git-lfs pointer. A checksum that is not known is written as zeros.
/// Source: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>
fn pointer(sha256: Option<&str>, size: u64) -> String {
    let zeros = "0".repeat(64);
    let oid = sha256.unwrap_or(&zeros);
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n")
}

fn write(dir: &Path, path: &str, start: &[u8], size: u64) -> Result<(), String> {
    let inside = Path::new(path);
    if !inside
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(format!("`{path}` leads out of the folder"));
    }
    let path = dir.join(inside);
    let written = (|| {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        file.write_all(start)?;
        file.set_len(size)
    })();
    written.map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::snapshot_of;

    #[test]
    fn a_fixture_becomes_a_folder_of_true_sizes() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let snapshot = snapshot_of("llama-3.1-8b-instruct").expect("the fixture");
        let skipped = materialise(&snapshot, dir.path()).expect("written");
        assert_eq!(skipped, Vec::<String>::new());
        for file in snapshot.files.known().expect("listed") {
            let size = fs::metadata(dir.path().join(&file.path))
                .expect(&file.path)
                .len();
            assert_eq!(Some(size), file.size, "{}", file.path);
        }
        let tokenizer = fs::read(dir.path().join(TOKENIZER)).expect("a tokenizer");
        assert!(serde_json::from_slice::<serde_json::Value>(&tokenizer).is_ok());
        let again = materialise(&snapshot, dir.path()).expect_err("must not overwrite");
        assert!(again.contains("not empty"), "{again}");
    }

    #[test]
    fn pointers_are_pointers_and_the_unreadable_is_told() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let checkout = snapshot_of("qwen2.5-7b-instruct-lfs-pointers").expect("the fixture");
        materialise(&checkout, dir.path()).expect("written");
        let path = "model-00001-of-00004.safetensors";
        let text = fs::read_to_string(dir.path().join(path)).expect("a pointer is text");
        let size = checkout
            .file(path)
            .and_then(|file| file.size)
            .expect("known");
        assert!(text.starts_with("version https://git-lfs.github.com/spec/v1\noid sha256:"));
        assert!(text.ends_with(&format!("\nsize {size}\n")), "{text}");

        let dir = tempfile::tempdir().expect("a temporary folder");
        let unread = snapshot_of("mistral-7b-instruct-v0.3-unreadable").expect("the fixture");
        let skipped = materialise(&unread, dir.path()).expect("written");
        assert_eq!(skipped.len(), 1);
        assert!(
            skipped[0].starts_with("model-00002-of-00003.safetensors: "),
            "{}",
            skipped[0]
        );
    }

    #[test]
    fn paths_stay_inside() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let error = write(dir.path(), "../evil", b"", 0).expect_err("must be refused");
        assert!(error.contains("leads out"), "{error}");
    }
}
