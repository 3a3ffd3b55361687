//! The head of a message as unfolded lines of text.

use super::{MAX_LINE_BYTES, ParseErrorKind};

/// Gives the lines before the blank one; afterwards [`Lines::rest`] is the body.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    ended_at_blank_line: bool,
}

impl<'a> Lines<'a> {
    /// Line breaks before a message are keep-alives (RFC 3261 §7.5, RFC 5626 §4.4.1).
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
        Self { rest: bytes.get(start..).unwrap_or_default(), ended_at_blank_line: false }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn ended_at_blank_line(&self) -> bool {
        self.ended_at_blank_line
    }

    /// One line as it stands, without its break; the last one may have none.
    fn take_physical(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (self.rest.get(..end)?, self.rest.get(end + 1..)?),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn continues(&self) -> bool {
        matches!(self.rest.first(), Some(b' ' | b'\t'))
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<String, ParseErrorKind>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended_at_blank_line {
            return None;
        }
        let mut line = self.take_physical()?.to_vec();
        if line.is_empty() {
            self.ended_at_blank_line = true;
            return None;
        }
        while line.len() <= MAX_LINE_BYTES && self.continues() {
            line.extend_from_slice(self.take_physical()?);
        }
        Some(if line.len() > MAX_LINE_BYTES { Err(ParseErrorKind::LineTooLong) } else { Ok(text(line)) })
    }
}

/// UTF-8 where it is valid, else Latin-1: old gateways write names so, and one byte must not cost the header.
/// Control characters become spaces, so that no value can hold a line break.
fn text(line: Vec<u8>) -> String {
    let line: Vec<u8> =
        line.into_iter().map(|b| if b.is_ascii_control() && b != b'\t' { b' ' } else { b }).collect();
    String::from_utf8(line)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect())
}
