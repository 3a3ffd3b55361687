//! Leads: what calls have brought (SPEC U3), to be read. The calls themselves write them.

use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::body::at_most;
use super::super::caller::Who;
use super::super::paging::{Listed, Narrowed, Paging};
use super::super::problem::Problem;
use crate::domain::{CallId, Lead, LeadId};
use crate::store::Stored;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_leads).service(get_lead);
}

#[derive(Serialize, ToSchema)]
struct LeadView {
    id: String,
    /// The call that brought it.
    call_id: String,
    owner_id: Option<String>,
    voice_agent_id: Option<String>,
    campaign_id: Option<String>,
    /// Name, phone, e-mail, notes: whatever the voice agent was told to ask for.
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
    #[schema(format = DateTime)]
    created_at: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only what this call has brought.
    #[param(max_length = 200)]
    #[serde(default, deserialize_with = "at_most::<_, 200>")]
    call_id: Option<String>,
}

/// Your leads, those of the newest call first
///
/// Those of an agent's own calls, of an admin's whole tenant. A superadmin sees no leads.
#[utoipa::path(tag = "leads", params(Paging, Wanted), responses((status = 200, description = "A page", body = Listed<LeadView>)))]
#[get("/api/leads")]
async fn list_leads(
    api: web::Data<Api>,
    who: Who,
    Narrowed { place, wanted }: Narrowed<Wanted>,
) -> Result<HttpResponse, Problem> {
    let (leads, after, limit) = (api.leads(), place.after.clone(), place.limit);
    let found = match wanted.call_id {
        Some(call) => leads.of_session(&CallId::new(call), after, limit).await?,
        None => leads.list(&who.identity().records(), after, limit).await?,
    };
    // A call may be anybody's.
    let visible = found.items.into_iter().filter(|lead| may_see(&who, &lead.record).is_ok());
    Ok(HttpResponse::Ok().json(place.page(visible.map(LeadView::from).collect(), found.next)))
}

/// One lead
#[utoipa::path(tag = "leads", params(("id" = String, Path)), responses((status = 200, description = "The lead", body = LeadView)))]
#[get("/api/leads/{id}")]
async fn get_lead(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let found = api.leads().get(&LeadId::new(id.as_str())).await?.ok_or_else(Problem::not_found)?;
    may_see(&who, &found.record)?;
    Ok(HttpResponse::Ok().json(LeadView::from(found)))
}

fn may_see(who: &Who, lead: &Lead) -> Result<(), Problem> {
    Ok(who.identity().may_see_record(lead.owner_id.as_ref(), lead.tenant_id.as_ref())?)
}

impl From<Stored<Lead>> for LeadView {
    fn from(Stored { record: lead, created_at, .. }: Stored<Lead>) -> Self {
        Self {
            id: lead.id.to_string(),
            call_id: lead.session_id.to_string(),
            owner_id: lead.owner_id.map(|id| id.to_string()),
            voice_agent_id: lead.voice_agent_id.map(|id| id.to_string()),
            campaign_id: lead.campaign_id.map(|id| id.to_string()),
            fields: lead.fields,
            created_at: created_at.to_string(),
        }
    }
}
