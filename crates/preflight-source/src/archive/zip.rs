//! Zip archives: the directory at the end, and members read by ranges.
//!
//! Programs differ in what they believe of a zip archive: which end record, the directory or the headers
//! before each member. Where the two say different things, nothing is read.
//!
//! Written out here, not left to a crate: those that read by ranges give one reading of an archive and
//! not whether there is another.
//!
//! Source: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, version 6.3.10.

use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::Bytes;

use super::inflate::inflate;
use super::members::{Kind, MEMBERS_MAX, Member, Trouble};
use super::reader::Reader;
use crate::Error;

/// The end record, its longest comment, and the two records of zip64 before it: what is read first.
pub(super) const TAIL_BYTES: u64 = END as u64 + 0xffff + (LOCATOR + END_64) as u64;
/// Longest directory that is read: of [`MEMBERS_MAX`] members with long names.
const DIRECTORY_BYTES_MAX: u64 = 64 << 20;
/// Bytes of the records without what follows them.
const END: usize = 22;
const LOCATOR: usize = 20;
const END_64: usize = 56;
const ENTRY: usize = 46;
const HEADER: usize = 30;
const HEADER_BYTES: u64 = HEADER as u64;
/// Bytes that a member's header may have beyond the directory's name: times and ids of Unix, sizes of zip64.
/// A longer one costs a second read.
const EXTRA_BYTES: u64 = 64;

/// Where a member is.
#[derive(Debug)]
pub(super) struct Place {
    header_at: u64,
    /// No byte of the member lies at or after.
    end: u64,
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    data_at: OnceLock<u64>,
    /// The first bytes of a deflated member, packed.
    start: Mutex<Bytes>,
}

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Bits of the flags: encrypted, sizes after the data, directory encrypted.
const ENCRYPTED: u16 = 1;
const SIZES_FOLLOW: u16 = 1 << 3;
const MASKED: u16 = 1 << 13;

/// Whether an end record begins somewhere in `tail`.
pub(super) fn has_end(tail: &[u8]) -> bool {
    tail.windows(4).any(|mark| mark == b"PK\x05\x06")
}

/// The members, from the archive's directory.
pub(super) async fn list(reader: &Reader, size: u64) -> Result<Vec<Member<Place>>, Trouble> {
    let tail_at = size.saturating_sub(TAIL_BYTES);
    let tail = reader.read(tail_at..size).await?;
    let end = End::find(&tail, tail_at)?;
    if end.members > MEMBERS_MAX as u64 {
        return Err(Trouble::too_many());
    }
    let length = end.directory.end - end.directory.start;
    if length > DIRECTORY_BYTES_MAX {
        return Err(Trouble::unread(format!(
            "its directory has {length} bytes, more than the {DIRECTORY_BYTES_MAX} that are read"
        )));
    }
    let directory = reader.read(end.directory.clone()).await?;
    let mut members = entries(&directory, &end)?;
    mark_overlaps(&mut members);
    Ok(members)
}

/// What the end of the archive says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    members: u64,
    directory: Range<u64>,
    /// Bytes before the archive itself: of a program that unpacks it. All places count from there.
    before: u64,
}

impl End {
    fn find(tail: &[u8], tail_at: u64) -> Result<Self, Trouble> {
        let marks = tail.windows(4).enumerate();
        let mut marks = marks.filter(|(_, mark)| *mark == b"PK\x05\x06").rev();
        let not_whole = || {
            Trouble::broken("it has no directory at its end: it is not whole, or no zip archive")
        };
        // Programs believe the last one, or the one whose comment ends with the archive.
        let (last_at, _) = marks.next().ok_or_else(not_whole)?;
        let last = Self::parse(tail, last_at, tail_at);
        let reaches = |at: usize| {
            let comment = u16_at(tail, at + 20).map_or(0, usize::from);
            last.is_none() || at + END + comment > last_at
        };
        let has_other = marks
            .filter(|(at, _)| reaches(*at))
            .any(|(at, _)| matches!(Self::parse(tail, at, tail_at), Some(Ok(_))));
        if has_other {
            return Err(Trouble::unread(
                "it has several ends, and programs do not agree on which to believe",
            ));
        }
        last.unwrap_or_else(|| Err(not_whole()))
    }

