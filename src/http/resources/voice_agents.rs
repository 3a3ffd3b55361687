//! Voice agents, which the rest of the house calls personas (SPEC G2).
//!
//! A change is a PATCH: a client that knows fewer members than the engine does not reset the ones it has never heard of.

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::body::Body;
use super::super::caller::Who;
use super::super::paging::{Listed, Narrowed, Paging, Unfiltered};
use super::super::problem::{Code, Problem};
use super::super::sent::Sent;
use super::super::versions::{added, expected, shown, whatever_is_there};
use super::webhooks::{WebhookInput, WebhookView, webhooks_of};
use crate::access::Identity;
use crate::catalogue::KnownVoiceAgent;
use crate::clock;
use crate::domain::{CallLimits, Persona, RecordingRule, Sealing, VoiceAgent, VoiceAgentId};
use crate::store::{By, Stored};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_voice_agents).service(add_voice_agent).service(get_voice_agent);
    config.service(change_voice_agent).service(remove_voice_agent);
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum VoiceAgentSource {
    Store,
    /// It stands in the settings file and is changed there.
    Settings,
}

#[derive(Serialize, ToSchema)]
struct VoiceAgentView {
    id: String,
    name: String,
    /// The model's system instruction.
    instruction: String,
    /// What the model is asked to say first; empty: it waits for the person to speak.
    greeting: String,
    voice: String,
    /// Empty: the engine's own.
    model: String,
    language: String,
    tools: Vec<String>,
    /// Tools that are web services of your own.
    webhooks: Vec<WebhookView>,
    limits: Limits,
    recording: RecordingRuleName,
    /// Null: it is shared by all tenants.
    tenant_id: Option<String>,
    enabled: bool,
    /// What the CRM calls it.
    crm_voice_agent_id: Option<String>,
    /// What the CRM calls the campaign that its calls belong to.
    crm_campaign_id: Option<String>,
    /// What the CRM calls whoever its calls are made for.
    crm_client_id: Option<String>,
    source: VoiceAgentSource,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    #[schema(format = DateTime)]
    updated_at: Option<String>,
}

/// Whether its calls are recorded.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RecordingRuleName {
    On,
    /// Never, whoever wants it.
    Off,
    /// Not before it is started in the call, because the person agreed.
    Consent,
}

impl From<RecordingRule> for RecordingRuleName {
    fn from(rule: RecordingRule) -> Self {
        match rule {
            RecordingRule::On => Self::On,
            RecordingRule::Off => Self::Off,
            RecordingRule::Consent => Self::Consent,
        }
    }
}

impl From<RecordingRuleName> for RecordingRule {
    fn from(rule: RecordingRuleName) -> Self {
        match rule {
            RecordingRuleName::On => Self::On,
            RecordingRuleName::Off => Self::Off,
            RecordingRuleName::Consent => Self::Consent,
        }
    }
}

/// What this voice agent allows a call; 0: the engine's own limit.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Limits {
    #[schema(minimum = 0, maximum = 86_400)]
    max_call_s: u64,
    #[schema(minimum = 0, maximum = 86_400)]
    silence_timeout_s: u64,
}

#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeLimits {
    #[serde(default)]
    #[schema(value_type = u64, minimum = 0, maximum = 86_400)]
    max_call_s: Sent<u64>,
    #[serde(default)]
    #[schema(value_type = u64, minimum = 0, maximum = 86_400)]
    silence_timeout_s: Sent<u64>,
}

