//! A voice agent ("persona", SPEC G2): who the model plays in a call, as data.

use serde::{Deserialize, Serialize};

use super::field_problem::Problems;
use super::{FieldProblem, RecordingRule, VoiceAgentId, Webhook};

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
    /// Tools that are web services of the operator's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Webhook>,
    pub limits: CallLimits,
    pub recording: RecordingRule,
}

const WEBHOOKS_MAX: usize = 20;

impl VoiceAgent {
    pub fn webhook_problems(&self) -> Vec<FieldProblem> {
        let mut problems = Problems::default();
        let many = "has more than the 20 webhooks that are allowed";
        problems.add_unless(self.webhooks.len() <= WEBHOOKS_MAX, "webhooks", many);
        for (index, webhook) in self.webhooks.iter().enumerate() {
            let at = format!("webhooks.{index}");
            webhook.check(&at, &mut problems);
            let is_taken = self.webhooks.iter().take(index).any(|other| other.name == webhook.name);
            problems.add_unless(!is_taken, &format!("{at}.name"), "is the name of another webhook too");
        }
        problems.into_list()
    }
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
            webhooks: Vec::new(),
            limits: CallLimits::default(),
            recording: RecordingRule::On,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_need_names_of_their_own() {
        let webhook =
            serde_json::json!({ "name": "stock", "description": "Looks.", "url": "https://crm.example.com" });
        let agent = serde_json::json!({ "id": "sales", "webhooks": [webhook, webhook] });
        let agent: VoiceAgent = serde_json::from_value(agent).unwrap();
        let fields: Vec<_> = agent.webhook_problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["webhooks.1.name"]);
    }

    #[test]
    fn a_persona_needs_to_say_only_what_differs_from_the_default() {
        let agent: VoiceAgent = serde_json::from_str(r#"{"id":"sales","voice":"Puck"}"#).unwrap();
        assert_eq!((agent.voice.as_str(), agent.language.as_str()), ("Puck", "en-US"));
        assert_eq!(agent.tools, ["end_call"]);
    }
}
