//! A [`Snapshot`]: one repository at one commit, as far as it was read. The only input of all
//! that follows.

use crate::container::Container;
use crate::fact::Fact;

/// One repository at one commit and what was kept of its files.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Where it was read.
    pub origin: Origin,
    /// Whether the place let us look.
    pub access: Access,
    /// When it was observed, RFC 3339 in UTC.
    pub observed_at: Option<String>,
    /// All files, sorted by path. Unavailable where the listing could not be read.
    pub files: Fact<Vec<File>>,
    /// The archive that it came in.
    pub container: Fact<Container>,
    /// For an adapter: the repository it adapts.
    pub base: Fact<Box<Snapshot>>,
}

impl Snapshot {
    /// An open repository of the Hub with these files and nothing else known of it.
    pub fn of_files(mut files: Vec<File>) -> Self {
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Self {
            origin: Origin {
                input: String::new(),
                source: SourceKind::Hub,
                stands_for: SourceKind::Hub,
                id: None,
                revision: None,
                commit: None,
            },
            access: Access::Open,
            observed_at: None,
            files: Fact::Known(files),
            container: Fact::Absent,
            base: Fact::Absent,
        }
    }

    /// The file at `path`, where the listing is known.
    pub fn file(&self, path: &str) -> Option<&File> {
        let files = self.files.known()?;
        let at = files
            .binary_search_by(|file| file.path.as_str().cmp(path))
            .ok()?;
        files.get(at)
    }
}

/// Where a snapshot was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What the user gave.
    pub input: String,
    /// The kind of place it was read from now.
    pub source: SourceKind,
    /// The kind of place that it stands for: a recording of a Hub repository stands for the Hub.
    pub stands_for: SourceKind,
    /// Repository name (`org/name`) or address without secrets; none for a folder.
    pub id: Option<String>,
    /// Branch, tag or commit that was asked for.
    pub revision: Option<String>,
    /// Commit it resolved to.
    pub commit: Option<String>,
}

/// Kinds of places that models come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// The Hugging Face Hub or a mirror.
    Hub,
    /// An S3 prefix.
    S3,
    /// One archive, local or behind a URL.
    Archive,
    /// A local folder.
    Folder,
    /// A recording (see `docs/recording.md`).
    Recording,
}

impl SourceKind {
    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::S3 => "s3",
            Self::Archive => "archive",
            Self::Folder => "folder",
            Self::Recording => "recording",
        }
    }

    /// The kind that a word of the report names.
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Hub,
            Self::S3,
            Self::Archive,
            Self::Folder,
            Self::Recording,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// Whether the place let us look at the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Readable with what we had.
    Open,
    /// The place itself says no: gated, not found, missing or private. The text says which.
    Refused(String),
    /// We could not ask: network, server, unreadable.
    Unreachable(String),
}

/// One file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path inside the repository with `/` between components.
    pub path: String,
    /// Size in bytes of the file itself: for a git-lfs pointer, of what it points to.
    pub size: Option<u64>,
    /// Hexadecimal SHA-256 where the place tells it.
    pub sha256: Option<String>,
    /// What was kept of it.
    pub content: Content,
}

impl File {
    /// Whether it is not even known that the repository has this file: nobody looked for it, as for
    /// what was never downloaded into an offline cache.
    pub fn may_be_absent(&self) -> bool {
        self.size.is_none() && matches!(self.content, Content::Unavailable(_))
    }
}

/// What was kept of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Known by name and size only; nothing that decides reads more.
    Listed,
    /// All its bytes.
    Whole(Vec<u8>),
    /// Its first bytes: of a safetensors file, the header with its length prefix (or what there was
    /// of it).
    Prefix(Vec<u8>),
    /// A git-lfs pointer: the checkout did not fetch the file.
    Pointer,
    /// Not a regular file; the text names its kind ("a named pipe").
    NotRegular(String),
    /// Wanted and not read; the text says why.
    Unavailable(String),
}
