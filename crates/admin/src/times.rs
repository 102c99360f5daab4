//! Times as an operator writes and reads them.

use std::time::Duration;

use chrono::{DateTime, Local, NaiveDate, NaiveTime, TimeZone as _, Utc};
use msp_core::clock::Clock;
use msp_protocol::UnixSecond;

/// Reads `90d`, `12h`, `30m` or `45s`: a whole number above 0 and its unit, at most 100 years.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let wrong = || "a number and d, h, m or s is right: 90d, 12h, 30m, 45s; at most 36500d".to_owned();
    let (number, unit_sec) = match text.char_indices().last() {
        Some((at, 'd')) => (text.get(..at), 86_400),
        Some((at, 'h')) => (text.get(..at), 3600),
        Some((at, 'm')) => (text.get(..at), 60),
        Some((at, 's')) => (text.get(..at), 1),
        _ => return Err(wrong()),
    };
    let number = number.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number: u64 = number.and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    match number.checked_mul(unit_sec) {
        Some(seconds @ 1..=MAX_SPAN_SEC) => Ok(Duration::from_secs(seconds)),
        _ => Err(wrong()),
    }
}

/// Reads a date, which means its first moment in local time, or a moment as in RFC 3339.
pub(crate) fn moment(text: &str) -> Result<UnixSecond, String> {
    let wrong = || "a date (2027-01-31) or a moment (2027-01-31T12:00:00Z) after 1970 is right".to_owned();
    let at = match text.parse::<NaiveDate>() {
        Ok(day) => {
            Local.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest().ok_or_else(wrong)?.timestamp()
        }
        Err(_) => DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?.timestamp(),
    };
    UnixSecond::try_from(at).map_err(|_| wrong())
}

/// `2026-01-31 12:00:00` in local time.
pub(crate) fn local(at: UnixSecond) -> String {
    let moment = i64::try_from(at).ok().and_then(|at| Local.timestamp_opt(at, 0).single());
    moment.map_or_else(|| at.to_string(), |moment| moment.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// `2026-01-31 12:00:00,123` in local time, as in log lines.
pub(crate) fn local_millis(at_ms: u64) -> String {
    let moment = i64::try_from(at_ms).ok().and_then(|at| Local.timestamp_millis_opt(at).single());
    moment.map_or_else(|| at_ms.to_string(), |moment| moment.format("%Y-%m-%d %H:%M:%S,%3f").to_string())
}

/// The clock's time as log lines have it.
pub(crate) fn log_stamp(clock: &dyn Clock) -> String {
    DateTime::<Local>::from(clock.now()).format("%Y-%m-%d %H:%M:%S,%3f").to_string()
}

/// The clock's time in UTC as part of a file's name: `20260131T120000Z`.
pub(crate) fn file_stamp(clock: &dyn Clock) -> String {
    DateTime::<Utc>::from(clock.now()).format("%Y%m%dT%H%M%SZ").to_string()
}

/// `2026-01-31`, the day in UTC, as days of use are kept.
pub(crate) fn day(at: UnixSecond) -> String {
    let moment = i64::try_from(at).ok().and_then(|at| Utc.timestamp_opt(at, 0).single());
    moment.map_or_else(|| at.to_string(), |moment| moment.format("%Y-%m-%d").to_string())
}

/// A time, or a dash where there is none.
pub(crate) fn or_dash(time: Option<UnixSecond>, show: fn(UnixSecond) -> String) -> String {
    time.map_or_else(|| "-".to_owned(), show)
}

/// When a caller expires, for people.
pub(crate) fn expiry(expires: Option<UnixSecond>) -> String {
    expires.map_or_else(|| "never".to_owned(), local)
}

/// `3d 4h`, `5h 10m`, `2m 3s`: the two largest units.
pub(crate) fn duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds}s"),
        (0, 0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (0, hours, minutes, _) => format!("{hours}h {minutes}m"),
        (days, hours, _, _) => format!("{days}d {hours}h"),
    }
}

/// 100 years.
const MAX_SPAN_SEC: u64 = 36_500 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_whole_number_above_zero_with_its_unit() {
        for (text, seconds) in
            [("90d", 7_776_000), ("12h", 43_200), ("30m", 1800), ("45s", 45), ("36500d", MAX_SPAN_SEC)]
        {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "d", "90", "0d", "-1d", "+1d", "1.5h", "1 d", "1w", "36501d", "18446744073709551615d", "1ü"]
        {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_is_a_date_or_as_in_rfc_3339() {
        assert_eq!(moment("2027-01-31T12:00:00Z"), Ok(1_801_396_800));
        assert_eq!(moment("2027-01-31T13:00:00+01:00"), Ok(1_801_396_800));
        let midnight = moment("2027-01-31").unwrap();
        assert_eq!(local(midnight), "2027-01-31 00:00:00");
        for text in ["", "2027-02-30", "31.01.2027", "2027-01-31 12:00", "1969-12-31T23:59:59Z"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_that_no_calendar_knows_is_shown_as_a_number() {
        assert_eq!(local(u64::MAX), u64::MAX.to_string());
        assert_eq!(local_millis(u64::MAX), u64::MAX.to_string());
        assert_eq!(day(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn a_length_of_time_is_spoken_in_its_two_largest_units() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (61, "1m 1s"), (3600, "1h 0m"), (90_061, "1d 1h")] {
            assert_eq!(duration(seconds), text);
        }
    }
}
