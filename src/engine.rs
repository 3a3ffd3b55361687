//! The composition root: adapters, actors, then HTTP; and the ordered way down. Only it knows everyone.

mod descriptors;
mod journal;
mod owners;
mod recordings;
mod settings;
mod start;
mod stop;
mod store;
mod threads;

use std::net::SocketAddr;
use std::time::Duration;

use actix::prelude::*;
use tokio::task::JoinHandle;

use crate::accounts::{Accounts, Staff};
use crate::actors::call_supervisor::{CrashSession, EndCall, PlaceCall, PressDigits, Refused};
use crate::actors::key_pool::ReplaceKeys;
use crate::actors::{Directory, EngineSizes, EventStream, Readiness};
use crate::catalogue::Catalogue;
use crate::domain::CallId;
use crate::http::Http;
use crate::keys::KeyPool;
use crate::store::{By, Calls, Entry, NodeFolder, Store, StoreError, Users, pool_reloaded};

pub use start::StartError;
pub use store::{OpenStore, StoreStartError, open_store, open_store_for};

/// A running engine. It must be started, and stopped, inside an actix System.
pub struct Engine {
    directory: Directory,
    events: EventStream,
    readiness: Readiness,
    arbiters: Vec<Arbiter>,
    http: Http,
    sip_address: SocketAddr,
    /// Whom the settings give incoming calls to.
    owners_named: Vec<String>,
    store: Store,
    users: Users,
    calls: Calls,
    staff: Staff,
    catalogue: Catalogue,
    flush_limit: Duration,
    /// What is looked at from time to time.
    tidying: Vec<JoinHandle<()>>,
    /// No other process is this node as long as this one runs.
    _folder: NodeFolder,
    /// Ends last: what has been asked of a MongoDB is on its way until then.
    _io: store::Io,
}

impl Engine {
    /// Where SIP is listened to.
    pub fn sip_address(&self) -> SocketAddr {
        self.sip_address
    }

    pub fn http_address(&self) -> SocketAddr {
        self.http.address
    }

    pub fn events(&self) -> &EventStream {
        &self.events
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn users(&self) -> &Users {
        &self.users
    }

    pub fn accounts(&self) -> &Accounts {
        &self.staff.accounts
    }

    /// Users together with their keys.
    pub fn staff(&self) -> &Staff {
        &self.staff
    }

    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// What is held right now.
    pub async fn sizes(&self) -> EngineSizes {
        EngineSizes::ask(&self.directory).await
    }

    /// Dials. The call's id comes back at once; how it goes is told by its events.
    pub async fn place_call(&self, order: PlaceCall) -> Result<CallId, Refused> {
        let supervisor = self.directory.supervisor().ok_or(Refused::PartMissing)?;
        supervisor.send(order).await.map_err(|_| Refused::PartMissing)?
    }

    /// False when there is no such call (any more).
    pub async fn hang_up(&self, call: &CallId, reason: &str) -> bool {
        self.ask_supervisor(EndCall { call: call.clone(), reason: reason.to_owned() }).await
    }

    /// Presses keys on the line.
    pub async fn press_digits(&self, call: &CallId, digits: &str) -> bool {
        self.ask_supervisor(PressDigits { call: call.clone(), digits: digits.to_owned() }).await
    }

    /// Makes the call's actor panic, as a bug would; for tests and `demo --crash`.
    pub async fn crash_session(&self, call: &CallId) -> bool {
        self.ask_supervisor(CrashSession { call: call.clone() }).await
    }

    /// The pool was read again; calls that run keep the key they have. Nothing is changed without an entry in the audit log.
    pub async fn replace_keys(&self, pool: KeyPool) -> Result<(), StoreError> {
        let replace = async |_: &Entry| {
            if let Some(keys) = self.directory.keys() {
                keys.send(ReplaceKeys { pool: pool.clone() }).await.ok();
            }
            Ok(())
        };
        let change = pool_reloaded(By::Engine, pool.keys().len());
        self.staff.accounts.audit().record(change, replace).await
    }

    async fn ask_supervisor<M>(&self, message: M) -> bool
    where
        M: Message<Result = bool> + Send + 'static,
        crate::actors::CallSupervisor: Handler<M>,
    {
        match self.directory.supervisor() {
            Some(supervisor) => supervisor.send(message).await.unwrap_or(false),
            None => false,
        }
    }
}
