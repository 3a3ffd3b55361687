//! What we say to the model's server: one JSON object a message, with exactly one member, in camelCase.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::voice::config::{Sensitivity, SessionConfig, ToolDeclaration, TurnTaking};
use crate::voice::traits::{BehaviorRule, ModelTraits, SpeechRequest};
use crate::voice::transcript::{Speaker, TranscriptItem};

/// The first message of every connection; a resumed session is set up in full again.
pub fn setup(config: &SessionConfig, traits: &ModelTraits, handle: Option<&str>, seeded: bool) -> String {
    let mut setup = json!({
        "model": format!("models/{}", config.model_id()),
        "generationConfig": generation(config, traits),
        "systemInstruction": { "parts": [{ "text": instruction(config) }] },
        "realtimeInputConfig": { "automaticActivityDetection": detection(&config.turn_taking) },
        // Directly under setup: inside generationConfig they are refused.
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
        "sessionResumption": handle.map_or(json!({}), |handle| json!({ "handle": handle })),
        "contextWindowCompression": { "slidingWindow": {} },
    });
    if !config.tools.is_empty() {
        let declarations: Vec<Value> = config.tools.iter().map(|tool| declaration(tool, traits)).collect();
        setup["tools"] = json!([{ "functionDeclarations": declarations }]);
    }
    if seeded && traits.speech_request == SpeechRequest::RealtimeText {
        setup["historyConfig"] = json!({ "initialHistoryInClientContent": true });
    }
    json!({ "setup": setup }).to_string()
}

fn generation(config: &SessionConfig, traits: &ModelTraits) -> Value {
    let mut generation = json!({ "responseModalities": ["AUDIO"] });
    if let Some(voice) = &config.voice {
        generation["speechConfig"] =
            json!({ "voiceConfig": { "prebuiltVoiceConfig": { "voiceName": voice } } });
    }
    if let Some(level) = traits.thinking_level {
        generation["thinkingConfig"] = json!({ "thinkingLevel": level });
    }
    generation
}

fn instruction(config: &SessionConfig) -> String {
    match &config.language {
        Some(language) => {
            format!("{}\n\nSpeak {language} unless the caller asks otherwise.", config.instruction)
        }
        None => config.instruction.clone(),
    }
}

fn detection(turns: &TurnTaking) -> Value {
    let level = |sensitivity| match sensitivity {
        Sensitivity::High => "HIGH",
        Sensitivity::Low => "LOW",
    };
    json!({
        "startOfSpeechSensitivity": format!("START_SENSITIVITY_{}", level(turns.start_sensitivity)),
        "endOfSpeechSensitivity": format!("END_SENSITIVITY_{}", level(turns.end_sensitivity)),
        "prefixPaddingMs": turns.prefix_padding_ms,
        "silenceDurationMs": turns.silence_ms,
    })
}

fn declaration(tool: &ToolDeclaration, traits: &ModelTraits) -> Value {
    let mut declaration = json!({ "name": tool.name, "description": tool.description });
    if let Some(parameters) = &tool.parameters {
        declaration["parameters"] = accepted_schema(parameters);
    }
    let behavior = match (traits.behavior, tool.blocking) {
        (BehaviorRule::Explicit, true) => Some("BLOCKING"),
        (BehaviorRule::OnlyNonBlocking, true) => None,
        (BehaviorRule::NeverBlocking, _) | (_, false) => Some("NON_BLOCKING"),
    };
    if let Some(behavior) = behavior {
        declaration["behavior"] = behavior.into();
    }
    declaration
}

/// `parameters` takes a subset of JSON schema; these members close the connection with 1007.
const REFUSED_IN_PARAMETERS: [&str; 2] = ["additionalProperties", "$schema"];

fn accepted_schema(schema: &Value) -> Value {
    let Some(members) = schema.as_object() else { return schema.clone() };
    let kept = members.iter().filter(|(name, _)| !REFUSED_IN_PARAMETERS.contains(&name.as_str()));
    let accepted = kept.map(|(name, value)| match (name.as_str(), value.as_object()) {
        // Below `properties` the names are the tool's own, not the schema's.
        ("properties", Some(properties)) => {
            let inner = properties.iter().map(|(name, value)| (name.clone(), accepted_schema(value)));
            (name.clone(), Value::Object(inner.collect()))
        }
        ("items", Some(_)) => (name.clone(), accepted_schema(value)),
        _ => (name.clone(), value.clone()),
    });
    Value::Object(accepted.collect::<Map<_, _>>())
}

/// Asks the model to speak now.
pub fn speech_request(text: &str, traits: &ModelTraits) -> String {
    match traits.speech_request {
        SpeechRequest::ClientContent => json!({ "clientContent": {
            "turns": [{ "role": "user", "parts": [{ "text": text }] }], "turnComplete": true,
        } })
        .to_string(),
        SpeechRequest::RealtimeText => typed_input(text),
    }
}

/// What the caller did other than speak; counts as the caller's activity.
pub fn typed_input(text: &str) -> String {
    json!({ "realtimeInput": { "text": text } }).to_string()
}

/// An earlier conversation as context; the model waits. It ends with a user turn, as some models demand.
pub fn history(items: &[TranscriptItem], closing_note: &str) -> String {
    let turn = |role: &str, text: &str| json!({ "role": role, "parts": [{ "text": text }] });
    let role = |speaker| match speaker {
        Speaker::Caller => "user",
        Speaker::Model => "model",
    };
    let spoken = items.iter().map(|item| turn(role(item.speaker), &item.text));
    let turns: Vec<Value> = spoken.chain([turn("user", closing_note)]).collect();
    json!({ "clientContent": { "turns": turns, "turnComplete": false } }).to_string()
}

/// The answer to one call. `silent` is for models that would otherwise talk about it.
pub fn tool_response(id: Option<&str>, name: &str, response: &Value, silent: bool) -> String {
    let mut answer = json!({ "name": name, "response": response });
    if let Some(id) = id {
        answer["id"] = id.into();
    }
    if silent {
        answer["scheduling"] = "SILENT".into();
    }
    json!({ "toolResponse": { "functionResponses": [answer] } }).to_string()
}

/// The source pauses (hold, mute): what is buffered is the caller's whole turn.
pub const AUDIO_STREAM_END: &str = r#"{"realtimeInput":{"audioStreamEnd":true}}"#;

const AUDIO_HEAD: &str = r#"{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":""#;
const AUDIO_TAIL: &str = r#""}}}"#;
/// A multiple of three bytes, so that the pieces' base64 joins without padding between them.
const SAMPLES_PER_PIECE: usize = 96;

/// One chunk of the caller's voice; replaces what is in `out`, whose memory is used again.
pub fn uplink_audio_message(pcm_16k: &[i16], out: &mut String) {
    out.clear();
    out.push_str(AUDIO_HEAD);
    for samples in pcm_16k.chunks(SAMPLES_PER_PIECE) {
        let mut bytes = [0; 2 * SAMPLES_PER_PIECE];
        for (place, sample) in bytes.chunks_exact_mut(2).zip(samples) {
            place.copy_from_slice(&sample.to_le_bytes());
        }
        STANDARD.encode_string(&bytes[..2 * samples.len()], out);
    }
    out.push_str(AUDIO_TAIL);
}
