//! Where records go: a call's upload is opened before its record is first written, and is due once the record of its
//! end is there. So no ended call is ever without one, whatever crashes in between.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use crate::domain::{CallRecord, CrmCallId, NodeId, StartId};
use crate::store::{Calls, Leads, Outbox, StoreError};

#[derive(Clone)]
pub struct Shelf {
    pub calls: Calls,
    pub leads: Leads,
    pub outbox: Outbox,
    /// This engine, and this run of it.
    pub run: (NodeId, StartId),
    /// Rings when an upload has become due.
    pub bell: Arc<Notify>,
}

pub(super) struct Written {
    /// See [`Calls::save`].
    pub(super) known: Option<u64>,
    pub(super) crm_call_id: Option<CrmCallId>,
}

impl Shelf {
    pub(super) async fn write(
        &self,
        mut record: CallRecord,
        known: Option<u64>,
    ) -> Result<Written, StoreError> {
        if record.crm_call_id.is_none() {
            let running = record.running.as_ref();
            let run = running.map(|running| (running.node.clone(), running.start.clone()));
            let run = run.unwrap_or_else(|| self.run.clone());
            record.crm_call_id = Some(self.outbox.open(&record, run).await?);
        }
        for lead in std::mem::take(&mut record.pending_leads) {
            self.leads.put(&lead).await?;
        }
        let known = self.calls.save(&record, known).await?;
        let crm_call_id = record.crm_call_id.clone();
        if !record.is_over() {
            return Ok(Written { known, crm_call_id });
        }
        self.end(&record).await?;
        // The upload's state is beside what the writer knows.
        Ok(Written { known: None, crm_call_id })
    }

    async fn end(&self, record: &CallRecord) -> Result<(), StoreError> {
        let call = &record.session_id;
        let Some(upload) = self.outbox.end(call, record.recording_filename.is_some()).await? else {
            return Ok(());
        };
        self.calls.merge(call, &json!({ "upload": upload.told() })).await?;
        self.bell.notify_one();
        Ok(())
    }
}
