//! Owners that the settings name and nobody has added yet: a warning now, instead of refused callers later.

use super::Engine;

impl Engine {
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
