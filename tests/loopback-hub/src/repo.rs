//! A repository: its kind, who may see it, and its files at every commit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// What a repository holds; the Hub has one namespace of addresses for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `/api/models/…`, files at `/{id}/resolve/…`.
    Model,
    /// `/api/datasets/…`, files at `/datasets/{id}/resolve/…`.
    Dataset,
    /// `/api/spaces/…`, files at `/spaces/{id}/resolve/…`.
    Space,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Model, Self::Dataset, Self::Space];

    /// The word in `/api/…`.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
        }
    }

    /// What stands before the id in the address of a file.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
        }
    }
}

/// The bytes of a file: those given, then zeros up to its size. A shard of 5 GB costs its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub(crate) head: Arc<[u8]>,
    pub(crate) size: u64,
}

impl Content {
    /// Exactly `bytes`.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let head: Arc<[u8]> = bytes.as_ref().into();
        let size = head.len() as u64;
        Self { head, size }
    }

    /// `bytes` and zeros, `size` bytes in all (at least `bytes`).
    pub fn sparse(bytes: impl AsRef<[u8]>, size: u64) -> Self {
        let whole = Self::new(bytes);
        let size = size.max(whole.size);
        Self { size, ..whole }
    }
}

/// One file at one commit.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) content: Content,
    /// Whether git-lfs keeps it, so that it lies on the other host.
    pub(crate) is_large: bool,
    /// Stand-in of the git object id, 40 hexadecimal digits.
    pub(crate) oid: String,
    /// Stand-in of the SHA-256, 64 digits: the content of sparse files is never made.
    pub(crate) sha256: String,
}

/// The state of all files under one commit id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commit {
    pub(crate) id: String,
    pub(crate) files: BTreeMap<String, File>,
}

/// A repository to add to the hub.
///
/// Files go to the newest commit named: `main` at first, then what [`branch`](Self::branch),
/// [`tag`](Self::tag) or [`pull_request`](Self::pull_request) began.
#[derive(Debug, Clone)]
pub struct Repo {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) gated: Option<String>,
    pub(crate) is_private: bool,
    pub(crate) is_disabled: bool,
    pub(crate) commits: Vec<Commit>,
    /// Full name of a reference, such as `refs/heads/main`, and its commit's place.
    pub(crate) refs: BTreeMap<String, usize>,
}

impl Repo {
    /// An empty, public model `org/name` with the branch `main`.
    pub fn model(id: &str) -> Self {
        Self {
            id: id.into(),
            kind: Kind::Model,
            gated: None,
            is_private: false,
            is_disabled: false,
            commits: vec![Commit::default()],
            refs: BTreeMap::from([("refs/heads/main".to_owned(), 0)]),
        }
    }

    /// An empty, public dataset.
    pub fn dataset(id: &str) -> Self {
        Self {
            kind: Kind::Dataset,
            ..Self::model(id)
        }
    }

    /// An empty, public space.
    pub fn space(id: &str) -> Self {
        Self {
            kind: Kind::Space,
            ..Self::model(id)
        }
    }

