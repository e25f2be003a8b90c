//! Archives that are long, odd, damaged or hostile; and URLs, whose signature nobody may see.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

mod common;

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use common::pack::{self, Zipped};
use common::{collect_all, content, header, reason, write_file};
use loopback_hub::{Fault, LoopbackHub, Repo, Rule};
use preflight_model::container::{ArchiveFormat, Container, OddityKind, Validity};
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Content, Origin, Snapshot, SourceKind};
use preflight_source::archive::{ArchiveBytes, Edge, Opened};
use preflight_source::{
    Archive, ArchiveOptions, BoxFuture, Collected, Cost, Error, Meter, ModelRef, Source,
};

const CONFIG: &[u8] = b"{\"model_type\": \"llama\"}";

/// What is found in a local archive of these bytes.
fn look(name: &str, bytes: &[u8]) -> Snapshot {
    let dir = tempfile::tempdir().unwrap();
    write_file(dir.path(), name, bytes);
    collect_all(&Archive::local(&dir.path().join(name), name)).snapshot
}

fn container(snapshot: &Snapshot) -> &Container {
    snapshot.container.known().expect("it came in an archive")
}

/// Why the files are not known, and whether that is for good.
fn trouble(snapshot: &Snapshot) -> (String, bool) {
    let Fact::Unavailable(why) = &snapshot.files else {
        panic!("{:?}", snapshot.files)
    };
    (why.clone(), container(snapshot).broken.is_some())
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(next).collect()
}

fn config() -> Zipped {
    Zipped::deflated("config.json", CONFIG)
}

fn has_config(snapshot: &Snapshot) -> bool {
    *content(snapshot, "config.json") == Content::Whole(CONFIG.to_vec())
}

#[test]
fn a_zip_with_something_before_or_behind_it_is_read() {
    let sound = pack::zip(&[config(), Zipped::stored("model.safetensors", &header(300))]);
    for bytes in [
        [b"MZ a program that unpacks itself".as_slice(), &sound].concat(),
        [sound.as_slice(), b"garbage"].concat(),
    ] {
        let snapshot = look("m.zip", &bytes);
        assert!(has_config(&snapshot));
        assert_eq!(container(&snapshot).format, Fact::Known(ArchiveFormat::Zip));
    }
}

#[test]
fn a_zip_that_cannot_be_unpacked_says_why() {
    let sound = pack::zip(&[config()]);
    let split = {
        let mut bytes = sound.clone();
        let end = bytes.len() - 22;
        bytes[end + 4] = 1;
        bytes
    };
    let damaged = {
        let mut bytes = sound.clone();
        let directory = bytes.len() - 22 - (46 + 11);
        bytes[directory + 28] = 200;
        bytes
    };
    let beyond = pack::zip(&[Zipped {
        header_at: Some(10_000),
        ..config()
    }]);
    for (bytes, says) in [
        (sound[..sound.len() - 1].to_vec(), "no directory at its end"),
        (sound[..40].to_vec(), "no directory at its end"),
        (split, "one part of a split archive"),
        (damaged, "its directory is damaged"),
        (beyond, "behind the end of the archive's data"),
    ] {
        let (why, is_broken) = trouble(&look("m.zip", &bytes));
        assert!(why.contains(says) && is_broken, "{why}");
    }
}

#[test]
fn a_zip_that_can_be_read_in_two_ways_is_not_read() {
    let comment_with_an_end = {
        let inner = pack::zip(&[Zipped::stored("other.json", b"{}")]);
        let mut bytes = pack::zip(&[config()]);
        let end = bytes.len() - 2;
        let length = u16::try_from(inner.len()).unwrap();
        bytes[end..].copy_from_slice(&length.to_le_bytes());
        bytes.extend(inner);
        bytes
    };
    let fewer = {
        let mut bytes = pack::zip(&[config(), Zipped::stored("x", b"x")]);
        let end = bytes.len() - 22;
        bytes[end + 8] = 1;
        bytes[end + 10] = 1;
        bytes
    };
    for (bytes, says) in [
        (comment_with_an_end, "it has several ends"),
        (fewer, "more than the 1 members that its end record says"),
    ] {
        let (why, is_broken) = trouble(&look("m.zip", &bytes));
        assert!(why.contains(says) && !is_broken, "{why}");
    }
}

