//! Call-backs: who wants to be called, and when (SPEC G3). Calls write them; people say when they are done.

use actix_web::{HttpResponse, get, patch, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::body::{Body, at_most};
use super::super::caller::Who;
use super::super::paging::{Listed, Narrowed, Paging};
use super::super::problem::Problem;
use crate::clock;
use crate::domain::{CallId, CallbackId, ScheduledCallback, Timestamp, UserId};
use crate::store::{By, CALLBACKS, CallbackFilter, Change, Effect, Entry, Stored, Subject};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_callbacks).service(get_callback).service(change_callback);
}

/// Somebody wants to be called back.
#[derive(Serialize, ToSchema)]
struct ScheduledCallbackView {
    id: String,
    /// The call in which it was agreed on.
    call_id: String,
    owner_id: Option<String>,
    voice_agent_id: Option<String>,
    campaign_id: Option<String>,
    #[schema(format = DateTime)]
    due: String,
    number: String,
    reason: String,
    /// When this was agreed on, or changed.
    #[schema(format = DateTime)]
    asked_at: String,
    /// How often it was changed in its call.
    changes: u32,
    /// Somebody says that the person was called.
    done: bool,
    #[schema(format = DateTime)]
    done_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only what was agreed on in this call.
    #[param(max_length = 200)]
    #[serde(default, deserialize_with = "at_most::<_, 200>")]
    call_id: Option<String>,
    /// Whose calls; of these you see what you see anyway.
    #[param(max_length = 200)]
    #[serde(default, deserialize_with = "at_most::<_, 200>")]
    owner_id: Option<String>,
    /// True: only those that are done; false: only those that are not.
    done: Option<bool>,
    /// Only those due at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    due_from: Option<Timestamp>,
    /// Only those due before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    due_before: Option<Timestamp>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeCallback {
    /// Whether the person was called.
    done: bool,
}

/// Your call-backs, those of the newest calls first
///
/// Those of an agent's own calls, of an admin's whole tenant. A superadmin sees none.
#[utoipa::path(tag = "callbacks", params(Paging, Wanted), responses((status = 200, description = "A page", body = Listed<ScheduledCallbackView>)))]
#[get("/api/callbacks")]
async fn list_callbacks(
    api: web::Data<Api>,
    who: Who,
    Narrowed { place, wanted }: Narrowed<Wanted>,
) -> Result<HttpResponse, Problem> {
    let filter = CallbackFilter {
        call: wanted.call_id.map(CallId::new),
        owner: wanted.owner_id.map(UserId::new),
        done: wanted.done,
        due_from: wanted.due_from,
        due_before: wanted.due_before,
    };
    let (scope, after, limit) = (who.identity().records(), place.after.clone(), place.limit);
    let found = api.callbacks().list(&scope, &filter, after, limit).await?;
    let items = found.items.into_iter().map(ScheduledCallbackView::from).collect();
    Ok(HttpResponse::Ok().json(place.page(items, found.next)))
}

/// One call-back
#[utoipa::path(tag = "callbacks", params(("id" = String, Path)), responses((status = 200, description = "The call-back", body = ScheduledCallbackView)))]
#[get("/api/callbacks/{id}")]
async fn get_callback(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let found = visible(&api, &who, &CallbackId::new(id.as_str())).await?;
    Ok(HttpResponse::Ok().json(ScheduledCallbackView::from(found)))
}

/// Say that a call-back is done, or that it is not
///
/// If its appointment is changed in the call after that, it is to be done again.
#[utoipa::path(tag = "callbacks", params(("id" = String, Path)), request_body = ChangeCallback, responses(
    (status = 200, description = "The call-back as it is now", body = ScheduledCallbackView),
))]
#[patch("/api/callbacks/{id}")]
async fn change_callback(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
    Body(ChangeCallback { done }): Body<ChangeCallback>,
) -> Result<HttpResponse, Problem> {
    let found = visible(&api, &who, &CallbackId::new(id.as_str())).await?.record;
    let (id, done_at) = (found.id, done.then(clock::unix_time));
    let subject = Subject::new(&CALLBACKS, id.as_str(), found.session_id.as_str());
    let change = Change::new(By::from(who.identity()), "callback.change", Effect::Changed, subject);
    let change = change.of_tenant(found.tenant_id).with("done", done);
    let set = async |entry: &Entry| api.callbacks().set_done(entry, &id, done_at).await;
    let changed = api.accounts().audit().record(change, set).await?;
    Ok(HttpResponse::Ok().json(ScheduledCallbackView::from(changed)))
}

async fn visible(api: &Api, who: &Who, id: &CallbackId) -> Result<Stored<ScheduledCallback>, Problem> {
    let found = api.callbacks().get(id).await?.ok_or_else(Problem::not_found)?;
    let ScheduledCallback { owner_id, tenant_id, .. } = &found.record;
    who.identity().may_see_record(owner_id.as_ref(), tenant_id.as_ref())?;
    Ok(found)
}

impl From<Stored<ScheduledCallback>> for ScheduledCallbackView {
    fn from(Stored { record, created_at, updated_at, .. }: Stored<ScheduledCallback>) -> Self {
        let ScheduledCallback { agreed, .. } = record;
        Self {
            id: record.id.to_string(),
            call_id: record.session_id.to_string(),
            owner_id: record.owner_id.map(|id| id.to_string()),
            voice_agent_id: record.voice_agent_id.map(|id| id.to_string()),
            campaign_id: record.campaign_id.map(|id| id.to_string()),
            due: agreed.due.to_string(),
            number: agreed.number.expose().to_owned(),
            reason: agreed.reason,
            asked_at: agreed.asked_at.to_string(),
            changes: agreed.changes,
            done: record.done,
            done_at: record.done_at.map(|at| at.to_string()),
            created_at: created_at.to_string(),
            updated_at: updated_at.to_string(),
        }
    }
}
