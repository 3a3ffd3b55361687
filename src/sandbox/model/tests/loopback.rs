//! Whole turns over a loopback websocket.

use serde_json::json;

use super::bench::{audio_message, kind, samples_in, setup, setup_with};
use super::client::{Came, Client, quick_settings};
use crate::sandbox::model::{Fault, Marker, ModelServer, Moment};

async fn server() -> ModelServer {
    ModelServer::start(quick_settings()).await.unwrap()
}

#[tokio::test]
async fn a_greeting_comes_as_marked_audio_in_40_ms_chunks() {
    let server = server().await;
    let mut client = Client::ready(server.address, "k", &setup()).await;
    client.send(&json!({"realtimeInput": {"text": "Greet the caller."}})).await;
    let messages = client.until("turnComplete").await;
    let audio: Vec<Vec<i16>> =
        messages.iter().map(samples_in).filter(|samples| !samples.is_empty()).collect();
    assert!(audio.len() == 25 && audio.iter().all(|chunk| chunk.len() == 960));
    let report = &server.sessions()[0];
    assert_eq!(Marker::tones_heard_in(&audio.concat(), 24_000), report.marker_hz);
}

#[tokio::test]
async fn two_sessions_never_share_a_marker() {
    let server = server().await;
    let mut clients = Vec::new();
    for _ in 0..12 {
        clients.push(Client::ready(server.address, "k", &setup()).await);
    }
    let mut markers: Vec<_> = server.sessions().iter().filter_map(|session| session.marker).collect();
    markers.sort_unstable();
    markers.dedup();
    assert_eq!(markers.len(), 12);
}

#[tokio::test]
async fn speech_interrupts_a_long_answer() {
    let mut settings = quick_settings();
    settings.timing.hold_turn_complete = true;
    let server = ModelServer::start(settings).await.unwrap();
    let mut client = Client::ready(server.address, "k", &setup()).await;
    client.send(&json!({"realtimeInput": {"text": "[speak 60000]"}})).await;
    client.until("modelTurn").await;
    client.send(&audio_message(440.0, 0, 3_200)).await;
    client.until("interrupted").await;
    let Came::Json(next) = client.next().await else { panic!() };
    assert_eq!(kind(&next), "turnComplete");
    assert_eq!(server.sessions()[0].interruptions, 1);
}

#[tokio::test]
async fn a_tool_call_is_answered_and_the_turn_goes_on() {
    let tools = json!([{"functionDeclarations": [{"name": "look_up", "behavior": "BLOCKING"}]}]);
    let server = server().await;
    let mut client = Client::ready(server.address, "k", &setup_with("tools", tools)).await;
    client.send(&json!({"realtimeInput": {"text": "[call look_up {\"q\":1}]"}})).await;
    let call = client.until("toolCall").await.pop().unwrap();
    let id = call["toolCall"]["functionCalls"][0]["id"].clone();
    let answer = json!({"id": id, "name": "look_up", "response": {"output": 42}});
    client.send(&json!({"toolResponse": {"functionResponses": [answer]}})).await;
    client.until("turnComplete").await;
    assert_eq!(server.sessions()[0].tool_calls[0].answer, Some(json!({"output": 42})));
}

#[tokio::test]
async fn a_handle_brings_the_history_back_on_a_new_connection() {
    let server = server().await;
    let mut client = Client::ready(server.address, "k", &setup()).await;
    client.send(&json!({"realtimeInput": {"text": "Greet the caller."}})).await;
    let update = client.until("handle").await.pop().unwrap();
    let handle = json!({"handle": update["sessionResumptionUpdate"]["newHandle"]});
    let resuming = setup_with("sessionResumption", handle);

    let mut too_early =
        Client::connect(server.address, super::client::PATH, &[("x-goog-api-key", "k")]).await.unwrap();
    too_early.send(&json!({"setup": resuming})).await;
    assert!(matches!(too_early.next().await, Came::Closed(Some(1011), _)), "the old connection still lives");

    client.close().await;
    server.until(|sessions| sessions.iter().all(|session| !session.open)).await;
    let _resumed = Client::ready(server.address, "k", &resuming).await;
    let sessions = server.sessions();
    assert!(sessions[2].resumed && sessions[2].history == sessions[0].history);
    assert_eq!(sessions[2].marker, sessions[0].marker);
}

#[tokio::test]
async fn a_client_may_come_back_with_its_handle_as_soon_as_it_was_closed() {
    let server = server().await;
    for (close, code) in [
        (Fault::Close { code: 1011, reason: String::new(), at: Moment::AfterMs(0) }, Some(1011)),
        (Fault::Cut { at: Moment::AfterMs(0) }, None),
    ] {
        let mut client = Client::ready(server.address, "k", &setup()).await;
        client.send(&json!({"realtimeInput": {"text": "Greet the caller."}})).await;
        let update = client.until("handle").await.pop().unwrap();
        let session = server.sessions().pop().unwrap().id;
        assert!(server.inject(&session, close));
        assert_eq!(client.next().await, Came::Closed(code, String::new()));
        let handle = json!({"handle": update["sessionResumptionUpdate"]["newHandle"]});
        Client::ready(server.address, "k", &setup_with("sessionResumption", handle)).await;
    }
}

#[tokio::test]
async fn an_injected_fault_ends_a_running_session() {
    let server = server().await;
    let mut client = Client::ready(server.address, "k", &setup()).await;
    let close =
        Fault::Close { code: 1011, reason: "Internal error occurred.".into(), at: Moment::AfterMs(0) };
    assert!(server.inject("s-1", close));
    assert_eq!(client.next().await, Came::Closed(Some(1011), "Internal error occurred.".into()));
    let mut client = Client::ready(server.address, "k", &setup()).await;
    assert!(server.inject("s-2", Fault::Cut { at: Moment::AfterMs(0) }));
    assert_eq!(client.next().await, Came::Closed(None, String::new()));
}

#[tokio::test]
async fn a_stopped_server_leaves_no_connection_behind() {
    let server = server().await;
    let mut client = Client::ready(server.address, "k", &setup()).await;
    server.stop().await;
    assert_eq!(client.next().await, Came::Closed(None, String::new()));
}
