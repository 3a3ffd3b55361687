//! The websocket to the voice model. The call's key goes into one header and nowhere else: not into the URL, which
//! ends up in proxies' logs, and out of everything the server sends back that we might print.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::upgrade::{failed, upgrade};
use crate::clock;
use crate::domain::Secret;
use crate::voice::{ConnectFailure, MAX_MESSAGE_BYTES};

/// Where the model is. Parsed once, from the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEndpoint {
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Without the value: people put keys into URLs.
    #[error(
        "the model's endpoint must look like wss://HOST[:PORT], with a version like v1beta and nothing else"
    )]
    Malformed,
    #[error(
        "ws://{0} would carry API keys in clear text over the network: use wss://, a loopback address, or allow \
         plain text explicitly"
    )]
    PlainText(String),
}

impl ModelEndpoint {
    /// `base` is `wss://HOST[:PORT]` or `ws://HOST[:PORT]`, `version` the API's (`v1beta`). Plain text is for
    /// loopback only, unless `allow_plain_text`.
    pub fn new(base: &str, version: &str, allow_plain_text: bool) -> Result<Self, EndpointError> {
        let (scheme, authority) = base.split_once("://").ok_or(EndpointError::Malformed)?;
        let tls = match scheme {
            "wss" => true,
            "ws" => false,
            _ => return Err(EndpointError::Malformed),
        };
        let (host, port) = host_and_port(authority.trim_end_matches('/')).ok_or(EndpointError::Malformed)?;
        if !version.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(EndpointError::Malformed);
        }
        if !tls && !allow_plain_text && !is_loopback(host) {
            return Err(EndpointError::PlainText(host.to_owned()));
        }
        let port = port.unwrap_or(default_port(tls));
        let path =
            format!("/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent");
        Ok(Self { tls, host: host.to_owned(), port, path })
    }

    fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.tls) { host } else { format!("{host}:{}", self.port) }
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    if host.is_empty() || !host.chars().all(is_host) {
        return None;
    }
    Some((host, port.map(str::parse).transpose().ok()?))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Three chunks of the model's voice. The library fills the whole buffer with zeros before each read, and each call has
/// one: its own default of 128 KiB costs memory, and time at every read.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// What the reader saw.
#[derive(Debug, PartialEq, Eq)]
pub enum ReaderEvent {
    /// One message; text and binary frames mean the same here.
    Frame(Bytes),
    /// Nothing more will come. Without a code the connection broke, and `reason` is the local error.
    Closed { code: Option<u16>, reason: String },
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type Socket = WebSocketStream<Box<dyn Stream>>;

/// Opens the websocket: TCP, TLS and upgrade within `timeout` in all.
pub async fn connect(
    endpoint: &ModelEndpoint,
    key: &Secret,
    timeout: Duration,
) -> Result<(VoiceWriter, VoiceReader), ConnectFailure> {
    if key.is_empty() || !key.expose().chars().all(|c| c.is_ascii_graphic()) {
        return Err(ConnectFailure::Endpoint("the API key is empty or has characters no key has".to_owned()));
    }
    let socket = tokio::time::timeout(clock::timer_for(timeout), open(endpoint, key)).await;
    let socket =
        socket.unwrap_or(Err(ConnectFailure::TimedOut)).map_err(|failure| without_key(failure, key))?;
    let (sink, stream) = socket.split();
    Ok((VoiceWriter { sink }, VoiceReader { stream, key: key.clone() }))
}

async fn open(endpoint: &ModelEndpoint, key: &Secret) -> Result<Socket, ConnectFailure> {
    let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(failed)?;
    tcp.set_nodelay(true).map_err(failed)?;
    let mut stream: Box<dyn Stream> =
        if endpoint.tls { Box::new(secure(endpoint, tcp).await?) } else { Box::new(tcp) };
    let early = upgrade(&mut stream, &endpoint.host_header(), &endpoint.path, key).await?;
    let limits = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    Ok(WebSocketStream::from_partially_read(stream, early, Role::Client, Some(limits)).await)
}

async fn secure(endpoint: &ModelEndpoint, tcp: TcpStream) -> Result<impl Stream + use<>, ConnectFailure> {
    let name = ServerName::try_from(endpoint.host.clone()).map_err(|_| {
        ConnectFailure::Endpoint(format!("{} is no name a certificate can have", endpoint.host))
    })?;
    let settings = TLS_SETTINGS.clone().map_err(ConnectFailure::Io)?;
    TlsConnector::from(settings).connect(name, tcp).await.map_err(failed)
}

/// Made once: the session cache in it saves later calls a round trip.
static TLS_SETTINGS: LazyLock<Result<Arc<ClientConfig>, String>> = LazyLock::new(|| {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
});

/// A server may quote the key it refuses.
fn without_key(failure: ConnectFailure, key: &Secret) -> ConnectFailure {
    match failure {
        ConnectFailure::Http { status, body } => ConnectFailure::Http { status, body: hide(&body, key) },
        ConnectFailure::Io(error) => ConnectFailure::Io(hide(&error, key)),
        other @ (ConnectFailure::TimedOut | ConnectFailure::Endpoint(_)) => other,
    }
}

fn hide(text: &str, key: &Secret) -> String {
    text.replace(key.expose(), "[key]")
}

/// The sending half. Its queue, and what to drop when the network stalls, are the caller's.
pub struct VoiceWriter {
    sink: SplitSink<Socket, Message>,
}

/// The connection no longer takes messages; the reader tells why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the model's websocket is closed")]
pub struct WriterClosed;

impl VoiceWriter {
    /// Waits until the message is handed to the network.
    pub async fn send_text(&mut self, text: &str) -> Result<(), WriterClosed> {
        self.sink.send(Message::text(text)).await.map_err(|_| WriterClosed)
    }

    /// Says goodbye. The reader, which must still be read, then sees the end.
    pub async fn close(&mut self) -> Result<(), WriterClosed> {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.sink.send(Message::Close(Some(frame))).await.map_err(|_| WriterClosed)
    }
}

/// The receiving half; answers the server's pings while it is read.
pub struct VoiceReader {
    stream: SplitStream<Socket>,
    key: Secret,
}

impl VoiceReader {
    /// The next message, or the end.
    pub async fn next(&mut self) -> ReaderEvent {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return ReaderEvent::Frame(text.into()),
                Some(Ok(Message::Binary(bytes))) => return ReaderEvent::Frame(bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(frame))) => return self.closed(frame),
                Some(Err(error)) => return self.broken(&error),
                None => {
                    return ReaderEvent::Closed { code: None, reason: "the connection is closed".to_owned() };
                }
            }
        }
    }

    fn closed(&self, frame: Option<CloseFrame>) -> ReaderEvent {
        let code = frame.as_ref().map(|frame| frame.code.into());
        let reason = frame.map(|frame| hide(&frame.reason, &self.key)).unwrap_or_default();
        ReaderEvent::Closed { code, reason }
    }

    fn broken(&self, error: &Error) -> ReaderEvent {
        ReaderEvent::Closed { code: None, reason: hide(&error.to_string(), &self.key) }
    }
}

impl fmt::Debug for VoiceWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VoiceWriter")
    }
}

impl fmt::Debug for VoiceReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VoiceReader")
    }
}

#[cfg(test)]
mod tests;
