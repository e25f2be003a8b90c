//! Folders as they are found on disks.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

mod common;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use common::{
    collect_all, content, header, open_local, paths, pointer, reason, run, shard, write_file,
};
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Content, SourceKind};
use preflight_source::{Collected, Folder, Limits, collect};

fn collect_folder(dir: &Path) -> Collected {
    collect_all(&Folder::new(dir, "folder").unwrap())
}

#[test]
fn of_a_vocabulary_the_first_bytes_are_read() {
    let dir = tempfile::tempdir().unwrap();
    write_file(dir.path(), "tokenizer.model", "x".repeat(2_000_000));
    write_file(dir.path(), "vocab.txt", "");
    let Collected { snapshot, .. } = collect_folder(dir.path());
    assert_eq!(
        *content(&snapshot, "tokenizer.model"),
        Content::Prefix("x".repeat(512).into())
    );
    assert_eq!(*content(&snapshot, "vocab.txt"), Content::Whole(Vec::new()));
}

#[test]
fn a_terabyte_costs_its_headers() {
    const SHARDS: u64 = 250;
    const SHARD_BYTES: u64 = 4_000_000_000;
    let dir = tempfile::tempdir().unwrap();
    let mut expected = 0;
    for number in 0..SHARDS {
        let mut text = String::from("{\"__metadata__\":{\"format\":\"pt\"}");
        for tensor in 0..12 {
            let (start, bytes) = (tensor * 100_000_000, 100_000_000);
            let end = start + bytes;
            write!(text, r#","layers.{number}.w{tensor}":{{"dtype":"BF16","shape":[5000,10000],"data_offsets":[{start},{end}]}}"#)
                .unwrap();
        }
        text += "}";
        let name = format!("model-{:05}-of-{SHARDS:05}.safetensors", number + 1);
        let mut file = File::create(dir.path().join(name)).unwrap();
        file.write_all(&(text.len() as u64).to_le_bytes()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.set_len(SHARD_BYTES).unwrap();
        expected += 8 + text.len() as u64;
    }
    let config = r#"{"model_type": "llama"}"#;
    write_file(dir.path(), "config.json", config);

    let start = Instant::now();
    let Collected { snapshot, cost } = collect_folder(dir.path());
    println!(
        "collected {} files in {:?}: {cost:?}",
        SHARDS + 1,
        start.elapsed()
    );

    let files = snapshot.files.known().unwrap();
    let total: u64 = files.iter().filter_map(|file| file.size).sum();
    assert_eq!(total, SHARDS * SHARD_BYTES + config.len() as u64);
    assert_eq!(
        cost.bytes,
        expected + config.len() as u64,
        "headers and config.json, no byte of a weight"
    );
    assert_eq!(
        cost.requests,
        1 + 2 * SHARDS + 1,
        "one listing, two reads a shard, config.json"
    );
    let prefixes = files
        .iter()
        .filter(|file| matches!(&file.content, Content::Prefix(header) if header.ends_with(b"}")));
    assert_eq!(prefixes.count() as u64, SHARDS);
}

#[test]
fn a_file_too_large_to_read_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    File::create(dir.path().join("config.json"))
        .unwrap()
        .set_len(300_000_000)
        .unwrap();
    let Collected { snapshot, cost } = collect_folder(dir.path());
    assert_eq!(
        reason(&snapshot, "config.json"),
        "it has 300000000 bytes, more than the 16777216 that are read"
    );
    assert_eq!(cost.bytes, 0);
}

#[test]
fn headers_share_one_budget() {
    let dir = tempfile::tempdir().unwrap();
    for (name, end) in [("a", 400), ("b", 700), ("c", 500), ("d", 100)] {
        write_file(dir.path(), &format!("{name}.safetensors"), shard(end));
    }
    let limits = Limits {
        headers_bytes_max: 1000,
        header_files_max: 3,
        ..Limits::default()
    };
    let folder = Folder::new(dir.path(), "folder").unwrap();
    let snapshot = run(collect(&folder, &limits)).unwrap().snapshot;
    assert_eq!(
        *content(&snapshot, "a.safetensors"),
        Content::Prefix(header(400))
    );
    assert_eq!(
        reason(&snapshot, "b.safetensors"),
        "the headers of all files together have more than the 1000 bytes that are read"
    );
    assert_eq!(
        *content(&snapshot, "c.safetensors"),
        Content::Prefix(header(500))
    );
    assert_eq!(
        reason(&snapshot, "d.safetensors"),
        "there are more than the 3 weight files whose headers are read"
    );
}

#[test]
fn subfolders_are_listed_and_bookkeeping_is_not() {
    let dir = tempfile::tempdir().unwrap();
    for path in [
        "b.txt",
        "a/z.txt",
        "a/b/c.txt",
        ".git/config",
        ".cache/huggingface/x",
        "a/.git/y",
        ".gitattributes",
    ] {
        write_file(dir.path(), path, "x");
    }
    fs::create_dir_all(dir.path().join("config.json/inside")).unwrap();
    let deep = "d/".repeat(40);
    write_file(dir.path(), &format!("{deep}lost.txt"), "x");
    let snapshot = collect_folder(dir.path()).snapshot;
    let too_deep = "d/".repeat(33);
    let too_deep = too_deep.trim_end_matches('/');
    assert_eq!(
        paths(&snapshot),
        [
            ".gitattributes",
            "a/b/c.txt",
            "a/z.txt",
            "b.txt",
            "config.json",
            too_deep
        ]
    );
    assert_eq!(reason(&snapshot, "config.json"), "a folder");
    assert_eq!(
        reason(&snapshot, too_deep),
        "a folder that is not listed: it lies more than 32 levels deep"
    );
}

#[test]
fn pointers_are_told_from_files() {
    let dir = tempfile::tempdir().unwrap();
    write_file(dir.path(), "model.safetensors", pointer(4_000_000_000));
    write_file(dir.path(), "pytorch_model.bin", pointer(7));
    write_file(dir.path(), "config.json", pointer(900));
    write_file(dir.path(), "README.md", pointer(5));
    write_file(dir.path(), "sub/model.safetensors", pointer(6));
    let snapshot = collect_folder(dir.path()).snapshot;
    for (path, size) in [
        ("model.safetensors", 4_000_000_000),
        ("pytorch_model.bin", 7),
        ("config.json", 900),
    ] {
        let file = snapshot.file(path).unwrap();
        assert_eq!(
            (&file.content, file.size, file.sha256.as_deref()),
            (&Content::Pointer, Some(size), Some(common::OID))
        );
    }
    for path in ["README.md", "sub/model.safetensors"] {
        assert_eq!(*content(&snapshot, path), Content::Listed, "{path}");
    }
}

#[test]
fn a_folder_that_is_gone_is_unreachable() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new(&dir.path().join("gone"), "gone").unwrap();
    let snapshot = collect_all(&folder).snapshot;
    assert_eq!(
        snapshot.access,
        Access::Unreachable("no such file or directory".into())
    );
    assert_eq!(
        snapshot.files,
        Fact::Unavailable("no such file or directory".into())
    );
}

