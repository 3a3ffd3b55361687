//! The session record of one call (SPEC U1): everything known about it, written as the call goes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    CallId, NodeId, Outcome, PhoneNumber, RecordingMade, RecordingState, StartId, TenantId, Timestamp,
    UserId, VoiceAgentId,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Inbound,
    Outbound,
}

impl Direction {
    /// As it stands in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// The names are those the CRM and older systems know; optional fields fill as the call goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    pub session_id: CallId,
    /// Raised with every change, so that a state that was kept elsewhere meanwhile never replaces a newer one.
    #[serde(default)]
    pub revision: u64,
    pub direction: Direction,
    pub owner_id: Option<UserId>,
    pub tenant_id: Option<TenantId>,
    pub voice_agent_id: Option<VoiceAgentId>,
    pub dialed_number: PhoneNumber,
    pub from_number: PhoneNumber,
    /// When the call was accepted or asked for.
    pub call_start_time: Timestamp,
    pub answered_time: Option<Timestamp>,
    pub call_end_time: Option<Timestamp>,
    pub outcome: Option<Outcome>,
    /// The reason in words, for the person who reads the outcome.
    pub end_reason: Option<String>,
    /// The key's masked form; the key itself never stands here.
    pub key_hint: Option<String>,
    /// Lists leave them out.
    #[serde(default)]
    pub conversation_items: Vec<ConversationItem>,
    pub quality: Option<CallQuality>,
    pub usage: Option<ModelUsage>,
    /// While the call goes on; `None`: nothing of it is ever recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_state: Option<RecordingState>,
    /// Once the recording is whole; like what is said of it here, it may come after the call's end.
    pub recording_filename: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_start_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_duration_seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_bytes: Option<u64>,
    /// Since then it is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_deleted_time: Option<Timestamp>,
    /// Until it ends: which engine has it, and how its far end is reached should that engine be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Running>,
    /// Of whoever asked for the call; given back as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

impl CallRecord {
    pub fn started(
        session_id: CallId,
        direction: Direction,
        from_number: PhoneNumber,
        dialed_number: PhoneNumber,
        call_start_time: Timestamp,
    ) -> Self {
        Self {
            session_id,
            revision: 0,
            direction,
            owner_id: None,
            tenant_id: None,
            voice_agent_id: None,
            dialed_number,
            from_number,
            call_start_time,
            answered_time: None,
            call_end_time: None,
            outcome: None,
            end_reason: None,
            key_hint: None,
            conversation_items: Vec::new(),
            quality: None,
            usage: None,
            recording_state: None,
            recording_filename: None,
            recording_start_time: None,
            recording_duration_seconds: None,
            recording_bytes: None,
            recording_deleted_time: None,
            running: None,
            metadata: None,
        }
    }

    pub fn add_recording(&mut self, made: &RecordingMade) {
        self.recording_filename = Some(made.filename.clone());
        self.recording_start_time = Some(made.start_time);
        self.recording_duration_seconds = Some(made.duration_seconds);
        self.recording_bytes = Some(made.bytes);
    }
}

/// A call that goes on, as far as the record knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// Always there: calls that run are found by it.
    marker: RunningMarker,
    pub node: NodeId,
    pub start: StartId,
    /// Of the SIP dialog, once there is one. What stands in it only signalling knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialog: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RunningMarker {
    Running,
}

impl Running {
    pub fn at(node: NodeId, start: StartId) -> Self {
        Self { marker: RunningMarker::Running, node, start, dialog: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    User,
    Assistant,
}

/// One turn of the transcript: what was heard, not what was generated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationItem {
    pub role: Speaker,
    pub content: String,
    pub timestamp: Timestamp,
    /// `gemini-live` or `livekit-session`.
    pub source: String,
    /// Null: the model does not tell.
    pub transcript_confidence: Option<f64>,
    #[serde(default)]
    pub interrupted: bool,
}

/// What the network did to this call's audio.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallQuality {
    pub packets_received: u64,
    pub packets_lost: u64,
    pub packets_late: u64,
    pub jitter_ms: f64,
    pub round_trip_ms: Option<f64>,
}

/// Tokens as the model counted them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelUsage {
    pub prompt_tokens: u64,
    pub response_tokens: u64,
    pub total_tokens: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_keeps_the_names_the_crm_knows() {
        let mut record = CallRecord::started(
            CallId::new("c1"),
            Direction::Inbound,
            PhoneNumber::new("+4930123"),
            PhoneNumber::new("+4930456"),
            Timestamp::from_millis(0),
        );
        record.conversation_items.push(ConversationItem {
            role: Speaker::User,
            content: "hello".into(),
            timestamp: Timestamp::from_millis(0),
            source: "gemini-live".into(),
            transcript_confidence: None,
            interrupted: false,
        });
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["session_id"], "c1");
        assert_eq!(json["dialed_number"], "+4930456");
        assert_eq!(json["call_start_time"], "1970-01-01T00:00:00.000Z");
        assert_eq!(json["conversation_items"][0]["role"], "user");
        assert!(json["conversation_items"][0]["transcript_confidence"].is_null());
        assert_eq!(serde_json::from_value::<CallRecord>(json).unwrap(), record);
    }
}
