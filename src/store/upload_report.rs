//! Recordings that the CRM has no entry for yet (SPEC U7): of calls that have one, each without an upload, or with one
//! that has not told the CRM of the call and its recording.

use super::{CallFilter, CallList, Calls, Outbox, StoreError};
use crate::access::Scope;
use crate::crm::{CallDataStep, Upload};
use crate::domain::{CallId, CallRecord, CallUpload, Timestamp, UploadState};

#[derive(Debug, Clone, PartialEq)]
pub struct WithoutEntry {
    pub call: CallId,
    pub call_start_time: Timestamp,
    pub recording_filename: String,
    /// `None`: nobody has ever meant to tell the CRM, because an older version had the call.
    pub state: Option<UploadState>,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct UploadReport {
    pub lines: Vec<WithoutEntry>,
    /// Ask for the next page with it; a page may have no lines and not be the last.
    pub next: Option<String>,
}

/// Of a page of the calls that somebody of this scope may see, newest first. `None`: of everybody's, for who operates the
/// engine on its own machine.
pub async fn report_uploads(
    calls: &Calls,
    outbox: &Outbox,
    scope: Option<&Scope>,
    after: Option<String>,
    limit: usize,
) -> Result<UploadReport, StoreError> {
    let CallList { calls, next } = match scope {
        Some(scope) => calls.list(scope, &CallFilter::default(), after, limit).await?,
        None => calls.of_everybody(after, limit).await?,
    };
    let mut lines = Vec::new();
    for record in calls.into_iter().filter(CallRecord::is_over) {
        let Some(recording_filename) = record.recording_filename else { continue };
        let upload = outbox.get(&record.session_id).await?.map(|stored| stored.record);
        if upload.as_ref().map_or_else(|| had_entry(record.upload.as_ref()), has_entry) {
            continue;
        }
        lines.push(WithoutEntry {
            call: record.session_id,
            call_start_time: record.call_start_time,
            recording_filename,
            state: upload.as_ref().map(|upload| upload.progress.state),
            reason: upload.and_then(|upload| upload.progress.reason().map(str::to_owned)),
        });
    }
    Ok(UploadReport { lines, next })
}

/// What is done is forgotten after a while; the record says that it was.
fn had_entry(told: Option<&CallUpload>) -> bool {
    told.is_some_and(|told| told.state == UploadState::Done && told.recording_url.is_some())
}

fn has_entry(upload: &Upload) -> bool {
    let progress = &upload.progress;
    progress.recording_url().is_some()
        && progress.call_data == CallDataStep::Acknowledged { with_recording: true }
}
