//! Recordings: what goes in comes out, and nothing that is wrong with one goes unsaid.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

mod common;

use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use common::{collect_all, content, header, open_local, pointer, reason, run, shard, write_file};
use flate2::Compression;
use flate2::write::GzEncoder;
use preflight_model::container::{ArchiveFormat, Container, Oddity, OddityKind, Validity};
use preflight_model::fact::{Defect, Fact};
use preflight_model::snapshot::{Access, Content, File, Origin, Snapshot, SourceKind};
use preflight_source::{Error, Folder, Recording, Source, recording};
use proptest::prelude::*;
use serde_json::{Value, json};

fn open_at(dir: &Path) -> Recording {
    Recording::open(dir, "given").unwrap().expect("a recording")
}

fn read_at(dir: &Path) -> Snapshot {
    collect_all(&open_at(dir)).snapshot
}

/// The snapshot as its recording gives it back.
fn as_recorded(mut snapshot: Snapshot, dir: &Path) -> Snapshot {
    snapshot.origin.source = SourceKind::Recording;
    snapshot.origin.input = "given".into();
    if let Fact::Known(base) = &mut snapshot.base {
        base.origin.source = SourceKind::Recording;
        base.origin.input = dir.join("base").display().to_string();
    }
    snapshot
}

fn hub_snapshot(id: &str, files: Fact<Vec<File>>) -> Snapshot {
    Snapshot {
        origin: Origin {
            input: id.into(),
            source: SourceKind::Hub,
            stands_for: SourceKind::Hub,
            id: Some(id.into()),
            revision: Some("main".into()),
            commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
        },
        access: Access::Open,
        observed_at: Some("2025-11-20T10:00:00Z".into()),
        files,
        container: Fact::Absent,
        base: Fact::Absent,
    }
}

fn file(path: &str, size: Option<u64>, content: Content) -> File {
    File {
        path: path.into(),
        size,
        sha256: None,
        content,
    }
}

#[test]
fn an_archive_comes_back_as_it_was() {
    for (format, validity) in [
        (Fact::Known(ArchiveFormat::TarGz), Validity::NoAddress),
        (Fact::Known(ArchiveFormat::Other), Validity::Unsigned),
        (
            Fact::Unavailable("403".into()),
            Validity::Unclear("odd".into()),
        ),
        (
            Fact::Known(ArchiveFormat::Zip),
            Validity::Until {
                ends_at: 1_763_640_000,
                is_temporary: true,
            },
        ),
    ] {
        let mut snapshot = hub_snapshot("https://host/m.zip", Fact::Known(vec![]));
        snapshot.origin.source = SourceKind::Archive;
        snapshot.origin.stands_for = SourceKind::Archive;
        snapshot.container = Fact::Known(Container {
            name: "m.zip".into(),
            format,
            validity,
            broken: Some("it ends early".into()),
            wrapped_in: Some("folder".into()),
            oddities: vec![Oddity {
                member: "../x".into(),
                kind: OddityKind::LeadsOutside,
            }],
            more_oddities: 7,
        });
        let out = tempfile::tempdir().unwrap();
        recording::write(&snapshot, out.path()).unwrap();
        assert_eq!(read_at(out.path()), as_recorded(snapshot, out.path()));
    }
}

#[test]
fn a_folder_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in [
        ("README.md", b"# x".to_vec()),
        ("config.json", b"{}".to_vec()),
        ("model-1.safetensors", shard(300)),
        ("model-2.safetensors", shard(200_000)),
        ("model-3.safetensors", pointer(5_000_000_000).into()),
        ("model-4.safetensors", header(900)[..500].to_vec()),
        ("model-5.safetensors", b"abc".to_vec()),
        ("model.safetensors.index.json", vec![b' '; 100_000]),
        ("sub/config.json", b"{}".to_vec()),
        ("with\\backslash", b"x".to_vec()),
    ] {
        write_file(folder.path(), path, bytes);
    }
    fs::File::create(folder.path().join("tokenizer_config.json"))
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    fs::create_dir(folder.path().join("generation_config.json")).unwrap();
    let mut first = collect_all(&Folder::new(folder.path(), "folder").unwrap()).snapshot;
    first.observed_at = Some("2025-11-20T10:00:00Z".into());

    let out = tempfile::tempdir().unwrap();
    recording::write(&first, out.path()).unwrap();
    assert_eq!(read_at(out.path()), as_recorded(first, out.path()));

    assert_eq!(
        fs::read(out.path().join("model-1.safetensors")).unwrap(),
        header(300)
    );
    for long in ["model-2.safetensors", "model.safetensors.index.json"] {
        assert!(!out.path().join(long).exists());
        let compressed = fs::metadata(out.path().join(format!("{long}.gz"))).unwrap();
        assert!(compressed.len() < 1000);
    }
    assert!(!out.path().join("README.md").exists());

    // A recording of a recording is the same recording.
    let again = tempfile::tempdir().unwrap();
    recording::write(&read_at(out.path()), again.path()).unwrap();
    let text = |dir: &Path| fs::read_to_string(dir.join("recording.json")).unwrap();
    assert_eq!(text(again.path()), text(out.path()));
}

