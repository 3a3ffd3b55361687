//! From a datagram's bytes to a [`Message`].
//!
//! `lines` cuts bytes into unfolded lines of text, `start_line` reads the first, `check` looks at what every message
//! must have, `scan` knows quotes, lists and hosts. What is sloppy but clear is read (line feeds without returns,
//! folded lines, compact names, Latin-1 bytes, lines that are no header); what would have to be guessed is an error.
//! The work is linear in the input and the memory a small multiple of it: every count has a limit below. Values stay
//! text; beyond the mandatory headers only those are looked into that decide where we send (Contact, routes).

mod check;
mod error;
mod lines;
pub(crate) mod scan;
mod start_line;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod mutation_tests;
#[cfg(test)]
mod torture_tests;

pub use error::{ParseError, ParseErrorKind};

use crate::sip::message::{HeaderName, Headers, Message, Method, Request, Response, Uri};
use lines::Lines;
use start_line::StartLine;

/// The greatest UDP datagram, and the greatest message we take from a stream.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Entries after comma-separated lists have been taken apart: a call through twenty proxies has some sixty.
pub const MAX_HEADERS: usize = 256;
/// One start or header line, its continuations included.
pub const MAX_LINE_BYTES: usize = 8 * 1024;

/// Reads one message that fills `bytes`; what follows a body of known length is ignored (RFC 3261 §18.3).
pub fn parse(bytes: &[u8]) -> Result<Message, ParseError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(ParseErrorKind::TooLong.into());
    }
    let mut lines = Lines::new(bytes);
    let first = lines.next().ok_or(ParseErrorKind::KeepAlive)??;
    match start_line::read(&first)? {
        StartLine::Request(line) => request(line, lines),
        StartLine::Response { status, reason } => Ok(response(status, reason, lines)?),
    }
}

fn request(line: start_line::RequestLine, mut lines: Lines<'_>) -> Result<Message, ParseError> {
    let mut headers = Headers::default();
    let read = || {
        read_headers(&mut lines, &mut headers)?;
        let uri = line.uri?;
        check::request(&line.method, &headers)?;
        Ok((uri, check::body(&mut headers, lines.rest())?.to_vec()))
    };
    match read() {
        Ok((uri, body)) => Ok(Message::Request(Request { method: line.method, uri, headers, body })),
        Err(kind) => Err(ParseError { kind, answerable: answerable(line.method, &headers) }),
    }
}

fn response(status: u16, reason: String, mut lines: Lines<'_>) -> Result<Message, ParseErrorKind> {
    let mut headers = Headers::default();
    read_headers(&mut lines, &mut headers)?;
    check::every_message(&headers)?;
    let body = check::body(&mut headers, lines.rest())?.to_vec();
    Ok(Message::Response(Response { status, reason, headers, body }))
}

fn read_headers(lines: &mut Lines<'_>, headers: &mut Headers) -> Result<(), ParseErrorKind> {
    for line in lines.by_ref() {
        push_line(headers, &line?)?;
    }
    if lines.ended_at_blank_line() { Ok(()) } else { Err(ParseErrorKind::Incomplete) }
}

/// A line that is no header at all is passed over (RFC 3261 §8.2.2); if it was meant to be a mandatory one, that one
/// is missed later.
fn push_line(headers: &mut Headers, line: &str) -> Result<(), ParseErrorKind> {
    let Some((name, value)) = line.split_once(':') else { return Ok(()) };
    if !scan::is_token(name.trim_end()) {
        return Ok(());
    }
    let name = HeaderName::from_token(name.trim_end());
    if !name.is_list() {
        return push(headers, name, value);
    }
    scan::split_outside(value, ',')
        .filter(|entry| !entry.trim().is_empty())
        .try_for_each(|entry| push(headers, name.clone(), entry))
}

fn push(headers: &mut Headers, name: HeaderName, value: &str) -> Result<(), ParseErrorKind> {
    if headers.len() == MAX_HEADERS {
        return Err(ParseErrorKind::TooManyHeaders);
    }
    headers.push(name, value.trim());
    Ok(())
}

/// An ACK is never answered; anything else can be as soon as its Via says where to.
fn answerable(method: Method, headers: &Headers) -> Option<Box<Request>> {
    if method == Method::Ack || headers.top_via().is_none() {
        return None;
    }
    let mut request = Request::new(method, Uri::sip(None, "invalid.invalid", None));
    for (name, value) in headers.iter().filter(|(name, _)| check::MANDATORY.contains(name)) {
        request.headers.push(name.clone(), value);
    }
    Some(Box::new(request))
}
