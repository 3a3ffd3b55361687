//! The server: listening, TLS, and what every request passes on its way to a handler.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::dev::ServerHandle;
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{App, HttpServer, web};
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use utoipa_actix_web::AppExt;

use super::answered::{self, turnstile};
use super::api::{Api, HttpSettings, TlsFiles, Turnstile};
use super::caller::identify;
use super::resources::Streams;
use super::{openapi, resources};

/// Open connections, streams of events included.
const CONNECTIONS_MAX: usize = 1_024;
/// A client has this long to send the head of its request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
const CORES_PER_WORKER: usize = 4;
/// A browser asks again before a request after this.
const PREFLIGHT_S: usize = 3_600;

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("http.listen: cannot listen on {address}: {error}; choose another address or stop who has it")]
    Listen { address: SocketAddr, error: io::Error },
    #[error("http.certificate, http.private_key: {path}: {detail}; name PEM files that belong together", path = path.display())]
    Tls { path: PathBuf, detail: String },
}

/// A running server.
pub struct Http {
    pub address: SocketAddr,
    handle: ServerHandle,
    /// Turns true when streams of events are to end.
    closing: watch::Sender<bool>,
}

impl Http {
    /// Takes the address, so that a wrong one is found out before anything else is started.
    pub fn bind(address: SocketAddr) -> Result<TcpListener, HttpError> {
        TcpListener::bind(address).map_err(|error| HttpError::Listen { address, error })
    }

    /// The engine alone handles signals.
    pub fn start(listener: TcpListener, api: Api) -> Result<Self, HttpError> {
        let listen = api.settings.listen;
        let failed = |error| HttpError::Listen { address: listen, error };
        let address = listener.local_addr().map_err(failed)?;
        let tls = api.settings.tls.as_ref().map(tls_config).transpose()?;
        let turnstile = Turnstile::new(api.tuning.clone());
        let (closing, is_closing) = watch::channel(false);
        let streams = Streams::new(is_closing);
        let server = HttpServer::new(move || app(api.clone(), turnstile.clone(), streams.clone()))
            .workers(workers())
            .max_connections(CONNECTIONS_MAX)
            .client_request_timeout(HEAD_TIME_MAX)
            .disable_signals();
        let server = match tls {
            Some(tls) => server.listen_rustls_0_23(listener, tls),
            None => server.listen(listener),
        };
        let server = server.map_err(failed)?.run();
        let handle = server.handle();
        actix::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the HTTP server stopped");
            }
        });
        Ok(Self { address, handle, closing })
    }

    pub async fn stop(self) {
        self.closing.send_replace(true);
        self.handle.stop(true).await;
    }
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).div_ceil(CORES_PER_WORKER)
}

/// The last `wrap` is the first a request meets.
fn app(
    api: Api,
    turnstile_for_all: Turnstile,
    streams: Streams,
) -> App<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse<impl actix_web::body::MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let cors = cors(&api.settings);
    let (app, description) = App::new()
        .into_utoipa_app()
        .openapi(openapi::head())
        .app_data(web::Data::new(api))
        .app_data(web::Data::new(turnstile_for_all))
        .app_data(web::Data::new(streams))
        .configure(resources::all)
        .split_for_parts();
    let description = openapi::completed(description);
    app.app_data(web::Data::from(Arc::new(description)))
        .configure(openapi::pages)
        .default_service(web::to(answered::nothing_here))
        .wrap(from_fn(identify))
        .wrap(from_fn(turnstile))
        .wrap(headers())
        .wrap(cors)
        .wrap(from_fn(answered::logged))
}

/// What keeps browsers from doing with our answers what nobody asked them to.
fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("X-Frame-Options", "DENY"))
        .add(("Referrer-Policy", "no-referrer"))
        .add(("Cache-Control", "no-store"))
        .add(("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"))
}

/// Pages of other sites may ask only if the settings name them.
fn cors(settings: &HttpSettings) -> Cors {
    let cors = Cors::default()
        .allow_any_method()
        .allow_any_header()
        .expose_any_header()
        .supports_credentials()
        .block_on_origin_mismatch(false)
        .max_age(PREFLIGHT_S);
    settings.allowed_origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

fn tls_config(files: &TlsFiles) -> Result<ServerConfig, HttpError> {
    let wrong = |path: &Path, detail: String| HttpError::Tls { path: path.to_owned(), detail };
    let certificate = || CertificateDer::pem_file_iter(&files.certificate)?.collect::<Result<Vec<_>, _>>();
    let chain = certificate().map_err(|error| wrong(&files.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.private_key)
        .map_err(|error| wrong(&files.private_key, error.to_string()))?;
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&files.certificate, error.to_string()))
}
