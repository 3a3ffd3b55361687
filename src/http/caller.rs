//! Who asks: by bearer token or by cookie (SPEC O3).
//!
//! [`identify`] looks once at each request and leaves what it found; [`Who`] and [`MustChange`] are how a handler says that
//! it wants somebody. A cookie travels by itself, so what it may change must come from a page of ours: see [`is_from_us`].

use std::future::{Ready, ready};

use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HOST, ORIGIN};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};

use super::api::{Api, HttpSettings};
use super::client::Client;
use super::problem::{Code, Problem};
use crate::access::{BearerKind, Identity};
use crate::accounts::Caller;
use crate::domain::Secret;
use crate::store::StoreError;

const SESSION_COOKIE: &str = "clearline_session";

/// What a request had to say about who sends it.
#[derive(Clone)]
enum Presented {
    Nothing,
    /// No session and no API token of ours, or one that has ended.
    NotGood,
    Unknown(StoreError),
    WrongOrigin,
    Good(Caller),
}

pub(super) async fn identify(
    api: web::Data<Api>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let presented = presented(&api, &request).await;
    request.extensions_mut().insert(presented);
    next.call(request).await
}

async fn presented(api: &Api, request: &ServiceRequest) -> Presented {
    let (token, by_cookie) = match (bearer(request), request.cookie(SESSION_COOKIE)) {
        (Some(token), _) => (token.to_owned(), false),
        (None, Some(cookie)) => (cookie.value().to_owned(), true),
        (None, None) => return Presented::Nothing,
    };
    if by_cookie && !request.method().is_safe() && !is_from_us(request.request(), &api.settings) {
        return Presented::WrongOrigin;
    }
    match api.accounts().identify(&token).await {
        Ok(Some(caller)) => Presented::Good(caller),
        Ok(None) => Presented::NotGood,
        Err(error) => Presented::Unknown(error),
    }
}

fn bearer(request: &ServiceRequest) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The page that sends this is one of ours, or of a site that the settings allow.
pub(super) fn is_from_us(request: &HttpRequest, settings: &HttpSettings) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = header(ORIGIN) else { return false };
    // A page that came without TLS may be anybody's work on the way.
    let scheme = if Client::that_sent(request).is_secure { "https" } else { "http" };
    let is_own = origin.split_once("://").is_some_and(|(from, authority)| {
        from == scheme && header(HOST).is_some_and(|host| host.eq_ignore_ascii_case(authority))
    });
    is_own || settings.allowed_origins.iter().any(|allowed| allowed == origin)
}

/// The user who asks, free to do what it may.
pub(super) struct Who(pub(super) Caller);

/// The user who asks, who perhaps has to change its password before anything else.
pub(super) struct MustChange(pub(super) Caller);

impl Who {
    pub(super) fn identity(&self) -> &Identity {
        &self.0.identity
    }
}

/// What could let somebody in again later is changed by a person only, not by a program with an API token.
pub(super) fn a_session(caller: &Caller) -> Result<(), Problem> {
    match caller.kind {
        BearerKind::Session => Ok(()),
        BearerKind::ApiToken => {
            Err(Problem::new(Code::Forbidden, "an API token may not do this; log in as a person"))
        }
    }
}

/// This request's token came as a cookie.
pub(super) fn came_by_cookie(request: &HttpRequest) -> bool {
    !request.headers().contains_key(AUTHORIZATION)
}

impl FromRequest for MustChange {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.extensions().get::<Presented>().cloned().unwrap_or(Presented::Nothing);
        ready(match found {
            Presented::Good(caller) => Ok(Self(caller)),
            Presented::Nothing => Err(Problem::new(
                Code::NotLoggedIn,
                "log in with POST /api/login, or send an API token as `Authorization: Bearer …`",
            )),
            Presented::NotGood => {
                Err(Problem::new(Code::NotLoggedIn, "the session or API token has ended; log in again"))
            }
            Presented::WrongOrigin => Err(Problem::new(
                Code::WrongOrigin,
                "with a cookie, changes are taken from the engine's own pages and from http.allowed_origins only; behind a \
                 proxy that ends TLS, name it in http.trusted_proxies",
            )),
            Presented::Unknown(error) => Err(error.into()),
        })
    }
}

impl FromRequest for Who {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let somebody = MustChange::from_request(request, payload).into_inner();
        ready(somebody.and_then(|MustChange(caller)| {
            caller.identity.may_begin()?;
            Ok(Self(caller))
        }))
    }
}

/// The cookie of a new session.
pub(super) fn session_cookie(token: &Secret, client: Client, settings: &HttpSettings) -> Cookie<'static> {
    let longest = i64::try_from(settings.session.as_secs()).unwrap_or(i64::MAX);
    Cookie::build(SESSION_COOKIE, token.expose().to_owned())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(client.is_secure)
        .max_age(time::Duration::seconds(longest))
        .finish()
}

/// Takes the cookie away.
pub(super) fn no_cookie(client: Client, settings: &HttpSettings) -> Cookie<'static> {
    let mut cookie = session_cookie(&Secret::new(""), client, settings);
    cookie.make_removal();
    cookie
}
