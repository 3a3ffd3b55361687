//! Session records: inserted when a call is accepted, merged as it goes.

use serde_json::Value;

use super::change::change;
use super::{Collection, Document, Index, MAX_PAGE, Query, Store, StoreError};
use crate::domain::{CallId, CallRecord, UserId};

pub static CALLS: Collection = Collection {
    name: "calls",
    indexes: &[
        Index::plain("owner_id"),
        Index::plain("tenant_id"),
        Index::plain("dialed_number"),
        Index::plain("outcome"),
    ],
    durable: false,
};

#[derive(Clone)]
pub struct Calls {
    store: Store,
}

impl Calls {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    pub async fn insert(&self, record: &CallRecord) -> Result<(), StoreError> {
        let body = serde_json::to_value(record).map_err(|error| StoreError::Failed(error.to_string()))?;
        self.store.insert(&CALLS, record.session_id.as_str(), body).await.map(drop)
    }

    pub async fn get(&self, id: &CallId) -> Result<Option<CallRecord>, StoreError> {
        let document = self.store.get(&CALLS, id.as_str()).await?;
        document.map(|document| document.parse(&CALLS)).transpose()
    }

    /// Writes the record as it stands now. `known` is what the last save gave: the version at which the store holds
    /// what this writer wrote and nothing else, so that nothing needs to be read before it is replaced.
    pub async fn save(&self, record: &CallRecord, known: Option<u64>) -> Result<Option<u64>, StoreError> {
        let id = record.session_id.as_str();
        let body = serde_json::to_value(record).map_err(|error| StoreError::Failed(error.to_string()))?;
        let written = match known {
            None => self.store.insert(&CALLS, id, body.clone()).await,
            Some(version) => self.store.compare_and_set(&CALLS, id, version, body.clone()).await,
        };
        match written {
            Ok(document) => Ok(Some(document.version)),
            Err(StoreError::Conflict { .. } | StoreError::Lost { .. }) => {
                self.lay_over_older(record, &body).await.map(|()| None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whoever writes late (a journal that is replayed) must not undo what was written since.
    async fn lay_over_older(&self, record: &CallRecord, body: &Value) -> Result<(), StoreError> {
        let revision = |stored: &Value| stored.get("revision").and_then(Value::as_u64).unwrap_or(0);
        let unless_newer =
            |found: &Document| (revision(&found.body) <= record.revision).then(|| body.clone());
        let id = record.session_id.as_str();
        change(&self.store, &CALLS, id, |found| Ok(unless_newer(found))).await.map(drop)
    }

    /// How many of this owner's newest calls have no outcome yet.
    pub async fn running_of(&self, owner: &UserId) -> Result<usize, StoreError> {
        let query = Query::equals("owner_id", owner.as_str(), MAX_PAGE).newest_first();
        let newest = self.store.find(&CALLS, query).await?.documents;
        Ok(newest.iter().filter(|call| call.body.get("outcome").is_none_or(Value::is_null)).count())
    }

    /// Lays `changes` over the record: members replace members, null removes one (RFC 7396).
    pub async fn merge(&self, id: &CallId, changes: &Value) -> Result<(), StoreError> {
        change(&self.store, &CALLS, id.as_str(), |_| Ok(Some(changes.clone()))).await.map(drop)
    }
}
