//! As much of HTTP/1.1 as an upgrade and a side port need: one request a connection, all of it bounded.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::admission::Denial;

pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    /// What came behind the head.
    pub(super) rest: Vec<u8>,
}

const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
const MAX_BODY_BYTES: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

impl Request {
    /// Reads a head, and whatever of the body came with it.
    pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Self> {
        timeout(PATIENCE, read_head(stream)).await?
    }

    /// The rest of the body, by its announced length.
    pub(super) async fn body(&mut self, stream: &mut TcpStream) -> io::Result<Vec<u8>> {
        let length: usize = self.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        if length > MAX_BODY_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the body is too long"));
        }
        let mut body = std::mem::take(&mut self.rest);
        let received = body.len().min(length);
        body.resize(length, 0);
        let Some(missing) = body.get_mut(received..) else { return Ok(body) };
        timeout(PATIENCE, stream.read_exact(missing)).await??;
        Ok(body)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        value_of(&self.headers, |header| header.eq_ignore_ascii_case(name))
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        value_of(&self.query, |parameter| parameter == name)
    }
}

fn value_of(pairs: &[(String, String)], is_wanted: impl Fn(&str) -> bool) -> Option<&str> {
    pairs.iter().find(|(name, _)| is_wanted(name)).map(|(_, value)| value.as_str())
}

async fn read_head(stream: &mut TcpStream) -> io::Result<Request> {
    let mut buffer = Vec::with_capacity(2_048);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(request) = parse(&buffer)? {
            return Ok(request);
        }
        if buffer.len() > MAX_HEAD_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head is too long"));
        }
    }
}

fn parse(buffer: &[u8]) -> io::Result<Option<Request>> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut slots);
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let httparse::Status::Complete(length) = head.parse(buffer).map_err(invalid)? else { return Ok(None) };
    let target = head.path.unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let owned = |header: &httparse::Header<'_>| {
        (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned())
    };
    Ok(Some(Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.split('&').map(parameter).collect(),
        headers: head.headers.iter().map(owned).collect(),
        rest: buffer.get(length..).unwrap_or_default().to_vec(),
    }))
}

fn parameter(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (percent_decoded(name), percent_decoded(value))
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let escaped = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.extend(escaped.or(Some(b'%')));
        bytes.extend_from_slice(
            part.get(if escaped.is_some() { 2 } else { 0 }..).unwrap_or_default().as_bytes(),
        );
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) struct Response {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Response {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, content_type: "application/json; charset=UTF-8", body: body.to_string().into_bytes() }
    }

    pub(super) fn wav(body: Vec<u8>) -> Self {
        Self { status: 200, content_type: "audio/wav", body }
    }

    /// A refusal in the shape of Google's APIs.
    pub(super) fn denied(denial: Denial) -> Self {
        let Denial { status, message } = denial;
        let mut error = json!({"code": status, "message": message, "status": google_status(status)});
        if denial == super::admission::UNKNOWN_KEY {
            error["details"] = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]);
        }
        Self::json(status, &json!({"error": error}))
    }

    pub(super) async fn write(self, stream: &mut TcpStream) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.status,
            reason_phrase(self.status),
            self.content_type,
            self.body.len()
        );
        // In one piece: some websocket clients read no further than the first.
        stream.write_all(&[head.as_bytes(), &self.body].concat()).await?;
        stream.shutdown().await
    }
}

fn google_status(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_with_its_query_and_what_follows_it() {
        let text = b"GET /ws/a?key=A%2Fb&x HTTP/1.1\r\nHost: h\r\nX-Goog-Api-Key: k \r\n\r\nrest";
        let request = parse(text).unwrap().unwrap();
        assert_eq!((request.path.as_str(), request.parameter("key")), ("/ws/a", Some("A/b")));
        assert_eq!(
            (request.header("x-goog-api-key"), request.rest.as_slice()),
            (Some("k"), b"rest".as_slice())
        );
        assert!(parse(b"GET / HTTP/1.1\r\nHost").unwrap().is_none());
        assert!(parse(b"\x00\x01\x02\r\n\r\n").is_err());
    }

    #[test]
    fn a_broken_escape_stays_as_it_is() {
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%é%41"), "%zz%éA");
    }
}
