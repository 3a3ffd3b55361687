//! What a call needs before it may begin: an owner, the owner's key with a free session slot, an audio route, and a
//! record. So nobody is dialled or answered in a call that a crash would leave without a trace.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::call::Finish;
use crate::call::recording::at_the_start;
use crate::call::registry::{AdmissionRefused, RegistryLimits};
use crate::call::watch::CallLimits;
use crate::clock;
use crate::domain::{
    CallId, CallRecord, Direction, GatewayId, NodeId, Outcome, PhoneNumber, RecordingState, Running, Sealing,
    Secret, StartId, User, VoiceAgent, birth_of, in_e164,
};
use crate::keys::{Granted, KeySource};
use crate::net::voice_ws::ModelEndpoint;
use crate::net::webhook::Webhooks;
use crate::store::{Numbers, Recordings, StoreError, Users, VoiceAgents};
use crate::telemetry::{Counter, count};
use crate::voice::Timeouts;

use super::super::books::{AwaitSafe, OpenBook, WithdrawBook};
use super::super::key_pool::{LeaseKey, LeaseRefused, ReturnKey};
use super::super::sip_endpoint::DialTarget;
use super::super::udp_router::{CloseRoute, OpenRoute, OpenedRoute, RouteRefused};
use super::super::{Directory, EventStream};
use super::parties::{Parties, parties};
use super::{CallOwner, PlaceCall};

/// Longer than Books wait before they turn to the journal.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(2);

/// What calls are made of, from the settings.
#[derive(Clone)]
pub struct CallSettings {
    pub registry: RegistryLimits,
    pub limits: CallLimits,
    pub gateways: Vec<GatewaySettings>,
    pub numbers: Vec<NumberRule>,
    /// Those of the settings, the default first.
    pub voice_agents: Vec<VoiceAgent>,
    /// For personas that name no model.
    pub default_model: String,
    pub stored_numbers: Numbers,
    pub personas: VoiceAgents,
    /// Name or id of the user who owns calls to numbers without a rule.
    pub default_owner: Option<String>,
    pub model: ModelEndpoint,
    /// Calls the personas' web services.
    pub webhooks: Webhooks,
    pub timeouts: Timeouts,
    pub users: Users,
    pub sealing: Sealing,
    pub recordings: Option<Recordings>,
    /// This engine, and this run of it.
    pub node: NodeId,
    pub start: StartId,
    pub directory: Directory,
    pub events: EventStream,
}

#[derive(Debug, Clone)]
pub struct GatewaySettings {
    pub id: GatewayId,
    pub address: IpAddr,
    pub any_media_host: bool,
}

/// Who owns calls to a number, and which persona answers them.
#[derive(Debug, Clone)]
pub struct NumberRule {
    pub number: String,
    pub owner: String,
    pub voice_agent: Option<String>,
}

impl CallSettings {
    /// The rule of a called number; a leading plus or `00` makes no difference.
    pub(super) fn number(&self, dialed: &str) -> Option<NumberRule> {
        let dialed = bare_number(dialed);
        self.numbers.iter().find(|rule| bare_number(&rule.number) == dialed).cloned()
    }

    pub(super) fn any_media_host(&self, gateway: &GatewayId) -> bool {
        self.gateways.iter().any(|known| known.id == *gateway && known.any_media_host)
    }

    pub(super) fn outbound_order(&self, call: CallId, place: PlaceCall) -> Result<Order, Refused> {
        let gateway = match &place.gateway {
            Some(wanted) => self.gateways.iter().find(|known| known.id == *wanted),
            None => self.gateways.first(),
        };
        let gateway = gateway.ok_or(Refused::NoGateway)?;
        let number = PhoneNumber::new(place.target.clone());
        Ok(Order {
            call,
            direction: Direction::Outbound,
            dialed: number.clone(),
            number,
            asked_by: Some(place.owner),
            persona: place.voice_agent,
            signalling: gateway.address,
            any_media_host: gateway.any_media_host,
            dial: Some(DialTarget { gateway: gateway.id.clone(), target: place.target, from: place.from }),
            offer: None,
            dialog: None,
            metadata: place.metadata,
        })
    }
}

fn bare_number(number: &str) -> &str {
    number.strip_prefix('+').or_else(|| number.strip_prefix("00")).unwrap_or(number)
}