    /// The end record at `at` of the tail; none where it is none.
    fn parse(tail: &[u8], at: usize, tail_at: u64) -> Option<Result<Self, Trouble>> {
        let record = tail.get(at..at + END)?;
        let comment = usize::from(u16_at(record, 20)?);
        // Whatever stands behind the comment is passed over, as most programs do.
        tail.get(at..at + END + comment)?;
        let mut disks = (u16_at(record, 4)?.into(), u16_at(record, 6)?.into());
        let mut counts = (u16_at(record, 8)?.into(), u16_at(record, 10)?.into());
        let mut length = u64::from(u32_at(record, 12)?);
        let mut start = u64::from(u32_at(record, 16)?);
        let mut end = tail_at + at as u64;
        if let Some((record, place)) = end_64(tail, at, tail_at) {
            let differs = |short: u64, long: u64, most: u64| short != most && short != long;
            let long = [
                u64_at(record, 24)?,
                u64_at(record, 32)?,
                u64_at(record, 40)?,
                u64_at(record, 48)?,
            ];
            if differs(counts.0, long[0], 0xffff)
                || differs(counts.1, long[1], 0xffff)
                || differs(length, long[2], 0xffff_ffff)
                || differs(start, long[3], 0xffff_ffff)
            {
                return Some(Err(Trouble::unread(
                    "its two end records say different things, and programs do not agree on which to believe",
                )));
            }
            disks = (u32_at(record, 16)?, u32_at(record, 20)?);
            counts = (long[0], long[1]);
            (length, start) = (long[2], long[3]);
            end = place;
        }
        // What is no end record by accident says nothing that fits.
        let directory_at = end.checked_sub(length)?;
        let before = directory_at.checked_sub(start)?;
        if disks != (0, 0) || counts.0 != counts.1 {
            return Some(Err(Trouble::broken("it is one part of a split archive")));
        }
        let begins = directory_at
            .checked_sub(tail_at)
            .and_then(|at| usize::try_from(at).ok());
        let mark = begins.and_then(|at| tail.get(at..at + 4));
        let is_directory = counts.0 == 0 || mark.is_none_or(|mark| mark == b"PK\x01\x02");
        is_directory.then_some(Ok(Self {
            members: counts.0,
            directory: directory_at..end,
            before,
        }))
    }
}

/// The end record of zip64 that belongs to the end record at `at`, and its place in the archive.
fn end_64(tail: &[u8], at: usize, tail_at: u64) -> Option<(&[u8], u64)> {
    let locator_at = at.checked_sub(LOCATOR)?;
    let locator = tail.get(locator_at..at)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return None;
    }
    // Right before the locator, or where it says: they differ where something stands before the archive,
    // or where the record has more than the usual fields.
    let stated = u64_at(locator, 8)?.checked_sub(tail_at);
    let stated = stated.and_then(|at| usize::try_from(at).ok());
    let places = [locator_at.checked_sub(END_64), stated];
    places.into_iter().flatten().find_map(|place| {
        let record = tail.get(place..place.checked_add(END_64)?)?;
        record
            .starts_with(b"PK\x06\x06")
            .then_some((record, tail_at + place as u64))
    })
}

/// All entries of the directory.
fn entries(directory: &[u8], end: &End) -> Result<Vec<Member<Place>>, Trouble> {
    let mut members = Vec::new();
    let mut rest = directory;
    while !rest.is_empty() {
        if members.len() as u64 == end.members {
            return Err(Trouble::unread(format!(
                "its directory has more than the {} members that its end record says",
                end.members
            )));
        }
        let entry =
            Entry::parse(rest).ok_or_else(|| Trouble::broken("its directory is damaged"))?;
        rest = &rest[entry.length..];
        members.push(entry.member(end)?);
    }
    if members.len() as u64 != end.members {
        return Err(Trouble::unread(format!(
            "its directory has {} members, and its end record says {}",
            members.len(),
            end.members
        )));
    }
    Ok(members)
}

/// One entry of the directory.
struct Entry<'a> {
    length: usize,
    made_by: u16,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    name: &'a [u8],
    disk: u32,
    attributes: u32,
    header_at: u64,
}

