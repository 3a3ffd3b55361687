//! HTTP: health, readiness and metrics. The REST interface will live here, a file per resource.

use std::io;
use std::net::SocketAddr;

use actix_web::dev::ServerHandle;
use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};

use crate::actors::{self, Directory, Readiness};
use crate::telemetry;

/// A running server.
pub struct Http {
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl Http {
    /// Listens on `address`; the engine alone handles signals.
    pub fn start(address: SocketAddr, readiness: Readiness, directory: Directory) -> io::Result<Self> {
        let app = move || {
            App::new()
                .app_data(web::Data::new(readiness.clone()))
                .app_data(web::Data::new(directory.clone()))
                .route("/health", web::get().to(health))
                .route("/ready", web::get().to(ready))
                .route("/metrics", web::get().to(metrics))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().bind(address)?;
        let address = server.addrs().first().copied().unwrap_or(address);
        let server = server.run();
        let handle = server.handle();
        actix::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the HTTP server stopped");
            }
        });
        Ok(Self { address, handle })
    }

    pub async fn stop(self) {
        self.handle.stop(true).await;
    }
}

/// The process runs.
async fn health() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::plaintext()).body("ok\n")
}

/// The engine takes calls; if not, why.
async fn ready(readiness: web::Data<Readiness>) -> HttpResponse {
    match readiness.reason_against() {
        None => HttpResponse::Ok().content_type(ContentType::plaintext()).body("ready\n"),
        Some(reason) => HttpResponse::ServiceUnavailable()
            .content_type(ContentType::plaintext())
            .body(format!("{reason}\n")),
    }
}

/// Sizes are asked for at this moment: nobody has to keep a gauge up to date on a call's path.
async fn metrics(directory: web::Data<Directory>) -> HttpResponse {
    let metrics = telemetry::metrics();
    actors::refresh_metrics(metrics, &directory).await;
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(metrics.render())
}