/// What is left out is as in the engine's built-in voice agent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddVoiceAgent {
    /// Unique in the tenant.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(min_length = 1, max_length = 30_000)]
    instruction: Option<String>,
    #[schema(max_length = 2_000)]
    greeting: Option<String>,
    #[schema(max_length = 64)]
    voice: Option<String>,
    #[schema(max_length = 100)]
    model: Option<String>,
    /// As `en-US`.
    #[schema(max_length = 35)]
    language: Option<String>,
    tools: Option<Vec<String>>,
    webhooks: Option<Vec<WebhookInput>>,
    limits: Option<Limits>,
    recording: Option<RecordingRuleName>,
    /// A disabled one cannot be called with; numbers that name it are answered by the default one.
    enabled: Option<bool>,
    #[schema(min_length = 1, max_length = 100)]
    crm_voice_agent_id: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    crm_campaign_id: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    crm_client_id: Option<String>,
}

/// What is left out stays as it is.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeVoiceAgent {
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    name: Sent<String>,
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 30_000)]
    instruction: Sent<String>,
    #[serde(default)]
    #[schema(value_type = String, max_length = 2_000)]
    greeting: Sent<String>,
    #[serde(default)]
    #[schema(value_type = String, max_length = 64)]
    voice: Sent<String>,
    #[serde(default)]
    #[schema(value_type = String, max_length = 100)]
    model: Sent<String>,
    #[serde(default)]
    #[schema(value_type = String, max_length = 35)]
    language: Sent<String>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    tools: Sent<Vec<String>>,
    /// All of them; a secret header that is null keeps what it had.
    #[serde(default)]
    #[schema(value_type = Vec<WebhookInput>)]
    webhooks: Sent<Vec<WebhookInput>>,
    #[serde(default)]
    #[schema(value_type = ChangeLimits)]
    limits: Sent<ChangeLimits>,
    #[serde(default)]
    #[schema(value_type = RecordingRuleName)]
    recording: Sent<RecordingRuleName>,
    #[serde(default)]
    #[schema(value_type = bool)]
    enabled: Sent<bool>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    crm_voice_agent_id: Sent<Option<String>>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    crm_campaign_id: Sent<Option<String>>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    crm_client_id: Sent<Option<String>>,
}

/// Your voice agents and the shared ones
///
/// Those of the settings file are among them. A superadmin sees every tenant's.
#[utoipa::path(tag = "voice agents", params(Paging), responses((status = 200, description = "A page, in the order of their ids", body = Listed<VoiceAgentView>)))]
#[get("/api/voice_agents")]
async fn list_voice_agents(
    api: web::Data<Api>,
    who: Who,
    Narrowed { place, .. }: Narrowed<Unfiltered>,
) -> Result<HttpResponse, Problem> {
    let tenant = who.identity().personas_of()?;
    let found = api.catalogue.known_voice_agents(tenant, place.after.clone(), place.limit).await?;
    let items = found.items.into_iter().map(VoiceAgentView::from).collect();
    Ok(HttpResponse::Ok().json(place.page(items, found.next)))
}

/// Add a voice agent
///
/// An admin's is its tenant's, a superadmin's is shared by all.
#[utoipa::path(tag = "voice agents", request_body = AddVoiceAgent, responses(
    (status = 201, description = "Added; `Location` is where it is found, its `ETag` is its version", body = VoiceAgentView),
    (status = 409, description = "There is one of this name already"),
))]
#[post("/api/voice_agents")]
async fn add_voice_agent(
    api: web::Data<Api>,
    who: Who,
    Body(add): Body<AddVoiceAgent>,
) -> Result<HttpResponse, Problem> {
    let tenant_id = who.identity().may_add_persona()?;
    let persona = Persona { tenant_id, ..add.into_persona(&api.staff.assignment.sealing) };
    let stored = api.catalogue.add_voice_agent(By::from(who.identity()), persona).await?;
    let address = format!("/api/voice_agents/{}", stored.record.agent.id);
    Ok(added::<_, VoiceAgentView>(stored, address))
}

