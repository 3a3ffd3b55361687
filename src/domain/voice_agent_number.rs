//! A phone number of a tenant (SPEC L2): who owns its calls, which persona answers them, and rules of the operator.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::field_problem::Problems;
use super::{FieldProblem, NotANumber, NumberForms, NumberId, PhoneNumber, TenantId, UserId, VoiceAgentId};

const PROVIDER_MAX: usize = 100;
const RULES_MAX_BYTES: usize = 16_384;
/// The rule that names a LiveKit config.
const LIVEKIT_CONFIG: &str = "livekit_config";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoiceAgentNumber {
    pub id: NumberId,
    /// E.164.
    pub number: PhoneNumber,
    /// In digits, as `49`.
    #[serde(default)]
    pub country_code: String,
    #[serde(default)]
    pub provider: Option<String>,
    /// `None`: it belongs to no tenant yet.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// Who owns the calls that come in on it (SPEC K5).
    #[serde(default)]
    pub owner_id: Option<UserId>,
    #[serde(default)]
    pub voice_agent_id: Option<VoiceAgentId>,
    #[serde(default)]
    pub rules: Map<String, Value>,
}

impl VoiceAgentNumber {
    pub fn forms(&self) -> Result<NumberForms, NotANumber> {
        NumberForms::of(self.number.expose(), &self.country_code)
    }

    /// Number and country code in the one form in which they are kept.
    pub fn normalised(self) -> Result<Self, NotANumber> {
        let NumberForms { e164, country_code, .. } = self.forms()?;
        Ok(Self { number: e164, country_code, ..self })
    }

    /// The LiveKit config that outbound calls from this number go by.
    pub fn livekit_config(&self) -> Option<&str> {
        self.rules.get(LIVEKIT_CONFIG).and_then(Value::as_str).filter(|id| !id.is_empty())
    }

    /// `None` takes the rule away.
    pub fn set_livekit_config(&mut self, id: Option<String>) {
        match id {
            Some(id) => drop(self.rules.insert(LIVEKIT_CONFIG.to_owned(), id.into())),
            None => drop(self.rules.remove(LIVEKIT_CONFIG)),
        }
    }

    /// All that is wrong with it; nothing: it may be stored.
    pub fn problems(&self) -> Vec<FieldProblem> {
        let mut problems = Problems::default();
        if let Err(error) = self.forms() {
            problems.add(error.field(), error.to_string());
        }
        if let Some(provider) = &self.provider {
            problems.check_length("provider", provider, 1..=PROVIDER_MAX);
        }
        let config = self.rules.get(LIVEKIT_CONFIG);
        problems.add_unless(
            config.is_none_or(|id| id.is_string() || id.is_null()),
            "rules.livekit_config",
            "is the id of a LiveKit config",
        );
        let bytes = serde_json::to_string(&self.rules).map_or(usize::MAX, |text| text.len());
        problems.add_unless(bytes <= RULES_MAX_BYTES, "rules", "are too long; 16384 bytes are the most");
        problems.into_list()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(body: Value) -> VoiceAgentNumber {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_record_of_an_older_system_is_read_with_its_rules() {
        let older = number(json!({
            "id": "n1", "number": "030 123456", "country_code": "+49", "sip_id": 7,
            "rules": { "livekit_config": "c1", "priority": [1, 2] }
        }));
        assert_eq!((older.livekit_config(), &older.rules["priority"]), (Some("c1"), &json!([1, 2])));
        let kept = older.normalised().unwrap();
        assert_eq!((kept.number.expose(), kept.country_code.as_str()), ("+4930123456", "49"));
    }

    #[test]
    fn every_problem_is_told_at_once_and_names_its_field() {
        let wrong = number(json!({
            "id": "n1", "number": "030", "country_code": "49", "provider": "",
            "rules": { "livekit_config": 7, "note": "x".repeat(RULES_MAX_BYTES) }
        }));
        let fields: Vec<_> = wrong.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["number", "provider", "rules.livekit_config", "rules"]);
        let right = number(json!({ "id": "n1", "number": "+4930123456" }));
        assert!(right.problems().is_empty(), "{:?}", right.problems());
    }
}