#[test]
fn an_adapter_brings_its_base() {
    let config = |text: &str| Content::Whole(text.into());
    let mut adapter = hub_snapshot(
        "org/adapter",
        Fact::Known(vec![file("adapter_config.json", Some(2), config("{}"))]),
    );
    let base = hub_snapshot(
        "org/base",
        Fact::Known(vec![file("config.json", Some(3), config("{ }"))]),
    );
    adapter.base = Fact::Known(Box::new(base));
    let dir = tempfile::tempdir().unwrap();
    recording::write(&adapter, dir.path()).unwrap();
    assert_eq!(
        read_at(dir.path()),
        as_recorded(adapter.clone(), dir.path())
    );

    adapter.base = Fact::Unavailable("`org/base` was not looked for".into());
    recording::write(&adapter, dir.path()).unwrap();
    assert_eq!(read_at(dir.path()), as_recorded(adapter, dir.path()));
    assert!(!dir.path().join("base").exists(), "the old base is gone");
}

#[test]
fn what_was_refused_stays_refused() {
    for access in [
        Access::Refused("gated".into()),
        Access::Unreachable("no route to host".into()),
    ] {
        let mut snapshot = hub_snapshot("org/gated", Fact::Unavailable("not listed".into()));
        snapshot.access = access;
        let dir = tempfile::tempdir().unwrap();
        recording::write(&snapshot, dir.path()).unwrap();
        assert_eq!(read_at(dir.path()), as_recorded(snapshot, dir.path()));
    }
}