    /// Adds a small file; one whose name says that git-lfs keeps it is kept there.
    #[must_use]
    pub fn file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.content(path, Content::new(bytes))
    }

    /// Adds a file of `size` bytes that begins with `head`, the rest zeros.
    #[must_use]
    pub fn sparse(self, path: &str, head: impl AsRef<[u8]>, size: u64) -> Self {
        self.content(path, Content::sparse(head, size))
    }

    /// Adds or replaces a file.
    #[must_use]
    pub fn content(mut self, path: &str, content: Content) -> Self {
        let seed = [path.as_bytes(), &content.size.to_le_bytes(), &content.head].concat();
        let file = File {
            is_large: is_large(path, content.size),
            oid: digest(b"oid", &seed, 40),
            sha256: digest(b"sha256", &seed, 64),
            content,
        };
        let commit = self.commits.last_mut().expect("there is a first commit");
        commit.files.insert(path.into(), file);
        self
    }

    /// Removes a file from the newest commit.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        let commit = self.commits.last_mut().expect("there is a first commit");
        commit.files.remove(path);
        self
    }

    /// Begins a commit with the files of the one before, at a branch.
    #[must_use]
    pub fn branch(self, name: &str) -> Self {
        self.commit_at(format!("refs/heads/{name}"))
    }

    /// Begins a commit with the files of the one before, under a tag.
    #[must_use]
    pub fn tag(self, name: &str) -> Self {
        self.commit_at(format!("refs/tags/{name}"))
    }

    /// Begins a commit with the files of the one before, at `refs/pr/number`.
    #[must_use]
    pub fn pull_request(self, number: u32) -> Self {
        self.commit_at(format!("refs/pr/{number}"))
    }

    fn commit_at(mut self, reference: String) -> Self {
        let files = self.commits.last().map(|commit| commit.files.clone());
        self.refs.insert(reference, self.commits.len());
        self.commits.push(Commit {
            id: String::new(),
            files: files.unwrap_or_default(),
        });
        self
    }

    /// Asks for access to its files: `auto` or `manual`.
    #[must_use]
    pub fn gated(mut self, how: &str) -> Self {
        self.gated = Some(how.into());
        self
    }

    /// Shows it only to tokens that are granted it.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.is_private = true;
        self
    }

    /// Switched off by the Hub.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.is_disabled = true;
        self
    }

    /// The commit that a branch, tag, `refs/…` or (the start of) a commit id names.
    pub(crate) fn commit_of(&self, revision: &str) -> Option<String> {
        Some(self.commit(revision)?.id.clone())
    }

    pub(crate) fn commit(&self, revision: &str) -> Option<&Commit> {
        let starts = ["", "refs/heads/", "refs/tags/"];
        let named = starts
            .iter()
            .find_map(|start| self.refs.get(&format!("{start}{revision}")));
        if let Some(&place) = named {
            return self.commits.get(place);
        }
        let is_id = (7..=40).contains(&revision.len())
            && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut commits = self.commits.iter();
        commits.find(|commit| is_id && commit.id.starts_with(revision))
    }

    /// Gives every commit its id, which follows from its files.
    pub(crate) fn sealed(mut self) -> Self {
        for (place, commit) in self.commits.iter_mut().enumerate() {
            let mut seed = format!("{} {place}", self.id).into_bytes();
            for (path, file) in &commit.files {
                seed.extend([path.as_bytes(), file.oid.as_bytes()].concat());
            }
            commit.id = digest(b"commit", &seed, 40);
        }
        self
    }
}

/// What the `.gitattributes` of a new repository hand to git-lfs, and what is too large for git: the
/// Hub refuses other files of more than 10 MB
/// (<https://huggingface.co/docs/hub/repositories-getting-started>).
fn is_large(path: &str, size: u64) -> bool {
    const ENDINGS: [&str; 9] = [
        ".safetensors",
        ".bin",
        ".pt",
        ".pth",
        ".gguf",
        ".onnx",
        ".h5",
        ".zip",
        ".gz",
    ];
    size > 10_000_000 || ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// Hexadecimal digits that depend on `bytes` alone (FNV-1a, run once more for each 16 digits).
/// Stands where the Hub has SHA-1 and SHA-256, whose values nobody checks here.
pub(crate) fn digest(purpose: &[u8], bytes: &[u8], digits: usize) -> String {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let mut feed = |bytes: &[u8]| {
        for byte in bytes {
            state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        state
    };
    feed(purpose);
    feed(bytes);
    let mut text = String::new();
    while text.len() < digits {
        let _ = write!(text, "{:016x}", feed(b"more"));
    }
    text.truncate(digits);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_lead_to_their_commits() {
        let repo = Repo::model("o/n")
            .file("a", "1")
            .branch("feature/x")
            .file("a", "2")
            .tag("v1")
            .pull_request(3)
            .file("a", "3")
            .sealed();
        let main = repo.commit_of("main").unwrap();
        assert_eq!(main.len(), 40);
        assert_eq!(repo.commit_of("refs/heads/main"), Some(main.clone()));
        assert_eq!(repo.commit_of(&main[..7]), Some(main.clone()));
        for other in ["feature/x", "v1", "refs/pr/3"] {
            assert!(
                repo.commit_of(other).is_some_and(|id| id != main),
                "{other}"
            );
        }
        assert_eq!(repo.commit_of("nope"), None);
        assert_eq!(repo.commit_of("0000000"), None);
    }
}
