//! A voice agent ("persona", SPEC G2): who the model plays in a call, as data.

use serde::{Deserialize, Serialize};

use super::{RecordingRule, VoiceAgentId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VoiceAgent {
    pub id: VoiceAgentId,
    pub name: String,
    /// The model's system instruction.
    pub instruction: String,
    /// What the model is asked to say first; empty: it waits for the person to speak.
    pub greeting: String,
    /// One of the model's prebuilt voices.
    pub voice: String,
    /// Empty: the engine's `voice.model`.
    pub model: String,
    /// BCP 47, as `en-US`.
    pub language: String,
    /// Names of the tools the model may call.
    pub tools: Vec<String>,
    pub limits: CallLimits,
    pub recording: RecordingRule,
}

/// What this persona allows a call; 0 means the engine's own setting decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallLimits {
    pub max_call_s: u64,
    pub silence_timeout_s: u64,
}

impl Default for VoiceAgent {
    fn default() -> Self {
        Self {
            id: VoiceAgentId::new("default"),
            name: "default".into(),
            instruction: "You are a friendly assistant on the telephone. Speak in short sentences, one question \
                          at a time, and say so when you do not know something. When the conversation is over, \
                          say goodbye and call end_call."
                .into(),
            greeting: "Greet the caller in one short sentence and ask how you can help.".into(),
            voice: "Kore".into(),
            model: String::new(),
            language: "en-US".into(),
            tools: vec!["end_call".into()],
            limits: CallLimits::default(),
            recording: RecordingRule::On,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persona_needs_to_say_only_what_differs_from_the_default() {
        let agent: VoiceAgent = serde_json::from_str(r#"{"id":"sales","voice":"Puck"}"#).unwrap();
        assert_eq!((agent.voice.as_str(), agent.language.as_str()), ("Puck", "en-US"));
        assert_eq!(agent.tools, ["end_call"]);
    }
}
