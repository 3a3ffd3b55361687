//! A lead (SPEC U3): what a call has brought, linked to the call's session.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CallId, CampaignId, LeadId, TenantId, UserId, VoiceAgentId};

/// When it was created is known to the store, as of every document.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    pub id: LeadId,
    /// The call that brought it.
    pub session_id: CallId,
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    #[serde(default)]
    pub owner_id: Option<UserId>,
    #[serde(default)]
    pub voice_agent_id: Option<VoiceAgentId>,
    #[serde(default)]
    pub campaign_id: Option<CampaignId>,
    /// The revision of the call's record that it is part of: what was written late undoes nothing.
    #[serde(default)]
    pub revision: u64,
    /// How often it was added to since it was created.
    #[serde(default)]
    pub additions: u32,
    /// Name, phone, e-mail, notes: whatever the persona was told to ask for.
    #[serde(default)]
    pub fields: Map<String, Value>,
}

/// What somebody said about themselves is for those who may read it, never for a log.
impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lead({}, {} fields)", self.id, self.fields.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_carries_its_session_and_prints_nothing_of_what_was_said() {
        let body =
            json!({ "id": "l1", "session_id": "c1", "fields": { "name": "Eve", "phone": "+4930123456" } });
        let lead: Lead = serde_json::from_value(body).unwrap();
        assert_eq!((lead.session_id.as_str(), &lead.fields["name"]), ("c1", &json!("Eve")));
        assert_eq!(format!("{lead:?}"), "Lead(l1, 2 fields)");
    }
}
