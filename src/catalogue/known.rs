//! All personas there are: those of the store and those of the settings file, in one order.

use super::Catalogue;
use crate::domain::{Persona, TenantId, VoiceAgent, VoiceAgentId};
use crate::store::{MAX_PAGE, StoreError, Stored};

#[derive(Debug, Clone, PartialEq)]
pub enum KnownVoiceAgent {
    Stored(Box<Stored<Persona>>),
    /// Shared, and changed in the file alone.
    OfSettings(Box<VoiceAgent>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct KnownVoiceAgents {
    pub items: Vec<KnownVoiceAgent>,
    /// Ask for the next page with it; `None`: this was the last.
    pub next: Option<String>,
}

impl KnownVoiceAgent {
    pub fn id(&self) -> &VoiceAgentId {
        match self {
            Self::Stored(stored) => &stored.record.agent.id,
            Self::OfSettings(agent) => &agent.id,
        }
    }

    /// `None`: it is shared.
    pub fn tenant_id(&self) -> Option<&TenantId> {
        match self {
            Self::Stored(stored) => stored.record.tenant_id.as_ref(),
            Self::OfSettings(_) => None,
        }
    }
}

impl Catalogue {
    /// As a call finds it: one of the store goes before one of the settings with the same id.
    pub async fn known_voice_agent(&self, id: &VoiceAgentId) -> Result<Option<KnownVoiceAgent>, StoreError> {
        if let Some(stored) = self.voice_agents.get(id).await? {
            return Ok(Some(KnownVoiceAgent::Stored(Box::new(stored))));
        }
        let of_settings = self.of_settings.iter().find(|agent| agent.id == *id);
        Ok(of_settings.cloned().map(Box::new).map(KnownVoiceAgent::OfSettings))
    }

    /// A tenant's own and the shared ones, in the order of their ids. `None`: everybody's.
    pub async fn known_voice_agents(
        &self,
        tenant: Option<&TenantId>,
        after: Option<String>,
        limit: usize,
    ) -> Result<KnownVoiceAgents, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let of_settings = self
            .of_settings
            .iter()
            .filter(|agent| after.as_deref().is_none_or(|after| agent.id.as_str() > after));
        let of_settings: Vec<_> =
            of_settings.cloned().map(Box::new).map(KnownVoiceAgent::OfSettings).collect();
        let stored = self.voice_agents.list(tenant, after, limit).await?;
        // Behind the page's last one the store knows more, which must come before those of the settings that lie there.
        let last = stored.next.as_deref();
        let within = |known: &KnownVoiceAgent| last.is_none_or(|last| known.id().as_str() <= last);
        let of_settings = of_settings.into_iter().filter(within);
        let of_store = stored.items.into_iter().map(|stored| KnownVoiceAgent::Stored(Box::new(stored)));
        // The sort keeps equals in order: the stored one of an id comes first and stays.
        let mut items: Vec<_> = of_store.chain(of_settings).collect();
        items.sort_by(|left, right| left.id().cmp(right.id()));
        items.dedup_by(|second, first| second.id() == first.id());
        let has_room = items.len() <= limit;
        items.truncate(limit);
        let next = if has_room { stored.next } else { items.last().map(|last| last.id().to_string()) };
        Ok(KnownVoiceAgents { items, next })
    }
}
