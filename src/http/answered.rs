//! What happens to every request: it is let in, answered, logged and counted.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_cors::CorsError;
use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, ContentType};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use tokio::sync::watch;
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
    tell(&answered, &method, client, clock::now() - came_at);
    Ok(answered)
}

fn tell(answered: &ServiceResponse<impl MessageBody>, method: &Method, client: Client, took: Duration) {
    // As it is written in the description: an id in it may be anything.
    let route = answered.request().match_pattern().unwrap_or_default();
    let (status, client) = (answered.status().as_u16(), client.address);
    // A number of more bits would be a text in a JSON log.
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    count(Counter::HttpRequests);
    if answered.status().is_server_error() {
        count(Counter::HttpFailures);
        tracing::warn!(%method, route, status, took_ms, %client, "HTTP");
    } else {
        tracing::debug!(%method, route, status, took_ms, %client, "HTTP");
    }
}

/// HEAD is answered as GET would be, without the body (RFC 9110, 9.3.2).
pub(super) async fn head_as_get(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_head = request.method() == Method::HEAD;
    if is_head {
        request.head_mut().method = Method::GET;
    }
    let answered = next.call(request).await?;
    Ok(answered.map_body(|_, body| match is_head {
        true => EitherBody::right(Unsent(body.size())),
        false => EitherBody::left(body),
    }))
}

/// A body of which only the length is told: a stream that nobody hears must not go on.
struct Unsent(BodySize);

impl MessageBody for Unsent {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

/// A browser that asks whether a page of another site may ask is refused as everybody else is.
pub(super) async fn preflight_refused(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let answered = next.call(request).await?;
    let is_refused = answered.response().error().is_some_and(|error| error.as_error::<CorsError>().is_some());
    if !is_refused {
        return Ok(answered.map_into_left_body());
    }
    let only = "pages of the engine itself and of http.allowed_origins may ask";
    Ok(answered.into_response(Problem::new(Code::WrongOrigin, only).response()).map_into_right_body())
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
        let problem = Problem::new(Code::TooManyRequests, too_often).retry_after(Duration::ZERO);
        return Ok(request.into_response(problem.response()).map_into_right_body());
    }
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

/// The process runs, and takes no calls yet.
pub(super) async fn waiting(
    request: HttpRequest,
    reason: web::Data<watch::Receiver<&'static str>>,
) -> HttpResponse {
    let why = *reason.borrow();
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

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::config::LogLevel;
    use crate::telemetry::json_line_of;

    #[test]
    fn i11_the_numbers_of_a_request_are_numbers_in_a_json_log() {
        let answered = TestRequest::get().to_srv_request().into_response(HttpResponse::Ok().finish());
        let line = json_line_of(LogLevel::Debug, || {
            tell(&answered, &Method::GET, Client::UNKNOWN, Duration::from_millis(1_500));
        });
        assert_eq!((&line["took_ms"], &line["status"]), (&1_500.into(), &200.into()), "{line}");
    }
}
