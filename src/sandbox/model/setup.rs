//! What the conversation needs to know of a checked `setup`.

use serde_json::Value;

use super::models::{self, Model};
use super::refusal::Refusal;
use super::vad::{DULL_LEVEL, Detection, SENSITIVE_LEVEL};

#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) model: Model,
    /// `false`: a combination that the real model meets with silence.
    pub(super) is_answered: bool,
    pub(super) instruction: String,
    pub(super) declared: Vec<Declared>,
    /// `None`: the client brackets speech itself.
    pub(super) detection: Option<Detection>,
    pub(super) may_be_interrupted: bool,
    pub(super) input_transcript: bool,
    pub(super) output_transcript: bool,
    pub(super) wants_handles: bool,
    pub(super) handle: Option<String>,
    pub(super) compresses: bool,
    pub(super) first_content_is_history: bool,
    pub(super) wants_activity: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) blocking: bool,
}

impl Setup {
    pub(super) fn read(setup: &Value) -> Result<Self, Refusal> {
        let model = models::find(text_at(setup, "/model"))?;
        let voice =
            text_at(setup, "/generationConfig/speechConfig/voiceConfig/prebuiltVoiceConfig/voiceName");
        if !voice.is_empty() && !models::is_voice(voice) {
            return Err(Refusal::invalid(format!("Requested voice api_name '{voice}' is not available.")));
        }
        if let Some(modalities) = setup.pointer("/generationConfig/responseModalities")
            && modalities != &serde_json::json!(["AUDIO"])
        {
            return Err(Refusal::invalid_argument());
        }
        let handle = text_at(setup, "/sessionResumption/handle");
        Ok(Self {
            model,
            is_answered: models::answers(&model, setup)?,
            instruction: text_of(setup.get("systemInstruction")),
            declared: declared(setup, &model)?,
            detection: detection(setup),
            may_be_interrupted: text_at(setup, "/realtimeInputConfig/activityHandling") != "NO_INTERRUPTION",
            input_transcript: setup.get("inputAudioTranscription").is_some(),
            output_transcript: setup.get("outputAudioTranscription").is_some(),
            wants_handles: setup.get("sessionResumption").is_some(),
            handle: (!handle.is_empty()).then(|| handle.to_owned()),
            compresses: setup.get("contextWindowCompression").is_some(),
            first_content_is_history: flag_at(setup, "/historyConfig/initialHistoryInClientContent"),
            wants_activity: flag_at(setup, "/explicitVadSignal"),
        })
    }
}

fn text_at<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn flag_at(value: &Value, path: &str) -> bool {
    value.pointer(path).and_then(Value::as_bool).unwrap_or(false)
}

/// The text parts of a content, one after the other.
pub(super) fn text_of(content: Option<&Value>) -> String {
    let parts = content.and_then(|content| content.get("parts")?.as_array()).into_iter().flatten();
    parts.filter_map(|part| part.get("text")?.as_str()).collect()
}

fn detection(setup: &Value) -> Option<Detection> {
    let usual = Detection::default();
    let Some(asked) = setup.pointer("/realtimeInputConfig/automaticActivityDetection") else {
        return Some(usual);
    };
    if flag_at(asked, "/disabled") {
        return None;
    }
    let level =
        |path: &str| if text_at(asked, path).ends_with("_LOW") { DULL_LEVEL } else { SENSITIVE_LEVEL };
    let ms = |path: &str| {
        let value = asked.pointer(path)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    Some(Detection {
        start_level: level("/startOfSpeechSensitivity"),
        end_level: level("/endOfSpeechSensitivity"),
        prefix_ms: ms("/prefixPaddingMs").unwrap_or(usual.prefix_ms),
        silence_ms: ms("/silenceDurationMs").unwrap_or(usual.silence_ms),
    })
}

fn declared(setup: &Value, model: &Model) -> Result<Vec<Declared>, Refusal> {
    models::declarations(setup)
        .map(|declaration| {
            let name = text_at(declaration, "/name");
            let blocking = match text_at(declaration, "/behavior") {
                "BLOCKING" => true,
                "NON_BLOCKING" => false,
                _ => model.tools_block_by_default,
            };
            is_tool_name(name).then(|| Declared { name: name.to_owned(), blocking }).ok_or_else(|| {
                Refusal::invalid("Invalid function name. Must start with a letter or an underscore.")
            })
        })
        .collect()
}

const MAX_TOOL_NAME: usize = 128;

fn is_tool_name(name: &str) -> bool {
    let begins_well = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    begins_well
        && name.len() <= MAX_TOOL_NAME
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.:-".contains(letter))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(key: &str, value: &Value) -> Result<Setup, Refusal> {
        Setup::read(&json!({"model": "models/gemini-3.8-live", key: value}))
    }

    #[test]
    fn detection_follows_the_setup() {
        let asked = json!({"automaticActivityDetection": {"startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
            "prefixPaddingMs": 300, "silenceDurationMs": "1400"}});
        let detection = with("realtimeInputConfig", &asked).unwrap().detection.unwrap();
        assert_eq!(
            (detection.start_level, detection.prefix_ms, detection.silence_ms),
            (DULL_LEVEL, 300, 1_400)
        );
        let manual = json!({"automaticActivityDetection": {"disabled": true}});
        assert!(with("realtimeInputConfig", &manual).unwrap().detection.is_none());
    }

    #[test]
    fn an_unknown_voice_a_text_answer_and_a_bad_tool_name_are_refused() {
        let voice = json!({"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Hal"}}}});
        assert_eq!(with("generationConfig", &voice).unwrap_err().code, 1007);
        assert!(with("generationConfig", &json!({"responseModalities": ["TEXT"]})).is_err());
        assert!(with("tools", &json!([{"functionDeclarations": [{"name": "1st"}]}])).is_err());
    }

    #[test]
    fn a_tool_without_behaviour_follows_its_model() {
        let tools = json!([{"functionDeclarations": [{"name": "a"}, {"name": "b", "behavior": "BLOCKING"}]}]);
        let declared = with("tools", &tools).unwrap().declared;
        assert_eq!(declared.iter().map(|tool| tool.blocking).collect::<Vec<_>>(), [false, true]);
    }
}
