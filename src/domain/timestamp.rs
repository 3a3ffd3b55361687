//! A moment on the wall clock, for records: RFC 3339 in UTC with milliseconds, in text and in JSON.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Milliseconds since 1970; never used for time-outs, because this clock can be set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

/// The last millisecond of the year 9999, where RFC 3339 ends.
const LAST_MILLIS: u64 = 253_402_300_799_999;

impl Timestamp {
    pub const fn from_millis(millis: u64) -> Self {
        Self(if millis > LAST_MILLIS { LAST_MILLIS } else { millis })
    }

    pub const fn as_millis(self) -> u64 {
        self.0
    }

    pub fn after(self, span: Duration) -> Self {
        let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.0.saturating_add(span_ms))
    }

    pub fn before(self, span: Duration) -> Self {
        let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.0.saturating_sub(span_ms))
    }

    /// Any time of RFC 3339, with `Z` or the offset of some zone.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_uppercase();
        let (local, offset_ms) = match text.strip_suffix('Z') {
            Some(utc) => (utc, 0),
            None => {
                let (local, offset) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
                (local, offset_in_millis(offset)?)
            }
        };
        let time = humantime::parse_rfc3339(&format!("{local}Z")).ok()?.duration_since(UNIX_EPOCH).ok()?;
        let millis = i64::try_from(time.as_millis()).ok()?.checked_sub(offset_ms)?;
        u64::try_from(millis).ok().map(Self::from_millis)
    }
}

/// Of `+01:00`. In a query string an unquoted plus means a blank, which here can mean nothing else.
fn offset_in_millis(offset: &str) -> Option<i64> {
    let east = match offset.get(..1)? {
        "+" | " " => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let number = |text: &str, below: i64| {
        let is_digits = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| is_digits && *number < below)
    };
    Some(east * (number(hours, 24)? * 60 + number(minutes, 60)?) * 60_000)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(self.0)).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom("is no time; write 2026-01-31T12:00:00Z, or 2026-01-31T13:00:00+01:00")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_and_read_back() {
        let time = Timestamp::from_millis(1_767_225_600_123);
        assert_eq!(time.to_string(), "2026-01-01T00:00:00.123Z");
        assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn a_time_may_be_told_by_the_clock_of_any_zone() {
        let noon = Timestamp::parse("2026-11-28T09:00:00Z");
        assert!(noon.is_some());
        for same in [
            "2026-11-28T10:00:00+01:00",
            "2026-11-28T10:00:00 01:00",
            "2026-11-28t09:00:00.000z",
            "2026-11-28T05:30:00-03:30",
            "2026-11-29T08:59:00+23:59",
            "2026-11-28T09:00:00-00:00",
        ] {
            assert_eq!(Timestamp::parse(same), noon, "{same}");
        }
        for wrong in [
            "2026-11-28T10:00:00",
            "2026-11-28T10:00:00+1:00",
            "2026-11-28T10:00:00+24:00",
            "2026-11-28T10:00:00+01:60",
            "2026-11-28T10:00:00+-1:00",
            "2026-11-28T10:00:00+0100",
            "1970-01-01T00:30:00+01:00",
            "+01:00",
            "\u{e4}+01:00",
            "",
        ] {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_absurd_time_is_printed_and_not_fatal() {
        assert_eq!(Timestamp::from_millis(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }
}
