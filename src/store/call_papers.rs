//! What a call's beginning and its end write: its record and its upload. Each commit and each answer that is waited for
//! costs while calls are set up, so what belongs together is handed to the store as one piece; whatever is not as
//! expected is done step by step, as the outbox and the record would do it by themselves.

use super::document::body_of;
use super::{CALLS, Calls, OUTBOX, Outbox, Put, Store, StoreError};
use crate::clock;
use crate::crm::{Progress, Upload};
use crate::domain::{CallId, CallRecord, CrmCallId, NodeId, RecordingMade, StartId};

/// As which an upload that was opened is there until its call ends.
const JUST_OPENED: u64 = 1;

#[derive(Clone)]
pub struct CallPapers {
    pub calls: Calls,
    pub outbox: Outbox,
    store: Store,
}

impl CallPapers {
    pub fn new(store: Store) -> Self {
        Self { calls: Calls::new(store.clone()), outbox: Outbox::new(store.clone()), store }
    }

    /// The upload comes first, so that a call that is known cannot be forgotten. Gives the call's name in the CRM and what
    /// [`Calls::save`] does.
    pub async fn begin(
        &self,
        record: &CallRecord,
        run: (NodeId, StartId),
    ) -> Result<(CrmCallId, Option<u64>), StoreError> {
        if Outbox::comes_late(record) {
            return self.begin_step_by_step(record, run, None).await;
        }
        let likely = self.outbox.names.likely(record);
        let named = CallRecord { crm_call_id: Some(likely.name.clone()), ..record.clone() };
        let upload = Upload::open(&named, likely.name.clone(), run.0.clone(), run.1.clone());
        let puts = vec![
            likely.claim(&record.session_id),
            Put::new(&OUTBOX, &upload.id, body_of(&upload)?),
            Put::new(&CALLS, record.session_id.as_str(), body_of(&named)?),
        ];
        match self.store.put_in_order(puts).await?.as_slice() {
            [Ok(_), Ok(_), Ok(document)] => {
                self.outbox.names.was_given(likely);
                Ok((upload.crm_call_id, Some(document.version)))
            }
            written => {
                let taken = written.first().is_some_and(Result::is_ok).then_some(likely.name);
                self.begin_step_by_step(record, run, taken).await
            }
        }
    }

    /// Somebody else was given the name, or the call is not new and has another one than that which was just `taken`.
    async fn begin_step_by_step(
        &self,
        record: &CallRecord,
        run: (NodeId, StartId),
        taken: Option<CrmCallId>,
    ) -> Result<(CrmCallId, Option<u64>), StoreError> {
        let name = self.outbox.open(record, run).await?;
        if let Some(unneeded) = taken.filter(|taken| *taken != name) {
            self.outbox.names.take_back(&unneeded).await?;
        }
        let record = CallRecord { crm_call_id: Some(name.clone()), ..record.clone() };
        Ok((name, self.calls.save(&record, None).await?))
    }

    /// The call is over, and its upload is due. `known` is what the last save gave. `None`: there is no upload.
    pub async fn end(
        &self,
        record: &CallRecord,
        known: Option<u64>,
        run: (NodeId, StartId),
    ) -> Result<Option<Upload>, StoreError> {
        if let (Some(version), Some(name)) = (known, &record.crm_call_id) {
            let opened = Upload::open(record, name.clone(), run.0, run.1);
            let due = Progress::due(record.recording_filename.is_some());
            let due = opened.moved_on(due, clock::unix_time());
            if self.end_at_once(record, version, &due).await? {
                return Ok(Some(due));
            }
        }
        self.calls.save(record, known).await?;
        let ended = self.outbox.end(&record.session_id, record.recording_filename.is_some()).await?;
        self.told(ended).await
    }

    async fn end_at_once(&self, record: &CallRecord, known: u64, due: &Upload) -> Result<bool, StoreError> {
        let told = CallRecord { upload: Some(due.told()), ..record.clone() };
        let puts = vec![
            Put::over(&CALLS, record.session_id.as_str(), known, body_of(&told)?),
            Put::over(&OUTBOX, &due.id, JUST_OPENED, body_of(due)?),
        ];
        let written = self.store.put_in_order(puts).await?;
        Ok(matches!(written.as_slice(), [Ok(_), Ok(_)]))
    }

    /// For a call whose record was closed before its recording was ready. The recording lies with `holder`. `None`: there is
    /// no such record; in it, its upload, if there is one.
    pub async fn add_recording(
        &self,
        call: &CallId,
        made: &RecordingMade,
        holder: &NodeId,
    ) -> Result<Option<Option<Upload>>, StoreError> {
        if !self.calls.add_recording(call, made).await? {
            return Ok(None);
        }
        let upload = self.outbox.recording_came(call, holder).await?;
        Ok(Some(self.told(upload).await?))
    }

    async fn told(&self, upload: Option<Upload>) -> Result<Option<Upload>, StoreError> {
        if let Some(upload) = &upload {
            self.calls.tell_upload(&upload.session_id, &upload.told()).await?;
        }
        Ok(upload)
    }
}
