//! Archives byte by byte, so that each can be wrong in exactly one way.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

/// A member of a zip archive, with all that its two headers say.
#[derive(Debug, Clone)]
pub(crate) struct Zipped {
    pub(crate) name: Vec<u8>,
    /// Name in the header before the data, where it is another.
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) crc: u32,
    /// Size that both headers say.
    pub(crate) size: u64,
    pub(crate) packed: Vec<u8>,
    /// Unix mode.
    pub(crate) mode: u32,
    /// Whether its sizes and place stand in zip64 fields.
    pub(crate) is_long: bool,
    /// Place that the directory says, where it is another.
    pub(crate) header_at: Option<u64>,
}

impl Zipped {
    pub(crate) fn stored(name: &str, bytes: &[u8]) -> Self {
        let mut sum = flate2::Crc::new();
        sum.update(bytes);
        Self {
            name: name.into(),
            local_name: None,
            method: 0,
            flags: 1 << 11,
            crc: sum.sum(),
            size: bytes.len() as u64,
            packed: bytes.into(),
            mode: 0o100_644,
            is_long: false,
            header_at: None,
        }
    }

    pub(crate) fn deflated(name: &str, bytes: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        Self {
            method: 8,
            packed: encoder.finish().unwrap(),
            ..Self::stored(name, bytes)
        }
    }

    pub(crate) fn long(self) -> Self {
        Self {
            is_long: true,
            ..self
        }
    }

    fn header(&self) -> Vec<u8> {
        let name = self.local_name.as_ref().unwrap_or(&self.name);
        let extra = if self.is_long { 20 } else { 0 };
        let mut out = b"PK\x03\x04".to_vec();
        push16(&mut out, &[45, self.flags, self.method, 0, 0]);
        push32(&mut out, self.crc);
        self.push_sizes(&mut out);
        push16(&mut out, &[short(name.len()), extra]);
        out.extend(name);
        if self.is_long {
            push16(&mut out, &[1, 16]);
            push64(&mut out, &[self.size, self.packed.len() as u64]);
        }
        out
    }

    fn push_sizes(&self, out: &mut Vec<u8>) {
        let fit = |value: u64| {
            if self.is_long {
                u32::MAX
            } else {
                u32::try_from(value).unwrap()
            }
        };
        push32(out, fit(self.packed.len() as u64));
        push32(out, fit(self.size));
    }

    fn entry(&self, at: u64) -> Vec<u8> {
        let at = self.header_at.unwrap_or(at);
        let extra = if self.is_long { 28 } else { 0 };
        let mut out = b"PK\x01\x02".to_vec();
        push16(
            &mut out,
            &[0x0300 | 0x2d, 0x2d, self.flags, self.method, 0, 0],
        );
        push32(&mut out, self.crc);
        self.push_sizes(&mut out);
        push16(&mut out, &[short(self.name.len()), extra, 0, 0, 0]);
        push32(&mut out, self.mode << 16);
        let place = if self.is_long {
            u32::MAX
        } else {
            u32::try_from(at).unwrap()
        };
        push32(&mut out, place);
        out.extend(&self.name);
        if self.is_long {
            push16(&mut out, &[1, 24]);
            push64(&mut out, &[self.size, self.packed.len() as u64, at]);
        }
        out
    }
}

/// A zip archive of the members.
pub(crate) fn zip(members: &[Zipped]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        directory.extend(member.entry(out.len() as u64));
        out.extend(member.header());
        out.extend(&member.packed);
    }
    let at = out.len() as u64;
    out.extend(&directory);
    out.extend(end(members.len() as u64, directory.len() as u64, at, b""));
    out
}

/// The end record, without zip64.
pub(crate) fn end(members: u64, directory: u64, at: u64, comment: &[u8]) -> Vec<u8> {
    let mut out = b"PK\x05\x06".to_vec();
    let members = u16::try_from(members).unwrap_or(u16::MAX);
    push16(&mut out, &[0, 0, members, members]);
    push32(&mut out, u32::try_from(directory).unwrap_or(u32::MAX));
    push32(&mut out, u32::try_from(at).unwrap_or(u32::MAX));
    push16(&mut out, &[short(comment.len())]);
    out.extend(comment);
    out
}