impl<'a> Entry<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let fixed = bytes
            .get(..ENTRY)
            .filter(|entry| entry.starts_with(b"PK\x01\x02"))?;
        let lengths = [28, 30, 32].map(|at| u16_at(fixed, at).map(usize::from));
        let [Some(name), Some(extra), Some(comment)] = lengths else {
            return None;
        };
        let length = ENTRY + name + extra + comment;
        let entry = bytes.get(..length)?;
        let (mut packed, mut size) = (u32_at(fixed, 20)?.into(), u32_at(fixed, 24)?.into());
        let mut header_at = u32_at(fixed, 42)?.into();
        let mut disk = u32::from(u16_at(fixed, 34)?);
        let is_long = |value: &u64| *value == 0xffff_ffff;
        if is_long(&packed) || is_long(&size) || is_long(&header_at) || disk == 0xffff {
            let long = extra_64(&entry[ENTRY + name..ENTRY + name + extra])?;
            let mut at = 0;
            // Only the fields that do not fit the short form are there, in this order.
            for value in [&mut size, &mut packed, &mut header_at] {
                if is_long(value) {
                    *value = u64_at(long, at)?;
                    at += 8;
                }
            }
            if disk == 0xffff {
                disk = u32_at(long, at)?;
            }
        }
        Some(Self {
            length,
            made_by: u16_at(fixed, 4)?,
            flags: u16_at(fixed, 8)?,
            method: u16_at(fixed, 10)?,
            crc: u32_at(fixed, 16)?,
            packed,
            size,
            name: &entry[ENTRY..ENTRY + name],
            disk,
            attributes: u32_at(fixed, 38)?,
            header_at,
        })
    }

    fn member(&self, end: &End) -> Result<Member<Place>, Trouble> {
        let name = String::from_utf8_lossy(self.name).into_owned();
        if self.disk != 0 {
            return Err(Trouble::broken("it is one part of a split archive"));
        }
        if self.flags & MASKED != 0 {
            return Err(Trouble::broken("its directory is encrypted"));
        }
        let header_at = end.before.checked_add(self.header_at);
        let data_end = header_at.and_then(|at| {
            at.checked_add(HEADER_BYTES + self.name.len() as u64)?
                .checked_add(self.packed)
        });
        let (Some(header_at), Some(true)) = (
            header_at,
            data_end.map(|data_end| data_end <= end.directory.start),
        ) else {
            return Err(Trouble::broken(format!(
                "`{name}` would end behind the end of the archive's data: it is not whole"
            )));
        };
        Ok(Member {
            kind: self.kind(),
            name,
            size: self.size,
            overlaps: false,
            place: Place {
                header_at,
                end: end.directory.start,
                name: self.name.to_vec(),
                flags: self.flags,
                method: self.method,
                crc: self.crc,
                packed: self.packed,
                size: self.size,
                data_at: OnceLock::new(),
                start: Mutex::default(),
            },
        })
    }

    fn kind(&self) -> Kind {
        // Made on Unix or macOS: the upper half of the attributes is the mode.
        let is_unix = matches!(self.made_by >> 8, 3 | 19);
        match (self.attributes >> 16) & 0o170_000 {
            _ if self.name.ends_with(b"/") => Kind::Folder,
            0o120_000 if is_unix => Kind::Symlink(None),
            0o010_000 if is_unix => Kind::Other("a named pipe"),
            0o140_000 if is_unix => Kind::Other("a socket"),
            0o020_000 if is_unix => Kind::Other("a character device"),
            0o060_000 if is_unix => Kind::Other("a block device"),
            _ if self.flags & ENCRYPTED != 0 => Kind::Encrypted,
            _ => match self.method {
                STORED if self.packed != self.size => {
                    Kind::Unreadable("it is stored as it is, and its two sizes differ".into())
                }
                STORED | DEFLATED => Kind::File,
                other => Kind::Unreadable(format!(
                    "it is compressed by method {other}, which is not read: pack it with `zip`, which deflates"
                )),
            },
        }
    }
}

/// The zip64 field among the extra fields of an entry.
fn extra_64(mut extra: &[u8]) -> Option<&[u8]> {
    loop {
        let (id, length) = (u16_at(extra, 0)?, usize::from(u16_at(extra, 2)?));
        let field = extra.get(4..4 + length)?;
        if id == 1 {
            return Some(field);
        }
        extra = &extra[4 + length..];
    }
}