#[test]
fn a_member_that_lies_is_not_believed() {
    let lies = |change: fn(&mut Zipped)| {
        let mut member = config();
        change(&mut member);
        reason(&look("m.zip", &pack::zip(&[member])), "config.json").to_owned()
    };
    let two_names = |member: &mut Zipped| member.local_name = Some(b"config.yaml".to_vec());
    for (why, says) in [
        (lies(two_names), "say different things"),
        (lies(|member| member.crc ^= 1), "checksum is wrong"),
        (lies(|member| member.size -= 1), "inflates to more bytes"),
        (lies(|member| member.size += 1), "inflates to fewer bytes"),
        (lies(|member| member.packed[0] = 0xff), "cannot be inflated"),
        (lies(|member| member.method = 12), "compressed by method 12"),
        (lies(|member| member.flags |= 1), "it is encrypted"),
    ] {
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn a_bomb_does_not_go_off() {
    // The same bytes unpacked many times over.
    let kernel = config();
    let mut again = Zipped::deflated("again.json", CONFIG);
    again.header_at = Some(5);
    let snapshot = look("m.zip", &pack::zip(&[kernel, again]));
    let kinds: Vec<_> = container(&snapshot)
        .oddities
        .iter()
        .map(|odd| odd.kind)
        .collect();
    assert_eq!(kinds, [OddityKind::Overlaps]);

    // A small file that says to be small and is not; a header that is.
    let zeros = vec![b' '; 8 << 20];
    let mut bomb = Zipped::deflated("config.json", &zeros);
    bomb.size = 100;
    let why = look("m.zip", &pack::zip(&[bomb]));
    assert!(reason(&why, "config.json").contains("more bytes"));

    // More members than anybody has: not even the directory is read.
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.resize(50 << 20, 0);
    let length = bytes.len() as u64;
    bytes.extend(pack::long_end(1_000_000, length, 0, length));
    let dir = tempfile::tempdir().unwrap();
    write_file(dir.path(), "m.zip", bytes);
    let found = collect_all(&Archive::local(&dir.path().join("m.zip"), "m.zip"));
    assert_eq!(
        trouble(&found.snapshot).0,
        "`m.zip`: it has more than 100000 members"
    );
    assert!(found.cost.bytes < 200_000, "{}", found.cost.bytes);
}

#[test]
fn names_are_what_tar_says_in_any_of_its_ways() {
    let long = format!("{}/x", "folder".repeat(30));
    let gnu = [
        pack::tar_member("././@LongLink", b'L', format!("{long}\0").as_bytes()),
        pack::tarred(&long[..99], b"x"),
    ]
    .concat();
    let posix = [
        pack::pax(&[("path", &format!("{long}-pax"))]),
        pack::tarred("short", b"x"),
    ]
    .concat();
    // The true size stands in the record alone.
    let mut header_alone = pack::tar_header(b"sized", 0, b'0', "");
    header_alone.extend([b'y'; 512]);
    let sized = [pack::pax(&[("size", "512")]), header_alone].concat();
    let config = pack::tarred("./config.json", CONFIG);
    let archive = pack::tar(&[gnu, posix, sized, config]);
    for (name, bytes) in [
        ("m.tar", archive.clone()),
        ("m.tar.gz", pack::gzip(&archive)),
    ] {
        let snapshot = look(name, &bytes);
        assert!(has_config(&snapshot));
        let expected = [
            (long.clone(), 1),
            (format!("{long}-pax"), 1),
            ("sized".into(), 512),
        ];
        for (path, size) in expected {
            assert_eq!(
                snapshot.file(&path).unwrap().size,
                Some(size),
                "{name} {path}"
            );
        }
        assert_eq!(snapshot.files.known().unwrap().len(), 4);
    }
}

#[test]
fn members_of_a_tar_that_are_no_plain_files() {
    let link = |name: &str, kind, target| pack::tar_header(name.as_bytes(), 0, kind, target);
    let archive = pack::tar(&[
        pack::tarred("config.json", b"old"),
        pack::tarred("./config.json", CONFIG),
        pack::tar_member("sparse-gnu", b'S', b"x"),
        [
            pack::pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.name", "sparse-pax")]),
            pack::tarred("s", b"x"),
        ]
        .concat(),
        link("model.safetensors", b'2', "../../blobs/abc"),
        link("tokenizer.json", b'1', "config.json"),
        link("pipe", b'6', ""),
        link("folder/", b'5', ""),
        pack::tarred("../evil", b"x"),
    ]);
    for (name, bytes) in [
        ("m.tar", archive.clone()),
        ("m.tar.gz", pack::gzip(&archive)),
    ] {
        let snapshot = look(name, &bytes);
        assert!(has_config(&snapshot), "the last one wins");
        let odd: Vec<_> = container(&snapshot)
            .oddities
            .iter()
            .map(|odd| (odd.kind, odd.member.as_str()))
            .collect();
        assert_eq!(
            odd,
            [
                (OddityKind::LeadsOutside, "../evil"),
                (OddityKind::LinksOutside, "model.safetensors"),
                (OddityKind::Link, "tokenizer.json"),
                (OddityKind::Replaces, "./config.json"),
            ]
        );
        assert_eq!(
            reason(&snapshot, "model.safetensors"),
            "a symbolic link to `../../blobs/abc`"
        );
        assert_eq!(reason(&snapshot, "pipe"), "a named pipe");
        for sparse in ["sparse-gnu", "sparse-pax"] {
            assert!(reason(&snapshot, sparse).contains("without `--sparse`"));
        }
        assert!(snapshot.file("folder").is_none() && snapshot.file("../evil").is_none());
    }
}

#[test]
fn links_in_a_zip_lead_where_their_data_says() {
    let link = |name: &str, target: &str| Zipped {
        mode: 0o120_777,
        ..Zipped::deflated(name, target.as_bytes())
    };
    let files = [
        config(),
        link("evil", "/etc/passwd"),
        link("tokenizer.json", "config.json"),
        link("up", "../x"),
    ];
    let snapshot = look("m.zip", &pack::zip(&files));
    let odd = container(&snapshot).oddities.iter();
    let odd: Vec<_> = odd.map(|odd| (odd.kind, odd.member.as_str())).collect();
    assert_eq!(
        odd,
        [
            (OddityKind::LinksOutside, "evil"),
            (OddityKind::LinksOutside, "up"),
            (OddityKind::Link, "tokenizer.json"),
        ]
    );
    let many: Vec<_> = (0..65).map(|at| link(&format!("{at}"), "x")).collect();
    let (why, is_broken) = trouble(&look("m.zip", &pack::zip(&many)));
    assert!(why.contains("more than 64") && !is_broken, "{why}");
}

#[test]
fn a_tar_that_cannot_be_unpacked_says_why() {
    let sound = pack::tar(&[
        pack::tarred("config.json", CONFIG),
        pack::tarred("x", &[7; 2000]),
    ]);
    let wrong_sum = {
        let mut bytes = sound.clone();
        bytes[1024] ^= 1;
        bytes
    };
    let sized_folder = pack::tar(&[
        pack::tarred("a", b"a"),
        pack::tar_member("folder/", b'5', b"x"),
    ]);
    for (bytes, says, for_good) in [
        (
            sound[..1800].to_vec(),
            "it ends in the middle of a member",
            true,
        ),
        (wrong_sum, "a header has a wrong checksum", true),
        (sized_folder, "which programs read differently", false),
    ] {
        for (name, bytes) in [("m.tar", bytes.clone()), ("m.tar.gz", pack::gzip(&bytes))] {
            let (why, is_broken) = trouble(&look(name, &bytes));
            assert!(why.contains(says) && is_broken == for_good, "{name}: {why}");
        }
    }
    // Without its end mark, and compressed in several pieces.
    let end = sound.len() - 1024;
    assert!(has_config(&look("m.tar", &sound[..end])));
    let pieces = [pack::gzip(&sound[..700]), pack::gzip(&sound[700..end])].concat();
    assert!(has_config(&look("m.tar.gz", &pieces)));
    // Cut off in the compressed data; compressed, but no archive.
    let noise = noise(60_000);
    let long = pack::gzip(&pack::tar(&[pack::tarred("x", &noise)]));
    assert!(trouble(&look("m.tar.gz", &long[..long.len() / 2])).1);
    let (why, is_broken) = trouble(&look("m.tar.gz", &pack::gzip(&[b'x'; 2000])));
    assert!(
        is_broken && why.contains("there is no tar archive in its compressed data"),
        "{why}"
    );
}

#[test]
fn what_is_no_archive_that_is_read() {
    for (name, start, format) in [
        (
            "m.tar.zst",
            b"\x28\xb5\x2f\xfd....".as_slice(),
            ArchiveFormat::TarZst,
        ),
        ("m.zip", b"<!DOCTYPE html>", ArchiveFormat::Other),
        ("m.tar.gz", b"PK\x05\x06", ArchiveFormat::Zip),
        ("m.tar", b"", ArchiveFormat::Other),
    ] {
        let snapshot = look(name, start);
        assert_eq!(container(&snapshot).format, Fact::Known(format), "{name}");
        assert!(matches!(snapshot.files, Fact::Unavailable(_)), "{name}");
    }
    // The bytes decide, not the name.
    let snapshot = look("m.tar.gz", &pack::zip(&[config()]));
    assert!(has_config(&snapshot));
    assert_eq!(container(&snapshot).format, Fact::Known(ArchiveFormat::Zip));
}

/// A file that costs as much as a remote one.
#[derive(Debug)]
struct Far {
    path: PathBuf,
    meter: Meter,
}

impl Far {
    fn get(&self, range: Range<u64>) -> Bytes {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(range.start)).unwrap();
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
        file.read_exact(&mut bytes).unwrap();
        self.meter.count(bytes.len() as u64);
        bytes.into()
    }
}

impl ArchiveBytes for Far {
    fn open(&self, edge: Edge, length: u64) -> BoxFuture<'_, Result<Opened, Error>> {
        let size = std::fs::metadata(&self.path).unwrap().len();
        let range = edge.range(size, length);
        let opened = Opened {
            size: Some(size),
            offset: range.start,
            bytes: self.get(range),
        };
        Box::pin(std::future::ready(Ok(opened)))
    }

    fn read_at(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, Error>> {
        Box::pin(std::future::ready(Ok(self.get(range))))
    }

    fn cost(&self) -> Cost {
        self.meter.cost()
    }

    fn is_remote(&self) -> bool {
        true
    }
}

fn far(path: &Path, name: &str, options: &ArchiveOptions) -> Collected {
    let bytes = Far {
        path: path.into(),
        meter: Meter::default(),
    };
    let origin = Origin {
        input: name.into(),
        source: SourceKind::Archive,
        stands_for: SourceKind::Archive,
        id: None,
        revision: None,
        commit: None,
    };
    let archive = Archive::new(Box::new(bytes), origin, name, Validity::NoAddress, options);
    collect_all(&archive)
}

const SHARDS: u64 = 30;
/// A header, and 200 tensors of 25 MB.
const SHARD_BYTES: u64 = 5_000_022_000;

/// 150 GB that cost some kilobytes of this disk.
fn write_pieces(path: &Path, pieces: &[(u64, Vec<u8>)], size: u64) {
    let mut file = File::create(path).unwrap();
    for (at, bytes) in pieces {
        file.seek(SeekFrom::Start(*at)).unwrap();
        file.write_all(bytes).unwrap();
    }
    file.set_len(size).unwrap();
}

/// Names of the tensors of a shard.
fn tensors(shard: usize) -> Vec<String> {
    (0..200)
        .map(|number| format!("model.layers.{shard}.mlp.experts.{number}.down_proj.weight"))
        .collect()
}

/// The header of a shard as checkpoints have them.
fn shard_header(shard: usize) -> Vec<u8> {
    let size = 25_000_000_u64;
    let entries = tensors(shard)
        .into_iter()
        .zip(0_u64..)
        .map(|(name, number)| {
            let start = number * size;
            format!(
                r#""{name}":{{"dtype":"BF16","shape":[3125,4000],"data_offsets":[{start},{}]}}"#,
                start + size
            )
        });
    let text = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.bytes());
    bytes
}

