//! Until when a presigned URL can be used, from its own parameters. Nothing is asked of anybody, and no
//! parameter is shown.

use preflight_model::container::Validity;
use reqwest::Url;

/// Names, before `-Date` and `-Expires`, of the parameters that sign with a date and a number of seconds.
/// Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>,
/// <https://cloud.google.com/storage/docs/authentication/signatures>,
/// <https://help.aliyun.com/en/oss/developer-reference/add-signatures-to-urls>.
const DATED: [&str; 3] = ["x-amz", "x-goog", "x-oss"];
/// Most seconds that a signature of AWS or Google may be good for; a longer one is refused.
/// Sources: the pages above.
const SECONDS_MAX: u32 = 604_800;
/// Names of parameters that choose what is sent, and sign nothing. Anything else may be a signature: each
/// server and delivery network has its own (`md5` and `expires`, `hdnts`, `jwt`, `Authorization`).
const HARMLESS: [&str; 16] = [
    "alt",
    "dl",
    "download",
    "export",
    "file",
    "filename",
    "generation",
    "raw",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "versionid",
    "x-id",
];

/// What the address says.
pub(super) fn of(url: &Url) -> Validity {
    let parameters: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
        .collect();
    let get = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let unclear = |why: &str| Validity::Unclear(why.into());
    let is_temporary = is_temporary(&get);
    let until = |ends_at: Option<i64>, what: &str| match ends_at {
        Some(ends_at) => Validity::Until {
            ends_at,
            is_temporary,
        },
        None => unclear(what),
    };
    for prefix in DATED {
        let named = |end: &str| get(&format!("{prefix}-{end}"));
        let (date, expires) = (named("date"), named("expires"));
        if named("signature").is_some() || (date.is_some() && expires.is_some()) {
            let seconds = expires.and_then(|seconds| seconds.parse::<u32>().ok());
            if prefix != "x-oss" && seconds.is_some_and(|seconds| seconds > SECONDS_MAX) {
                return unclear("its signature is for more than seven days, which is refused");
            }
            let starts = date.and_then(compact_time);
            let ends_at = starts
                .zip(seconds)
                .map(|(start, seconds)| start + i64::from(seconds));
            return until(
                ends_at,
                "its signature does not say from when on and how long it is good",
            );
        }
    }
    // Azure: a service or a user delegation signature, whose key may end before.
    // Source: <https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas>
    if get("sig").is_some() && (get("se").is_some() || get("sv").is_some()) {
        let end = get("se").and_then(iso_time);
        let key_end = get("ske").and_then(iso_time);
        return until(
            end.map(|end| key_end.map_or(end, |key_end| end.min(key_end))),
            "its signature does not say until when it is good",
        );
    }
    // Version 2 of AWS, Google's old form, CloudFront: seconds since 1970.
    // Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html>,
    // <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html>
    if get("signature").is_some() && get("expires").is_some() {
        let ends_at = get("expires").and_then(|seconds| seconds.parse().ok());
        return until(ends_at, "its signature does not say until when it is good");
    }
    let is_harmless = |(name, _): &(String, String)| HARMLESS.contains(&name.as_str());
    if !parameters.iter().all(is_harmless) {
        return unclear("it may be signed, in a way that does not say until when");
    }
    Validity::Unsigned
}

/// Whether temporary credentials of AWS signed it: they bring a session token, and their key begins `ASIA`.
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
fn is_temporary<'a>(get: &impl Fn(&str) -> Option<&'a str>) -> bool {
    let key = |name: &str| get(name).is_some_and(|key| key.starts_with("ASIA"));
    get("x-amz-security-token").is_some()
        || get("x-oss-security-token").is_some()
        || key("x-amz-credential")
        || key("awsaccesskeyid")
}

/// Seconds since 1970 of `20251108T101112Z`.
fn compact_time(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    if date.len() != 8 || time.len() != 6 {
        return None;
    }
    let number = |text: &str, from: usize, to: usize| digits(text.get(from..to)?);
    seconds(
        [
            number(date, 0, 4)?,
            number(date, 4, 6)?,
            number(date, 6, 8)?,
        ],
        [
            number(time, 0, 2)?,
            number(time, 2, 4)?,
            number(time, 4, 6)?,
        ],
    )
}

/// Seconds since 1970 of `2025-11-08T10:11:12Z`, with or without seconds or time.
fn iso_time(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00"),
    };
    let mut date = date.split('-').map(digits);
    let mut time = time.split(':').map(digits);
    let days = [date.next()??, date.next()??, date.next()??];
    let clock = [
        time.next()??,
        time.next()??,
        time.next().unwrap_or(Some(0))?,
    ];
    (date.next().is_none() && time.next().is_none()).then(|| seconds(days, clock))?
}

