use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::voice::parse_server_message;

fn feed(downlink: &mut Downlink, message: Value) -> (DownlinkStep, ServerMessage) {
    let mut message = parse_server_message(message.to_string().as_bytes()).expect("a readable message");
    let step = downlink.on_message(&mut message);
    (step, message)
}

fn content(members: Value) -> Value {
    json!({ "serverContent": members })
}

fn audio_as(mime_type: &str, bytes: &[u8]) -> Value {
    let data = json!({ "mimeType": mime_type, "data": STANDARD.encode(bytes) });
    content(json!({ "modelTurn": { "role": "model", "parts": [{ "inlineData": data }] } }))
}

fn audio(bytes: &[u8]) -> Value {
    audio_as("audio/pcm;rate=24000", bytes)
}

fn played(step: &DownlinkStep) -> Vec<u8> {
    step.audio.iter().flat_map(|chunk| chunk.pcm.clone()).collect()
}

#[test]
fn audio_is_played_and_only_the_first_of_a_turn_reaches_the_session() {
    let mut downlink = Downlink::default();
    let (first, message) = feed(&mut downlink, audio(&[1, 2, 3, 4]));
    assert_eq!(first.audio, [AudioChunk { pcm: vec![1, 2, 3, 4], rate_hz: 24_000 }]);
    assert!(first.control && message.audio_started);
    let (second, message) = feed(&mut downlink, audio(&[5, 6]));
    assert_eq!((played(&second), second.control), (vec![5, 6], false));
    assert_eq!(message, ServerMessage::default());
}

#[test]
fn the_rate_is_read_from_the_mime_type_and_24_khz_when_it_does_not_say() {
    let mut downlink = Downlink::default();
    let rates = [
        ("audio/pcm;rate=16000", 16_000),
        ("audio/pcm; rate=8000", 8_000),
        ("audio/pcm", 24_000),
        ("audio/pcm;rate=0", 24_000),
        ("audio/pcm;rate=4000000000", 24_000),
        ("audio/pcm;codec=x;rate=48000", 48_000),
    ];
    for (mime, rate_hz) in rates {
        assert_eq!(feed(&mut downlink, audio_as(mime, &[0, 0])).0.audio[0].rate_hz, rate_hz, "{mime}");
    }
}

#[test]
fn a_sample_cut_between_two_chunks_is_joined() {
    let mut downlink = Downlink::default();
    assert_eq!(played(&feed(&mut downlink, audio(&[1, 2, 3])).0), [1, 2]);
    assert_eq!(played(&feed(&mut downlink, audio(&[4, 5])).0), [3, 4]);
    feed(&mut downlink, content(json!({ "interrupted": true, "turnComplete": true })));
    assert_eq!(played(&feed(&mut downlink, audio(&[7, 8])).0), [7, 8]);
}

#[test]
fn broken_base64_is_counted_and_unpadded_or_url_safe_base64_is_read() {
    let mut downlink = Downlink::default();
    let with = |data: &str| {
        content(
            json!({ "modelTurn": { "parts": [null, { "inlineData": { "data": data } }, { "text": "hm" }] } }),
        )
    };
    assert_eq!(feed(&mut downlink, with("%%%")).0.bad_audio, 1);
    assert_eq!(played(&feed(&mut downlink, with("-_8")).0), [0xfb, 0xff]);
    assert_eq!(played(&feed(&mut downlink, with("")).0), [0_u8; 0]);
}

#[test]
fn an_interruption_flushes_and_stale_audio_is_discarded_until_the_turn_is_complete() {
    let mut downlink = Downlink::default();
    feed(&mut downlink, audio(&[1, 1]));
    let (step, _) = feed(&mut downlink, content(json!({ "interrupted": true })));
    assert!(step.flush && step.control);
    assert_eq!(played(&feed(&mut downlink, audio(&[2, 2])).0), [0_u8; 0]);
    feed(&mut downlink, content(json!({ "interrupted": true })));
    assert_eq!(played(&feed(&mut downlink, audio(&[2, 2])).0), [0_u8; 0]);
    assert!(feed(&mut downlink, content(json!({ "turnComplete": true }))).0.end_of_turn);
    let (step, message) = feed(&mut downlink, audio(&[3, 3]));
    assert_eq!((played(&step), message.audio_started), (vec![3, 3], true));
}

#[test]
fn audio_in_the_interrupting_message_itself_is_stale() {
    let mut downlink = Downlink::default();
    let mut message = audio(&[1, 1]);
    message["serverContent"]["interrupted"] = true.into();
    let (step, message) = feed(&mut downlink, message);
    assert!(step.flush && step.audio.is_empty() && !message.audio_started);
}

#[test]
fn without_a_turn_complete_new_words_of_the_caller_end_the_discarding() {
    let mut downlink = Downlink::default();
    feed(&mut downlink, audio(&[1, 1]));
    feed(&mut downlink, content(json!({ "interrupted": true, "inputTranscription": { "text": " wait" } })));
    assert_eq!(played(&feed(&mut downlink, audio(&[2, 2])).0), [0_u8; 0]);
    feed(&mut downlink, content(json!({ "inputTranscription": { "text": " a moment" } })));
    assert_eq!(played(&feed(&mut downlink, audio(&[3, 3])).0), [3, 3]);
}

#[test]
fn with_neither_the_call_is_deaf_for_two_seconds_of_audio_at_most() {
    let mut downlink = Downlink::default();
    feed(&mut downlink, audio(&[1, 1]));
    feed(&mut downlink, content(json!({ "interrupted": true })));
    let second = vec![0; 48_000];
    let heard: Vec<bool> = (0..4).map(|_| !feed(&mut downlink, audio(&second)).0.audio.is_empty()).collect();
    assert_eq!(heard, [false, false, true, true]);
}

#[test]
fn an_interruption_between_turns_does_not_swallow_the_answer() {
    let mut downlink = Downlink::default();
    assert!(feed(&mut downlink, content(json!({ "interrupted": true }))).0.flush);
    assert_eq!(played(&feed(&mut downlink, audio(&[1, 1])).0), [1, 1]);
}

#[test]
fn an_interruption_after_the_generation_is_complete_still_flushes() {
    let mut downlink = Downlink::default();
    feed(&mut downlink, audio(&[1, 1]));
    assert!(feed(&mut downlink, content(json!({ "generationComplete": true }))).0.end_of_turn);
    assert!(feed(&mut downlink, content(json!({ "interrupted": true }))).0.flush);
}

#[test]
fn a_stray_frame_after_a_tool_call_is_played_as_part_of_the_turn() {
    let mut downlink = Downlink::default();
    feed(&mut downlink, audio(&[1, 1]));
    let (step, _) =
        feed(&mut downlink, json!({ "toolCall": { "functionCalls": [{ "id": "a", "name": "b" }] } }));
    assert!(!step.flush && !step.end_of_turn && step.control);
    let (step, message) = feed(&mut downlink, audio(&[2, 2]));
    assert_eq!((played(&step), message.audio_started), (vec![2, 2], false));
}
