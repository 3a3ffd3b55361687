use std::time::Duration;

use serde_json::{Value, json};

use super::client;
use super::*;
use crate::domain::Entropy;
use crate::voice::config::{SessionConfig, ToolDeclaration};
use crate::voice::traits::ModelTraits;
use crate::voice::transcript::{Speaker, TranscriptItem};

fn parse(message: Value) -> ServerMessage {
    parse_server_message(message.to_string().as_bytes()).expect("a readable message")
}

fn json_of(message: &str) -> Value {
    serde_json::from_str(message).expect("JSON")
}

fn config(model: &str) -> SessionConfig {
    let end_call = ToolDeclaration::end_call();
    let lookup =
        ToolDeclaration { name: "look_up".into(), blocking: false, parameters: None, ..end_call.clone() };
    SessionConfig { tools: vec![end_call, lookup], ..SessionConfig::new(model, "You are Mira.") }
}

fn setup_of(model: &str, handle: Option<&str>) -> Value {
    json_of(&client::setup(&config(model), ModelTraits::of(model), handle, false))["setup"].clone()
}

#[test]
fn the_setup_for_a_phone_call_is_what_the_reference_shows() {
    let config = SessionConfig {
        voice: Some("Kore".into()),
        language: Some("German".into()),
        tools: Vec::new(),
        ..config("gemini-3.8-live")
    };
    let setup = client::setup(&config, ModelTraits::of("gemini-3.8-live"), None, false);
    let voice = json!({ "voiceConfig": { "prebuiltVoiceConfig": { "voiceName": "Kore" } } });
    let expected = json!({ "setup": {
        "model": "models/gemini-3.8-live",
        "generationConfig": { "responseModalities": ["AUDIO"], "speechConfig": voice },
        "systemInstruction":
            { "parts": [{ "text": "You are Mira.\n\nSpeak German unless the caller asks otherwise." }] },
        "realtimeInputConfig": { "automaticActivityDetection": {
            "startOfSpeechSensitivity": "START_SENSITIVITY_HIGH", "endOfSpeechSensitivity": "END_SENSITIVITY_HIGH",
            "prefixPaddingMs": 100, "silenceDurationMs": 600 } },
        "inputAudioTranscription": {}, "outputAudioTranscription": {},
        "sessionResumption": {}, "contextWindowCompression": { "slidingWindow": {} },
    } });
    assert_eq!(json_of(&setup), expected);
}

#[test]
fn the_models_prefix_is_written_once() {
    for model in ["gemini-x", "models/gemini-x"] {
        assert_eq!(setup_of(model, None)["model"], "models/gemini-x");
    }
}

#[test]
fn a_resumed_session_names_its_handle() {
    assert_eq!(setup_of("gemini-x", Some("h-1"))["sessionResumption"], json!({ "handle": "h-1" }));
}

#[test]
fn a_tools_behavior_is_said_as_the_model_wants_it() {
    let said = |model: &str| {
        let declarations = setup_of(model, None)["tools"][0]["functionDeclarations"].clone();
        [0, 1].map(|n| declarations[n]["behavior"].as_str().unwrap_or("-").to_owned())
    };
    assert_eq!(said("gemini-3.8-live"), ["BLOCKING", "NON_BLOCKING"]);
    assert_eq!(said("gemini-unknown"), ["-", "NON_BLOCKING"]);
    assert_eq!(said("gemini-3.8-live-extended-thinking"), ["NON_BLOCKING", "NON_BLOCKING"]);
}

#[test]
fn the_thinking_model_is_told_its_level_and_no_other_is() {
    let level =
        |model: &str| setup_of(model, None)["generationConfig"]["thinkingConfig"]["thinkingLevel"].clone();
    assert_eq!(level("gemini-3.8-live-extended-thinking"), "LOW");
    assert_eq!(level("gemini-3.8-live"), Value::Null);
}

