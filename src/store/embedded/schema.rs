//! Tables and indexes: one table per collection, an index over each field that is asked for.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use serde_json::Value;

use super::columns::{self, column_of};
use super::{index_of, malformed};
use crate::store::{Collection, Index, MIGRATIONS, OpenError, Opening, migrate};

/// Raised only when a table changes its shape; new collections and indexes are simply added.
const SCHEMA: i64 = 1;
/// "Clrl" in the file's header: this database is ours.
const APPLICATION: i64 = 0x436c_726c;
/// More than one connection has use for in ordinary traffic: to prepare one again costs more than to run it.
const STATEMENTS_KEPT: usize = 64;
/// How long one process waits for another's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries where SQLite does not wait by itself.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

pub(super) fn open_for_writing(
    path: &Path,
    collections: &[&'static Collection],
    opening: Opening,
) -> Result<Connection, OpenError> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if let Err(error) = build(&mut connection, collections, opening) {
        let no_json =
            malformed::is_reason_of(&error).then(|| row_without_json(path, &connection, collections));
        let named = no_json.flatten().or_else(|| twins(&connection, collections));
        return Err(named.unwrap_or_else(|| refused(path, &error)));
    }
    Ok(connection)
}

/// No index can be made over it.
fn row_without_json(
    path: &Path,
    connection: &Connection,
    collections: &[&'static Collection],
) -> Option<OpenError> {
    collections.iter().find_map(|collection| {
        let id = malformed::row_in(connection, collection)?;
        Some(OpenError::NoJson { path: path.to_owned(), collection: collection.name, id })
    })
}

/// A unique index cannot be made over two documents with one value, of an older system or another program.
fn twins(connection: &Connection, collections: &[&'static Collection]) -> Option<OpenError> {
    collections.iter().find_map(|collection| {
        let unique = collection.indexes.iter().filter(|index| index.unique);
        unique.into_iter().find_map(|index| twins_of(connection, collection, index))
    })
}

fn twins_of(connection: &Connection, collection: &Collection, index: &Index) -> Option<OpenError> {
    let (table, field) = (collection.name, index.field);
    let value = format!("json_extract(body, '$.{field}')");
    let sql = format!(
        "SELECT min(id), max(id), {value} FROM {table} WHERE {value} IS NOT NULL GROUP BY {value} HAVING count(*) > 1 LIMIT 1"
    );
    let found = connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (first, second, value) = found.ok()?;
    Some(OpenError::NotUnique { collection: table, field, value, first, second })
}

pub(super) fn open_for_reading(path: &Path) -> Result<Connection, OpenError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Looks before anything is written, so that a file that is not ours or not whole stays as it is.
pub(super) fn check(path: &Path) -> Result<(), OpenError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let look = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let tables = look("SELECT count(*) FROM sqlite_schema").map_err(|error| refused(path, &error))?;
    if tables == 0 {
        return Ok(());
    }
    if look("PRAGMA application_id").map_err(|error| refused(path, &error))? != APPLICATION {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let found = look("PRAGMA user_version").map_err(|error| refused(path, &error))?;
    if found > SCHEMA {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: SCHEMA });
    }
    check_pages(path, &connection)?;
    check_migrations(path, &connection)
}

fn check_migrations(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let claims = migration_claims(connection).map_err(|error| refused(path, &error))?;
    match migrate::newer_than_known(&claims) {
        None => Ok(()),
        Some(found) => {
            let store = path.display().to_string();
            Err(OpenError::Migrated { store, found, known: migrate::LATEST })
        }
    }
}

/// What cannot be read is nothing a newer version has written.
fn migration_claims(connection: &Connection) -> rusqlite::Result<Vec<Value>> {
    let table = MIGRATIONS.name;
    if connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1",
        [table],
        |row| row.get::<_, i64>(0),
    )? == 0
    {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare(&format!("SELECT body FROM {table} ORDER BY id"))?;
    let bodies = statement.query_map([], |row| row.get::<_, String>(0))?;
    bodies.map(|body| body.map(|body| serde_json::from_str(&body).unwrap_or_default())).collect()
}

fn check_pages(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match verdict.map_err(|error| refused(path, &error))?.as_str() {
        "ok" => Ok(()),
        detail => Err(OpenError::Damaged { path: path.to_owned(), detail: detail.to_owned() }),
    }
}

/// The smallest write there is, which changes nothing.
pub(super) fn touch(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", SCHEMA)
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, OpenError> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| refused(path, &error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| refused(path, &error))?;
    // Else whatever is asked for is planned anew each time, because other values might be served by the partial index of rows
    // that lag behind; which index serves is said in the statement.
    let plans_stay = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    plans_stay.map_err(|error| refused(path, &error))?;
    Ok(connection)
}

