//! The readers: each answers from its own connection, untouched by writes under way.

use std::ffi::c_int;
use std::time::Duration;

use rusqlite::types::Value as Column;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params_from_iter};
use tokio::sync::mpsc;

use super::columns::{column, column_of};
use super::{failed, failed_in, index_of};
use crate::clock;
use crate::domain::Timestamp;
use crate::store::document::Comparison;
use crate::store::{Collection, Condition, Document, Order, Page, Query, Read, StoreError};

pub(super) const COLUMNS: &str = "id, version, created_at, updated_at, body";

/// A list that takes longer is given up, because others wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Steps of SQLite's machine from one look at the clock to the next.
const STEPS_BETWEEN_LOOKS: c_int = 10_000;

pub(super) fn run(mut connection: Connection, mut waiting: mpsc::Receiver<Read>) {
    while let Some(read) = waiting.blocking_recv() {
        match read {
            Read::Get { collection, id, reply } => drop(reply.send(get(&connection, collection, &id))),
            Read::Find { collection, query, reply } if query.unhurried => {
                drop(reply.send(find_within(PATIENCE, &mut connection, collection, &query)));
            }
            Read::Find { collection, query, reply } => {
                drop(reply.send(find(&connection, collection, &query)));
            }
        }
    }
}

pub(super) fn get(
    connection: &Connection,
    collection: &'static Collection,
    id: &str,
) -> Result<Option<Document>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM {} WHERE id = ?1", collection.name);
    let mut statement = connection.prepare_cached(&sql).map_err(|error| failed(&error))?;
    let found = statement.query_row([id], |row| Ok(document(collection, row))).optional();
    found.map_err(|error| failed(&error))?.transpose()
}

/// On a connection that is for lists alone: the limit stays with it until the next one.
pub(super) fn find_within(
    patience: Duration,
    connection: &mut Connection,
    collection: &'static Collection,
    query: &Query,
) -> Result<Page, StoreError> {
    let limit = clock::now() + patience;
    let is_over = move || clock::now() >= limit;
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_over)).map_err(|error| failed(&error))?;
    find(connection, collection, query)
}

fn given_up(connection: &Connection, collection: &'static Collection, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => StoreError::TooBroad { collection: collection.name },
        _ => failed_in(connection, collection, error),
    }
}

fn find(connection: &Connection, collection: &'static Collection, query: &Query) -> Result<Page, StoreError> {
    let limit = query.page_size();
    let (sql, values) = select(collection, query, limit);
    let mut statement = connection.prepare_cached(&sql).map_err(|error| failed(&error))?;
    let rows = statement.query_map(params_from_iter(values), |row| Ok(document(collection, row)));
    let rows = rows.map_err(|error| given_up(connection, collection, &error))?;
    let mut documents = rows
        .map(|row| row.map_err(|error| given_up(connection, collection, &error))?)
        .collect::<Result<Vec<_>, _>>()?;
    let more = documents.len() > limit;
    documents.truncate(limit);
    let next = documents.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Page { documents, next })
}

/// Asks for one document more than the page holds, to know whether another page follows. Which index answers is said
/// here and not left to SQLite, which knows nothing of the values and may read everything to find a few.
fn select(collection: &Collection, query: &Query, limit: usize) -> (String, Vec<Column>) {
    let (filter, values) = filter(query);
    let direction = match query.order {
        Order::OldestFirst => "ASC",
        Order::NewestFirst => "DESC",
    };
    let name = collection.name;
    let index = collection.index_for(query).map(|index| format!("INDEXED BY {}", index_of(name, index)));
    let (columns, index) = (columns_without(query.leave_out), index.unwrap_or_default());
    let limit = limit + 1;
    let sql = format!("SELECT {columns} FROM {name} {index} {filter} ORDER BY id {direction} LIMIT {limit}");
    (sql, values)
}

fn filter(query: &Query) -> (String, Vec<Column>) {
    let (mut conditions, mut values) = (Vec::new(), Vec::new());
    for (field, wanted) in &query.conditions {
        let by = column_of(field);
        conditions.push(match wanted {
            Condition::Is(value) => {
                values.push(column(value));
                format!("{by} = ?")
            }
            Condition::Missing => format!("{by} IS NULL"),
            Condition::Present => format!("{by} IS NOT NULL"),
            Condition::AtLeast(least) => {
                values.push(Column::Text(least.clone()));
                format!("{by} >= ?")
            }
            Condition::Below(limit) => {
                values.push(Column::Text(limit.clone()));
                format!("{by} < ?")
            }
        });
    }
    for (comparison, id) in query.id_bounds() {
        let sign = match comparison {
            Comparison::Greater => ">",
            Comparison::GreaterOrSame => ">=",
            Comparison::Less => "<",
        };
        conditions.push(format!("id {sign} ?"));
        values.push(Column::Text(id.to_owned()));
    }
    let filter =
        if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    (filter, values)
}

fn columns_without(members: &[&str]) -> String {
    if members.is_empty() {
        return COLUMNS.to_owned();
    }
    let paths: Vec<_> = members.iter().map(|member| format!("'$.{member}'")).collect();
    COLUMNS.replace("body", &format!("json_remove(body, {})", paths.join(", ")))
}

pub(super) fn document(collection: &'static Collection, row: &Row<'_>) -> Result<Document, StoreError> {
    let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned).map_err(|error| failed(&error));
    let id: String = row.get(0).map_err(|error| failed(&error))?;
    let body: String = row.get(4).map_err(|error| failed(&error))?;
    let body = serde_json::from_str(&body).map_err(|error| StoreError::Unreadable {
        collection: collection.name,
        id: id.clone(),
        detail: error.to_string(),
    })?;
    let (created_at, updated_at) = (number(2)?, number(3)?);
    Ok(Document {
        id,
        version: number(1)?,
        created_at: Timestamp::from_millis(created_at),
        updated_at: Timestamp::from_millis(updated_at),
        body,
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::super::{open, schema};
    use super::*;
    use crate::store::COLLECTIONS;

    #[test]
    fn what_is_asked_for_again_is_not_planned_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clearline.db");
        let _store = open(&path, COLLECTIONS, || Timestamp::from_millis(0)).unwrap();
        let connection = schema::open_for_reading(&path).unwrap();
        for collection in COLLECTIONS {
            for index in collection.indexes {
                let query = Query::equals(index.field, "a", 2);
                find(&connection, collection, &query).unwrap();
                find(&connection, collection, &query).unwrap();
                let (sql, _) = select(collection, &query, query.page_size());
                let kept = connection.prepare_cached(&sql).unwrap();
                assert_eq!(kept.get_status(StatementStatus::RePrepare), 0, "{sql}");
            }
        }
    }
}
