//! What belongs to a call and not to its session.

use std::sync::Arc;

use actix::Addr;

use crate::call::{Checkpoint, Setup};
use crate::domain::{CallId, CallLimits, Entropy, RecordingState, Webhook};
use crate::keys::Granted;
use crate::media::codec::Codec;
use crate::media::sdp::{LocalMedia, Negotiation};
use crate::voice::SessionConfig;

use super::super::Ownership;
use super::super::call_session::{Begin, CallSession, SessionParts};
use super::super::udp_router::OpenedRoute;
use super::admission::{CallSettings, Order, Prepared};
use super::persona::{limits_for, session_config};

pub(super) struct LiveCall {
    pub(super) session: Option<Addr<CallSession>>,
    /// Who hears of it.
    pub(super) of: Ownership,
    pub(super) epoch: u32,
    pub(super) arbiter: usize,
    pub(super) grant: Granted,
    pub(super) route: OpenedRoute,
    pub(super) checkpoint: Option<Box<Checkpoint>>,
    /// `None`: nothing of this call is ever recorded.
    pub(super) recording: Option<RecordingState>,
    persona: SessionConfig,
    webhooks: Arc<[Webhook]>,
    /// What the persona allows the call.
    limits: CallLimits,
    order: Order,
}

impl LiveCall {
    pub(super) fn new(order: Order, prepared: Prepared, arbiter: usize) -> Self {
        Self {
            session: None,
            of: Ownership::from(&prepared.parties.owner),
            epoch: 0,
            arbiter,
            grant: prepared.grant,
            route: prepared.route,
            checkpoint: None,
            recording: prepared.recording,
            limits: prepared.parties.persona.agent.limits.clone(),
            persona: session_config(&prepared.parties.persona.agent),
            webhooks: prepared.parties.persona.agent.webhooks.into(),
            order,
        }
    }

    /// `None` when a session died before it had said anything that it could be rebuilt from.
    pub(super) fn session_parts(
        &mut self,
        call: &CallId,
        settings: &CallSettings,
        entropy: Entropy,
    ) -> Option<SessionParts> {
        // Kept until the new session sends its own: it may die before that.
        let begin = match (self.epoch, self.checkpoint.clone()) {
            (_, Some(checkpoint)) => Begin::Again(checkpoint),
            (0, None) => self.first_begin(settings),
            (_, None) => return None,
        };
        Some(SessionParts {
            call: call.clone(),
            epoch: self.epoch,
            router: self.route.router,
            begin,
            persona: self.persona.clone(),
            webhooks: Arc::clone(&self.webhooks),
            webhook_client: settings.webhooks.clone(),
            model: settings.model.clone(),
            key: self.grant.key.clone(),
            timeouts: settings.timeouts.clone(),
            entropy,
            recording: self.recording.and_then(|state| {
                let recordings = settings.recordings.as_ref()?;
                Some((recordings.sink(call), state))
            }),
            directory: settings.directory.clone(),
        })
    }

    fn first_begin(&mut self, settings: &CallSettings) -> Begin {
        let local = LocalMedia {
            address: self.route.advertised.ip(),
            port: self.route.advertised.port(),
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            ssrc: self.route.ssrc,
            session_id: u64::from(self.route.ssrc),
            cname: format!("{:08x}", self.route.ssrc),
        };
        let setup =
            Setup { direction: self.order.direction, limits: limits_for(&self.limits, settings.limits) };
        Begin::New { setup, negotiation: Box::new(Negotiation::new(local)), offer: self.order.offer.take() }
    }
}
