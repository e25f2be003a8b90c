//! `recording.json` as it is written, and the checks on it.

use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Content, File, SourceKind};
use serde::{Deserialize, Serialize};

use super::container::ContainerRecord;
use crate::paths;
use crate::pointer::is_sha256;

/// What `format` says in a recording.
pub(super) const FORMAT: &str = "byom-preflight-recording";
/// The version of the format that is written, and the only one that is read.
pub const FORMAT_VERSION: u64 = 1;

/// What every version of the format has.
#[derive(Debug, Deserialize)]
struct Envelope {
    format: String,
    format_version: u64,
}

/// `recording.json`, version 1.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) format: String,
    pub(super) format_version: u64,
    /// The kind of place that the recording stands for.
    pub(super) source: String,
    pub(super) id: Option<String>,
    pub(super) revision: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) observed_at: Option<String>,
    #[serde(default)]
    pub(super) access: State,
    pub(super) container: Option<ContainerRecord>,
    #[serde(default)]
    pub(super) listing: State,
    #[serde(default)]
    pub(super) base: State,
    #[serde(default)]
    pub(super) files: Vec<FileRecord>,
}

/// How something is known, and why not. The default means the usual.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) state: String,
    pub(super) reason: Option<String>,
}

/// One file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) path: String,
    pub(super) size: Option<u64>,
    pub(super) sha256: Option<String>,
    pub(super) state: FileState,
    pub(super) reason: Option<String>,
    pub(super) encoding: Option<Encoding>,
}

/// What was kept of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FileState {
    Listed,
    Whole,
    Prefix,
    Pointer,
    NotRegular,
    Unavailable,
}

/// How it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Encoding {
    Gzip,
}

impl State {
    pub(super) fn new(state: &str, reason: Option<&str>) -> Self {
        Self {
            state: state.into(),
            reason: reason.map(Into::into),
        }
    }

    pub(super) fn of_access(access: &Access) -> Self {
        match access {
            Access::Open => Self::new("open", None),
            Access::Refused(reason) => Self::new("refused", Some(reason)),
            Access::Unreachable(reason) => Self::new("unreachable", Some(reason)),
        }
    }

    /// `None` where the fact is of a kind that no collection makes.
    pub(super) fn of_fact<T>(fact: &Fact<T>) -> Option<Self> {
        match fact {
            Fact::Known(_) => Some(Self::new("known", None)),
            Fact::Absent => Some(Self::new("absent", None)),
            Fact::Unavailable(reason) => Some(Self::new("unavailable", Some(reason))),
            Fact::Malformed(_) => None,
        }
    }

    fn reason(&self) -> String {
        self.reason
            .clone()
            .unwrap_or_else(|| "the recording does not say why".into())
    }

    pub(super) fn access(&self) -> Result<Access, String> {
        match self.state.as_str() {
            "" | "open" => Ok(Access::Open),
            "refused" => Ok(Access::Refused(self.reason())),
            "unreachable" => Ok(Access::Unreachable(self.reason())),
            other => Err(format!(
                "the `state` of `access` is `{other}`, not `open`, `refused` or `unreachable`"
            )),
        }
    }

    /// The fact, where `usual` says what a missing state means.
    pub(super) fn fact(&self, key: &str, usual: Fact<()>) -> Result<Fact<()>, String> {
        match self.state.as_str() {
            "" => Ok(usual),
            "known" => Ok(Fact::Known(())),
            "absent" => Ok(Fact::Absent),
            "unavailable" => Ok(Fact::Unavailable(self.reason())),
            other => Err(format!(
                "the `state` of `{key}` is `{other}`, not `known`, `absent` or `unavailable`"
            )),
        }
    }
}

