//! The first line: what is asked, or what is answered (RFC 3261 §7.1, §7.2).

use super::{ParseErrorKind, scan};
use crate::sip::message::{Method, Uri};

pub(super) enum StartLine {
    Request(RequestLine),
    Response { status: u16, reason: String },
}

/// What is wrong with the line is told only after the headers have been read, so that it can be answered.
pub(super) struct RequestLine {
    pub(super) method: Method,
    pub(super) uri: Result<Uri, ParseErrorKind>,
}

pub(super) fn read(line: &str) -> Result<StartLine, ParseErrorKind> {
    let line = line.trim_end();
    let (first, rest) = line.split_once(' ').ok_or(ParseErrorKind::StartLine)?;
    if is_version(first) { response(first, rest) } else { request(first, rest) }
}

fn request(method: &str, rest: &str) -> Result<StartLine, ParseErrorKind> {
    let (uri, version) = rest.rsplit_once(' ').ok_or(ParseErrorKind::StartLine)?;
    if !scan::is_token(method) || !is_version(version) {
        return Err(ParseErrorKind::StartLine);
    }
    let uri = match require_version_2(version) {
        Ok(()) => uri.parse().map_err(|_| ParseErrorKind::RequestUri),
        Err(kind) => Err(kind),
    };
    Ok(StartLine::Request(RequestLine { method: Method::from_token(method), uri }))
}

/// The reason phrase is for people: anything goes, nothing too.
fn response(version: &str, rest: &str) -> Result<StartLine, ParseErrorKind> {
    require_version_2(version)?;
    let (status, reason) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
    if status.len() != 3 || !status.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseErrorKind::Status);
    }
    let status =
        status.parse().ok().filter(|status| (100..700).contains(status)).ok_or(ParseErrorKind::Status)?;
    Ok(StartLine::Response { status, reason: reason.trim().to_owned() })
}

fn is_version(word: &str) -> bool {
    word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/"))
}

fn require_version_2(word: &str) -> Result<(), ParseErrorKind> {
    if word.eq_ignore_ascii_case("SIP/2.0") { Ok(()) } else { Err(ParseErrorKind::Version) }
}
