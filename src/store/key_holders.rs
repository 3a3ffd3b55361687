//! Who holds which Google key: one document per key and place, because an insertion has one winner on every back end
//! (SPEC K3).
//!
//! The first place of a key is taken by whoever finds it free; further places are taken only when no key is free. Two
//! engines that find the same key free both insert its first place, and one of them has to choose again.

use serde::{Deserialize, Serialize};

use super::change::remove;
use super::document::body_of;
use super::{Collection, Index, MAX_PAGE, Query, Store, StoreError};
use crate::domain::{KeyFingerprint, UserId};

pub static KEY_HOLDERS: Collection = Collection {
    name: "key_holders",
    indexes: &[Index::plain("user_id"), Index::plain("fingerprint")],
    durable: true,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyHolder {
    pub fingerprint: KeyFingerprint,
    /// 1 is the first holder's; a key that is shared has further ones.
    pub place: u32,
    pub user_id: UserId,
}

impl KeyHolder {
    fn id(&self) -> String {
        format!("{}:{}", self.fingerprint, self.place)
    }
}

#[derive(Clone)]
pub struct KeyHolders {
    store: Store,
}

impl KeyHolders {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    pub async fn all(&self) -> Result<Vec<KeyHolder>, StoreError> {
        let (mut holders, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.find(&KEY_HOLDERS, Query::all(MAX_PAGE).after(after)).await?;
            for document in &page.documents {
                holders.push(document.parse(&KEY_HOLDERS)?);
            }
            if page.next.is_none() {
                return Ok(holders);
            }
            after = page.next;
        }
    }

    /// The places a user has; more than one only where a process died between two steps.
    pub async fn of(&self, user: &UserId) -> Result<Vec<KeyHolder>, StoreError> {
        let page = self.store.find(&KEY_HOLDERS, Query::equals("user_id", user.as_str(), MAX_PAGE)).await?;
        page.documents.iter().map(|document| document.parse(&KEY_HOLDERS)).collect()
    }

    /// False: somebody else was faster.
    pub async fn take(&self, holder: &KeyHolder) -> Result<bool, StoreError> {
        let body = body_of(holder)?;
        match self.store.insert(&KEY_HOLDERS, &holder.id(), body).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What was given back already is no error.
    pub async fn give_back(&self, holder: &KeyHolder) -> Result<(), StoreError> {
        match remove(&self.store, &KEY_HOLDERS, &holder.id()).await {
            Err(StoreError::NotFound { .. }) => Ok(()),
            decided => decided,
        }
    }
}
