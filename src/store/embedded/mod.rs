//! The embedded back end: one SQLite file (WAL), for engines that need no database server.
//!
//! One thread writes and one reads, each with its own connection and a bounded queue; callers only ever wait for a
//! oneshot. The writer takes what has gathered in its queue, up to `MAX_GROUP`, into one transaction, and answers
//! when that is committed, so that a busy engine pays for one commit per group and not per document. Groups that
//! hold a durable collection are synced to the disk. A reader sees everything that was answered.
//!
//! While the disk is full or broken the store says that it does not answer, and the writer tries by itself whether it
//! takes something again.
//!
//! The file belongs to its user alone (0600 in a 0700 folder), because it holds keys.

mod file;
mod read;
mod schema;
mod write;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::sync::mpsc;

use super::{Backend, Collection, Command, Index, OpenError, Read, Store, StoreError, Write};
use crate::domain::Timestamp;

/// Requests that may wait on each side before callers are told `Busy`.
const MAX_WAITING: usize = 4_096;
/// Writes that share one commit.
const MAX_GROUP: usize = 256;

struct Embedded {
    writes: mpsc::Sender<Write>,
    reads: mpsc::Sender<Read>,
    /// False while the disk is full or broken.
    takes_writes: Arc<AtomicBool>,
}

/// Opens or makes the file and its collections; `now` stamps documents. The threads end with the last handle.
pub fn open(
    path: &Path,
    collections: &[&'static Collection],
    now: fn() -> Timestamp,
) -> Result<Store, OpenError> {
    file::make(path)?;
    schema::check(path)?;
    file::protect(path)?;
    let writer = schema::open_for_writing(path, collections)?;
    let reader = schema::open_for_reading(path)?;
    let (writes, waiting_writes) = mpsc::channel(MAX_WAITING);
    let (reads, waiting_reads) = mpsc::channel(MAX_WAITING);
    let takes_writes = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&takes_writes);
    start(path, "store-write", move || write::run(writer, waiting_writes, now, told))?;
    start(path, "store-read", move || read::run(reader, waiting_reads))?;
    Ok(Store::new(Embedded { writes, reads, takes_writes }))
}

fn start(path: &Path, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(drop).map_err(|source| OpenError::NoAccess { path: path.to_owned(), source })
}

impl Backend for Embedded {
    fn submit(&self, command: Command) {
        match command {
            Command::Read(read) => refuse(self.reads.try_send(read), Read::fail),
            Command::Write(write) => refuse(self.writes.try_send(write), Write::fail),
        }
    }

    fn trouble(&self) -> Option<&'static str> {
        let takes_writes = self.takes_writes.load(Ordering::Relaxed);
        (!takes_writes)
            .then_some("the store's file takes no writes: is its disk full? The log has the reason")
    }
}

fn refuse<T>(sent: Result<(), mpsc::error::TrySendError<T>>, fail: fn(T, StoreError)) {
    match sent {
        Ok(()) => {}
        Err(mpsc::error::TrySendError::Full(command)) => fail(command, StoreError::Busy),
        Err(mpsc::error::TrySendError::Closed(command)) => fail(command, StoreError::Closed),
    }
}

/// The generated column an indexed field is read through.
fn column_of(field: &str) -> String {
    format!("by_{}", field.replace('.', "__"))
}

/// Its name in the file.
fn index_of(table: &str, index: &Index) -> String {
    let then = index.then.map(|then| format!("_{}", column_of(then))).unwrap_or_default();
    format!("{table}_{}{then}", column_of(index.field))
}

fn failed(error: &rusqlite::Error) -> StoreError {
    StoreError::Failed(format!("{error}; look at disk space and permissions"))
}

#[cfg(test)]
mod tests;
