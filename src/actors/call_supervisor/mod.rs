//! Admits calls, starts their sessions, rebuilds them after a crash, ends them: the shell of `call::registry`.
//!
//! What must survive a session lives here in its [`LiveCall`]: lease, route, recording, checkpoint. It is given back
//! once, when the *call* ends. A call is never dialled again: a rebuilt session goes on in the dialog that exists.

mod admission;
mod handlers;
mod live_call;
mod messages;
mod parties;
mod persona;

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::call::Finish;
use crate::call::registry::{AdmissionRefused, AfterCrash, Registry};
use crate::clock;
use crate::domain::{CallId, CallQuality, Direction, Entropy, Outcome};
use crate::telemetry::{Counter, count, count_ended};

use super::SERVICE_MAILBOX_SIZE;
use super::books::CloseBook;
use super::call_session::CallSession;
use super::events::{CallEvent, Ownership};
use super::guard::guarded;
use super::key_pool::ReturnKey;
use super::sip_endpoint::{ExpectInvite, ForgetCall, PendingInvite, PerformSignal, RefuseCall};
use super::udp_router::CloseRoute;

use admission::{Order, Prepared};
use live_call::LiveCall;

pub use crate::call::recording::RecordingOrder;
pub use admission::{CallSettings, GatewaySettings, NumberRule, Refused};
pub use messages::{
    AskLiveCalls, BeginCall, CallOwner, ControlRecording, CrashSession, DrainCalls, EndCall, IncomingOffered,
    PlaceCall, PressDigits, RecordingRefused, RouteLost, TuneCalls,
};

/// Callers refused for want of room may try again this soon.
const RETRY_AFTER_FULL: Duration = Duration::from_secs(5);

pub struct CallSupervisor {
    registry: Registry,
    calls: HashMap<CallId, LiveCall>,
    /// Admitted calls that are still being given what they need.
    preparing: HashMap<CallId, Preparing>,
    arbiters: Vec<ArbiterHandle>,
    calls_begun: usize,
    settings: Rc<CallSettings>,
    entropy: Entropy,
}

#[derive(Default)]
struct Preparing {
    /// The reason, once somebody has hung up already.
    hung_up: Option<String>,
    /// Who waits to hear whether the call begins.
    answer: Option<oneshot::Sender<Result<(), Refused>>>,
}

impl CallSupervisor {
    pub fn new(settings: CallSettings, arbiters: Vec<ArbiterHandle>, entropy: Entropy) -> Self {
        let registry = Registry::new(settings.registry);
        Self {
            registry,
            calls: HashMap::new(),
            preparing: HashMap::new(),
            arbiters,
            calls_begun: 0,
            settings: Rc::new(settings),
            entropy,
        }
    }

    /// A session on the call's own arbiter; `again` after a crash.
    fn start_session(&mut self, call: &CallId) {
        let Some(live) = self.calls.get_mut(call) else { return };
        let Some(arbiter) = self.arbiters.get(live.arbiter % self.arbiters.len().max(1)) else { return };
        match live.session_parts(call, &self.settings, self.entropy.fork()) {
            Some(parts) => live.session = Some(CallSession::start(arbiter, parts)),
            None => self.give_up(call, "the call failed before it had begun"),
        }
    }

    /// The call has all it needs. Whoever hung up meanwhile is not dialled, and nobody is answered.
    fn begin(&mut self, order: Order, prepared: Prepared, hung_up: Option<String>) {
        let call = order.call.clone();
        let (number, owner) = (&order.number, &prepared.parties.owner.name);
        tracing::info!(%call, direction = ?order.direction, %number, %owner, "call begins");
        count(match order.direction {
            Direction::Inbound => Counter::CallsInbound,
            Direction::Outbound => Counter::CallsOutbound,
        });
        self.settings.events.tell_call(
            &call,
            Ownership::from(&prepared.parties.owner),
            CallEvent::Started {
                direction: order.direction,
                number: order.number.clone(),
                owner: prepared.parties.owner.name.clone(),
                key_hint: prepared.grant.key.hint(),
            },
        );
        if let (Direction::Outbound, Some(sip)) = (order.direction, self.settings.directory.sip()) {
            let owner = prepared.parties.owner.id.clone();
            if let Some(target) = order.dial.clone() {
                sip.do_send(ExpectInvite { call: call.clone(), invite: PendingInvite { owner, target } });
            }
        }
        self.calls_begun += 1;
        self.calls.insert(call.clone(), LiveCall::new(order, prepared, self.calls_begun));
        match hung_up {
            Some(reason) => self.end_by_force(&call, Finish::new(Outcome::Canceled, reason)),
            None => self.start_session(&call),
        }
    }

