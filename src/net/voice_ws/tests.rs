use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::*;

const KEY: &str = "AIzaSyPLANTED-key-0123456789";
const WAIT: Duration = Duration::from_secs(20);

fn key() -> Secret {
    Secret::new(KEY)
}

async fn listen() -> (TcpListener, ModelEndpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let endpoint = ModelEndpoint::new(&format!("ws://{address}/"), "v1beta", false).expect("loopback");
    (listener, endpoint)
}

async fn accept(listener: &TcpListener) -> (WebSocketStream<TcpStream>, Request) {
    let (tcp, _) = listener.accept().await.expect("a connection");
    let mut seen = None;
    #[expect(clippy::result_large_err, reason = "the library's own callback type")]
    let look = |request: &Request, response: Response| {
        seen = Some(request.clone());
        Ok(response)
    };
    let socket = accept_hdr_async(tcp, look).await.expect("a websocket");
    (socket, seen.expect("a request"))
}

async fn pair() -> (VoiceWriter, VoiceReader, WebSocketStream<TcpStream>, Request) {
    let (listener, endpoint) = listen().await;
    let key = key();
    let (client, (server, request)) = tokio::join!(connect(&endpoint, &key, WAIT), accept(&listener));
    let (writer, reader) = client.expect("connected");
    (writer, reader, server, request)
}

/// Answers one HTTP request with exactly these pieces, each in a segment of its own, and closes.
async fn answer(listener: &TcpListener, pieces: &[&str]) {
    let (mut tcp, _) = listener.accept().await.expect("a connection");
    tcp.set_nodelay(true).expect("an option");
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert_ne!(tcp.read_buf(&mut request).await.expect("a request"), 0);
    }
    for piece in pieces {
        tcp.write_all(piece.as_bytes()).await.expect("written");
        tokio::task::yield_now().await;
    }
}

async fn refusal(pieces: &[&str]) -> ConnectFailure {
    let (listener, endpoint) = listen().await;
    let key = key();
    let (client, ()) = tokio::join!(connect(&endpoint, &key, WAIT), answer(&listener, pieces));
    client.expect_err("a refusal")
}

#[tokio::test]
async fn the_key_travels_in_its_header_and_not_in_the_url() {
    let (.., request) = pair().await;
    assert_eq!(request.headers()["x-goog-api-key"], KEY);
    assert_eq!(
        request.uri(),
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    );
    assert!(!request.headers().contains_key("sec-websocket-protocol"));
}

#[tokio::test]
async fn text_and_binary_frames_are_read_alike_and_text_is_sent() {
    let (mut writer, mut reader, mut server, _) = pair().await;
    server.send(Message::binary(b"{}".to_vec())).await.expect("sent");
    server.send(Message::text("{\"a\":1}")).await.expect("sent");
    assert_eq!(reader.next().await, ReaderEvent::Frame(Bytes::from_static(b"{}")));
    assert_eq!(reader.next().await, ReaderEvent::Frame(Bytes::from_static(b"{\"a\":1}")));
    writer.send_text("{\"setup\":{}}").await.expect("sent");
    assert_eq!(server.next().await.expect("a message").expect("readable"), Message::text("{\"setup\":{}}"));
}

