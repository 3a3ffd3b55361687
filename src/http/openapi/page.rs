//! The description itself, and a page that shows it. Both come out of the binary; nothing is fetched from elsewhere.

use actix_web::http::header::ContentType;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, http};
use utoipa::openapi::OpenApi;

const PAGE: &str = include_str!("../../../web/api/index.html");
const SCRIPT: &str = include_str!("../../../web/api/page.js");
const STYLE: &str = include_str!("../../../web/api/page.css");

pub(in super::super) fn pages(config: &mut ServiceConfig) {
    config
        .route("/api/openapi.json", web::get().to(description))
        .route("/api", web::get().to(to_page))
        .route("/api/docs", web::get().to(async || text(ContentType::html(), PAGE)))
        .route("/api/docs/page.js", web::get().to(async || text(javascript(), SCRIPT)))
        .route("/api/docs/page.css", web::get().to(async || text(css(), STYLE)));
}

async fn description(description: web::Data<OpenApi>) -> HttpResponse {
    HttpResponse::Ok().json(description.as_ref())
}

async fn to_page() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((http::header::LOCATION, "/api/docs")).finish()
}

fn text(kind: ContentType, body: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type(kind).body(body)
}

fn javascript() -> ContentType {
    "text/javascript; charset=utf-8".parse().map_or_else(|_| ContentType::plaintext(), ContentType)
}

fn css() -> ContentType {
    "text/css; charset=utf-8".parse().map_or_else(|_| ContentType::plaintext(), ContentType)
}
