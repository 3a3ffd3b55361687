//! Calls on their way to the CRM: what waits, what was refused, and having that tried again (SPEC U5, U7).

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::caller::Who;
use super::super::paging::{Listed, Narrowed, Paging, Unfiltered};
use super::super::problem::{Code, Problem};
use crate::actors::uploader::UploadIsDue;
use crate::domain::{CallId, CrmCallId, UploadState};
use crate::store::{
    By, Change, Effect, Entry, OUTBOX, Stored, Subject, UploadReport, WithoutEntry, report_uploads,
};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_uploads).service(report).service(retry_upload);
}

/// What an upload waits for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum UploadStateName {
    /// The end of its call.
    Open,
    /// The CRM knows nothing of the call yet.
    Due,
    /// The CRM has the call data; the recording is still to come.
    Amendable,
    Done,
    /// A person: the CRM has refused something, or it cannot be sent.
    Parked,
}

impl From<UploadState> for UploadStateName {
    fn from(state: UploadState) -> Self {
        match state {
            UploadState::Open => Self::Open,
            UploadState::Due => Self::Due,
            UploadState::Amendable => Self::Amendable,
            UploadState::Done => Self::Done,
            UploadState::Parked => Self::Parked,
        }
    }
}

impl From<UploadStateName> for UploadState {
    fn from(name: UploadStateName) -> Self {
        match name {
            UploadStateName::Open => Self::Open,
            UploadStateName::Due => Self::Due,
            UploadStateName::Amendable => Self::Amendable,
            UploadStateName::Done => Self::Done,
            UploadStateName::Parked => Self::Parked,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct UploadView {
    id: String,
    call_id: String,
    /// The call's name in the CRM.
    crm_call_id: String,
    state: UploadStateName,
    /// Where the CRM keeps the recording.
    recording_url: Option<String>,
    /// Why it is parked, or what the last attempt failed of.
    reason: Option<String>,
    /// The engine that has the recording.
    node: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only those that wait for this.
    state: Option<UploadStateName>,
}

/// A recording that the CRM has no entry for.
#[derive(Serialize, ToSchema)]
struct MissingView {
    call_id: String,
    #[schema(format = DateTime)]
    call_start_time: String,
    recording_filename: String,
    /// Null: an older version had the call, and nobody has meant to tell the CRM.
    state: Option<UploadStateName>,
    reason: Option<String>,
}

/// What waits for the CRM, was told to it, or was refused by it; newest first
///
/// An admin's whole tenant's, a superadmin's everybody's; an agent has none to see.
#[utoipa::path(tag = "uploads", params(Paging, Wanted), responses((status = 200, description = "A page", body = Listed<UploadView>)))]
#[get("/api/uploads")]
async fn list_uploads(
    api: web::Data<Api>,
    who: Who,
    Narrowed { place, wanted }: Narrowed<Wanted>,
) -> Result<HttpResponse, Problem> {
    let (scope, state) = (who.identity().uploads(), wanted.state.map(UploadState::from));
    let found = api.outbox().list(&scope, state, place.after.clone(), place.limit).await?;
    Ok(HttpResponse::Ok().json(place.page(found.items.iter().map(UploadView::of).collect(), found.next)))
}

/// Recordings that the CRM has no entry for yet
///
/// Of a page of your tenant's calls, newest first; a page may be empty and not be the last.
#[utoipa::path(tag = "uploads", params(Paging), responses((status = 200, description = "A page", body = Listed<MissingView>)))]
#[get("/api/uploads/report")]
async fn report(
    api: web::Data<Api>,
    who: Who,
    Narrowed { place, .. }: Narrowed<Unfiltered>,
) -> Result<HttpResponse, Problem> {
    let scope = who.identity().uploads();
    let (after, limit) = (place.after.clone(), place.limit);
    let UploadReport { lines, next } =
        report_uploads(&api.calls(), &api.outbox(), Some(&scope), after, limit).await?;
    Ok(HttpResponse::Ok().json(place.page(lines.into_iter().map(MissingView::from).collect(), next)))
}

/// Have a parked upload tried again
///
/// By its own id, the call's, or the call's name in the CRM.
#[utoipa::path(tag = "uploads", params(("id" = String, Path)), responses(
    (status = 200, description = "It is tried again", body = UploadView),
    (status = 409, description = "It is not parked"),
))]
#[post("/api/uploads/{id}/retry")]
async fn retry_upload(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let outbox = api.outbox();
    let call = CallId::new(id.strip_suffix(":crm").unwrap_or(&id));
    let found = match outbox.get(&call).await? {
        Some(found) => Some(found),
        None => outbox.named(&CrmCallId::new(id.as_str())).await?,
    };
    let upload = found.ok_or_else(Problem::not_found)?.record;
    who.identity().may_see_upload(upload.tenant_id.as_ref())?;
    if upload.progress.state != UploadState::Parked {
        let state = upload.progress.state.as_str();
        return Err(Problem::new(
            Code::Conflict,
            format!("only what is parked is tried again; this is {state}"),
        ));
    }
    let subject = Subject::new(&OUTBOX, &upload.id, upload.crm_call_id.as_str());
    let change = Change::new(By::from(who.identity()), "upload.retry", Effect::Changed, subject);
    let change = change.of_tenant(upload.tenant_id.clone());
    let retry = async |entry: &Entry| outbox.retry(entry, &upload.session_id).await;
    api.accounts().audit().record(change, retry).await?.ok_or_else(Problem::not_found)?;
    if let Some(uploader) = api.directory.uploader() {
        uploader.do_send(UploadIsDue);
    }
    let changed = outbox.get(&upload.session_id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(UploadView::of(&changed)))
}

impl UploadView {
    fn of(Stored { record: upload, created_at, updated_at, .. }: &Stored<crate::store::Upload>) -> Self {
        let told = upload.told();
        Self {
            id: upload.id.clone(),
            call_id: upload.session_id.to_string(),
            crm_call_id: upload.crm_call_id.to_string(),
            state: told.state.into(),
            recording_url: told.recording_url,
            reason: told.reason,
            node: upload.node.to_string(),
            created_at: created_at.to_string(),
            updated_at: updated_at.to_string(),
        }
    }
}

impl From<WithoutEntry> for MissingView {
    fn from(line: WithoutEntry) -> Self {
        Self {
            call_id: line.call.to_string(),
            call_start_time: line.call_start_time.to_string(),
            recording_filename: line.recording_filename,
            state: line.state.map(UploadStateName::from),
            reason: line.reason,
        }
    }
}