#[test]
fn schema_members_the_server_refuses_are_left_out_at_every_depth() {
    let mut config = config("gemini-3.8-live");
    let inner = json!({ "type": "object", "additionalProperties": false });
    config.tools[0].parameters = Some(json!({
        "$schema": "x", "type": "object", "additionalProperties": false,
        "properties": { "additionalProperties": inner, "list": { "type": "array", "items": inner } },
    }));
    let setup = json_of(&client::setup(&config, ModelTraits::of("gemini-3.8-live"), None, false));
    let plain = json!({ "type": "object" });
    assert_eq!(
        setup["setup"]["tools"][0]["functionDeclarations"][0]["parameters"],
        json!({ "type": "object",
            "properties": { "additionalProperties": plain, "list": { "type": "array", "items": plain } } })
    );
}

#[test]
fn a_history_is_context_that_ends_with_a_user_turn_and_wants_no_answer() {
    let said = |speaker, text: &str| TranscriptItem { speaker, text: text.into(), interrupted: false };
    let items = [said(Speaker::Caller, "Hello?"), said(Speaker::Model, "Good day.")];
    let content = json_of(&client::history(&items, "(so far)"))["clientContent"].clone();
    let roles: Vec<_> =
        content["turns"].as_array().expect("turns").iter().map(|t| t["role"].clone()).collect();
    assert_eq!(
        (roles, content["turnComplete"].clone()),
        (vec!["user".into(), "model".into(), "user".into()], false.into())
    );
}

#[test]
fn the_preview_model_gets_typed_input_where_others_get_a_user_turn() {
    let preview = client::speech_request("hi", ModelTraits::of("gemini-3.1-flash-live-preview"));
    assert_eq!(json_of(&preview), json!({ "realtimeInput": { "text": "hi" } }));
    let other = client::speech_request("hi", ModelTraits::of("gemini-3.8-live"));
    assert_eq!(json_of(&other)["clientContent"]["turnComplete"], true);
    let seeded = |model: &str| json_of(&client::setup(&config(model), ModelTraits::of(model), None, true));
    assert_eq!(
        seeded("gemini-3.1-flash-live-preview")["setup"]["historyConfig"]["initialHistoryInClientContent"],
        true
    );
    assert_eq!(seeded("gemini-3.8-live")["setup"]["historyConfig"], Value::Null);
}

#[test]
fn a_tool_response_holds_id_and_name_and_may_ask_for_silence() {
    let response = client::tool_response(Some("c-1"), "end_call", &json!({ "output": 1 }), true);
    let answer =
        json!({ "id": "c-1", "name": "end_call", "response": { "output": 1 }, "scheduling": "SILENT" });
    assert_eq!(json_of(&response), json!({ "toolResponse": { "functionResponses": [answer] } }));
}

#[test]
fn a_chunk_of_the_callers_voice_is_16_khz_pcm_and_reuses_the_callers_memory() {
    use base64::Engine;
    let samples: Vec<i16> = (0..320).map(|n| n * 101 - 16_000).collect();
    let mut message = String::from("old content");
    for length in [320, 0, 1, 97, 320] {
        uplink_audio_message(&samples[..length], &mut message);
        let audio = json_of(&message)["realtimeInput"]["audio"].clone();
        assert_eq!(audio["mimeType"], "audio/pcm;rate=16000");
        let data = audio["data"].as_str().expect("base64");
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).expect("valid base64");
        assert_eq!(bytes, samples[..length].iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>());
    }
    let memory = (message.as_ptr(), message.capacity());
    uplink_audio_message(&samples, &mut message);
    assert_eq!((message.as_ptr(), message.capacity()), memory);
}