/// The records of zip64 and the end record; `here` is where they stand.
pub(crate) fn long_end(members: u64, directory: u64, at: u64, here: u64) -> Vec<u8> {
    let mut out = b"PK\x06\x06".to_vec();
    push64(&mut out, &[44]);
    push16(&mut out, &[45, 45]);
    push32(&mut out, 0);
    push32(&mut out, 0);
    push64(&mut out, &[members, members, directory, at]);
    out.extend(b"PK\x06\x07");
    push32(&mut out, 0);
    push64(&mut out, &[here]);
    push32(&mut out, 1);
    out.extend(end(u64::MAX, u64::MAX, u64::MAX, b""));
    out
}

/// A zip64 archive of sparse stored members: pieces of bytes, and where they stand. The rest is zeros.
pub(crate) fn sparse_zip(files: &[(&str, Vec<u8>, u64)]) -> (Vec<(u64, Vec<u8>)>, u64) {
    let (mut at, mut pieces, mut directory) = (0, Vec::new(), Vec::new());
    for (name, head, size) in files {
        let mut member = Zipped::stored(name, head).long();
        member.packed = Vec::new();
        let mut header = member.header();
        let fields = header.len() - 16;
        header.truncate(fields);
        push64(&mut header, &[*size, *size]);
        let mut entry = member.entry(at);
        let fields = entry.len() - 24;
        entry.truncate(fields);
        push64(&mut entry, &[*size, *size, at]);
        // The size of the header's own record of zip64 is right already.
        let length = header.len() as u64;
        header.extend(head);
        // Without its checksum a member cannot be read whole, which nothing does with weights.
        if (head.len() as u64) < *size {
            header[14..18].fill(0);
            entry[16..20].fill(0);
        }
        pieces.push((at, header));
        directory.extend(entry);
        at += length + size;
    }
    let directory_at = at;
    let length = directory.len() as u64;
    directory.extend(long_end(
        files.len() as u64,
        length,
        directory_at,
        directory_at + length,
    ));
    let size = directory_at + directory.len() as u64;
    pieces.push((directory_at, directory));
    (pieces, size)
}

/// A block of a tar archive: the header of a member.
pub(crate) fn tar_header(name: &[u8], size: u64, kind: u8, link: &str) -> Vec<u8> {
    let mut block = vec![0; 512];
    let name = &name[..name.len().min(100)];
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(&tar_size(size));
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link.as_bytes());
    block[257..265].copy_from_slice(b"ustar\x0000");
    with_checksum(block)
}

/// Sizes of 8 GiB and more are written in binary.
fn tar_size(size: u64) -> [u8; 12] {
    let mut field = [0; 12];
    if size < 1 << 33 {
        field.copy_from_slice(format!("{size:011o}\0").as_bytes());
    } else {
        field[0] = 0x80;
        field[4..].copy_from_slice(&size.to_be_bytes());
    }
    field
}

pub(crate) fn with_checksum(mut block: Vec<u8>) -> Vec<u8> {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// A member of a tar archive, padded.
pub(crate) fn tarred(name: &str, bytes: &[u8]) -> Vec<u8> {
    tar_member(name, b'0', bytes)
}

pub(crate) fn tar_member(name: &str, kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = tar_header(name.as_bytes(), bytes.len() as u64, kind, "");
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

/// The records of pax for the member that follows.
pub(crate) fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut text = String::new();
    for (key, value) in records {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while length.to_string().len() + rest.len() != length {
            length += 1;
        }
        text.push_str(&length.to_string());
        text.push_str(&rest);
    }
    tar_member("PaxHeaders/x", b'x', text.as_bytes())
}

/// A tar archive of members.
pub(crate) fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    let mut out = members.concat();
    out.extend([0; 1024]);
    out
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap()
}

fn push16(out: &mut Vec<u8>, values: &[u16]) {
    for value in values {
        out.extend(value.to_le_bytes());
    }
}

fn push32(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_le_bytes());
}

fn push64(out: &mut Vec<u8>, values: &[u64]) {
    for value in values {
        out.extend(value.to_le_bytes());
    }
}
