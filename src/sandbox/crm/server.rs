//! The listening end.

use std::future::pending;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, ContentType};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::json;
use tokio::time::sleep;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::faults::{Endpoint, Fault, FaultRule};
use super::form;
use super::state::{Received, Reply, State};
use crate::clock;
use crate::domain::Secret;

/// An hour of a telephone call as PCM has 115 MB.
const RECORDING_BYTES_MAX: usize = 256 * 1024 * 1024;
const CALL_DATA_BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub private_key: PathBuf,
}

#[derive(Debug, Clone)]
pub struct CrmServerSettings {
    pub listen: SocketAddr,
    pub tls: Option<TlsFiles>,
    /// Whoever has not this one is refused; `None`: everybody is let in.
    pub token: Option<Secret>,
    pub file_field: String,
    pub faults: Vec<FaultRule>,
}

impl Default for CrmServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            token: None,
            file_field: "file".into(),
            faults: Vec::new(),
        }
    }
}

/// A running stand-in. It needs an actix System.
pub struct CrmServer {
    pub address: SocketAddr,
    state: Arc<State>,
    handle: ServerHandle,
}

/// What a request needs to know.
struct Desk {
    state: Arc<State>,
    token: Option<Secret>,
    file_field: String,
    url: String,
}

impl CrmServer {
    pub fn start(settings: CrmServerSettings) -> io::Result<Self> {
        Self::start_with(settings, |faults| Arc::new(State::new(faults)))
    }

    /// At the same address, and with what it had: as a CRM that was started again.
    pub fn start_again(settings: CrmServerSettings, before: &Self) -> io::Result<Self> {
        let listen = before.address;
        Self::start_with(CrmServerSettings { listen, ..settings }, |faults| {
            before.state.set_faults(faults);
            Arc::clone(&before.state)
        })
    }

    fn start_with(
        settings: CrmServerSettings,
        state: impl FnOnce(Vec<FaultRule>) -> Arc<State>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", settings.listen)))?;
        let address = listener.local_addr()?;
        let tls = settings.tls.as_ref().map(tls_config).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = state(settings.faults);
        let desk = Data::new(Desk {
            state: Arc::clone(&state),
            token: settings.token,
            file_field: settings.file_field,
            url: format!("{scheme}://{address}"),
        });
        let app = move || App::new().app_data(Data::clone(&desk)).configure(routes);
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = match tls {
            Some(tls) => server.listen_rustls_0_23(listener, tls)?,
            None => server.listen(listener)?,
        };
        let server = server.run();
        let handle = server.handle();
        actix::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the stand-in of the CRM stopped");
            }
        });
        Ok(Self { address, state, handle })
    }

    pub fn received(&self) -> Received {
        self.state.received()
    }

    /// Waits until what has arrived is as wanted, and gives it.
    pub async fn until(&self, is_wanted: impl Fn(&Received) -> bool) -> Received {
        loop {
            let moved = self.state.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            let received = self.state.received();
            if is_wanted(&received) {
                return received;
            }
            moved.await;
        }
    }

    /// Replaces the rules; requests that are under way keep their faults.
    pub fn set_faults(&self, rules: Vec<FaultRule>) {
        self.state.set_faults(rules);
    }

    /// Breaks every connection.
    pub async fn stop(&self) {
        self.handle.stop(false).await;
    }
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/upload")
                .app_data(web::PayloadConfig::new(RECORDING_BYTES_MAX))
                .route(web::post().to(upload)),
        )
        .service(
            web::resource("/call-data")
                .app_data(web::PayloadConfig::new(CALL_DATA_BYTES_MAX))
                .route(web::post().to(call_data)),
        )
        .route("/received", web::get().to(received))
        .route("/recordings/{number}", web::get().to(recording));
}

async fn upload(desk: Data<Desk>, request: HttpRequest, body: Bytes) -> HttpResponse {
    serve(&desk, &request, Endpoint::Upload, |key| {
        let content_type = header(&request, CONTENT_TYPE.as_str());
        match form::file_in(&content_type, &body, &desk.file_field) {
            Ok(file) => desk.state.take_recording(key, file, &desk.url),
            Err(problem) => (400, json!({ "error": problem })),
        }
    })
    .await
}

async fn call_data(desk: Data<Desk>, request: HttpRequest, body: Bytes) -> HttpResponse {
    serve(&desk, &request, Endpoint::CallData, |key| desk.state.take_call_data(key, &body)).await
}

async fn received(desk: Data<Desk>) -> HttpResponse {
    HttpResponse::Ok().json(desk.state.received())
}

async fn recording(desk: Data<Desk>, number: web::Path<usize>) -> HttpResponse {
    match desk.state.recording(*number) {
        Some(recording) => HttpResponse::Ok().content_type(recording.content_type).body(recording.bytes),
        None => HttpResponse::NotFound().finish(),
    }
}

async fn serve(
    desk: &Desk,
    request: &HttpRequest,
    endpoint: Endpoint,
    take: impl FnOnce(&str) -> Reply,
) -> HttpResponse {
    let is_wrong =
        |token: &Secret| header(request, AUTHORIZATION.as_str()) != format!("Bearer {}", token.expose());
    if desk.token.as_ref().is_some_and(is_wrong) {
        return said((401, json!({ "error": "the token is wrong or missing" })));
    }
    let key = header(request, "idempotency-key");
    if key.is_empty() {
        return said((400, json!({ "error": "the header Idempotency-Key is missing" })));
    }
    match desk.state.strike(endpoint) {
        None => said(take(&key)),
        Some(Fault::Status(status)) => said((status, json!({ "error": "a fault was asked for" }))),
        Some(Fault::Nonsense) => {
            take(&key);
            HttpResponse::Ok().body("It works!")
        }
        Some(Fault::Html) => {
            let page = "<!DOCTYPE html><title>Log in</title><p>Please log in</p>";
            HttpResponse::Ok().content_type(ContentType::html()).body(page)
        }
        Some(Fault::NoSuccess) => {
            said((200, json!({ "success": false, "message": "a fault was asked for" })))
        }
        Some(Fault::Slow(wait)) => {
            let reply = take(&key);
            sleep(clock::timer_for(wait)).await;
            said(reply)
        }
        Some(Fault::Silent) => pending().await,
        Some(Fault::AnswerLost) => {
            take(&key);
            let broken =
                futures_util::stream::once(async { Err::<Bytes, _>(io::ErrorKind::BrokenPipe.into()) });
            HttpResponse::Ok().streaming::<_, io::Error>(broken)
        }
    }
}

fn said((status, body): Reply) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).json(body)
}

fn header(request: &HttpRequest, name: &str) -> String {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn tls_config(files: &TlsFiles) -> io::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(&files.certificate).map_err(io::Error::other)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(&files.private_key).map_err(io::Error::other)?;
    ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).map_err(io::Error::other)
}
