//! A checked client message as the conversation understands it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::refusal::{INVALID, Refusal};
use super::report::HistoryLine;
use super::setup::text_of;
use super::strict;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message {
    Setup(Value),
    Audio { samples: Vec<i16>, rate: u32 },
    Video,
    Text(String),
    ActivityStart,
    ActivityEnd,
    AudioStreamEnd,
    Content { lines: Vec<HistoryLine>, turn_complete: bool },
    ToolResponses(Vec<ToolResponse>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToolResponse {
    pub(super) id: String,
    pub(super) response: Value,
    pub(super) scheduling: Scheduling,
    pub(super) more_follow: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheduling {
    Interrupt,
    WhenIdle,
    Silent,
}

/// What a declaration of the rate may say.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=96_000;
/// A declaration without a rate is taken for this one, and misheard if that is wrong.
const DEFAULT_RATE: u32 = 16_000;

impl Message {
    pub(super) fn read(frame: &[u8]) -> Result<Self, Refusal> {
        let (kind, body) = strict::read(frame)?;
        match (kind.as_str(), body) {
            ("setup", setup) => Ok(Self::Setup(setup)),
            ("realtimeInput", Value::Object(members)) => realtime_input(members),
            ("clientContent", body) => client_content(&body),
            (_, body) => tool_responses(&body),
        }
    }
}

fn realtime_input(members: Map<String, Value>) -> Result<Message, Refusal> {
    if members.len() > 1 {
        return Err(Refusal::invalid_argument());
    }
    let (name, value) = members.into_iter().next().ok_or_else(Refusal::not_enabled)?;
    match (name.as_str(), value) {
        ("audio", blob) => audio(&blob),
        ("video", _) => Ok(Message::Video),
        ("text", Value::String(text)) => Ok(Message::Text(text)),
        ("activityStart", _) => Ok(Message::ActivityStart),
        ("activityEnd", _) => Ok(Message::ActivityEnd),
        ("audioStreamEnd", _) => Ok(Message::AudioStreamEnd),
        _ => Err(Refusal::new(
            INVALID,
            "realtime_input.media_chunks is deprecated. Use audio, video, or text instead.",
        )),
    }
}

fn audio(blob: &Value) -> Result<Message, Refusal> {
    let member = |name: &str| blob.get(name).and_then(Value::as_str).unwrap_or_default();
    let bytes = STANDARD.decode(member("data")).map_err(|_| {
        Refusal::invalid("Invalid value at 'realtime_input.audio.data' (TYPE_BYTES), Base64 decoding failed")
    })?;
    let (pairs, rest) = bytes.as_chunks::<2>();
    let rate = declared_rate(member("mimeType")).filter(|_| rest.is_empty());
    let rate = rate.ok_or_else(Refusal::invalid_argument)?;
    Ok(Message::Audio { samples: pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect(), rate })
}

fn declared_rate(mime_type: &str) -> Option<u32> {
    let mut parts = mime_type.split(';').map(str::trim);
    if parts.next() != Some("audio/pcm") {
        return None;
    }
    let declared = parts.find_map(|part| part.strip_prefix("rate="));
    let rate = declared.map_or(Some(DEFAULT_RATE), |rate| rate.parse().ok());
    rate.filter(|rate| RATES.contains(rate))
}

fn client_content(body: &Value) -> Result<Message, Refusal> {
    let turns = body.get("turns").and_then(Value::as_array).into_iter().flatten();
    let lines = turns.map(history_line).collect::<Result<_, _>>()?;
    let turn_complete = body.get("turnComplete").and_then(Value::as_bool).unwrap_or(false);
    Ok(Message::Content { lines, turn_complete })
}

fn history_line(turn: &Value) -> Result<HistoryLine, Refusal> {
    let mut parts = turn.get("parts").and_then(Value::as_array).into_iter().flatten();
    if parts.any(|part| part.get("functionCall").is_some() || part.get("functionResponse").is_some()) {
        return Err(Refusal::invalid_argument());
    }
    match turn.get("role").and_then(Value::as_str) {
        Some("user") | None => Ok(HistoryLine::user(text_of(Some(turn)))),
        Some("model") => Ok(HistoryLine::model(text_of(Some(turn)))),
        Some(_) => Err(Refusal::invalid("Please use a valid role: user, model.")),
    }
}

fn tool_responses(body: &Value) -> Result<Message, Refusal> {
    let responses = body.get("functionResponses").and_then(Value::as_array).into_iter().flatten();
    responses.map(tool_response).collect::<Result<_, _>>().map(Message::ToolResponses)
}

fn tool_response(given: &Value) -> Result<ToolResponse, Refusal> {
    let id = given.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
    let response = given.get("response").cloned().unwrap_or(Value::Null);
    let (Some(id), true) = (id, response.is_object() || response.is_null()) else {
        return Err(Refusal::invalid_argument());
    };
    // The schema puts it beside the response, the guides inside; both were seen to work.
    let scheduling = given.get("scheduling").or_else(|| response.get("scheduling")).and_then(Value::as_str);
    let scheduling = match scheduling {
        Some("INTERRUPT") => Scheduling::Interrupt,
        Some("SILENT") => Scheduling::Silent,
        _ => Scheduling::WhenIdle,
    };
    let more_follow = given.get("willContinue").and_then(Value::as_bool).unwrap_or(false);
    Ok(ToolResponse { id: id.to_owned(), response, scheduling, more_follow })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> u16 {
        Message::read(text.as_bytes()).unwrap_err().code
    }

    #[test]
    fn realtime_input_holds_exactly_one_member() {
        assert_eq!(refused(r#"{"realtimeInput":{}}"#), 1008);
        assert_eq!(refused(r#"{"realtimeInput":{"text":"a","audioStreamEnd":true}}"#), 1007);
        assert_eq!(refused(r#"{"realtimeInput":{"mediaChunks":[]}}"#), 1007);
    }

    #[test]
    fn audio_is_read_at_its_declared_rate() {
        let audio = |mime: &str, data: &str| {
            let text = format!(r#"{{"realtimeInput":{{"audio":{{"data":"{data}","mimeType":"{mime}"}}}}}}"#);
            Message::read(text.as_bytes())
        };
        let heard = |rate| Message::Audio { samples: vec![1, -2], rate };
        assert_eq!(audio("audio/pcm;rate=8000", "AQD+/w==").unwrap(), heard(8_000));
        assert_eq!(audio("audio/pcm; rate=24000", "AQD+/w==").unwrap(), heard(24_000));
        assert_eq!(audio("audio/pcm", "AQD+/w==").unwrap(), heard(16_000));
        for (mime, data) in
            [("audio/pcm;rate=0", "AQD+/w=="), ("audio/opus", "AQD+/w=="), ("audio/pcm", "AQD+")]
        {
            assert_eq!(audio(mime, data).unwrap_err().code, 1007, "{mime} {data}");
        }
        assert!(audio("audio/pcm", "%%").unwrap_err().reason.contains("Base64"));
    }

    #[test]
    fn history_has_two_roles_and_no_tool_parts() {
        let content = |turn: &str| format!(r#"{{"clientContent":{{"turns":[{turn}],"turnComplete":true}}}}"#);
        assert_eq!(refused(&content(r#"{"role":"system","parts":[{"text":"x"}]}"#)), 1007);
        assert_eq!(refused(&content(r#"{"role":"user","parts":[{"functionCall":{}}]}"#)), 1007);
        let seeded =
            Message::read(content(r#"{"role":"model","parts":[{"text":"a"},{"text":"b"}]}"#).as_bytes());
        let lines = vec![HistoryLine::model("ab")];
        assert_eq!(seeded.unwrap(), Message::Content { lines, turn_complete: true });
    }

    #[test]
    fn scheduling_is_read_beside_and_inside_the_response() {
        for answer in [
            r#"{"id":"c","response":{},"scheduling":"SILENT"}"#,
            r#"{"id":"c","response":{"scheduling":"SILENT"}}"#,
        ] {
            let text = format!(r#"{{"toolResponse":{{"functionResponses":[{answer}]}}}}"#);
            let Message::ToolResponses(answers) = Message::read(text.as_bytes()).unwrap() else { panic!() };
            assert_eq!(answers[0].scheduling, Scheduling::Silent);
        }
        assert_eq!(refused(r#"{"toolResponse":{"functionResponses":[{"name":"x","response":{}}]}}"#), 1007);
    }
}
