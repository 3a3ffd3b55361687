//! Personas: adding, changing and removing them.

use super::error::{problem, taken, valid};
use super::{Catalogue, CatalogueError, changed_members};
use crate::domain::{FieldProblem, Persona, Role, TenantId, User, UserId, VoiceAgentId};
use crate::store::{By, Change, Effect, StoreError, Stored, Subject, VOICE_AGENTS};

const VOICE_AGENT: &str = "voice agent";
/// Of the numbers that keep a persona from being removed.
const NUMBERS_TOLD: usize = 10;

impl Catalogue {
    pub async fn add_voice_agent(&self, by: By, persona: Persona) -> Result<Stored<Persona>, CatalogueError> {
        self.check_voice_agent(&persona).await?;
        let change = change_of(by, "voice_agent.add", Effect::Made, &persona);
        let name = persona.agent.name.clone();
        let insert = async |entry: &_| self.voice_agents.insert(entry, persona).await;
        self.audit.record(change, insert).await.map_err(|error| in_use(error, &name))
    }

    /// `decide` gives the record as it shall be; its id stays.
    pub async fn change_voice_agent(
        &self,
        by: By,
        id: &VoiceAgentId,
        expected: Option<u64>,
        decide: impl FnOnce(Persona) -> Persona,
    ) -> Result<Stored<Persona>, CatalogueError> {
        let found = self.voice_agents.get(id).await?.ok_or(CatalogueError::NotFound(VOICE_AGENT))?;
        if expected.is_some_and(|version| version != found.version) {
            return Err(CatalogueError::Changed);
        }
        let mut new = decide(found.record.clone());
        new.agent.id = id.clone();
        if new == found.record {
            return Ok(found);
        }
        self.check_voice_agent(&new).await?;
        let members = changed_members(&found.record, &new)?;
        let change = change_of(by, "voice_agent.change", Effect::Changed, &new).with("members", members);
        let write = async |entry: &_| {
            self.voice_agents.change(entry, id, Some(found.version), |_| Some(new.clone())).await
        };
        self.audit.record(change, write).await.map_err(|error| in_use(error, &new.agent.name))
    }

    /// Not while a number names it. Calls to one that comes to name it at this very moment are answered by the default
    /// persona.
    pub async fn remove_voice_agent(
        &self,
        by: By,
        id: &VoiceAgentId,
        expected: Option<u64>,
    ) -> Result<(), CatalogueError> {
        let found = self.voice_agents.get(id).await?.ok_or(CatalogueError::NotFound(VOICE_AGENT))?;
        self.check_unused(id).await?;
        let change = change_of(by, "voice_agent.remove", Effect::Removed, &found.record);
        let remove = async |entry: &_| self.voice_agents.remove(entry, id, expected).await;
        self.audit.record(change, remove).await.map_err(|error: StoreError| error.into())
    }

    async fn check_unused(&self, id: &VoiceAgentId) -> Result<(), CatalogueError> {
        let using = self.numbers.naming(id, NUMBERS_TOLD).await?;
        if using.items.is_empty() {
            return Ok(());
        }
        let numbers: Vec<_> = using.items.iter().map(|number| number.record.number.expose()).collect();
        let more = if using.next.is_some() { " and more" } else { "" };
        Err(CatalogueError::InUse(format!("{}{more}", numbers.join(", "))))
    }

    async fn check_voice_agent(&self, persona: &Persona) -> Result<(), CatalogueError> {
        let mut problems = persona.problems();
        problems.extend(self.problem_with_tenant(persona.tenant_id.as_ref()).await?);
        valid(problems)
    }

    pub(super) async fn problem_with_tenant(
        &self,
        tenant: Option<&TenantId>,
    ) -> Result<Option<FieldProblem>, StoreError> {
        let Some(tenant) = tenant else { return Ok(None) };
        let admin = self.users.get(&UserId::new(tenant.as_str())).await?;
        let is_tenant = admin.is_some_and(|User { role, .. }| role == Role::Admin);
        Ok((!is_tenant).then(|| problem("tenant_id", "is no tenant's id, which is its admin's")))
    }
}

fn change_of(by: By, action: &'static str, effect: Effect, persona: &Persona) -> Change {
    let subject = Subject::new(&VOICE_AGENTS, persona.agent.id.as_str(), &persona.agent.name);
    Change::new(by, action, effect, subject).of_tenant(persona.tenant_id.clone())
}

fn in_use(error: StoreError, name: &str) -> CatalogueError {
    taken(error, "name", format!("a voice agent named {name:?}"), "choose another name")
}
