//! What the tests of this crate share.
#![allow(dead_code, reason = "each test target uses a part of it")]

pub(crate) mod pack;

use std::fs;
use std::path::Path;

use preflight_model::snapshot::{Content, Snapshot};
use preflight_source::{ArchiveOptions, Collected, Limits, ModelRef, Source, collect, open};

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Opens a folder or a recording as the command line does.
pub(crate) fn open_local(input: &str) -> Box<dyn Source> {
    let model = ModelRef::from_argument(input).unwrap();
    let no_hub = || panic!("`{input}` is not on the Hub");
    let no_s3 = || panic!("`{input}` is not on S3");
    open(&model, no_hub, &ArchiveOptions::default(), no_s3).unwrap()
}

pub(crate) fn collect_all(source: &dyn Source) -> Collected {
    run(collect(source, &Limits::default())).unwrap()
}

/// The first bytes of a safetensors file: prefix and a header padded to `end` bytes in all.
pub(crate) fn header(end: usize) -> Vec<u8> {
    let text = r#"{"w":{"dtype":"U8","shape":[1000],"data_offsets":[0,1000]}}"#;
    let length = end - 8;
    let mut bytes = (length as u64).to_le_bytes().to_vec();
    bytes.extend(text.bytes());
    bytes.resize(8 + length, b' ');
    bytes
}

/// A whole safetensors file with a header of `end` bytes in all and 1000 bytes of data.
pub(crate) fn shard(end: usize) -> Vec<u8> {
    let mut bytes = header(end);
    bytes.extend([0xAA; 1000]);
    bytes
}

pub(crate) const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

pub(crate) fn pointer(size: u64) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize {size}\n")
}

pub(crate) fn write_file(dir: &Path, path: &str, content: impl AsRef<[u8]>) {
    let at = dir.join(path);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, content).unwrap();
}

pub(crate) fn content<'a>(snapshot: &'a Snapshot, path: &str) -> &'a Content {
    &snapshot
        .file(path)
        .unwrap_or_else(|| panic!("`{path}` is not listed"))
        .content
}

/// Why a file was not read.
pub(crate) fn reason<'a>(snapshot: &'a Snapshot, path: &str) -> &'a str {
    match content(snapshot, path) {
        Content::Unavailable(reason) | Content::NotRegular(reason) => reason,
        other => panic!("`{path}` is {other:?}"),
    }
}

pub(crate) fn paths(snapshot: &Snapshot) -> Vec<&str> {
    snapshot
        .files
        .known()
        .unwrap()
        .iter()
        .map(|file| file.path.as_str())
        .collect()
}
