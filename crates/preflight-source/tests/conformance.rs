//! What every source must do, checked on one small repository. A new source joins with one test
//! that says how to put the repository there.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

mod common;
#[path = "common/s3.rs"]
mod s3_server;

use std::collections::BTreeMap;
use std::ops::Range;

use common::pack::{self, Zipped};
use common::{OID, collect_all, header, pointer, run, shard, write_file};
use futures_util::future::join_all;
use loopback_hub::{LoopbackHub, Repo};
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Content};
use preflight_source::memory::Memory;
use preflight_source::{
    Archive, ArchiveOptions, Error, FileKind, Folder, Hub, HubOptions, ModelRef, Recording, S3,
    S3Options, Source, recording, s3,
};
use s3_server::{BUCKET, S3Server};

/// The repository: what is at each path.
type Repository = BTreeMap<&'static str, Is>;

#[derive(Clone)]
enum Is {
    /// A file, and what `collect` must keep of it.
    File(Vec<u8>, Content),
    /// A git-lfs pointer to that many bytes.
    Pointer(u64),
}

/// Bytes of a remote weight file that are asked for first, where there is no index.
const FIRST_RANGE: usize = 48 << 10;
const CONFIG: &[u8] = b"{\"model_type\": \"llama\"}";

fn reference() -> Repository {
    let whole = |bytes: &[u8]| Is::File(bytes.to_vec(), Content::Whole(bytes.to_vec()));
    let listed = |bytes: &[u8]| Is::File(bytes.to_vec(), Content::Listed);
    let weights = |file: Vec<u8>, kept: usize| {
        let kept = Content::Prefix(file[..kept].to_vec());
        Is::File(file, kept)
    };
    let sound = |end: usize| weights(shard(end), end);
    let cut_short = header(600)[..300].to_vec();
    let mut endless = (1_u64 << 63).to_le_bytes().to_vec();
    endless.resize(300, b'{');
    BTreeMap::from([
        ("README.md", listed(b"# A model")),
        ("config.json", whole(CONFIG)),
        ("empty.safetensors", weights(Vec::new(), 0)),
        ("generation_config.json", whole(b"")),
        ("model-1-small.safetensors", sound(200)),
        ("model-2-under-edge.safetensors", sound(FIRST_RANGE - 1)),
        ("model-3-at-edge.safetensors", sound(FIRST_RANGE)),
        ("model-4-over-edge.safetensors", sound(FIRST_RANGE + 1)),
        ("model-5-long.safetensors", sound(3 * FIRST_RANGE)),
        ("model-6-cut-short.safetensors", weights(cut_short, 8)),
        ("model-7-endless.safetensors", weights(endless, 8)),
        ("model-8-no-prefix.safetensors", weights(b"abc".to_vec(), 3)),
        ("model-9-pointer.safetensors", Is::Pointer(4_000_000_000)),
        ("sub/deeper/config.json", listed(CONFIG)),
        ("sub/model.safetensors", listed(&shard(200))),
        ("tokenizer.json", Is::Pointer(12_345)),
    ])
}

/// What a source can have.
struct Abilities {
    pointers: bool,
    /// Whether there is such a thing as a repository without files.
    nothing: bool,
}

/// Checks a source. `put` makes one from a repository, with what keeps it alive.
fn conforms<Guard>(abilities: &Abilities, put: impl Fn(&Repository) -> (Box<dyn Source>, Guard)) {
    let mut repository = reference();
    if !abilities.pointers {
        repository.retain(|_, is| matches!(is, Is::File(..)));
    }
    let (source, _guard) = put(&repository);
    lists_all(&*source, &repository);
    reads_exactly(&*source);
    refuses_other_paths(&*source);
    reads_at_once(&*source);
    collects(&*source, &repository);

    if !abilities.nothing {
        return;
    }
    let (empty, _guard) = put(&Repository::new());
    assert_eq!(run(empty.list()).unwrap().files, Fact::Known(vec![]));
    assert_eq!(collect_all(&*empty).snapshot.files, Fact::Known(vec![]));
}

fn lists_all(source: &dyn Source, repository: &Repository) {
    let listing = run(source.list()).unwrap();
    assert_eq!(listing.access, Access::Open);
    let files = listing.files.known().expect("the listing is known");
    let found: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let expected: Vec<&str> = repository.keys().copied().collect();
    assert_eq!(found, expected, "complete and sorted");
    for file in files {
        match &repository[file.path.as_str()] {
            Is::File(bytes, _) => {
                assert_eq!(file.size, Some(bytes.len() as u64), "{}", file.path);
                assert_eq!(file.kind, FileKind::Regular, "{}", file.path);
            }
            Is::Pointer(size) => {
                assert_eq!(file.size, Some(*size), "{}", file.path);
                assert_eq!(file.sha256.as_deref(), Some(OID), "{}", file.path);
                assert_eq!(file.kind, FileKind::Pointer, "{}", file.path);
            }
        }
    }
}

