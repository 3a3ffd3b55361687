//! Digits that come in a SIP INFO, in the two forms phones use: `application/dtmf-relay` and `application/dtmf`.

/// What a phone that tells no duration is taken to mean.
const DEFAULT_DURATION_MS: u32 = 160;
const MAX_DURATION_MS: u32 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digit {
    pub(super) digit: char,
    pub(super) duration_ms: u32,
}

pub(super) fn is_dtmf(content_type: &str) -> bool {
    ["application/dtmf-relay", "application/dtmf"].contains(&content_type)
}

pub(super) fn parse(body: &[u8]) -> Option<Digit> {
    let text = std::str::from_utf8(body).ok()?.trim();
    if !text.contains('=') {
        return Some(Digit { digit: digit(text)?, duration_ms: DEFAULT_DURATION_MS });
    }
    let field = |name: &str| {
        let (_, value) = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim())
    };
    let duration = field("Duration").and_then(|value| value.parse().ok()).unwrap_or(DEFAULT_DURATION_MS);
    Some(Digit { digit: digit(field("Signal")?)?, duration_ms: duration.min(MAX_DURATION_MS) })
}

/// Some phones write the event number of `*` and `#`.
fn digit(signal: &str) -> Option<char> {
    match signal {
        "10" => Some('*'),
        "11" => Some('#'),
        _ => {
            let mut characters = signal.chars();
            let (Some(c), None) = (characters.next(), characters.next()) else { return None };
            let c = c.to_ascii_uppercase();
            matches!(c, '0'..='9' | '*' | '#' | 'A'..='D').then_some(c)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_dtmf_in_info_are_understood() {
        let relay = parse(b"Signal=5\r\nDuration=250\r\n");
        assert_eq!(relay, Some(Digit { digit: '5', duration_ms: 250 }));
        assert_eq!(parse(b"Signal= 11"), Some(Digit { digit: '#', duration_ms: 160 }));
        assert_eq!(parse(b" d\r\n"), Some(Digit { digit: 'D', duration_ms: 160 }));
    }

    #[test]
    fn what_is_no_digit_is_none() {
        for body in [&b""[..], b"Signal=", b"Signal=hello", b"12", b"\xff\xfe", b"Duration=5"] {
            assert_eq!(parse(body), None, "{body:?}");
        }
    }
}
