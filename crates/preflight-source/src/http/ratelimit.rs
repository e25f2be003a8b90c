//! How long a server asks us to wait.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Longest wait that is believed; what is longer is as good as never.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// The wait that an answer asks for: `Retry-After` as seconds or date, or the Hub's own
/// `RateLimit: "resolvers";r=0;t=172`, which counts the seconds to the end of the window.
///
/// Source: <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>,
/// <https://huggingface.co/docs/hub/rate-limits>
pub(crate) fn wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let asked = text(RETRY_AFTER.as_str()).and_then(|value| retry_after(value, now));
    let window = text("ratelimit").and_then(rate_limit);
    Some(asked.max(window)?.min(WAIT_MAX))
}

fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Of the limits that are used up, the longest to wait for, and a second for a clock that differs.
fn rate_limit(value: &str) -> Option<Duration> {
    let limits = value.split(',').filter_map(|limit| {
        let parameter = |name: &str| {
            let mut parameters = limit.split(';').map(str::trim);
            let value = parameters.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?;
            value.trim().parse::<u64>().ok()
        };
        (parameter("r")? == 0).then(|| parameter("t"))?
    });
    Some(Duration::from_secs(limits.max()?.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(headers: &[(&'static str, &str)]) -> Option<u64> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        wait(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn all_forms_are_understood() {
        assert_eq!(waits(&[("retry-after", "7")]), Some(7));
        assert_eq!(
            waits(&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")]),
            Some(60)
        );
        assert_eq!(
            waits(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]),
            Some(0)
        );
        assert_eq!(
            waits(&[("ratelimit", "\"resolvers\";r=0;t=172")]),
            Some(173)
        );
        assert_eq!(
            waits(&[("ratelimit", "\"api\";r=3;t=9, \"pages\";r=0;t=4")]),
            Some(5)
        );
        assert_eq!(
            waits(&[("ratelimit", "\"api\"; r=0; t=3"), ("retry-after", "9")]),
            Some(9)
        );
    }

    #[test]
    fn what_says_nothing_asks_for_no_wait() {
        assert_eq!(waits(&[]), None);
        assert_eq!(waits(&[("retry-after", "soon")]), None);
        assert_eq!(waits(&[("retry-after", "-1")]), None);
        assert_eq!(waits(&[("ratelimit", "\"resolvers\";r=2998;t=172")]), None);
        assert_eq!(waits(&[("ratelimit", "\"resolvers\";r=0")]), None);
        assert_eq!(waits(&[("retry-after", "99999999999")]), Some(24 * 3600));
        assert_eq!(
            waits(&[("ratelimit", "x;r=0;t=18446744073709551615")]),
            Some(24 * 3600)
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_asks_for_a_bounded_wait(text in "[ -~]{0,30}", edited in "\"[a-z]{0,4}\"[;,=rt0-9 ]{0,24}") {
            for value in [&text, &edited] {
                for name in ["retry-after", "ratelimit"] {
                    proptest::prop_assert!(waits(&[(name, value)]).is_none_or(|seconds| seconds <= 24 * 3600));
                }
            }
        }

        #[test]
        fn a_wait_is_read_as_it_was_written(seconds in 0_u64..86_399) {
            let window = format!("\"api\";r=0;t={seconds}");
            proptest::prop_assert_eq!(waits(&[("retry-after", &seconds.to_string())]), Some(seconds));
            proptest::prop_assert_eq!(waits(&[("ratelimit", &window)]), Some(seconds + 1));
        }
    }
}