fn reads_exactly(source: &dyn Source) {
    let size = CONFIG.len() as u64;
    let read = |start, end| run(source.read("config.json", Range { start, end }));
    for (start, end) in [
        (0, size),
        (0, 3),
        (5, 11),
        (size - 3, size),
        (0, 0),
        (7, 7),
        (size, size),
    ] {
        let bytes = read(start, end).unwrap();
        let expected = &CONFIG[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()];
        assert_eq!(&bytes[..], expected, "{start}..{end}");
    }
    for (start, end) in [
        (0, size + 1),
        (size, size + 1),
        (size + 1, size + 1),
        (0, u64::MAX),
        (5, 3),
    ] {
        let error = read(start, end).unwrap_err();
        assert!(
            matches!(error, Error::OutOfRange { .. }),
            "{start}..{end} is {error:?}"
        );
    }
}

fn refuses_other_paths(source: &dyn Source) {
    for path in [
        "config",
        "config.json/x",
        "sub",
        "sub/none.json",
        "../config.json",
        "/etc/passwd",
        "",
        "a\\b",
        "a\0b",
    ] {
        let error = run(source.read(path, 0..1)).unwrap_err();
        assert!(
            matches!(error, Error::NotFound(_) | Error::Unavailable { .. }),
            "{path:?} is {error:?}"
        );
    }
    assert!(
        matches!(run(source.read("none.json", 0..0)), Err(Error::NotFound(path)) if path == "none.json")
    );
}

fn reads_at_once(source: &dyn Source) {
    let starts = 0..CONFIG.len();
    let reads = starts
        .clone()
        .map(|start| source.read("config.json", start as u64..CONFIG.len() as u64));
    for (start, bytes) in starts.zip(run(join_all(reads))) {
        assert_eq!(&bytes.unwrap()[..], &CONFIG[start..]);
    }
}

fn collects(source: &dyn Source, repository: &Repository) {
    let first = collect_all(source);
    let files = first.snapshot.files.known().unwrap();
    assert_eq!(files.len(), repository.len());
    for file in files {
        let expected = match &repository[file.path.as_str()] {
            Is::File(_, content) => content,
            Is::Pointer(_) => &Content::Pointer,
        };
        assert!(
            &file.content == expected,
            "`{}`: {:?}",
            file.path,
            file.content
        );
    }
    // Of an archive, all of it may have been read with the listing.
    let cost = source.cost();
    assert!(cost.requests > 0 && cost.bytes > 0);
    assert_eq!(
        collect_all(source).snapshot,
        first.snapshot,
        "collecting again gives the same"
    );
}

fn put_folder(repository: &Repository) -> (Folder, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    for (path, is) in repository {
        match is {
            Is::File(bytes, _) => write_file(dir.path(), path, bytes),
            Is::Pointer(size) => write_file(dir.path(), path, pointer(*size)),
        }
    }
    (Folder::new(dir.path(), "folder").unwrap(), dir)
}

fn put_memory(repository: &Repository) -> Memory {
    repository
        .iter()
        .fold(Memory::new(), |memory, (path, is)| match is {
            Is::File(bytes, _) => memory.file(path, bytes.clone()),
            Is::Pointer(size) => memory.pointer(path, *size, OID),
        })
}

#[test]
fn a_folder() {
    conforms(
        &Abilities {
            pointers: true,
            nothing: true,
        },
        |repository| {
            let (folder, dir) = put_folder(repository);
            (Box::new(folder), dir)
        },
    );
}

/// The Hub has no pointers of its own: what lies on another host is read like any file.
#[test]
fn the_hub() {
    conforms(
        &Abilities {
            pointers: false,
            nothing: true,
        },
        |repository| {
            let hub = LoopbackHub::start();
            let files = repository.iter().filter_map(|(path, is)| match is {
                Is::File(bytes, _) => Some((path, bytes)),
                Is::Pointer(_) => None,
            });
            hub.add(files.fold(Repo::model("org/name"), |repo, (path, bytes)| {
                repo.file(path, bytes)
            }));
            let options = HubOptions::at(&hub.endpoint()).unwrap();
            let source = Hub::new("org/name", None, "org/name", &options).unwrap();
            (Box::new(source), hub)
        },
    );
}

/// The files of a repository, without pointers: in an archive a pointer is a file like any other.
fn files(repository: &Repository) -> impl Iterator<Item = (&str, &[u8])> {
    repository.iter().filter_map(|(path, is)| match is {
        Is::File(bytes, _) => Some((*path, bytes.as_slice())),
        Is::Pointer(_) => None,
    })
}