/// A call that somebody wants to have.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) call: CallId,
    pub(super) direction: Direction,
    /// The person's number, in both directions.
    pub(super) number: PhoneNumber,
    pub(super) dialed: PhoneNumber,
    /// Who wants it; `None`: somebody calls in.
    pub(super) asked_by: Option<CallOwner>,
    /// By the id of the one asked for.
    pub(super) persona: Option<String>,
    pub(super) signalling: IpAddr,
    pub(super) any_media_host: bool,
    pub(super) dial: Option<DialTarget>,
    pub(super) offer: Option<Vec<u8>>,
    /// Of one who calls in; whom we call names it when it rings.
    pub(super) dialog: Option<Value>,
    pub(super) metadata: Option<Map<String, Value>>,
}

impl Order {
    fn shown_number(&self) -> String {
        self.dial.as_ref().and_then(|dial| dial.from.clone()).unwrap_or_default()
    }
}

/// All that a call holds when it begins.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) parties: Parties,
    pub(super) grant: Granted,
    pub(super) route: OpenedRoute,
    /// Whether it is recorded from the start on; `None`: never.
    pub(super) recording: Option<RecordingState>,
}

/// Why a call did not come to be.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Admission(AdmissionRefused),
    #[error("the number has no owner; add it under [[numbers]] or set calls.default_owner_id")]
    NoOwner,
    #[error(
        "the digits are a number of several countries; let the gateway send them with their country, as +49…"
    )]
    AmbiguousNumber,
    #[error("there is no user {0:?}; add one with `clearline user add`")]
    UnknownOwner(String),
    #[error("user {0:?} may not have calls: it is disabled or a superadmin")]
    OwnerMayNotCall(String),
    #[error("there is no such gateway to dial through; add one under [[sip.gateways]]")]
    NoGateway,
    #[error("there is no voice agent {0:?} for this user; make one, or name one of [[voice_agents]]")]
    NoVoiceAgent(String),
    #[error("the voice agent {0:?} is disabled; enable it, or name another")]
    VoiceAgentDisabled(String),
    #[error("no usable Google key: {0}")]
    Key(LeaseRefused),
    #[error(transparent)]
    Route(RouteRefused),
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
    #[error(
        "the call's record can be kept neither in the store nor in the journal of node.dir; make room on their disks"
    )]
    NotKept,
    #[error("a part of the engine is being restarted; try again")]
    PartMissing,
}

impl Refused {
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Admission(_) | Self::Route(_) | Self::NotKept | Self::PartMissing => {
                Outcome::RefusedCapacity
            }
            Self::Key(LeaseRefused::Key(refusal)) => refusal.outcome(),
            Self::Key(LeaseRefused::Fault) => Outcome::RefusedCapacity,
            Self::NoOwner
            | Self::AmbiguousNumber
            | Self::UnknownOwner(_)
            | Self::OwnerMayNotCall(_)
            | Self::NoVoiceAgent(_)
            | Self::VoiceAgentDisabled(_) => Outcome::RefusedPolicy,
            Self::NoGateway => Outcome::TrunkFailed,
            Self::Store(_) => Outcome::RefusedCapacity,
        }
    }

    pub(super) fn is_for_want_of_owner(&self) -> bool {
        matches!(
            self,
            Self::NoOwner | Self::AmbiguousNumber | Self::UnknownOwner(_) | Self::OwnerMayNotCall(_)
        )
    }

    pub(super) fn sip_status(&self) -> u16 {
        if self.is_for_want_of_owner() { 404 } else { 503 }
    }

    pub(super) fn retry_may_help(&self) -> bool {
        self.outcome() == Outcome::RefusedCapacity
    }
}

/// Gathers what the call needs, in the order in which giving back is cheapest.
pub(super) async fn prepare(settings: Rc<CallSettings>, order: Order) -> (Order, Result<Prepared, Refused>) {
    let prepared = gather(&settings, &order).await;
    let prepared = match prepared {
        Ok(prepared) if !write_down(&settings, &order, &prepared).await => {
            give_back(&settings, &order.call, prepared);
            Err(Refused::NotKept)
        }
        prepared => prepared,
    };
    (order, prepared)
}

async fn gather(settings: &CallSettings, order: &Order) -> Result<Prepared, Refused> {
    let parties = parties(settings, order).await?;
    let grant = lease_key(settings, order, &parties.owner).await?;
    match open_route(settings, order).await {
        Ok(route) => {
            let rule = parties.persona.agent.recording;
            let recording = settings.recordings.as_ref().and_then(|_| at_the_start(rule));
            Ok(Prepared { parties, grant, route, recording })
        }
        Err(refused) => {
            if let Some(keys) = settings.directory.keys() {
                keys.do_send(ReturnKey { lease: grant.lease });
            }
            Err(refused)
        }
    }
}

