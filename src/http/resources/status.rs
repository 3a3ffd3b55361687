//! Health, readiness and metrics: for load balancers and monitors, which do not log in.

use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, get, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use crate::actors;
use crate::telemetry;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(health).service(ready).service(metrics);
}

/// Does the process run?
#[utoipa::path(tag = "engine", security(()), responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
#[get("/health")]
async fn health() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::plaintext()).body("ok\n")
}

/// Does the engine take calls?
///
/// If not, the text says why, and the status is 503. What somebody should look after meanwhile stands in lines of its own.
#[utoipa::path(tag = "engine", security(()), responses(
    (status = 200, description = "It does", body = String, content_type = "text/plain"),
    (status = 503, description = "It does not: why", body = String, content_type = "text/plain"),
))]
#[get("/ready")]
async fn ready(api: web::Data<Api>) -> HttpResponse {
    match api.readiness.reason_against() {
        None => {
            let warnings =
                api.readiness.warnings().into_iter().map(|warning| format!("warning: {warning}\n"));
            let lines: String = std::iter::once("ready\n".to_owned()).chain(warnings).collect();
            HttpResponse::Ok().content_type(ContentType::plaintext()).body(lines)
        }
        Some(reason) => HttpResponse::ServiceUnavailable()
            .content_type(ContentType::plaintext())
            .body(format!("{reason}\n")),
    }
}

/// Figures for Prometheus.
///
/// Sizes are asked for at this moment: nobody has to keep a gauge up to date on a call's path.
#[utoipa::path(tag = "engine", security(()), responses((status = 200, description = "In Prometheus' text form", body = String, content_type = "text/plain")))]
#[get("/metrics")]
async fn metrics(api: web::Data<Api>) -> HttpResponse {
    let metrics = telemetry::metrics();
    actors::refresh_metrics(metrics, &api.directory).await;
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(metrics.render())
}
