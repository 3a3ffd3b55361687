//! The server: listening, TLS, and what every request passes on its way to a handler.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use actix_cors::Cors;
use actix_http::Request;
use actix_service::{IntoServiceFactory, ServiceFactory};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServerHandle, ServiceRequest, ServiceResponse};
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

/// What is answered while the engine still waits for its store, or brings its documents to this version.
pub struct Porch(ServerHandle);

impl Porch {
    /// `reason`: why the engine is not ready, at each moment.
    pub fn open(
        listener: &TcpListener,
        settings: &HttpSettings,
        reason: watch::Receiver<&'static str>,
    ) -> Result<Self, HttpError> {
        let failed = |error| HttpError::Listen { address: settings.listen, error };
        let listener = listener.try_clone().map_err(failed)?;
        let app = move || {
            let reason = web::Data::new(reason.clone());
            App::new().app_data(reason).default_service(web::to(answered::waiting))
        };
        let server = HttpServer::new(app).workers(1);
        run(server, listener, settings).map(Self)
    }

    /// Who comes now finds the engine itself.
    pub async fn close(self) {
        self.0.stop(true).await;
    }
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

    pub fn start(listener: TcpListener, api: Api) -> Result<Self, HttpError> {
        let settings = Arc::clone(&api.settings);
        let failed = |error| HttpError::Listen { address: settings.listen, error };
        let address = listener.local_addr().map_err(failed)?;
        let turnstile = Turnstile::new(api.tuning.clone());
        let (closing, is_closing) = watch::channel(false);
        let streams = Streams::new(is_closing);
        let server =
            HttpServer::new(move || app(api.clone(), turnstile.clone(), streams.clone())).workers(workers());
        Ok(Self { address, handle: run(server, listener, &settings)?, closing })
    }

    pub async fn stop(self) {
        self.closing.send_replace(true);
        self.handle.stop(true).await;
    }
}

/// The engine alone handles signals.
fn run<F, I, S, B>(
    server: HttpServer<F, I, S, B>,
    listener: TcpListener,
    settings: &HttpSettings,
) -> Result<ServerHandle, HttpError>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error>,
    S::InitError: fmt::Debug,
    S::Response: Into<actix_http::Response<B>>,
    B: MessageBody + 'static,
{
    let failed = |error| HttpError::Listen { address: settings.listen, error };
    let tls = settings.tls.as_ref().map(tls_config).transpose()?;
    let server =
        server.max_connections(CONNECTIONS_MAX).client_request_timeout(HEAD_TIME_MAX).disable_signals();
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
    Ok(handle)
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
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
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
        .wrap(from_fn(answered::preflight_refused))
        .wrap(from_fn(answered::head_as_get))
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