/// Members whose bytes begin before those of another end: the same bytes unpacked many times over.
/// Source: <https://www.bamsoftware.com/hacks/zipbomb/>
fn mark_overlaps(members: &mut [Member<Place>]) {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_unstable_by_key(|&at| members[at].place.header_at);
    let mut taken = 0;
    for at in order {
        let member = &mut members[at];
        let place = &member.place;
        member.overlaps = place.header_at < taken;
        taken = taken.max(place.header_at + HEADER_BYTES + place.name.len() as u64 + place.packed);
    }
}

/// Most symbolic links whose targets are read, and most bytes of one: `PATH_MAX` of Linux.
const LINKS_MAX: usize = 64;
const TARGET_BYTES_MAX: u64 = 4096;

/// Reads where the symbolic links lead: a zip keeps that as the data of the member.
pub(super) async fn follow(reader: &Reader, members: &mut [Member<Place>]) -> Result<(), Trouble> {
    let links = members
        .iter_mut()
        .filter(|member| member.kind == Kind::Symlink(None));
    for (at, link) in links.enumerate() {
        if at == LINKS_MAX || link.size > TARGET_BYTES_MAX {
            return Err(Trouble::unread(format!(
                "where its symbolic links lead is not read: there are more than {LINKS_MAX}, or one is longer than {TARGET_BYTES_MAX} bytes"
            )));
        }
        let target = link.place.read(reader, &link.name, 0..link.size).await?;
        link.kind = Kind::Symlink(Some(String::from_utf8_lossy(&target).into_owned()));
    }
    Ok(())
}

impl Place {
    /// The bytes of `range`, which lies within the member.
    pub(super) async fn read(
        &self,
        reader: &Reader,
        path: &str,
        range: Range<u64>,
    ) -> Result<Bytes, Error> {
        let failed = |reason: String| Error::Unavailable {
            path: path.into(),
            reason,
        };
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let wanted = if self.method == STORED {
            range.clone()
        } else {
            0..guess(range.end).min(self.packed)
        };
        let data_at = self.data_at(reader, &wanted).await?.map_err(failed)?;
        let bytes = if self.method == STORED {
            reader
                .read(data_at + range.start..data_at + range.end)
                .await?
        } else {
            self.inflated(reader, data_at, &range)
                .await?
                .map_err(failed)?
        };
        if range == (0..self.size) {
            let mut sum = flate2::Crc::new();
            sum.update(&bytes);
            if sum.sum() != self.crc {
                return Err(failed(
                    "its checksum is wrong: the archive is damaged".into(),
                ));
            }
        }
        Ok(bytes)
    }

    /// Where the data begins, from the header before it, which is held against the directory. Of a remote
    /// archive, `wanted` of the data is read with it.
    async fn data_at(
        &self,
        reader: &Reader,
        wanted: &Range<u64>,
    ) -> Result<Result<u64, String>, Error> {
        if let Some(at) = self.data_at.get() {
            return Ok(Ok(*at));
        }
        let fixed = HEADER_BYTES + self.name.len() as u64;
        let ahead = if reader.is_remote() && wanted.start == 0 {
            EXTRA_BYTES + wanted.end
        } else {
            0
        };
        let end = (self.header_at + fixed).saturating_add(ahead).min(self.end);
        let start = reader.read(self.header_at..end).await?;
        let at = match self.check_header(&start) {
            Ok(length) => self.header_at + length,
            Err(why) => return Ok(Err(why)),
        };
        if at.checked_add(self.packed).is_none_or(|end| end > self.end) {
            return Ok(Err(
                "its data would end behind the end of the archive's".into()
            ));
        }
        let read = usize::try_from(at - self.header_at).ok();
        if let Some(data) = read.filter(|read| *read < start.len()) {
            reader.keep(at, start.slice(data..));
        }
        Ok(Ok(*self.data_at.get_or_init(|| at)))
    }

