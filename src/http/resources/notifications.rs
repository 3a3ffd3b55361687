//! Events of calls on their way to subscribers: what waits, what was refused, and having that tried again (SPEC I10).

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::caller::Who;
use super::super::paging::{Listed, Narrowed, Paging};
use super::super::problem::{Code, Problem};
use crate::actors::notifier::NotificationIsDue;
use crate::domain::NotificationState;
use crate::store::{By, Change, Effect, Entry, NOTIFICATIONS, Notification, StoreError, Stored, Subject};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_notifications).service(retry_notification);
}

/// What a notification waits for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum NotificationStateName {
    /// Its subscriber.
    Due,
    Delivered,
    /// A person: it was refused, or tried for too long.
    Parked,
}

impl From<NotificationState> for NotificationStateName {
    fn from(state: NotificationState) -> Self {
        match state {
            NotificationState::Due => Self::Due,
            NotificationState::Delivered => Self::Delivered,
            NotificationState::Parked => Self::Parked,
        }
    }
}

impl From<NotificationStateName> for NotificationState {
    fn from(name: NotificationStateName) -> Self {
        match name {
            NotificationStateName::Due => Self::Due,
            NotificationStateName::Delivered => Self::Delivered,
            NotificationStateName::Parked => Self::Parked,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct NotificationView {
    id: String,
    /// What the subscriber knows it by: `webhook-id`, and `id` in the body.
    event_id: String,
    /// As `call.ended`.
    event: &'static str,
    call_id: String,
    /// By its name in the settings.
    subscriber: String,
    state: NotificationStateName,
    /// Why it is parked, or what the last attempt failed of.
    reason: Option<String>,
    /// The engine that delivers it.
    node: String,
    /// When it happened.
    #[schema(format = DateTime)]
    timestamp: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only those in this state.
    state: Option<NotificationStateName>,
}

/// Events of calls on their way to subscribers, delivered, or refused; newest first
///
/// A superadmin's everybody's, an admin's those of its tenant's own subscribers (`tenant_id` in the settings); an agent has none
/// to see. What was posted is not shown.
#[utoipa::path(tag = "notifications", params(Paging, Wanted), responses((status = 200, description = "A page", body = Listed<NotificationView>)))]
#[get("/api/notifications")]
async fn list_notifications(
    api: web::Data<Api>,
    who: Who,
    Narrowed { place, wanted }: Narrowed<Wanted>,
) -> Result<HttpResponse, Problem> {
    let (scope, state) = (who.identity().notifications(), wanted.state.map(NotificationState::from));
    let found = api.notifications().list(&scope, state, place.after.clone(), place.limit).await?;
    Ok(HttpResponse::Ok()
        .json(place.page(found.items.iter().map(NotificationView::of).collect(), found.next)))
}

/// What is tried again.
#[derive(Serialize, ToSchema)]
struct Retried {
    items: Vec<NotificationView>,
}

/// Have what is parked tried again
///
/// By its own id; by `event_id`, which the receiver was sent as `webhook-id`; or by a call's id or its
/// name in the CRM, for all that is parked of it. It is posted as it was: with the same id and the same body.
#[utoipa::path(tag = "notifications", params(("id" = String, Path)), responses(
    (status = 200, description = "These are tried again", body = Retried),
    (status = 409, description = "Nothing of it is parked"),
))]
#[post("/api/notifications/{id}/retry")]
async fn retry_notification(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let mut found = api.notifications().named(&id).await?;
    found.retain(|stored| who.identity().may_see_notification(stored.record.tenant_id.as_ref()).is_ok());
    let state = found.first().ok_or_else(Problem::not_found)?.record.state.as_str();
    found.retain(|stored| stored.record.state == NotificationState::Parked);
    if found.is_empty() {
        let problem = format!("only what is parked is tried again; this is {state}");
        return Err(Problem::new(Code::Conflict, problem));
    }
    let mut items = Vec::new();
    for parked in found {
        items.extend(retry_one(&api, &who, parked.record).await?.as_ref().map(NotificationView::of));
    }
    if let Some(notifier) = api.directory.notifier() {
        notifier.do_send(NotificationIsDue);
    }
    Ok(HttpResponse::Ok().json(Retried { items }))
}

/// `None`: it was deleted meanwhile.
async fn retry_one(
    api: &Api,
    who: &Who,
    parked: Notification,
) -> Result<Option<Stored<Notification>>, StoreError> {
    let subject = Subject::new(&NOTIFICATIONS, parked.id.as_str(), &parked.event_id);
    let change = Change::new(By::from(who.identity()), "notification.retry", Effect::Changed, subject);
    let change = change.of_tenant(parked.tenant_id);
    let retry = async |entry: &Entry| api.notifications().retry(entry, &parked.id).await;
    api.accounts().audit().record(change, retry).await
}

impl NotificationView {
    fn of(Stored { record, created_at, updated_at, .. }: &Stored<Notification>) -> Self {
        Self {
            id: record.id.to_string(),
            event_id: record.event_id.clone(),
            event: record.event.as_str(),
            call_id: record.session_id.to_string(),
            subscriber: record.subscriber.to_string(),
            state: record.state.into(),
            reason: record.reason.clone(),
            node: record.node.to_string(),
            timestamp: record.time.to_string(),
            created_at: created_at.to_string(),
            updated_at: updated_at.to_string(),
        }
    }
}
