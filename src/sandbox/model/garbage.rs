//! A volley of messages that no client should have to see, and all should survive.

use serde_json::{Value, json};

use super::session::Frame;

pub(super) fn volley() -> Vec<Frame> {
    let binary = |bytes: &[u8]| Frame::Binary(bytes.to_vec());
    let audio = |data: &str, mime: &str| {
        let part = json!({"inlineData": {"mimeType": mime, "data": data}});
        Frame::Binary(json!({"serverContent": {"modelTurn": {"parts": [part]}}}).to_string().into_bytes())
    };
    vec![
        binary(b"this is not JSON"),
        binary(br#"{"serverContent":{"modelTurn":"#),
        binary(b"[1,2,3]"),
        binary(b"{}"),
        binary(b""),
        binary(&[0xff, 0xfe, 0x00, 0x80]),
        binary(br#"{"serverContent":null,"toolCall":null}"#),
        binary(br#"{"serverContent":{"turnCompleteReason":"SOMETHING_NEW"},"futureMember":[{"a":1}]}"#),
        Frame::Text(r#"{"serverContent":{}}"#.into()),
        audio("", "audio/pcm;rate=24000"),
        audio("%%%", "audio/pcm;rate=24000"),
    ]
}

/// The message with members nobody knows, at two depths.
pub(super) fn with_unknown_members(mut message: Value) -> Value {
    if let Some(inner) = message.get_mut("serverContent").and_then(Value::as_object_mut) {
        inner.insert("neverHeardOf".into(), json!({"deep": [null, 1.5, "x"]}));
    }
    if let Some(members) = message.as_object_mut() {
        members.insert("alsoNew".into(), json!("value"));
    }
    message
}
