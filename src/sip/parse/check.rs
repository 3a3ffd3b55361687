//! What every message must have, and where its body ends.

use super::{ParseErrorKind, scan};
use crate::sip::header::{CSeq, NameAddr, Via};
use crate::sip::message::{HeaderName, Headers, Method};

/// Also what an answer copies.
pub(super) const MANDATORY: [HeaderName; 5] =
    [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];

/// More hops than this no request has; the field is one byte wide (RFC 3261 §20.22).
const MAX_MAX_FORWARDS: u32 = 255;

pub(super) fn request(method: &Method, headers: &Headers) -> Result<(), ParseErrorKind> {
    let cseq = every_message(headers)?;
    if cseq.method != *method {
        return Err(ParseErrorKind::MethodMismatch);
    }
    max_forwards(headers)?;
    addresses_we_send_to(headers)
}

pub(super) fn every_message(headers: &Headers) -> Result<CSeq, ParseErrorKind> {
    first(headers, &HeaderName::Via, "Via")?.parse::<Via>()?;
    person(headers, &HeaderName::From, "From")?;
    person(headers, &HeaderName::To, "To")?;
    let call_id = only(headers, &HeaderName::CallId, "Call-ID")?;
    if call_id.is_empty() || call_id.contains(char::is_whitespace) {
        return Err(ParseErrorKind::Header("Call-ID"));
    }
    Ok(only(headers, &HeaderName::CSeq, "CSeq")?.parse()?)
}

fn person(headers: &Headers, name: &HeaderName, text: &'static str) -> Result<NameAddr, ParseErrorKind> {
    only(headers, name, text)?.parse().map_err(|_| ParseErrorKind::Header(text))
}

fn first<'a>(headers: &'a Headers, name: &HeaderName, text: &'static str) -> Result<&'a str, ParseErrorKind> {
    headers.get(name).ok_or(ParseErrorKind::Missing(text))
}

fn only<'a>(headers: &'a Headers, name: &HeaderName, text: &'static str) -> Result<&'a str, ParseErrorKind> {
    match headers.all(name).count() {
        0 | 1 => first(headers, name, text),
        _ => Err(ParseErrorKind::Repeated(text)),
    }
}

/// Absent is as good as 70: RFC 2543 did not know it.
fn max_forwards(headers: &Headers) -> Result<(), ParseErrorKind> {
    let is_hop_count = |text: &str| scan::decimal(text).is_some_and(|hops: u32| hops <= MAX_MAX_FORWARDS);
    if headers.all(&HeaderName::MaxForwards).all(is_hop_count) {
        return Ok(());
    }
    Err(ParseErrorKind::Header("Max-Forwards"))
}

/// A request whose Contact or routes cannot be read would make a dialog that cannot be ended.
fn addresses_we_send_to(headers: &Headers) -> Result<(), ParseErrorKind> {
    let names = [
        (HeaderName::Contact, "Contact"),
        (HeaderName::Route, "Route"),
        (HeaderName::RecordRoute, "Record-Route"),
    ];
    let is_readable = |value: &str| value == "*" || value.parse::<NameAddr>().is_ok();
    match names.iter().find(|(name, _)| !headers.all(name).all(is_readable)) {
        Some((_, text)) => Err(ParseErrorKind::Header(text)),
        None => Ok(()),
    }
}

/// The body as long as Content-Length says; without one all that is left. The header itself goes: the writer counts.
pub(super) fn body<'a>(headers: &mut Headers, rest: &'a [u8]) -> Result<&'a [u8], ParseErrorKind> {
    let mut lengths = headers.all(&HeaderName::ContentLength);
    let declared = lengths.next().map(content_length).transpose()?;
    if !lengths.all(|length| content_length(length).ok() == declared) {
        return Err(ParseErrorKind::ContentLength);
    }
    drop(lengths);
    headers.remove(&HeaderName::ContentLength);
    declared.map_or(Some(rest), |length| rest.get(..length)).ok_or(ParseErrorKind::BodyTooShort)
}

fn content_length(text: &str) -> Result<usize, ParseErrorKind> {
    scan::decimal(text).ok_or(ParseErrorKind::ContentLength)
}
