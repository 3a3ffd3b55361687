//! The writer: gathers, commits once, then answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Row, Transaction, TransactionBehavior, params, params_from_iter};
use serde_json::Value;
use tokio::sync::mpsc;

use super::columns::{self, FILLED, column_of, fields_of, values_in};
use super::{MAX_GROUP, failed, read, schema};
use crate::clock;
use crate::domain::Timestamp;
use crate::store::interface::answer;
use crate::store::{Collection, Document, Index, Put, Reply, StoreError, Write};

/// A write that was done, and the way to tell who asked once it is committed.
enum Done {
    Written(Reply<Document>, Result<Document, StoreError>),
    WrittenInOrder(Reply<Vec<Result<Document, StoreError>>>, Vec<Result<Document, StoreError>>),
    Deleted(Reply<()>, Result<(), StoreError>),
}

/// How often a disk that takes nothing is tried again while nobody asks for anything.
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// `takes_writes` is told whenever the disk begins or ceases to refuse them.
pub(super) fn run(
    connection: Connection,
    mut waiting: mpsc::Receiver<Write>,
    now: fn() -> Timestamp,
    takes_writes: Arc<AtomicBool>,
) {
    let mut writer = Writer { connection, synced: None, takes_writes };
    while let Some(first) = writer.next(&mut waiting) {
        let mut group = vec![first];
        while let Some(write) = (group.len() < MAX_GROUP).then(|| waiting.try_recv().ok()).flatten() {
            group.push(write);
        }
        writer.commit_group(group, now());
    }
}

struct Writer {
    connection: Connection,
    /// Whether commits are synced to the disk, once that was said.
    synced: Option<bool>,
    takes_writes: Arc<AtomicBool>,
}

impl Writer {
    /// While the disk refuses what is written, somebody has to find out when it no longer does: perhaps nobody asks for
    /// a write before that.
    fn next(&self, waiting: &mut mpsc::Receiver<Write>) -> Option<Write> {
        while !self.takes_writes.load(Ordering::Relaxed) {
            match waiting.try_recv() {
                Ok(write) => return Some(write),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
                Err(mpsc::error::TryRecvError::Empty) => {
                    thread::sleep(clock::timer_for(TRY_AGAIN));
                    // Nobody has asked; the log is told when it is over.
                    drop(self.note(schema::touch(&self.connection)));
                }
            }
        }
        waiting.blocking_recv()
    }

    /// Gives the error in the store's words. Said in the log when it begins and when it is over, not for each write.
    fn note<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        match &result {
            Ok(_) if !self.takes_writes.swap(true, Ordering::Relaxed) => {
                tracing::info!("the disk takes the store's writes again");
            }
            Err(error) if is_the_disk_s(error) && self.takes_writes.swap(false, Ordering::Relaxed) => {
                tracing::error!(%error, "the disk refuses the store's writes; make space, or look at the disk");
            }
            Ok(_) | Err(_) => {}
        }
        result.map_err(|error| failed(&error))
    }

    /// A conflict fails its own document alone; only a commit that fails fails the group.
    fn commit_group(&mut self, group: Vec<Write>, now: Timestamp) {
        if let Err(error) = self.sync(group.iter().any(Write::is_durable)) {
            return fail_all(group, &failed(&error));
        }
        let transaction = match self.connection.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => transaction,
            Err(error) => return fail_all(group, &failed(&error)),
        };
        let done: Vec<Done> =
            group.into_iter().filter_map(|write| apply_inside(&transaction, write, now)).collect();
        let rolled_back = transaction.is_autocommit();
        let committed = transaction.commit();
        let committed = match done.iter().find_map(Done::failure).filter(|_| rolled_back) {
            Some(reason) => {
                self.takes_writes.store(false, Ordering::Relaxed);
                Err(reason)
            }
            None => self.note(committed),
        };
        done.into_iter().for_each(|done| done.answer(committed.clone()));
    }

    /// A setting costs SQLite as much as a small write: it is only made when it changes.
    fn sync(&mut self, wanted: bool) -> rusqlite::Result<()> {
        if self.synced == Some(wanted) {
            return Ok(());
        }
        self.synced = None;
        self.connection.pragma_update(None, "synchronous", if wanted { "FULL" } else { "NORMAL" })?;
        self.synced = Some(wanted);
        Ok(())
    }
}

fn is_the_disk_s(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::CannotOpen)
    )
}

fn fail_all(group: Vec<Write>, error: &StoreError) {
    group.into_iter().for_each(|write| write.fail(error.clone()));
}

/// A full disk makes SQLite roll back on its own: whatever followed would be written outside the transaction.
fn apply_inside(transaction: &Transaction<'_>, write: Write, now: Timestamp) -> Option<Done> {
    if transaction.is_autocommit() {
        write.fail(StoreError::Failed("an earlier write of the same group was rolled back".into()));
        return None;
    }
    Some(apply(transaction, write, now))
}

fn apply(connection: &Connection, write: Write, now: Timestamp) -> Done {
    match write {
        Write::Put { put, reply } => Done::Written(reply, apply_put(connection, put, now)),
        Write::PutInOrder { puts, reply } => {
            let mut written = Vec::with_capacity(puts.len());
            for put in puts {
                written.push(apply_put(connection, put, now));
                if written.last().is_some_and(Result::is_err) {
                    break;
                }
            }
            Done::WrittenInOrder(reply, written)
        }
        Write::Delete { collection, id, version, reply } => {
            Done::Deleted(reply, delete(connection, collection, &id, version))
        }
    }
}

