//! Owners whose calls would not be what they should: a warning at the start, instead of surprised callers later.

use super::Engine;
use crate::domain::Secret;

impl Engine {
    /// Another encryption key than the one they were sealed with makes users' keys unusable, and their calls would be on
    /// somebody else's account.
    pub async fn warn_about_unopened_keys(&self) {
        let sealing = &self.staff.assignment.sealing;
        let everybody = match self.users.everybody().await {
            Ok(everybody) => everybody,
            Err(error) => return tracing::warn!(%error, "whether the users' keys can be opened is not known"),
        };
        let cannot = |key: &Secret| sealing.open(key).err();
        let reasons = everybody.users.iter().filter_map(|user| cannot(user.google_api_key.as_ref()?));
        let reasons: Vec<_> = reasons.collect();
        if let Some(reason) = reasons.first() {
            tracing::error!(
                users = reasons.len(), %reason,
                "stored keys cannot be opened: until they can, calls of these users have the default key. Is \
                 LIVEKIT_SECRET_ENCRYPTION_KEY the one they were sealed with? `clearline keys report` names the users"
            );
        }
    }

    /// They may still be added while the engine runs, so it starts all the same.
    pub async fn warn_about_unknown_owners(&self) {
        for owner in &self.owners_named {
            match self.users.find(owner).await {
                Ok(Some(user)) if user.may_own_calls() => {}
                Ok(Some(_)) => tracing::warn!(%owner, "the settings give calls to a user who may have none"),
                Ok(None) => {
                    tracing::warn!(%owner, "the settings give calls to a user who does not exist; add it with `clearline user add`");
                }
                Err(error) => {
                    tracing::warn!(%error, "whether the owners of the settings exist cannot be read")
                }
            }
        }
    }
}