#[test]
fn all_members_may_share_one_message() {
    let message = parse(json!({
        "setupComplete": { "sessionId": "s" },
        "serverContent": { "inputTranscription": { "text": " a" }, "outputTranscription": { "text": "b", "finished": true },
            "modelTurn": { "parts": [{ "inlineData": { "data": "AAAA" } }] },
            "generationComplete": true, "interrupted": true, "turnComplete": true, "turnCompleteReason": "OTHER" },
        "toolCall": { "functionCalls": [{ "id": "1", "name": "x", "args": { "k": 1 } }] },
        "toolCallCancellation": { "ids": ["1"] }, "goAway": { "timeLeft": "9.5s" },
        "sessionResumptionUpdate": { "newHandle": "h", "resumable": true },
        "usageMetadata": { "promptTokenCount": 7 }, "interactionStatus": "IDLE",
    }));
    let content = message.server_content.expect("content");
    assert!(content.generation_complete && content.interrupted && content.turn_complete);
    assert_eq!(content.input_transcription.and_then(|t| t.text).as_deref(), Some(" a"));
    assert_eq!(message.go_away.and_then(|g| g.time_left), Some(Duration::from_millis(9_500)));
    assert!(message.setup_complete.is_some() && message.tool_call.is_some());
    assert!(message.tool_call_cancellation.is_some() && message.session_resumption_update.is_some());
}

#[test]
fn odd_values_count_as_absent_and_do_not_spoil_the_message() {
    let message = parse(json!({
        "brandNew": [1, { "x": null }], "setupComplete": null, "toolCall": null,
        "serverContent": { "turnComplete": null, "generationComplete": "true", "interrupted": { "x": 1 },
            "turnCompleteReason": 7, "somethingElse": "NEW_ENUM", "modelTurn": { "role": 5, "parts": null } },
        "usageMetadata": { "promptTokenCount": "812", "responseTokenCount": -3, "totalTokenCount": 9.0,
            "promptTokensDetails": [null, { "modality": "AUDIO", "tokenCount": "5" }] },
        "goAway": { "timeLeft": "soon" },
    }));
    let content = message.server_content.expect("content");
    assert!(content.generation_complete && !content.turn_complete && !content.interrupted);
    let usage = message.usage_metadata.expect("usage");
    assert_eq!((usage.prompt_token_count, usage.response_token_count, usage.total_token_count), (812, 0, 9));
    assert_eq!(usage.prompt_tokens_details[0].token_count, 5);
    assert_eq!(message.go_away.expect("goAway").time_left, None);
}

#[test]
fn snake_case_and_the_clouds_names_are_understood() {
    let message = parse(json!({
        "server_content": { "turn_complete": true, "model_turn": { "parts": [{ "inline_data": { "mime_type": "audio/pcm", "data": "AAA=" } }] } },
        "usage_metadata": { "candidatesTokenCount": 4 }, "go_away": { "time_left": "50s" },
    }));
    assert!(message.server_content.expect("content").turn_complete);
    assert_eq!(message.usage_metadata.expect("usage").response_token_count, 4);
    assert_eq!(message.go_away.expect("goAway").time_left, Some(Duration::from_secs(50)));
}

#[test]
fn what_is_no_json_object_is_an_error_without_the_peers_bytes() {
    for garbage in ["", "[]", "[{}]", "null", "5", "\"x\"", "{", "{\"a\":", "hello", "{\"serverContent\":5}"]
    {
        assert!(parse_server_message(garbage.as_bytes()).is_err(), "{garbage}");
    }
    assert!(parse_server_message(b"{\"error\":{\"message\":\"\xff\xfe\"}}").is_err());
    assert_eq!(parse_server_message(b" {} "), Ok(ServerMessage::default()));
    let error = parse_server_message(b"{\"AIza-secret\" oops").expect_err("garbage");
    assert!(!error.to_string().contains("AIza"));
}

