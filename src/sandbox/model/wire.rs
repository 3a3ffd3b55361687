//! The messages the server sends, one function each.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::speech::RATE;

pub(super) fn setup_complete(session: &str) -> Value {
    json!({"setupComplete": {"sessionId": session}})
}

pub(super) fn audio(samples: &[i16]) -> Value {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let blob = json!({"mimeType": format!("audio/pcm;rate={RATE}"), "data": STANDARD.encode(bytes)});
    json!({"serverContent": {"modelTurn": {"role": "model", "parts": [{"inlineData": blob}]}}})
}

pub(super) fn heard(text: &str) -> Value {
    json!({"serverContent": {"inputTranscription": {"text": text}}})
}

pub(super) fn spoken(text: &str) -> Value {
    json!({"serverContent": {"outputTranscription": {"text": text}}})
}

pub(super) fn generation_complete() -> Value {
    json!({"serverContent": {"generationComplete": true}})
}

pub(super) fn interrupted() -> Value {
    json!({"serverContent": {"interrupted": true}})
}

pub(super) fn turn_complete(interaction_status: Option<&str>, usage: &Value) -> Value {
    let mut content = json!({"turnComplete": true});
    if let Some(status) = interaction_status {
        content["interactionStatus"] = status.into();
    }
    json!({"serverContent": content, "usageMetadata": usage})
}

pub(super) fn cancelled(ids: &[String]) -> Value {
    json!({"toolCallCancellation": {"ids": ids}})
}

pub(super) fn resumable(handle: &str) -> Value {
    json!({"sessionResumptionUpdate": {"newHandle": handle, "resumable": true}})
}

pub(super) fn not_resumable() -> Value {
    json!({"sessionResumptionUpdate": {"resumable": false}})
}

pub(super) fn go_away(time_left_ms: Option<u64>) -> Value {
    match time_left_ms {
        Some(ms) if ms % 1_000 == 0 => json!({"goAway": {"timeLeft": format!("{}s", ms / 1_000)}}),
        Some(ms) => json!({"goAway": {"timeLeft": format!("{}.{:03}s", ms / 1_000, ms % 1_000)}}),
        None => json!({"goAway": {}}),
    }
}

pub(super) fn voice_activity(kind: &str, offset_ms: u64) -> Value {
    let offset = format!("{}.{:03}s", offset_ms / 1_000, offset_ms % 1_000);
    json!({"voiceActivity": {"type": kind, "audioOffset": offset}})
}

/// A text in one to three fragments, each with its leading blank.
pub(super) fn fragments(text: &str) -> Vec<String> {
    const MOST: usize = 3;
    let words: Vec<&str> = text.split_whitespace().collect();
    let group = words.len().div_ceil(MOST).max(1);
    words.chunks(group).map(|words| words.iter().flat_map(|word| [" ", word]).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_put_together_are_the_text_again() {
        assert_eq!(fragments("tone 697 Hz"), [" tone", " 697", " Hz"]);
        assert_eq!(fragments("a b c d e f g").concat(), " a b c d e f g");
        assert!(fragments(" ").is_empty());
    }

    #[test]
    fn the_time_left_is_a_protobuf_duration() {
        assert_eq!(go_away(Some(50_000))["goAway"]["timeLeft"], "50s");
        assert_eq!(go_away(Some(9_500))["goAway"]["timeLeft"], "9.500s");
        assert_eq!(go_away(None), json!({"goAway": {}}));
    }
}
