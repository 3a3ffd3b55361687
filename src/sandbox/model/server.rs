//! The listening end: accepts, reads the upgrade request, refuses or upgrades, and keeps every connection's task.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::admission::{Credentials, Denial, MISSING_KEY};
use super::connection::{self, now};
use super::faults::{Fault, FaultRule};
use super::http::{Request, Response};
use super::listen::accept_each;
use super::report::SessionReport;
use super::settings::ModelSettings;
use super::side;
use super::state::State;
use crate::domain::Secret;

/// A running stand-in. Dropping it ends it.
pub struct ModelServer {
    pub address: SocketAddr,
    pub side_address: Option<SocketAddr>,
    state: Arc<State>,
    tasks: Vec<JoinHandle<()>>,
}

const NOT_FOUND: Denial = Denial { status: 404, message: "Requested entity was not found." };
const NOT_AN_UPGRADE: Denial =
    Denial { status: 400, message: "Request is not a valid WebSocket upgrade request." };

impl ModelServer {
    /// Listens, and serves on the current tokio runtime.
    pub async fn start(settings: ModelSettings) -> io::Result<Self> {
        let listener = listen(settings.listen).await?;
        let side_listener = match settings.side_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let address = listener.local_addr()?;
        let side_address = side_listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let state = Arc::new(State::new(settings));
        let mut server = Self { address, side_address, state, tasks: Vec::new() };
        server.serve(listener, side_listener);
        Ok(server)
    }

    fn serve(&mut self, listener: TcpListener, side_listener: Option<TcpListener>) {
        let state = Arc::clone(&self.state);
        let places = state.settings.max_connections;
        let greet = move |stream| greet(stream, Arc::clone(&state));
        self.tasks.push(tokio::spawn(accept_each(listener, places, greet)));
        if let Some(listener) = side_listener {
            let state = Arc::clone(&self.state);
            let visit = move |stream| side::visit(stream, Arc::clone(&state));
            self.tasks.push(tokio::spawn(accept_each(listener, side::MAX_VISITORS, visit)));
        }
    }

    /// All sessions in the order they came: those that run and the latest that ended.
    pub fn sessions(&self) -> Vec<SessionReport> {
        self.state.reports()
    }

    /// All sessions as [`ModelServer::sessions`] gives them, but without the audio of those that run.
    pub fn summaries(&self) -> Vec<SessionReport> {
        self.state.summaries()
    }

    /// Takes away what was kept of a running session's caller, so that a long call can be judged piece by piece.
    pub fn take_audio(&self, connection: u64) -> Option<Vec<i16>> {
        self.state.take_audio(connection)
    }

    /// Waits until the sessions look as wanted (judged without the audio of those that run), and gives them.
    pub async fn until(&self, is_wanted: impl Fn(&[SessionReport]) -> bool) -> Vec<SessionReport> {
        loop {
            let moved = self.state.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if is_wanted(&self.state.summaries()) {
                return self.state.reports();
            }
            moved.await;
        }
    }

    /// Replaces the fault rules; rules for a running session befall it now.
    pub fn set_faults(&self, rules: Vec<FaultRule>) {
        self.state.set_faults(rules);
    }

    /// Lets a fault befall a running session; `false` if there is none of this id.
    pub fn inject(&self, session: &str, fault: Fault) -> bool {
        self.state.inject(session, fault)
    }

    /// Ends every connection, without a close frame, and the listeners.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // An aborted task ends with an error that says just that.
            task.await.ok();
        }
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The error says which of the addresses it was.
async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
    TcpListener::bind(address).await.map_err(named)
}

async fn greet(mut stream: TcpStream, state: Arc<State>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let request = Request::read(&mut stream).await?;
    match receive(&request, &state) {
        Ok(Reception::Upgrade(admitted)) => {
            let identity = admitted.identity.clone();
            let _place = Place { state: &state, identity };
            stream.write_all(upgrade_answer(&request).as_bytes()).await?;
            connection::run(stream, request.rest, *admitted, &state).await;
            Ok(())
        }
        Ok(Reception::Hang) => std::future::pending().await,
        Err(denial) => Response::denied(denial).write(&mut stream).await,
    }
}

/// Gives the session's place back however its connection ends.
struct Place<'a> {
    state: &'a State,
    identity: super::admission::Identity,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.state.leave(&self.identity, now());
    }
}

enum Reception {
    Upgrade(Box<super::state::Admitted>),
    Hang,
}

fn receive(request: &Request, state: &State) -> Result<Reception, Denial> {
    let method = Method::of(&request.path).ok_or(NOT_FOUND)?;
    if request.method != "GET" || request.header("sec-websocket-key").is_none() {
        return Err(NOT_AN_UPGRADE);
    }
    let key = credential(request, method).ok_or(MISSING_KEY)?;
    let credentials = Credentials::of(&key, &state.settings);
    let (number, faults) = state.arrive(&credentials);
    if faults.has(&Fault::UpgradeHang) {
        return Ok(Reception::Hang);
    }
    let admitted = state.admit(number, credentials, faults, now())?;
    Ok(Reception::Upgrade(Box::new(admitted)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Open,
    /// For ephemeral tokens.
    Constrained,
}

impl Method {
    fn of(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/ws/google.ai.generativelanguage.")?;
        let (version, method) = rest.split_once('.')?;
        if !["v1beta", "v1alpha"].contains(&version) {
            return None;
        }
        match method {
            "GenerativeService.BidiGenerateContent" => Some(Self::Open),
            "GenerativeService.BidiGenerateContentConstrained" => Some(Self::Constrained),
            _ => None,
        }
    }
}

/// The key by header or query; on the constrained method a token, too.
fn credential(request: &Request, method: Method) -> Option<Secret> {
    let key = request.header("x-goog-api-key").or_else(|| request.parameter("key"));
    let token = || {
        let by_header = request.header("authorization").and_then(|value| value.strip_prefix("Token "));
        by_header.or_else(|| request.parameter("access_token")).filter(|_| method == Method::Constrained)
    };
    key.or_else(token).filter(|secret| !secret.is_empty()).map(Secret::new)
}

fn upgrade_answer(request: &Request) -> String {
    let key = request.header("sec-websocket-key").unwrap_or_default();
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}
