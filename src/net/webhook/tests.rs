//! Against services on loopback sockets that behave as no service should.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;
use crate::domain::{Secret, new_sealing_key};

/// A service that takes one request and answers with these bytes, or never; it hands over what it was sent.
async fn service(answer: Option<Vec<u8>>) -> (u16, oneshot::Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut request = Vec::new();
        while !is_whole(&request) {
            assert_ne!(stream.read_buf(&mut request).await.expect("a request"), 0);
        }
        drop(tell.send(String::from_utf8(request).expect("text")));
        match answer {
            // The client may have read enough.
            Some(answer) => drop(stream.write_all(&answer).await),
            None => std::future::pending().await,
        }
    });
    (port, told)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn http(status: &str, body: &str) -> Option<Vec<u8>> {
    let length = body.len();
    Some(
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            .into_bytes(),
    )
}

fn webhook(url: String) -> Webhook {
    let body =
        json!({ "name": "check_stock", "description": "Looks.", "url": url, "headers": { "X-Shop": "7" } });
    serde_json::from_value(body).expect("a webhook")
}

fn hooks(sealing: Sealing, allow_private: bool) -> Webhooks {
    Webhooks::new(Handle::current(), sealing, allow_private).expect("a client")
}

async fn ask(hooks: &Webhooks, webhook: Webhook) -> Result<Value, String> {
    let (call, arguments) = (CallId::new("c1"), json!({ "item": "lamp" }));
    hooks.call(WebhookCall { webhook, call, id: "call-7".into(), arguments }).await
}

async fn answered(answer: Option<Vec<u8>>) -> Result<Value, String> {
    let (port, _request) = service(answer).await;
    let webhook = Webhook { timeout_ms: 2_000, ..webhook(format!("http://127.0.0.1:{port}/stock")) };
    ask(&hooks(Sealing::default(), true), webhook).await
}

#[tokio::test]
async fn the_service_gets_the_arguments_with_its_opened_secret_and_its_json_goes_to_the_model() {
    let key = new_sealing_key();
    let sealing = Sealing::new([&key]).expect("a key");
    let sealed = sealing.seal(&Secret::new("Bearer of-nobody"), clock::unix_time());
    let (port, request) = service(http("200 OK", r#"{"in_stock":3}"#)).await;
    let secret_headers = BTreeMap::from([("Authorization".to_owned(), sealed)]);
    let webhook = Webhook { secret_headers, ..webhook(format!("http://localhost:{port}/stock?shop=1")) };
    assert_eq!(ask(&hooks(sealing, true), webhook).await, Ok(json!({ "in_stock": 3 })));
    let request = request.await.expect("a request");
    assert!(request.starts_with("POST /stock?shop=1 HTTP/1.1\r\n"), "{request}");
    for sent in ["authorization: Bearer of-nobody", "x-shop: 7", "idempotency-key: c1/call-7"] {
        assert!(request.to_ascii_lowercase().contains(&sent.to_ascii_lowercase()), "{sent}: {request}");
    }
    assert!(
        request.ends_with(r#"{"arguments":{"item":"lamp"},"call_id":"c1","tool":"check_stock"}"#),
        "{request}"
    );
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_text_and_a_huge_one_is_cut() {
    assert_eq!(answered(http("200 OK", "three left")).await, Ok(json!({ "text": "three left" })));
    assert_eq!(answered(http("204 No Content", "")).await, Ok(Value::Null));
    let huge = answered(http("200 OK", &"x".repeat(5_000_000))).await.expect("the beginning");
    assert_eq!(huge["cut"], true);
    assert_eq!(huge["beginning"].as_str().map(str::len), Some(6_000));
}

#[tokio::test]
async fn a_service_that_fails_is_told_in_words() {
    for (answer, why) in [
        (http("500 Internal Server Error", "out of order"), "the service answered 500: out of order"),
        (http("404 Not Found", ""), "the service answered 404"),
        (http("302 Found\r\nLocation: http://127.0.0.1:9/", ""), "redirects are not followed"),
        (Some(b"\x00\x01 no HTTP at all\r\n\r\n".to_vec()), "broke"),
        (Some(Vec::new()), "broke"),
    ] {
        let told = answered(answer).await.expect_err(why);
        assert!(told.contains(why), "{told}");
    }
    let complaint = answered(http("500 Oops", &"x".repeat(100_000))).await.expect_err("it failed");
    assert!(complaint.len() < 600, "{}", complaint.len());
}

#[tokio::test]
async fn a_service_that_never_answers_or_is_not_there_is_given_up() {
    let (port, _request) = service(None).await;
    let slow = Webhook { timeout_ms: 100, ..webhook(format!("http://127.0.0.1:{port}/")) };
    let told = ask(&hooks(Sealing::default(), true), slow).await.expect_err("it never answers");
    assert_eq!(told, "the service did not answer within 100 ms");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let nobody = listener.local_addr().expect("an address");
    drop(listener);
    let told = ask(&hooks(Sealing::default(), true), webhook(format!("http://{nobody}/"))).await;
    assert_eq!(told, Err("the service cannot be reached".to_owned()));
}

#[tokio::test]
async fn no_address_of_ones_own_network_is_called_unless_that_is_allowed_however_it_is_written() {
    let (port, request) = service(http("200 OK", "{}")).await;
    for host in ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "10.0.0.1"]
    {
        let told = ask(&hooks(Sealing::default(), false), webhook(format!("http://{host}:{port}/"))).await;
        assert_eq!(told, Err(NOT_ALLOWED.to_owned()), "{host}");
    }
    let allowed = ask(&hooks(Sealing::default(), true), webhook(format!("http://127.0.0.1:{port}/"))).await;
    assert_eq!(allowed, Ok(json!({})), "the first request it got");
    assert!(request.await.is_ok());
}

#[tokio::test]
async fn a_secret_that_cannot_be_opened_is_not_sent_as_it_is() {
    let key = new_sealing_key();
    let sealed = Sealing::new([&key]).expect("a key").seal(&Secret::new("Bearer x"), clock::unix_time());
    let secret_headers = BTreeMap::from([("Authorization".to_owned(), sealed)]);
    let webhook = Webhook { secret_headers, ..webhook("http://127.0.0.1:9/".into()) };
    let told = ask(&hooks(Sealing::default(), true), webhook).await.expect_err("no key opens it");
    assert!(told.contains("Authorization") && !told.contains("dev-s-t-"), "{told}");
}