#[test]
fn nothing_is_overwritten_but_a_recording() {
    let snapshot = hub_snapshot(
        "org/name",
        Fact::Known(vec![file(
            "config.json",
            Some(2),
            Content::Whole(b"{}".into()),
        )]),
    );
    let parent = tempfile::tempdir().unwrap();
    let refused = |dir: &Path| match recording::write(&snapshot, dir) {
        Err(Error::Write { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };

    let dir = parent.path().join("out");
    write_file(&dir, "mine.txt", "x");
    assert_eq!(refused(&dir), "the folder is not empty and not a recording");
    assert_eq!(refused(&dir.join("mine.txt")), "a file of that name exists");
    fs::remove_file(dir.join("mine.txt")).unwrap();
    recording::write(&snapshot, &dir).unwrap();
    recording::write(&snapshot, &dir).unwrap();

    write_file(&dir, "sub/mine.txt", "x");
    assert_eq!(
        refused(&dir),
        "the recording that is there holds `sub/mine.txt`, which is not part of it"
    );
    assert_eq!(fs::read(dir.join("sub/mine.txt")).unwrap(), b"x");
    let left: Vec<_> = fs::read_dir(parent.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["out"], "no temporary folder is left");
}

#[test]
fn what_cannot_be_recorded() {
    let whole = |path: &str| file(path, Some(1), Content::Whole(b"x".into()));
    let malformed = Fact::Malformed(Defect::of_file("x", "broken"));
    for (snapshot, expected) in [
        (
            hub_snapshot("a/b", Fact::Known(vec![whole("../config.json")])),
            "the path `../config.json` leads outside",
        ),
        (
            hub_snapshot("a/b", Fact::Known(vec![whole("a\\b.json")])),
            "the path `a\\\\b.json` leads outside",
        ),
        (
            hub_snapshot("a/b", Fact::Known(vec![file("/x", None, Content::Listed)])),
            "the path `/x` leads outside",
        ),
        (
            hub_snapshot("a/b", Fact::Known(vec![whole("recording.json")])),
            "`recording.json`: file exists",
        ),
        (hub_snapshot("a/b", malformed), "its listing is malformed"),
    ] {
        let parent = tempfile::tempdir().unwrap();
        let error = recording::write(&snapshot, &parent.path().join("out")).unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
        assert_eq!(
            fs::read_dir(parent.path()).unwrap().count(),
            0,
            "nothing is left"
        );
    }
}

/// The least that is a recording, with changes.
fn document(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = json!({
        "format": "byom-preflight-recording",
        "format_version": 1,
        "source": "hub",
        "files": [{"path": "config.json", "size": 2, "state": "whole"}],
    });
    change(&mut document);
    document
}

fn recorded(document: &Value) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_file(dir.path(), "recording.json", document.to_string());
    write_file(dir.path(), "config.json", "{}");
    dir
}

#[test]
fn a_recording_by_hand_needs_little() {
    let dir = recorded(&document(|_| ()));
    let source = open_local(dir.path().to_str().unwrap());
    let snapshot = collect_all(&*source).snapshot;
    assert_eq!(
        (snapshot.origin.source, snapshot.origin.stands_for),
        (SourceKind::Recording, SourceKind::Hub)
    );
    assert_eq!(
        (snapshot.access, snapshot.base),
        (Access::Open, Fact::Absent)
    );
    assert_eq!(
        snapshot.files,
        Fact::Known(vec![file(
            "config.json",
            Some(2),
            Content::Whole(b"{}".into())
        )])
    );
}

#[test]
fn the_example_of_the_docs_is_a_recording() {
    let docs = include_str!("../../../docs/recording.md");
    let example = docs
        .split("```json")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    write_file(dir.path(), "recording.json", example);
    write_file(dir.path(), "config.json", [b' '; 651]);
    write_file(dir.path(), "model.safetensors", header(500));
    let snapshot = read_at(dir.path());
    assert_eq!(snapshot.origin.id.as_deref(), Some("org/name"));
    assert_eq!(
        *content(&snapshot, "config.json"),
        Content::Whole(vec![b' '; 651])
    );
    assert_eq!(
        *content(&snapshot, "model.safetensors"),
        Content::Prefix(header(500))
    );
}

#[test]
fn a_recording_that_is_wrong_says_how() {
    let one_file = |file: Value| document(move |document| document["files"] = json!([file]));
    let changed = |key: &'static str, value: Value| document(move |document| document[key] = value);
    for (document, expected) in [
        (
            changed("format_version", json!(2)),
            "its format version is 2, this program reads version 1",
        ),
        (
            changed("format", json!("byom-preflight-recording-x")),
            "its `format` is `byom-preflight-recording-x`, not `byom-preflight-recording`",
        ),
        (
            changed("source", json!("recording")),
            "its `source` is `recording`, not `hub`, `s3`, `archive` or `folder`",
        ),
        (
            changed(
                "container",
                json!({"name": "m.zip", "format": ".cab", "validity": {"state": "unsigned"}}),
            ),
            "the `format` of its `container` is `.cab`",
        ),
        (
            changed(
                "container",
                json!({"name": "m.zip", "validity": {"state": "until"}}),
            ),
            "the `validity` of its `container` has no `ends_at`",
        ),
        (
            changed(
                "container",
                json!({"name": "m.zip", "validity": {"state": "unsigned"}, "oddities": [{"member": "x", "kind": "round"}]}),
            ),
            "the `kind` of an oddity of its `container` is `round`",
        ),
        (
            changed("access", json!({"state": "odd"})),
            "the `state` of `access` is `odd`, not `open`, `refused` or `unreachable`",
        ),
        (
            changed("listing", json!({"state": "odd"})),
            "the `state` of `listing` is `odd`, not `known`, `absent` or `unavailable`",
        ),
        (
            one_file(json!({"path": "../x", "state": "listed"})),
            "the path `../x` leads outside",
        ),
        (
            one_file(json!({"path": "/x", "state": "listed"})),
            "the path `/x` leads outside",
        ),
        (
            one_file(json!({"path": "a\u{0}", "state": "listed"})),
            "the path `a\\0` leads outside",
        ),
        (
            one_file(json!({"path": "a\\b", "size": 1, "state": "whole"})),
            "the path `a\\\\b` leads outside",
        ),
        (
            one_file(json!({"path": "x", "state": "whole"})),
            "`x` is whole and has no `size`",
        ),
        (
            one_file(json!({"path": "x", "size": 1, "state": "listed", "encoding": "gzip"})),
            "`x` has an `encoding` and nothing was kept of it",
        ),
        (
            one_file(json!({"path": "x", "state": "listed", "sha256": "abc"})),
            "the `sha256` of `x` is not 64 hexadecimal digits",
        ),
        (
            changed(
                "files",
                json!([{"path": "x", "state": "listed"}, {"path": "x", "state": "pointer"}]),
            ),
            "the file `x` stands twice in it",
        ),
    ] {
        let dir = recorded(&document);
        let error = Recording::open(dir.path(), "given").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the recording `given` is not valid: {expected}")
        );
    }
    for text in [
        r#"{"format": "byom-preflight-recording""#.into(),
        one_file(json!({"path": "x", "state": "odd"})).to_string(),
        one_file(json!({"path": "x", "size": -1, "state": "listed"})).to_string(),
        one_file(json!({"path": "x", "state": "prefix", "encoding": "zstd"})).to_string(),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write_file(dir.path(), "recording.json", &text);
        let error = Recording::open(dir.path(), "given").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("`recording.json` is not as expected: "),
            "{error}"
        );
    }
}

