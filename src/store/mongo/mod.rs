//! The MongoDB back end, for engines that share their documents.
//!
//! A document lies there as the systems around us know it: `_id`, `version`, `created_at`, `updated_at` (dates), and
//! the members of its body beside them, numbers as 64-bit ones. `names` says what becomes of the names MongoDB keeps
//! for itself.
//!
//! *One winner.* Every write touches one document, in one atomic step of the server: an insert, a replacement of the
//! version that was read, a deletion of it. Unique fields need no second document and so no mending after a crash:
//! `unique` lays beside the body, in the same write, a value for the server's unique index that is there even where the
//! field is not. No transactions, upserts, pipelines, partial indexes or server time.
//!
//! *Never blocking, never hanging.* The driver lives on the runtime `io` alone. A command carries the moment by which
//! it must be answered from its submission on. Writes go to one of a few bounded lanes, chosen by document, so that
//! those of one document keep their order; reads are tasks of their own, up to a bound. What finds no room is `Busy`,
//! what is not answered in time `Failed`: it may have been done all the same, as with any server, and versions and ids
//! tell whoever tries again. `probe` notices when the server is gone, and when it is back.
//!
//! [`open`] looks first whether a newer version was here, and then lets `prepare` make what a database of this version
//! has. Migrations come next, over the interface ([`super::migrate`]).

mod body;
mod fault;
mod names;
mod prepare;
mod probe;
mod read;
mod server;
mod unique;
mod write;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::{Backend, Collection, Command, OpenError, Opening, Read, Store, StoreError, Write};
use crate::domain::{Secret, Timestamp};
use server::Server;

/// Writes that wait for the same answer time may share a lane; different ones seldom do.
const WRITE_LANES: usize = 8;
/// Writes that may wait in one lane, and reads altogether, before callers are told `Busy`.
const MAX_WAITING_IN_LANE: usize = 512;
const MAX_READS: usize = 4_096;

/// Where the documents lie and how long an answer may take.
#[derive(Debug, Clone)]
pub struct Access {
    /// mongodb://user:password@host:port/database
    pub url: Secret,
    pub answer_limit: Duration,
}

struct Mongo {
    server: Arc<Server>,
    lanes: Vec<mpsc::Sender<(Write, Instant)>>,
    reads: Arc<Semaphore>,
    answers: watch::Receiver<bool>,
    io: Handle,
}

/// One attempt; whether another may help says [`OpenError::may_pass`]. `now` stamps documents. Everything ends with
/// the last handle, or with the runtime `io`.
pub async fn open(
    access: &Access,
    collections: &'static [&'static Collection],
    now: fn() -> Timestamp,
    io: &Handle,
) -> Result<Store, OpenError> {
    open_for(Opening::ToWork, access, collections, now, io).await
}

/// As [`open`], for [`Opening::ToMend`] too.
pub async fn open_for(
    opening: Opening,
    access: &Access,
    collections: &'static [&'static Collection],
    now: fn() -> Timestamp,
    io: &Handle,
) -> Result<Store, OpenError> {
    let (access, on_io) = (access.clone(), io.clone());
    let opening = io.spawn(async move {
        let server = Arc::new(Server::find(&access, now).await?);
        prepare::refuse_what_is_newer(&server).await?;
        prepare::collections(&server, collections, opening).await?;
        Ok(Store::new(Mongo::start(server, on_io)))
    });
    let gone = |_| OpenError::Unreachable { server: "?".into(), detail: "the engine is ending".into() };
    opening.await.map_err(gone)?
}

impl Mongo {
    fn start(server: Arc<Server>, io: Handle) -> Self {
        let lanes = (0..WRITE_LANES).map(|_| start_lane(&server, &io)).collect();
        let (tell, answers) = watch::channel(true);
        io.spawn(probe::run(Arc::clone(&server), tell));
        Self { server, lanes, reads: Arc::new(Semaphore::new(MAX_READS)), answers, io }
    }

    fn read(&self, read: Read, deadline: Instant) {
        let Ok(permit) = Arc::clone(&self.reads).try_acquire_owned() else {
            return read.fail(StoreError::Busy);
        };
        let server = Arc::clone(&self.server);
        self.io.spawn(async move {
            read::handle(&server, read, deadline).await;
            drop(permit);
        });
    }

    fn write(&self, write: Write, deadline: Instant) {
        let Some(lane) = self.lanes.get(lane_of(&write)) else { return write.fail(StoreError::Closed) };
        match lane.try_send((write, deadline)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full((write, _))) => write.fail(StoreError::Busy),
            Err(mpsc::error::TrySendError::Closed((write, _))) => write.fail(StoreError::Closed),
        }
    }
}

impl Backend for Mongo {
    fn submit(&self, command: Command) {
        let deadline = self.server.deadline();
        match command {
            Command::Read(read) => self.read(read, deadline),
            Command::Write(write) => self.write(write, deadline),
        }
    }

    fn can_be_read(&self) -> bool {
        *self.answers.borrow()
    }
}

fn start_lane(server: &Arc<Server>, io: &Handle) -> mpsc::Sender<(Write, Instant)> {
    let (lane, mut waiting) = mpsc::channel(MAX_WAITING_IN_LANE);
    let server = Arc::clone(server);
    io.spawn(async move {
        while let Some((write, deadline)) = waiting.recv().await {
            write::handle(&server, write, deadline).await;
        }
    });
    lane
}

/// All writes of one document share a lane; of several in order, the last one decides.
fn lane_of(write: &Write) -> usize {
    let (collection, id) = match write {
        Write::Put { put, .. } => (put.collection, &put.id),
        Write::PutInOrder { puts, .. } => match puts.last() {
            Some(last) => (last.collection, &last.id),
            None => return 0,
        },
        Write::Delete { collection, id, .. } => (*collection, id),
    };
    let mut hasher = DefaultHasher::new();
    (collection.name, id).hash(&mut hasher);
    usize::try_from(hasher.finish()).unwrap_or(0) % WRITE_LANES
}