fn apply_put(connection: &Connection, put: Put, now: Timestamp) -> Result<Document, StoreError> {
    let Put { collection, id, replaced, body } = put;
    match replaced {
        None => insert(connection, collection, id, body, now),
        Some(version) => compare_and_set(connection, collection, id, version, body, now),
    }
}

impl Done {
    fn failure(&self) -> Option<StoreError> {
        let error = match self {
            Self::Written(_, result) => result.as_ref().err(),
            Self::WrittenInOrder(_, results) => results.last()?.as_ref().err(),
            Self::Deleted(_, result) => result.as_ref().err(),
        };
        error.filter(|error| matches!(error, StoreError::Failed(_))).cloned()
    }

    fn answer(self, committed: Result<(), StoreError>) {
        match self {
            Self::Written(reply, result) => answer(reply, committed.and(result)),
            Self::WrittenInOrder(reply, results) => answer(reply, committed.map(|()| results)),
            Self::Deleted(reply, result) => answer(reply, committed.and(result)),
        }
    }
}

fn insert(
    connection: &Connection,
    collection: &'static Collection,
    id: String,
    body: Value,
    now: Timestamp,
) -> Result<Document, StoreError> {
    let fields = fields_of(collection);
    let columns: String = fields.iter().map(|field| format!(", {}", column_of(field))).collect();
    let places = ", ?".repeat(fields.len());
    let sql = format!(
        "INSERT INTO {} (id, version, {FILLED}, created_at, updated_at, body{columns}) VALUES (?1, 1, 1, ?2, ?2, ?3{places})",
        collection.name
    );
    let mut statement = connection.prepare_cached(&sql).map_err(|error| failed(&error))?;
    let mut values = vec![id.clone().into(), now.as_millis().cast_signed().into(), body.to_string().into()];
    values.extend(values_in(&body, &fields));
    let inserted = statement.execute(params_from_iter(values));
    inserted.map_err(|error| explain(collection, &error))?;
    Ok(Document { id, version: 1, created_at: now, updated_at: now, body })
}

fn compare_and_set(
    connection: &Connection,
    collection: &'static Collection,
    id: String,
    version: u64,
    body: Value,
    now: Timestamp,
) -> Result<Document, StoreError> {
    let fields = fields_of(collection);
    let standing = columns::standing(connection, collection, &id, &fields).map_err(|error| failed(&error))?;
    let Some((found, old)) = standing else {
        return Err(StoreError::NotFound { collection: collection.name, id });
    };
    if found != version {
        return Err(StoreError::Lost { collection: collection.name, id });
    }
    let new = values_in(&body, &fields);
    let changed: Vec<_> =
        fields.iter().zip(new).zip(old).filter(|((_, new), old)| new != old).map(|(new, _)| new).collect();
    let columns: String = changed.iter().map(|(field, _)| format!(", {} = ?", column_of(field))).collect();
    let sql = format!(
        "UPDATE {} SET version = version + 1, {FILLED} = version + 1, updated_at = max(?2, updated_at), \
         body = ?3{columns} WHERE id = ?1 RETURNING created_at, updated_at",
        collection.name
    );
    let mut statement = connection.prepare_cached(&sql).map_err(|error| failed(&error))?;
    let mut values = vec![id.clone().into(), now.as_millis().cast_signed().into(), body.to_string().into()];
    values.extend(changed.into_iter().map(|(_, value)| value));
    let read = |row: &Row<'_>| Ok((time(row.get(0)?), time(row.get(1)?)));
    let times = statement.query_row(params_from_iter(values), read);
    let (created_at, updated_at) = times.map_err(|error| explain(collection, &error))?;
    Ok(Document { id, version: version + 1, created_at, updated_at, body })
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis.cast_unsigned())
}

fn delete(
    connection: &Connection,
    collection: &'static Collection,
    id: &str,
    version: u64,
) -> Result<(), StoreError> {
    let sql = format!("DELETE FROM {} WHERE id = ?1 AND version = ?2", collection.name);
    let mut statement = connection.prepare_cached(&sql).map_err(|error| failed(&error))?;
    let deleted = statement.execute(params![id, version.cast_signed()]).map_err(|error| failed(&error))?;
    if deleted == 0 { Err(why_not(connection, collection, id)) } else { Ok(()) }
}

fn why_not(connection: &Connection, collection: &'static Collection, id: &str) -> StoreError {
    match read::get(connection, collection, id) {
        Ok(Some(_)) => StoreError::Lost { collection: collection.name, id: id.to_owned() },
        Ok(None) => StoreError::NotFound { collection: collection.name, id: id.to_owned() },
        Err(error) => error,
    }
}

/// SQLite names the column of what was taken: `UNIQUE constraint failed: users.field_name`.
fn explain(collection: &'static Collection, error: &rusqlite::Error) -> StoreError {
    let taken = error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
    if !taken {
        return failed(error);
    }
    let text = error.to_string();
    let names = |index: &Index| text.ends_with(&format!("{}.{}", collection.name, column_of(index.field)));
    let indexed = collection.indexes.iter().find(|index| names(index));
    let field = indexed.map_or("id", |index| index.field);
    StoreError::Conflict { collection: collection.name, field }
}

impl Write {
    fn is_durable(&self) -> bool {
        match self {
            Self::Put { put, .. } => put.collection.durable,
            Self::PutInOrder { puts, .. } => puts.last().is_some_and(|put| put.collection.durable),
            Self::Delete { collection, .. } => collection.durable,
        }
    }
}
