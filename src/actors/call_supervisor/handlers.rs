//! The supervisor's side of its messages.

use std::future::ready;
use std::rc::Rc;

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::call::recording::obeyed;
use crate::clock;
use crate::domain::{CallId, Direction, RecordingState};
use crate::sip::endpoint::IncomingCall;

use super::super::books::KeepRecordingState;
use super::super::call_session::{
    CallFinished, CheckpointTaken, HangUp, InjectPanic, SessionGone, SetRecording,
};
use super::super::udp_router::SendDigits;
use super::CallSupervisor;
use super::admission::{Order, Refused};
use super::messages::{
    AskLiveCalls, BeginCall, ControlRecording, CrashSession, DrainCalls, EndCall, IncomingOffered, PlaceCall,
    PressDigits, RecordingRefused, RouteLost, TuneCalls,
};

impl Handler<IncomingOffered> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, IncomingOffered(incoming): IncomingOffered, ctx: &mut Context<Self>) {
        let order = self.order_for(incoming);
        if let Err(refused) = self.admit(order.clone(), None, ctx) {
            self.refuse(&order, &Refused::Admission(refused));
        }
    }
}

impl CallSupervisor {
    fn order_for(&self, incoming: IncomingCall) -> Order {
        let any_media_host =
            incoming.gateway.as_ref().is_some_and(|gateway| self.settings.any_media_host(gateway));
        Order {
            asked_by: None,
            persona: None,
            call: incoming.call,
            direction: Direction::Inbound,
            number: incoming.from,
            dialed: incoming.to,
            signalling: incoming.source.ip(),
            any_media_host,
            dial: None,
            offer: incoming.offer,
            dialog: serde_json::to_value(incoming.dialog).ok(),
            metadata: None,
        }
    }
}

impl Handler<PlaceCall> for CallSupervisor {
    type Result = Result<CallId, Refused>;

    fn handle(&mut self, place: PlaceCall, ctx: &mut Context<Self>) -> Self::Result {
        let order = self.settings.outbound_order(clock::new_call_id(), place)?;
        let call = order.call.clone();
        self.admit(order, None, ctx).map_err(Refused::Admission)?;
        Ok(call)
    }
}

impl Handler<BeginCall> for CallSupervisor {
    type Result = ResponseFuture<Result<(), Refused>>;

    fn handle(&mut self, BeginCall { call, place }: BeginCall, ctx: &mut Context<Self>) -> Self::Result {
        if self.calls.contains_key(&call) || self.preparing.contains_key(&call) {
            return Box::pin(ready(Ok(())));
        }
        let (answer, begun) = oneshot::channel();
        let order = self.settings.outbound_order(call, place);
        let admitted =
            order.and_then(|order| self.admit(order, Some(answer), ctx).map_err(Refused::Admission));
        Box::pin(async move {
            admitted?;
            begun.await.unwrap_or(Err(Refused::PartMissing))
        })
    }
}

impl Handler<CheckpointTaken> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, taken: CheckpointTaken, _: &mut Context<Self>) {
        if let Some(live) = self.calls.get_mut(&taken.call).filter(|live| live.epoch == taken.epoch) {
            live.checkpoint = Some(taken.checkpoint);
        }
    }
}

impl Handler<CallFinished> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, CallFinished { call, epoch, finish, quality }: CallFinished, _: &mut Context<Self>) {
        if self.calls.get(&call).is_some_and(|live| live.epoch == epoch) {
            self.guarded(&call, |supervisor| supervisor.end(&call, finish, Some(quality)));
        }
    }
}

impl Handler<SessionGone> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, SessionGone { call, epoch }: SessionGone, _: &mut Context<Self>) {
        if self.calls.get(&call).is_some_and(|live| live.epoch == epoch) {
            self.guarded(&call, |supervisor| supervisor.rebuild(&call));
        }
    }
}

impl Handler<RouteLost> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, RouteLost { call }: RouteLost, _: &mut Context<Self>) {
        self.give_up(&call, "a fault of ours ended the audio of this call");
    }
}

impl Handler<EndCall> for CallSupervisor {
    type Result = bool;

    fn handle(&mut self, EndCall { call, reason }: EndCall, _: &mut Context<Self>) -> bool {
        if let Some(preparing) = self.preparing.get_mut(&call) {
            preparing.hung_up.get_or_insert(reason);
            return true;
        }
        let session = self.live_session(&call);
        session.inspect(|session| session.do_send(HangUp { reason })).is_some()
    }
}

impl Handler<CrashSession> for CallSupervisor {
    type Result = bool;

    fn handle(&mut self, CrashSession { call }: CrashSession, _: &mut Context<Self>) -> bool {
        self.live_session(&call).inspect(|session| session.do_send(InjectPanic)).is_some()
    }
}

impl Handler<PressDigits> for CallSupervisor {
    type Result = bool;

    fn handle(&mut self, PressDigits { call, digits }: PressDigits, _: &mut Context<Self>) -> bool {
        let Some(live) = self.calls.get(&call) else { return false };
        let Some(router) = self.settings.directory.router(live.route.router) else { return false };
        router.do_send(SendDigits { call, digits });
        true
    }
}

impl Handler<ControlRecording> for CallSupervisor {
    type Result = Result<RecordingState, RecordingRefused>;

    /// The state is the call's, so that a session that is rebuilt goes on with it.
    fn handle(
        &mut self,
        ControlRecording { call, order }: ControlRecording,
        _: &mut Context<Self>,
    ) -> Self::Result {
        let live = self.calls.get_mut(&call).ok_or(RecordingRefused::NotHere)?;
        let before = live.recording.ok_or(RecordingRefused::Never)?;
        let state = obeyed(before, order)?;
        if state == before {
            return Ok(state);
        }
        live.recording = Some(state);
        if let Some(session) = &live.session {
            session.do_send(SetRecording(state));
        }
        tracing::info!(%call, recording = state.as_str(), "recording changed");
        if let Some(books) = self.settings.directory.books() {
            books.do_send(KeepRecordingState { call, state });
        }
        Ok(state)
    }
}

impl Handler<DrainCalls> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, _: DrainCalls, _: &mut Context<Self>) {
        self.registry.stop_admitting();
    }
}

impl Handler<TuneCalls> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, TuneCalls { calls_max, default_owner }: TuneCalls, _: &mut Context<Self>) {
        self.registry.limit_calls(calls_max);
        Rc::make_mut(&mut self.settings).default_owner = default_owner;
    }
}

impl Handler<AskLiveCalls> for CallSupervisor {
    type Result = MessageResult<AskLiveCalls>;

    fn handle(&mut self, _: AskLiveCalls, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.calls.keys().chain(self.preparing.keys()).cloned().collect())
    }
}
