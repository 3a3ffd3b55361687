//! What all engines of one store must agree on, made by whichever comes first.

use serde_json::{Value, json};

use super::{Collection, Document, Store, StoreError};
use crate::domain::Entropy;
use crate::keys::Fingerprints;

pub static CONSTANTS: Collection = Collection { name: "constants", indexes: &[], durable: true };

const FINGERPRINT_KEY: &str = "fingerprint_key";
/// Five bits each.
const FINGERPRINT_KEY_CHARACTERS: usize = 52;

/// The key that fingerprints of Google keys are made with. It guards nothing by itself: whoever can read the store can
/// read it, and the keys it hides are too random to be guessed.
pub async fn fingerprints(store: &Store, entropy: &mut Entropy) -> Result<Fingerprints, StoreError> {
    let known = match store.get(&CONSTANTS, FINGERPRINT_KEY).await? {
        Some(known) => known,
        None => made(store, entropy.token(FINGERPRINT_KEY_CHARACTERS)).await?,
    };
    read(&known)
}

/// For whoever only looks, and so makes nothing: where the store has no key yet, one of this process's own serves to
/// tell keys apart, because no fingerprint was ever written that could be compared with it.
pub async fn fingerprints_to_look_with(
    store: &Store,
    entropy: &mut Entropy,
) -> Result<Fingerprints, StoreError> {
    match store.get(&CONSTANTS, FINGERPRINT_KEY).await? {
        Some(known) => read(&known),
        None => Ok(Fingerprints::new(entropy.token(FINGERPRINT_KEY_CHARACTERS))),
    }
}

fn read(known: &Document) -> Result<Fingerprints, StoreError> {
    let key = known.body.get("value").and_then(Value::as_str).map(str::to_owned);
    key.map(Fingerprints::new).ok_or_else(|| StoreError::Unreadable {
        collection: CONSTANTS.name,
        id: FINGERPRINT_KEY.to_owned(),
        detail: "it has no text named `value`".to_owned(),
    })
}

/// Ours, or that of whoever was faster.
async fn made(store: &Store, key: String) -> Result<Document, StoreError> {
    match store.insert(&CONSTANTS, FINGERPRINT_KEY, json!({ "value": key })).await {
        Err(StoreError::Conflict { .. }) => {
            let gone = || StoreError::NotFound { collection: CONSTANTS.name, id: FINGERPRINT_KEY.to_owned() };
            store.get(&CONSTANTS, FINGERPRINT_KEY).await?.ok_or_else(gone)
        }
        decided => decided,
    }
}
