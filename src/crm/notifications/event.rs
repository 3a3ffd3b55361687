//! What happened in a call, in the words of `docs/NOTIFICATIONS.md`.

use serde_json::{Value, json};

use super::super::payload::talked_seconds;
use super::{Notification, NotificationKey};
use crate::domain::{
    CallRecord, CallUpload, Callback, EventKind, Lead, NodeId, NotificationState, Outcome, ScheduledCallback,
    StartId, Subscriber, TenantId, Timestamp,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    kind: EventKind,
    /// Which of its kind, where a call may have several.
    of: String,
    at: Timestamp,
    tenant_id: Option<TenantId>,
    data: Value,
}

impl Event {
    /// All that a record says has happened, in order.
    pub fn of_record(record: &CallRecord) -> impl Iterator<Item = Self> {
        let moments = [
            (EventKind::CallStarted, Some(record.call_start_time)),
            (EventKind::CallAnswered, record.answered_time),
            (EventKind::CallEnded, record.call_end_time.filter(|_| record.is_over())),
        ];
        let event = |(kind, at): (EventKind, Option<Timestamp>)| {
            Some(Self::new(record, kind, String::new(), at?, json!({ "call": call(record) })))
        };
        moments.into_iter().filter_map(event)
    }

    /// That it was created, and the newest addition. Who was told of it before it was added to is told of the addition; both
    /// have the whole lead as it stands.
    pub fn of_lead(record: &CallRecord, lead: &Lead, at: Timestamp) -> impl Iterator<Item = Self> + use<> {
        let data = json!({ "call": call(record), "lead": { "id": lead.id, "fields": lead.fields } });
        let event = |kind, of: String| Self::new(record, kind, of, at, data.clone());
        let created = event(EventKind::LeadCreated, lead.id.to_string());
        let addition = (lead.additions > 0)
            .then(|| event(EventKind::LeadUpdated, format!("{}-{:04}", lead.id, lead.additions)));
        std::iter::once(created).chain(addition)
    }

    /// That it was agreed on, and its newest change; both as it stands.
    pub fn of_callback(
        record: &CallRecord,
        callback: &ScheduledCallback,
    ) -> impl Iterator<Item = Self> + use<> {
        let Callback { due, number, reason, asked_at, changes, .. } = &callback.agreed;
        let told = json!({
            "id": callback.id, "due": due, "number": number.expose(), "reason": reason, "asked_at": asked_at,
        });
        let data = json!({ "call": call(record), "callback": told });
        let at = *asked_at;
        let event = |kind, of: String| Self::new(record, kind, of, at, data.clone());
        let scheduled = event(EventKind::CallbackScheduled, callback.id.to_string());
        let change = (*changes > 0)
            .then(|| event(EventKind::CallbackChanged, format!("{}-{changes:04}", callback.id)));
        std::iter::once(scheduled).chain(change)
    }

    /// A call that was told without its recording, and later again with it, is told of twice.
    pub fn uploaded(record: &CallRecord, upload: &CallUpload, at: Timestamp) -> Self {
        let of = if upload.recording_url.is_some() { "with-recording" } else { "" };
        let data = json!({ "call": call(record), "upload": { "recording_url": upload.recording_url } });
        Self::new(record, EventKind::CallUploaded, of.to_owned(), at, data)
    }

    fn new(record: &CallRecord, kind: EventKind, of: String, at: Timestamp, data: Value) -> Self {
        Self { kind, of, at, tenant_id: record.tenant_id.clone(), data }
    }

    pub fn kind(&self) -> EventKind {
        self.kind
    }

    pub fn is_wanted_by(&self, subscriber: &Subscriber) -> bool {
        subscriber.wants(self.kind, self.tenant_id.as_ref())
    }

    /// To be delivered by this engine, as long as it is there.
    pub fn for_subscriber(
        &self,
        subscriber: &Subscriber,
        record: &CallRecord,
        (node, start): (NodeId, StartId),
    ) -> Notification {
        let event_id = self.id(record);
        let payload = json!({
            "id": event_id,
            "type": self.kind,
            "timestamp": self.at,
            "data": self.data,
        });
        Notification {
            id: NotificationKey { call: &record.session_id, subscriber: &subscriber.name }
                .of(self.kind, &self.of),
            event_id,
            event: self.kind,
            session_id: record.session_id.clone(),
            subscriber: subscriber.name.clone(),
            tenant_id: subscriber.tenant_id.clone(),
            node,
            start,
            time: self.at,
            state: NotificationState::Due,
            reason: None,
            payload: payload.to_string(),
        }
    }

    /// Without a full stop, which the signature puts behind it.
    fn id(&self, record: &CallRecord) -> String {
        let kind = self.kind.as_str().replace('.', "-");
        let of = if self.of.is_empty() { String::new() } else { format!("_{}", self.of) };
        format!("{}_{kind}{of}", record.session_id)
    }
}

/// As it stands at this moment; every member is always there, and null where nothing is known.
fn call(record: &CallRecord) -> Value {
    json!({
        "id": record.session_id,
        "crm_call_id": record.crm_call_id,
        "direction": record.direction,
        "tenant_id": record.tenant_id,
        "owner_id": record.owner_id,
        "voice_agent_id": record.voice_agent_id,
        "campaign_id": record.campaign_id,
        "from_number": record.from_number.expose(),
        "dialed_number": record.dialed_number.expose(),
        "started_at": record.call_start_time,
        "ringing_at": record.ringing_time,
        "answered_at": record.answered_time,
        "ended_at": record.call_end_time,
        "outcome": record.outcome.map(Outcome::as_str),
        "end_reason": record.end_reason,
        "duration_seconds": record.call_end_time.map(|_| talked_seconds(record)),
        "recording": recording(record),
        "lead_ids": record.leads,
        "metadata": record.metadata,
    })
}

fn recording(record: &CallRecord) -> Value {
    if record.recording_filename.is_none() {
        return Value::Null;
    }
    json!({ "duration_seconds": record.recording_duration_seconds, "bytes": record.recording_bytes })
}