fn digits(text: &str) -> Option<i64> {
    let is_number =
        !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Seconds since 1970-01-01 of a date of the Gregorian calendar in UTC.
/// Source: <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>
fn seconds([year, month, day]: [i64; 3], [hour, minute, second]: [i64; 3]) -> Option<i64> {
    let is_time = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !is_time {
        return None;
    }
    // Years begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validity(query: &str) -> Validity {
        of(&Url::parse(&format!("https://b.s3.amazonaws.com/m.zip?{query}")).unwrap())
    }

    fn until(ends_at: i64, is_temporary: bool) -> Validity {
        Validity::Until {
            ends_at,
            is_temporary,
        }
    }

    #[test]
    fn times() {
        // `date -u -d … +%s`
        assert_eq!(compact_time("20251108T101112Z"), Some(1_762_596_672));
        assert_eq!(compact_time("19700101T000000Z"), Some(0));
        assert_eq!(compact_time("20240229T235959Z"), Some(1_709_251_199));
        assert_eq!(iso_time("2025-11-08T10:11:12Z"), Some(1_762_596_672));
        assert_eq!(iso_time("2025-11-08T10:11Z"), Some(1_762_596_660));
        assert_eq!(iso_time("2025-11-08"), Some(1_762_560_000));
        for wrong in [
            "",
            "20251108",
            "20251308T101112Z",
            "20251108T101112",
            "2025é108T101112Z",
            "20251108T+01112Z",
        ] {
            assert_eq!(compact_time(wrong), None, "{wrong}");
        }
        for wrong in [
            "2025-11-08T10:11:12",
            "2025-11-08T10Z",
            "-1-11-08",
            "2025-11-08-01",
        ] {
            assert_eq!(iso_time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_kind_of_signature() {
        let v4 = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAX%2F20251108%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20251108T101112Z&X-Amz-Expires=7200&X-Amz-SignedHeaders=host&X-Amz-Signature=ab";
        assert_eq!(validity(v4), until(1_762_603_872, false));
        assert_eq!(
            validity(&v4.replace("AKIA", "ASIA")),
            until(1_762_603_872, true)
        );
        assert_eq!(
            validity(&format!("{v4}&X-Amz-Security-Token=x")),
            until(1_762_603_872, true)
        );
        let google = v4
            .replace("X-Amz", "X-Goog")
            .replace("AWS4-HMAC", "GOOG4-RSA");
        assert_eq!(validity(&google), until(1_762_603_872, false));
        assert_eq!(
            validity("AWSAccessKeyId=AKIAX&Signature=a%2Fb&Expires=1762603872"),
            until(1_762_603_872, false)
        );
        assert_eq!(
            validity("AWSAccessKeyId=ASIAX&Signature=a&Expires=1762603872&x-amz-security-token=t"),
            until(1_762_603_872, true)
        );
        assert_eq!(
            validity("GoogleAccessId=a@b&Expires=1762603872&Signature=x"),
            until(1_762_603_872, false)
        );
        assert_eq!(
            validity("Expires=1762603872&Signature=x&Key-Pair-Id=K"),
            until(1_762_603_872, false)
        );
        assert_eq!(
            validity("sv=2022-11-02&se=2025-11-08T10%3A11%3A12Z&sr=b&sp=r&sig=x"),
            until(1_762_596_672, false)
        );
        assert_eq!(
            validity("sv=1&se=2025-11-08T10%3A11%3A12Z&ske=2025-11-08T10%3A11%3A00Z&sig=x"),
            until(1_762_596_660, false)
        );
    }

    #[test]
    fn what_is_not_signed_does_not_end() {
        for query in [
            "",
            "download=true",
            "versionId=abc&response-content-type=x",
            "alt=media&generation=1",
        ] {
            assert_eq!(validity(query), Validity::Unsigned, "{query}");
        }
    }

    #[test]
    fn what_does_not_say_is_unclear() {
        for query in [
            "X-Amz-Signature=ab",
            "X-Amz-Date=soon&X-Amz-Expires=7200&X-Amz-Signature=ab",
            "X-Amz-Date=20251108T101112Z&X-Amz-Expires=-1&X-Amz-Signature=ab",
            "X-Amz-Date=20251108T101112Z&X-Amz-Expires=604801&X-Amz-Signature=ab",
            "md5=abc&expires=1762603872",
            "hdnts=exp=1762603872~acl=/*~hmac=ab",
            "Authorization=3_2025",
            "jwt=e30",
            "st=abc&e=1762603872",
            "Expires=never&Signature=x",
            "Policy=e30_&Signature=x&Key-Pair-Id=K",
            "sv=1&sig=x",
            "token=abc",
            "access_token=abc",
        ] {
            assert!(matches!(validity(query), Validity::Unclear(_)), "{query}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_query_says_something(
            text in ".{0,40}",
            name in proptest::sample::select(vec!["X-Amz-", "X-Goog-", "x-oss-", ""]),
            date in "[0-9TZ:-]{0,18}",
            seconds in "[0-9-]{0,20}",
        ) {
            validity(&text);
            validity(&format!("{name}Date={date}&{name}Expires={seconds}&{name}Signature=x"));
            validity(&format!("se={date}&sig=x&Expires={seconds}&Signature=x"));
        }

        #[test]
        fn the_end_is_date_and_seconds_together(seconds in 0_i64..=604_800) {
            let query = format!("X-Amz-Date=20251108T101112Z&X-Amz-Expires={seconds}&X-Amz-Signature=x");
            proptest::prop_assert_eq!(validity(&query), until(1_762_596_672 + seconds, false));
        }
    }
}
