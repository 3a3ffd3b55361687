//! What belongs to whoever asks: password, sessions and API tokens (SPEC O3).

use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::body::Body;
use super::super::caller::{MustChange, Who, a_session, came_by_cookie};
use super::super::problem::Problem;
use super::session::{Session, attempt, begun};
use super::users::RoleName;
use crate::access::Identity;
use crate::accounts::{AccountError, LogInError, Shown};
use crate::domain::{Secret, User};
use crate::store::By;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(get_me).service(change_my_password);
    config.service(my_sessions).service(end_my_session);
    config.service(my_tokens).service(make_token).service(revoke_token);
}

#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    id: String,
    name: String,
    role: RoleName,
    /// The admin's id, for an admin and its agents.
    tenant_id: Option<String>,
    /// Until then nothing else is allowed.
    must_change_password: bool,
}

impl Me {
    pub(super) fn new(identity: &Identity) -> Self {
        Self {
            id: identity.user_id.to_string(),
            name: identity.name.clone(),
            role: identity.role.into(),
            tenant_id: identity.tenant_id.as_ref().map(ToString::to_string),
            must_change_password: identity.must_change_password,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    /// The present one.
    #[schema(value_type = String, format = Password)]
    password: Secret,
    /// At least 12 characters.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 1024)]
    new_password: Secret,
}

/// A session, or an API token, without what it is used with.
#[derive(Serialize, ToSchema)]
struct Ticket {
    id: String,
    /// What the client called itself, or the token's name.
    label: String,
    /// Last used, give or take a minute.
    #[schema(format = DateTime)]
    seen_at: String,
    /// Null for an API token: it ends when it is revoked.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// It is the one this request came with.
    is_this: bool,
}

#[derive(Serialize, ToSchema)]
struct Tickets {
    items: Vec<Ticket>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MakeToken {
    /// To know it by.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
}

#[derive(Serialize, ToSchema)]
struct MadeToken {
    id: String,
    /// It is told this once.
    #[schema(value_type = String)]
    token: Secret,
}

/// Who am I?
#[utoipa::path(tag = "session", responses((status = 200, description = "You", body = Me)))]
#[get("/api/me")]
async fn get_me(MustChange(caller): MustChange) -> HttpResponse {
    HttpResponse::Ok().json(Me::new(&caller.identity))
}

/// Change your password
///
/// All your sessions and API tokens end; the answer is a new session.
#[utoipa::path(tag = "session", request_body = ChangePassword, responses((status = 200, description = "Changed", body = Session)))]
#[put("/api/me/password")]
async fn change_my_password(
    api: web::Data<Api>,
    request: HttpRequest,
    MustChange(caller): MustChange,
    Body(change): Body<ChangePassword>,
) -> Result<HttpResponse, Problem> {
    a_session(&caller)?;
    let attempt = attempt(&request, &caller.identity.name, change.password);
    let changed = api.accounts().change_own_password(&caller.identity, change.new_password, attempt).await;
    let changed = changed.map_err(|error| match error {
        LogInError::Account(AccountError::Password(unfit)) => Problem::field("new_password", unfit),
        // Whoever asks is logged in: a 401 would tell its client otherwise.
        LogInError::Wrong => Problem::field("password", "is not your present password"),
        LogInError::Slowed { .. } | LogInError::Account(_) => error.into(),
    })?;
    Ok(begun(&api, &request, changed, came_by_cookie(&request)))
}

/// Your sessions
#[utoipa::path(tag = "session", responses((status = 200, description = "All that have not ended", body = Tickets)))]
#[get("/api/me/sessions")]
async fn my_sessions(api: web::Data<Api>, who: Who) -> Result<HttpResponse, Problem> {
    let found = api.accounts().sessions_of(&who.identity().user_id).await?;
    Ok(listed(found, &who))
}

/// End one of your sessions
#[utoipa::path(tag = "session", params(("id" = String, Path)), responses((status = 204, description = "Ended")))]
#[delete("/api/me/sessions/{id}")]
async fn end_my_session(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    a_session(&who.0)?;
    done(api.accounts().end_session(&who.identity().user_id, &id).await?)
}

/// Your API tokens
#[utoipa::path(tag = "session", responses((status = 200, description = "All that are not revoked", body = Tickets)))]
#[get("/api/me/tokens")]
async fn my_tokens(api: web::Data<Api>, who: Who) -> Result<HttpResponse, Problem> {
    let found = api.accounts().tokens_of(&user(&api, &who).await?).await?;
    Ok(listed(found, &who))
}

/// Make an API token
///
/// For a program: it may do what you may, except change passwords, sessions and tokens.
#[utoipa::path(tag = "session", request_body = MakeToken, responses(
    (status = 201, description = "Made", body = MadeToken),
    (status = 409, description = "You have too many"),
))]
#[post("/api/me/tokens")]
async fn make_token(
    api: web::Data<Api>,
    who: Who,
    Body(MakeToken { name }): Body<MakeToken>,
) -> Result<HttpResponse, Problem> {
    a_session(&who.0)?;
    let user = user(&api, &who).await?;
    let made = api.accounts().make_token(By::from(who.identity()), &user, &name).await?;
    Ok(HttpResponse::Created().json(MadeToken { id: made.id, token: made.token }))
}

/// Revoke one of your API tokens
#[utoipa::path(tag = "session", params(("id" = String, Path)), responses((status = 204, description = "Revoked")))]
#[delete("/api/me/tokens/{id}")]
async fn revoke_token(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    a_session(&who.0)?;
    let user = user(&api, &who).await?;
    done(api.accounts().revoke_token(By::from(who.identity()), &user, &id).await?)
}

async fn user(api: &Api, who: &Who) -> Result<User, Problem> {
    api.accounts().users().get(&who.identity().user_id).await?.ok_or_else(Problem::not_found)
}

fn listed(found: Vec<Shown>, who: &Who) -> HttpResponse {
    let items = found.into_iter().map(|shown| Ticket {
        is_this: shown.id == who.0.ticket_id,
        id: shown.id,
        label: shown.label,
        seen_at: shown.seen_at.to_string(),
        expires_at: shown.expires_at.map(|at| at.to_string()),
    });
    HttpResponse::Ok().json(Tickets { items: items.collect() })
}

fn done(found: bool) -> Result<HttpResponse, Problem> {
    if found { Ok(HttpResponse::NoContent().finish()) } else { Err(Problem::not_found()) }
}
