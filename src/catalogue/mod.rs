//! What tenants own and edit: personas and phone numbers (SPEC G2, L2, O4).
//!
//! [`Catalogue`] joins the rules of `domain` with the store and the audit log: a record is checked in all its fields, and
//! so is what it names (owner, tenant, persona), before an entry is written and the change made. Who may ask for what is
//! not decided here: the command line may do everything, HTTP asks [`crate::access::Identity`] first.
//!
//! A change is decided on the version that was read; whoever was slower is told [`CatalogueError::Changed`] and reads
//! again. Personas of the settings file are known here and changed there.

mod error;
mod known;
mod numbers;
mod voice_agents;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::domain::VoiceAgent;
use crate::store::{Audit, Numbers, Store, StoreError, Users, VoiceAgents};

pub use error::CatalogueError;
pub use known::{KnownVoiceAgent, KnownVoiceAgents};

/// A handle; clones share everything.
#[derive(Clone)]
pub struct Catalogue {
    users: Users,
    voice_agents: VoiceAgents,
    numbers: Numbers,
    audit: Audit,
    of_settings: Arc<[VoiceAgent]>,
}

impl Catalogue {
    pub fn new(store: &Store, of_settings: &[VoiceAgent]) -> Self {
        Self {
            users: Users::new(store.clone()),
            voice_agents: VoiceAgents::new(store.clone()),
            numbers: Numbers::new(store.clone()),
            audit: Audit::new(store.clone()),
            of_settings: of_settings.into(),
        }
    }

    pub fn voice_agents(&self) -> &VoiceAgents {
        &self.voice_agents
    }

    /// Those of the settings file: shared, and read-only.
    pub fn voice_agents_of_settings(&self) -> &[VoiceAgent] {
        &self.of_settings
    }

    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }
}

/// The names of the members that differ, for the audit log: what changed, never what it says.
fn changed_members(old: &impl Serialize, new: &impl Serialize) -> Result<String, StoreError> {
    let (old, new) = (body_of(old)?, body_of(new)?);
    let names = new.as_object().into_iter().flatten().filter(|(name, value)| old.get(*name) != Some(value));
    Ok(names.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "))
}

fn body_of(record: &impl Serialize) -> Result<Value, StoreError> {
    serde_json::to_value(record).map_err(|error| StoreError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests;
