//! What the outbox holds of one call.

use serde::{Deserialize, Serialize};

use super::Progress;
use crate::domain::{CallId, CallRecord, CallUpload, CrmCallId, NodeId, StartId, TenantId, UserId};

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
            progress: Progress::open(),
        }
    }
    /// As the call's record tells it.
    pub fn told(&self) -> CallUpload {
        self.progress.told()
    }
}
