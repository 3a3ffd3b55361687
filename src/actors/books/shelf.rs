//! Where records go: a call's upload is opened before its record is first written, and is due once the record of its
//! end is there. So no ended call is ever without one, whatever crashes in between. Subscribers are told in between.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::crm::Upload;
use crate::domain::{
    CallId, CallRecord, CrmCallId, EventKind, NodeId, RecordingMade, ScheduledCallback, StartId,
};
use crate::store::{CallPapers, Callbacks, Leads, StoreError};

use super::super::announcer::{Announcer, Brought};

#[derive(Clone)]
pub struct Shelf {
    pub papers: CallPapers,
    pub leads: Leads,
    pub callbacks: Callbacks,
    /// This engine, and this run of it.
    pub run: (NodeId, StartId),
    /// Rings when an upload has become due.
    pub bell: Arc<Notify>,
    pub announcer: Announcer,
}

/// What the store took of the record before.
pub(super) struct Before {
    /// See [`crate::store::Calls::save`].
    pub(super) known: Option<u64>,
    /// The furthest event of the call that subscribers are told of.
    pub(super) told: Option<EventKind>,
    pub(super) revision: u64,
}

pub(super) struct Written {
    /// See [`crate::store::Calls::save`].
    pub(super) known: Option<u64>,
    pub(super) crm_call_id: Option<CrmCallId>,
    /// The furthest event of the call that subscribers are told of.
    pub(super) told: Option<EventKind>,
}

impl Shelf {
    pub(super) async fn write(
        &self,
        mut record: CallRecord,
        Before { known, told, revision }: Before,
    ) -> Result<Written, StoreError> {
        let leads = std::mem::take(&mut record.pending_leads);
        for lead in &leads {
            self.leads.put(lead).await?;
        }
        let callbacks = ScheduledCallback::of_record_since(&record, revision);
        for callback in &callbacks {
            self.callbacks.put(callback).await?;
        }
        if record.is_over() && record.crm_call_id.is_some() && !self.announcer.is_heard_by_anybody() {
            return self.end(&record, known).await;
        }
        let known = self.save(&mut record, known).await?;
        let brought = Brought { leads: &leads, callbacks: &callbacks };
        let told = self.announcer.tell_of(&record, brought, told).await?;
        if record.is_over() {
            return Ok(Written { told, ..self.end(&record, known).await? });
        }
        Ok(Written { known, crm_call_id: record.crm_call_id, told })
    }

    async fn save(&self, record: &mut CallRecord, known: Option<u64>) -> Result<Option<u64>, StoreError> {
        if record.crm_call_id.is_some() {
            return self.papers.calls.save(record, known).await;
        }
        let running = record.running.as_ref();
        let run = running.map(|running| (running.node.clone(), running.start.clone()));
        let (name, known) = self.papers.begin(record, run.unwrap_or_else(|| self.run.clone())).await?;
        record.crm_call_id = Some(name);
        Ok(known)
    }

    async fn end(&self, record: &CallRecord, known: Option<u64>) -> Result<Written, StoreError> {
        self.ring_for(self.papers.end(record, known, self.run.clone()).await?.as_ref());
        // The upload's state is beside what the writer knows.
        Ok(Written { known: None, crm_call_id: record.crm_call_id.clone(), told: None })
    }

    /// For a call whose record was closed before its recording was ready. False: there is no such record.
    pub(super) async fn add_recording(
        &self,
        call: &CallId,
        made: &RecordingMade,
    ) -> Result<bool, StoreError> {
        let Some(upload) = self.papers.add_recording(call, made, &self.run.0).await? else {
            return Ok(false);
        };
        self.ring_for(upload.as_ref());
        Ok(true)
    }

    fn ring_for(&self, upload: Option<&Upload>) {
        if upload.is_some() {
            self.bell.notify_one();
        }
    }
}
