//! The store that the settings name, and the runtime `io`, which alone talks to a MongoDB, the CRM and web services.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::clock;
use crate::config::Settings;
use crate::http::Porch;
use crate::store::migrate::{Claimant, MigrateError, Migrator};
use crate::store::{COLLECTIONS, OpenError, Opening, Store, embedded, mongo};

use super::settings as derive;
use super::start::StartError;

/// A server that does not answer at the start is asked again this often.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// An engine that is up within this was never waited for.
const SILENCE_MAX: Duration = Duration::from_millis(300);
/// What `/ready` says meanwhile.
const WAITING: &str = "the engine waits for its store";
const MIGRATING: &str = "the engine is migrating its store to this version";
const IO_THREADS: usize = 2;

/// A store and the threads it needs, which end with this.
pub struct OpenStore {
    pub store: Store,
    /// Where the store is a file there is none yet.
    pub(super) io: Option<Io>,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreStartError {
    #[error("store.path: {0}")]
    Path(OpenError),
    #[error("store.url: {0}")]
    Url(OpenError),
    #[error("cannot start the threads of the runtime io: {0}; look at the limits of this user and machine")]
    Threads(io::Error),
    #[error(transparent)]
    Migration(MigrateError),
}

impl StoreStartError {
    /// Whether waiting for a server may help; nobody has to wait for a file.
    fn may_pass(&self, settings: &Settings) -> bool {
        match self {
            Self::Url(error) => error.may_pass(),
            Self::Migration(error) => settings.store.url.is_some() && error.may_pass(),
            Self::Path(_) | Self::Threads(_) => false,
        }
    }
}

/// As often as it takes for a server that is not there yet; what waiting cannot mend is an error at once. If it takes a
/// while, HTTP says meanwhile what is waited for.
pub(super) async fn wait_for_store(
    settings: &Settings,
    listener: &TcpListener,
) -> Result<OpenStore, StartError> {
    let (reason, told) = watch::channel(WAITING);
    let opening = open_in_the_end(settings, &reason);
    tokio::pin!(opening);
    tokio::select! {
        decided = &mut opening => return Ok(decided?),
        () = sleep(clock::timer_for(SILENCE_MAX)) => {}
    }
    let porch = Porch::open(listener, &derive::http(settings), told)?;
    let decided = opening.await;
    porch.close().await;
    Ok(decided?)
}

async fn open_in_the_end(
    settings: &Settings,
    reason: &watch::Sender<&'static str>,
) -> Result<OpenStore, StoreStartError> {
    let claimant = Claimant::new();
    loop {
        match open_migrated(settings, &claimant, reason).await {
            Err(error) if error.may_pass(settings) => {
                tracing::warn!(%error, "the engine waits for its store");
                reason.send_replace(WAITING);
                sleep(clock::timer_for(RETRY_PAUSE)).await;
            }
            decided => return decided,
        }
    }
}

/// With its documents in the form that the engine looks for.
async fn open_migrated(
    settings: &Settings,
    claimant: &Claimant,
    reason: &watch::Sender<&'static str>,
) -> Result<OpenStore, StoreStartError> {
    let opened = open_store(settings).await?;
    reason.send_replace(MIGRATING);
    let migrator = Migrator::new(opened.store.clone(), claimant.clone());
    migrator.up().await.map_err(StoreStartError::Migration)?;
    Ok(opened)
}

/// One attempt, without a look at how old the documents are: whoever only lists or adds some need not bring all others
/// to this version.
pub async fn open_store(settings: &Settings) -> Result<OpenStore, StoreStartError> {
    open_store_for(Opening::ToWork, settings).await
}

pub async fn open_store_for(opening: Opening, settings: &Settings) -> Result<OpenStore, StoreStartError> {
    let Some(url) = settings.store.url.clone() else {
        let opened = embedded::open_for(opening, &settings.store.path, COLLECTIONS, clock::unix_time);
        let store = opened.map_err(StoreStartError::Path)?;
        return Ok(OpenStore { store, io: None });
    };
    let io = Io::start()?;
    let access = mongo::Access { url, answer_limit: Duration::from_millis(settings.store.answer_limit_ms) };
    let store = mongo::open_for(opening, &access, COLLECTIONS, clock::unix_time, io.handle()).await;
    Ok(OpenStore { store: store.map_err(StoreStartError::Url)?, io: Some(io) })
}

/// Waits for nothing when it is dropped, because that happens on a thread that must not wait: whoever wants an answer
/// has asked for it before.
pub(super) struct Io {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Io {
    pub(super) fn start() -> Result<Self, StoreStartError> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(IO_THREADS).thread_name("io").enable_all().build();
        let runtime = runtime.map_err(StoreStartError::Threads)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
