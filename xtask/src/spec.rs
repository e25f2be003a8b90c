//! A fixture's spec: what a repository holds, as short as a person would write it, and the
//! [`Snapshot`] it stands for. `fixtures/README.md` says what each key means.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Content, File, Origin, Snapshot, SourceKind};
use preflight_model::wanted::INDEX;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::layout::{Row, expand, shard};
use crate::repository;
use crate::weights::{self, WeightFile};

/// A fixture's spec.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// What the fixture is for, one line.
    #[expect(dead_code, reason = "for who reads the spec")]
    about: String,
    repository: String,
    commit: String,
    observed_at: String,
    /// Kind of place it stands for; the Hub where nothing is said.
    source: Option<String>,
    /// The place itself says no, with these words; nothing was listed.
    refused: Option<String>,
    /// Fixture of the model that an adapter adapts.
    base: Option<String>,
    /// JSON files, written as their text stands in the spec.
    files: BTreeMap<String, Box<RawValue>>,
    /// Files known by name and size in bytes.
    listed: BTreeMap<String, u64>,
    weights: Option<Weights>,
    /// Files that are not there, although the index names them.
    #[serde(default)]
    absent: BTreeSet<String>,
    /// Files that the checkout holds as git-lfs pointers.
    #[serde(default)]
    pointers: BTreeSet<String>,
    /// Files that could not be read, and why.
    #[serde(default)]
    unavailable: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Weights {
    /// File name without number and extension; `model` where nothing is said.
    file: Option<String>,
    /// Most bytes of data in a shard; one file where nothing is said.
    shard_bytes: Option<u64>,
    /// Number of the first shard; 1 where nothing is said.
    first_shard: Option<usize>,
    /// Tensors that only the index has, and the shard it says.
    #[serde(default)]
    index_extra: BTreeMap<String, String>,
    layout: Vec<Row>,
}

/// Folder of the fixtures.
pub(crate) fn fixtures_dir() -> PathBuf {
    repository().join("fixtures")
}