/// One voice agent
#[utoipa::path(tag = "voice agents", params(("id" = String, Path)), responses((status = 200, description = "The voice agent; its `ETag` is its version", body = VoiceAgentView)))]
#[get("/api/voice_agents/{id}")]
async fn get_voice_agent(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(match visible(&api, who.identity(), &id).await? {
        KnownVoiceAgent::Stored(stored) => shown::<_, VoiceAgentView>(*stored),
        // What cannot be changed here has no version.
        settled @ KnownVoiceAgent::OfSettings(_) => HttpResponse::Ok().json(VoiceAgentView::from(settled)),
    })
}

/// Change a voice agent
///
/// It counts from the next call on.
#[utoipa::path(tag = "voice agents",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "The `ETag` you know: the change is refused if somebody else was faster")),
    request_body = ChangeVoiceAgent,
    responses(
        (status = 200, description = "The voice agent as it is now; its `ETag` is its version", body = VoiceAgentView),
        (status = 409, description = "There is one of this name already, or it stands in the settings file"),
        (status = 412, description = "It is not the version of `If-Match` any more"),
    )
)]
#[patch("/api/voice_agents/{id}")]
async fn change_voice_agent(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
    request: HttpRequest,
    Body(change): Body<ChangeVoiceAgent>,
) -> Result<HttpResponse, Problem> {
    whatever_is_there(&request, async || {
        let found = changeable(&api, who.identity(), &id).await?;
        let version = expected(&request, found.version)?;
        let (by, id) = (By::from(who.identity()), found.record.agent.id);
        let decide = |persona| change.clone().laid_over(persona, &api.staff.assignment.sealing);
        let changed = api.catalogue.change_voice_agent(by, &id, Some(version), decide).await?;
        Ok(shown::<_, VoiceAgentView>(changed))
    })
    .await
}

/// Remove a voice agent
///
/// Not while a number names it.
#[utoipa::path(tag = "voice agents",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "The `ETag` you know: nothing is removed if somebody else was faster")),
    responses(
        (status = 204, description = "Removed"),
        (status = 409, description = "Numbers name it, or it stands in the settings file"),
        (status = 412, description = "It is not the version of `If-Match` any more"),
        (status = 422, description = "`If-Match` is no `ETag`"),
    )
)]
#[delete("/api/voice_agents/{id}")]
async fn remove_voice_agent(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    whatever_is_there(&request, async || {
        let found = changeable(&api, who.identity(), &id).await?;
        let version = expected(&request, found.version)?;
        let by = By::from(who.identity());
        api.catalogue.remove_voice_agent(by, &found.record.agent.id, Some(version)).await?;
        Ok(HttpResponse::NoContent().finish())
    })
    .await
}

async fn visible(api: &Api, identity: &Identity, id: &str) -> Result<KnownVoiceAgent, Problem> {
    let found =
        api.catalogue.known_voice_agent(&VoiceAgentId::new(id)).await?.ok_or_else(Problem::not_found)?;
    identity.may_see_persona(found.tenant_id())?;
    Ok(found)
}

async fn changeable(api: &Api, identity: &Identity, id: &str) -> Result<Stored<Persona>, Problem> {
    let found = visible(api, identity, id).await?;
    identity.may_change_persona(found.tenant_id())?;
    match found {
        KnownVoiceAgent::Stored(stored) => Ok(*stored),
        KnownVoiceAgent::OfSettings(_) => {
            Err(Problem::new(Code::Conflict, "this one stands in the settings file and is changed there"))
        }
    }
}

impl AddVoiceAgent {
    fn into_persona(self, sealing: &Sealing) -> Persona {
        let usual = VoiceAgent::default();
        let agent = VoiceAgent {
            id: VoiceAgentId::new(clock::new_id()),
            name: self.name,
            instruction: self.instruction.unwrap_or(usual.instruction),
            greeting: self.greeting.unwrap_or(usual.greeting),
            voice: self.voice.unwrap_or(usual.voice),
            model: self.model.unwrap_or(usual.model),
            language: self.language.unwrap_or(usual.language),
            tools: self.tools.unwrap_or(usual.tools),
            webhooks: webhooks_of(self.webhooks.unwrap_or_default(), &[], sealing),
            limits: self.limits.map_or(usual.limits, CallLimits::from),
            recording: self.recording.map_or(usual.recording, RecordingRule::from),
        };
        Persona {
            enabled: self.enabled.unwrap_or(true),
            crm_voice_agent_id: self.crm_voice_agent_id,
            crm_campaign_id: self.crm_campaign_id,
            crm_client_id: self.crm_client_id,
            ..Persona::of_settings(agent)
        }
    }
}

