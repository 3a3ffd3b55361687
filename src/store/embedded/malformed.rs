//! A row whose body is no JSON: written by hand, or by another program.
//!
//! SQLite says "malformed JSON" of an index or a question that meets one, and not where. So it is looked for, once there
//! is reason to.

use rusqlite::Connection;

use crate::store::Collection;

pub(super) const DETAIL: &str = "it is no JSON";

pub(super) fn is_reason_of(error: &rusqlite::Error) -> bool {
    error.to_string().contains("malformed JSON")
}

/// The first of them.
pub(super) fn row_in(connection: &Connection, collection: &Collection) -> Option<String> {
    let sql = format!("SELECT id FROM {} WHERE NOT json_valid(body) ORDER BY id LIMIT 1", collection.name);
    connection.query_row(&sql, [], |row| row.get(0)).ok()
}