#[tokio::test]
async fn a_message_that_arrives_with_the_upgrade_is_not_lost() {
    let (listener, endpoint) = listen().await;
    let server = async {
        let (mut tcp, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            tcp.read_buf(&mut request).await.expect("a request");
        }
        let request = String::from_utf8(request).expect("text");
        let nonce =
            request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a nonce");
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(nonce.as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        tcp.write_all(&[head.as_bytes(), b"\x82\x02{}"].concat()).await.expect("written");
        tcp
    };
    let key = key();
    let (client, _tcp) = tokio::join!(connect(&endpoint, &key, WAIT), server);
    let (_, mut reader) = client.expect("connected");
    assert_eq!(reader.next().await, ReaderEvent::Frame(Bytes::from_static(b"{}")));
}

#[tokio::test]
async fn a_refusal_keeps_its_status_and_the_whole_of_its_late_body() {
    let body = r#"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}"#;
    let head = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n", body.len());
    let failure = refusal(&[&head, &body[..20], &body[20..]]).await;
    assert_eq!(failure, ConnectFailure::Http { status: 403, body: body.to_owned() });
}

#[tokio::test]
async fn a_refusals_body_is_bounded_and_needs_no_length() {
    let ConnectFailure::Http { status, body } =
        refusal(&["HTTP/1.1 503 Busy\r\n\r\n", &"x".repeat(100_000)]).await
    else {
        panic!("not a refusal")
    };
    assert_eq!((status, body.len()), (503, 8 * 1024));
}

#[tokio::test]
async fn a_server_that_quotes_the_key_cannot_make_us_print_it() {
    let quoting = format!("HTTP/1.1 400 Bad\r\nContent-Length: {}\r\n\r\n{KEY}!", KEY.len() + 1);
    let failure = refusal(&[&quoting]).await;
    assert_eq!(failure, ConnectFailure::Http { status: 400, body: "[key]!".to_owned() });

    let (writer, mut reader, mut server, _) = pair().await;
    let frame = CloseFrame { code: CloseCode::Policy, reason: format!("key {KEY} leaked").into() };
    server.close(Some(frame)).await.expect("closed");
    let event = reader.next().await;
    assert_eq!(event, ReaderEvent::Closed { code: Some(1008), reason: "key [key] leaked".to_owned() });
    assert!(!format!("{writer:?}{reader:?}{event:?}{failure:?}").contains(KEY));
}

#[tokio::test]
async fn what_is_no_http_or_no_websocket_is_an_error() {
    for answer in
        ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 101 Sure\r\nSec-WebSocket-Accept: wrong\r\n\r\n", "", "HTTP/1.1 2"]
    {
        assert!(matches!(refusal(&[answer]).await, ConnectFailure::Io(_)), "{answer}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(100_000));
    assert!(matches!(refusal(&[&endless]).await, ConnectFailure::Io(_)));
}

#[tokio::test]
async fn an_abrupt_end_has_no_code() {
    let (_writer, mut reader, server, _) = pair().await;
    drop(server);
    assert!(matches!(reader.next().await, ReaderEvent::Closed { code: None, .. }));
    assert!(matches!(reader.next().await, ReaderEvent::Closed { code: None, .. }));
}

#[tokio::test]
async fn a_close_keeps_its_code_even_an_unregistered_one() {
    let (_writer, mut reader, mut server, _) = pair().await;
    let frame = CloseFrame { code: CloseCode::from(4321), reason: "odd".into() };
    server.close(Some(frame)).await.expect("closed");
    assert_eq!(reader.next().await, ReaderEvent::Closed { code: Some(4321), reason: "odd".to_owned() });
}

#[tokio::test]
async fn closing_is_seen_by_the_server_and_ends_our_reader() {
    let (mut writer, mut reader, mut server, _) = pair().await;
    writer.close().await.expect("closed");
    assert!(
        matches!(server.next().await, Some(Ok(Message::Close(Some(frame)))) if frame.code == CloseCode::Normal)
    );
    assert!(server.next().await.is_none());
    assert!(matches!(reader.next().await, ReaderEvent::Closed { .. }));
    assert_eq!(writer.send_text("late").await, Err(WriterClosed));
}

#[tokio::test]
async fn the_servers_pings_are_answered_while_we_read() {
    let (_writer, mut reader, mut server, _) = pair().await;
    server.send(Message::Ping(Bytes::from_static(b"hm"))).await.expect("sent");
    server.send(Message::text("{}")).await.expect("sent");
    assert_eq!(reader.next().await, ReaderEvent::Frame(Bytes::from_static(b"{}")));
    let reading = reader.next();
    tokio::pin!(reading);
    let pong = tokio::select! {
        pong = server.next() => pong,
        event = &mut reading => panic!("{event:?}"),
    };
    assert_eq!(pong.expect("a message").expect("readable"), Message::Pong(Bytes::from_static(b"hm")));
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_hangs_is_given_up_in_time() {
    let (_listener, endpoint) = listen().await;
    assert_eq!(connect(&endpoint, &key(), WAIT).await.expect_err("no answer"), ConnectFailure::TimedOut);
}

#[tokio::test]
async fn a_refused_connection_is_an_error() {
    let (listener, endpoint) = listen().await;
    drop(listener);
    assert!(matches!(connect(&endpoint, &key(), WAIT).await, Err(ConnectFailure::Io(_))));
}

#[tokio::test]
async fn a_server_without_tls_is_an_error_where_tls_is_asked_for() {
    let (listener, plain) = listen().await;
    let server = async {
        let (mut tcp, _) = listener.accept().await.expect("a connection");
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("written");
    };
    let endpoint = ModelEndpoint { tls: true, ..plain };
    let key = key();
    let (client, ()) = tokio::join!(connect(&endpoint, &key, WAIT), server);
    assert!(matches!(client, Err(ConnectFailure::Io(_))));
}

#[tokio::test]
async fn a_key_that_would_break_the_header_is_refused_unseen() {
    let (_listener, endpoint) = listen().await;
    for broken in ["", "a\r\nHost: evil", "schlüssel"] {
        let failure = connect(&endpoint, &Secret::new(broken), WAIT).await.expect_err("refused");
        assert!(matches!(failure, ConnectFailure::Endpoint(_)));
    }
}

#[test]
fn plain_text_is_for_loopback_unless_it_is_allowed() {
    for loopback in ["ws://127.0.0.1:9", "ws://localhost", "ws://[::1]:80", "ws://127.8.8.8"] {
        assert!(ModelEndpoint::new(loopback, "v1beta", false).is_ok(), "{loopback}");
    }
    for remote in
        ["ws://10.0.0.1", "ws://model.example:80", "ws://localhost.example", "ws://127.0.0.1.example"]
    {
        let error = ModelEndpoint::new(remote, "v1beta", false).expect_err("refused");
        assert!(error.to_string().contains("use wss://"), "{error}");
        assert!(ModelEndpoint::new(remote, "v1beta", true).is_ok());
    }
}

#[test]
fn a_malformed_endpoint_is_refused_with_an_example() {
    let malformed =
        ["", "host", "http://h", "wss://", "wss://h:x", "wss://u@h", "wss://h/p", "wss://h?k=1", "ws://[::1"];
    for base in malformed {
        let error = ModelEndpoint::new(base, "v1beta", true).expect_err(base);
        assert!(error.to_string().contains("wss://HOST"), "{error}");
    }
    assert!(ModelEndpoint::new("wss://h", "v1/../x", false).is_err());
}
