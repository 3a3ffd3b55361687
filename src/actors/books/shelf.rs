//! Where records go: a call's upload is opened before its record is first written, and is due once the record of its
//! end is there. So no ended call is ever without one, whatever crashes in between. Subscribers are told in between.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::crm::Upload;
use crate::domain::{
    CallId, CallRecord, CrmCallId, EventKind, NodeId, RecordingMade, ScheduledCallback, StartId,
};
use crate::store::{Callbacks, Calls, Leads, Outbox, StoreError};

use super::super::announcer::{Announcer, Brought};

#[derive(Clone)]
pub struct Shelf {
    pub calls: Calls,
    pub leads: Leads,
    pub callbacks: Callbacks,
    pub outbox: Outbox,
    /// This engine, and this run of it.
    pub run: (NodeId, StartId),
    /// Rings when an upload has become due.
    pub bell: Arc<Notify>,
    pub announcer: Announcer,
}

/// What the store took of the record before.
pub(super) struct Before {
    /// See [`Calls::save`].
    pub(super) known: Option<u64>,
    /// The furthest event of the call that subscribers are told of.
    pub(super) told: Option<EventKind>,
    pub(super) revision: u64,
}

pub(super) struct Written {
    /// See [`Calls::save`].
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
        if record.crm_call_id.is_none() {
            let running = record.running.as_ref();
            let run = running.map(|running| (running.node.clone(), running.start.clone()));
            let run = run.unwrap_or_else(|| self.run.clone());
            record.crm_call_id = Some(self.outbox.open(&record, run).await?);
        }
        let leads = std::mem::take(&mut record.pending_leads);
        for lead in &leads {
            self.leads.put(lead).await?;
        }
        let callbacks = ScheduledCallback::of_record_since(&record, revision);
        for callback in &callbacks {
            self.callbacks.put(callback).await?;
        }
        let known = self.calls.save(&record, known).await?;
        let brought = Brought { leads: &leads, callbacks: &callbacks };
        let told = self.announcer.tell_of(&record, brought, told).await?;
        let crm_call_id = record.crm_call_id.clone();
        if !record.is_over() {
            return Ok(Written { known, crm_call_id, told });
        }
        self.end(&record).await?;
        // The upload's state is beside what the writer knows.
        Ok(Written { known: None, crm_call_id, told })
    }

    /// For a call whose record was closed before its recording was ready. False: there is no such record.
    pub(super) async fn add_recording(
        &self,
        call: &CallId,
        made: &RecordingMade,
    ) -> Result<bool, StoreError> {
        let is_there = self.calls.add_recording(call, made).await?;
        if is_there {
            self.tell(self.outbox.recording_came(call).await?).await?;
        }
        Ok(is_there)
    }

    async fn end(&self, record: &CallRecord) -> Result<(), StoreError> {
        self.tell(self.outbox.end(&record.session_id, record.recording_filename.is_some()).await?).await
    }

    async fn tell(&self, upload: Option<Upload>) -> Result<(), StoreError> {
        let Some(upload) = upload else { return Ok(()) };
        self.calls.tell_upload(&upload.session_id, &upload.told()).await?;
        self.bell.notify_one();
        Ok(())
    }
}