    /// The length of the header, where it says what the directory says.
    fn check_header(&self, start: &[u8]) -> Result<u64, String> {
        let fields = || {
            let header = start
                .get(..HEADER)
                .filter(|header| header.starts_with(b"PK\x03\x04"))?;
            let name = usize::from(u16_at(header, 26)?);
            let extra = u16_at(header, 28)?;
            let same_name = start.get(HEADER..HEADER + name)? == self.name;
            let flags = u16_at(header, 6)?;
            let same_form =
                u16_at(header, 8)? == self.method && (flags ^ self.flags) & ENCRYPTED == 0;
            // A size of zip64 stands elsewhere; one that follows the data may be anything here.
            let same = |at, value: u64| {
                u32_at(header, at)
                    .is_some_and(|here| here == 0xffff_ffff || u64::from(here) == value)
            };
            let same_sizes = flags & SIZES_FOLLOW != 0
                || (u32_at(header, 14)? == self.crc
                    && same(18, self.packed)
                    && same(22, self.size));
            let length = (HEADER + name) as u64 + u64::from(extra);
            Some((length, same_name && same_form && same_sizes))
        };
        match fields() {
            Some((length, true)) => Ok(length),
            Some((_, false)) => Err(
                "the archive's directory and the header of the member say different things".into(),
            ),
            None => Err("there is no member where the archive's directory says".into()),
        }
    }

    /// The bytes of `range` of a deflated member.
    async fn inflated(
        &self,
        reader: &Reader,
        data_at: u64,
        range: &Range<u64>,
    ) -> Result<Result<Bytes, String>, Error> {
        let is_to_end = range.end == self.size;
        let Ok(wanted) = usize::try_from(range.end) else {
            return Ok(Err("it is too long to be inflated".into()));
        };
        let mut packed = guess(range.end).min(self.packed);
        loop {
            let bytes = reader.read(data_at..data_at + packed).await?;
            // The next range of the same member begins with the same bytes.
            if reader.is_remote() {
                self.keep(reader, data_at, &bytes);
            }
            let Some(inflated) = inflate(&bytes, wanted, is_to_end) else {
                return Ok(Err("it cannot be inflated: the archive is damaged".into()));
            };
            if inflated.is_longer {
                return Ok(Err("it inflates to more bytes than the archive says".into()));
            }
            if inflated.bytes.len() == wanted
                && (inflated.is_ended || !is_to_end || packed == self.packed)
            {
                let start = usize::try_from(range.start).unwrap_or(wanted);
                return Ok(Ok(Bytes::from(inflated.bytes).slice(start..)));
            }
            if inflated.is_ended || packed == self.packed {
                return Ok(Err(
                    "it inflates to fewer bytes than the archive says".into()
                ));
            }
            packed = packed.saturating_mul(2).min(self.packed);
        }
    }

    fn keep(&self, reader: &Reader, data_at: u64, bytes: &Bytes) {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() > start.len() {
            *start = bytes.clone();
            reader.keep(data_at, bytes.clone());
        }
    }
}

/// Packed bytes that surely hold so many: deflate makes data that it cannot compress a little longer.
fn guess(unpacked: u64) -> u64 {
    unpacked.saturating_add(unpacked / 1000).saturating_add(64)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes with the marks of records among them.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let mark = |mark: &'static [u8]| Just(mark.to_vec());
        let piece = prop_oneof![
            mark(b"PK\x05\x06"),
            mark(b"PK\x06\x06"),
            mark(b"PK\x06\x07"),
            mark(b"PK\x01\x02"),
            proptest::collection::vec(prop_oneof![Just(0_u8), Just(0xff), any::<u8>()], 0..24),
            (0_usize..60).prop_map(|zeros| vec![0; zeros]),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_end_is_an_error_or_lies_in_the_archive(tail in pieces(), tail_at in 0_u64..1 << 50) {
            if let Ok(end) = End::find(&tail, tail_at) {
                prop_assert!(end.directory.start <= end.directory.end);
                prop_assert!(end.directory.end <= tail_at + tail.len() as u64);
                prop_assert!(end.before <= end.directory.start);
            }
        }

        #[test]
        fn any_directory_is_an_error_or_has_its_members(rest in pieces(), members in 0_u64..3, start: u32, before: u64) {
            let directory = [b"PK\x01\x02".as_slice(), &rest].concat();
            let start = u64::from(start);
            let end = End { members, directory: start..start + directory.len() as u64, before };
            if let Ok(mut found) = entries(&directory, &end) {
                prop_assert_eq!(found.len() as u64, members);
                mark_overlaps(&mut found);
                prop_assert!(found.iter().all(|member| member.place.header_at < start));
            }
        }
    }
}
