//! One step of one call: claimed, sent, noted.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use crate::crm::{
    Answer, EndedCall, Input, Outcome, Progress, RecordingStep, SentRecording, Settled, Step, Upload,
    call_data,
};
use crate::domain::{CallId, CallUpload, EventKind, Lead, NodeId, StartId, UploadState};
use crate::net::crm_http::CrmClient;
use crate::store::{Calls, Leads, Outbox, StepClaim, StoreError};
use crate::telemetry::{Counter, count};

use super::super::announcer::Announcer;
use super::log_settled;

/// What is needed for it; cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub outbox: Outbox,
    pub calls: Calls,
    pub leads: Leads,
    /// With the runtime it sends on. `None`: there is no CRM.
    pub crm: Option<(CrmClient, Handle)>,
    pub announcer: Announcer,
    pub run: (NodeId, StartId),
}

/// Why a step was not sent.
enum NotSent {
    NotOurs,
    Store(StoreError),
    Changed(Progress),
}

impl From<StoreError> for NotSent {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Desk {
    pub(super) async fn post(&self, call: CallId, step: Step, progress: Progress) -> Input {
        let claim = StepClaim::new(call.clone(), step, self.run.clone());
        match self.outbox.claim(&claim).await {
            Ok(true) => {}
            Ok(false) => return Input::NotOurs { call },
            Err(error) => return self.not_begun(call, &error),
        }
        let not_sent = match self.send(&call, step, &progress).await {
            Ok(answer) => return Input::Answered { call, answer },
            Err(not_sent) => not_sent,
        };
        self.release(&call, step).await;
        match not_sent {
            NotSent::NotOurs => Input::NotOurs { call },
            NotSent::Changed(progress) => Input::Changed { call, progress },
            NotSent::Store(error) => self.not_begun(call, &error),
        }
    }

    fn not_begun(&self, call: CallId, error: &StoreError) -> Input {
        count(Counter::StoreFailures);
        tracing::warn!(%call, %error, "the store does not let a call be told to the CRM; trying again");
        Input::NotBegun { call }
    }