#[test]
fn an_odd_function_call_spoils_none_beside_it() {
    let odd = [json!(["x"]), json!("x"), json!(7), json!(null)];
    let calls = odd.map(|args| json!({ "id": "odd", "name": "create_lead", "args": args }));
    let calls =
        calls.into_iter().chain([json!("no call"), json!(null), json!({ "id": "good", "name": "a" })]);
    let message = parse(json!({ "toolCall": { "functionCalls": calls.collect::<Vec<_>>() } }));
    let calls = message.tool_call.expect("a tool call").function_calls;
    let ids: Vec<_> = calls.iter().map(|call| call.id.as_deref().unwrap_or_default()).collect();
    assert_eq!(ids, ["odd", "odd", "odd", "odd", "good"], "each that has an id can be answered");
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(
        parse_server_message(deep.as_bytes()),
        Ok(ServerMessage::default()),
        "skipped without recursion"
    );
    let args = format!("{{\"toolCall\":{{\"functionCalls\":[{{\"args\":{}}}]}}}}", "{\"a\":".repeat(10_000));
    assert!(parse_server_message(args.as_bytes()).is_err());
    let long = vec![b' '; server::MAX_MESSAGE_BYTES + 1];
    assert_eq!(parse_server_message(&long), Err(WireError::TooLong(long.len())));
}

#[test]
fn a_message_of_five_mebibytes_is_read() {
    let audio = "A".repeat(5 * 1024 * 1024);
    let message = parse(
        json!({ "serverContent": { "modelTurn": { "parts": [{ "inlineData": { "data": audio } }] } } }),
    );
    let turn = message.server_content.and_then(|content| content.model_turn).expect("a turn");
    assert_eq!(
        turn.parts[0].inline_data.as_ref().and_then(|d| d.data.as_ref()).map(Vec::len),
        Some(3 * 1024 * 1024 + 768 * 1024)
    );
}

const SAMPLES: [&str; 6] = [
    r#"{"setupComplete":{"sessionId":"s-1"}}"#,
    r#"{"serverContent":{"modelTurn":{"role":"model","parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AAD//w=="}},{"text":"hm","thought":true}]},"inputTranscription":{"text":" I need an"}}}"#,
    r#"{"serverContent":{"interrupted":true,"turnComplete":true,"turnCompleteReason":"BLOCKLIST","outputTranscription":{"text":"é","finished":true}},"usageMetadata":{"promptTokenCount":812,"totalTokenCount":"908","promptTokensDetails":[{"modality":"AUDIO","tokenCount":-1.5e300}]}}"#,
    r#"{"toolCall":{"functionCalls":[{"id":"call-7","name":"create_lead","args":{"name":"Ada","n":[1,{"a":null}]}},{"id":7}]}}"#,
    r#"{"goAway":{"timeLeft":"9.5s"},"sessionResumptionUpdate":{"newHandle":"h","resumable":true},"toolCallCancellation":{"ids":["a"]}}"#,
    r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"},"interactionStatus":"IDLE"}"#,
];

const SPLICES: [&str; 10] =
    ["{", "}", "[", "]", "null", "\"", "\\ud800", "1e999", "18446744073709551616", "\"serverContent\":"];

fn mutate(entropy: &mut Entropy) -> Vec<u8> {
    let pick = |entropy: &mut Entropy, bound: usize| entropy.below(bound as u64) as usize;
    let mut message = SAMPLES[pick(entropy, SAMPLES.len())].as_bytes().to_vec();
    for _ in 0..=pick(entropy, 4) {
        let place = pick(entropy, message.len() + 1);
        match pick(entropy, 5) {
            0 => message.truncate(place),
            1 => message.insert(place, entropy.next_u32() as u8),
            2 => drop(message.splice(place..place, SPLICES[pick(entropy, SPLICES.len())].bytes())),
            3 => drop(message.drain(place..(place + pick(entropy, 9)).min(message.len()))),
            _ => message.iter_mut().skip(place).take(1).for_each(|byte| *byte = entropy.next_u32() as u8),
        }
    }
    message
}

#[test]
fn two_hundred_thousand_mutated_messages_neither_panic_nor_get_stuck() {
    let mut entropy = Entropy::from_number(20_261_120);
    let mut downlink = crate::voice::Downlink::default();
    let mut readable = 0;
    for _ in 0..200_000 {
        if let Ok(mut message) = parse_server_message(&mutate(&mut entropy)) {
            downlink.on_message(&mut message);
            readable += 1;
        }
    }
    assert!(readable > 10_000, "the mutations must not only make garbage: {readable}");
}
