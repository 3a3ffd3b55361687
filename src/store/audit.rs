//! Who changed what, and when (SPEC O4): an entry is pending before the change and settled after it.
//!
//! [`Audit::record`] is the way to an [`Entry`], and what changes a user or an API token asks for one: a change without
//! an entry does not compile. The change leaves its entry's id in the document it touches, so that after a crash
//! [`Audit::settle_pending`] sees whether it is there.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change::change;
use super::document::body_of;
use super::{COLLECTIONS, Collection, Index, MAX_PAGE, Page, Query, Store, StoreError, USERS};
use crate::access::{Identity, Scope};
use crate::clock;
use crate::domain::{TenantId, User, UserId};

pub static AUDIT_LOG: Collection = Collection {
    name: "audit_log",
    indexes: &[
        Index::plain("state"),
        Index::plain("subject.id"),
        Index::plain("tenant_id"),
        Index::plain("by.id"),
    ],
    durable: true,
};

/// The field of a document that holds the entries of its last changes.
const TRACE: &str = "audit";
const TRACE_MAX: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum By {
    User {
        id: UserId,
        name: String,
    },
    /// The command line, and who the operating system says has typed it.
    Cli {
        os_user: String,
    },
    /// The engine itself.
    Engine,
}

impl From<&Identity> for By {
    fn from(identity: &Identity) -> Self {
        Self::User { id: identity.user_id.clone(), name: identity.name.clone() }
    }
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub collection: String,
    pub id: String,
    /// As people call it; the document may be gone by the time somebody reads this.
    pub name: String,
}

impl Subject {
    pub fn new(collection: &Collection, id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { collection: collection.name.to_owned(), id: id.into(), name: name.into() }
    }

    pub fn user(user: &User) -> Self {
        Self::new(&USERS, user.id.as_str(), &user.name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Made,
    Changed,
    Removed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditState {
    Pending,
    Done,
    NotDone,
    /// A crash came between, and later changes have covered the traces.
    Unknown,
}

/// One entry as it is stored, and as it is before it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub by: By,
    /// As in `user.disable`.
    pub action: String,
    pub subject: Subject,
    pub effect: Effect,
    /// Whose admin may read it.
    pub tenant_id: Option<TenantId>,
    /// More about it. Values come in as they print themselves, which of a secret is its hint.
    #[serde(default)]
    pub detail: BTreeMap<String, String>,
    pub state: AuditState,
}

impl Change {
    pub fn new(by: By, action: &'static str, effect: Effect, subject: Subject) -> Self {
        Self {
            by,
            action: action.to_owned(),
            subject,
            effect,
            tenant_id: None,
            detail: BTreeMap::new(),
            state: AuditState::Pending,
        }
    }

    pub fn of_tenant(self, tenant_id: Option<TenantId>) -> Self {
        Self { tenant_id, ..self }
    }

    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.detail.insert(name.to_owned(), value.to_string());
        self
    }
}

/// Proof that a pending entry has been written. Only [`Audit::record`] makes it.
#[derive(Debug)]
pub struct Entry {
    id: String,
}

impl Entry {
    /// Leaves its trace in a document that is about to be inserted.
    pub(super) fn sign(&self, body: &mut Value) {
        self.sign_over(&Value::Null, body);
    }

    /// Leaves its trace in what is about to be laid over `found`.
    pub(super) fn sign_over(&self, found: &Value, changes: &mut Value) {
        let Value::Object(changes) = changes else { return };
        let mut trace = found.get(TRACE).and_then(Value::as_array).cloned().unwrap_or_default();
        trace.push(self.id.clone().into());
        trace.drain(..trace.len().saturating_sub(TRACE_MAX));
        changes.insert(TRACE.to_owned(), trace.into());
    }
}

#[derive(Clone)]
pub struct Audit {
    store: Store,
}

impl Audit {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Writes the entry, lets `act` make the change, and says how it went. Without an entry nothing is changed.
    pub async fn record<T, E: From<StoreError>>(
        &self,
        change: Change,
        act: impl AsyncFnOnce(&Entry) -> Result<T, E>,
    ) -> Result<T, E> {
        let entry = self.write_pending(&change).await?;
        let result = act(&entry).await;
        // A change that failed may have been made all the same: a store can be lost between a write and its answer.
        let settled = match &result {
            Ok(_) => self.set_state(&entry.id, AuditState::Done).await,
            Err(_) => self.settle(&entry.id, &change).await,
        };
        if let Err(error) = settled {
            tracing::warn!(entry = %entry.id, %error, "an audit entry stays pending until the next start");
        }
        result
    }

