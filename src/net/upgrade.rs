//! The websocket's HTTP handshake, client side. Done here and not by the websocket library because the library drops
//! what of a refusal's body has not arrived yet, and the body is what tells a bad key from a bad setting.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::domain::Secret;
use crate::voice::ConnectFailure;

const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
const MAX_BODY_BYTES: usize = 8 * 1024;

/// Asks for the websocket. Returns what the server has already sent on it.
pub(super) async fn upgrade<S>(
    stream: &mut S,
    host: &str,
    path: &str,
    key: &Secret,
) -> Result<Vec<u8>, ConnectFailure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let nonce = generate_key();
    let request = zeroize::Zeroizing::new(format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce}\r\nx-goog-api-key: {}\r\n\r\n",
        key.expose()
    ));
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;

    let mut bytes = Vec::new();
    let head = read_head(stream, &mut bytes).await?;
    let rest = bytes.split_off(head.length);
    if head.status != 101 {
        let body = read_body(stream, rest, head.body_length).await;
        return Err(ConnectFailure::Http { status: head.status, body });
    }
    if head.accept.as_deref() != Some(derive_accept_key(nonce.as_bytes()).as_str()) {
        return Err(ConnectFailure::Io("the server's answer to the upgrade is no websocket's".to_owned()));
    }
    Ok(rest)
}

struct Head {
    length: usize,
    status: u16,
    accept: Option<String>,
    body_length: Option<usize>,
}

async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
    bytes: &mut Vec<u8>,
) -> Result<Head, ConnectFailure> {
    loop {
        if let Some(head) = parse_head(bytes)? {
            return Ok(head);
        }
        if bytes.len() >= MAX_HEAD_BYTES {
            return Err(ConnectFailure::Io("the server's answer to the upgrade is too long".to_owned()));
        }
        if stream.read_buf(bytes).await.map_err(failed)? == 0 {
            return Err(ConnectFailure::Io("the server closed the connection during the upgrade".to_owned()));
        }
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<Head>, ConnectFailure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes);
    let parsed =
        parsed.map_err(|error| ConnectFailure::Io(format!("no HTTP answer to the upgrade: {error}")))?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let value = |name: &str| {
        let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    Ok(Some(Head {
        length,
        status: response.code.unwrap_or_default(),
        accept: value("sec-websocket-accept").map(str::to_owned),
        body_length: value("content-length").and_then(|length| length.parse().ok()),
    }))
}

/// As much of the body as comes and is worth reading; without a length, to the end of the connection.
async fn read_body<S: AsyncRead + Unpin>(stream: &mut S, mut body: Vec<u8>, length: Option<usize>) -> String {
    let wanted = length.unwrap_or(MAX_BODY_BYTES).min(MAX_BODY_BYTES);
    while body.len() < wanted {
        match stream.read_buf(&mut body).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    body.truncate(wanted);
    String::from_utf8_lossy(&body).into_owned()
}

pub(super) fn failed(error: io::Error) -> ConnectFailure {
    ConnectFailure::Io(error.to_string())
}