fn index() -> Vec<u8> {
    let names = shard_names();
    let entries = names.iter().enumerate().flat_map(|(shard, file)| {
        tensors(shard)
            .into_iter()
            .map(move |name| format!("    \"{name}\": \"{file}\""))
    });
    format!(
        "{{\n  \"weight_map\": {{\n{}\n  }}\n}}",
        entries.collect::<Vec<_>>().join(",\n")
    )
    .into_bytes()
}

fn shard_names() -> Vec<String> {
    (1..=SHARDS)
        .map(|number| format!("model-{number:05}-of-{SHARDS:05}.safetensors"))
        .collect()
}

fn has_all_headers(found: &Collected) {
    for (shard, name) in shard_names().iter().enumerate() {
        let kept = content(&found.snapshot, name);
        assert_eq!(*kept, Content::Prefix(shard_header(shard)), "{name}");
    }
    // The index and the headers themselves have 1.3 MB.
    assert!(found.cost.bytes < 2_000_000, "{:?}", found.cost);
}

#[test]
fn the_headers_of_150_gb_in_a_zip() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.zip");
    let names = shard_names();
    let mut files: Vec<(&str, Vec<u8>, u64)> = names
        .iter()
        .enumerate()
        .map(|(shard, name)| (name.as_str(), shard_header(shard), SHARD_BYTES))
        .collect();
    files.push((
        "model.safetensors.index.json",
        index(),
        index().len() as u64,
    ));
    files.push(("config.json", CONFIG.to_vec(), CONFIG.len() as u64));
    let (pieces, size) = pack::sparse_zip(&files);
    write_pieces(&path, &pieces, size);
    let found = far(&path, "m.zip", &ArchiveOptions::default());
    assert!(has_config(&found.snapshot));
    has_all_headers(&found);
    let local = collect_all(&Archive::local(&path, "m.zip"));
    assert_eq!(local.snapshot.files, found.snapshot.files);
    assert!(local.cost.bytes < 1_500_000, "{:?}", local.cost);
}

