//! Users as admins and superadmins administer them (SPEC O1, O2, K2).

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::body::Body;
use super::super::caller::Who;
use super::super::paging::{Listed, Narrowed, Paging, Unfiltered};
use super::super::problem::Problem;
use crate::access::{Identity, Scope};
use crate::accounts::{NewPassword, NewUser};
use crate::domain::{Role, Secret, User, UserId};
use crate::store::By;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_users).service(add_user).service(get_user).service(change_user).service(remove_user);
    config.service(set_user_password).service(end_user_sessions);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleName {
    Superadmin,
    Admin,
    Agent,
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Superadmin => Self::Superadmin,
            Role::Admin => Self::Admin,
            Role::Agent => Self::Agent,
        }
    }
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Superadmin => Self::Superadmin,
            RoleName::Admin => Self::Admin,
            RoleName::Agent => Self::Agent,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct UserView {
    id: String,
    name: String,
    role: RoleName,
    /// An admin's own id, an agent's admin; null for a superadmin.
    tenant_id: Option<String>,
    enabled: bool,
    /// The assigned Google key, never whole; null: it has none.
    key_hint: Option<String>,
}

impl UserView {
    fn of(user: &User, api: &Api) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            role: user.role.into(),
            tenant_id: user.tenant_id.as_ref().map(ToString::to_string),
            enabled: user.enabled,
            key_hint: user.google_api_key.as_ref().map(|key| api.staff.assignment.sealing.hint(key)),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddUser {
    /// The log-in name; no two users share one.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// A superadmin adds admins, an admin its agents.
    role: RoleName,
    /// Left out, a one-time password is made and told in the answer; the user changes it at the first log-in.
    #[schema(value_type = Option<String>, format = Password, min_length = 12, max_length = 1024)]
    password: Option<Secret>,
}

#[derive(Serialize, ToSchema)]
struct Changed {
    user: UserView,
    /// It is told this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    one_time_password: Option<Secret>,
    /// What a person should know, as that the pool has no key for this user.
    warnings: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeUser {
    /// A disabled user cannot log in and makes no calls; its sessions and API tokens end, its key goes back to the pool.
    /// An admin's agents go on; `warnings` names them.
    enabled: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetPassword {
    /// Left out, a one-time password is made and told in the answer.
    #[schema(value_type = Option<String>, format = Password, min_length = 12, max_length = 1024)]
    password: Option<Secret>,
}

#[derive(Serialize, ToSchema)]
struct Removed {
    warnings: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct Ended {
    /// How many sessions there were.
    ended: usize,
}

/// The users you may see
///
/// An agent sees itself, an admin its tenant, a superadmin everybody.
#[utoipa::path(tag = "users", params(Paging), responses((status = 200, description = "A page, in the order in which they were added", body = Listed<UserView>)))]
#[get("/api/users")]
async fn list_users(
    api: web::Data<Api>,
    who: Who,
    Narrowed { place, .. }: Narrowed<Unfiltered>,
) -> Result<HttpResponse, Problem> {
    let users = api.accounts().users();
    let (after, limit) = (place.after.clone(), place.limit);
    let (found, next) = match who.identity().users() {
        Scope::Everything => users.page(None, after, limit).await?,
        Scope::Tenant(tenant) => users.page(Some(&tenant), after, limit).await?,
        Scope::Owner(own) => (users.get(&own).await?.into_iter().collect(), None),
        Scope::Nothing => (Vec::new(), None),
    };
    let items = found.iter().map(|user| UserView::of(user, &api)).collect();
    Ok(HttpResponse::Ok().json(place.page(items, next)))
}

/// Add a user
///
/// It gets a Google key of its own at once, while the pool has one nobody holds.
#[utoipa::path(tag = "users", request_body = AddUser, responses(
    (status = 201, description = "Added; `Location` is where it is found", body = Changed),
    (status = 409, description = "There is a user of this name already"),
))]
#[post("/api/users")]
async fn add_user(api: web::Data<Api>, who: Who, Body(add): Body<AddUser>) -> Result<HttpResponse, Problem> {
    let tenant_id = who.identity().may_create(add.role.into())?;
    let new = NewUser {
        name: add.name,
        role: add.role.into(),
        tenant_id,
        password: chosen_or_one_time(add.password),
    };
    let pool = api.key_pool().await?;
    let added = api.staff.add(By::from(who.identity()), &pool, new).await?;
    let user = &added.user;
    let wants_key = user.role.makes_calls() && user.google_api_key.is_none();
    let no_key = || {
        let why = pool.no_key_to_give();
        format!("this user has no key, and its calls go by the default key, if there is one: {why}")
    };
    let address = format!("/api/users/{}", user.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, address)).json(Changed {
        user: UserView::of(user, &api),
        one_time_password: added.one_time_password,
        warnings: wants_key.then(no_key).into_iter().collect(),
    }))
}

