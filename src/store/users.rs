//! Users by id and by name.

use serde_json::Value;

use super::change::{change, remove};
use super::{Collection, Index, MAX_PAGE, Query, Store, StoreError};
use crate::domain::{User, UserId};

pub static USERS: Collection =
    Collection { name: "users", indexes: &[Index::unique("name"), Index::plain("tenant_id")], durable: true };

#[derive(Clone)]
pub struct Users {
    store: Store,
}

impl Users {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    pub async fn insert(&self, user: &User) -> Result<(), StoreError> {
        self.store.insert(&USERS, user.id.as_str(), body_of(user)?).await.map(drop)
    }

    /// Always from the store and never from a cache: a new key counts from the next call on (SPEC K4).
    pub async fn get(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let document = self.store.get(&USERS, id.as_str()).await?;
        document.map(|document| document.parse(&USERS)).transpose()
    }

    /// By name, or else by id: what a person or a setting calls a user.
    pub async fn find(&self, name_or_id: &str) -> Result<Option<User>, StoreError> {
        match self.by_name(name_or_id).await? {
            Some(user) => Ok(Some(user)),
            None => self.get(&UserId::new(name_or_id)).await,
        }
    }

    /// Lays what `decide` gives over the record as it is at that moment; fields that only other programs know stay.
    pub async fn change(
        &self,
        id: &UserId,
        mut decide: impl FnMut(&User) -> Option<Value>,
    ) -> Result<User, StoreError> {
        let changed =
            change(&self.store, &USERS, id.as_str(), |found| Ok(decide(&found.parse(&USERS)?))).await?;
        changed.parse(&USERS)
    }

    /// Whoever removes a user twice is told `NotFound`.
    pub async fn remove(&self, id: &UserId) -> Result<(), StoreError> {
        remove(&self.store, &USERS, id.as_str()).await
    }

    /// Everybody, in the order in which they were added.
    pub async fn all(&self) -> Result<Vec<User>, StoreError> {
        let (mut users, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.find(&USERS, Query::all(MAX_PAGE).after(after)).await?;
            for document in &page.documents {
                users.push(document.parse(&USERS)?);
            }
            if page.next.is_none() {
                return Ok(users);
            }
            after = page.next;
        }
    }

    pub async fn by_name(&self, name: &str) -> Result<Option<User>, StoreError> {
        let page = self.store.find(&USERS, Query::equals("name", name, 1)).await?;
        page.documents.first().map(|document| document.parse(&USERS)).transpose()
    }
}

fn body_of(user: &User) -> Result<Value, StoreError> {
    serde_json::to_value(user).map_err(|error| StoreError::Failed(error.to_string()))
}
