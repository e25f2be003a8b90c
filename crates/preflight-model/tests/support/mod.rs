//! Repositories made of a config and of tensors that are named only.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking where it cannot go on"
)]

use std::fmt::Write as _;

use preflight_model::checkpoint::Checkpoint;
use preflight_model::fact::Fact;
use preflight_model::header::dtype_named;
use preflight_model::parameters::Parameters;
use preflight_model::snapshot::{Access, Content, File, Origin, Snapshot, SourceKind};

/// A small file as it is.
pub(crate) fn json(path: &str, text: &str) -> File {
    File {
        path: path.into(),
        size: Some(text.len() as u64),
        sha256: None,
        content: Content::Whole(text.as_bytes().to_vec()),
    }
}

/// A safetensors file of tensors, one a line: name, dtype, shape.
pub(crate) fn file(path: &str, tensors: &str) -> File {
    let mut text = String::from("{");
    let mut at = 0_u64;
    for line in tensors
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let (name, rest) = line.split_once(' ').unwrap();
        let (dtype, shape) = rest.split_once(' ').unwrap();
        let sizes: Vec<u64> = serde_json::from_str(shape).unwrap();
        let bits = dtype_named(dtype).unwrap().bitsize() as u64;
        let end = at + (bits * sizes.iter().product::<u64>()).div_ceil(8);
        let comma = if text.len() == 1 { "" } else { "," };
        write!(
            text,
            r#"{comma}"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{at},{end}]}}"#
        )
        .unwrap();
        at = end;
    }
    text.push('}');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    File {
        path: path.into(),
        size: Some(bytes.len() as u64 + at),
        sha256: None,
        content: Content::Prefix(bytes),
    }
}

/// The parameters of a repository of these files.
pub(crate) fn count(mut files: Vec<File>) -> Parameters {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let snapshot = Snapshot {
        origin: Origin {
            input: String::new(),
            source: SourceKind::Folder,
            stands_for: SourceKind::Folder,
            id: None,
            revision: None,
            commit: None,
        },
        access: Access::Open,
        observed_at: None,
        container: Fact::Absent,
        files: Fact::Known(files),
        base: Fact::Absent,
    };
    Checkpoint::read(&snapshot).parameters
}
