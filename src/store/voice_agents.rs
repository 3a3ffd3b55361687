//! Personas by id, and those that are there for a tenant.

use serde_json::{Map, Value};

use super::audit::Entry;
use super::records::{self, Listed, Record, Stored};
use super::{Collection, Index, MAX_PAGE, Page, Query, Store, StoreError};
use crate::domain::{Persona, TenantId, VoiceAgentId};

pub static VOICE_AGENTS: Collection = Collection {
    name: "voice_agents",
    indexes: &[Index::unique(UNIQUE_NAME), Index::plain("tenant_id")],
    durable: true,
};

/// Tenant and name in one, because a unique index sees one value.
const UNIQUE_NAME: &str = "unique_name";
/// Stands for the tenant in the names of shared personas.
const SHARED: &str = "*";

impl Record for Persona {
    fn collection() -> &'static Collection {
        &VOICE_AGENTS
    }

    fn id(&self) -> &str {
        self.agent.id.as_str()
    }

    fn derived(&self) -> Map<String, Value> {
        let tenant = self.tenant_id.as_ref().map_or(SHARED, TenantId::as_str);
        let name = format!("{tenant}/{}", self.agent.name.trim().to_lowercase());
        Map::from_iter([(UNIQUE_NAME.to_owned(), name.into())])
    }
}

#[derive(Clone)]
pub struct VoiceAgents {
    store: Store,
}

impl VoiceAgents {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// `Conflict` where the tenant has one of this name, however its letters are written.
    pub async fn insert(&self, entry: &Entry, persona: Persona) -> Result<Stored<Persona>, StoreError> {
        records::insert(&self.store, Some(entry), persona).await
    }

    pub async fn get(&self, id: &VoiceAgentId) -> Result<Option<Stored<Persona>>, StoreError> {
        records::get(&self.store, id.as_str()).await
    }

    /// `None` from `decide` leaves it as it is.
    pub async fn change(
        &self,
        entry: &Entry,
        id: &VoiceAgentId,
        expected: Option<u64>,
        decide: impl FnMut(&Persona) -> Option<Persona>,
    ) -> Result<Stored<Persona>, StoreError> {
        records::change_record(&self.store, entry, id.as_str(), expected, decide).await
    }

    pub async fn remove(
        &self,
        entry: &Entry,
        id: &VoiceAgentId,
        expected: Option<u64>,
    ) -> Result<(), StoreError> {
        records::remove_record::<Persona>(&self.store, entry, id.as_str(), expected).await
    }

    /// A tenant's own and the shared ones, in the order in which they were made. `None`: everybody's.
    pub async fn list(
        &self,
        tenant: Option<&TenantId>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<Persona>, StoreError> {
        let Some(tenant) = tenant else {
            return records::list(&self.store, Query::all(limit).after(after)).await;
        };
        let own = Query::all(limit).and("tenant_id", tenant.as_str()).after(after.clone());
        let shared = Query::all(limit).and_missing("tenant_id").after(after);
        let (own, shared) =
            tokio::try_join!(self.store.find(&VOICE_AGENTS, own), self.store.find(&VOICE_AGENTS, shared))?;
        Ok(records::read_page(&merged(own, shared, limit)))
    }
}

/// One page of two: what is left out comes again, because it lies behind the last that is in.
fn merged(one: Page, other: Page, limit: usize) -> Page {
    let is_last = one.next.is_none() && other.next.is_none();
    let mut documents = [one.documents, other.documents].concat();
    documents.sort_by(|left, right| left.id.cmp(&right.id));
    let limit = limit.clamp(1, MAX_PAGE);
    let more = !is_last || documents.len() > limit;
    documents.truncate(limit);
    let next = documents.last().filter(|_| more).map(|last| last.id.clone());
    Page { documents, next }
}
