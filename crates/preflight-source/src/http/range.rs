//! What answers to ranged requests say of the range and the file.

use std::ops::Range;

use reqwest::header::ETAG;

use super::client::Head;

/// Range and size of `bytes 0-9/100`.
pub(crate) fn content_range(value: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.trim().split_once('-')?;
    let range = first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?;
    let size = size.trim().parse().ok()?;
    (range.start < range.end && range.end <= size).then_some((range, size))
}

/// The `ETag` of the answer itself, weak or strong: at the last place the bytes come from.
pub(crate) fn validator(head: &Head) -> Option<String> {
    head.last(ETAG.as_str()).map(|etag| bare(etag).to_owned())
}

pub(crate) fn bare(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/").trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(content_range("bytes 0-9/100"), Some((0..10, 100)));
        assert_eq!(content_range("bytes 99-99/100"), Some((99..100, 100)));
        for wrong in [
            "",
            "bytes 0-9/*",
            "bytes */100",
            "bytes 9-0/100",
            "bytes 0-100/100",
            "bytes 0-18446744073709551615/18446744073709551615",
            "items 0-9/100",
            "bytes -9/100",
            "bytes 0-9",
        ] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn validators_are_compared_without_their_dress() {
        assert_eq!(bare("W/\"abc\""), "abc");
        assert_eq!(bare("\"abc\""), "abc");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_range_inside_the_file_or_none(text in "(bytes )?[0-9*/ -]{0,24}") {
            if let Some((range, size)) = content_range(&text) {
                proptest::prop_assert!(range.start < range.end && range.end <= size);
            }
        }

        #[test]
        fn a_range_is_read_as_it_was_written(start in 0_u64..u64::MAX / 4, length in 1_u64..u64::MAX / 4, more in 0_u64..u64::MAX / 4) {
            let (end, size) = (start + length, start + length + more);
            let text = format!("bytes {start}-{}/{size}", end - 1);
            proptest::prop_assert_eq!(content_range(&text), Some((start..end, size)));
        }
    }
}
