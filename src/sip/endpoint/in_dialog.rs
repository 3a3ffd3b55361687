//! Requests within a dialog: ACK, BYE, INFO, and the ways a call ends.

use super::calls::{Call, Established};
use super::dtmf;
use super::requests::{Arrival, content_type, refusal_of_method};
use super::schedule::Entry;
use super::send::SDP;
use super::transactions::tag_of;
use super::{EndCause, Endpoint, Event};
use crate::domain::CallId;
use crate::sip::{HeaderName, Method};

impl Endpoint {
    pub(super) fn in_dialog(&mut self, arrival: Arrival, local_tag: &str) {
        let Some(call) = self.call_of_dialog(&arrival, local_tag) else {
            return self.refuse_unknown_dialog(&arrival);
        };
        self.touch_call(&call);
        if !self.is_in_order(&call, &arrival) {
            self.counters.out_of_order += 1;
            let response = self.response(&arrival.request, 500);
            return self.answer_once(&arrival, Some(&call), &response);
        }
        match &arrival.request.method {
            Method::Bye => self.on_bye(&call, &arrival),
            Method::Info => self.on_info(&call, &arrival),
            Method::Invite | Method::Update => self.on_change(&call, arrival),
            Method::Options => self.on_options(&arrival),
            method @ (Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Prack
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_)) => {
                let response = self.response(&arrival.request, refusal_of_method(method));
                self.answer_once(&arrival, Some(&call), &response);
            }
        }
    }

    /// The ACK of a 200: ours to an INVITE or to a re-INVITE.
    pub(super) fn on_ack_of_200(&mut self, arrival: &Arrival) {
        let call = self.call_of_dialog(arrival, &tag_of(arrival.request.headers.to_addr()));
        let cseq = arrival.request.headers.cseq().map(|cseq| cseq.number);
        let Some(call) = call else {
            self.counters.stray_acks += 1;
            return;
        };
        self.touch_call(&call);
        let Some(Call::Established(established)) = self.calls.get_mut(&call) else { return };
        let Some(held) = established.unacknowledged.take_if(|held| Some(held.cseq) == cseq) else { return };
        if established.bye_after_ack {
            return self.end_with_bye(&call, EndCause::LocalBye);
        }
        let is_first = !std::mem::replace(&mut established.is_confirmed, true);
        let dialog = established.dialog.snapshot();
        self.rearm(Entry::Call(call.clone()));
        if is_first || held.is_offer {
            let is_sdp = !arrival.request.body.is_empty() && content_type(&arrival.request.headers) == SDP;
            let sdp = (held.is_offer && is_sdp).then(|| arrival.request.body.clone());
            self.emit(Event::Confirmed { call, sdp, dialog });
        }
    }

    pub(super) fn hang_up(&mut self, call: &CallId) {
        match self.call_for_command(call) {
            None => {}
            Some(Call::Calling(_)) => self.give_up_calling(call, EndCause::LocalCancel),
            Some(Call::Offered(_)) => self.reject(call, 480, None),
            Some(Call::Established(established)) if established.is_confirmed => {
                self.end_with_bye(call, EndCause::LocalBye);
            }
            Some(Call::Established(established)) => established.bye_after_ack = true,
        }
    }

    pub(super) fn give_up_calling(&mut self, call: &CallId, cause: EndCause) {
        let Some(Call::Calling(calling)) = self.take_call(call) else { return };
        self.abandon(&calling.invite);
        self.emit(Event::Ended { call: call.clone(), cause });
    }

    pub(super) fn end_with_bye(&mut self, call: &CallId, cause: EndCause) {
        let Some(Call::Established(established)) = self.take_call(call) else { return };
        let Established { dialog, auth, .. } = *established;
        self.send_bye(dialog, auth);
        self.emit(Event::Ended { call: call.clone(), cause });
    }

    /// Ends a call about which nothing is left to say to the peer.
    pub(super) fn end_call(&mut self, call: &CallId, cause: EndCause) {
        if self.take_call(call).is_some() {
            self.emit(Event::Ended { call: call.clone(), cause });
        }
    }

    /// Takes a call out of all tables. A re-INVITE or UPDATE that still waits is answered, or its transaction would
    /// wait for ever.
    pub(super) fn take_call(&mut self, call: &CallId) -> Option<Call> {
        self.refuse_change(call, 487);
        let taken = self.calls.remove(call)?;
        if let Some(tag) = taken.local_tag() {
            self.dialogs.remove(tag);
        }
        self.schedule.set(Entry::Call(call.clone()), None);
        Some(taken)
    }

    /// The call a command is for. Commands and the network cross, so one that is gone is nobody's fault.
    pub(super) fn call_for_command(&mut self, call: &CallId) -> Option<&mut Call> {
        self.touch_call(call);
        let held = self.calls.get_mut(call);
        if held.is_none() {
            self.counters.stale_commands += 1;
        }
        held
    }

    fn on_bye(&mut self, call: &CallId, arrival: &Arrival) {
        let response = self.response(&arrival.request, 200);
        self.answer_once(arrival, Some(call), &response);
        match self.calls.get(call) {
            // A caller may end an early dialog with a BYE instead of a CANCEL (RFC 3261 §15).
            Some(Call::Offered(_)) => self.refuse_offered(call, 487, None, EndCause::RemoteCancel),
            Some(Call::Established(_)) => self.end_call(call, EndCause::RemoteBye),
            Some(Call::Calling(_)) | None => {}
        }
    }

    fn on_info(&mut self, call: &CallId, arrival: &Arrival) {
        let request = &arrival.request;
        let kind = content_type(&request.headers);
        let status = if request.body.is_empty() || dtmf::is_dtmf(&kind) { 200 } else { 415 };
        let mut response = self.response(request, status);
        if status == 415 {
            response.headers.push(HeaderName::Accept, "application/dtmf-relay, application/dtmf");
        }
        self.answer_once(arrival, Some(call), &response);
        if let Some(digit) = dtmf::parse(&request.body).filter(|_| status == 200) {
            let call = call.clone();
            self.emit(Event::Dtmf { call, digit: digit.digit, duration_ms: digit.duration_ms });
        }
    }

    fn call_of_dialog(&mut self, arrival: &Arrival, local_tag: &str) -> Option<CallId> {
        let call = self.dialogs.get(local_tag)?;
        let dialog = self.calls.get_mut(call)?.dialog_mut()?;
        let source = arrival.source.ip();
        let may_speak = dialog.is_spoken_from(source) || self.config.trusts(source);
        (may_speak && dialog.owns(&arrival.request)).then(|| call.clone())
    }

    fn is_in_order(&mut self, call: &CallId, arrival: &Arrival) -> bool {
        let cseq = arrival.request.headers.cseq();
        let dialog = self.calls.get_mut(call).and_then(Call::dialog_mut);
        dialog.zip(cseq).is_some_and(|(dialog, cseq)| dialog.accept_cseq(cseq.number))
    }
}
