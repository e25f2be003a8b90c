//! What stands in the place of a file that a download or a checkout did not bring.

/// First line of a git-lfs pointer without the version's number, which has been 1 since 2013.
/// Source: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// How web pages and XML (the errors of object stores) start, in lower case.
const PAGES: [&[u8]; 3] = [b"<!doctype", b"<html", b"<?xml"];
/// How compressed files start: gzip, zip, zstd.
const COMPRESSED: [&[u8]; 3] = [b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd"];

/// What the first bytes of a file show in its place, where they do.
pub(crate) fn instead(start: &[u8]) -> Option<&'static str> {
    let text = start.trim_ascii_start();
    let begins = |begin: &&[u8]| {
        text.get(..begin.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(begin))
    };
    if text.starts_with(POINTER) {
        Some("a git-lfs pointer: fetch the file with `git lfs pull`")
    } else if PAGES.iter().any(begins) {
        Some("a web page or XML")
    } else if COMPRESSED.iter().any(|begin| start.starts_with(begin)) {
        Some("a compressed file")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_downloads_leave_behind() {
        for (start, says) in [
            (
                &b"version https://git-lfs.github.com/spec/v1\noid"[..],
                "git lfs pull",
            ),
            (b"\n<!DOCTYPE html><html>", "a web page"),
            (b"<Html lang=en>", "a web page"),
            (
                b"<?xml version=\"1.0\"?><Error><Code>AccessDenied",
                "a web page or XML",
            ),
            (b"\x1f\x8b\x08", "a compressed file"),
            (b"PK\x03\x04\x14", "a compressed file"),
        ] {
            assert!(
                instead(start).is_some_and(|what| what.contains(says)),
                "{says}"
            );
        }
        // A vocabulary may start with a token in angle brackets, a sentencepiece model with a line break.
        for start in [
            &b""[..],
            b"<unk>\n<s>\n",
            b"<h",
            b"{\"version\": 1}",
            b"\n\x0e\n\x05<unk>",
            b"version 1",
        ] {
            assert_eq!(instead(start), None);
        }
    }
}
