//! Parts of a file (RFC 9110, 14): one range of bytes is given, anything else is answered with the whole.

use std::ops::RangeInclusive;

/// What is to be sent of a file of some length.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Whole,
    Part(RangeInclusive<u64>),
    /// It begins behind the end.
    Nothing,
}

/// `range` is the header's text. What cannot be read, and lists of several ranges, ask for the whole.
pub(super) fn asked(range: Option<&str>, length: u64) -> Asked {
    let Some(set) = range.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Asked::Whole };
    let Some((first, last)) = set.trim().split_once('-') else { return Asked::Whole };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if last < first => Asked::Whole,
        (Some(first), Some(last)) => part(first, last, length),
        (Some(first), None) if last.is_empty() => part(first, u64::MAX, length),
        (None, Some(suffix)) if first.is_empty() => {
            part(if suffix == 0 { length } else { length.saturating_sub(suffix) }, u64::MAX, length)
        }
        (Some(_) | None, _) => Asked::Whole,
    }
}

fn part(first: u64, last: u64, length: u64) -> Asked {
    if first >= length { Asked::Nothing } else { Asked::Part(first..=last.min(length - 1)) }
}

/// Whether one of the entity tags of `If-None-Match` is this one; weak ones count (RFC 9110, 13.1.2).
pub(super) fn names(list: &str, tag: &str) -> bool {
    let same = |named: &str| named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag;
    list.split(',').map(str::trim).any(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_given_and_what_is_none_asks_for_the_whole() {
        for (range, expected) in [
            ("bytes=0-0", Asked::Part(0..=0)),
            ("bytes=10-19", Asked::Part(10..=19)),
            ("bytes=10-", Asked::Part(10..=99)),
            ("bytes=10-1000", Asked::Part(10..=99)),
            ("bytes=99-99999999999999999999999", Asked::Part(99..=99)),
            (" bytes=-5 ", Asked::Part(95..=99)),
            ("bytes=-1000", Asked::Part(0..=99)),
            ("bytes=100-", Asked::Nothing),
            ("bytes=99999999999999999999999-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=20-10", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes 1-2", Asked::Whole),
            ("seconds=1-2", Asked::Whole),
        ] {
            assert_eq!(asked(Some(range), 100), expected, "{range}");
        }
        assert_eq!(asked(None, 100), Asked::Whole);
        assert_eq!(asked(Some("bytes=0-"), 0), Asked::Nothing, "an empty file has no parts");
    }

    #[test]
    fn a_tag_is_found_among_others() {
        assert!(["\"a\"", "W/\"a\"", "*", "\"b\", \"a\""].into_iter().all(|list| names(list, "\"a\"")));
        assert!(["", "\"b\"", "a", "\"ab\""].into_iter().all(|list| !names(list, "\"a\"")));
    }
}