    /// Settles what a crash has left pending, by a look at what it was about. An entry of somebody who is still at work
    /// is overruled by that somebody when it is done. Gives how many there were.
    pub async fn settle_pending(&self) -> Result<usize, StoreError> {
        let (mut settled, mut after) = (0, None);
        loop {
            let query = Query::equals("state", "pending", MAX_PAGE).after(after);
            let page = self.store.find(&AUDIT_LOG, query).await?;
            for document in &page.documents {
                self.settle(&document.id, &document.parse(&AUDIT_LOG)?).await?;
                settled += 1;
            }
            after = page.next;
            if after.is_none() {
                return Ok(settled);
            }
        }
    }

    /// What somebody may read, newest first: everything, what concerns a tenant, or what one user has done.
    pub async fn list(
        &self,
        scope: &Scope,
        about: Option<&str>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let all = Query::all(limit).newest_first().after(after).unhurried();
        let query = match about {
            Some(subject_id) => all.and("subject.id", subject_id),
            None => all,
        };
        let query = match scope {
            Scope::Everything => query,
            Scope::Tenant(tenant) => query.and("tenant_id", tenant.as_str()),
            Scope::Owner(user) => query.and("by.id", user.as_str()),
            Scope::Nothing => return Ok(Page { documents: Vec::new(), next: None }),
        };
        self.store.find(&AUDIT_LOG, query).await
    }

    async fn write_pending(&self, change: &Change) -> Result<Entry, StoreError> {
        let entry = Entry { id: clock::new_id() };
        let body = body_of(change)?;
        self.store.insert(&AUDIT_LOG, &entry.id, body).await?;
        Ok(entry)
    }

    async fn settle(&self, id: &str, change: &Change) -> Result<(), StoreError> {
        let state = self.evidence(id, change).await?;
        self.set_state(id, state).await
    }

    async fn set_state(&self, id: &str, state: AuditState) -> Result<(), StoreError> {
        change(&self.store, &AUDIT_LOG, id, |_| Ok(Some(json!({ "state": state })))).await.map(drop)
    }

    async fn evidence(&self, id: &str, change: &Change) -> Result<AuditState, StoreError> {
        let subject = &change.subject;
        let Some(collection) = COLLECTIONS.iter().find(|known| known.name == subject.collection) else {
            return Ok(AuditState::Unknown);
        };
        let found = self.store.get(collection, &subject.id).await?;
        Ok(match (change.effect, found) {
            (Effect::Removed, None) => AuditState::Done,
            (Effect::Removed, Some(_)) => AuditState::NotDone,
            (Effect::Made | Effect::Changed, Some(document)) => trace_of(id, &document.body),
            (Effect::Made, None) if self.was_removed(subject).await? => AuditState::Done,
            (Effect::Changed, None) if self.was_removed(subject).await? => AuditState::Unknown,
            (Effect::Made | Effect::Changed, None) => AuditState::NotDone,
        })
    }

    async fn was_removed(&self, subject: &Subject) -> Result<bool, StoreError> {
        let query = Query::equals("subject.id", subject.id.as_str(), MAX_PAGE).newest_first();
        let page = self.store.find(&AUDIT_LOG, query).await?;
        let entries: Result<Vec<Change>, _> =
            page.documents.iter().map(|document| document.parse(&AUDIT_LOG)).collect();
        Ok(entries?.iter().any(|entry| entry.effect == Effect::Removed && entry.state == AuditState::Done))
    }
}

/// Ids are born in order: a full trace that begins after this entry may have lost it.
fn trace_of(id: &str, body: &Value) -> AuditState {
    let trace: Vec<&str> =
        body.get(TRACE).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    match trace.first() {
        _ if trace.contains(&id) => AuditState::Done,
        Some(oldest) if trace.len() >= TRACE_MAX && *oldest > id => AuditState::Unknown,
        Some(_) | None => AuditState::NotDone,
    }
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
