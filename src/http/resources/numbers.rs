//! Phone numbers: whose they are, and which voice agent answers them (SPEC L2, K5).
//!
//! Changed by PATCH, as voice agents are: what a client does not know of stays.

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::body::Body;
use super::super::caller::Who;
use super::super::paging::{Listed, Narrowed, Paging, Unfiltered};
use super::super::problem::Problem;
use super::super::sent::Sent;
use super::super::versions::{added, expected, shown, whatever_is_there};
use crate::access::Identity;
use crate::clock;
use crate::domain::{Dialed, NumberId, PhoneNumber, TenantId, UserId, VoiceAgentId, VoiceAgentNumber};
use crate::store::{By, Stored};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_numbers).service(add_number).service(get_number);
    config.service(change_number).service(remove_number);
}

#[derive(Serialize, ToSchema)]
struct NumberView {
    id: String,
    /// E.164.
    number: String,
    country_code: String,
    provider: Option<String>,
    /// Null: it belongs to no tenant yet.
    tenant_id: Option<String>,
    /// Whose the calls are that come in on it; null: the default owner's.
    owner_id: Option<String>,
    /// Who answers; null: the default one.
    voice_agent_id: Option<String>,
    #[schema(value_type = Object)]
    rules: Map<String, Value>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddNumber {
    /// However it is written: `+49 30 123456`, `0049…`, or `030 123456` beside its country code.
    #[schema(max_length = 64, example = "+4930123456")]
    number: String,
    /// In digits, as `49`; needed only where the number does not tell.
    #[schema(max_length = 8)]
    country_code: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    provider: Option<String>,
    /// Only a superadmin says so; an admin's is its own.
    tenant_id: Option<String>,
    /// A user of the tenant who may have calls.
    owner_id: Option<String>,
    voice_agent_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    rules: Option<Map<String, Value>>,
}

/// What is left out stays as it is, null takes away.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeNumber {
    #[serde(default)]
    #[schema(value_type = String, max_length = 64)]
    number: Sent<String>,
    #[serde(default)]
    #[schema(value_type = String, max_length = 8)]
    country_code: Sent<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    provider: Sent<Option<String>>,
    /// Only a superadmin changes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    tenant_id: Sent<Option<String>>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    owner_id: Sent<Option<String>>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    voice_agent_id: Sent<Option<String>>,
    /// All of them: rules that are not named are taken away.
    #[serde(default)]
    #[schema(value_type = Object)]
    rules: Sent<Map<String, Value>>,
}

/// The numbers you may see
///
/// An agent sees those it owns, an admin its tenant's, a superadmin all.
#[utoipa::path(tag = "numbers", params(Paging), responses((status = 200, description = "A page, in the order in which they were added", body = Listed<NumberView>)))]
#[get("/api/numbers")]
async fn list_numbers(
    api: web::Data<Api>,
    who: Who,
    Narrowed { place, .. }: Narrowed<Unfiltered>,
) -> Result<HttpResponse, Problem> {
    let scope = who.identity().numbers();
    let found = api.catalogue.numbers().list(&scope, place.after.clone(), place.limit).await?;
    let items = found.items.into_iter().map(NumberView::from).collect();
    Ok(HttpResponse::Ok().json(place.page(items, found.next)))
}

/// Add a number
///
/// A superadmin gives it to a tenant: whoever has a number has its calls. It counts from the next call on.
#[utoipa::path(tag = "numbers", request_body = AddNumber, responses(
    (status = 201, description = "Added; `Location` is where it is found, its `ETag` is its version", body = NumberView),
    (status = 409, description = "The number is there already, however it was written"),
))]
#[post("/api/numbers")]
async fn add_number(
    api: web::Data<Api>,
    who: Who,
    Body(add): Body<AddNumber>,
) -> Result<HttpResponse, Problem> {
    who.identity().may_say_which_number()?;
    let number = add.into_number(who.identity())?;
    let stored = api.catalogue.add_number(By::from(who.identity()), number).await?;
    let address = format!("/api/numbers/{}", stored.record.id);
    Ok(added::<_, NumberView>(stored, address))
}

/// One number
#[utoipa::path(tag = "numbers", params(("id" = String, Path)), responses((status = 200, description = "The number; its `ETag` is its version", body = NumberView)))]
#[get("/api/numbers/{id}")]
async fn get_number(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(shown::<_, NumberView>(visible(&api, who.identity(), &id).await?))
}

