//! The files of `../shared`, and repositories made from them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use preflight_model::fact::Fact;
use preflight_model::release::Release;
use preflight_model::snapshot::{Content, File, Snapshot};
use serde_json::Value;

/// The folder with the reference's answers.
pub(crate) struct Shared(PathBuf);

impl Shared {
    /// The folder `shared` beside the repository, where there is one.
    pub(crate) fn beside(repository: &Path) -> Option<Self> {
        let path = repository.parent()?.join("shared");
        path.is_dir().then_some(Self(path))
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    pub(crate) fn json(&self, path: &str) -> Result<Value, String> {
        let path = self.path(path);
        serde_json::from_str(&read(&path)?).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// One JSON value a line.
    pub(crate) fn lines(&self, path: &str) -> Result<Vec<Value>, String> {
        let path = self.path(path);
        read(&path)?
            .lines()
            .map(|line| {
                serde_json::from_str(line).map_err(|error| format!("{}: {error}", path.display()))
            })
            .collect()
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The release that answered.
pub(crate) fn release() -> Result<Release, String> {
    Release::parse("4.55").ok_or_else(|| "4.55 is no release".into())
}

/// The name of a case.
pub(crate) fn name<'a>(row: &'a Value, key: &str) -> Result<&'a str, String> {
    row[key]
        .as_str()
        .ok_or_else(|| format!("a row without `{key}`: {row}"))
}

/// A repository of the Hub that holds these files whole.
pub(crate) fn repository_of(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Snapshot {
    let files = files.into_iter().map(|(path, bytes)| File {
        path,
        size: Some(bytes.len() as u64),
        sha256: None,
        content: Content::Whole(bytes),
    });
    Snapshot::of_files(files.collect())
}

/// A repository with a config and one file of weights with the tensors of a layout.
pub(crate) fn model(config: &Value, layout: &Value) -> Result<Snapshot, String> {
    let mut snapshot = repository_of([("config.json".into(), config.to_string().into_bytes())]);
    let (header, size) = header(layout)?;
    if let Fact::Known(files) = &mut snapshot.files {
        files.push(File {
            path: "model.safetensors".into(),
            size: Some(size),
            sha256: None,
            content: Content::Prefix(header),
        });
    }
    Ok(snapshot)
}

/// The header of a file with the tensors of a layout (rows of name pattern, dtype and shape), and the
/// file's size.
fn header(layout: &Value) -> Result<(Vec<u8>, u64), String> {
    let mut text = String::from("{");
    let mut at = 0_u64;
    for row in layout.as_array().into_iter().flatten() {
        let dtype = row[1].as_str().unwrap_or_default();
        let sizes = row[2].as_array().into_iter().flatten();
        let elements: u64 = sizes.filter_map(Value::as_u64).product();
        let shape = &row[2];
        let bits = preflight_model::header::dtype_named(dtype)
            .ok_or_else(|| format!("no dtype {row}"))?
            .bitsize() as u64;
        for name in expand(row[0].as_str().unwrap_or_default())? {
            let end = at + elements * bits / 8;
            let comma = if text.len() == 1 { "" } else { "," };
            let _ = write!(
                text,
                r#"{comma}"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{at},{end}]}}"#
            );
            at = end;
        }
    }
    text.push('}');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    let size = bytes.len() as u64 + at;
    Ok((bytes, size))
}

/// `a.{0-1,3}.b` into `a.0.b`, `a.1.b` and `a.3.b`.
fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("not a pattern: {pattern}");
    let Some((before, rest)) = pattern.split_once('{') else {
        return Ok(vec![pattern.to_owned()]);
    };
    let (numbers, after) = rest.split_once('}').ok_or_else(wrong)?;
    let tails = expand(after)?;
    let mut names = Vec::new();
    for part in numbers.split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let low: u64 = low.parse().map_err(|_| wrong())?;
        let high: u64 = high.parse().map_err(|_| wrong())?;
        for number in low..=high {
            names.extend(tails.iter().map(|tail| format!("{before}{number}{tail}")));
        }
    }
    Ok(names)
}