#[test]
fn the_headers_of_150_gb_in_a_tar() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.tar");
    let (mut pieces, mut at) = (Vec::new(), 0);
    let mut add = |name: &str, head: &[u8], size: u64| {
        let mut bytes = pack::tar_header(name.as_bytes(), size, b'0', "");
        bytes.extend(head);
        pieces.push((at, bytes));
        at += 512 + size.next_multiple_of(512);
    };
    for (shard, name) in shard_names().iter().enumerate() {
        add(name, &shard_header(shard), SHARD_BYTES);
    }
    add(
        "model.safetensors.index.json",
        &index(),
        index().len() as u64,
    );
    add("config.json", CONFIG, CONFIG.len() as u64);
    write_pieces(&path, &pieces, at + 1024);
    let found = far(&path, "m.tar", &ArchiveOptions::default());
    assert!(has_config(&found.snapshot));
    has_all_headers(&found);
    let local = collect_all(&Archive::local(&path, "m.tar"));
    assert_eq!(local.snapshot.files, found.snapshot.files);
    assert!(local.cost.bytes < 1_500_000, "{:?}", local.cost);
}

#[test]
fn no_more_is_downloaded_than_allowed() {
    let noise = noise(400_000);
    let archive = pack::tar(&[
        pack::tarred("config.json", CONFIG),
        pack::tarred("x", &noise),
        pack::tarred("y", b"y"),
    ]);
    let hub = LoopbackHub::start();
    hub.add(Repo::model("org/name").file("m.tar.gz", pack::gzip(&archive)));
    let options = ArchiveOptions::default().download_max(100_000);
    let found = collect_all(&at(&hub, "m.tar.gz", &options));
    let (why, is_broken) = trouble(&found.snapshot);
    assert!(why.contains("`--max-download`") && !is_broken, "{why}");
    let all = collect_all(&at(&hub, "m.tar.gz", &ArchiveOptions::default()));
    assert!(has_config(&all.snapshot));
}

