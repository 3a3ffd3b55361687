//! A voice agent as the store keeps it: whose it is, whether it may be used, and what may stand in it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::field_problem::Problems;
use super::{FieldProblem, TenantId, VoiceAgent, Webhook, storable};

/// Tools that a persona may name.
pub const KNOWN_TOOLS: [&str; 5] =
    ["create_lead", "detect_intent", "end_call", "schedule_callback", "send_dtmf"];

const NAME_MAX: usize = 100;
const INSTRUCTION_MAX: usize = 30_000;
const GREETING_MAX: usize = 2_000;
const VOICE_MAX: usize = 64;
const MODEL_MAX: usize = 100;
const CRM_ID_MAX: usize = 100;
const LIMIT_MAX_S: u64 = 86_400;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persona {
    #[serde(flatten)]
    pub agent: VoiceAgent,
    /// `None`: it is shared by all tenants.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    #[serde(default = "enabled_by_default")]
    pub enabled: bool,
    /// What the CRM calls it (SPEC U4).
    #[serde(default)]
    pub crm_voice_agent_id: Option<String>,
    /// What the CRM calls the campaign that its calls belong to.
    #[serde(default)]
    pub crm_campaign_id: Option<String>,
    /// What the CRM calls whoever its calls are made for.
    #[serde(default)]
    pub crm_client_id: Option<String>,
}

impl Persona {
    /// One of the settings file, which are shared by all.
    pub fn of_settings(agent: VoiceAgent) -> Self {
        Self {
            agent,
            tenant_id: None,
            enabled: true,
            crm_voice_agent_id: None,
            crm_campaign_id: None,
            crm_client_id: None,
        }
    }

    /// As a call's record keeps it.
    pub fn as_recorded(&self) -> Value {
        let mut shown = self.clone();
        shown.agent.webhooks = self.agent.webhooks.iter().map(Webhook::masked).collect();
        storable(serde_json::to_value(shown).unwrap_or_default())
    }

    /// One's own and the shared ones are there for a tenant; another's do not exist (SPEC O2).
    pub fn is_there_for(&self, tenant: Option<&TenantId>) -> bool {
        self.tenant_id.is_none() || self.tenant_id.as_ref() == tenant
    }

    /// All that is wrong with it; nothing: it may be stored.
    pub fn problems(&self) -> Vec<FieldProblem> {
        let agent = &self.agent;
        let mut problems = Problems::default();
        problems.check_length("name", &agent.name, 1..=NAME_MAX);
        problems.add_unless(
            !agent.name.contains(char::is_control),
            "name",
            "is one line without control characters",
        );
        problems.check_length("instruction", &agent.instruction, 1..=INSTRUCTION_MAX);
        problems.check_length("greeting", &agent.greeting, 0..=GREETING_MAX);
        problems.add_unless(
            is_word(&agent.voice, VOICE_MAX, "-_"),
            "voice",
            "is one of the model's voices, as Kore: letters, digits, - and _",
        );
        problems.add_unless(
            is_word(&agent.model, MODEL_MAX, "-_./"),
            "model",
            "is a model's name, as gemini-3.8-live: letters, digits and - _ . /; empty: the engine's own",
        );
        problems.add_unless(
            is_language(&agent.language),
            "language",
            "is a language tag, as en-US; empty: the model's own choice",
        );
        check_tools(&agent.tools, &mut problems);
        problems.extend(agent.webhook_problems());
        let limits = [
            ("limits.max_call_s", agent.limits.max_call_s),
            ("limits.silence_timeout_s", agent.limits.silence_timeout_s),
        ];
        for (field, seconds) in limits {
            problems.add_unless(
                seconds <= LIMIT_MAX_S,
                field,
                "is 0 (the engine's own limit) to 86400 seconds",
            );
        }
        let crm_ids = [
            ("crm_voice_agent_id", &self.crm_voice_agent_id),
            ("crm_campaign_id", &self.crm_campaign_id),
            ("crm_client_id", &self.crm_client_id),
        ];
        for (field, id) in crm_ids {
            if let Some(id) = id {
                problems.check_length(field, id, 1..=CRM_ID_MAX);
            }
        }
        problems.into_list()
    }
}

fn check_tools(tools: &[String], problems: &mut Problems) {
    for (index, tool) in tools.iter().enumerate() {
        let field = format!("tools.{index}");
        if !KNOWN_TOOLS.contains(&tool.as_str()) {
            problems.add(&field, format!("there is no such tool; there are {}", KNOWN_TOOLS.join(", ")));
        } else if tools.iter().take(index).any(|other| other == tool) {
            problems.add(&field, "is named twice");
        }
    }
}