fn put_zip(repository: &Repository) -> Vec<u8> {
    let members = files(repository)
        .enumerate()
        .map(|(number, (path, bytes))| {
            let member = if number % 2 == 0 {
                Zipped::deflated(path, bytes)
            } else {
                Zipped::stored(path, bytes)
            };
            if number % 3 == 0 {
                member.long()
            } else {
                member
            }
        });
    pack::zip(&members.collect::<Vec<_>>())
}

fn put_tar(repository: &Repository) -> Vec<u8> {
    let members = files(repository).map(|(path, bytes)| pack::tarred(&format!("./{path}"), bytes));
    pack::tar(&members.collect::<Vec<_>>())
}

type Pack = fn(&Repository) -> Vec<u8>;

/// Every kind of archive, by the ending of its name.
const ARCHIVES: [(&str, Pack); 3] = [
    ("model.zip", put_zip),
    ("model.tar", put_tar),
    ("model.tar.gz", |repository| {
        pack::gzip(&put_tar(repository))
    }),
];

#[test]
fn a_local_archive() {
    for (name, put) in ARCHIVES {
        conforms(
            &Abilities {
                pointers: false,
                nothing: true,
            },
            |repository| {
                let dir = tempfile::tempdir().unwrap();
                write_file(dir.path(), name, put(repository));
                let source = Archive::local(&dir.path().join(name), name);
                (Box::new(source), dir)
            },
        );
    }
}

#[test]
fn an_archive_behind_a_url() {
    for (name, put) in ARCHIVES {
        conforms(
            &Abilities {
                pointers: false,
                nothing: true,
            },
            |repository| {
                let hub = LoopbackHub::start();
                hub.add(Repo::model("org/name").file(name, put(repository)));
                let url = format!(
                    "{}/org/name/resolve/main/{name}?X-Amz-Signature=x",
                    hub.endpoint()
                );
                let Ok(ModelRef::Url(url)) = ModelRef::from_list(&url) else {
                    panic!("{url} is a URL")
                };
                let source = Archive::at_url(&url, &ArchiveOptions::default()).unwrap();
                (Box::new(source), hub)
            },
        );
    }
}

/// S3 knows no pointers either: an object is the file. And a prefix is there with its first object.
#[test]
fn an_s3_prefix() {
    conforms(
        &Abilities {
            pointers: false,
            nothing: false,
        },
        |repository| {
            let files = repository.iter().filter_map(|(path, is)| match is {
                Is::File(bytes, _) => Some((format!("org/name/{path}"), bytes.clone())),
                Is::Pointer(_) => None,
            });
            let files: Vec<_> = files.collect();
            let server = S3Server::start(
                files
                    .iter()
                    .map(|(key, bytes)| (key.as_str(), bytes.clone())),
            );
            let options = S3Options::of([
                ("AWS_ENDPOINT_URL", server.endpoint().as_str()),
                ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
            ]);
            let source = S3::new(&format!("s3://{BUCKET}/org/name/"), &options).unwrap();
            (Box::new(source), server)
        },
    );
}

#[test]
fn an_archive_on_s3() {
    for (name, put) in ARCHIVES {
        let abilities = Abilities {
            pointers: false,
            nothing: true,
        };
        conforms(&abilities, |repository| {
            let server = S3Server::start([(name, put(repository))]);
            let options = S3Options::of([
                ("AWS_ENDPOINT_URL", server.endpoint().as_str()),
                ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
            ]);
            let input = format!("s3://{BUCKET}/{name}");
            let source = s3::open(&input, &options, &ArchiveOptions::default()).unwrap();
            (source, server)
        });
    }
}

#[test]
fn a_recording() {
    conforms(
        &Abilities {
            pointers: true,
            nothing: true,
        },
        |repository| {
            let dir = tempfile::tempdir().unwrap();
            let (folder, _files) = put_folder(repository);
            let snapshot = collect_all(&folder).snapshot;
            recording::write(&snapshot, dir.path()).unwrap();
            let recording = Recording::open(dir.path(), "recording").unwrap().unwrap();
            (Box::new(recording), dir)
        },
    );
}

#[test]
fn memory_as_a_remote_place() {
    conforms(
        &Abilities {
            pointers: true,
            nothing: true,
        },
        |repository| (Box::new(put_memory(repository)), ()),
    );
}

#[test]
fn memory_as_a_local_place() {
    conforms(
        &Abilities {
            pointers: true,
            nothing: true,
        },
        |repository| (Box::new(put_memory(repository).local()), ()),
    );
}

#[test]
fn a_source_without_pointers() {
    conforms(
        &Abilities {
            pointers: false,
            nothing: true,
        },
        |repository| (Box::new(put_memory(repository)), ()),
    );
}
