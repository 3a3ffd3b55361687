//! Who is to be called back: by id, and as a list of those that somebody may see, by whose they are, whether they are done
//! and when they are due.

use super::records::{self, Listed, Record, Stored};
use super::{Collection, Entry, Index, Query, Store, StoreError};
use crate::access::Scope;
use crate::domain::{CallId, CallbackId, ScheduledCallback, Timestamp, UserId};

pub static CALLBACKS: Collection = Collection {
    name: "callbacks",
    indexes: &[
        Index::plain("session_id"),
        Index::plain("tenant_id").with(&["due"]),
        Index::pair("tenant_id", "done").with(&["due"]),
        Index::plain("owner_id").with(&["due", "tenant_id"]),
        Index::pair("owner_id", "done").with(&["due", "tenant_id"]),
    ],
    durable: true,
};

impl Record for ScheduledCallback {
    fn collection() -> &'static Collection {
        &CALLBACKS
    }

    fn id(&self) -> &str {
        self.id.as_str()
    }
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallbackFilter {
    pub call: Option<CallId>,
    pub owner: Option<UserId>,
    pub done: Option<bool>,
    pub due_from: Option<Timestamp>,
    pub due_before: Option<Timestamp>,
}

impl CallbackFilter {
    /// A call is a question of its own; else it is whose call-backs.
    fn query(&self, (field, whose): (&'static str, &str), limit: usize) -> Query {
        let mut query = Query::all(limit);
        if let Some(call) = &self.call {
            query = query.and("session_id", call.as_str());
        }
        if let Some(owner) = self.owner.as_ref().filter(|_| field != "owner_id") {
            query = query.and("owner_id", owner.as_str());
        }
        query = query.and(field, whose);
        if let Some(done) = self.done {
            query = query.and("done", done);
        }
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        query.and_between("due", time(self.due_from), time(self.due_before))
    }
}

#[derive(Clone)]
pub struct Callbacks {
    store: Store,
}

impl Callbacks {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// As it was agreed on last. One that is as new or newer stays, with what was done about it.
    pub async fn put(&self, callback: &ScheduledCallback) -> Result<(), StoreError> {
        records::put_newer(&self.store, callback, |callback| callback.agreed.revision).await
    }

    pub async fn get(&self, id: &CallbackId) -> Result<Option<Stored<ScheduledCallback>>, StoreError> {
        records::get(&self.store, id.as_str()).await
    }

    /// `None` takes it back. What is so already stays as it is.
    pub async fn set_done(
        &self,
        entry: &Entry,
        id: &CallbackId,
        done_at: Option<Timestamp>,
    ) -> Result<Stored<ScheduledCallback>, StoreError> {
        let done = done_at.is_some();
        let set = |found: &ScheduledCallback| {
            (found.done != done).then(|| ScheduledCallback { done, done_at, ..found.clone() })
        };
        records::change_record(&self.store, entry, id.as_str(), None, set).await
    }

    /// Newest first.
    pub async fn list(
        &self,
        scope: &Scope,
        filter: &CallbackFilter,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<ScheduledCallback>, StoreError> {
        let Some(whose) = records::whose(scope, filter.owner.as_ref()) else {
            return Ok(Listed { items: Vec::new(), next: None });
        };
        let query = filter.query(whose, limit).newest_first().after(after).unhurried();
        records::list(&self.store, query).await
    }
}
