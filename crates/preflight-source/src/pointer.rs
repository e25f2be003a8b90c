//! git-lfs pointers: small text files that stand in the place of a file that was not fetched.
//!
//! Format: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>

use preflight_model::wanted;

/// A pointer is shorter than this.
/// Source: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>
pub(crate) const POINTER_BYTES_MAX: u64 = 1024;
const VERSION: &str = "version https://git-lfs.github.com/spec/v1";

/// What a pointer points to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    /// Bytes of the file.
    pub(crate) size: u64,
    /// Its SHA-256, lower-case hexadecimal.
    pub(crate) sha256: String,
}

/// Whether a file of this path and size has to be looked into: what a check reads, and what it
/// judges by size.
pub(crate) fn could_be_pointer(path: &str, size: u64) -> bool {
    let is_judged_by_size = !path.contains('/')
        && ([".safetensors", ".bin", ".gguf"]
            .iter()
            .any(|end| path.ends_with(end))
            || path.starts_with("tokenizer."));
    size < POINTER_BYTES_MAX
        && size > VERSION.len() as u64
        && (is_judged_by_size || wanted::is_wanted(path))
}

/// Reads a whole file as a pointer.
pub(crate) fn parse(text: &[u8]) -> Option<Pointer> {
    let mut lines = std::str::from_utf8(text).ok()?.lines();
    if lines.next()? != VERSION {
        return None;
    }
    let (mut sha256, mut size) = (None, None);
    for line in lines {
        match line.split_once(' ')? {
            ("oid", oid) => {
                sha256 = Some(oid.strip_prefix("sha256:").filter(|hex| is_sha256(hex))?);
            }
            ("size", digits) => size = Some(digits.parse().ok()?),
            _ => {}
        }
    }
    Some(Pointer {
        size: size?,
        sha256: sha256?.to_ascii_lowercase(),
    })
}

/// Whether this is a SHA-256 in hexadecimal.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

    fn read(text: &str) -> Option<Pointer> {
        parse(text.as_bytes())
    }

    #[test]
    fn pointers_with_and_without_extensions() {
        let expected = Pointer {
            size: 12345,
            sha256: OID.into(),
        };
        assert_eq!(
            read(&format!("{VERSION}\noid sha256:{OID}\nsize 12345\n")).as_ref(),
            Some(&expected)
        );
        let extended = format!("{VERSION}\next-0-foo sha256:{OID}\noid sha256:{OID}\nsize 12345\n");
        assert_eq!(read(&extended).as_ref(), Some(&expected));
    }

    #[test]
    fn what_only_looks_like_a_pointer() {
        for text in [
            String::new(),
            format!("{VERSION}\n"),
            format!("{VERSION}\noid sha256:{OID}\n"),
            format!("{VERSION}\noid sha256:{OID}\nsize -1\n"),
            format!("{VERSION}\noid sha256:{OID}\nsize 99999999999999999999\n"),
            format!("{VERSION}\noid md5:{OID}\nsize 1\n"),
            format!("{VERSION}\noid sha256:{}\nsize 1\n", &OID[1..]),
            format!("# note\n{VERSION}\noid sha256:{OID}\nsize 1\n"),
        ] {
            assert_eq!(read(&text), None, "{text:?}");
        }
        assert_eq!(parse(b"version \xff"), None);
    }

    #[test]
    fn only_small_files_that_matter_are_looked_into() {
        assert!(could_be_pointer("model.safetensors", 134));
        assert!(could_be_pointer("pytorch_model.bin", 134));
        assert!(could_be_pointer("tokenizer.json", 134));
        assert!(could_be_pointer("config.json", 134));
        assert!(!could_be_pointer("model.safetensors", 1024));
        assert!(!could_be_pointer("README.md", 134));
        assert!(!could_be_pointer("sub/model.safetensors", 134));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_pointer_or_not(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), tail in ".{0,60}") {
            parse(&bytes);
            parse(format!("{VERSION}\n{tail}").as_bytes());
        }

        #[test]
        fn a_pointer_is_read_as_it_was_written(size: u64, sha256 in "[0-9a-f]{64}") {
            let text = format!("{VERSION}\noid sha256:{sha256}\nsize {size}\n");
            proptest::prop_assert_eq!(read(&text), Some(Pointer { size, sha256 }));
        }
    }
}
