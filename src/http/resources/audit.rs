//! The audit log: who changed what, and when (SPEC O4). It is read here and written by the changes themselves.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::body::at_most;
use super::super::caller::Who;
use super::super::paging::{Listed, Narrowed, Paging};
use super::super::problem::Problem;
use crate::store::{AUDIT_LOG, AuditState, By, Change, Document, Effect, Subject};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_audit_entries);
}

#[derive(Serialize, ToSchema)]
struct AuditEntry {
    id: String,
    #[schema(format = DateTime)]
    at: String,
    by: Changer,
    /// As `user.disable`.
    action: String,
    subject: SubjectView,
    effect: EffectName,
    state: StateName,
    /// Whose admin may read it.
    tenant_id: Option<String>,
    /// More about it, by name; never a secret.
    detail: BTreeMap<String, String>,
}

/// Who changed something.
#[derive(Serialize, ToSchema)]
struct Changer {
    kind: ByKind,
    /// A user's.
    id: Option<String>,
    /// A user's, or what the operating system calls whoever typed the command.
    name: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ByKind {
    User,
    /// The command line, on the engine's own machine.
    Cli,
    /// The engine itself.
    Engine,
}

/// What was changed.
#[derive(Serialize, ToSchema)]
struct SubjectView {
    /// As `users`.
    collection: String,
    id: String,
    /// As people call it; it may be gone by now.
    name: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum EffectName {
    Made,
    Changed,
    Removed,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StateName {
    /// It is being made at this moment, or the engine died in the middle of it.
    Pending,
    Done,
    NotDone,
    /// A crash came between, and later changes have covered the traces.
    Unknown,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only what was done to this user, number, voice agent, …
    #[param(max_length = 200)]
    #[serde(default, deserialize_with = "at_most::<_, 200>")]
    subject_id: Option<String>,
}

/// Who changed what, newest first
///
/// An agent sees what it has done itself, an admin what concerns its tenant, a superadmin everything.
#[utoipa::path(tag = "audit", params(Paging, Wanted), responses((status = 200, description = "A page", body = Listed<AuditEntry>)))]
#[get("/api/audit")]
async fn list_audit_entries(
    api: web::Data<Api>,
    who: Who,
    Narrowed { place, wanted }: Narrowed<Wanted>,
) -> Result<HttpResponse, Problem> {
    let (scope, about) = (who.identity().audit(), wanted.subject_id.as_deref());
    let page = api.accounts().audit().list(&scope, about, place.after.clone(), place.limit).await?;
    let items = page.documents.iter().filter_map(AuditEntry::read).collect();
    Ok(HttpResponse::Ok().json(place.page(items, page.next)))
}

impl AuditEntry {
    /// One entry that is not as expected must not hide the others.
    fn read(document: &Document) -> Option<Self> {
        let change = document.parse(&AUDIT_LOG).inspect_err(|error| tracing::warn!(%error, "passed over"));
        Some(Self::new(document, change.ok()?))
    }

    fn new(document: &Document, change: Change) -> Self {
        let Subject { collection, id, name } = change.subject;
        Self {
            id: document.id.clone(),
            at: document.created_at.to_string(),
            by: change.by.into(),
            action: change.action,
            subject: SubjectView { collection, id, name },
            effect: change.effect.into(),
            state: change.state.into(),
            tenant_id: change.tenant_id.map(|id| id.to_string()),
            detail: change.detail,
        }
    }
}

impl From<By> for Changer {
    fn from(by: By) -> Self {
        match by {
            By::User { id, name } => Self { kind: ByKind::User, id: Some(id.to_string()), name: Some(name) },
            By::Cli { os_user } => Self { kind: ByKind::Cli, id: None, name: Some(os_user) },
            By::Engine => Self { kind: ByKind::Engine, id: None, name: None },
        }
    }
}

impl From<Effect> for EffectName {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Made => Self::Made,
            Effect::Changed => Self::Changed,
            Effect::Removed => Self::Removed,
        }
    }
}

impl From<AuditState> for StateName {
    fn from(state: AuditState) -> Self {
        match state {
            AuditState::Pending => Self::Pending,
            AuditState::Done => Self::Done,
            AuditState::NotDone => Self::NotDone,
            AuditState::Unknown => Self::Unknown,
        }
    }
}