impl FileRecord {
    /// The record of a file whose kept bytes, if any, are stored as `encoding` says.
    pub(super) fn new(file: &File, encoding: Option<Encoding>) -> Self {
        let (state, reason) = match &file.content {
            Content::Listed => (FileState::Listed, None),
            Content::Whole(_) => (FileState::Whole, None),
            Content::Prefix(_) => (FileState::Prefix, None),
            Content::Pointer => (FileState::Pointer, None),
            Content::NotRegular(what) => (FileState::NotRegular, Some(what.clone())),
            Content::Unavailable(reason) => (FileState::Unavailable, Some(reason.clone())),
        };
        let size = match &file.content {
            Content::Whole(bytes) => Some(bytes.len() as u64),
            _ => file.size,
        };
        Self {
            path: file.path.clone(),
            size,
            sha256: file.sha256.clone(),
            state,
            reason,
            encoding,
        }
    }

    fn check(&self) -> Result<(), String> {
        let Self { path, state, .. } = self;
        let is_kept = matches!(state, FileState::Whole | FileState::Prefix);
        if !paths::is_inside(path) || (is_kept && paths::under("".as_ref(), path).is_none()) {
            return Err(format!("the path `{}` leads outside", path.escape_debug()));
        }
        if self.sha256.as_deref().is_some_and(|sum| !is_sha256(sum)) {
            return Err(format!(
                "the `sha256` of `{path}` is not 64 hexadecimal digits"
            ));
        }
        if *state == FileState::Whole && self.size.is_none() {
            return Err(format!("`{path}` is whole and has no `size`"));
        }
        if self.encoding.is_some() && !is_kept {
            return Err(format!(
                "`{path}` has an `encoding` and nothing was kept of it"
            ));
        }
        Ok(())
    }
}

impl Document {
    /// Parses and checks. Files come out sorted by path.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let not_json =
            |error: serde_json::Error| format!("`recording.json` is not as expected: {error}");
        let envelope: Envelope = serde_json::from_slice(text).map_err(not_json)?;
        if envelope.format != FORMAT {
            return Err(format!(
                "its `format` is `{}`, not `{FORMAT}`",
                envelope.format.escape_debug()
            ));
        }
        if envelope.format_version != FORMAT_VERSION {
            return Err(format!(
                "its format version is {}, this program reads version {FORMAT_VERSION}",
                envelope.format_version
            ));
        }
        let mut document: Self = serde_json::from_slice(text).map_err(not_json)?;
        document.files.iter().try_for_each(FileRecord::check)?;
        document
            .files
            .sort_by(|one, other| one.path.cmp(&other.path));
        if let Some(twice) = document
            .files
            .windows(2)
            .find(|pair| pair[0].path == pair[1].path)
        {
            return Err(format!("the file `{}` stands twice in it", twice[0].path));
        }
        Ok(document)
    }

    pub(super) fn stands_for(&self) -> Result<SourceKind, String> {
        SourceKind::parse(&self.source)
            .filter(|kind| *kind != SourceKind::Recording)
            .ok_or_else(|| {
                format!(
                    "its `source` is `{}`, not `hub`, `s3`, `archive` or `folder`",
                    self.source.escape_debug()
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_recording_is_one_or_an_error(
            text in ".{0,40}",
            key in proptest::sample::select(vec!["source", "commit", "access", "container", "listing", "base", "files", "observed_at", "format"]),
            value in "(null|true|-?[0-9]{1,20}|\"[a-z/.]{0,8}\"|\\[\\{\"path\": \"[a-z./]{0,6}\", \"state\": \"[a-z]{0,6}\"\\}\\]|\\{\\}|\\[\\])",
        ) {
            let _ = Document::parse(text.as_bytes());
            let text = format!(
                r#"{{"format": "{FORMAT}", "format_version": {FORMAT_VERSION}, "source": "hub", "files": [], "{key}": {value}}}"#
            );
            if let Ok(document) = Document::parse(text.as_bytes()) {
                let _ = document.stands_for();
                proptest::prop_assert!(document.files.windows(2).all(|pair| pair[0].path < pair[1].path));
            }
        }
    }
}
