//! Requests that must not be carried out twice, by the key that their senders gave them (SPEC I1: kept for 24 hours).
//!
//! The claim is inserted before anything is done and says which call it will be: whoever sends the request again, to
//! whichever engine, finds that call instead of making another.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::change::remove;
use super::document::body_of;
use super::{Collection, MAX_PAGE, Query, Store, StoreError};
use crate::domain::{CallId, Timestamp, UserId};

pub static IDEMPOTENCY_KEYS: Collection =
    Collection { name: "idempotency_keys", indexes: &[], durable: true };

const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub call_id: CallId,
    /// Of the whole request: the same key with another request is a mistake of the sender.
    pub request_hash: String,
    pub claimed_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// By this very request.
    Now,
    /// By an earlier one.
    Before(Claim),
}

#[derive(Clone)]
pub struct IdempotencyKeys {
    store: Store,
}

impl IdempotencyKeys {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    pub async fn claim(&self, user: &UserId, key: &str, claim: &Claim) -> Result<Claimed, StoreError> {
        let id = id_of(user, key);
        let body = body_of(claim)?;
        loop {
            match self.store.insert(&IDEMPOTENCY_KEYS, &id, body.clone()).await {
                Ok(_) => return Ok(Claimed::Now),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
            let Some(found) = self.store.get(&IDEMPOTENCY_KEYS, &id).await? else { continue };
            let before: Claim = found.parse(&IDEMPOTENCY_KEYS)?;
            if !before.is_over(claim.claimed_at) {
                return Ok(Claimed::Before(before));
            }
            match self.store.delete(&IDEMPOTENCY_KEYS, &id, found.version).await {
                Ok(()) | Err(StoreError::Lost { .. } | StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Nothing came of it: the same request may be sent again.
    pub async fn give_up(&self, user: &UserId, key: &str) -> Result<(), StoreError> {
        match remove(&self.store, &IDEMPOTENCY_KEYS, &id_of(user, key)).await {
            Err(StoreError::NotFound { .. }) => Ok(()),
            done => done,
        }
    }

    /// Takes away what has had its time. Gives how many there were.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize, StoreError> {
        let (mut swept, mut after) = (0, None);
        loop {
            let page = self.store.find(&IDEMPOTENCY_KEYS, Query::all(MAX_PAGE).after(after)).await?;
            for document in &page.documents {
                let claim: Claim = document.parse(&IDEMPOTENCY_KEYS)?;
                if claim.is_over(now) {
                    let gone = self.store.delete(&IDEMPOTENCY_KEYS, &document.id, document.version).await;
                    swept += usize::from(gone.is_ok());
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(swept);
            }
        }
    }
}

impl Claim {
    /// A clock that was set back keeps a claim longer: better than dialling somebody twice.
    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.claimed_at.after(KEPT)
    }
}

/// Keys are the senders' own words: each user's stand for themselves, and may be of any length and form.
fn id_of(user: &UserId, key: &str) -> String {
    hash(&[user.as_str(), key])
}

/// Of several texts, so that no two lists of them give the same.
pub fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{COLLECTIONS, embedded};

    const START: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    fn claim(call: &str, at: Timestamp) -> Claim {
        Claim { call_id: CallId::new(call), request_hash: hash(&["body"]), claimed_at: at }
    }

    fn keys(folder: &tempfile::TempDir) -> IdempotencyKeys {
        let path = folder.path().join("clearline.db");
        IdempotencyKeys::new(embedded::open(&path, COLLECTIONS, || START).unwrap())
    }

    #[tokio::test]
    async fn i1_a_key_is_good_for_one_call_a_day_and_for_each_user_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (keys, mira, ben) = (keys(&folder), UserId::new("mira"), UserId::new("ben"));
        assert_eq!(keys.claim(&mira, "k", &claim("one", START)).await.unwrap(), Claimed::Now);
        let again = keys.claim(&mira, "k", &claim("two", START)).await.unwrap();
        assert_eq!(again, Claimed::Before(claim("one", START)));
        assert_eq!(keys.claim(&ben, "k", &claim("three", START)).await.unwrap(), Claimed::Now);
        let next_day = START.after(KEPT);
        assert_eq!(keys.claim(&mira, "k", &claim("four", next_day)).await.unwrap(), Claimed::Now);
        assert_eq!(keys.sweep(next_day).await.unwrap(), 1, "ben's has had its time");
    }

    #[tokio::test]
    async fn i1_a_request_that_came_to_nothing_may_be_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let (keys, mira) = (keys(&folder), UserId::new("mira"));
        keys.claim(&mira, "k", &claim("one", START)).await.unwrap();
        keys.give_up(&mira, "k").await.unwrap();
        assert_eq!(keys.claim(&mira, "k", &claim("two", START)).await.unwrap(), Claimed::Now);
    }

    #[test]
    fn the_parts_of_a_hash_do_not_run_together() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }
}
