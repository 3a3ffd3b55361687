//! What collections of records that people edit have in common: an entry of the audit log for each change, the version
//! a change was decided on, and pages.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::audit::Entry;
use super::change::{change, difference, remove};
use super::document::body_of;
use super::{Collection, Document, Page, Query, Store, StoreError};
use crate::access::Scope;
use crate::domain::{Timestamp, UserId};

/// A record with what the store knows about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    pub record: T,
    /// What a change may be told to expect (an `If-Match`).
    pub version: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Listed<T> {
    pub items: Vec<Stored<T>>,
    /// Ask for the next page with it; `None`: this was the last.
    pub next: Option<String>,
}

/// What can be kept in a collection of its own.
pub(super) trait Record: Serialize + DeserializeOwned {
    fn collection() -> &'static Collection;

    fn id(&self) -> &str;

    /// Members that only indexes need. They are written with each change, so that documents of other programs get
    /// theirs too.
    fn derived(&self) -> Map<String, Value> {
        Map::new()
    }
}

fn add_derived(record: &impl Record, body: &mut Value) {
    if let Value::Object(members) = body {
        members.extend(record.derived());
    }
}

pub(super) async fn insert<T: Record>(
    store: &Store,
    entry: Option<&Entry>,
    record: T,
) -> Result<Stored<T>, StoreError> {
    let mut body = body_of(&record)?;
    add_derived(&record, &mut body);
    if let Some(entry) = entry {
        entry.sign(&mut body);
    }
    let document = store.insert(T::collection(), record.id(), body).await?;
    Ok(Stored::new(record, &document))
}

/// As it is now, whether or not it was there before: its id is its claim. One that is as new or newer stays.
pub(super) async fn put_newer<T: Record + Clone>(
    store: &Store,
    record: &T,
    revision: impl Fn(&T) -> u64,
) -> Result<(), StoreError> {
    match insert(store, None, record.clone()).await {
        Err(StoreError::Conflict { .. }) => {}
        inserted => return inserted.map(drop),
    }
    let replace = |found: &Document| {
        let stored: T = found.parse(T::collection())?;
        let is_newer = revision(record) > revision(&stored);
        is_newer.then(|| Ok(difference(&body_of(&stored)?, &body_of(record)?))).transpose()
    };
    change(store, T::collection(), record.id(), replace).await.map(drop)
}

pub(super) async fn get<T: Record>(store: &Store, id: &str) -> Result<Option<Stored<T>>, StoreError> {
    store.get(T::collection(), id).await?.as_ref().map(read).transpose()
}

/// Lays what `decide` makes of the record over the document, so that members of other programs stay. `Lost` where
/// somebody has changed it since the version expected.
pub(super) async fn change_record<T: Record>(
    store: &Store,
    entry: &Entry,
    id: &str,
    expected: Option<u64>,
    mut decide: impl FnMut(&T) -> Option<T>,
) -> Result<Stored<T>, StoreError> {
    let decide_on = |found: &Document| {
        if expected.is_some_and(|version| version != found.version) {
            return Err(StoreError::Lost { collection: T::collection().name, id: id.to_owned() });
        }
        let old: T = found.parse(T::collection())?;
        let Some(new) = decide(&old) else { return Ok(None) };
        let mut changes = difference(&body_of(&old)?, &body_of(&new)?);
        add_derived(&new, &mut changes);
        entry.sign_over(&found.body, &mut changes);
        Ok(Some(changes))
    };
    read(&change(store, T::collection(), id, decide_on).await?)
}

/// `Lost` where somebody has changed it since the version expected.
pub(super) async fn remove_record<T: Record>(
    store: &Store,
    _entry: &Entry,
    id: &str,
    expected: Option<u64>,
) -> Result<(), StoreError> {
    match expected {
        Some(version) => store.delete(T::collection(), id, version).await,
        None => remove(store, T::collection(), id).await,
    }
}

pub(super) async fn list<T: Record>(store: &Store, query: Query) -> Result<Listed<T>, StoreError> {
    Ok(read_page(&store.find(T::collection(), query).await?))
}

/// The field by which the records of calls are found that somebody of this scope may see, `owner` being asked for. `None`:
/// there are none. Over REST there is no list of everybody's (SPEC O2).
pub(super) fn whose<'a>(scope: &'a Scope, owner: Option<&UserId>) -> Option<(&'static str, &'a str)> {
    match scope {
        Scope::Owner(own) => owner.is_none_or(|owner| owner == own).then(|| ("owner_id", own.as_str())),
        Scope::Tenant(tenant) => Some(("tenant_id", tenant.as_str())),
        Scope::Everything | Scope::Nothing => None,
    }
}

/// Of `query`, what somebody of this scope may see.
pub(super) async fn list_of<T: Record>(
    store: &Store,
    scope: &Scope,
    query: Query,
) -> Result<Listed<T>, StoreError> {
    let query = match scope {
        Scope::Everything => query,
        Scope::Tenant(tenant) => query.and("tenant_id", tenant.as_str()),
        Scope::Owner(owner) => query.and("owner_id", owner.as_str()),
        Scope::Nothing => return Ok(Listed { items: Vec::new(), next: None }),
    };
    list(store, query).await
}

impl<T> Stored<T> {
    fn new(record: T, document: &Document) -> Self {
        let Document { version, created_at, updated_at, .. } = *document;
        Self { record, version, created_at, updated_at }
    }
}

pub(super) fn read<T: Record>(document: &Document) -> Result<Stored<T>, StoreError> {
    Ok(Stored::new(document.parse(T::collection())?, document))
}

/// One document that is not as expected must not hide the others.
pub(super) fn read_page<T: Record>(page: &Page) -> Listed<T> {
    let readable =
        |document: &Document| read(document).inspect_err(|error| tracing::warn!(%error, "passed over")).ok();
    Listed { items: page.documents.iter().filter_map(readable).collect(), next: page.next.clone() }
}
