//! Up: store and recordings, then the actors from the inside out, then HTTP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use actix::prelude::*;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::accounts::{Accounts, Staff, Times};
use crate::actors::books::Shelf;
use crate::actors::call_supervisor::CallSettings;
use crate::actors::key_pool::KeyDesk;
use crate::actors::notifier::{NotificationKeeper, NotifierParts, PostOffice};
use crate::actors::sip_endpoint::SipParts;
use crate::actors::udp_router::RouterSettings;
use crate::actors::uploader::{Desk, SweepParts, UploadKeeper, UploaderParts};
use crate::actors::{
    Announcer, Books, CallSupervisor, Directory, EventStream, KeyPool, LeftRecordings, LostCalls, Notifier,
    Readiness, SipEndpoint, Tuning, UdpRouter, Uploader,
};
use crate::catalogue::Catalogue;
use crate::clock;
use crate::config::Settings;
use crate::domain::{Entropy, StartId, WrongSealingKey};
use crate::http::{Api, Http, HttpError, LoadKeys};
use crate::keys::{KeyRing, KeyTrouble, NodeWatch};
use crate::net::NoClient;
use crate::net::crm_http::{CrmClient, CrmClientError};
use crate::net::voice_ws::{EndpointError, ModelEndpoint};
use crate::net::webhook::Webhooks;
use crate::sip::endpoint::Gateway;
use crate::store::{
    By, CallPapers, Callbacks, Calls, Journal, KeyAssignment, KeyHealth, KeyHolders, Leads, Leases,
    LeftBehind, NodeFolder, Nodes, Notifications, Numbers, Outbox, Recordings, Store, StoreError, Unwritten,
    Users, VoiceAgents, fingerprints,
};

use super::store::{Io, OpenStore, StoreStartError, wait_for_store};
use super::{Engine, descriptors, journal, recordings, settings as derive, threads};

