//! A clone whose git-lfs pointers stand for files of the Hub.

use std::path::Path;

use loopback_hub::{LoopbackHub, Route};
use preflight_model::snapshot::{Content, Snapshot};
use preflight_source::{ArchiveOptions, ModelRef, open};
use tempfile::TempDir;

use crate::common::{collect_all, content, pointer, shard, write_file};
use crate::{CONFIG, ID, LONG_HEADER, hub_with, model, options, sent, snapshot};

const SHARDS: [&str; 2] = ["model-1.safetensors", "model-2.safetensors"];

/// A clone of [`model`] without its weights, whose remote is `url`.
fn clone(url: &str, hub: &LoopbackHub) -> TempDir {
    let dir = TempDir::new().unwrap();
    write_file(dir.path(), "config.json", CONFIG);
    write_file(dir.path(), ".git/HEAD", "ref: refs/heads/main\n");
    let config = format!("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = {url}\n");
    write_file(dir.path(), ".git/config", config);
    let theirs = snapshot(hub);
    for path in SHARDS {
        let file = theirs.file(path).unwrap();
        let (sha256, size) = (file.sha256.as_ref().unwrap(), file.size.unwrap());
        let pointer = format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
        );
        write_file(dir.path(), path, pointer);
    }
    hub.take_log();
    dir
}

fn look(dir: &Path, hub: &LoopbackHub) -> (Snapshot, Vec<String>) {
    let model = ModelRef::from_argument(dir.to_str().unwrap()).unwrap();
    let source = open(
        &model,
        || Ok(options(hub)),
        &ArchiveOptions::default(),
        || panic!("nothing is on S3"),
    )
    .unwrap();
    let found = collect_all(&*source).snapshot;
    (found, source.notes())
}

#[test]
fn headers_of_pointers_are_read_on_the_hub() {
    let hub = hub_with(model(ID));
    for head in ["ref: refs/heads/main", "ref: refs/heads/never-pushed", ""] {
        let dir = clone(&format!("{}/{ID}", hub.endpoint()), &hub);
        write_file(dir.path(), ".git/HEAD", head);
        let (found, notes) = look(dir.path(), &hub);
        for (path, end) in SHARDS.into_iter().zip([300, LONG_HEADER]) {
            let expected = Content::Prefix(shard(end)[..end].to_vec());
            assert!(*content(&found, path) == expected, "{head}: {path}");
        }
        assert_eq!(
            *content(&found, "config.json"),
            Content::Whole(CONFIG.into())
        );
        assert_eq!(
            notes,
            [format!(
                "2 of 2 git-lfs pointers were read as the files of `{ID}` on the Hub"
            )]
        );
    }
}

#[test]
fn submodules_and_further_working_trees_are_clones_too() {
    let hub = hub_with(model(ID));
    for (file, moves) in [
        // As git lays them out: all in the folder of the superproject; what is shared in that of the first tree.
        (
            "gitdir: .super/modules/model\n",
            [
                ("HEAD", "modules/model/HEAD"),
                ("config", "modules/model/config"),
            ],
        ),
        (
            "gitdir: .super/worktrees/side\n",
            [("HEAD", "worktrees/side/HEAD"), ("config", "config")],
        ),
    ] {
        let dir = clone(&format!("{}/{ID}", hub.endpoint()), &hub);
        let git = dir.path().join(".git");
        for (name, to) in moves {
            let text = std::fs::read(git.join(name)).unwrap();
            write_file(dir.path(), &format!(".super/{to}"), text);
        }
        if file.contains("worktrees") {
            write_file(dir.path(), ".super/worktrees/side/commondir", "../..\n");
        }
        std::fs::remove_dir_all(&git).unwrap();
        write_file(dir.path(), ".git", file);
        let (found, notes) = look(dir.path(), &hub);
        assert!(
            matches!(content(&found, SHARDS[0]), Content::Prefix(_)),
            "{file}: {notes:?}"
        );
    }
}

#[test]
fn another_file_than_the_pointers_is_not_read() {
    let hub = hub_with(model(ID));
    let dir = clone(&format!("{}/{ID}", hub.endpoint()), &hub);
    let size = snapshot(&hub).file(SHARDS[0]).unwrap().size.unwrap();
    let other = pointer(size);
    write_file(dir.path(), SHARDS[0], other);
    let (found, notes) = look(dir.path(), &hub);
    assert_eq!(*content(&found, SHARDS[0]), Content::Pointer);
    assert!(matches!(content(&found, SHARDS[1]), Content::Prefix(_)));
    assert!(notes[0].starts_with("1 of 2 git-lfs pointers"), "{notes:?}");
}

#[test]
fn nobody_is_asked_without_need() {
    let hub = hub_with(model(ID));
    let whole = clone(&format!("{}/{ID}", hub.endpoint()), &hub);
    for path in SHARDS {
        write_file(whole.path(), path, shard(300));
    }
    let elsewhere = clone("https://github.com/org/name", &hub);
    for (dir, kept) in [(&whole, false), (&elsewhere, true)] {
        let (found, notes) = look(dir.path(), &hub);
        assert_eq!(*content(&found, SHARDS[0]) == Content::Pointer, kept);
        assert!(notes.is_empty() && hub.take_log().is_empty(), "{notes:?}");
    }
}

#[test]
fn a_hub_that_cannot_be_read_leaves_pointers() {
    let hub = hub_with(model(ID));
    let dir = clone(&format!("{}/org/another", hub.endpoint()), &hub);
    let (found, notes) = look(dir.path(), &hub);
    assert_eq!(*content(&found, SHARDS[0]), Content::Pointer);
    assert!(
        notes[0].contains("`org/another` on the Hub, which this is a clone of, could not be read"),
        "{notes:?}"
    );
    assert!(sent(&hub.log(), Route::Cdn).is_empty());
}
