//! Dates as the data states them: a day, a month or a year.

/// Days after which data is called old. The platform's catalog changed by two thirds within eight
/// months (`catalogs/`).
pub const STALE_DAYS: i64 = 90;

const SECONDS_PER_DAY: i64 = 86_400;

/// The last day of the time that `text` names (`2025`, `2025-11`, `2025-11-08`, or a time on that day),
/// in days since 1970-01-01. `None` where it is no date.
pub(crate) fn last_day(text: &str) -> Option<i64> {
    span(text).map(|(_, last)| last)
}

/// The first and the last day.
fn span(text: &str) -> Option<(i64, i64)> {
    let date = text.split('T').next()?;
    let number = |part: &str, digits: usize| {
        let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse::<i64>().ok()).flatten()
    };
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4).filter(|year| *year >= 1970)?;
    let Some(month) = parts.next() else {
        return Some((days(year, 1, 1), days(year + 1, 1, 1) - 1));
    };
    let month = number(month, 2).filter(|month| (1..=12).contains(month))?;
    let after = if month == 12 {
        days(year + 1, 1, 1)
    } else {
        days(year, month + 1, 1)
    };
    let first = days(year, month, 1);
    let Some(day) = parts.next() else {
        return Some((first, after - 1));
    };
    let day = number(day, 2).filter(|day| (1..=after - first).contains(day))?;
    let day = first + day - 1;
    parts.next().is_none().then_some((day, day))
}

/// Days since 1970-01-01 of a day of the Gregorian calendar.
/// Source: `days_from_civil` of <https://howardhinnant.github.io/date_algorithms.html>
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Whole days from the end of the time that `as_of` names to `now`, in seconds since 1970; none where
/// either is not known. Negative for what is still to come.
pub fn age_days(as_of: &str, now: Option<i64>) -> Option<i64> {
    Some(now?.div_euclid(SECONDS_PER_DAY) - last_day(as_of)?)
}

/// Whether data of that date is old.
pub fn is_stale(as_of: &str, now: Option<i64>) -> Option<bool> {
    age_days(as_of, now).map(|days| days > STALE_DAYS)
}

/// What is to be said of data of that date, where it is old or of a day to come; completes `it is of DATE, `.
pub fn oddity(as_of: &str, now: Option<i64>) -> Option<String> {
    if is_stale(as_of, now) == Some(true) {
        return Some(format!(
            "more than {STALE_DAYS} days ago: `byom-preflight refresh` asks the platform for the present one"
        ));
    }
    let future = "which is still to come: that date or this machine's clock is wrong";
    (is_future(as_of, now) == Some(true)).then(|| future.into())
}

/// Whether that date is still to come, so that it or the clock is wrong. A month or a year that has
/// begun is not.
pub fn is_future(as_of: &str, now: Option<i64>) -> Option<bool> {
    let (first, _) = span(as_of)?;
    Some(first > now?.div_euclid(SECONDS_PER_DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_of_what_is_named() {
        for (text, day) in [
            ("1970-01-01", Some(0)),
            ("1970", Some(364)),
            ("2000-02", Some(11_016)),
            ("2024-02-29", Some(19_782)),
            ("2026-11-22", Some(20_779)),
            ("2026-11-22T10:00:00Z", Some(20_779)),
            ("2026-11", Some(20_787)),
            ("2026-12", Some(20_818)),
            ("2023-02-29", None),
            ("2026-13", None),
            ("2026-11-22-1", None),
            ("26-11-22", None),
            ("1969", None),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(last_day(text), day, "{text}");
        }
    }

    #[test]
    fn the_future_has_not_begun() {
        let on = |as_of: &str, day: i64| is_future(as_of, Some(day * SECONDS_PER_DAY));
        for (as_of, first) in [
            ("2026-11-22", 20_779),
            ("2026-11", 20_758),
            ("2026", 20_454),
        ] {
            assert_eq!(on(as_of, first - 1), Some(true), "{as_of}");
            assert_eq!(on(as_of, first), Some(false), "{as_of}");
        }
        assert_eq!((is_future("2026", None), on("unknown", 0)), (None, None));
    }

    #[test]
    fn old_is_more_than_ninety_days() {
        let day = |day: i64| Some(day * SECONDS_PER_DAY);
        assert_eq!(is_stale("2026-11-22", day(20_779 + 90)), Some(false));
        assert_eq!(is_stale("2026-11-22", day(20_779 + 91)), Some(true));
        assert_eq!(age_days("2026-11-22", day(20_778)), Some(-1));
        assert_eq!(is_stale("2026-11-22", None), None);
        assert_eq!(is_stale("unknown", day(0)), None);
        assert_eq!(
            age_days("2026-11-22", Some(i64::MIN)).map(i64::is_negative),
            Some(true)
        );
    }
}
