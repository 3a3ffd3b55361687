//! Calls: as a list, one with what was said, and hanging up (SPEC U1, T3).

use actix_web::{HttpResponse, delete, get, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::{Api, part_missing};
use super::super::body::at_most;
use super::super::caller::Who;
use super::super::paging::{Listed, Narrowed, Paging};
use super::super::problem::{Code, Problem};
use super::super::query::number;
use super::recordings::RecordingStateName;
use crate::access::Identity;
use crate::actors::books::AskBook;
use crate::actors::call_supervisor::EndCall;
use crate::domain::{
    CallId, CallQuality, CallRecord, CallUpload, Callback, CallbackId, ConversationItem, CrmCallId,
    Direction, ModelUsage, Outcome, PhoneNumber, Speaker, Timestamp, ToolResult, UserId, VoiceAgentId,
};
use crate::store::{CallFilter, CallList};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_calls).service(get_call).service(hang_up);
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DirectionName {
    Inbound,
    Outbound,
}

impl From<Direction> for DirectionName {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Inbound => Self::Inbound,
            Direction::Outbound => Self::Outbound,
        }
    }
}

impl From<DirectionName> for Direction {
    fn from(direction: DirectionName) -> Self {
        match direction {
            DirectionName::Inbound => Self::Inbound,
            DirectionName::Outbound => Self::Outbound,
        }
    }
}

