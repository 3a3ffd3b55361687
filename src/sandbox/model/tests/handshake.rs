//! Upgrades and setups over a loopback websocket: who gets in, and in which words others do not.

use serde_json::{Value, json};

use super::bench::{setup, setup_with};
use super::client::{Came, Client, PATH, http, quick_settings};
use crate::sandbox::model::{
    Fault, FaultRule, KeyFailure, KnownKey, KnownKeys, ModelServer, ModelSettings, Scope, UnknownKey,
};

async fn server(keys: Vec<KnownKey>) -> ModelServer {
    ModelServer::start(ModelSettings { keys: KnownKeys::List(keys), ..quick_settings() }).await.unwrap()
}

fn failing(key: &str, failure: KeyFailure) -> KnownKey {
    KnownKey { failure: Some(failure), ..KnownKey::new(key) }
}

async fn refusal(server: &ModelServer, key: &str) -> (u16, Value) {
    let refused = Client::connect(server.address, PATH, &[("x-goog-api-key", key)]).await;
    refused.err().expect("the key must be refused")
}

async fn closed_after_setup(server: &ModelServer, setup: &Value) -> (Option<u16>, String) {
    let mut client = Client::connect(server.address, PATH, &[("x-goog-api-key", "good")]).await.unwrap();
    client.send(&json!({"setup": setup})).await;
    match client.next().await {
        Came::Closed(code, reason) => (code, reason),
        Came::Json(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_key_is_taken_from_the_header_and_from_the_query() {
    let server = server(vec![KnownKey::new("good")]).await;
    let by_query = format!("{PATH}?key=good");
    let alpha = by_query.replace("v1beta", "v1alpha");
    for (target, headers) in
        [(PATH, vec![("x-goog-api-key", "good")]), (by_query.as_str(), vec![]), (alpha.as_str(), vec![])]
    {
        assert!(Client::connect(server.address, target, &headers).await.is_ok(), "{target}");
    }
}

#[tokio::test]
async fn a_token_is_taken_on_the_constrained_method_only() {
    let server = ModelServer::start(quick_settings()).await.unwrap();
    let constrained = format!("{PATH}Constrained");
    let by_header = [("authorization", "Token auth_tokens/t")];
    assert!(Client::connect(server.address, &constrained, &by_header).await.is_ok());
    let by_query = format!("{constrained}?access_token=auth_tokens/t");
    assert!(Client::connect(server.address, &by_query, &[]).await.is_ok());
    assert_eq!(Client::connect(server.address, PATH, &by_header).await.err().unwrap().0, 403);
}

#[tokio::test]
async fn refusals_at_the_upgrade_carry_googles_error() {
    let keys = vec![
        failing("denied", KeyFailure::Denied),
        failing("quota", KeyFailure::Quota),
        failing("down", KeyFailure::Unavailable),
    ];
    let server = server(keys).await;
    for (key, status, name) in [
        ("unknown", 400, "INVALID_ARGUMENT"),
        ("denied", 403, "PERMISSION_DENIED"),
        ("quota", 429, "RESOURCE_EXHAUSTED"),
        ("down", 503, "UNAVAILABLE"),
    ] {
        let (got, body) = refusal(&server, key).await;
        assert_eq!((got, body["error"]["status"].as_str()), (status, Some(name)), "{key}");
    }
    let (_, body) = refusal(&server, "unknown").await;
    assert_eq!(body["error"]["message"], "API key not valid. Please pass a valid API key.");
    assert_eq!(body["error"]["details"][0]["reason"], "API_KEY_INVALID");
}

#[tokio::test]
async fn a_missing_key_and_a_wrong_path_are_told_apart() {
    let server = server(vec![]).await;
    assert_eq!(Client::connect(server.address, PATH, &[]).await.err().unwrap().0, 403);
    let wrong = Client::connect(server.address, "/ws/other", &[]).await.err().unwrap();
    assert_eq!((wrong.0, wrong.1["error"]["status"].as_str()), (404, Some("NOT_FOUND")));
    assert_eq!(http(server.address, "GET", PATH, "").await.0, 400);
}

#[tokio::test]
async fn an_unknown_key_may_be_refused_only_after_the_setup_and_a_leaked_one_before() {
    let settings = ModelSettings {
        keys: KnownKeys::List(vec![failing("leaked", KeyFailure::Leaked)]),
        unknown_key: UnknownKey::AfterSetup,
        ..quick_settings()
    };
    let server = ModelServer::start(settings).await.unwrap();
    let (code, reason) = closed_after_setup(&server, &setup()).await;
    assert_eq!((code, reason.starts_with("API key not valid")), (Some(1007), true));
    let mut leaked = Client::connect(server.address, PATH, &[("x-goog-api-key", "leaked")]).await.unwrap();
    let Came::Closed(code, reason) = leaked.next().await else { panic!() };
    assert_eq!((code, reason.contains("leaked")), (Some(1008), true));
}

#[tokio::test]
async fn keys_of_one_project_share_its_cap_and_a_closed_session_frees_its_place() {
    let shared = |key| KnownKey { project: Some("p".into()), cap: Some(1), ..KnownKey::new(key) };
    let server = server(vec![shared("a"), shared("b")]).await;
    let first = Client::ready(server.address, "a", &setup()).await;
    assert_eq!(refusal(&server, "b").await.0, 429);
    first.close().await;
    server.until(|sessions| sessions.iter().all(|session| !session.open)).await;
    Client::ready(server.address, "b", &setup()).await;
}

#[tokio::test]
async fn bad_setups_are_closed_in_googles_words() {
    let server = server(vec![KnownKey::new("good")]).await;
    let cases = [
        (
            setup_with("toolConfig", json!({})),
            1007,
            "Invalid JSON payload received. Unknown name \"toolConfig\"",
        ),
        (setup_with("model", json!("models/gone")), 1008, "models/gone is not found for API version v1beta"),
        (
            setup_with("realtimeInputConfig", json!({"turnCoverage": "SOME"})),
            1007,
            "Invalid value at 'setup.realtime_input_config.turn_coverage'",
        ),
        (
            setup_with("generationConfig", json!({"enableAffectiveDialog": true})),
            1007,
            "Request contains an invalid argument.",
        ),
    ];
    for (setup, code, reason) in cases {
        let (got, text) = closed_after_setup(&server, &setup).await;
        assert!(got == Some(code) && text.starts_with(reason), "{got:?} {text}");
    }
}

#[tokio::test]
async fn one_key_can_fail_while_another_works() {
    let rule = FaultRule { scope: Scope::for_key("a"), fault: Fault::Upgrade { status: 503 }, times: None };
    let server = ModelServer::start(ModelSettings { faults: vec![rule], ..quick_settings() }).await.unwrap();
    assert_eq!(refusal(&server, "a").await.0, 503);
    Client::ready(server.address, "b", &setup()).await;
}

#[tokio::test]
async fn the_nth_connection_can_be_refused_while_others_pass() {
    let faults = vec![FaultRule::for_connection(1, Fault::Upgrade { status: 401 })];
    let server = ModelServer::start(ModelSettings { faults, ..quick_settings() }).await.unwrap();
    let (status, body) = refusal(&server, "k").await;
    assert_eq!((status, body["error"]["status"].as_str()), (401, Some("UNAUTHENTICATED")));
    Client::ready(server.address, "k", &setup()).await;
}
