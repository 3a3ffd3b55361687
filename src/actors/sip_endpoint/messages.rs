//! What the rest of the engine asks of signalling, and how it is done.

use std::time::Duration;

use actix::prelude::*;

use crate::call::SignalCommand;
use crate::domain::CallId;
use crate::sip::dialog::DialogSnapshot;
use crate::sip::endpoint::{Command, Counters, EndpointLimits, Input, Sizes};

use super::super::call_session::SignalArrived;
use super::translate::sip_command;
use super::{PendingInvite, SipEndpoint};

/// The owner and the target of a call that is about to dial; sent before its session starts.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ExpectInvite {
    pub call: CallId,
    pub invite: PendingInvite,
}

impl Handler<ExpectInvite> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, ExpectInvite { call, invite }: ExpectInvite, _: &mut Context<Self>) {
        self.calls.entry(call.clone()).or_default();
        self.pending_invites.insert(call, invite);
    }
}

/// A (new) session takes the call's events: what its predecessor may have died over, and what waited.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AttachCall {
    pub call: CallId,
    pub session: Recipient<SignalArrived>,
}

impl Handler<AttachCall> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, AttachCall { call, session }: AttachCall, _: &mut Context<Self>) {
        let Some(line) = self.calls.get_mut(&call) else { return };
        for signal in line.postbox.for_new_session() {
            session.do_send(SignalArrived(signal));
        }
        line.session = Some(session);
    }
}

/// Nobody listens to this call any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ForgetCall {
    pub call: CallId,
}

impl Handler<ForgetCall> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, ForgetCall { call }: ForgetCall, _: &mut Context<Self>) {
        self.calls.remove(&call);
        self.pending_invites.remove(&call);
    }
}

/// What a call asks of signalling.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PerformSignal {
    pub call: CallId,
    pub command: SignalCommand,
}

impl Handler<PerformSignal> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, PerformSignal { call, command }: PerformSignal, ctx: &mut Context<Self>) {
        let command = match self.pending_invites.get(&call) {
            Some(PendingInvite { target, .. }) => sip_command(call, command, Some(target)),
            None => sip_command(call, command, None),
        };
        self.handle_input(Input::Command(command), ctx);
    }
}

/// Refuses an incoming call that never got a session.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RefuseCall {
    pub call: CallId,
    pub status: u16,
    pub retry_after: Option<Duration>,
}

impl Handler<RefuseCall> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, refuse: RefuseCall, ctx: &mut Context<Self>) {
        let RefuseCall { call, status, retry_after } = refuse;
        self.calls.remove(&call);
        self.handle_input(Input::Command(Command::Reject { call, status, retry_after }), ctx);
    }
}

/// The engine that had this dialog is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct EndLostDialog {
    pub dialog: Box<DialogSnapshot>,
}

impl Handler<EndLostDialog> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, EndLostDialog { dialog }: EndLostDialog, ctx: &mut Context<Self>) {
        self.handle_input(Input::Command(Command::EndLost { dialog }), ctx);
    }
}

/// No new calls; gateways are told that we go.
#[derive(Message)]
#[rtype(result = "()")]
pub struct DrainSignalling;

impl Handler<DrainSignalling> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, _: DrainSignalling, ctx: &mut Context<Self>) {
        self.handle_input(Input::Command(Command::Drain), ctx);
    }
}

/// Settings were changed: the engine holds so many calls at once from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LimitCalls {
    pub calls_max: usize,
}

impl Handler<LimitCalls> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, LimitCalls { calls_max }: LimitCalls, ctx: &mut Context<Self>) {
        let calls = EndpointLimits::calls_for(calls_max);
        self.handle_input(Input::Command(Command::LimitCalls(calls)), ctx);
    }
}

/// Leak checks and metrics.
#[derive(Message)]
#[rtype(result = "SipSizes")]
pub struct AskSipSizes;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, MessageResponse)]
pub struct SipSizes {
    pub held: Sizes,
    /// Calls whose sessions, or whose owners, the endpoint keeps beside its own tables.
    pub calls_kept: usize,
    /// Gateways that hold a registration of ours.
    pub registered: usize,
    /// Requests of ours without a final response.
    pub unanswered: usize,
    pub counters: Counters,
}

impl Handler<AskSipSizes> for SipEndpoint {
    type Result = SipSizes;

    fn handle(&mut self, _: AskSipSizes, _: &mut Context<Self>) -> SipSizes {
        SipSizes {
            held: self.endpoint.sizes(),
            calls_kept: self.calls.len() + self.pending_invites.len(),
            registered: self.endpoint.registered(),
            unanswered: self.endpoint.unanswered(),
            counters: *self.endpoint.counters(),
        }
    }
}
