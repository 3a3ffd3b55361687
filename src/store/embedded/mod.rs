//! The embedded back end: one SQLite file (WAL), for engines that need no database server.
//!
//! One thread writes and two read, each with its own connection and a bounded queue; callers only ever wait for a
//! oneshot. The writer takes what has gathered in its queue, up to `MAX_GROUP`, into one transaction, and answers
//! when that is committed, so that a busy engine pays for one commit per group and not per document. Groups that
//! hold a durable collection are synced to the disk. A reader sees everything that was answered; one of the two is for
//! lists that people look through, so that the longest of them holds up no call.
//!
//! While the disk is full or broken the store says that it takes no writes, and the writer tries by itself whether it
//! takes something again.
//!
//! The file belongs to its user alone (0600 in a 0700 folder), because it holds keys.

mod columns;
mod file;
mod malformed;
mod read;
mod schema;
mod write;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::{Backend, Collection, Command, Index, OpenError, Opening, Read, Store, StoreError, Write};
use crate::domain::Timestamp;

/// Requests that may wait on each side before callers are told `Busy`.
const MAX_WAITING: usize = 4_096;
/// Lists that may wait; each may take [`read::PATIENCE`].
const MAX_LISTS_WAITING: usize = 64;
/// Writes that share one commit.
const MAX_GROUP: usize = 256;

struct Embedded {
    writes: mpsc::Sender<Write>,
    reads: mpsc::Sender<Read>,
    lists: mpsc::Sender<Read>,
    /// False while the disk is full or broken.
    takes_writes: Arc<AtomicBool>,
}

/// Opens or makes the file and its collections; `now` stamps documents. The threads end with the last handle.
pub fn open(
    path: &Path,
    collections: &[&'static Collection],
    now: fn() -> Timestamp,
) -> Result<Store, OpenError> {
    open_for(Opening::ToWork, path, collections, now)
}

/// As [`open`], for [`Opening::ToMend`] too.
pub fn open_for(
    opening: Opening,
    path: &Path,
    collections: &[&'static Collection],
    now: fn() -> Timestamp,
) -> Result<Store, OpenError> {
    file::make(path)?;
    schema::check(path)?;
    file::protect(path)?;
    let writer = schema::open_for_writing(path, collections, opening)?;
    let (reader, browser) = (schema::open_for_reading(path)?, schema::open_for_reading(path)?);
    let (writes, waiting_writes) = mpsc::channel(MAX_WAITING);
    let (reads, waiting_reads) = mpsc::channel(MAX_WAITING);
    let (lists, waiting_lists) = mpsc::channel(MAX_LISTS_WAITING);
    let takes_writes = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&takes_writes);
    start(path, "store-write", move || write::run(writer, waiting_writes, now, told))?;
    start(path, "store-read", move || read::run(reader, waiting_reads))?;
    start(path, "store-list", move || read::run(browser, waiting_lists))?;
    Ok(Store::new(Embedded { writes, reads, lists, takes_writes }))
}

fn start(path: &Path, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(drop).map_err(|source| OpenError::NoAccess { path: path.to_owned(), source })
}

impl Backend for Embedded {
    fn submit(&self, command: Command) {
        match command {
            Command::Read(read) if read.is_unhurried() => refuse(self.lists.try_send(read), Read::fail),
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

/// Its name in the file says all that stands in it. (Those with `_by_` and `_on_` are older versions'.)
fn index_of(table: &str, index: &Index) -> String {
    let plain = |field: &str| field.replace('.', "__");
    let then = index.then.map(|then| format!("_then_{}", plain(then))).unwrap_or_default();
    let beside = index.beside.iter().fold(String::new(), |all, field| format!("{all}_{}", plain(field)));
    let beside = if beside.is_empty() { beside } else { format!("_with{beside}") };
    format!("{table}_over_{}{then}{beside}", plain(index.field))
}

/// As [`failed`], and names a row that is the reason.
fn failed_in(
    connection: &Connection,
    collection: &'static Collection,
    error: &rusqlite::Error,
) -> StoreError {
    let row = || malformed::row_in(connection, collection);
    match malformed::is_reason_of(error).then(row).flatten() {
        Some(id) => {
            StoreError::Unreadable { collection: collection.name, id, detail: malformed::DETAIL.to_owned() }
        }
        None => failed(error),
    }
}

fn failed(error: &rusqlite::Error) -> StoreError {
    StoreError::Failed(format!("{error}; look at disk space and permissions"))
}

#[cfg(test)]
mod tests;
