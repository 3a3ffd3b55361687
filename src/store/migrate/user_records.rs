//! 3: users of an older system get the members that it did not know.
//!
//! Without its `tenant_id` an admin founds no tenant and can have no agents; without the fingerprint beside it a plain
//! key cannot be told from others where it must not be seen (SPEC K10). A sealed key's fingerprint needs the key it was
//! sealed with, and was written with it.

use serde_json::{Value, json};

use super::backfill::{Backfill, Fault, Stopped, Work, lacking_id};
use super::{Back, Migration, Tally};
use crate::clock;
use crate::domain::{Role, Secret, is_sealed};
use crate::keys::Fingerprints;
use crate::store::{Collection, Document, StoreError, USERS, constants};

pub(super) const MIGRATION: Migration = Migration {
    number: 3,
    name: "user_records",
    purpose: "users of an older system get id, tenant, `enabled` and the fingerprint of a plain key",
    up: |work| Box::pin(complete(work)),
    back: Back::Undo {
        what: "takes the fingerprints of plain keys away, because an older system changes a key without its \
               fingerprint; the other members stay, it reads them",
        step: |work| Box::pin(work.backfill(&WithoutFingerprint)),
    },
};

const FINGERPRINT: &str = "google_api_key_fingerprint";

async fn complete(work: &Work<'_>) -> Result<Tally, Stopped> {
    let failed = |error: std::io::Error| Stopped::at_nothing(StoreError::Failed(error.to_string()));
    let mut entropy = clock::entropy().map_err(failed)?;
    let fingerprints = constants::fingerprints(work.store, &mut entropy).await;
    work.backfill(&Complete { fingerprints: fingerprints.map_err(Stopped::at_nothing)? }).await
}

struct Complete {
    fingerprints: Fingerprints,
}

impl Backfill for Complete {
    fn collection(&self) -> &'static Collection {
        &USERS
    }

    fn action(&self) -> &'static str {
        "user.migrate"
    }

    fn name_of(&self, document: &Document) -> String {
        name_of(document)
    }

    fn lacks(&self, document: &Document) -> Result<Value, Fault> {
        let mut lacking = lacking_id(document);
        let missing = |member: &str| document.body.get(member).is_none_or(Value::is_null);
        if missing("enabled") {
            lacking["enabled"] = json!(true);
        }
        let role = document.body.get("role").cloned().unwrap_or_default();
        let role: Role = serde_json::from_value(role)
            .map_err(|error| Fault::new(format!("its role is none of ours ({error})")))?;
        if role == Role::Admin && missing("tenant_id") {
            lacking["tenant_id"] = json!(document.id);
        }
        if let Some(key) = plain_key(document) {
            let fingerprint = json!(self.fingerprints.of(&key));
            if document.body.get(FINGERPRINT) != Some(&fingerprint) {
                lacking[FINGERPRINT] = fingerprint;
            }
        }
        Ok(lacking)
    }
}

struct WithoutFingerprint;

impl Backfill for WithoutFingerprint {
    fn collection(&self) -> &'static Collection {
        &USERS
    }

    fn action(&self) -> &'static str {
        "user.migrate_back"
    }

    fn name_of(&self, document: &Document) -> String {
        name_of(document)
    }

    fn lacks(&self, document: &Document) -> Result<Value, Fault> {
        let is_there = plain_key(document).is_some() && document.body.get(FINGERPRINT).is_some();
        Ok(if is_there { json!({ FINGERPRINT: null }) } else { json!({}) })
    }
}

pub(super) fn name_of(document: &Document) -> String {
    document.body.get("name").and_then(Value::as_str).unwrap_or(&document.id).to_owned()
}

fn plain_key(document: &Document) -> Option<Secret> {
    let key = document.body.get("google_api_key").and_then(Value::as_str)?;
    Some(Secret::new(key)).filter(|key| !key.is_empty() && !is_sealed(key))
}
