//! The session record of one call (SPEC U1): everything known about it, written as the call goes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    CallId, CallUpload, Callback, CampaignId, CrmCallId, Lead, LeadId, NodeId, Outcome, PhoneNumber,
    RecordingMade, RecordingState, StartId, TenantId, Timestamp, ToolResult, UserId, VoiceAgentId,
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
    pub campaign_id: Option<CampaignId>,
    /// What the CRM calls whoever the call was made for.
    pub client_id: Option<String>,
    /// Of the room's recording, where the call goes through LiveKit.
    pub egress_id: Option<String>,
    pub dialed_number: PhoneNumber,
    pub from_number: PhoneNumber,
    /// When the call was accepted or asked for.
    pub call_start_time: Timestamp,
    pub ringing_time: Option<Timestamp>,
    pub answered_time: Option<Timestamp>,
    /// When the person first heard the model.
    pub first_audio_time: Option<Timestamp>,
    pub call_end_time: Option<Timestamp>,
    pub outcome: Option<Outcome>,
    /// The reason in words, for the person who reads the outcome.
    pub end_reason: Option<String>,
    /// The key's masked form; the key itself never stands here.
    pub key_hint: Option<String>,
    /// Lists leave them out.
    #[serde(default)]
    pub conversation_items: Vec<ConversationItem>,
    /// How many more items there were than a record holds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub conversation_items_left_out: u64,
    /// What the model's tools did. Lists leave them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_results: Vec<ToolResult>,
    /// What the call brought, the newest last.
    #[serde(default)]
    pub leads: Vec<LeadId>,
    /// Leads on their way into their own collection: a record that waits for the store carries them with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_leads: Vec<Lead>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callbacks: Vec<Callback>,
    /// The persona as it was at the start, without secrets. Lists leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_config: Option<Value>,
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
    /// Something of it is missing, or all of it, because it could not be written.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recording_cut_short: bool,
    /// Since then it is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_deleted_time: Option<Timestamp>,
    /// The call's name in the CRM, once the store has the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crm_call_id: Option<CrmCallId>,
    /// Whether the CRM has heard of the call. Written beside whoever writes the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<CallUpload>,
    /// Until it ends: which engine has it, and how its far end is reached should that engine be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Running>,
    /// Of whoever asked for the call; given back as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

impl CallRecord {
    /// It has ended and says how.
    pub fn is_over(&self) -> bool {
        self.outcome.is_some() && self.running.is_none()
    }

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
            campaign_id: None,
            client_id: None,
            egress_id: None,
            dialed_number,
            from_number,
            call_start_time,
            ringing_time: None,
            answered_time: None,
            first_audio_time: None,
            call_end_time: None,
            outcome: None,
            end_reason: None,
            key_hint: None,
            conversation_items: Vec::new(),
            conversation_items_left_out: 0,
            tool_results: Vec::new(),
            leads: Vec::new(),
            pending_leads: Vec::new(),
            callbacks: Vec::new(),
            full_config: None,
            quality: None,
            usage: None,
            recording_state: None,
            recording_filename: None,
            recording_start_time: None,
            recording_duration_seconds: None,
            recording_bytes: None,
            recording_cut_short: false,
            recording_deleted_time: None,
            crm_call_id: None,
            upload: None,
            running: None,
            metadata: None,
        }
    }

    /// What the model said before anybody picked up, if nobody ever did: nobody has heard it.
    pub fn forget_unheard(&mut self) {
        if self.answered_time.is_none() {
            self.conversation_items.retain(|item| item.role != Speaker::Assistant);
        }
    }

    pub fn add_recording(&mut self, made: &RecordingMade) {
        self.recording_filename = Some(made.filename.clone());
        self.recording_start_time = Some(made.start_time);
        self.recording_duration_seconds = Some(made.duration_seconds);
        self.recording_bytes = Some(made.bytes);
        if self.outcome == Some(Outcome::EngineLost) {
            self.call_end_time = self.call_end_time.max(self.last_heard());
        }
    }

    /// The call was up until then at least: what was said or recorded last shows it.
    pub fn last_heard(&self) -> Option<Timestamp> {
        let said = self.conversation_items.iter().map(|item| item.timestamp).max();
        said.max(self.recording_end())
    }

    /// From the answer to the end.
    pub fn talked(&self) -> Option<Duration> {
        let (from, to) = (self.answered_time?.as_millis(), self.call_end_time?.as_millis());
        Some(Duration::from_millis(to.saturating_sub(from)))
    }

    fn recording_end(&self) -> Option<Timestamp> {
        let length = Duration::try_from_secs_f64(self.recording_duration_seconds?).ok()?;
        let length_ms = u64::try_from(length.as_millis()).ok()?;
        Some(Timestamp::from_millis(self.recording_start_time?.as_millis().saturating_add(length_ms)))
    }
}

impl CallRecord {
    /// What goes beyond the bound is counted: the beginning of a call tells what it was about.
    pub fn add_conversation_item(&mut self, item: ConversationItem) {
        let bytes: usize = self.conversation_items.iter().map(|item| item.content.len()).sum();
        let fits = bytes + item.content.len() <= CONVERSATION_BYTES_MAX;
        if fits && self.conversation_items.len() < CONVERSATION_ITEMS_MAX {
            self.conversation_items.push(item);
        } else {
            self.conversation_items_left_out += 1;
        }
    }

    /// The person's, in both directions.
    pub fn persons_number(&self) -> &PhoneNumber {
        match self.direction {
            Direction::Inbound => &self.from_number,
            Direction::Outbound => &self.dialed_number,
        }
    }