const SECRET: &str = "X-Amz-Date=20251108T101112Z&X-Amz-Expires=60&X-Amz-Signature=s3cr3t&X-Amz-Security-Token=t0ken";

fn at(hub: &LoopbackHub, name: &str, options: &ArchiveOptions) -> Archive {
    let url = format!("{}/org/name/resolve/main/{name}?{SECRET}", hub.endpoint());
    let Ok(ModelRef::Url(url)) = ModelRef::from_list(&url) else {
        panic!("{url} is a URL")
    };
    Archive::at_url(&url, options).unwrap()
}

/// A hub with one archive of each kind.
fn hub_of_archives() -> LoopbackHub {
    let hub = LoopbackHub::start();
    let tar = pack::tar(&[
        pack::tarred("config.json", CONFIG),
        pack::tarred("x", &vec![1; 100_000]),
    ]);
    let files = [config(), Zipped::stored("x", &vec![1; 100_000])];
    hub.add(
        Repo::model("org/name")
            .file("m.zip", pack::zip(&files))
            .file("m.tar.gz", pack::gzip(&tar))
            .file("m.tar", tar),
    );
    hub
}

#[test]
fn nobody_sees_the_signature() {
    let hub = hub_of_archives();
    for (name, fault) in [
        ("m.zip", None),
        ("m.tar.gz", None),
        ("none.zip", None),
        ("m.zip", Some(Fault::Status(403))),
        ("m.zip", Some(Fault::Truncate)),
        ("m.tar", Some(Fault::HtmlPage)),
        ("m.tar", Some(Fault::RedirectLoop)),
    ] {
        hub.heal();
        if let Some(fault) = fault {
            hub.inject(Rule::new(fault));
        }
        let archive = at(&hub, name, &ArchiveOptions::default());
        let found = collect_all(&archive);
        let text = format!("{archive:?} {found:?} {:?}", archive.notes());
        for secret in ["s3cr3t", "t0ken", "X-Amz", "Signature"] {
            assert!(!text.contains(secret), "{name}: {text}");
        }
        let validity = &container(&found.snapshot).validity;
        assert!(matches!(
            validity,
            Validity::Until {
                is_temporary: true,
                ..
            }
        ));
    }
    // The method is signed, and so must nobody else sign.
    for seen in hub.log() {
        assert!(seen.method == "GET" && !seen.has_authorization, "{seen:?}");
    }
}

