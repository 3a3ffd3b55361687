//! Up: store and recordings, then the actors from the inside out, then HTTP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use actix::prelude::*;

use crate::actors::call_supervisor::CallSettings;
use crate::actors::sip_endpoint::SipParts;
use crate::actors::udp_router::RouterSettings;
use crate::actors::{
    Books, CallSupervisor, Directory, EventStream, KeyPool, Readiness, SipEndpoint, UdpRouter,
};
use crate::clock;
use crate::config::Settings;
use crate::domain::Entropy;
use crate::http::Http;
use crate::keys::KeyRing;
use crate::net::voice_ws::{EndpointError, ModelEndpoint};
use crate::store::{self, Calls, OpenError, Recordings, Store, Users};

use super::{Engine, descriptors, settings as derive};

/// Why the engine did not start, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("sip.listen: cannot listen on {address}: {error}; choose another address or stop who has it")]
    SipListen { address: SocketAddr, error: io::Error },
    #[error("http.listen: cannot listen on {address}: {error}; choose another address or stop who has it")]
    HttpListen { address: SocketAddr, error: io::Error },
    #[error("media.bind: cannot listen on {address}: {error}; name an address of this machine")]
    MediaBind { address: IpAddr, error: io::Error },
    #[error(
        "sip.gateways: the address {address} of gateway {name} cannot be resolved: {error}; check the name, or write \
         its IP address"
    )]
    Gateway { name: String, address: String, error: String },
    #[error("{setting}: which address far ends shall be told cannot be found out; set it")]
    NoAddress { setting: &'static str },
    #[error("voice.url: {0}")]
    Model(#[from] EndpointError),
    #[error("store.path: {0}")]
    Store(#[from] OpenError),
    #[error("recording.dir: cannot write recordings to {path}: {error}; choose another folder", path = path.display())]
    Recordings { path: PathBuf, error: io::Error },
    #[error("the operating system gives no randomness: {0}")]
    Entropy(io::Error),
}

impl Engine {
    /// Up; a failure leaves nothing behind but the store's file.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        descriptors::raise_limit(settings.calls.max_calls);
        let mut entropy = clock::entropy().map_err(StartError::Entropy)?;
        let store = open_store(&settings)?;
        let recordings = open_recordings(&settings)?;
        let gateways = derive::resolve_gateways(&settings.sip)?;
        check_media_bind(&settings)?;
        let towards = gateways.first().map(|gateway| gateway.address);
        let socket = bind_sip(settings.sip.listen)?;
        let sip_address = socket.local_addr().map_err(|error| sip_listen(&settings, error))?;
        let sip_ip = settings.sip.advertise.map(|address| address.ip());
        let advertised = derive::advertised_ip("sip.advertise", sip_ip, sip_address.ip(), towards)?;
        // Port 0 stands for the one we really listen on.
        let sip_port = settings.sip.advertise.map(|address| address.port()).filter(|port| *port != 0);
        let advertised = SocketAddr::new(advertised, sip_port.unwrap_or(sip_address.port()));
        let media_ip = settings.media.advertise.or(sip_ip);
        let media_ip = derive::advertised_ip("media.advertise", media_ip, settings.media.bind, towards)?;

        let (directory, events) = (Directory::default(), EventStream::new());
        let readiness = Readiness::starting();
        let (users, calls) = (Users::new(store.clone()), Calls::new(store));
        let call_settings = CallSettings {
            registry: derive::registry(&settings.calls),
            limits: derive::call_limits(&settings),
            gateways: derive::gateways(&settings, &gateways),
            numbers: derive::numbers(&settings),
            voice_agents: derive::voice_agents(&settings),
            default_owner: settings.calls.default_owner_id.as_ref().map(ToString::to_string),
            model: ModelEndpoint::new(
                &settings.voice.url,
                &settings.voice.version,
                settings.voice.allow_insecure_url,
            )?,
            timeouts: derive::timeouts(&settings.voice),
            users: users.clone(),
            recordings: recordings.clone(),
            directory: directory.clone(),
            events: events.clone(),
        };
        let books = Books::new(calls.clone(), recordings, events.clone());
        directory.set_books(Supervisor::start(move |_| books));
        let keys = KeyPool::new(KeyRing::new(settings.google_keys.clone(), settings.keys.limits()));
        directory.set_keys(Supervisor::start(move |_| keys));
        let mut arbiters = Vec::new();
        for router in derive::routers(&settings.media, media_ip) {
            arbiters.push(start_router(router, entropy.fork(), &directory));
        }
        let call_arbiters: Vec<Arbiter> = (0..call_threads()).map(|_| Arbiter::new()).collect();
        let handles = call_arbiters.iter().map(Arbiter::handle).collect();
        arbiters.extend(call_arbiters);
        let supervisor = CallSupervisor::new(call_settings, handles, entropy.fork());
        directory.set_supervisor(Supervisor::start(move |_| supervisor));
        let parts = SipParts {
            config: derive::endpoint(&settings, gateways, advertised),
            socket,
            entropy: entropy.fork(),
            directory: directory.clone(),
            events: events.clone(),
        };
        let sip_arbiter = Arbiter::new();
        directory.set_sip(SipEndpoint::start(&sip_arbiter.handle(), parts));
        arbiters.push(sip_arbiter);
        let http = Http::start(settings.http.listen, readiness.clone(), directory.clone())
            .map_err(|error| StartError::HttpListen { address: settings.http.listen, error })?;
        readiness.set_ready();
        let owners_named = derive::owners_named(&settings);
        Ok(Self { directory, events, readiness, arbiters, http, sip_address, owners_named, users, calls })
    }
}

/// Calls share the cores the media threads leave; at least one thread is theirs.
fn call_threads() -> usize {
    (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1)
}

fn start_router(settings: RouterSettings, entropy: Entropy, directory: &Directory) -> Arbiter {
    let arbiter = Arbiter::new();
    let registry = directory.clone();
    let router =
        Supervisor::start_in_arbiter(&arbiter.handle(), move |_| UdpRouter::new(settings, entropy, registry));
    directory.add_router(router);
    arbiter
}

fn open_store(settings: &Settings) -> Result<Store, StartError> {
    Ok(store::embedded::open(&settings.store.path, store::COLLECTIONS, clock::unix_time)?)
}

fn open_recordings(settings: &Settings) -> Result<Option<Recordings>, StartError> {
    if !settings.recording.enabled {
        return Ok(None);
    }
    let path = &settings.recording.dir;
    let failed = |error| StartError::Recordings { path: path.clone(), error };
    Recordings::start(path).map(Some).map_err(failed)
}

/// Found out now, not by the first caller.
fn check_media_bind(settings: &Settings) -> Result<(), StartError> {
    let address = settings.media.bind;
    let bound = std::net::UdpSocket::bind(SocketAddr::new(address, 0));
    bound.map(drop).map_err(|error| StartError::MediaBind { address, error })
}

fn bind_sip(address: SocketAddr) -> Result<std::net::UdpSocket, StartError> {
    let bind = || {
        let socket = std::net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    bind().map_err(|error| StartError::SipListen { address, error })
}

fn sip_listen(settings: &Settings, error: io::Error) -> StartError {
    StartError::SipListen { address: settings.sip.listen, error }
}