/// Names of all specs, sorted.
pub(crate) fn names() -> Result<Vec<String>, String> {
    let dir = fixtures_dir().join("specs");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))? {
        let path = entry
            .map_err(|error| format!("{}: {error}", dir.display()))?
            .path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The snapshot of the fixture `name`.
pub(crate) fn snapshot_of(name: &str) -> Result<Snapshot, String> {
    let known = names()?;
    if !known.iter().any(|other| other == name) {
        return Err(format!(
            "no fixture `{name}`; there are: {}",
            known.join(", ")
        ));
    }
    snapshot_from(&fixtures_dir().join("specs").join(format!("{name}.json")))
}

/// The snapshot of the spec at `path`.
pub(crate) fn snapshot_from(path: &Path) -> Result<Snapshot, String> {
    let in_file = |why: String| format!("{}: {why}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| in_file(error.to_string()))?;
    let spec: Spec = serde_json::from_str(&text).map_err(|error| in_file(error.to_string()))?;
    let base = match &spec.base {
        // One level, as in the product: the base of a base is not followed.
        Some(name) => Fact::Known(Box::new(Snapshot {
            container: Fact::Absent,
            base: Fact::Absent,
            ..snapshot_of(name)?
        })),
        None => Fact::Absent,
    };
    spec.snapshot(base).map_err(in_file)
}

impl Spec {
    fn snapshot(&self, base: Fact<Box<Snapshot>>) -> Result<Snapshot, String> {
        let source = self.source.as_deref().unwrap_or("hub");
        let source =
            SourceKind::parse(source).ok_or_else(|| format!("`{source}` is no kind of source"))?;
        let on_hub = source == SourceKind::Hub;
        let (access, files) = match &self.refused {
            Some(why) => (Access::Refused(why.clone()), Fact::Unavailable(why.clone())),
            None => (Access::Open, Fact::Known(self.all_files()?)),
        };
        Ok(Snapshot {
            origin: Origin {
                input: self.repository.clone(),
                source,
                stands_for: source,
                id: on_hub.then(|| self.repository.clone()),
                revision: on_hub.then(|| "main".to_owned()),
                commit: on_hub.then(|| self.commit.clone()),
            },
            access,
            observed_at: Some(self.observed_at.clone()),
            files,
            container: Fact::Absent,
            base,
        })
    }

    fn all_files(&self) -> Result<Vec<File>, String> {
        let mut files: Vec<File> = self
            .listed
            .iter()
            .map(|(path, &size)| file(path, size, Content::Listed))
            .collect();
        files.extend(
            self.files
                .iter()
                .map(|(path, text)| whole(path, at_margin(text.get()))),
        );
        if let Some(weights) = &self.weights {
            let (shards, index) = weights.files()?;
            files.extend(
                shards.into_iter().map(|WeightFile { name, start, size }| {
                    file(&name, size, Content::Prefix(start))
                }),
            );
            files.extend(index.map(|text| whole(INDEX, text)));
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(pair) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(format!("`{}` is there twice", pair[0].path));
        }
        self.damage(&mut files)?;
        Ok(files)
    }

    /// Takes away what this repository, checkout or reading of it lacks.
    fn damage(&self, files: &mut Vec<File>) -> Result<(), String> {
        let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let mut named = self
            .absent
            .iter()
            .chain(&self.pointers)
            .chain(self.unavailable.keys());
        if let Some(stranger) = named.find(|path| !paths.contains(path.as_str())) {
            return Err(format!("`{stranger}` cannot be damaged, it is not there"));
        }
        files.retain(|file| !self.absent.contains(&file.path));
        for file in files {
            if self.pointers.contains(&file.path) {
                file.content = Content::Pointer;
            } else if let Some(why) = self.unavailable.get(&file.path) {
                file.content = Content::Unavailable(why.clone());
            }
        }
        Ok(())
    }
}

impl Weights {
    fn files(&self) -> Result<(Vec<WeightFile>, Option<Vec<u8>>), String> {
        let shards = shard(expand(&self.layout)?, self.shard_bytes.unwrap_or(u64::MAX));
        let stem = self.file.as_deref().unwrap_or("model");
        weights::files(
            stem,
            &shards,
            self.first_shard.unwrap_or(1),
            &self.index_extra,
        )
    }
}

fn file(path: &str, size: u64, content: Content) -> File {
    File {
        path: path.into(),
        size: Some(size),
        sha256: None,
        content,
    }
}

fn whole(path: &str, text: Vec<u8>) -> File {
    file(path, text.len() as u64, Content::Whole(text))
}

/// The text of a JSON value, moved to the left by the indentation of its last line. No string is
/// touched: in JSON none holds a line break.
fn at_margin(text: &str) -> Vec<u8> {
    let last = text.lines().last().unwrap_or_default();
    let indentation = last.len() - last.trim_start_matches(' ').len();
    let mut moved = String::with_capacity(text.len());
    for line in text.lines() {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        moved.push_str(&line[spaces.min(indentation)..]);
        moved.push('\n');
    }
    moved.into_bytes()
}

#[cfg(test)]
mod tests {
    use preflight_model::header::Header;

    use super::*;

    fn build(spec: &str) -> Result<Snapshot, String> {
        let head = r#""about": "x", "repository": "o/n", "commit": "c", "observed_at": "2025-11-20T09:00:00Z""#;
        let spec = format!("{{{head}, {spec}}}");
        serde_json::from_str::<Spec>(&spec)
            .map_err(|error| error.to_string())?
            .snapshot(Fact::Absent)
    }

    const TWO_SHARDS: &str = r#""files": {}, "listed": {},
        "weights": {"shard_bytes": 8, "layout": [["l.{0-1}.w", "F32", [2]]]}"#;

    #[test]
    fn json_files_keep_their_text() {
        let text = "{\n      \"eps\": 1e-05,\n      \"max\": 1000000000000000019884624838656,\n      \"a\": {\n        \"b\": []\n      }\n    }";
        let expected = "{\n  \"eps\": 1e-05,\n  \"max\": 1000000000000000019884624838656,\n  \"a\": {\n    \"b\": []\n  }\n}\n";
        let snapshot = build(&format!(
            r#""files": {{"config.json": {text}}}, "listed": {{}}"#
        ))
        .expect("sound");
        let config = snapshot.file("config.json").expect("there");
        assert_eq!(config.content, Content::Whole(expected.into()));
        assert_eq!(config.size, Some(expected.len() as u64));
    }

    #[test]
    fn damage_is_done_to_the_named_files_only() {
        let first = "model-00001-of-00002.safetensors";
        let second = "model-00002-of-00002.safetensors";
        let absent = build(&format!(r#"{TWO_SHARDS}, "absent": ["{first}"]"#)).expect("sound");
        assert_eq!(absent.file(first), None);
        assert!(matches!(
            absent.file(second).expect("there").content,
            Content::Prefix(_)
        ));
        assert!(absent.file(INDEX).is_some());

        let pointer = build(&format!(r#"{TWO_SHARDS}, "pointers": ["{second}"]"#)).expect("sound");
        let pointer = pointer.file(second).expect("there");
        assert_eq!(pointer.content, Content::Pointer);
        assert!(
            pointer.size > Some(8),
            "the size is that of the file it points to"
        );

        let stranger =
            build(&format!(r#"{TWO_SHARDS}, "absent": ["nowhere"]"#)).expect_err("must be refused");
        assert!(stranger.contains("`nowhere`"), "{stranger}");
    }

    #[test]
    fn a_refused_repository_lists_nothing() {
        let snapshot =
            build(r#""files": {}, "listed": {}, "refused": "it is gated""#).expect("sound");
        assert_eq!(snapshot.access, Access::Refused("it is gated".into()));
        assert_eq!(snapshot.files, Fact::Unavailable("it is gated".into()));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |spec| build(spec).expect_err("must be refused");
        assert!(error(r#""files": {}, "listed": {}, "wieghts": 1"#).contains("wieghts"));
        assert!(error(r#""files": {"a": 1}, "listed": {"a": 1}"#).contains("`a` is there twice"));
        assert!(error(r#""files": {}, "listed": {}, "source": "ftp""#).contains("`ftp`"));
        let dtype =
            error(r#""files": {}, "listed": {}, "weights": {"layout": [["w", "NVFP4", [1]]]}"#);
        assert!(dtype.contains("NVFP4"), "{dtype}");
    }

    /// Every fixture that is said to be whole has headers without a defect and of the right size.
    #[test]
    fn headers_of_all_fixtures_are_sound() {
        for name in names().expect("specs") {
            let snapshot = snapshot_of(&name).expect(&name);
            for file in snapshot.files.known().into_iter().flatten() {
                if let Content::Prefix(start) = &file.content {
                    let header = Header::parse(start, file.size).expect(&file.path);
                    assert_eq!(header.defects, Vec::<String>::new(), "{name}/{}", file.path);
                }
            }
        }
    }
}