#[test]
fn a_folder_is_opened_by_its_path() {
    let dir = tempfile::tempdir().unwrap();
    write_file(dir.path(), "recording.json", r#"{"format": "audio"}"#);
    let input = dir.path().to_str().unwrap();
    let source = open_local(input);
    let snapshot = collect_all(&*source).snapshot;
    assert_eq!(
        (snapshot.origin.source, snapshot.origin.input.as_str()),
        (SourceKind::Folder, input)
    );
    assert_eq!(
        paths(&snapshot),
        ["recording.json"],
        "another program's recording.json is a file like any"
    );
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let made = Command::new("mkfifo")
            .arg(at("config.json"))
            .arg(at("model.safetensors"))
            .status()
            .unwrap();
        assert!(made.success());
        let _socket = UnixListener::bind(at("tokenizer_config.json")).unwrap();
        symlink("/dev/zero", at("generation_config.json")).unwrap();
        symlink(at("config.json"), at("adapter_config.json")).unwrap();
        let Collected { snapshot, cost } = collect_folder(dir.path());
        for (path, what) in [
            ("adapter_config.json", "a named pipe"),
            ("config.json", "a named pipe"),
            ("generation_config.json", "a character device"),
            ("model.safetensors", "a named pipe"),
            ("tokenizer_config.json", "a socket"),
        ] {
            assert_eq!(
                *content(&snapshot, path),
                Content::NotRegular(what.into()),
                "{path}"
            );
        }
        assert_eq!(cost.bytes, 0);
    }

    #[test]
    fn a_pipe_named_recording_json_does_not_block() {
        let dir = tempfile::tempdir().unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(dir.path().join("recording.json"))
                .status()
                .unwrap()
                .success()
        );
        let source = open_local(dir.path().to_str().unwrap());
        let snapshot = collect_all(&*source).snapshot;
        assert_eq!(reason(&snapshot, "recording.json"), "a named pipe");
    }

    #[test]
    fn links_to_files_are_followed_and_to_folders_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        write_file(elsewhere.path(), "c.json", "{}");
        let at = |name: &str| dir.path().join(name);
        symlink(elsewhere.path().join("c.json"), at("config.json")).unwrap();
        symlink(elsewhere.path(), at("folder")).unwrap();
        symlink(dir.path(), at("itself")).unwrap();
        symlink("loop", at("loop")).unwrap();
        symlink("nowhere", at("tokenizer_config.json")).unwrap();
        let snapshot = collect_folder(dir.path()).snapshot;
        assert_eq!(
            paths(&snapshot),
            [
                "config.json",
                "folder",
                "itself",
                "loop",
                "tokenizer_config.json"
            ]
        );
        assert_eq!(
            *content(&snapshot, "config.json"),
            Content::Whole(b"{}".into())
        );
        assert_eq!(reason(&snapshot, "folder"), "a symbolic link to a folder");
        assert_eq!(
            reason(&snapshot, "loop"),
            "too many levels of symbolic links"
        );
        assert_eq!(
            *content(&snapshot, "tokenizer_config.json"),
            Content::Unavailable("the symbolic link leads to `nowhere`, which is not there".into())
        );
    }

    #[test]
    fn names_that_are_not_utf8() {
        let dir = tempfile::tempdir().unwrap();
        for name in [&b"a\xff.safetensors"[..], b"b\xff", b"b\xfe"] {
            fs::write(dir.path().join(OsStr::from_bytes(name)), shard(100)).unwrap();
        }
        let snapshot = collect_folder(dir.path()).snapshot;
        assert_eq!(paths(&snapshot), ["a\u{fffd}.safetensors", "b\u{fffd}"]);
        assert_eq!(
            reason(&snapshot, "a\u{fffd}.safetensors"),
            "it is listed and not there"
        );
    }

    #[test]
    fn the_hub_cache() {
        const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
        let dir = tempfile::tempdir().unwrap();
        let repository = dir.path().join("models--org--name");
        let snapshot_dir = repository.join("snapshots").join(COMMIT);
        write_file(&repository, "refs/main", COMMIT);
        write_file(&repository, "blobs/aaaa", "{}");
        fs::create_dir_all(&snapshot_dir).unwrap();
        symlink("../../blobs/aaaa", snapshot_dir.join("config.json")).unwrap();
        symlink("../../blobs/bbbb", snapshot_dir.join("model.safetensors")).unwrap();

        for (given, revision) in [(&repository, Some("main")), (&snapshot_dir, None)] {
            let source = open_local(given.to_str().unwrap());
            let snapshot = collect_all(&*source).snapshot;
            let origin = &snapshot.origin;
            assert_eq!(
                (origin.source, origin.id.as_deref()),
                (SourceKind::Folder, Some("org/name"))
            );
            assert_eq!(
                (origin.revision.as_deref(), origin.commit.as_deref()),
                (revision, Some(COMMIT))
            );
            assert_eq!(
                *content(&snapshot, "config.json"),
                Content::Whole(b"{}".into())
            );
            assert_eq!(
                reason(&snapshot, "model.safetensors"),
                "not downloaded: the symbolic link leads to `../../blobs/bbbb`, which is not there"
            );
        }
    }
}
