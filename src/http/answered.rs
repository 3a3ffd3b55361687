//! What happens to every request: it is let in, answered, logged and counted.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, ContentType};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use utoipa::openapi::OpenApi;

use super::api::{Api, Turnstile};
use super::client::Client;
use super::openapi::methods_at;
use super::problem::{Code, Problem};
use super::refusals::STORE_PAUSE;
use crate::clock;
use crate::telemetry::{Counter, count};

/// A line for each request: neither its query nor its body, where secrets could stand.
pub(super) async fn logged(
    api: web::Data<Api>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let client = Client::of(&request, &api.settings);
    request.extensions_mut().insert(client);
    let (method, came_at) = (request.method().clone(), clock::now());
    let answered = next.call(request).await?;
    // As it is written in the description: an id in it may be anything.
    let route = answered.request().match_pattern().unwrap_or_default();
    let status = answered.status().as_u16();
    count(Counter::HttpRequests);
    let took_ms = (clock::now() - came_at).as_millis();
    if answered.status().is_server_error() {
        count(Counter::HttpFailures);
        tracing::warn!(%method, route, status, took_ms, client = %client.address, "HTTP");
    } else {
        tracing::debug!(%method, route, status, took_ms, client = %client.address, "HTTP");
    }
    Ok(answered)
}

/// Stands before everything that costs something.
pub(super) async fn turnstile(
    turnstile: web::Data<Turnstile>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let client = request.extensions().get::<Client>().copied();
    if client.is_some_and(|client| !turnstile.admits(client.address)) {
        let too_often = "slow down; http.requests_per_s says how many requests a client may send";
        let problem = Problem::new(Code::TooManyRequests, too_often).retry_after(std::time::Duration::ZERO);
        return Ok(request.into_response(problem.response()).map_into_right_body());
    }
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

/// The process runs, and takes no calls yet.
pub(super) async fn waiting(request: HttpRequest) -> HttpResponse {
    let why = "the engine waits for its store";
    match request.path() {
        "/health" => HttpResponse::Ok().content_type(ContentType::plaintext()).body("ok\n"),
        "/ready" => {
            HttpResponse::ServiceUnavailable().content_type(ContentType::plaintext()).body(format!("{why}\n"))
        }
        _ => Problem::new(Code::Unavailable, why).retry_after(STORE_PAUSE).response(),
    }
}

/// Where no handler is.
pub(super) async fn nothing_here(request: HttpRequest, description: web::Data<OpenApi>) -> HttpResponse {
    let allowed = methods_at(&description, request.path());
    if allowed.is_empty() {
        let detail = "there is nothing at this address; GET /api/openapi.json describes all there is";
        return Problem::new(Code::NotFound, detail).response();
    }
    let allowed = allowed.join(", ");
    let mut answer =
        Problem::new(Code::MethodNotAllowed, format_args!("this address knows {allowed}")).response();
    if let Ok(value) = allowed.parse() {
        answer.headers_mut().insert(ALLOW, value);
    }
    answer
}
