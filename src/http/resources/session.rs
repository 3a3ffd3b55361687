//! Logging in and out (SPEC O3).

use actix_web::http::header::USER_AGENT;
use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::body::Body;
use super::super::caller::{MustChange, is_from_us, no_cookie, session_cookie};
use super::super::client::Client;
use super::super::problem::{Code, Problem};
use super::me::Me;
use crate::accounts::{Attempt, LoggedIn};
use crate::domain::Secret;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(log_in).service(log_out);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogIn {
    name: String,
    #[schema(value_type = String, format = Password)]
    password: Secret,
    /// For a page in a browser: the session comes as a cookie that no script can read, and not in the answer.
    #[serde(default)]
    cookie: bool,
}

/// A new session.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    /// Send it as `Authorization: Bearer …`. It is told this once; null where the session is a cookie.
    #[schema(value_type = Option<String>)]
    token: Option<Secret>,
    me: Me,
}

/// Log in
///
/// Guessing is slowed: after some wrong passwords answers take longer, then 429 says how long to wait.
#[utoipa::path(tag = "session", security(()), request_body = LogIn, responses(
    (status = 200, description = "Logged in", body = Session),
    (status = 401, description = "Name or password is wrong"),
    (status = 403, description = "A cookie is given to pages of the engine and of `http.allowed_origins` only"),
))]
#[post("/api/login")]
async fn log_in(
    api: web::Data<Api>,
    request: HttpRequest,
    Body(log_in): Body<LogIn>,
) -> Result<HttpResponse, Problem> {
    let LogIn { name, password, cookie } = log_in;
    if cookie && !is_from_us(&request, &api.settings) {
        let only = "a cookie is given to pages of the engine and of http.allowed_origins only";
        return Err(Problem::new(Code::WrongOrigin, only));
    }
    let attempt = attempt(&request, &name, password);
    let logged_in = api.accounts().log_in(attempt).await?;
    Ok(begun(&api, &request, logged_in, cookie))
}

/// Log out
///
/// Ends this session, and takes the cookie away. An API token stays; revoke it with `DELETE /api/me/tokens/{id}`.
#[utoipa::path(tag = "session", responses((status = 204, description = "Logged out")))]
#[post("/api/logout")]
async fn log_out(
    api: web::Data<Api>,
    request: HttpRequest,
    MustChange(caller): MustChange,
) -> Result<HttpResponse, Problem> {
    api.accounts().log_out(&caller).await?;
    Ok(HttpResponse::NoContent().cookie(no_cookie(Client::that_sent(&request), &api.settings)).finish())
}

pub(super) fn attempt<'a>(request: &'a HttpRequest, name: &'a str, password: Secret) -> Attempt<'a> {
    let label = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Attempt { name, password, source: Client::that_sent(request).address, label }
}

pub(super) fn begun(api: &Api, request: &HttpRequest, logged_in: LoggedIn, by_cookie: bool) -> HttpResponse {
    let LoggedIn { token, identity } = logged_in;
    let me = Me::new(&identity);
    let mut answer = HttpResponse::Ok();
    if by_cookie {
        answer.cookie(session_cookie(&token, Client::that_sent(request), &api.settings));
        return answer.json(Session { token: None, me });
    }
    answer.json(Session { token: Some(token), me })
}