/// One user
#[utoipa::path(tag = "users", params(("id" = String, Path)), responses((status = 200, description = "The user", body = UserView)))]
#[get("/api/users/{id}")]
async fn get_user(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let user = visible(&api, who.identity(), &id).await?;
    Ok(HttpResponse::Ok().json(UserView::of(&user, &api)))
}

/// Disable or enable a user
#[utoipa::path(tag = "users", params(("id" = String, Path)), request_body = ChangeUser, responses((status = 200, description = "The user as it is now", body = Changed)))]
#[patch("/api/users/{id}")]
async fn change_user(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
    Body(ChangeUser { enabled }): Body<ChangeUser>,
) -> Result<HttpResponse, Problem> {
    let user = changeable(&api, who.identity(), &id).await?;
    let by = By::from(who.identity());
    let (user, warnings) = if enabled {
        (api.staff.enable(by, &api.key_pool().await?, &user).await?.0, Vec::new())
    } else {
        api.staff.disable(by, &user).await?;
        let without_key =
            User { enabled, google_api_key: None, google_api_key_fingerprint: None, ..user.clone() };
        (without_key, api.accounts().what_goes_on_without(&user).await?)
    };
    let user = UserView::of(&user, &api);
    Ok(HttpResponse::Ok().json(Changed { user, one_time_password: None, warnings }))
}

/// Remove a user for good
///
/// An admin's agents must go first. Calls, recordings and leads stay, under the user's id.
#[utoipa::path(tag = "users", params(("id" = String, Path)), responses(
    (status = 200, description = "Removed", body = Removed),
    (status = 409, description = "It still has agents"),
))]
#[delete("/api/users/{id}")]
async fn remove_user(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let user = changeable(&api, who.identity(), &id).await?;
    api.staff.remove(By::from(who.identity()), &user).await?;
    Ok(HttpResponse::Ok().json(Removed { warnings: api.accounts().what_goes_on_without(&user).await? }))
}

/// Give a user a new password
///
/// All its sessions and API tokens end.
#[utoipa::path(tag = "users", params(("id" = String, Path)), request_body = SetPassword, responses((status = 200, description = "Changed", body = Changed)))]
#[post("/api/users/{id}/password")]
async fn set_user_password(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
    Body(SetPassword { password }): Body<SetPassword>,
) -> Result<HttpResponse, Problem> {
    let user = changeable(&api, who.identity(), &id).await?;
    let password = chosen_or_one_time(password);
    let one_time_password = api.accounts().set_password(By::from(who.identity()), &user, password).await?;
    let user = UserView::of(&user, &api);
    Ok(HttpResponse::Ok().json(Changed { user, one_time_password, warnings: Vec::new() }))
}

/// End all sessions of a user
///
/// Its API tokens stay.
#[utoipa::path(tag = "users", params(("id" = String, Path)), responses((status = 200, description = "Ended", body = Ended)))]
#[delete("/api/users/{id}/sessions")]
async fn end_user_sessions(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let user = changeable(&api, who.identity(), &id).await?;
    let ended = api.accounts().end_all_sessions(By::from(who.identity()), &user).await?;
    Ok(HttpResponse::Ok().json(Ended { ended }))
}

async fn visible(api: &Api, identity: &Identity, id: &str) -> Result<User, Problem> {
    let user = api.accounts().users().get(&UserId::new(id)).await?.ok_or_else(Problem::not_found)?;
    identity.may_see_user(&user)?;
    Ok(user)
}

async fn changeable(api: &Api, identity: &Identity, id: &str) -> Result<User, Problem> {
    let user = visible(api, identity, id).await?;
    identity.may_change_user(&user)?;
    Ok(user)
}

fn chosen_or_one_time(password: Option<Secret>) -> NewPassword {
    password.map_or(NewPassword::OneTime, NewPassword::Chosen)
}
