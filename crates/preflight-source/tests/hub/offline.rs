//! The Hub's cache without network.

use std::fs;
use std::path::Path;

use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Content, Snapshot, SourceKind};
use preflight_source::{HubOptions, hub};

use crate::common::{collect_all, content, reason, shard, write_file};
use crate::{CONFIG, ID, unreachable};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const FOLDER: &str = "models--org--name";

fn look(cache: &Path, revision: Option<&str>) -> Snapshot {
    // Nobody listens there.
    let options = HubOptions::at("http://127.0.0.1:9")
        .unwrap()
        .offline()
        .cache(cache);
    let source = hub::open(ID, revision, ID, &options).unwrap();
    collect_all(&*source).snapshot
}

/// A cache with some files of one snapshot, linked as the Hub's client does.
fn cache(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let repository = dir.path().join(FOLDER);
    let snapshot = repository.join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    write_file(&repository, "refs/main", COMMIT);
    write_file(&repository, "refs/refs/pr/1", COMMIT);
    for (number, (path, bytes)) in files.iter().enumerate() {
        write_file(&repository, &format!("blobs/{number}"), bytes);
        #[cfg(unix)]
        std::os::unix::fs::symlink(format!("../../blobs/{number}"), snapshot.join(path)).unwrap();
        #[cfg(not(unix))]
        write_file(&snapshot, path, bytes);
    }
    dir
}

#[test]
fn what_is_there_is_read_and_the_rest_is_not_absent() {
    let cache = cache(&[("config.json", CONFIG.into())]);
    let snapshot = look(cache.path(), None);
    assert_eq!(snapshot.access, Access::Open);
    assert_eq!(snapshot.origin.source, SourceKind::Hub);
    assert_eq!(snapshot.origin.stands_for, SourceKind::Hub);
    assert_eq!(snapshot.origin.id.as_deref(), Some(ID));
    assert_eq!(snapshot.origin.commit.as_deref(), Some(COMMIT));
    assert_eq!(
        *content(&snapshot, "config.json"),
        Content::Whole(CONFIG.into())
    );
    for path in [
        "model.safetensors",
        "model.safetensors.index.json",
        "generation_config.json",
        "tokenizer.json",
        "chat_template.jinja",
    ] {
        assert_eq!(
            reason(&snapshot, path),
            "it was never downloaded into the Hub's cache"
        );
    }
}

#[test]
fn shards_of_the_index_are_missing_one_by_one() {
    let index =
        r#"{"metadata":{},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}"#;
    let cache = cache(&[
        ("config.json", CONFIG.into()),
        ("model.safetensors.index.json", index.into()),
        ("model-2.safetensors", shard(300)),
    ]);
    let snapshot = look(cache.path(), None);
    assert!(reason(&snapshot, "model-1.safetensors").starts_with("it was never downloaded"));
    assert_eq!(
        *content(&snapshot, "model-2.safetensors"),
        Content::Prefix(shard(300)[..300].to_vec())
    );
    assert!(
        snapshot.file("model.safetensors").is_none(),
        "the index says how the weights are stored"
    );
}

#[test]
fn what_a_download_found_absent_is_absent() {
    let cache = cache(&[("config.json", CONFIG.into())]);
    let marks = cache.path().join(FOLDER).join(".no_exist").join(COMMIT);
    write_file(&marks, "adapter_config.json", "");
    let snapshot = look(cache.path(), None);
    assert!(snapshot.file("adapter_config.json").is_none());
    assert!(snapshot.file("quantize_config.json").is_some());
}

#[test]
fn revisions_are_those_of_the_cache() {
    let cache = cache(&[("config.json", CONFIG.into())]);
    for revision in ["main", "refs/pr/1", COMMIT] {
        assert_eq!(
            look(cache.path(), Some(revision)).access,
            Access::Open,
            "{revision}"
        );
    }
    let dir = cache.path().display();
    for (revision, what) in [
        ("v1", format!("revision `v1` of `{ID}`")),
        (
            "ffffffffffffffffffffffffffffffffffffffff",
            format!("commit `ffffffffffffffffffffffffffffffffffffffff` of `{ID}`"),
        ),
    ] {
        let snapshot = look(cache.path(), Some(revision));
        assert_eq!(
            unreachable(&snapshot),
            format!("offline, and {what} is not in the Hub's cache `{dir}`")
        );
        assert!(matches!(snapshot.files, Fact::Unavailable(_)));
    }
    let options = HubOptions::at("http://127.0.0.1:9").unwrap().offline();
    for odd in ["../main", ""] {
        let error = hub::open(ID, Some(odd), ID, &options).unwrap_err();
        assert!(error.is_usage(), "{odd}");
    }
    let empty = tempfile::tempdir().unwrap();
    let snapshot = look(empty.path(), None);
    assert!(
        unreachable(&snapshot).starts_with("offline, and `org/name` is not in the Hub's cache")
    );
}

#[test]
fn of_an_adapter_its_own_weights_may_be_missing() {
    let cache = cache(&[("adapter_config.json", b"{}".to_vec())]);
    let snapshot = look(cache.path(), None);
    assert!(reason(&snapshot, "adapter_model.safetensors").starts_with("it was never downloaded"));
    assert!(snapshot.file("model.safetensors").is_none());
}
