//! The side port: state out, faults in.

use serde_json::{Value, json};

use super::bench::{audio_message, setup};
use super::client::{Came, Client, http, quick_settings};
use crate::sandbox::model::{ModelServer, ModelSettings};

async fn server() -> (ModelServer, std::net::SocketAddr) {
    let settings = ModelSettings { side_listen: Some("127.0.0.1:0".parse().unwrap()), ..quick_settings() };
    let server = ModelServer::start(settings).await.unwrap();
    let side = server.side_address.unwrap();
    (server, side)
}

async fn get(side: std::net::SocketAddr, path: &str) -> Value {
    let (status, body) = http(side, "GET", path, "").await;
    assert_eq!(status, 200, "{path}");
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn the_setup_the_counters_and_the_audio_of_a_session_can_be_read() {
    let (server, side) = server().await;
    let mut client = Client::ready(server.address, "a-secret-key", &setup()).await;
    client.send(&audio_message(440.0, 0, 8_000)).await;
    server.until(|sessions| sessions[0].heard_ms == 500).await;
    let sessions = get(side, "/sessions").await;
    assert_eq!(sessions[0]["setup"], setup());
    assert!(!sessions.to_string().contains("a-secret-key"));
    assert_eq!(get(side, "/sessions/s-1").await["heard_ms"], 500);
    let (status, wav) = http(side, "GET", "/sessions/s-1/audio.wav", "").await;
    assert_eq!((status, wav.len(), &wav[..4]), (200, 44 + 16_000, b"RIFF".as_slice()));
    let projects = get(side, "/projects").await;
    let project = projects.as_object().unwrap().values().next().unwrap();
    assert_eq!((&project["open"], &project["peak"]), (&json!(1), &json!(1)));
    assert_eq!(get(side, "/health").await["ok"], true);
}

#[tokio::test]
async fn faults_can_be_set_for_the_next_connection_and_for_a_running_one() {
    let (server, side) = server().await;
    let mut client = Client::ready(server.address, "k", &setup()).await;
    let rules = json!([
        {"scope": {"session": "s-1"}, "fault": "close", "code": 1008, "reason": "x", "at": {"after_ms": 0}},
        {"scope": {"connection": 2}, "fault": "upgrade", "status": 503}]);
    let (status, body) = http(side, "POST", "/faults", &rules.to_string()).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    assert_eq!(client.next().await, Came::Closed(Some(1008), "x".into()));
    let refused = Client::connect(server.address, super::client::PATH, &[("x-goog-api-key", "k")]).await;
    assert_eq!(refused.err().unwrap().0, 503);
}

#[tokio::test]
async fn what_the_side_port_cannot_read_or_find_it_says_so() {
    let (_server, side) = server().await;
    for (method, path, body, status) in [
        ("POST", "/faults", "{", 400),
        ("POST", "/faults", r#"{"fault":"unheard_of"}"#, 400),
        ("POST", "/faults", r#"{"scope":{"session":"s-9"},"fault":"garbage"}"#, 404),
        ("GET", "/sessions/s-9", "", 404),
        ("DELETE", "/sessions", "", 404),
    ] {
        assert_eq!(http(side, method, path, body).await.0, status, "{method} {path} {body}");
    }
}