/// A call, without what was said.
#[derive(Serialize, ToSchema)]
struct CallView {
    id: String,
    direction: DirectionName,
    owner_id: Option<String>,
    voice_agent_id: Option<String>,
    campaign_id: Option<String>,
    /// What the CRM calls whoever the call was made for.
    client_id: Option<String>,
    /// Of the room's recording, where the call goes through LiveKit.
    egress_id: Option<String>,
    from_number: String,
    dialed_number: String,
    /// When the call was accepted or asked for.
    #[schema(format = DateTime)]
    started_at: String,
    #[schema(format = DateTime)]
    ringing_at: Option<String>,
    #[schema(format = DateTime)]
    answered_at: Option<String>,
    /// When the person first heard the voice.
    #[schema(format = DateTime)]
    first_audio_at: Option<String>,
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// How it ended; null: it goes on.
    outcome: Option<String>,
    /// The outcome's reason in words.
    end_reason: Option<String>,
    /// The Google key it used, never whole.
    key_hint: Option<String>,
    quality: Option<Quality>,
    usage: Option<Usage>,
    has_recording: bool,
    /// Its name in the CRM, by which it is found too.
    crm_call_id: Option<String>,
    /// Whether the CRM has heard of it; null: it goes on, or an older version had it.
    upload: Option<Upload>,
    /// Ids of what the call brought, the newest last.
    leads: Vec<String>,
    /// Whom to call back, and when.
    callbacks: Vec<CallbackView>,
    /// While the call goes on; null: nothing of it is ever recorded.
    recording_state: Option<RecordingStateName>,
    /// Of a recording that is there; `GET /api/calls/{id}/recording` gives it.
    recording: Option<RecordingView>,
    /// Something of the recording is missing, or all of it, because it could not be written.
    recording_cut_short: bool,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// What there is to be listened to: stereo Ogg/Opus, the person left, the voice agent right.
#[derive(Serialize, ToSchema)]
struct RecordingView {
    #[schema(format = DateTime)]
    started_at: Option<String>,
    duration_seconds: Option<f64>,
    bytes: Option<u64>,
}

/// How far a call is on its way to the CRM.
#[derive(Serialize, ToSchema)]
struct Upload {
    /// As in the list of uploads: `open`, `due`, `amendable`, `done` or `parked`.
    state: &'static str,
    /// Where the CRM keeps the recording.
    recording_url: Option<String>,
    /// Why it is parked, or what the last attempt failed of.
    reason: Option<String>,
}

/// What the network did to this call's audio.
#[derive(Serialize, ToSchema)]
struct Quality {
    packets_received: u64,
    packets_lost: u64,
    packets_late: u64,
    jitter_ms: f64,
    round_trip_ms: Option<f64>,
}

/// Tokens as the model counted them.
#[derive(Serialize, ToSchema)]
struct Usage {
    prompt_tokens: u64,
    response_tokens: u64,
    total_tokens: u64,
}

/// A call with what was said.
#[derive(Serialize, ToSchema)]
struct WholeCall {
    #[serde(flatten)]
    call: CallView,
    transcript: Vec<Item>,
    /// How many more items there were than a record holds.
    transcript_left_out: u64,
    tool_results: Vec<ToolResultView>,
    /// The voice agent as it was when the call began, without secrets.
    #[schema(value_type = Option<Object>)]
    full_config: Option<Value>,
}

/// Somebody wants to be called back.
#[derive(Serialize, ToSchema)]
struct CallbackView {
    /// As in `/api/callbacks`.
    id: String,
    #[schema(format = DateTime)]
    due: String,
    number: String,
    reason: String,
    #[schema(format = DateTime)]
    asked_at: String,
}

/// A tool that the voice used, and what came of it.
#[derive(Serialize, ToSchema)]
struct ToolResultView {
    id: String,
    name: String,
    /// As the model sent them: an object where it kept to the tool's schema, else whatever came. Beyond 8 KiB it is
    /// `{"cut": true, "beginning": …}`.
    #[schema(value_type = Value)]
    arguments: Value,
    /// What the model was told, any JSON: of the engine's own tools an object with `status`, of a webhook the JSON that it
    /// answered, else `{"text": …}`, null if it said nothing; `{"error": …}` where the tool failed. Beyond 8 KiB it is `{"cut": true, "beginning": …}`.
    #[schema(value_type = Value)]
    result: Value,
    #[schema(format = DateTime)]
    at: String,
    /// False: the tool failed.
    ok: bool,
}

#[derive(Serialize, ToSchema)]
struct Item {
    role: RoleInTalk,
    content: String,
    #[schema(format = DateTime)]
    at: String,
    /// The person cut it short: this is what was heard of it.
    interrupted: bool,
    /// `gemini-live` or `livekit-session`.
    source: String,
    /// Null: the model does not tell.
    transcript_confidence: Option<f64>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleInTalk {
    User,
    Assistant,
}

impl From<Speaker> for RoleInTalk {
    fn from(speaker: Speaker) -> Self {
        match speaker {
            Speaker::User => Self::User,
            Speaker::Assistant => Self::Assistant,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Whose calls; of these you see what you see anyway.
    #[param(max_length = 200)]
    #[serde(default, deserialize_with = "at_most::<_, 200>")]
    owner_id: Option<String>,
    /// Who speaks in them.
    #[param(max_length = 200)]
    #[serde(default, deserialize_with = "at_most::<_, 200>")]
    voice_agent_id: Option<String>,
    /// As `completed` or `no_answer`.
    #[param(value_type = Option<String>, pattern = "^[a-z_]+$")]
    outcome: Option<Outcome>,
    direction: Option<DirectionName>,
    /// Exactly as the call has it; its `+` may be written as it is.
    #[param(max_length = 64)]
    #[serde(default, deserialize_with = "number::<_, 64>")]
    dialed_number: Option<String>,
    /// Exactly as the call has it; its `+` may be written as it is.
    #[param(max_length = 64)]
    #[serde(default, deserialize_with = "number::<_, 64>")]
    from_number: Option<String>,
    /// True: only calls that go on; false: only those that have ended.
    running: Option<bool>,
    /// Only calls that began at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    started_from: Option<Timestamp>,
    /// Only calls that began before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    started_before: Option<Timestamp>,
}

/// Your calls, newest first
///
/// An agent's own, an admin's whole tenant's. A superadmin sees no calls.
#[utoipa::path(tag = "calls", params(Paging, Wanted), responses((status = 200, description = "A page", body = Listed<CallView>)))]
#[get("/api/calls")]
async fn list_calls(
    api: web::Data<Api>,
    who: Who,
    Narrowed { place, wanted }: Narrowed<Wanted>,
) -> Result<HttpResponse, Problem> {
    let filter = CallFilter {
        owner: wanted.owner_id.map(UserId::new),
        voice_agent: wanted.voice_agent_id.map(VoiceAgentId::new),
        outcome: wanted.outcome,
        direction: wanted.direction.map(Direction::from),
        dialed_number: wanted.dialed_number.map(PhoneNumber::new),
        from_number: wanted.from_number.map(PhoneNumber::new),
        running: wanted.running,
        started_from: wanted.started_from,
        started_before: wanted.started_before,
    };
    let scope = who.identity().records();
    let (after, limit) = (place.after.clone(), place.limit);
    let CallList { calls, next } = api.calls().list(&scope, &filter, after, limit).await?;
    Ok(HttpResponse::Ok().json(place.page(calls.into_iter().map(CallView::from).collect(), next)))
}

/// One call with what was said
///
/// While it goes on this is its state at this moment. It is found by its id or by its name in the CRM.
#[utoipa::path(tag = "calls", params(("id" = String, Path)), responses((status = 200, description = "The call", body = WholeCall)))]
#[get("/api/calls/{id}")]
async fn get_call(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let record = visible(&api, who.identity(), &CallId::new(id.as_str())).await?;
    Ok(HttpResponse::Ok().json(WholeCall::from(record)))
}

/// Hang up
#[utoipa::path(tag = "calls", params(("id" = String, Path)), responses(
    (status = 202, description = "It is being hung up"),
    (status = 409, description = "It has ended already"),
))]
#[delete("/api/calls/{id}")]
async fn hang_up(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let call = CallId::new(id.as_str());
    visible(&api, who.identity(), &call).await?;
    let supervisor = api.directory.supervisor().ok_or_else(part_missing)?;
    let end = EndCall { call, reason: format!("hung up by {}", who.identity().name) };
    if supervisor.send(end).await.map_err(|_| part_missing())? {
        Ok(HttpResponse::Accepted().finish())
    } else {
        Err(Problem::new(Code::Conflict, "the call has ended already, or goes on at another engine"))
    }
}

pub(super) async fn visible(api: &Api, identity: &Identity, id: &CallId) -> Result<CallRecord, Problem> {
    let record = match live_record(api, id).await? {
        Some(record) => record,
        None => named_in_crm(api, id).await?.ok_or_else(Problem::not_found)?,
    };
    identity.may_see_record(record.owner_id.as_ref(), record.tenant_id.as_ref())?;
    Ok(record)
}

async fn named_in_crm(api: &Api, id: &CallId) -> Result<Option<CallRecord>, Problem> {
    match api.outbox().call_named(&CrmCallId::new(id.as_str())).await? {
        Some(call) => live_record(api, &call).await,
        None => Ok(None),
    }
}

/// From Books while the call goes on, because the store is a little behind; else from the store.
pub(super) async fn live_record(api: &Api, id: &CallId) -> Result<Option<CallRecord>, Problem> {
    let books = api.directory.books().ok_or_else(part_missing)?;
    if let Some(record) = books.send(AskBook { call: id.clone() }).await.map_err(|_| part_missing())? {
        return Ok(Some(*record));
    }
    Ok(api.calls().get(id).await?)
}

impl RecordingView {
    fn of(call: &CallRecord) -> Option<Self> {
        call.recording_filename.as_ref()?;
        Some(Self {
            started_at: call.recording_start_time.map(|at| at.to_string()),
            duration_seconds: call.recording_duration_seconds,
            bytes: call.recording_bytes,
        })
    }
}

impl From<CallRecord> for CallView {
    fn from(call: CallRecord) -> Self {
        let callbacks = CallbackView::all_of(&call);
        Self {
            recording_state: call.recording_state.map(RecordingStateName::from),
            recording: RecordingView::of(&call),
            recording_cut_short: call.recording_cut_short,
            id: call.session_id.to_string(),
            direction: call.direction.into(),
            owner_id: call.owner_id.map(|id| id.to_string()),
            voice_agent_id: call.voice_agent_id.map(|id| id.to_string()),
            campaign_id: call.campaign_id.map(|id| id.to_string()),
            client_id: call.client_id,
            egress_id: call.egress_id,
            from_number: call.from_number.expose().to_owned(),
            dialed_number: call.dialed_number.expose().to_owned(),
            started_at: call.call_start_time.to_string(),
            ringing_at: call.ringing_time.map(|at| at.to_string()),
            answered_at: call.answered_time.map(|at| at.to_string()),
            first_audio_at: call.first_audio_time.map(|at| at.to_string()),
            ended_at: call.call_end_time.map(|at| at.to_string()),
            outcome: call.outcome.map(|outcome| outcome.as_str().to_owned()),
            end_reason: call.end_reason,
            key_hint: call.key_hint,
            quality: call.quality.map(Quality::from),
            usage: call.usage.map(Usage::from),
            has_recording: call.recording_filename.is_some(),
            crm_call_id: call.crm_call_id.map(|id| id.to_string()),
            upload: call.upload.map(Upload::from),
            leads: call.leads.iter().map(ToString::to_string).collect(),
            callbacks,
            metadata: call.metadata,
        }
    }
}

impl From<CallRecord> for WholeCall {
    fn from(mut record: CallRecord) -> Self {
        let transcript = std::mem::take(&mut record.conversation_items);
        let tool_results = std::mem::take(&mut record.tool_results);
        Self {
            transcript: transcript.into_iter().map(Item::from).collect(),
            transcript_left_out: record.conversation_items_left_out,
            tool_results: tool_results.into_iter().map(ToolResultView::from).collect(),
            full_config: record.full_config.take(),
            call: record.into(),
        }
    }
}

impl CallbackView {
    fn all_of(call: &CallRecord) -> Vec<Self> {
        let view = |(place, callback): (usize, &Callback)| Self {
            id: CallbackId::of_call(&call.session_id, place).to_string(),
            due: callback.due.to_string(),
            number: callback.number.expose().to_owned(),
            reason: callback.reason.clone(),
            asked_at: callback.asked_at.to_string(),
        };
        call.callbacks.iter().enumerate().map(view).collect()
    }
}

impl From<ToolResult> for ToolResultView {
    fn from(ToolResult { id, name, arguments, result, time, ok }: ToolResult) -> Self {
        Self { id, name, arguments, result, at: time.to_string(), ok }
    }
}

impl From<ConversationItem> for Item {
    fn from(item: ConversationItem) -> Self {
        Self {
            role: item.role.into(),
            content: item.content,
            at: item.timestamp.to_string(),
            interrupted: item.interrupted,
            source: item.source,
            transcript_confidence: item.transcript_confidence,
        }
    }
}

impl From<CallUpload> for Upload {
    fn from(CallUpload { state, recording_url, reason }: CallUpload) -> Self {
        Self { state: state.as_str(), recording_url, reason }
    }
}

impl From<CallQuality> for Quality {
    fn from(quality: CallQuality) -> Self {
        let CallQuality { packets_received, packets_lost, packets_late, jitter_ms, round_trip_ms } = quality;
        Self { packets_received, packets_lost, packets_late, jitter_ms, round_trip_ms }
    }
}

impl From<ModelUsage> for Usage {
    fn from(usage: ModelUsage) -> Self {
        let ModelUsage { prompt_tokens, response_tokens, total_tokens } = usage;
        Self { prompt_tokens, response_tokens, total_tokens }
    }
}