    async fn send(&self, call: &CallId, step: Step, progress: &Progress) -> Result<Answer, NotSent> {
        let (crm, io) = self.crm.clone().ok_or(NotSent::NotOurs)?;
        let upload = self.outbox.get(call).await?.ok_or(NotSent::NotOurs)?.record;
        if !upload.progress.is_at(progress) {
            return Err(NotSent::Changed(upload.progress));
        }
        let ended = match self.calls.ended(call).await {
            Ok(Some(ended)) => ended,
            Ok(None) => return Ok(Answer::Unsendable("the record of the call is not in the store".into())),
            Err(error @ StoreError::Unreadable { .. }) => return Ok(Answer::Unsendable(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let key = format!("{}/{step}", upload.crm_call_id);
        count(Counter::CrmRequests);
        match step {
            Step::Recording => Ok(send_recording(crm, &io, key, ended.record.recording_filename).await),
            Step::CallData | Step::Amendment => {
                self.take_late_recording(&upload, &ended).await?;
                let body = self.body(&upload, &ended, step).await?;
                let sending = io.spawn(async move { crm.send_call_data(&key, &body).await });
                Ok(sending.await.unwrap_or_else(|_| broken_off()))
            }
        }
    }

    /// It was written into the record after the call's end.
    async fn take_late_recording(&self, upload: &Upload, ended: &EndedCall) -> Result<(), NotSent> {
        let is_new = upload.progress.recording == RecordingStep::Missing;
        if !is_new || ended.record.recording_filename.is_none() {
            return Ok(());
        }
        let changed =
            self.outbox.recording_came(&upload.session_id, &upload.node).await?.ok_or(NotSent::NotOurs)?;
        Err(NotSent::Changed(changed.progress))
    }

    async fn body(&self, upload: &Upload, ended: &EndedCall, step: Step) -> Result<Value, StoreError> {
        let lead = match ended.record.leads.last() {
            Some(newest) => self.leads.get(newest).await?.map(|stored| told_of(&stored.record)),
            None => None,
        };
        let recording = match upload.progress.url_told_with(step) {
            Some(url) => Some(SentRecording {
                url: url.to_owned(),
                duration_seconds: ended.recording_duration_seconds,
                bytes: bytes_of(ended).await,
            }),
            None => None,
        };
        Ok(call_data(&upload.crm_call_id, ended, recording.as_ref(), lead.as_ref()))
    }

    /// The record first: if the outbox does not hear of it, the step is done again.
    pub(super) async fn settle(&self, call: CallId, settled: Settled) -> Input {
        match self.note(&call, &settled).await {
            Ok(Some(upload)) => {
                tell(&call, &settled);
                self.release(&call, settled.step).await;
                Input::Noted { call, progress: upload.progress }
            }
            Ok(None) => Input::NotOurs { call },
            Err(error) => {
                count(Counter::StoreFailures);
                tracing::warn!(%call, %error, "what the CRM said cannot be noted; trying again");
                Input::NotNoted { call }
            }
        }
    }

    async fn note(&self, call: &CallId, settled: &Settled) -> Result<Option<Upload>, StoreError> {
        let Some(upload) = self.outbox.get(call).await? else { return Ok(None) };
        let before = upload.record.progress.told();
        let told = upload.record.progress.settle(settled).told();
        if told != before {
            match self.calls.tell_upload(call, &told).await {
                Ok(()) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if before.state != UploadState::Done && told.state == UploadState::Done {
            self.tell_that_it_is_done(call, &told).await?;
        }
        self.outbox.settle(call, settled).await
    }

    async fn tell_that_it_is_done(&self, call: &CallId, told: &CallUpload) -> Result<(), StoreError> {
        if !self.announcer.is_wanted(EventKind::CallUploaded) {
            return Ok(());
        }
        match self.calls.get(call).await? {
            Some(record) => self.announcer.tell_of_upload(&record, told).await,
            None => Ok(()),
        }
    }

    /// One that cannot be given up is this run's own at the next attempt, and nobody's once the run is over.
    pub(super) async fn release(&self, call: &CallId, step: Step) {
        let claim = StepClaim::new(call.clone(), step, self.run.clone());
        if let Err(error) = self.outbox.release(&claim).await {
            tracing::debug!(%call, %error, "a claim of the outbox stays for now");
        }
    }
}

async fn send_recording(crm: CrmClient, io: &Handle, key: String, file: Option<String>) -> Answer {
    let Some(file) = file.map(PathBuf::from) else {
        return Answer::Unsendable("the record of the call names no recording".into());
    };
    let sending = io.spawn(async move { crm.send_recording(&key, &file).await });
    sending.await.unwrap_or_else(|_| broken_off())
}

fn broken_off() -> Answer {
    Answer::Broken("it was broken off on our side".into())
}

/// Of the record, else of the file, if it lies here.
async fn bytes_of(ended: &EndedCall) -> Option<u64> {
    if ended.recording_bytes.is_some() {
        return ended.recording_bytes;
    }
    let path = ended.record.recording_filename.clone()?;
    let looking = tokio::task::spawn_blocking(move || std::fs::metadata(Path::new(&path)));
    looking.await.ok()?.ok().map(|file| file.len())
}

/// What the person said, and which lead of ours it is.
fn told_of(lead: &Lead) -> Map<String, Value> {
    let ours = [("id", json!(lead.id)), ("session_id", json!(lead.session_id))];
    let ours = ours.into_iter().map(|(name, value)| (name.to_owned(), value));
    lead.fields.clone().into_iter().chain(ours).collect()
}

fn tell(call: &CallId, settled: &Settled) {
    let step = settled.step;
    match &settled.outcome {
        Outcome::Taken { .. } => log_settled(call, "the CRM has it", step),
        Outcome::Refused { .. } => {
            count(Counter::UploadsParked);
            tracing::error!(
                %call, %step,
                "the CRM refuses it, or it cannot be sent; it is parked: see `clearline uploads list --state parked`"
            );
        }
        Outcome::Trouble { .. } => count(Counter::CrmFailures),
        Outcome::GoesWithout { .. } => tracing::debug!(%call, "the call data goes without a recording"),
        Outcome::NotSent => tracing::debug!(%call, "the call data has not reached the CRM"),
    }
}
