//! Tar headers, one block at a time: as POSIX (`pax`) and GNU tar write them. No I/O.
//!
//! Sources: <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06>,
//! <https://www.gnu.org/software/tar/manual/html_node/Standard.html>,
//! <https://www.gnu.org/software/tar/manual/html_node/Sparse-Formats.html>.

use super::members::{Kind, Member, Trouble};

/// Bytes of a block: headers are one, data is padded to whole ones.
pub(super) const BLOCK: u64 = BLOCK_LENGTH as u64;
const BLOCK_LENGTH: usize = 512;
/// Longest description of a member (long name, pax records). Paths have at most 4096 bytes on Linux; the
/// rest leaves room for other attributes.
const METADATA_BYTES_MAX: u64 = 1 << 20;

/// A block of a tar archive.
pub(super) type Block = [u8; BLOCK_LENGTH];

/// What a header says.
#[derive(Debug)]
pub(super) enum Step {
    /// So many bytes follow that describe the next member: give them to [`Walker::describe`].
    Describes(u64),
    /// A member, without its data, and how many bytes of data follow.
    Member(Member<()>, u64),
    /// Nothing of interest, and how many bytes of data follow.
    Nothing(u64),
    /// The end of the archive.
    End,
}

/// Bytes on the archive that data of `size` takes, padding included.
pub(super) fn padded(size: u64) -> Option<u64> {
    size.checked_next_multiple_of(BLOCK)
}

/// Whether a block is a header.
pub(super) fn is_header(block: &Block) -> bool {
    checksum_is_right(block)
}

/// Walks from header to header.
#[derive(Debug, Default)]
pub(super) struct Walker {
    /// What the description that is being read is of.
    describes: Option<Description>,
    name: Option<String>,
    link: Option<String>,
    size: Option<u64>,
    /// The name of a sparse file, which has a made-up one in its header.
    sparse_name: Option<String>,
    is_sparse: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Description {
    Name,
    Link,
    Records,
    /// Records for all members that follow.
    GlobalRecords,
}

impl Walker {
    /// Understands a header.
    pub(super) fn header(&mut self, block: &Block) -> Result<Step, Trouble> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(Step::End);
        }
        if !checksum_is_right(block) {
            return Err(Trouble::broken("a header has a wrong checksum"));
        }
        let stored = number(&block[124..136])
            .ok_or_else(|| Trouble::broken("a header has no valid size"))?;
        let kind = block[156];
        let describes = match kind {
            b'L' => Some(Description::Name),
            b'K' => Some(Description::Link),
            b'x' | b'X' => Some(Description::Records),
            b'g' => Some(Description::GlobalRecords),
            _ => None,
        };
        if describes.is_some() {
            if stored > METADATA_BYTES_MAX {
                return Err(Trouble::unread(format!(
                    "the description of a member has {stored} bytes, more than the {METADATA_BYTES_MAX} that are read"
                )));
            }
            self.describes = describes;
            return Ok(Step::Describes(stored));
        }
        let taken = std::mem::take(self);
        taken.member(block, kind, stored)
    }

    /// Takes the bytes that [`Step::Describes`] asked for.
    pub(super) fn describe(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|byte| *byte == 0);
            String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
        };
        match self.describes.take() {
            Some(Description::Name) => self.name = Some(text(bytes)),
            Some(Description::Link) => self.link = Some(text(bytes)),
            Some(Description::Records) => {
                for (key, value) in records(bytes)? {
                    self.record(&key, value)?;
                }
            }
            Some(Description::GlobalRecords) => {
                let changes = |key: &str| {
                    matches!(key, "path" | "linkpath" | "size") || key.starts_with("GNU.sparse.")
                };
                if let Some((key, _)) = records(bytes)?.iter().find(|(key, _)| changes(key)) {
                    return Err(Trouble::unread(format!(
                        "it sets `{key}` for all members at once, which programs read differently"
                    )));
                }
            }
            None => {}
        }
        Ok(())
    }

    fn record(&mut self, key: &str, value: String) -> Result<(), Trouble> {
        match key {
            "path" => self.name = Some(value),
            "linkpath" => self.link = Some(value),
            "size" => {
                let size = value.parse().map_err(|_| {
                    Trouble::broken("a member has a `size` in its description that is no number")
                })?;
                self.size = Some(size);
            }
            "GNU.sparse.name" => {
                self.sparse_name = Some(value);
                self.is_sparse = true;
            }
            key if key.starts_with("GNU.sparse.") => self.is_sparse = true,
            _ => {}
        }
        Ok(())
    }

    fn member(self, block: &Block, kind: u8, stored: u64) -> Result<Step, Trouble> {
        let name = self
            .sparse_name
            .or(self.name)
            .unwrap_or_else(|| header_name(block));
        let link = self.link.unwrap_or_else(|| field(&block[157..257]));
        let size = self.size.unwrap_or(stored);
        let kind = match kind {
            // Before POSIX, a folder was a file whose name ends so.
            b'\0' | b'0' | b'7' if name.ends_with('/') => Kind::Folder,
            b'\0' | b'0' | b'7' if self.is_sparse => sparse(),
            b'\0' | b'0' | b'7' => Kind::File,
            // Its size is that of what it links to; no data follows, as in GNU tar and Python.
            b'1' => return Ok(step(name, Kind::HardLink(link), 0)),
            b'2' => Kind::Symlink(Some(link)),
            b'3' => Kind::Other("a character device"),
            b'4' => Kind::Other("a block device"),
            b'5' | b'D' => Kind::Folder,
            b'6' => Kind::Other("a named pipe"),
            // More of its map follows, and then its data.
            b'S' if block[482] != 0 => {
                return Err(Trouble::unread(format!("`{name}`: {SPARSE}")));
            }
            b'S' => sparse(),
            b'V' => return Ok(Step::Nothing(size)),
            b'M' => {
                return Err(Trouble::broken(
                    "it is one part of an archive in several volumes",
                ));
            }
            _ => Kind::Other("a member of unknown kind"),
        };
        let has_no_data = matches!(kind, Kind::Folder | Kind::Symlink(_))
            || matches!(kind, Kind::Other(what) if what != "a member of unknown kind");
        if has_no_data && size != 0 {
            return Err(Trouble::unread(format!(
                "`{name}` is no file and has a size, which programs read differently"
            )));
        }
        Ok(step(name, kind, size))
    }
}

