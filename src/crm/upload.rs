//! What the outbox holds of one call.

use serde::{Deserialize, Serialize};

use super::Progress;
use crate::domain::{
    CallId, CallRecord, CallUpload, CrmCallId, NodeId, StartId, TenantId, Timestamp, UserId,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    pub id: String,
    pub session_id: CallId,
    pub crm_call_id: CrmCallId,
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    #[serde(default)]
    pub owner_id: Option<UserId>,
    /// The engine that has the recording, if there is one.
    pub node: NodeId,
    /// The run of it that had the call.
    pub start: StartId,
    /// Since when there is something to be sent of it; `None`: there is nothing, or an older version has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_since: Option<Timestamp>,
    #[serde(flatten)]
    pub progress: Progress,
}

impl Upload {
    /// Of a call there is one, however often it is made.
    pub fn id_of(call: &CallId) -> String {
        format!("{call}:crm")
    }

    /// Of a call that has just been accepted by this run of an engine.
    pub fn open(record: &CallRecord, crm_call_id: CrmCallId, node: NodeId, start: StartId) -> Self {
        Self {
            id: Self::id_of(&record.session_id),
            session_id: record.session_id.clone(),
            crm_call_id,
            tenant_id: record.tenant_id.clone(),
            owner_id: record.owner_id.clone(),
            node,
            start,
            due_since: None,
            progress: Progress::open(),
        }
    }

    /// What has become of it by now.
    pub fn moved_on(self, progress: Progress, now: Timestamp) -> Self {
        let due_since = match (self.progress.is_due(), progress.is_due()) {
            (true, true) => self.due_since,
            (false, true) => Some(now),
            (_, false) => None,
        };
        Self { due_since, progress, ..self }
    }

    /// As the call's record tells it.
    pub fn told(&self) -> CallUpload {
        self.progress.told()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Direction, PhoneNumber};

    #[test]
    fn it_is_known_since_when_an_upload_waits() {
        let at = Timestamp::from_millis;
        let number = || PhoneNumber::new("+4930123456");
        let record = CallRecord::started(CallId::new("c1"), Direction::Inbound, number(), number(), at(0));
        let open = Upload::open(&record, CrmCallId::new("CALL-1"), NodeId::new("n"), StartId::new("s"));
        let mut parked = Progress::due(false);
        parked.state = crate::domain::UploadState::Parked;
        let due = open.moved_on(Progress::due(true), at(1));
        let still = due.moved_on(Progress { trouble: Some("503".into()), ..Progress::due(true) }, at(2));
        assert_eq!(still.due_since, Some(at(1)));
        let parked = still.moved_on(parked, at(3));
        assert_eq!(parked.due_since, None);
        assert_eq!(parked.moved_on(Progress::due(true), at(4)).due_since, Some(at(4)));
    }
}