    fn refuse(&mut self, order: &Order, refused: &Refused) {
        self.registry.ended(&order.call);
        count(Counter::CallsRefused);
        if order.direction == Direction::Inbound && refused.is_for_want_of_owner() {
            count(Counter::InboundWithoutOwner);
        }
        tracing::warn!(call = %order.call, reason = %refused, "call refused");
        if order.direction == Direction::Inbound
            && let Some(sip) = self.settings.directory.sip()
        {
            let retry_after = refused.retry_may_help().then_some(RETRY_AFTER_FULL);
            sip.do_send(RefuseCall { call: order.call.clone(), status: refused.sip_status(), retry_after });
        }
        let finish = Finish::new(refused.outcome(), refused.to_string());
        count_ended(finish.outcome);
        let ended = CallEvent::Ended { finish, recording: None };
        self.settings.events.tell_call(&order.call, Ownership::default(), ended);
    }

    /// The session died: another takes its place, unless that happened too often.
    fn rebuild(&mut self, call: &CallId) {
        let Some(live) = self.calls.get_mut(call) else { return };
        live.session = None;
        match self.registry.session_died(call, clock::now()) {
            AfterCrash::Rebuild { attempt } => {
                tracing::error!(%call, attempt, "the call's session died; it is rebuilt");
                count(Counter::SessionRebuilds);
                let of = live.of.clone();
                self.settings.events.tell_call(call, of, CallEvent::Rebuilding { attempt });
                live.epoch += 1;
                self.start_session(call);
            }
            AfterCrash::GiveUp => self.give_up(call, "the call's session failed too often"),
            AfterCrash::Unknown => {}
        }
    }

    /// The session died too often, or too early: the far end gets its BYE, the books an honest outcome.
    fn give_up(&mut self, call: &CallId, reason: &str) {
        self.end_by_force(call, Finish::new(Outcome::EngineLost, reason));
    }

    /// Ends a call that has no session to end it.
    fn end_by_force(&mut self, call: &CallId, finish: Finish) {
        if let Some(sip) = self.settings.directory.sip() {
            let command = crate::call::SignalCommand::HangUp;
            sip.do_send(PerformSignal { call: call.clone(), command });
        }
        self.end(call, finish, None);
    }

    /// Everything the call held goes back, once.
    fn end(&mut self, call: &CallId, finish: Finish, quality: Option<CallQuality>) {
        let Some(live) = self.calls.remove(call) else { return };
        self.registry.ended(call);
        count_ended(finish.outcome);
        tracing::info!(%call, outcome = %finish.outcome, reason = %finish.reason, "call ended");
        let directory = &self.settings.directory;
        if let Some(sip) = directory.sip() {
            sip.do_send(ForgetCall { call: call.clone() });
        }
        if let Some(router) = directory.router(live.route.router) {
            router.do_send(CloseRoute { call: call.clone() });
        }
        if let Some(keys) = directory.keys() {
            keys.do_send(ReturnKey { lease: live.grant.lease });
        }
        if let Some(books) = directory.books() {
            books.do_send(CloseBook { call: call.clone(), finish, quality });
        }
    }

    fn admit(
        &mut self,
        order: Order,
        answer: Option<oneshot::Sender<Result<(), Refused>>>,
        ctx: &mut Context<Self>,
    ) -> Result<(), AdmissionRefused> {
        self.registry.admit(order.call.clone(), order.direction)?;
        self.preparing.insert(order.call.clone(), Preparing { hung_up: None, answer });
        let preparing = admission::prepare(self.settings.clone(), order);
        ctx.spawn(preparing.into_actor(self).map(|(order, prepared), supervisor, _| {
            let call = order.call.clone();
            let Preparing { hung_up, answer } = supervisor.preparing.remove(&call).unwrap_or_default();
            let begins = prepared.as_ref().map(drop).map_err(Refused::clone);
            supervisor.guarded(&call, |supervisor| match prepared {
                Ok(prepared) => supervisor.begin(order, prepared, hung_up),
                Err(refused) => supervisor.refuse(&order, &refused),
            });
            if let Some(answer) = answer {
                // Whoever waited may have gone; the call goes on.
                drop(answer.send(begins));
            }
        }));
        Ok(())
    }

    /// Work on one call; if it panics, that call ends and the others stay.
    fn guarded(&mut self, call: &CallId, work: impl FnOnce(&mut Self)) {
        if guarded(call, || work(self)).is_err() {
            self.give_up(call, "a fault of ours ended this call");
        }
    }

    fn live_session(&self, call: &CallId) -> Option<&Addr<CallSession>> {
        self.calls.get(call)?.session.as_ref()
    }
}

impl Actor for CallSupervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(SERVICE_MAILBOX_SIZE);
    }
}

impl Supervised for CallSupervisor {}