/// Change a number
///
/// Its owner, voice agent and rules; which number it is, and whose tenant's, a superadmin says. It counts from the next call on.
#[utoipa::path(tag = "numbers",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "The `ETag` you know: the change is refused if somebody else was faster")),
    request_body = ChangeNumber,
    responses(
        (status = 200, description = "The number as it is now; its `ETag` is its version", body = NumberView),
        (status = 409, description = "The number is there already, however it was written"),
        (status = 412, description = "It is not the version of `If-Match` any more"),
    )
)]
#[patch("/api/numbers/{id}")]
async fn change_number(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
    request: HttpRequest,
    Body(change): Body<ChangeNumber>,
) -> Result<HttpResponse, Problem> {
    whatever_is_there(&request, async || {
        let found = changeable(&api, who.identity(), &id).await?;
        let version = expected(&request, found.version)?;
        let id = found.record.id.clone();
        let new = change.clone().laid_over(found.record, who.identity())?;
        let by = By::from(who.identity());
        Ok(shown::<_, NumberView>(api.catalogue.change_number(by, &id, Some(version), |_| new).await?))
    })
    .await
}

/// Remove a number
///
/// Calls to it are then for the settings to give to somebody.
#[utoipa::path(tag = "numbers",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "The `ETag` you know: nothing is removed if somebody else was faster")),
    responses(
        (status = 204, description = "Removed"),
        (status = 412, description = "It is not the version of `If-Match` any more"),
        (status = 422, description = "`If-Match` is no `ETag`"),
    )
)]
#[delete("/api/numbers/{id}")]
async fn remove_number(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    whatever_is_there(&request, async || {
        let found = changeable(&api, who.identity(), &id).await?;
        let version = expected(&request, found.version)?;
        api.catalogue.remove_number(By::from(who.identity()), &found.record.id, Some(version)).await?;
        Ok(HttpResponse::NoContent().finish())
    })
    .await
}

async fn visible(api: &Api, identity: &Identity, id: &str) -> Result<Stored<VoiceAgentNumber>, Problem> {
    let found = api.catalogue.numbers().get(&NumberId::new(id)).await?.ok_or_else(Problem::not_found)?;
    identity.may_see_number(found.record.owner_id.as_ref(), found.record.tenant_id.as_ref())?;
    Ok(found)
}

async fn changeable(api: &Api, identity: &Identity, id: &str) -> Result<Stored<VoiceAgentNumber>, Problem> {
    let found = visible(api, identity, id).await?;
    identity.may_change_number(found.record.owner_id.as_ref(), found.record.tenant_id.as_ref())?;
    Ok(found)
}

impl AddNumber {
    fn into_number(self, identity: &Identity) -> Result<VoiceAgentNumber, Problem> {
        let wanted = self.tenant_id.map(|id| Some(TenantId::new(id)));
        Ok(VoiceAgentNumber {
            id: NumberId::new(clock::new_id()),
            number: PhoneNumber::new(self.number),
            country_code: self.country_code.unwrap_or_default(),
            provider: self.provider,
            tenant_id: identity.number_tenant(wanted, identity.tenant_id.clone())?,
            owner_id: self.owner_id.map(UserId::new),
            voice_agent_id: self.voice_agent_id.map(VoiceAgentId::new),
            rules: self.rules.unwrap_or_default(),
        })
    }
}

impl ChangeNumber {
    fn laid_over(
        self,
        mut record: VoiceAgentNumber,
        identity: &Identity,
    ) -> Result<VoiceAgentNumber, Problem> {
        let wanted = self.tenant_id.into_option().map(|id| id.map(TenantId::new));
        record.tenant_id = identity.number_tenant(wanted, record.tenant_id)?;
        let present = (record.number.clone(), record.country_code.clone());
        if let Sent::Value(number) = self.number {
            record.number = PhoneNumber::new(number);
            // It tells its country itself, perhaps another one than before.
            if matches!(Dialed::read(&record.number), Some(Dialed::International(_))) {
                record.country_code.clear();
            }
        }
        self.country_code.lay_over(&mut record.country_code);
        if (&record.number, &record.country_code) != (&present.0, &present.1) {
            identity.may_say_which_number()?;
        }
        self.provider.lay_over(&mut record.provider);
        if let Sent::Value(owner) = self.owner_id {
            record.owner_id = owner.map(UserId::new);
        }
        if let Sent::Value(voice_agent) = self.voice_agent_id {
            record.voice_agent_id = voice_agent.map(VoiceAgentId::new);
        }
        self.rules.lay_over(&mut record.rules);
        Ok(record)
    }
}

impl From<Stored<VoiceAgentNumber>> for NumberView {
    fn from(stored: Stored<VoiceAgentNumber>) -> Self {
        let number = stored.record;
        Self {
            id: number.id.to_string(),
            number: number.number.expose().to_owned(),
            country_code: number.country_code,
            provider: number.provider,
            tenant_id: number.tenant_id.map(|id| id.to_string()),
            owner_id: number.owner_id.map(|id| id.to_string()),
            voice_agent_id: number.voice_agent_id.map(|id| id.to_string()),
            rules: number.rules,
            created_at: stored.created_at.to_string(),
            updated_at: stored.updated_at.to_string(),
        }
    }
}