/// A store that is slow keeps nobody waiting for long: its part is taken by the journal, or the call goes on without. False:
/// neither takes it, and the call would leave no trace.
async fn write_down(settings: &CallSettings, order: &Order, prepared: &Prepared) -> bool {
    let Some(books) = settings.directory.books() else { return true };
    books.do_send(OpenBook { record: Box::new(prepared.first_record(settings, order)) });
    let safe = books.send(AwaitSafe { call: order.call.clone() });
    match timeout(clock::timer_for(WRITE_WAIT_MAX), safe).await {
        Ok(Ok(is_safe)) => is_safe,
        Ok(Err(_)) | Err(_) => true,
    }
}

fn give_back(settings: &CallSettings, call: &CallId, prepared: Prepared) {
    let directory = &settings.directory;
    if let Some(keys) = directory.keys() {
        keys.do_send(ReturnKey { lease: prepared.grant.lease });
    }
    if let Some(router) = directory.router(prepared.route.router) {
        router.do_send(CloseRoute { call: call.clone() });
    }
    if let Some(books) = directory.books() {
        let refused = Refused::NotKept;
        let finish = Finish::new(refused.outcome(), refused.to_string());
        books.do_send(WithdrawBook { call: call.clone(), finish });
    }
}

async fn lease_key(settings: &CallSettings, order: &Order, owner: &User) -> Result<Granted, Refused> {
    let keys = settings.directory.keys().ok_or(Refused::PartMissing)?;
    let ask = LeaseKey { call: order.call.clone(), owner_key: key_of(settings, owner) };
    let grant = keys.send(ask).await.map_err(|_| Refused::PartMissing)?.map_err(Refused::Key)?;
    match &grant.source {
        KeySource::Own => {
            let short = grant.key.hint();
            tracing::info!("Using user-specific API key for session {}: {short}", order.call);
        }
        KeySource::Default { .. } => {
            count(Counter::KeyDefaultUsed);
            tracing::warn!("No API key found for user ID {}, using default", owner.id);
        }
    }
    Ok(grant)
}

/// A key that cannot be opened is as good as none (SPEC K6).
fn key_of(settings: &CallSettings, owner: &User) -> Option<Secret> {
    let opened = settings.sealing.open(owner.google_api_key.as_ref()?);
    opened.inspect_err(|error| tracing::error!(owner = %owner.id, %error, "the owner's Google key")).ok()
}

async fn open_route(settings: &CallSettings, order: &Order) -> Result<OpenedRoute, Refused> {
    let routers = settings.directory.routers();
    let mut refused = RouteRefused::NoRouter;
    for router in routers {
        let call = order.call.clone();
        let ask = OpenRoute { call, signalling: order.signalling, any_media_host: order.any_media_host };
        match router.send(ask).await.map_err(|_| Refused::PartMissing)? {
            Ok(route) => return Ok(route),
            Err(reason) => refused = reason,
        }
    }
    Err(Refused::Route(refused))
}

impl Prepared {
    fn first_record(&self, settings: &CallSettings, order: &Order) -> CallRecord {
        let Parties { owner, persona, number } = &self.parties;
        let country = number.as_ref().map(|number| number.country_code.as_str());
        let called = number.as_ref().map_or(&order.dialed, |number| &number.number);
        let (from, dialed) = match order.direction {
            Direction::Inbound => (order.number.clone(), called.clone()),
            Direction::Outbound => (PhoneNumber::new(order.shown_number()), order.number.clone()),
        };
        let (from, dialed) = (in_e164(&from, country), in_e164(&dialed, country));
        // Lists by time go by ids.
        let started = birth_of(order.call.as_str()).unwrap_or_else(clock::unix_time);
        let mut record = CallRecord::started(order.call.clone(), order.direction, from, dialed, started);
        record.owner_id = Some(owner.id.clone());
        record.tenant_id = owner.tenant_id.clone();
        record.voice_agent_id = Some(persona.agent.id.clone());
        record.client_id.clone_from(&persona.crm_client_id);
        record.full_config = Some(persona.as_recorded());
        record.metadata.clone_from(&order.metadata);
        record.key_hint = Some(self.grant.key.hint());
        let running = Running::at(settings.node.clone(), settings.start.clone());
        record.running = Some(running.reached_by(order.dialog.clone()));
        record.recording_state = self.recording;
        record
    }
}