/// Empty is a word too: the default.
fn is_word(text: &str, longest: usize, signs: &str) -> bool {
    text.len() <= longest && text.chars().all(|sign| sign.is_ascii_alphanumeric() || signs.contains(sign))
}

/// The form of BCP 47: a language of two or three letters, then parts of up to eight letters and digits.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let is_part =
        |part: &str| (1..=8).contains(&part.len()) && part.chars().all(|sign| sign.is_ascii_alphanumeric());
    let is_first =
        |part: &str| (2..=3).contains(&part.len()) && part.chars().all(|sign| sign.is_ascii_alphabetic());
    tag.is_empty() || (tag.len() <= 35 && parts.next().is_some_and(is_first) && parts.all(is_part))
}

fn enabled_by_default() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CallLimits, RecordingRule, VoiceAgentId};

    fn persona() -> Persona {
        Persona {
            agent: VoiceAgent { id: VoiceAgentId::new("p1"), name: "Desk".into(), ..VoiceAgent::default() },
            tenant_id: Some(TenantId::new("t1")),
            ..Persona::of_settings(VoiceAgent::default())
        }
    }

    fn fields(change: impl FnOnce(&mut Persona)) -> Vec<String> {
        let mut persona = persona();
        change(&mut persona);
        persona.problems().into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn it_is_stored_as_the_voice_agent_with_more_members_and_read_beside_those_of_others() {
        let mut body = serde_json::to_value(persona()).unwrap();
        assert_eq!((&body["name"], &body["tenant_id"]), (&"Desk".into(), &"t1".into()));
        body["colour"] = "blue".into();
        assert_eq!(serde_json::from_value::<Persona>(body).unwrap(), persona());
        let short = serde_json::json!({ "id": "p1", "name": "Desk" });
        let read: Persona = serde_json::from_value(short).unwrap();
        assert_eq!((read.enabled, read.tenant_id, read.agent.voice.as_str()), (true, None, "Kore"));
    }

    #[test]
    fn the_built_in_persona_has_no_problems_and_one_without_voice_model_and_language_neither() {
        assert!(persona().problems().is_empty(), "{:?}", persona().problems());
        let bare = fields(|persona| {
            for text in [&mut persona.agent.voice, &mut persona.agent.language, &mut persona.agent.greeting] {
                text.clear();
            }
        });
        assert!(bare.is_empty(), "{bare:?}");
    }

    #[test]
    fn every_problem_is_told_at_once_and_names_its_field() {
        let found = fields(|persona| {
            persona.agent = VoiceAgent {
                id: VoiceAgentId::new("p1"),
                name: " ".into(),
                instruction: "x".repeat(INSTRUCTION_MAX + 1),
                greeting: "ü".repeat(GREETING_MAX + 1),
                voice: "Kore; DROP".into(),
                model: "gemini live".into(),
                language: "english".into(),
                tools: vec!["end_call".into(), "fly".into(), "end_call".into()],
                webhooks: Vec::new(),
                limits: CallLimits { max_call_s: LIMIT_MAX_S + 1, silence_timeout_s: u64::MAX },
                recording: RecordingRule::On,
            };
            persona.crm_voice_agent_id = Some(String::new());
            persona.crm_client_id = Some(String::new());
        });
        let all = [
            "name",
            "instruction",
            "greeting",
            "voice",
            "model",
            "language",
            "tools.1",
            "tools.2",
            "limits.max_call_s",
            "limits.silence_timeout_s",
            "crm_voice_agent_id",
            "crm_client_id",
        ];
        assert_eq!(found, all);
    }

    #[test]
    fn lengths_count_characters_up_to_the_last_that_is_allowed() {
        assert!(fields(|persona| persona.agent.name = "ü".repeat(NAME_MAX)).is_empty());
        assert_eq!(fields(|persona| persona.agent.name = "ü".repeat(NAME_MAX + 1)), ["name"]);
        assert_eq!(fields(|persona| persona.agent.name = "De\nsk".into()), ["name"]);
    }

    #[test]
    fn languages_have_the_form_of_a_tag() {
        for good in ["en", "en-US", "gsw-CH", "zh-Hans-CN", "es-419"] {
            assert!(is_language(good), "{good}");
        }
        for bad in ["e", "1n-US", "en_US", "en-", "en-toolonganend", "-"] {
            assert!(!is_language(bad), "{bad}");
        }
    }

    #[test]
    fn the_personas_of_a_tenant_are_its_own_and_the_shared_ones() {
        let (own, other) = (TenantId::new("t1"), TenantId::new("t2"));
        let shared = Persona { tenant_id: None, ..persona() };
        assert!(persona().is_there_for(Some(&own)) && shared.is_there_for(Some(&other)));
        assert!(!persona().is_there_for(Some(&other)) && !persona().is_there_for(None));
    }
}
