//! Phone numbers: adding, changing and removing them.

use super::error::{problem, taken, valid};
use super::{Catalogue, CatalogueError, changed_members};
use crate::domain::{FieldProblem, NumberId, User, VoiceAgentNumber};
use crate::store::{By, Change, Effect, NUMBERS, StoreError, Stored, Subject};

const NUMBER: &str = "number";
const TENANT_MISSING: &str = "is missing: the owner or voice agent named is a tenant's; send that tenant's id, which is its admin's, too";

impl Catalogue {
    /// It is kept in E.164, however it is written.
    pub async fn add_number(
        &self,
        by: By,
        number: VoiceAgentNumber,
    ) -> Result<Stored<VoiceAgentNumber>, CatalogueError> {
        let number = self.checked_number(number).await?;
        let change = change_of(by, "number.add", Effect::Made, &number);
        let shown = number.number.expose().to_owned();
        let insert = async |entry: &_| self.numbers.insert(entry, number).await;
        self.audit.record(change, insert).await.map_err(|error| in_use(error, &shown))
    }

    /// `decide` gives the record as it shall be; its id stays.
    pub async fn change_number(
        &self,
        by: By,
        id: &NumberId,
        expected: Option<u64>,
        decide: impl FnOnce(VoiceAgentNumber) -> VoiceAgentNumber,
    ) -> Result<Stored<VoiceAgentNumber>, CatalogueError> {
        let found = self.numbers.get(id).await?.ok_or(CatalogueError::NotFound(NUMBER))?;
        if expected.is_some_and(|version| version != found.version) {
            return Err(CatalogueError::Changed);
        }
        let new = VoiceAgentNumber { id: id.clone(), ..decide(found.record.clone()) };
        let new = self.checked_number(new).await?;
        if new == found.record {
            return Ok(found);
        }
        let members = changed_members(&found.record, &new)?;
        let change = change_of(by, "number.change", Effect::Changed, &new).with("members", members);
        let write = async |entry: &_| {
            self.numbers.change(entry, id, Some(found.version), |_| Some(new.clone())).await
        };
        self.audit.record(change, write).await.map_err(|error| in_use(error, new.number.expose()))
    }

    pub async fn remove_number(
        &self,
        by: By,
        id: &NumberId,
        expected: Option<u64>,
    ) -> Result<(), CatalogueError> {
        let found = self.numbers.get(id).await?.ok_or(CatalogueError::NotFound(NUMBER))?;
        let change = change_of(by, "number.remove", Effect::Removed, &found.record);
        let remove = async |entry: &_| self.numbers.remove(entry, id, expected).await;
        self.audit.record(change, remove).await.map_err(|error: StoreError| error.into())
    }

    async fn checked_number(&self, number: VoiceAgentNumber) -> Result<VoiceAgentNumber, CatalogueError> {
        let mut problems = number.problems();
        problems.extend(self.problem_with_tenant(number.tenant_id.as_ref()).await?);
        problems.extend(self.problem_with_owner(&number).await?);
        problems.extend(self.problem_with_persona(&number).await?);
        // Owner and persona may miss the same tenant.
        problems.dedup();
        valid(problems)?;
        number
            .normalised()
            .map_err(|error| CatalogueError::Invalid(vec![problem(error.field(), error.to_string())]))
    }

    async fn problem_with_owner(
        &self,
        number: &VoiceAgentNumber,
    ) -> Result<Option<FieldProblem>, StoreError> {
        let Some(id) = &number.owner_id else { return Ok(None) };
        let message = match self.users.get(id).await? {
            Some(owner) if owner.tenant_id == number.tenant_id && owner.may_own_calls() => return Ok(None),
            Some(User { tenant_id, .. }) if tenant_id == number.tenant_id => {
                "may have no calls: it is disabled or a superadmin"
            }
            Some(_) if number.tenant_id.is_none() => return Ok(Some(problem("tenant_id", TENANT_MISSING))),
            Some(_) | None => "is no user of the number's tenant",
        };
        Ok(Some(problem("owner_id", message)))
    }

    async fn problem_with_persona(
        &self,
        number: &VoiceAgentNumber,
    ) -> Result<Option<FieldProblem>, StoreError> {
        let Some(id) = &number.voice_agent_id else { return Ok(None) };
        if self.of_settings.iter().any(|agent| agent.id == *id) {
            return Ok(None);
        }
        Ok(match self.voice_agents.get(id).await? {
            Some(stored) if stored.record.is_there_for(number.tenant_id.as_ref()) => None,
            Some(_) if number.tenant_id.is_none() => Some(problem("tenant_id", TENANT_MISSING)),
            Some(_) | None => Some(problem("voice_agent_id", "is no voice agent of the number's tenant")),
        })
    }
}

fn change_of(by: By, action: &'static str, effect: Effect, number: &VoiceAgentNumber) -> Change {
    let subject = Subject::new(&NUMBERS, number.id.as_str(), number.number.expose());
    let change = Change::new(by, action, effect, subject).of_tenant(number.tenant_id.clone());
    match &number.owner_id {
        Some(owner) => change.with("owner", owner),
        None => change,
    }
}

fn in_use(error: StoreError, number: &str) -> CatalogueError {
    let cure = "change the one that is there, or remove it first";
    taken(error, NUMBER, format!("the number {number}"), cure)
}
