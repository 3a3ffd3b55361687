//! A small raw client: it knows the wire and nothing of the stand-in.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::bench;
use crate::sandbox::model::settings::{ModelSettings, Timing};

pub(super) const PATH: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

/// Delays a test over real sockets does not want to wait for.
pub(super) fn quick_settings() -> ModelSettings {
    ModelSettings {
        timing: Timing {
            setup_delay_ms: [0, 0],
            first_audio_ms: 0,
            first_audio_jitter_ms: 0,
            burst_factor: 100.0,
            hold_turn_complete: false,
            ..Timing::default()
        },
        ..bench::settings()
    }
}

pub(super) struct Client(WebSocketStream<TcpStream>);

#[derive(Debug, PartialEq)]
pub(super) enum Came {
    Json(Value),
    Closed(Option<u16>, String),
}

impl Client {
    /// Upgrades; a refusal gives the HTTP status and Google's error.
    pub(super) async fn connect(
        address: SocketAddr,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, (u16, Value)> {
        let mut request = format!("ws://{address}{target}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Upgrades with a key in the header and gets through the setup.
    pub(super) async fn ready(address: SocketAddr, key: &str, setup: &Value) -> Self {
        let mut client = Self::connect(address, PATH, &[("x-goog-api-key", key)]).await.unwrap();
        client.send(&json!({"setup": setup})).await;
        match client.next().await {
            Came::Json(message) if message.get("setupComplete").is_some() => client,
            other @ (Came::Json(_) | Came::Closed(..)) => panic!("{other:?}"),
        }
    }

    pub(super) async fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message, which must be a binary frame.
    pub(super) async fn next(&mut self) -> Came {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    return Came::Json(serde_json::from_slice(&bytes).unwrap());
                }
                Some(Ok(Message::Ping(_))) => {}
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Came::Closed(Some(frame.code.into()), frame.reason.to_string());
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Came::Closed(None, String::new()),
                Some(Ok(other)) => panic!("{other:?}"),
            }
        }
    }

    /// Everything up to the first message of this kind.
    pub(super) async fn until(&mut self, wanted: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let Came::Json(message) = self.next().await else {
                panic!("closed before {wanted}: {messages:?}")
            };
            let found = bench::kind(&message) == wanted;
            messages.push(message);
            if found {
                return messages;
            }
        }
    }

    pub(super) async fn close(mut self) {
        self.0.close(None).await.unwrap();
        while let Came::Json(_) = self.next().await {}
    }
}

/// A plain HTTP request; gives status and body.
pub(super) async fn http(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer.split_off(end + 4))
}
