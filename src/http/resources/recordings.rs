//! A call's recording: listened to, whole or from wherever the listener moves to; and, while the call goes on, started,
//! stopped, paused and resumed (SPEC U2).

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::{Api, part_missing};
use super::super::caller::Who;
use super::super::problem::{Code, Problem};
use super::super::stored_file::{About, StoredFile, open};
use super::calls::visible;
use crate::actors::call_supervisor::{ControlRecording, RecordingOrder, RecordingRefused};
use crate::domain::{CallId, CallRecord, RecordingState};

const CONTENT_TYPE: &str = "audio/ogg; codecs=opus";

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(get_recording);
    config
        .service(start_recording)
        .service(stop_recording)
        .service(pause_recording)
        .service(resume_recording);
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RecordingStateName {
    Recording,
    /// It would be recorded, but cannot be written: the disk is full, or fails.
    Interrupted,
    Paused,
    Off,
}

impl From<RecordingState> for RecordingStateName {
    fn from(state: RecordingState) -> Self {
        match state {
            RecordingState::Recording => Self::Recording,
            RecordingState::Interrupted => Self::Interrupted,
            RecordingState::Paused => Self::Paused,
            RecordingState::Off => Self::Off,
        }
    }
}

/// What is the case from now on.
#[derive(Serialize, ToSchema)]
struct RecordingNow {
    state: RecordingStateName,
}

/// Listen to a call
///
/// Stereo Ogg/Opus: the person is left, the voice agent right; pauses of the recording are silence. With `Range` a part of it.
#[utoipa::path(tag = "calls",
    params(
        ("id" = String, Path),
        ("Range" = Option<String>, Header, description = "One range of bytes, as `bytes=0-1023`"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` of the part you have: the whole comes if it is another file now"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the recording you have"),
    ),
    responses(
        (status = 200, description = "The whole recording; its `ETag` is its version", body = Vec<u8>, content_type = "audio/ogg"),
        (status = 206, description = "The part", body = Vec<u8>, content_type = "audio/ogg"),
        (status = 304, description = "You have it"),
        (status = 404, description = "There is no such call, or nothing of it was recorded"),
        (status = 409, description = "The call goes on, or its recording is still being encoded"),
        (status = 416, description = "There is no such part"),
        (status = 421, description = "Another engine has the file"),
    )
)]
#[get("/api/calls/{id}/recording")]
async fn get_recording(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let record = visible(&api, who.identity(), &CallId::new(id.as_str())).await?;
    let file = file_of(&api, &record).await?;
    let about = About { content_type: CONTENT_TYPE, name: format!("call-{}.ogg", record.session_id) };
    Ok(file.answer(&request, &about))
}

async fn file_of(api: &Api, record: &CallRecord) -> Result<StoredFile, Problem> {
    let recordings = api.recordings.as_ref();
    let Some(filename) = &record.recording_filename else {
        let is_under_way = recordings.is_some_and(|recordings| recordings.is_under_way(&record.session_id));
        return Err(match (is_under_way, record.outcome) {
            (true, None) => {
                Problem::new(Code::NotReady, "the call goes on; its recording is there soon after its end")
            }
            (true, Some(_)) => {
                Problem::new(Code::NotReady, "the recording is being encoded; try again in a while")
            }
            (false, _) => Problem::new(
                Code::NotFound,
                match record.recording_deleted_time {
                    Some(at) => {
                        format!("the recording was deleted on {at}, as old as recordings may become here")
                    }
                    None => "nothing of this call was recorded".to_owned(),
                },
            ),
        });
    };
    let path = recordings.and_then(|recordings| recordings.path_of(filename));
    let file = match path {
        Some(path) => open(&path).await?,
        None => None,
    };
    let elsewhere = "this engine does not have the file: ask the one that had the call, or it was deleted";
    file.ok_or_else(|| Problem::new(Code::HeldElsewhere, elsewhere))
}

/// Start recording a call
///
/// What was said before is not in the recording. For voice agents whose calls are recorded with consent only.
#[utoipa::path(tag = "calls", params(("id" = String, Path)), responses(
    (status = 200, description = "Done, or so already", body = RecordingNow),
    (status = 409, description = "The call has ended, or it is never recorded"),
))]
#[post("/api/calls/{id}/recording/start")]
async fn start_recording(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    control(&api, &who, &id, RecordingOrder::Start).await
}

/// Stop recording a call
///
/// What was recorded before stays.
#[utoipa::path(tag = "calls", params(("id" = String, Path)), responses(
    (status = 200, description = "Done, or so already", body = RecordingNow),
    (status = 409, description = "The call has ended, or it is never recorded"),
))]
#[post("/api/calls/{id}/recording/stop")]
async fn stop_recording(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    control(&api, &who, &id, RecordingOrder::Stop).await
}

/// Pause the recording of a call
///
/// The pause is silence in the recording.
#[utoipa::path(tag = "calls", params(("id" = String, Path)), responses(
    (status = 200, description = "Done, or so already", body = RecordingNow),
    (status = 409, description = "The call has ended, or it is never recorded, or nothing is being recorded"),
))]
#[post("/api/calls/{id}/recording/pause")]
async fn pause_recording(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    control(&api, &who, &id, RecordingOrder::Pause).await
}

/// Resume the recording of a call
///
/// The pause is silence in the recording.
#[utoipa::path(tag = "calls", params(("id" = String, Path)), responses(
    (status = 200, description = "Done, or so already", body = RecordingNow),
    (status = 409, description = "The call has ended, or it is never recorded, or nothing is being recorded"),
))]
#[post("/api/calls/{id}/recording/resume")]
async fn resume_recording(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    control(&api, &who, &id, RecordingOrder::Resume).await
}

async fn control(api: &Api, who: &Who, id: &str, order: RecordingOrder) -> Result<HttpResponse, Problem> {
    let call = CallId::new(id);
    visible(api, who.identity(), &call).await?;
    let supervisor = api.directory.supervisor().ok_or_else(part_missing)?;
    let controlled = supervisor.send(ControlRecording { call, order }).await.map_err(|_| part_missing())?;
    let state = controlled.map_err(|refused: RecordingRefused| Problem::new(Code::Conflict, refused))?;
    Ok(HttpResponse::Ok().json(RecordingNow { state: state.into() }))
}