#[test]
fn a_base_must_be_there_and_have_none() {
    let with_base = document(|document| document["base"] = json!({"state": "known"}));
    let dir = recorded(&with_base);
    let error = run(Source::list(&open_at(dir.path()))).unwrap_err();
    assert!(
        error.to_string().ends_with("is not valid: it is missing"),
        "{error}"
    );
    write_file(dir.path(), "base/recording.json", with_base.to_string());
    let error = run(Source::list(&open_at(dir.path()))).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("is not valid: it has a base of its own"),
        "{error}"
    );
}

#[test]
fn stored_files_that_do_not_agree_are_not_believed() {
    let files = json!([
        {"path": "config.json", "size": 3, "state": "whole"},
        {"path": "generation_config.json", "size": 3, "state": "whole"},
        {"path": "long.safetensors", "size": 100, "state": "prefix"},
        {"path": "modules.json", "size": 100, "state": "whole", "encoding": "gzip"},
        {"path": "part.safetensors", "size": 100_000, "state": "prefix"},
        {"path": "special_tokens_map.json", "size": 300, "state": "whole", "encoding": "gzip"},
        {"path": "tokenizer_config.json", "size": 3, "state": "listed"},
        {"path": "zip.safetensors", "size": 100_000, "state": "prefix", "encoding": "gzip"},
    ]);
    let dir = recorded(&document(|document| document["files"] = files));
    write_file(dir.path(), "long.safetensors", header(200));
    write_file(dir.path(), "modules.json.gz", gzip(&[b' '; 200]));
    write_file(dir.path(), "part.safetensors", &header(200)[..100]);
    write_file(dir.path(), "special_tokens_map.json.gz", gzip(&[b' '; 200]));
    write_file(dir.path(), "zip.safetensors.gz", b"this is no gzip member");
    let snapshot = read_at(dir.path());
    for (path, expected) in [
        (
            "config.json",
            "the recording holds 2 bytes of it, which does not agree with its size of 3",
        ),
        (
            "generation_config.json",
            "the recording should hold it: no such file or directory",
        ),
        (
            "long.safetensors",
            "the recording holds 200 bytes of it, which does not agree with its size of 100",
        ),
        (
            "modules.json",
            "the recording holds more than its 100 bytes",
        ),
        (
            "part.safetensors",
            "the recording does not hold its bytes 8 to 200",
        ),
        (
            "special_tokens_map.json",
            "the recording does not hold its bytes 0 to 300",
        ),
        ("tokenizer_config.json", "the recording did not keep it"),
        (
            "zip.safetensors",
            "its compressed form in the recording is broken: invalid gzip header",
        ),
    ] {
        assert_eq!(
            *content(&snapshot, path),
            Content::Unavailable(expected.into()),
            "{path}"
        );
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_bytes_are_those_of_the_range_whatever_was_read_before() {
    let bytes: Vec<u8> = (0..200_u8).collect();
    let names: Vec<String> = (0..70).map(|n| format!("m-{n}.safetensors")).collect();
    let files: Vec<Value> = names
        .iter()
        .map(|name| json!({"path": name, "size": 1000, "state": "prefix", "encoding": "gzip"}))
        .collect();
    let dir = recorded(&document(|document| document["files"] = files.into()));
    for name in &names {
        write_file(dir.path(), &format!("{name}.gz"), gzip(&bytes));
    }
    let recording = open_at(dir.path());
    let read = |name: &str, range: Range<usize>| {
        let asked = range.start as u64..range.end as u64;
        let found = run(recording.read(name, asked)).unwrap();
        assert_eq!(found, bytes[range]);
    };
    // More files than are held open, each twice and in between elsewhere.
    for ranges in [
        [0..8, 8..200],
        [0..8, 0..8],
        [8..50, 8..200],
        [0..8, 3..9],
        [8..9, 9..200],
    ] {
        for range in ranges {
            for name in &names {
                read(name, range.clone());
            }
        }
    }
}

#[test]
fn decompression_is_bounded() {
    let files = json!([{"path": "m.safetensors", "size": 1_u64 << 40, "state": "prefix", "encoding": "gzip"}]);
    let dir = recorded(&document(|document| document["files"] = files));
    // A header of 1000 bytes with 8 MiB behind it.
    let long = [header(1000), vec![0; 8 << 20]].concat();
    write_file(dir.path(), "m.safetensors.gz", gzip(&long));
    let recording = open_at(dir.path());
    let collected = collect_all(&recording);
    assert_eq!(
        *content(&collected.snapshot, "m.safetensors"),
        Content::Prefix(header(1000))
    );
    let beyond = run(Source::read(&recording, "m.safetensors", 0..1 << 39)).unwrap_err();
    assert!(matches!(beyond, Error::Unavailable { .. }), "{beyond:?}");
}

#[cfg(unix)]
#[test]
fn links_in_a_recording_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    write_file(outside.path(), "config.json", "{}");
    let files = json!([
        {"path": "config.json", "size": 2, "state": "whole"},
        {"path": "sub/config.json", "size": 2, "state": "whole"},
    ]);
    let dir = recorded(&document(|document| document["files"] = files));
    fs::remove_file(dir.path().join("config.json")).unwrap();
    symlink(
        outside.path().join("config.json"),
        dir.path().join("config.json"),
    )
    .unwrap();
    symlink(outside.path(), dir.path().join("sub")).unwrap();
    let snapshot = read_at(dir.path());
    assert_eq!(
        reason(&snapshot, "config.json"),
        "the recording should hold it: it is a symbolic link"
    );
    let error = run(Source::read(&open_at(dir.path()), "sub/config.json", 0..2)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("a part of its path in the recording is no folder"),
        "{error}"
    );

    let linked = tempfile::tempdir().unwrap();
    symlink(
        dir.path().join("recording.json"),
        linked.path().join("recording.json"),
    )
    .unwrap();
    assert!(
        Recording::open(linked.path(), "given").unwrap().is_none(),
        "a link is not a recording"
    );
}

/// Files of a listing in every state that a check leaves them in.
fn files() -> impl Strategy<Value = Vec<File>> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let content = prop_oneof![
        bytes().prop_map(Content::Whole),
        Just(Content::Listed),
        Just(Content::Pointer),
        "[ -~]{1,20}".prop_map(Content::Unavailable),
    ];
    let one = (content, 100_u64..1 << 50).prop_map(|(content, size)| {
        let size = match &content {
            Content::Whole(bytes) => bytes.len() as u64,
            _ => size,
        };
        (size, content)
    });
    proptest::collection::btree_map("[a-z]{1,6}\\.json", one, 1..5).prop_map(|files| {
        let files = files.into_iter();
        files
            .map(|(path, (size, content))| file(&path, Some(size), content))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_written_is_read_back(files in files()) {
        let snapshot = hub_snapshot("acme/tiny", Fact::Known(files));
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("out");
        recording::write(&snapshot, &dir).unwrap();
        let again = parent.path().join("again");
        let read = read_at(&dir);
        recording::write(&read, &again).unwrap();
        let names = |snapshot: &Snapshot| -> Vec<(String, Option<u64>)> {
            snapshot.files.known().unwrap().iter().map(|file| (file.path.clone(), file.size)).collect()
        };
        prop_assert_eq!(names(&read), names(&snapshot));
        for file in snapshot.files.known().unwrap() {
            // Only what a check reads is read back: the rest stands in the folder.
            if let Content::Whole(bytes) = &file.content {
                prop_assert_eq!(&fs::read(dir.join(&file.path)).unwrap(), bytes);
            }
        }
        prop_assert_eq!(read_at(&again), read);
    }
}
