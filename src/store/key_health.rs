//! What the model said against keys and projects, for all engines and over restarts (SPEC K8, K11): one document per
//! key or project, whose id is its fingerprint. What follows from it, `keys` says.

use super::audit::{By, Change, Effect, Entry, Subject};
use super::change::{every, remove};
use super::document::body_of;
use super::{Collection, Store, StoreError};
use crate::domain::{KeyFingerprint, Timestamp};
use crate::keys::{KeyTrouble, Troubles};

pub static GOOGLE_KEYS: Collection = Collection { name: "google_keys", indexes: &[], durable: true };

/// Who loses the race for one document this often meets a fault, not rivals.
const MAX_ATTEMPTS: usize = 8;

/// As the audit log tells that the pool was read again, which leaves nothing in the store.
pub fn pool_reloaded(by: By, keys: usize) -> Change {
    let pool = Subject::new(&GOOGLE_KEYS, "pool", "the pool");
    Change::new(by, "key.reload", Effect::Changed, pool).with("keys", keys)
}

#[derive(Clone)]
pub struct KeyHealth {
    store: Store,
}

impl KeyHealth {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    pub async fn all(&self) -> Result<Vec<KeyTrouble>, StoreError> {
        every(&self.store, &GOOGLE_KEYS, None).await
    }

    pub async fn at(&self, now: Timestamp) -> Result<Troubles, StoreError> {
        Ok(Troubles::at(now, self.all().await?))
    }

    /// Writes it down, unless somebody has written down the same before.
    pub async fn report(&self, trouble: &KeyTrouble, now: Timestamp) -> Result<(), StoreError> {
        let id = trouble.fingerprint.as_str();
        let body = body_of(trouble)?;
        for _ in 0..MAX_ATTEMPTS {
            let written = match self.store.get(&GOOGLE_KEYS, id).await? {
                None => self.store.insert(&GOOGLE_KEYS, id, body.clone()).await,
                Some(found) => match found.parse::<KeyTrouble>(&GOOGLE_KEYS) {
                    Ok(known) if !known.gives_way_to(trouble, now) => return Ok(()),
                    // What cannot be read warns nobody.
                    Ok(_) | Err(_) => {
                        self.store.compare_and_set(&GOOGLE_KEYS, id, found.version, body.clone()).await
                    }
                },
            };
            match written {
                Err(StoreError::Conflict { .. } | StoreError::Lost { .. } | StoreError::NotFound { .. }) => {}
                decided => return decided.map(drop),
            }
        }
        Err(StoreError::Busy)
    }

    /// An operator has looked after the key. False: there was nothing against it.
    pub async fn heal(&self, _entry: &Entry, fingerprint: &KeyFingerprint) -> Result<bool, StoreError> {
        self.take_away(fingerprint).await
    }

    /// Takes away what is long over, which is no change that anybody made.
    pub async fn forget(&self, trouble: &KeyTrouble) -> Result<(), StoreError> {
        self.take_away(&trouble.fingerprint).await.map(drop)
    }

    async fn take_away(&self, fingerprint: &KeyFingerprint) -> Result<bool, StoreError> {
        match remove(&self.store, &GOOGLE_KEYS, fingerprint.as_str()).await {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
