//! What the CRM is told of a call (SPEC U4): every member is always there, and null where nothing is known.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::domain::{CallRecord, ConversationItem, CrmCallId, Direction, Outcome, PhoneNumber};

/// The session record of a call that is over, with what else stands in it for the CRM.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct EndedCall {
    #[serde(default)]
    pub campaign_id: Option<String>,
    #[serde(default)]
    pub client_id: Option<String>,
    /// Persona and campaign as they were at the start; the CRM's own ids stand in them.
    #[serde(default)]
    pub full_config: Option<Value>,
    #[serde(default)]
    pub recording_duration_seconds: Option<f64>,
    #[serde(default)]
    pub recording_bytes: Option<u64>,
    #[serde(flatten)]
    pub record: CallRecord,
}

/// A recording that the CRM has.
#[derive(Debug, Clone, PartialEq)]
pub struct SentRecording {
    pub url: String,
    pub duration_seconds: Option<f64>,
    pub bytes: Option<u64>,
}

/// `lead` is what the newest lead of the call says.
pub fn call_data(
    id: &CrmCallId,
    call: &EndedCall,
    recording: Option<&SentRecording>,
    lead: Option<&Map<String, Value>>,
) -> Value {
    let record = &call.record;
    let person = person(record).expose();
    json!({
        "campaignId": call.crm_or_ours("crm_campaign_id", call.campaign_id.as_deref()),
        "voiceAgentId": call.crm_or_ours("crm_voice_agent_id", record.voice_agent_id.as_ref().map(|id| id.as_str())),
        "client": call.crm_or_ours("crm_client_id", call.client()),
        "callDetails": {
            "callId": id,
            "direction": record.direction,
            "startTime": record.call_start_time,
            "endTime": record.call_end_time,
            "duration": talked_seconds(record),
            "status": record.outcome.map(Outcome::as_str),
            "callerNumber": person,
            "recordingUrl": recording.map(|recording| &recording.url),
            "recordingDuration": recording.and_then(|recording| recording.duration_seconds),
            "recordingSize": recording.and_then(|recording| recording.bytes),
        },
        "caller": { "phoneNumber": person },
        "transcription": transcription(record, lead.is_some()),
        "lead": lead.cloned().unwrap_or_default(),
    })
}

fn transcription(record: &CallRecord, lead_generated: bool) -> Value {
    let items: Vec<Value> = record.conversation_items.iter().map(item).collect();
    json!({
        "session_id": record.session_id,
        "start_time": record.call_start_time,
        "end_time": record.call_end_time,
        "duration_seconds": talked_seconds(record),
        "total_items": items.len(),
        "conversation_items": items,
        "lead_generated": lead_generated,
        "metadata": { "auto_saved": true },
    })
}

fn item(item: &ConversationItem) -> Value {
    json!({
        "role": item.role,
        "content": item.content,
        "timestamp": item.timestamp,
        "source": item.source,
        "transcript_confidence": item.transcript_confidence,
    })
}

/// The one who is not us.
pub fn person(record: &CallRecord) -> &PhoneNumber {
    match record.direction {
        Direction::Inbound => &record.from_number,
        Direction::Outbound => &record.dialed_number,
    }
}

/// The nearest whole seconds from the answer.
pub(super) fn talked_seconds(record: &CallRecord) -> u64 {
    (record.talked().unwrap_or_default() + Duration::from_millis(500)).as_secs()
}

impl EndedCall {
    /// The CRM's id, wherever in the configuration of the call it stands, else ours.
    fn crm_or_ours(&self, name: &str, ours: Option<&str>) -> Value {
        let config = self.full_config.as_ref();
        let parts = ["campaign", "persona", "voice_agent", "tenant"];
        let within = parts.iter().filter_map(|part| config?.get(part)?.get(name));
        let of_crm = config.and_then(|config| config.get(name)).into_iter().chain(within);
        let usable = |id: &&Value| id.is_number() || id.as_str().is_some_and(|text| !text.trim().is_empty());
        of_crm.into_iter().find(usable).cloned().unwrap_or_else(|| json!(ours))
    }

    fn client(&self) -> Option<&str> {
        self.client_id.as_deref().or_else(|| self.record.tenant_id.as_ref().map(|id| id.as_str()))
    }
}