impl ChangeVoiceAgent {
    fn laid_over(self, mut persona: Persona, sealing: &Sealing) -> Persona {
        let agent = &mut persona.agent;
        self.name.lay_over(&mut agent.name);
        self.instruction.lay_over(&mut agent.instruction);
        self.greeting.lay_over(&mut agent.greeting);
        self.voice.lay_over(&mut agent.voice);
        self.model.lay_over(&mut agent.model);
        self.language.lay_over(&mut agent.language);
        self.tools.lay_over(&mut agent.tools);
        if let Sent::Value(webhooks) = self.webhooks {
            agent.webhooks = webhooks_of(webhooks, &agent.webhooks, sealing);
        }
        if let Sent::Value(limits) = self.limits {
            limits.max_call_s.lay_over(&mut agent.limits.max_call_s);
            limits.silence_timeout_s.lay_over(&mut agent.limits.silence_timeout_s);
        }
        if let Sent::Value(recording) = self.recording {
            agent.recording = recording.into();
        }
        self.enabled.lay_over(&mut persona.enabled);
        self.crm_voice_agent_id.lay_over(&mut persona.crm_voice_agent_id);
        self.crm_campaign_id.lay_over(&mut persona.crm_campaign_id);
        self.crm_client_id.lay_over(&mut persona.crm_client_id);
        persona
    }
}

impl VoiceAgentView {
    fn new(agent: VoiceAgent, source: VoiceAgentSource) -> Self {
        Self {
            id: agent.id.to_string(),
            name: agent.name,
            instruction: agent.instruction,
            greeting: agent.greeting,
            voice: agent.voice,
            model: agent.model,
            language: agent.language,
            tools: agent.tools,
            webhooks: agent.webhooks.into_iter().map(WebhookView::from).collect(),
            limits: agent.limits.into(),
            recording: agent.recording.into(),
            tenant_id: None,
            enabled: true,
            crm_voice_agent_id: None,
            crm_campaign_id: None,
            crm_client_id: None,
            source,
            created_at: None,
            updated_at: None,
        }
    }
}

impl From<Stored<Persona>> for VoiceAgentView {
    fn from(stored: Stored<Persona>) -> Self {
        let persona = stored.record;
        Self {
            tenant_id: persona.tenant_id.map(|id| id.to_string()),
            enabled: persona.enabled,
            crm_voice_agent_id: persona.crm_voice_agent_id,
            crm_campaign_id: persona.crm_campaign_id,
            crm_client_id: persona.crm_client_id,
            created_at: Some(stored.created_at.to_string()),
            updated_at: Some(stored.updated_at.to_string()),
            ..Self::new(persona.agent, VoiceAgentSource::Store)
        }
    }
}

impl From<KnownVoiceAgent> for VoiceAgentView {
    fn from(known: KnownVoiceAgent) -> Self {
        match known {
            KnownVoiceAgent::Stored(stored) => (*stored).into(),
            KnownVoiceAgent::OfSettings(agent) => Self::new(*agent, VoiceAgentSource::Settings),
        }
    }
}

impl From<CallLimits> for Limits {
    fn from(CallLimits { max_call_s, silence_timeout_s }: CallLimits) -> Self {
        Self { max_call_s, silence_timeout_s }
    }
}

impl From<Limits> for CallLimits {
    fn from(Limits { max_call_s, silence_timeout_s }: Limits) -> Self {
        Self { max_call_s, silence_timeout_s }
    }
}
