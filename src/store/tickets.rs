//! Sessions and API tokens: each is found by the id in its text, with one read.

use super::audit::Entry;
use super::change::{change, remove};
use super::document::body_of;
use super::{Collection, Document, Index, MAX_PAGE, Query, Store, StoreError};
use crate::access::Ticket;
use crate::domain::{Timestamp, UserId};

/// Durable: a session that was ended must not come back with a power failure.
pub static LOGINS: Collection =
    Collection { name: "logins", indexes: &[Index::plain("user_id")], durable: true };

pub static API_TOKENS: Collection =
    Collection { name: "api_tokens", indexes: &[Index::plain("user_id")], durable: true };

/// A ticket with the id of its document, in the order in which they were made.
pub type Tickets = Vec<(String, Ticket)>;

#[derive(Clone)]
pub struct Logins {
    shelf: Shelf,
}

impl Logins {
    pub fn new(store: Store) -> Self {
        Self { shelf: Shelf { store, collection: &LOGINS } }
    }

    pub async fn insert(&self, id: &str, ticket: &Ticket) -> Result<(), StoreError> {
        self.shelf.insert(id, body_of(ticket)?).await
    }

    pub async fn get(&self, id: &str) -> Result<Option<Ticket>, StoreError> {
        self.shelf.get(id).await
    }

    pub async fn touch(&self, id: &str, seen_at: Timestamp) -> Result<(), StoreError> {
        self.shelf.touch(id, seen_at).await
    }

    pub async fn of_user(&self, user: &UserId) -> Result<Tickets, StoreError> {
        self.shelf.of_user(user).await
    }

    /// False when it was gone already.
    pub async fn end(&self, id: &str) -> Result<bool, StoreError> {
        self.shelf.remove(id).await
    }

    pub async fn end_all_of(&self, user: &UserId) -> Result<usize, StoreError> {
        self.shelf.remove_all_of(user).await
    }

    /// See [`ApiTokens::page`].
    pub async fn page(&self, after: Option<String>) -> Result<(Tickets, Option<String>), StoreError> {
        self.shelf.page(after).await
    }
}

#[derive(Clone)]
pub struct ApiTokens {
    shelf: Shelf,
}

impl ApiTokens {
    pub fn new(store: Store) -> Self {
        Self { shelf: Shelf { store, collection: &API_TOKENS } }
    }

    pub async fn insert(&self, entry: &Entry, id: &str, ticket: &Ticket) -> Result<(), StoreError> {
        let mut body = body_of(ticket)?;
        entry.sign(&mut body);
        self.shelf.insert(id, body).await
    }

    pub async fn get(&self, id: &str) -> Result<Option<Ticket>, StoreError> {
        self.shelf.get(id).await
    }

    pub async fn touch(&self, id: &str, seen_at: Timestamp) -> Result<(), StoreError> {
        self.shelf.touch(id, seen_at).await
    }

    pub async fn of_user(&self, user: &UserId) -> Result<Tickets, StoreError> {
        self.shelf.of_user(user).await
    }

    /// False when it was gone already.
    pub async fn revoke(&self, _entry: &Entry, id: &str) -> Result<bool, StoreError> {
        self.shelf.remove(id).await
    }

    pub async fn revoke_all_of(&self, _entry: &Entry, user: &UserId) -> Result<usize, StoreError> {
        self.shelf.remove_all_of(user).await
    }

    /// All of them, page by page, for the sweep.
    pub async fn page(&self, after: Option<String>) -> Result<(Tickets, Option<String>), StoreError> {
        self.shelf.page(after).await
    }

    /// Takes away what opens nothing any more, which is no change that anybody made.
    pub async fn sweep_away(&self, id: &str) -> Result<bool, StoreError> {
        self.shelf.remove(id).await
    }
}

#[derive(Clone)]
struct Shelf {
    store: Store,
    collection: &'static Collection,
}

impl Shelf {
    async fn insert(&self, id: &str, body: serde_json::Value) -> Result<(), StoreError> {
        self.store.insert(self.collection, id, body).await.map(drop)
    }

    async fn get(&self, id: &str) -> Result<Option<Ticket>, StoreError> {
        let document = self.store.get(self.collection, id).await?;
        document.map(|document| document.parse(self.collection)).transpose()
    }

    /// A ticket that was ended meanwhile stays ended.
    async fn touch(&self, id: &str, seen_at: Timestamp) -> Result<(), StoreError> {
        let seen = serde_json::json!({ "seen_at": seen_at });
        match change(&self.store, self.collection, id, |_| Ok(Some(seen.clone()))).await {
            Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn remove(&self, id: &str) -> Result<bool, StoreError> {
        match remove(&self.store, self.collection, id).await {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn of_user(&self, user: &UserId) -> Result<Tickets, StoreError> {
        Ok(self.documents_of(user).await?.into_iter().filter_map(|found| self.readable(found)).collect())
    }

    /// Also those that cannot be read: whatever they are, they are this user's.
    async fn remove_all_of(&self, user: &UserId) -> Result<usize, StoreError> {
        let mut removed = 0;
        for document in self.documents_of(user).await? {
            removed += usize::from(self.remove(&document.id).await?);
        }
        Ok(removed)
    }

    async fn documents_of(&self, user: &UserId) -> Result<Vec<Document>, StoreError> {
        let (mut documents, mut after) = (Vec::new(), None);
        loop {
            let query = Query::equals("user_id", user.as_str(), MAX_PAGE).after(after);
            let page = self.store.find(self.collection, query).await?;
            documents.extend(page.documents);
            after = page.next;
            if after.is_none() {
                return Ok(documents);
            }
        }
    }

    async fn page(&self, after: Option<String>) -> Result<(Tickets, Option<String>), StoreError> {
        let page = self.store.find(self.collection, Query::all(MAX_PAGE).after(after)).await?;
        let readable = page.documents.into_iter().filter_map(|found| self.readable(found));
        Ok((readable.collect(), page.next))
    }

    /// One document that is not as expected must not hide the others.
    fn readable(&self, document: Document) -> Option<(String, Ticket)> {
        match document.parse(self.collection) {
            Ok(ticket) => Some((document.id, ticket)),
            Err(error) => {
                tracing::warn!(%error, "passed over");
                None
            }
        }
    }
}
