//! What can go wrong with the store, and what to do about it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::{NUMBERS, USERS};

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("{collection} already has a document with this {field}; choose another {field}")]
    Conflict { collection: &'static str, field: &'static str },
    #[error("{collection} has no document {id}")]
    NotFound { collection: &'static str, id: String },
    /// Read again and decide again.
    #[error("{collection} {id} was changed by somebody else in the meantime; read it again")]
    Lost { collection: &'static str, id: String },
    #[error("{collection} {id} does not have the expected form ({detail}); mend or remove this document")]
    Unreadable { collection: &'static str, id: String, detail: String },
    #[error("{collection} has no index on {field}")]
    NotIndexed { collection: &'static str, field: &'static str },
    #[error("{collection}.{field} can be compared with texts, numbers and truth values only")]
    NotComparable { collection: &'static str, field: &'static str },
    #[error("{collection} {id} cannot be stored: {detail}")]
    Unstorable { collection: &'static str, id: String, detail: String },
    #[error("the store has too many requests waiting; try again in a moment")]
    Busy,
    /// It would have held up everybody else's.
    #[error(
        "going through {collection} for this took too long and was given up; ask for less: a shorter time, or one \
         condition fewer"
    )]
    TooBroad { collection: &'static str },
    #[error("the store is closed")]
    Closed,
    #[error("the store could not do it: {0}")]
    Failed(String),
}

impl StoreError {
    /// Whether the same request may succeed later; else something must be mended first.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Busy | Self::Closed | Self::Failed(_) | Self::Lost { .. } | Self::TooBroad { .. } => true,
            Self::Conflict { .. }
            | Self::NotFound { .. }
            | Self::Unreadable { .. }
            | Self::NotIndexed { .. }
            | Self::NotComparable { .. }
            | Self::Unstorable { .. } => false,
        }
    }
}

#[derive(Debug, Error)]
pub enum OpenError {
    #[error("cannot open the store {}: {source}; check store.path, the permissions of its folder and the room on its disk", path.display())]
    NoAccess { path: PathBuf, source: io::Error },
    #[error(
        "the store {} is damaged ({detail}); it was left as it is. Restore a backup, or move the file (with its \
         -wal and -shm) away to start empty", path.display()
    )]
    Damaged { path: PathBuf, detail: String },
    #[error(
        "the store {} was written by a newer Clearline (schema {found}, this one knows {known}); it was left as it \
         is. Start the newer version, or set store.path to another file", path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "the store {store} was brought to migration {found} by a newer Clearline (this one knows {known}); it was left \
         as it is. Start the newer version, or let that one go back first (its own clearline migrate --to {known})"
    )]
    Migrated { store: String, found: u32, known: u32 },
    #[error(
        "{collection} {id} in the store {} is no JSON; it was left as it is. Write it right or delete it with sqlite3 \
         (table {collection}, column body), or restore a backup, then start again", path.display()
    )]
    NoJson { path: PathBuf, collection: &'static str, id: String },
    #[error("{} is a database of another program; set store.path to a file of Clearline's own", path.display())]
    Foreign { path: PathBuf },
    /// May pass: a server that is down, or not yet up.
    #[error("MongoDB at {server} does not answer ({detail}); start it, or correct store.url")]
    Unreachable { server: String, detail: String },
    #[error(
        "MongoDB at {server} refuses us ({detail}); check user, password, authSource and TLS in store.url"
    )]
    Refused { server: String, detail: String },
    #[error(
        "{first} and {second} of {collection} have the same {field}, which must be unique; {}, then start again",
        how_to_part(collection, value, second)
    )]
    NotUnique { collection: &'static str, field: &'static str, value: String, first: String, second: String },
}

/// The commands that open such a store all the same ([`super::Opening::ToMend`]).
fn how_to_part(collection: &str, value: &str, id: &str) -> String {
    let (id, other_name) = (for_a_shell(id), for_a_shell(&format!("{value}-2")));
    if collection == USERS.name {
        return format!(
            "rename one of them (`clearline user rename {id} {other_name}`) or remove it (`clearline user remove {id}`)"
        );
    }
    if collection == NUMBERS.name {
        return format!("remove one of them (`clearline number remove {id}`)");
    }
    "change or remove one of them".to_owned()
}

fn for_a_shell(word: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "-_.@+/".contains(char);
    if word.chars().all(is_plain) && !word.starts_with('-') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

impl OpenError {
    /// Whether waiting may help.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
