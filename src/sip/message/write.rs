//! The wire form. A value that holds a line break (it came from a model, a person or a peer) cannot start a header
//! of its own: control characters leave as spaces.

use super::{HeaderName, Headers};

pub(super) fn message(start_line: &str, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + body.len());
    push_line(&mut out, start_line);
    for (name, value) in headers.iter().filter(|(name, _)| **name != HeaderName::ContentLength) {
        push_line(&mut out, &format!("{name}: {value}"));
    }
    push_line(&mut out, &format!("{}: {}", HeaderName::ContentLength, body.len()));
    push_line(&mut out, "");
    out.extend_from_slice(body);
    out
}

fn push_line(out: &mut Vec<u8>, line: &str) {
    out.extend(line.bytes().map(|byte| if byte.is_ascii_control() && byte != b'\t' { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}
