//! Google keys: who holds which, giving them out, reading the pool again (SPEC K1, K3, K8, K9). No key is ever told whole.
//!
//! The pool is a superadmin's. An admin sees the keys of its own users, and may give one of them another.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::{Api, part_missing};
use super::super::body::Body;
use super::super::caller::Who;
use super::super::problem::{Code, Problem};
use crate::access::{Identity, Scope};
use crate::actors::key_pool::ReplaceKeys;
use crate::clock;
use crate::domain::{User, UserId};
use crate::store::{By, Entry, KeyLine, KeyReport, KeyState, pool_reloaded};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(report_keys).service(assign_keys).service(reassign_key).service(reload_keys);
}

#[derive(Serialize, ToSchema)]
struct KeysView {
    /// In the order of the pool. A superadmin sees all, also those nobody holds; others those that their users hold.
    keys: Vec<KeyView>,
    /// Users whose key is not in the pool any more: it is used while the model accepts it.
    outside_the_pool: Vec<String>,
    /// Users who should have a key and have none.
    without_key: Vec<String>,
    /// Users whose key was sealed with another encryption key than this engine has: their calls have the default key.
    unopened: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct KeyView {
    /// Its first characters and its last.
    key: String,
    /// The project whose limits Google counts it on.
    project: String,
    /// Names of the users who hold it, as far as you may see them.
    users: Vec<String>,
    /// Another key of the pool is counted on the same project.
    shares_project: bool,
    health: KeyHealth,
    /// Since when the model refuses it.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Until when it is not used; null: until an operator has mended it (`clearline keys heal`).
    #[schema(format = DateTime)]
    until: Option<String>,
}

/// What the model thinks of a key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum KeyHealth {
    Ok,
    /// Invalid or revoked.
    KeyBad,
    /// Its project's quota is spent.
    Quota,
}

impl From<KeyState> for KeyHealth {
    fn from(state: KeyState) -> Self {
        match state {
            KeyState::Ok => Self::Ok,
            KeyState::KeyBad => Self::KeyBad,
            KeyState::Quota => Self::Quota,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AssignKeys {
    /// Also move users off keys that others hold too, while there are free ones.
    #[serde(default)]
    spread: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReassignKey {
    user_id: String,
}

#[derive(Serialize, ToSchema)]
struct Reassigned {
    user_id: String,
    /// Its new key, never whole.
    key_hint: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Reloaded {
    /// How many keys the pool has now.
    keys: usize,
}

/// Who holds which key
///
/// A superadmin sees the whole pool, an admin the keys of its tenant's users, an agent its own.
#[utoipa::path(tag = "keys", responses((status = 200, description = "The keys", body = KeysView)))]
#[get("/api/keys")]
async fn report_keys(api: web::Data<Api>, who: Who) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(report_for(&api, who.identity()).await?))
}

/// Give a key to every user without one
///
/// Doing it again changes nothing.
#[utoipa::path(tag = "keys", request_body = AssignKeys, responses((status = 200, description = "Who holds which key now", body = KeysView)))]
#[post("/api/keys/assign")]
async fn assign_keys(
    api: web::Data<Api>,
    who: Who,
    Body(AssignKeys { spread }): Body<AssignKeys>,
) -> Result<HttpResponse, Problem> {
    who.identity().may_run_engine()?;
    let (assignment, pool) = (api.staff.on_behalf_of(By::from(who.identity())), api.key_pool().await?);
    assignment.assign_to_all(&pool).await?;
    if spread {
        assignment.spread(&pool, |_| true).await?;
    }
    Ok(HttpResponse::Ok().json(report_for(&api, who.identity()).await?))
}

/// Give a user another key than the present one
///
/// It counts from the user's next call on.
#[utoipa::path(tag = "keys", request_body = ReassignKey, responses(
    (status = 200, description = "It has another key", body = Reassigned),
    (status = 404, description = "There is no such user, or none that you may see"),
    (status = 409, description = "The pool has no other key; why, `detail` says"),
))]
#[post("/api/keys/reassign")]
async fn reassign_key(
    api: web::Data<Api>,
    who: Who,
    Body(ReassignKey { user_id }): Body<ReassignKey>,
) -> Result<HttpResponse, Problem> {
    let user = api.accounts().users().get(&UserId::new(user_id)).await?.ok_or_else(Problem::not_found)?;
    who.identity().may_reassign_key(&user)?;
    if !user.may_own_calls() {
        return Err(Problem::field("user_id", "holds no key: it is disabled or a superadmin"));
    }
    let (assignment, pool) = (api.staff.on_behalf_of(By::from(who.identity())), api.key_pool().await?);
    let no_other = || Problem::new(Code::Conflict, assignment.no_other_key(&pool, &user));
    let moved = assignment.reassign(&pool, &user.id, |_| true).await?.ok_or_else(no_other)?;
    let key_hint = moved.google_api_key.as_ref().map(|key| assignment.sealing.hint(key));
    Ok(HttpResponse::Ok().json(Reassigned { user_id: moved.id.to_string(), key_hint }))
}

/// Read the keys again
///
/// From the environment file too, as SIGHUP does. A mistake there changes nothing. Calls that run keep the key they have.
#[utoipa::path(tag = "keys", responses(
    (status = 200, description = "They were read", body = Reloaded),
    (status = 409, description = "A mistake in the settings stands in the way"),
))]
#[post("/api/keys/reload")]
async fn reload_keys(api: web::Data<Api>, who: Who) -> Result<HttpResponse, Problem> {
    who.identity().may_run_engine()?;
    let load_keys = api.load_keys.clone();
    let loaded = web::block(move || load_keys()).await.map_err(|_| part_missing())?;
    let as_they_were = |why| Problem::new(Code::Conflict, format_args!("the keys stay as they were: {why}"));
    let pool = loaded.map_err(as_they_were)?;
    let keys = pool.keys().len();
    let change = pool_reloaded(By::from(who.identity()), keys);
    let replace = async |_: &Entry| {
        let service = api.directory.keys().ok_or_else(part_missing)?;
        service.send(ReplaceKeys { pool }).await.map_err(|_| part_missing())
    };
    api.accounts().audit().record(change, replace).await?;
    Ok(HttpResponse::Ok().json(Reloaded { keys }))
}

async fn report_for(api: &Api, identity: &Identity) -> Result<KeysView, Problem> {
    let (pool, all) = (api.key_pool().await?, api.accounts().users().all().await?);
    let seen: Vec<User> = all.into_iter().filter(|user| identity.may_see_user(user).is_ok()).collect();
    let assignment = &api.staff.assignment;
    let report = KeyReport::of(assignment, &pool, &seen, &assignment.health.at(clock::unix_time()).await?);
    let sees_pool = identity.users() == Scope::Everything;
    let keys = report.keys.into_iter().filter(|line| sees_pool || !line.users.is_empty());
    Ok(KeysView {
        keys: keys.map(KeyView::from).collect(),
        outside_the_pool: report.outside_the_pool,
        without_key: report.without_key,
        unopened: report.unopened,
    })
}

impl From<KeyLine> for KeyView {
    fn from(KeyLine { key, project, users, shares_project, health, since, until }: KeyLine) -> Self {
        Self {
            key,
            project: project.to_string(),
            users,
            shares_project,
            health: health.into(),
            since: since.map(|since| since.to_string()),
            until: until.map(|until| until.to_string()),
        }
    }
}
