//! The archive that a repository came in: what an unpacker and a downloader have to know of it.

use crate::fact::Fact;

/// Most oddities of one archive that are kept; the rest are counted.
pub const ODDITIES_MAX: usize = 100;

/// An archive, as far as it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// Name of the archive's file, without the folders before it.
    pub name: String,
    /// What its bytes are; unavailable where they could not be read.
    pub format: Fact<ArchiveFormat>,
    /// How long its address can be used.
    pub validity: Validity,
    /// Why no program can unpack it.
    pub broken: Option<String>,
    /// The folder that all files lie in. Paths of the snapshot are given without it: everything else is
    /// judged as if it were packed anew.
    pub wrapped_in: Option<String>,
    /// Members that are more than files and folders with names of their own.
    pub oddities: Vec<Oddity>,
    /// Oddities beyond [`ODDITIES_MAX`].
    pub more_oddities: u64,
}

impl Container {
    /// An archive of which only the name and the address are known.
    pub fn unread(name: &str, validity: Validity, reason: &str) -> Self {
        Self {
            name: name.into(),
            format: Fact::Unavailable(reason.into()),
            validity,
            broken: None,
            wrapped_in: None,
            oddities: Vec::new(),
            more_oddities: 0,
        }
    }
}

/// What a file of bytes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// A zip archive.
    Zip,
    /// A tar archive.
    Tar,
    /// A tar archive, compressed by gzip.
    TarGz,
    /// Something compressed by Zstandard: the form of the platform's own downloads.
    TarZst,
    /// Something compressed by bzip2.
    TarBz2,
    /// Something compressed by xz.
    TarXz,
    /// A 7-Zip archive.
    SevenZip,
    /// A RAR archive.
    Rar,
    /// No archive that is known here.
    Other,
}

impl ArchiveFormat {
    const ALL: [Self; 9] = [
        Self::Zip,
        Self::Tar,
        Self::TarGz,
        Self::TarZst,
        Self::TarBz2,
        Self::TarXz,
        Self::SevenZip,
        Self::Rar,
        Self::Other,
    ];

    /// The usual ending of its name; empty for what is no archive.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zip => ".zip",
            Self::Tar => ".tar",
            Self::TarGz => ".tar.gz",
            Self::TarZst => ".tar.zst",
            Self::TarBz2 => ".tar.bz2",
            Self::TarXz => ".tar.xz",
            Self::SevenZip => ".7z",
            Self::Rar => ".rar",
            Self::Other => "",
        }
    }

    /// The format with exactly this [`ArchiveFormat::as_str`].
    pub fn parse(ending: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == ending)
    }

    /// The format that the name of a file promises; other endings of the same formats count as well.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let usual = Self::ALL
            .into_iter()
            .filter(|format| *format != Self::Other)
            .map(|format| (format.as_str(), format));
        let short = [
            (".tgz", Self::TarGz),
            (".tzst", Self::TarZst),
            (".tbz2", Self::TarBz2),
            (".txz", Self::TarXz),
        ];
        let mut endings = usual.chain(short);
        endings.find_map(|(ending, format)| name.ends_with(ending).then_some(format))
    }
}

/// How long the address of an archive can be used, as far as the address itself tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validity {
    /// It has no address that the platform could use yet: a local file.
    NoAddress,
    /// The address is not signed, so it does not end.
    Unsigned,
    /// The signature ends.
    Until {
        /// Seconds since 1970-01-01 UTC.
        ends_at: i64,
        /// Whether it was signed with temporary credentials, whose session may end before.
        is_temporary: bool,
    },
    /// It is signed in a way that does not tell; the text says why.
    Unclear(String),
}

/// A member that an unpacker may stumble over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    /// Its name as stored.
    pub member: String,
    /// What is odd.
    pub kind: OddityKind,
}

/// What is odd about a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OddityKind {
    /// Its name leads out of the folder that is unpacked into: absolute, or with `..`.
    LeadsOutside,
    /// A link whose target lies outside.
    LinksOutside,
    /// A link within the archive. It is not followed.
    Link,
    /// Encrypted.
    Encrypted,
    /// It shares bytes with another member.
    Overlaps,
    /// Another member has the same name.
    Duplicate,
    /// An earlier member of the same name is replaced by it, as every unpacker of the format does.
    Replaces,
    /// An archive inside the archive.
    Archive,
    /// Left by a desktop (`__MACOSX/`, `.DS_Store`, `._name`) and passed over.
    Desktop,
}

impl OddityKind {
    const ALL: [Self; 9] = [
        Self::LeadsOutside,
        Self::LinksOutside,
        Self::Link,
        Self::Encrypted,
        Self::Overlaps,
        Self::Duplicate,
        Self::Replaces,
        Self::Archive,
        Self::Desktop,
    ];

    /// The word of recordings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeadsOutside => "leads-outside",
            Self::LinksOutside => "links-outside",
            Self::Link => "link",
            Self::Encrypted => "encrypted",
            Self::Overlaps => "overlaps",
            Self::Duplicate => "duplicate",
            Self::Replaces => "replaces",
            Self::Archive => "archive",
            Self::Desktop => "desktop",
        }
    }

    /// The kind that a word of a recording names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_promise_formats() {
        let of = ArchiveFormat::of_name;
        assert_eq!(of("model.TAR.GZ"), Some(ArchiveFormat::TarGz));
        assert_eq!(of("model.tgz"), Some(ArchiveFormat::TarGz));
        assert_eq!(of("model.tar"), Some(ArchiveFormat::Tar));
        assert_eq!(of("model.zip"), Some(ArchiveFormat::Zip));
        assert_eq!(of("model.tar.zst"), Some(ArchiveFormat::TarZst));
        assert_eq!(of("model"), None);
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for format in ArchiveFormat::ALL {
            assert_eq!(ArchiveFormat::parse(format.as_str()), Some(format));
        }
        for kind in OddityKind::ALL {
            assert_eq!(OddityKind::parse(kind.as_str()), Some(kind));
        }
    }
}
