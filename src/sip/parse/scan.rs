//! Small readers that the grammar's corners share: quotes, lists, tokens, hosts.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// RFC 3261 §25.1 `token`.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// The parts between separators that stand in neither quotes nor angle brackets.
pub(crate) fn split_outside(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut place = Place::default();
    text.split(move |c| place.step(c) && c == separator)
}

/// Where `wanted` first stands outside quotes.
pub(crate) fn find_outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let mut place = Place::default();
    text.char_indices().find(|(_, c)| !place.step_quotes(*c) && *c == wanted).map(|(index, _)| index)
}

/// The content of a quoted string, escapes resolved; `None` unless the whole text is one.
pub(crate) fn unquote(text: &str) -> Option<String> {
    let mut characters = text.strip_prefix('"')?.chars();
    let mut content = String::new();
    loop {
        match characters.next()? {
            '"' => return characters.as_str().is_empty().then_some(content),
            '\\' => content.push(characters.next()?),
            c => content.push(c),
        }
    }
}

pub(crate) fn quote(content: &str) -> String {
    let mut quoted = String::with_capacity(content.len() + 2);
    quoted.push('"');
    for c in content.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// `host[:port]`, spaces around the colon allowed as in a Via's sent-by.
pub(crate) fn host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let text = text.trim();
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, port) = text.split_at_checked(end)?;
    let host = host.trim_end();
    if !is_host(host) {
        return None;
    }
    match port.trim_start() {
        "" => Some((host, None)),
        port => Some((host, Some(decimal(port.strip_prefix(':')?.trim_start())?))),
    }
}

/// The address a host spells, brackets or not; `None` for names.
pub(crate) fn host_address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Names are taken as phones write them: underscores too, and any letters beyond ASCII are refused.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        }
    }
}

/// A number of digits only (`parse` alone would take a plus sign) that its type can hold.
pub(crate) fn decimal<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Whether the reader is inside quotes or angle brackets.
#[derive(Default)]
struct Place {
    quoted: bool,
    escaped: bool,
    bracketed: bool,
}

impl Place {
    /// Takes one character; true when it stands outside quotes and brackets.
    fn step(&mut self, c: char) -> bool {
        if self.step_quotes(c) {
            return false;
        }
        match c {
            '<' => self.bracketed = true,
            '>' => self.bracketed = false,
            _ => {}
        }
        !self.bracketed
    }

    /// Takes one character; true when it belongs to a quoted string. A quote inside brackets is a plain character.
    fn step_quotes(&mut self, c: char) -> bool {
        if self.bracketed {
            return false;
        }
        if self.escaped {
            self.escaped = false;
            return true;
        }
        match c {
            '\\' if self.quoted => self.escaped = true,
            '"' => self.quoted = !self.quoted,
            _ => return self.quoted,
        }
        true
    }
}
