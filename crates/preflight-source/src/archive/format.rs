//! What a run of bytes is, by its first bytes.

use preflight_model::container::ArchiveFormat;

use super::tar;

/// Bytes that tell: a tar header.
pub(super) const NEEDED: u64 = tar::BLOCK;

/// The format of what begins with `start`. A zip archive may have anything before it, so `Other` can
/// still be one.
///
/// Source of the marks: <https://www.iana.org/assignments/media-types/application/zip>,
/// RFC 1952, RFC 8878, <https://tukaani.org/xz/xz-file-format.txt>,
/// <https://github.com/file/file/blob/master/magic/Magdir/compress>.
pub(super) fn of_start(start: &[u8]) -> ArchiveFormat {
    let marks: [(&[u8], ArchiveFormat); 8] = [
        (b"PK\x03\x04", ArchiveFormat::Zip),
        (b"PK\x05\x06", ArchiveFormat::Zip),
        (b"\x1f\x8b", ArchiveFormat::TarGz),
        (b"\x28\xb5\x2f\xfd", ArchiveFormat::TarZst),
        (b"BZh", ArchiveFormat::TarBz2),
        (b"\xfd7zXZ\0", ArchiveFormat::TarXz),
        (b"7z\xbc\xaf\x27\x1c", ArchiveFormat::SevenZip),
        (b"Rar!\x1a\x07", ArchiveFormat::Rar),
    ];
    let marked = marks.into_iter().find(|(mark, _)| start.starts_with(mark));
    match (marked, start.first_chunk()) {
        (Some((_, format)), _) => format,
        (None, Some(block)) if tar::is_header(block) => ArchiveFormat::Tar,
        _ => ArchiveFormat::Other,
    }
}

/// Whether this is the end mark of a tar archive, and so an archive of nothing if it is one at all.
pub(super) fn is_empty_tar(start: &[u8]) -> bool {
    let block: Option<&tar::Block> = start.first_chunk();
    block.is_some_and(|block| block.iter().all(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks() {
        assert_eq!(of_start(b"PK\x03\x04x"), ArchiveFormat::Zip);
        assert_eq!(of_start(b"\x1f\x8b\x08"), ArchiveFormat::TarGz);
        assert_eq!(of_start(b"\x28\xb5\x2f\xfd"), ArchiveFormat::TarZst);
        assert_eq!(of_start(b""), ArchiveFormat::Other);
        assert_eq!(of_start(&[0; 512]), ArchiveFormat::Other);
        assert_eq!(of_start(b"<!DOCTYPE html>"), ArchiveFormat::Other);
    }
}
