//! Opening regular files and nothing else: a FIFO would hang, a device could do anything.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use crate::Error;

/// What to do where the path is a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// Open what it points to: a user's own folder, a snapshot in the Hub cache.
    Follow,
    /// Fail: a recording comes from somebody else and has no links.
    Refuse,
}

/// What a thing in a folder is, in words.
pub(crate) fn describe(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a named pipe";
        } else if kind.is_socket() {
            return "a socket";
        } else if kind.is_char_device() {
            return "a character device";
        } else if kind.is_block_device() {
            return "a block device";
        }
    }
    if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_file() {
        "a file"
    } else {
        "not a regular file"
    }
}

/// A regular file and its size in bytes.
#[derive(Debug)]
pub(crate) struct Regular {
    file: File,
    pub(crate) size: u64,
}

impl Regular {
    /// Opens `path` if it is a regular file. Looks before opening, since opening can have effects,
    /// and again after it, since the file can have been exchanged in between; never blocks.
    pub(crate) fn open(path: &Path, links: Links) -> io::Result<Self> {
        let before = match links {
            Links::Follow => fs::metadata(path)?,
            Links::Refuse => fs::symlink_metadata(path)?,
        };
        must_be_file(before.file_type())?;
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            let no_follow = if links == Links::Refuse {
                libc::O_NOFOLLOW
            } else {
                0
            };
            options.custom_flags(libc::O_NONBLOCK | no_follow);
        }
        let file = options.open(path)?;
        let after = file.metadata()?;
        must_be_file(after.file_type())?;
        Ok(Self {
            file,
            size: after.len(),
        })
    }

    /// The bytes of `range`, which must lie within the file.
    pub(crate) fn read(&mut self, range: &Range<u64>) -> io::Result<Vec<u8>> {
        let length = range.end.saturating_sub(range.start);
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut bytes = vec![0; length];
        self.file.seek(SeekFrom::Start(range.start))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The file from its start.
    pub(crate) fn into_file(self) -> File {
        self.file
    }
}

/// The bytes of `range` of the file at `at`, which errors call `path`.
pub(crate) fn read_range(
    at: &Path,
    path: &str,
    range: &Range<u64>,
    links: Links,
) -> Result<Bytes, Error> {
    let failed = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound(path.into()),
        _ => Error::unavailable(path, error),
    };
    let mut file = Regular::open(at, links).map_err(|error| failed(&error))?;
    check_range(path, range, file.size)?;
    let bytes = file.read(range).map_err(|error| failed(&error))?;
    Ok(bytes.into())
}

fn must_be_file(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    Err(io::Error::other(format!("it is {}", describe(kind))))
}

/// A range that runs forwards and ends within `size` bytes.
pub(crate) fn check_range(path: &str, range: &Range<u64>, size: u64) -> Result<(), Error> {
    if range.start <= range.end && range.end <= size {
        return Ok(());
    }
    Err(Error::OutOfRange {
        path: path.into(),
        range: range.clone(),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        fs::write(dir.path().join("file"), "abc").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        assert_eq!(Regular::open(&link, Links::Follow).unwrap().size, 3);
        let error = Regular::open(&link, Links::Refuse).unwrap_err();
        assert_eq!(error.to_string(), "it is a symbolic link");
    }

    #[test]
    fn devices_are_not_opened() {
        let error = Regular::open(Path::new("/dev/zero"), Links::Follow).unwrap_err();
        assert_eq!(error.to_string(), "it is a character device");
    }
}