#[test]
fn what_a_server_may_and_may_not_do() {
    let hub = hub_of_archives();
    let found = |name: &str, fault: Option<Rule>| {
        hub.heal();
        if let Some(rule) = fault {
            hub.inject(rule);
        }
        collect_all(&at(&hub, name, &ArchiveOptions::default())).snapshot
    };
    let gone = found("none.zip", None);
    assert!(
        matches!(&gone.access, Access::Refused(why) if why.contains("404")),
        "{:?}",
        gone.access
    );
    let closed = found("m.zip", Some(Rule::new(Fault::Status(403))));
    assert!(matches!(&closed.access, Access::Unreachable(why) if why.contains("expired")));
    // Not every server knows ranges from the end: that request is the first of a zip.
    for status in [400, 416, 500, 501] {
        let fault = Rule::new(Fault::Status(status)).times(1);
        assert!(has_config(&found("m.zip", Some(fault))), "{status}");
        let sent = hub.take_log();
        let ranges: Vec<_> = sent
            .iter()
            .filter_map(|seen| seen.range.as_deref())
            .collect();
        assert!(
            ranges[0].starts_with("bytes=-") && ranges[1].starts_with("bytes=0-"),
            "{ranges:?}"
        );
    }
    // A compressed tar needs no ranges, the others do.
    for name in ["m.zip", "m.tar"] {
        let whole = found(name, Some(Rule::new(Fault::IgnoreRange)));
        let why = format!("{:?}", whole.files);
        assert!(why.contains("ignores ranges"), "{name}: {why}");
    }
    assert!(has_config(&found(
        "m.tar.gz",
        Some(Rule::new(Fault::IgnoreRange))
    )));
    // Another file under the same name, in the middle of the reading.
    let changed = found("m.tar", Some(Rule::new(Fault::OtherEtag).after(1)));
    assert!(
        format!("{changed:?}").contains("it changed while it was read"),
        "{changed:?}"
    );
    // What passes is asked again.
    for fault in [Fault::Reset, Fault::Truncate, Fault::Status(503)] {
        for name in ["m.zip", "m.tar", "m.tar.gz"] {
            assert!(
                has_config(&found(name, Some(Rule::new(fault.clone()).times(1)))),
                "{name} {fault:?}"
            );
        }
    }
}

