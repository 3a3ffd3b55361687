//! Leads by id, by call, and as a list of those somebody may see.

use super::records::{self, Listed, Record, Stored};
use super::{Collection, Index, Query, Store, StoreError};
use crate::access::Scope;
use crate::domain::{CallId, Lead, LeadId};

pub static LEADS: Collection = Collection {
    name: "leads",
    indexes: &[Index::plain("session_id"), Index::plain("tenant_id"), Index::plain("owner_id")],
    durable: true,
};

impl Record for Lead {
    fn collection() -> &'static Collection {
        &LEADS
    }

    fn id(&self) -> &str {
        self.id.as_str()
    }
}

#[derive(Clone)]
pub struct Leads {
    store: Store,
}

impl Leads {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// A call brings it and no person changes anything, so it asks for no entry.
    pub async fn insert(&self, lead: Lead) -> Result<Stored<Lead>, StoreError> {
        records::insert(&self.store, None, lead).await
    }

    /// As it is now, whether or not it was there before: its id is its claim. One that is newer stays.
    pub async fn put(&self, lead: &Lead) -> Result<(), StoreError> {
        records::put_newer(&self.store, lead, |lead| lead.revision).await
    }

    pub async fn get(&self, id: &LeadId) -> Result<Option<Stored<Lead>>, StoreError> {
        records::get(&self.store, id.as_str()).await
    }

    /// Newest first.
    pub async fn list(
        &self,
        scope: &Scope,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<Lead>, StoreError> {
        let all = Query::all(limit).newest_first().after(after).unhurried();
        records::list_of(&self.store, scope, all).await
    }

    /// What one call has brought, newest first.
    pub async fn of_session(
        &self,
        session: &CallId,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<Lead>, StoreError> {
        let query =
            Query::equals("session_id", session.as_str(), limit).newest_first().after(after).unhurried();
        records::list(&self.store, query).await
    }
}