/// A file that is locked, or a disk that is full, is not a damaged file.
fn refused(path: &Path, error: &rusqlite::Error) -> OpenError {
    let (path, detail) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => OpenError::Damaged { path, detail },
        _ => OpenError::NoAccess { path, source: io::Error::other(detail) },
    }
}

fn build(
    connection: &mut Connection,
    collections: &[&'static Collection],
    opening: Opening,
) -> rusqlite::Result<()> {
    turn_to_log(connection)?;
    // A key that was sealed, or a user who was removed, must not stay readable in what the file has to spare.
    connection.pragma_update(None, "secure_delete", "ON")?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", SCHEMA)?;
    for collection in collections {
        transaction.execute_batch(&table(collection.name))?;
        for index in collection.indexes.iter().filter(|index| index.unique) {
            make_room_for_twins(&transaction, collection.name, index, opening)?;
        }
        columns::make(&transaction, collection)?;
        for index in collection.indexes {
            add_index(&transaction, collection.name, index, opening)?;
        }
        drop_former_indexes(&transaction, collection)?;
    }
    transaction.commit()?;
    empty_log(connection)
}

/// A new file is turned over under a lock which SQLite does not wait for, whatever its time-out; the process that has it
/// may be another that makes the same file.
fn turn_to_log(connection: &Connection) -> rusqlite::Result<()> {
    let turn = || connection.pragma_update(None, "journal_mode", "WAL");
    let tries = BUSY_TIMEOUT.as_millis() / BUSY_PAUSE.as_millis();
    for _ in 1..tries {
        match turn() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                thread::sleep(BUSY_PAUSE);
            }
            turned => return turned,
        }
    }
    turn()
}

/// What a process that ended left in the -wal still has what was there before. Another process that is at work keeps it.
fn empty_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

fn table(name: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {name} (id TEXT PRIMARY KEY, version INTEGER NOT NULL, \
         created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, body TEXT NOT NULL) STRICT"
    )
}

fn add_index(connection: &Connection, table: &str, index: &Index, opening: Opening) -> rusqlite::Result<()> {
    if !index.unique {
        return create_index(connection, table, index, "");
    }
    match create_index(connection, table, index, "UNIQUE") {
        Err(error) if opening == Opening::ToMend && is_for_twins(&error) => {
            create_index(connection, table, index, "")
        }
        made => made,
    }
}

/// What a command that mends twins went by stays if that command is killed, so it must not pass for the unique index. And
/// such a command must come in, whatever is found when columns are filled.
fn make_room_for_twins(
    connection: &Connection,
    table: &str,
    index: &Index,
    opening: Opening,
) -> rusqlite::Result<()> {
    let name = index_of(table, index);
    let stopgap = "SELECT count(*) FROM pragma_index_list(?1) WHERE name = ?2 AND NOT \"unique\"";
    let stopgaps = connection.query_row(stopgap, [table, &name], |row| row.get::<_, i64>(0))?;
    if stopgaps == 0 && opening == Opening::ToWork {
        return Ok(());
    }
    connection.execute_batch(&format!("DROP INDEX IF EXISTS {name}"))
}

fn is_for_twins(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

fn create_index(connection: &Connection, table: &str, index: &Index, unique: &str) -> rusqlite::Result<()> {
    let mut columns = vec![column_of(index.field)];
    columns.extend(index.then.map(column_of));
    if !index.unique {
        columns.push("id".to_owned());
    }
    columns.extend(index.beside.iter().filter(|field| **field != index.field).map(|field| column_of(field)));
    let (name, columns) = (index_of(table, index), columns.join(", "));
    connection.execute_batch(&format!("CREATE {unique} INDEX IF NOT EXISTS {name} ON {table} ({columns})"))
}

/// What nothing asks by any more is work at each write. Older versions make theirs again.
fn drop_former_indexes(connection: &Connection, collection: &Collection) -> rusqlite::Result<()> {
    let known = collection.indexes.iter().map(|index| index_of(collection.name, index));
    let known: Vec<String> = known.chain([columns::lagging(collection.name)]).collect();
    let made = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND sql IS NOT NULL";
    let mut statement = connection.prepare(made)?;
    let names = statement.query_map([collection.name], |row| row.get::<_, String>(0))?;
    let names = names.collect::<rusqlite::Result<Vec<_>>>()?;
    let former = names.iter().filter(|name| !known.contains(name));
    former.into_iter().try_for_each(|name| connection.execute_batch(&format!("DROP INDEX \"{name}\"")))
}