/// Why the engine did not start, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("sip.listen: cannot listen on {address}: {error}; choose another address or stop who has it")]
    SipListen { address: SocketAddr, error: io::Error },
    #[error(transparent)]
    Http(#[from] HttpError),
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
    #[error(transparent)]
    WebServices(#[from] NoClient),
    #[error("secrets: a key {0}")]
    Sealing(#[from] WrongSealingKey),
    #[error(transparent)]
    Store(#[from] StoreStartError),
    #[error("the store does not give what all engines must agree on: {0}")]
    Constants(StoreError),
    #[error("recording.dir: cannot write recordings to {path}: {error}; choose another folder", path = path.display())]
    Recordings { path: PathBuf, error: io::Error },
    #[error("no thread can be started to look at passwords: {0}; raise the limit of threads (ulimit -u)")]
    Passwords(io::Error),
    #[error("node.dir: this engine cannot have a folder in {path}: {error}; choose another folder", path = path.display())]
    NodeFolder { path: PathBuf, error: io::Error },
    #[error("node.dir: the journal in {path} cannot be opened: {error}; look at its permissions", path = path.display())]
    Journal { path: PathBuf, error: io::Error },
    #[error("the operating system gives no randomness: {0}")]
    Entropy(io::Error),
    #[error(transparent)]
    Crm(#[from] CrmClientError),
    #[error("notifications.subscribers: a secret of {0}")]
    Subscriber(String),
}

impl Engine {
    /// Up, as soon as the store answers; a failure leaves nothing behind but the store's file. It may be given up until
    /// then: whoever drops the future stops the waiting.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let keys = settings.google_keys.clone();
        Self::start_with_keys_from(settings, Arc::new(move || Ok(keys.clone()))).await
    }

    /// As [`Engine::start`]; `load_keys` reads the Google keys again when somebody asks for that over HTTP.
    pub async fn start_with_keys_from(configured: Settings, load_keys: LoadKeys) -> Result<Self, StartError> {
        let mut entropy = clock::entropy().map_err(StartError::Entropy)?;
        let http_listener = Http::bind(configured.http.listen)?;
        let OpenStore { store, io } = wait_for_store(&configured, &http_listener).await?;
        let io = io.map_or_else(Io::start, Ok)?;
        let directory = Directory::default();
        let tuning = Tuning::read(configured, &store, directory.clone()).await;
        let settings = tuning.current().settings.clone();
        descriptors::raise_limit(settings.calls.max_calls);
        let mut ground = Ground::prepare(&settings, store.clone(), directory, &mut entropy).await?;
        let crm = crm_client(&settings, &io)?;
        let gateways = derive::resolve_gateways(&settings.sip)?;
        check_media_bind(&settings)?;
        let socket = bind_sip(settings.sip.listen)?;
        let sip_address = socket.local_addr().map_err(|error| sip_listen(&settings, error))?;
        let addresses = derive::advertised(&settings, sip_address, &gateways)?;
        let call_settings = ground.call_settings(&settings, &gateways, io.handle())?;

        let readiness = Readiness::starting(store);
        let mut arbiters = ground.start_services(&settings, call_settings, addresses.media, &mut entropy);
        let sip_arbiter = threads::named("sip".into());
        let parts = SipParts {
            config: derive::endpoint(&settings, gateways, addresses.sip),
            socket,
            entropy: entropy.fork(),
            directory: ground.directory.clone(),
            events: ground.events.clone(),
        };
        ground.directory.set_sip(SipEndpoint::start(&sip_arbiter.handle(), parts));
        ground.start_uploader(&settings, crm, readiness.clone(), &mut entropy);
        ground.start_notifier(&settings, &io, readiness.clone(), &mut entropy)?;
        arbiters.push(sip_arbiter);
        let api = ground.api(&settings, readiness.clone(), load_keys, tuning.clone());
        let http = Http::start(http_listener, api)?;
        warn_of_plain_http(&settings);
        readiness.set_ready();
        let owners_named = derive::owners_named(&settings);
        let lost_calls = ground.lost_calls(&settings);
        let notifications = ground.notification_keeper(&settings);
        let uploads = UploadKeeper { outbox: Outbox::new(ground.store.clone()), keep: settings.crm.keep() };
        let left_recordings = ground.left_recordings(&settings);
        let keeper = recordings::keeper(&settings, ground.recordings.clone(), &ground.calls, &readiness);
        let Ground { store, users, calls, staff, catalogue, directory, events, folder, .. } = ground;
        let mut tidying = vec![
            actix::spawn(staff.accounts.clone().keep_tidy()),
            actix::spawn(tuning.keep_looking()),
            actix::spawn(lost_calls.keep_looking()),
            actix::spawn(notifications.keep_looking()),
            actix::spawn(uploads.keep_looking()),
        ];
        tidying.extend(left_recordings.map(|left| actix::spawn(left.keep_looking())));
        tidying.extend(keeper.map(|keeper| actix::spawn(keeper.keep_looking())));
        Ok(Self {
            directory,
            events,
            readiness,
            arbiters,
            http,
            sip_address,
            owners_named,
            store,
            users,
            calls,
            staff,
            catalogue,
            flush_limit: settings.crm.flush_limit(),
            tidying,
            _folder: folder,
            _io: io,
        })
    }
}

fn warn_of_plain_http(settings: &Settings) {
    let address = settings.http.listen;
    if !address.ip().is_loopback() && settings.http.certificate.is_none() {
        tracing::warn!(
            %address,
            "http.listen is reached from other machines without TLS: passwords and tokens travel readable, unless a proxy \
             before it has TLS (else set http.certificate and http.private_key)"
        );
    }
}

fn crm_client(settings: &Settings, io: &Io) -> Result<Option<(CrmClient, Handle)>, StartError> {
    let Some(crm) = derive::crm(&settings.crm) else { return Ok(None) };
    Ok(Some((CrmClient::new(crm)?, io.handle().clone())))
}

/// What everything else stands on: the store, the recordings, and where the parts find and tell each other.
struct Ground {
    store: Store,
    users: Users,
    calls: Calls,
    staff: Staff,
    catalogue: Catalogue,
    recordings: Option<Recordings>,
    left_recordings: Vec<LeftBehind>,
    /// What keys the model has refused before.
    troubles: Vec<KeyTrouble>,
    folder: NodeFolder,
    start: StartId,
    journal: Journal,
    left_in_journal: Vec<Unwritten>,
    directory: Directory,
    events: EventStream,
    /// Rings when a call is to be told to the CRM.
    upload_bell: Arc<Notify>,
    announcer: Announcer,
}

impl Ground {
    async fn prepare(
        settings: &Settings,
        store: Store,
        directory: Directory,
        entropy: &mut Entropy,
    ) -> Result<Self, StartError> {
        let path = settings.node_dir();
        let folder = NodeFolder::take(&path, clock::new_id);
        let folder = folder.map_err(|error| StartError::NodeFolder { path, error })?;
        let (journal, left_in_journal) = journal::open(settings, &folder)?;
        let (recordings, left_recordings) = recordings::open(settings, &folder.node)?;
        let accounts = Accounts::new(&store, settings.sessions.limits(), Times::REAL);
        let accounts = accounts.map_err(StartError::Passwords)?;
        let assignment = KeyAssignment {
            users: Users::new(store.clone()),
            holders: KeyHolders::new(store.clone()),
            health: KeyHealth::new(store.clone()),
            audit: accounts.audit().clone(),
            by: By::Engine,
            fingerprints: fingerprints(&store, entropy).await.map_err(StartError::Constants)?,
            sealing: settings.secrets.sealing()?,
            now: clock::unix_time,
        };
        let troubles = assignment.health.all().await.map_err(StartError::Constants)?;
        let start = StartId::new(clock::new_id());
        let announcer = Announcer {
            notifications: Notifications::new(store.clone()),
            subscribers: settings.notifications.subscribers.clone().into(),
            run: (folder.node.clone(), start.clone()),
            bell: Arc::default(),
        };
        Ok(Self {
            staff: Staff { accounts, assignment },
            catalogue: Catalogue::new(&store, &derive::voice_agents(settings)),
            users: Users::new(store.clone()),
            calls: Calls::new(store.clone()),
            store,
            recordings,
            left_recordings,
            troubles,
            folder,
            start,
            journal,
            left_in_journal,
            directory,
            events: EventStream::new(),
            upload_bell: Arc::default(),
            announcer,
        })
    }

    fn api(&self, settings: &Settings, readiness: Readiness, load_keys: LoadKeys, tuning: Tuning) -> Api {
        Api {
            staff: self.staff.clone(),
            catalogue: self.catalogue.clone(),
            store: self.store.clone(),
            recordings: self.recordings.clone(),
            directory: self.directory.clone(),
            events: self.events.clone(),
            readiness,
            load_keys,
            tuning,
            settings: derive::http(settings).into(),
        }
    }

    fn shelf(&self) -> Shelf {
        Shelf {
            papers: CallPapers::new(self.store.clone()),
            leads: Leads::new(self.store.clone()),
            callbacks: Callbacks::new(self.store.clone()),
            run: (self.folder.node.clone(), self.start.clone()),
            bell: self.upload_bell.clone(),
            announcer: self.announcer.clone(),
        }
    }

    fn start_uploader(
        &self,
        settings: &Settings,
        crm: Option<(CrmClient, Handle)>,
        readiness: Readiness,
        entropy: &mut Entropy,
    ) {
        let run = (self.folder.node.clone(), self.start.clone());
        let parts = UploaderParts {
            sweep: SweepParts {
                nodes: Nodes::new(self.store.clone()),
                watch: NodeWatch::new(run.0.clone(), run.1.clone(), settings.node.dead_after()),
            },
            desk: Desk {
                outbox: Outbox::new(self.store.clone()),
                calls: self.calls.clone(),
                leads: Leads::new(self.store.clone()),
                crm,
                announcer: self.announcer.clone(),
                run,
            },
            look_every: settings.node.look_every(),
            parallel: usize::try_from(settings.crm.parallel).unwrap_or(1),
            amend: settings.crm.amend,
            bell: Arc::clone(&self.upload_bell),
            readiness,
            entropy: entropy.fork(),
        };
        let uploader = Uploader::new(parts);
        self.directory.set_uploader(Supervisor::start(move |_| uploader));
    }

    fn start_notifier(
        &self,
        settings: &Settings,
        io: &Io,
        readiness: Readiness,
        entropy: &mut Entropy,
    ) -> Result<(), StartError> {
        let Announcer { notifications, run, bell, .. } = self.announcer.clone();
        let recipients = derive::recipients(settings, &self.staff.assignment.sealing)?;
        let parts = NotifierParts {
            office: PostOffice {
                notifications,
                outbox: Outbox::new(self.store.clone()),
                client: derive::subscriber_client(&settings.notifications)?,
                io: io.handle().clone(),
                run,
            },
            recipients,
            nodes: Nodes::new(self.store.clone()),
            dead_after: settings.node.dead_after(),
            look_every: settings.node.look_every(),
            parallel: usize::try_from(settings.notifications.parallel).unwrap_or(1),
            bell,
            readiness,
            entropy: entropy.fork(),
        };
        let notifier = Notifier::new(parts);
        self.directory.set_notifier(Supervisor::start(move |_| notifier));
        Ok(())
    }

    fn notification_keeper(&self, settings: &Settings) -> NotificationKeeper {
        NotificationKeeper {
            notifications: self.announcer.notifications.clone(),
            give_up_after: settings.notifications.give_up_after(),
            keep: settings.notifications.keep(),
        }
    }

    fn lost_calls(&self, settings: &Settings) -> LostCalls {
        let (node, dead_after) = (self.folder.node.clone(), settings.node.dead_after());
        LostCalls {
            calls: self.calls.clone(),
            nodes: Nodes::new(self.store.clone()),
            watch: NodeWatch::new(node, self.start.clone(), dead_after),
            pause: dead_after / 3,
            directory: self.directory.clone(),
            events: self.events.clone(),
        }
    }

    fn left_recordings(&self, settings: &Settings) -> Option<LeftRecordings> {
        let (nodes, directory) = (settings.node_dir(), self.directory.clone());
        self.recordings.clone().map(|recordings| LeftRecordings { recordings, nodes, directory })
    }

    fn call_settings(
        &self,
        settings: &Settings,
        gateways: &[Gateway],
        io: &Handle,
    ) -> Result<CallSettings, StartError> {
        let (voice, sealing) = (&settings.voice, self.staff.assignment.sealing.clone());
        let allow_private = settings.tools.allow_private_addresses;
        Ok(CallSettings {
            registry: derive::registry(&settings.calls),
            limits: derive::call_limits(settings),
            gateways: derive::gateways(settings, gateways),
            numbers: derive::numbers(settings),
            voice_agents: derive::voice_agents(settings),
            default_model: voice.model.clone(),
            stored_numbers: Numbers::new(self.store.clone()),
            personas: VoiceAgents::new(self.store.clone()),
            default_owner: settings.calls.default_owner_id.as_ref().map(ToString::to_string),
            model: ModelEndpoint::new(&voice.url, &voice.version, voice.allow_insecure_url)?,
            webhooks: Webhooks::new(io.clone(), sealing.clone(), allow_private)?,
            timeouts: derive::timeouts(voice),
            users: self.users.clone(),
            sealing,
            recordings: self.recordings.clone().filter(|_| settings.recording.enabled),
            node: self.folder.node.clone(),
            start: self.start.clone(),
            directory: self.directory.clone(),
            events: self.events.clone(),
        })
    }

    /// All but signalling, which would bring in calls: from the inside out. Gives the threads they run on.
    fn start_services(
        &mut self,
        settings: &Settings,
        call_settings: CallSettings,
        media_ip: IpAddr,
        entropy: &mut Entropy,
    ) -> Vec<Arbiter> {
        let books = Books::new(
            self.shelf(),
            (self.recordings.clone(), std::mem::take(&mut self.left_recordings)),
            self.events.clone(),
            self.journal.clone(),
            self.left_in_journal.clone(),
        );
        self.directory.set_books(Supervisor::start(move |_| books));
        let keys = self.key_pool(settings);
        self.directory.set_keys(Supervisor::start(move |_| keys));
        let routers = derive::routers(&settings.media, media_ip).into_iter();
        let mut arbiters: Vec<Arbiter> =
            routers.map(|router| start_router(router, entropy.fork(), &self.directory)).collect();
        let call_arbiters: Vec<Arbiter> =
            (0..call_threads()).map(|index| threads::named(format!("call-{index}"))).collect();
        let handles = call_arbiters.iter().map(Arbiter::handle).collect();
        let supervisor = CallSupervisor::new(call_settings, handles, entropy.fork());
        self.directory.set_supervisor(Supervisor::start(move |_| supervisor));
        arbiters.extend(call_arbiters);
        arbiters
    }
}

impl Ground {
    fn key_pool(&self, settings: &Settings) -> KeyPool {
        let fingerprints = &self.staff.assignment.fingerprints;
        let desk = KeyDesk {
            leases: Leases::new(self.store.clone(), fingerprints.clone()),
            nodes: Nodes::new(self.store.clone()),
            health: self.staff.assignment.health.clone(),
            node: self.folder.node.clone(),
            start: self.start.clone(),
        };
        let pool = settings.google_keys.clone();
        let mut ring = KeyRing::new(pool, settings.key_limits(), fingerprints.clone());
        let reading = ring.begin_reading_troubles();
        ring.learn_troubles(reading, self.troubles.clone(), clock::now(), clock::unix_time());
        KeyPool::new(ring, desk, settings.node.beat(), settings.node.dead_after())
    }
}

/// Calls share the cores the media threads leave; at least one thread is theirs.
fn call_threads() -> usize {
    (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1)
}

fn start_router(settings: RouterSettings, entropy: Entropy, directory: &Directory) -> Arbiter {
    let arbiter = threads::named_for_media(format!("media-{}", settings.index));
    let registry = directory.clone();
    let router =
        Supervisor::start_in_arbiter(&arbiter.handle(), move |_| UdpRouter::new(settings, entropy, registry));
    directory.add_router(router);
    arbiter
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