    /// The first ones stay: a model that has gone astray calls without end.
    pub fn add_tool_result(&mut self, result: ToolResult) {
        if self.tool_results.len() < TOOL_RESULTS_MAX {
            self.tool_results.push(result);
        }
    }
}

/// Each is some 16 KiB at most.
const TOOL_RESULTS_MAX: usize = 200;

/// Three hours of talk, item by item, stay far below it.
const CONVERSATION_ITEMS_MAX: usize = 10_000;
/// A document of MongoDB holds 16 MiB in all.
const CONVERSATION_BYTES_MAX: usize = 4 * 1024 * 1024;

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(count: &u64) -> bool {
    *count == 0
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
    /// When its engine wrote last, noted by whoever wrote into the record after that engine was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_written: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RunningMarker {
    Running,
}

impl Running {
    pub fn at(node: NodeId, start: StartId) -> Self {
        Self { marker: RunningMarker::Running, node, start, dialog: None, last_written: None }
    }

    pub fn reached_by(self, dialog: Option<Value>) -> Self {
        Self { dialog, ..self }
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

    fn record() -> CallRecord {
        let (from, dialed) = (PhoneNumber::new("+4930123"), PhoneNumber::new("+4930456"));
        CallRecord::started(CallId::new("c1"), Direction::Inbound, from, dialed, Timestamp::from_millis(0))
    }

    #[test]
    fn a_record_of_an_older_version_is_read() {
        let older = serde_json::json!({
            "session_id": "c1", "direction": "inbound", "owner_id": null, "tenant_id": null, "voice_agent_id": null,
            "dialed_number": "+4930456", "from_number": "+4930123", "call_start_time": "1970-01-01T00:00:00.000Z",
            "answered_time": null, "call_end_time": null, "outcome": null, "end_reason": null, "key_hint": null,
            "quality": null, "usage": null, "recording_filename": null,
        });
        let read: CallRecord = serde_json::from_value(older).unwrap();
        assert_eq!(read, record());
        assert_eq!(read.persons_number().expose(), "+4930123");
    }

    fn said(content: String) -> ConversationItem {
        said_at(0, content)
    }

    fn said_at(millis: u64, content: String) -> ConversationItem {
        ConversationItem {
            role: Speaker::User,
            content,
            timestamp: Timestamp::from_millis(millis),
            source: "gemini-live".into(),
            transcript_confidence: None,
            interrupted: false,
        }
    }

    #[test]
    fn s2_a_lost_call_ends_with_what_was_heard_last_and_no_other_call_is_touched() {
        let mut record = record();
        assert_eq!(record.last_heard(), None);
        record.add_conversation_item(said_at(7_000, "hello".into()));
        record.add_conversation_item(said_at(5_000, "there".into()));
        assert_eq!(record.last_heard(), Some(Timestamp::from_millis(7_000)));
        let start_time = Timestamp::from_millis(1_000);
        let made = |duration_seconds| RecordingMade {
            filename: "c1.ogg".into(),
            start_time,
            duration_seconds,
            bytes: 1,
        };
        for (outcome, duration, end) in [
            (Outcome::EngineLost, 8.5, 9_500),
            (Outcome::EngineLost, 2.0, 8_000),
            (Outcome::EngineLost, f64::NAN, 8_000),
            (Outcome::Completed, 8.5, 8_000),
        ] {
            let mut record = CallRecord { outcome: Some(outcome), ..record.clone() };
            record.call_end_time = Some(Timestamp::from_millis(8_000));
            record.add_recording(&made(duration));
            assert_eq!(record.call_end_time, Some(Timestamp::from_millis(end)), "{outcome:?} {duration}");
        }
    }

    #[test]
    fn what_the_model_says_before_anybody_picks_up_is_heard_by_nobody_unless_somebody_does() {
        let mut record = record();
        record.add_conversation_item(said("the number you have dialled".into()));
        record.add_conversation_item(ConversationItem { role: Speaker::Assistant, ..said("hello?".into()) });
        let mut answered = CallRecord { answered_time: Some(Timestamp::from_millis(1)), ..record.clone() };
        record.forget_unheard();
        answered.forget_unheard();
        assert_eq!((record.conversation_items.len(), answered.conversation_items.len()), (1, 2));
        assert_eq!(record.conversation_items[0].role, Speaker::User);
    }

    #[test]
    fn a_talk_without_end_is_cut_and_the_record_says_so() {
        let mut record = record();
        let mut long = record.clone();
        (0..CONVERSATION_ITEMS_MAX + 3).for_each(|_| record.add_conversation_item(said("yes".into())));
        assert_eq!(record.conversation_items.len(), CONVERSATION_ITEMS_MAX);
        assert_eq!(record.conversation_items_left_out, 3);
        (0..5).for_each(|_| long.add_conversation_item(said("x".repeat(CONVERSATION_BYTES_MAX / 4))));
        assert_eq!((long.conversation_items.len(), long.conversation_items_left_out), (4, 1));
    }

    #[test]
    fn the_record_keeps_the_names_the_crm_knows() {
        let mut record = record();
        record.add_conversation_item(said("hello".into()));
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["session_id"], "c1");
        assert_eq!(json["dialed_number"], "+4930456");
        assert_eq!(json["call_start_time"], "1970-01-01T00:00:00.000Z");
        assert_eq!(json["conversation_items"][0]["role"], "user");
        assert!(json["conversation_items"][0]["transcript_confidence"].is_null());
        assert_eq!(serde_json::from_value::<CallRecord>(json).unwrap(), record);
    }
}