const SPARSE: &str =
    "it is stored as a sparse file, which not every program unpacks: pack without `--sparse`";

fn sparse() -> Kind {
    Kind::Unreadable(SPARSE.into())
}

fn step(name: String, kind: Kind, size: u64) -> Step {
    let member = Member {
        name,
        size,
        kind,
        overlaps: false,
        place: (),
    };
    Step::Member(member, size)
}

/// Text up to the first NUL.
fn field(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

/// The name in a header: POSIX has a second field for its start, where GNU tar has times.
fn header_name(block: &Block) -> String {
    let name = field(&block[..100]);
    let prefix = field(&block[345..500]);
    if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
        return format!("{prefix}/{name}");
    }
    name
}

/// A number in octal digits or, with the first bit set, in binary.
fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.first()? & 0x80 != 0 {
        let (high, low) = bytes.split_at(bytes.len() - 8);
        // The first bit is the mark; what is negative has the next one too.
        let is_small = high
            .split_first()
            .is_some_and(|(first, rest)| *first == 0x80 && rest.iter().all(|byte| *byte == 0));
        return is_small.then(|| u64::from_be_bytes(low.try_into().unwrap_or_default()));
    }
    let digits = bytes.trim_ascii_start();
    let end = digits
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\0'))
        .unwrap_or(digits.len());
    let text = std::str::from_utf8(&digits[..end]).ok()?;
    if text.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(text, 8)
        .ok()
        .filter(|_| !text.starts_with('+'))
}

/// The sum of all bytes, with spaces in its own place. Old programs summed them as signed.
fn checksum_is_right(block: &Block) -> bool {
    let Some(stated) = number(&block[148..156]).filter(|sum| *sum > 0) else {
        return false;
    };
    let (mut sum, mut signed) = (0_i64, 0_i64);
    for (at, byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&at) {
            b' '
        } else {
            *byte
        };
        sum += i64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    i64::try_from(stated).is_ok_and(|stated| stated == sum || stated == signed)
}

/// The records `LENGTH KEY=VALUE\n` of a pax header.
fn records(mut bytes: &[u8]) -> Result<Vec<(String, String)>, Trouble> {
    let broken = || Trouble::broken("a member has a description that cannot be read");
    let mut found = Vec::new();
    // Some programs pad with NULs.
    while bytes.first().is_some_and(|byte| *byte != 0) {
        let space = bytes
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or_else(broken)?;
        let length = std::str::from_utf8(&bytes[..space]).ok();
        let length: usize = length
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(broken)?;
        let record = bytes.get(space + 1..length).ok_or_else(broken)?;
        let record = record.strip_suffix(b"\n").ok_or_else(broken)?;
        let equals = record
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or_else(broken)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        found.push((text(&record[..equals]), text(&record[equals + 1..])));
        bytes = &bytes[length..];
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(bytes: &[u8], kind: u8) -> Block {
        let mut block = [0; BLOCK_LENGTH];
        for (at, byte) in block.iter_mut().enumerate() {
            *byte = bytes.get(at % bytes.len().max(1)).copied().unwrap_or(0);
        }
        block[156] = kind;
        block
    }

    fn with_checksum(mut block: Block) -> Block {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    #[test]
    fn a_checksum_in_binary_is_none() {
        let mut block = with_checksum(block(b"a", b'0'));
        assert!(is_header(&block));
        block[148] = 0x80;
        assert!(!is_header(&block));
    }

    proptest! {
        #[test]
        fn any_block_is_a_step_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..BLOCK_LENGTH),
            size in proptest::collection::vec(prop_oneof![Just(b'0'), Just(b'7'), Just(0x80_u8), Just(0)], 12),
            kind in prop_oneof![proptest::sample::select(b"LKxXgS0125DVM".to_vec()), any::<u8>()],
            described in "([0-9]{1,2} (size|path|GNU.sparse.name|a)=[a-z0-9]{0,6}\n?){0,3}",
        ) {
            let mut raw = block(&bytes, kind);
            is_header(&raw);
            raw[124..136].copy_from_slice(&size);
            let mut walker = Walker::default();
            let step = walker.header(&with_checksum(raw));
            if let Ok(Step::Describes(length)) = step {
                prop_assert!(length <= METADATA_BYTES_MAX);
                if walker.describe(described.as_bytes()).is_ok() {
                    let _ = walker.header(&with_checksum(block(&bytes, b'0')));
                }
                let _ = walker.describe(&bytes);
            }
        }

        #[test]
        fn a_size_is_read_as_it_was_written(size in 0_u64..1 << 33) {
            prop_assert_eq!(number(format!("{size:011o}\0").as_bytes()), Some(size));
            let binary = [&[0x80, 0, 0, 0][..], &size.to_be_bytes()].concat();
            prop_assert_eq!(number(&binary), Some(size));
        }
    }
}