#[test]
fn the_page_of_a_mirror_is_no_archive() {
    let hub = hub_of_archives();
    let options = ArchiveOptions::default();
    let notes = |path: &str| {
        let url = format!("{}/{path}", hub.endpoint());
        let Ok(ModelRef::Url(url)) = ModelRef::from_list(&url) else {
            panic!("{url} is a URL")
        };
        let archive = Archive::at_url(&url, &options).unwrap();
        collect_all(&archive);
        archive.notes()
    };
    for path in ["org/name", "org/name/tree/main"] {
        let expected = format!("check `org/name` with `--endpoint {}`", hub.endpoint());
        assert!(notes(path)[0].ends_with(&expected), "{path}");
    }
    for path in ["org/name.zip", "a/b/c", "org/name?x=1"] {
        assert!(notes(path).is_empty(), "{path}");
    }
}

#[test]
fn of_a_compressed_archive_the_tokenizer_is_kept_too() {
    let tokenizer = noise(20_000);
    let tar = pack::tar(&[
        pack::tarred("config.json", CONFIG),
        pack::tarred("tokenizer.json", &tokenizer),
    ]);
    let snapshot = look("m.tar.gz", &pack::gzip(&tar));
    assert_eq!(
        *content(&snapshot, "tokenizer.json"),
        Content::Whole(tokenizer)
    );
}

#[test]
fn of_a_compressed_archive_the_start_of_other_vocabularies_is_kept() {
    let tar = pack::tar(&[
        pack::tarred("config.json", CONFIG),
        pack::tarred("tokenizer.model", &noise(20_000)),
    ]);
    assert_eq!(
        *content(&look("m.tar.gz", &pack::gzip(&tar)), "tokenizer.model"),
        Content::Prefix(noise(20_000)[..512].to_vec())
    );
}

#[test]
fn what_is_damaged_behind_the_last_file_is_damaged() {
    let packed = pack::gzip(&pack::tar(&[pack::tarred("config.json", CONFIG)]));
    assert!(look("m.tar.gz", &packed).files.known().is_some());
    for cut in [1, 4, 8, 9] {
        let (why, is_broken) = trouble(&look("m.tar.gz", &packed[..packed.len() - cut]));
        assert!(is_broken, "{cut} bytes less: {why}");
    }
    for at in [1, 5] {
        // The length and the checksum of what was compressed.
        let mut wrong = packed.clone();
        let last = wrong.len() - at;
        wrong[last] ^= 1;
        assert!(
            trouble(&look("m.tar.gz", &wrong)).1,
            "byte {at} from the end"
        );
    }
}
