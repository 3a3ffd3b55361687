//! Re-INVITE and UPDATE: the peer wants to change, or merely refresh, an established session.

use super::calls::{Call, Change, Established, MAX_CHANGE_WAIT};
use super::requests::Arrival;
use super::schedule::Entry;
use super::session_timer::SessionTimer;
use super::{Endpoint, Event};
use crate::domain::CallId;
use crate::sip::{HeaderName, Method};

/// §14.2: how long a peer whose change came too soon is asked to wait, in seconds.
const MAX_RETRY_AFTER: u64 = 10;
const FALLBACK_REFUSAL: u16 = 488;

impl Endpoint {
    pub(super) fn on_change(&mut self, call: &CallId, arrival: Arrival) {
        if self.refuse_extensions(&arrival)
            || self.refuse_body(&arrival)
            || self.refuse_brief_session(&arrival)
        {
            return;
        }
        if !self.is_settled(call) {
            return self.ask_to_wait(call, &arrival);
        }
        if arrival.request.method == Method::Update && arrival.request.body.is_empty() {
            return self.refresh(call, &arrival);
        }
        self.offer_change(call, arrival);
    }

    pub(super) fn answer_offer(&mut self, call: &CallId, sdp: Vec<u8>) {
        let Some(Call::Established(_)) = self.call_for_command(call) else { return };
        let Some(change) = self.take_change(call) else { return };
        let session = SessionTimer::asked_by(&change.request, self.now);
        let Some(Call::Established(mut established)) = self.calls.remove(call) else { return };
        established.dialog.refresh_target(&change.request.headers);
        established.session = session;
        let response = self.ok_with_sdp(&change.request, &established.dialog, session, sdp);
        if !change.is_update() {
            established.unacknowledged = self.hold_200(&change.transaction, &change.request, &response);
        }
        self.respond(&change.transaction, &response);
        self.calls.insert(call.clone(), Call::Established(established));
        self.rearm(Entry::Call(call.clone()));
    }

    pub(super) fn reject_offer(&mut self, call: &CallId, status: u16) {
        if self.call_for_command(call).is_some() {
            self.refuse_change(call, if (300..700).contains(&status) { status } else { FALLBACK_REFUSAL });
        }
    }

    /// Nobody decided in time: the offer is not acceptable, or we have none to make.
    pub(super) fn refuse_undecided(&mut self, call: &CallId) {
        let Some(Call::Established(established)) = self.calls.get(call) else { return };
        let has_offer = established.change.as_ref().is_some_and(Change::has_offer);
        self.refuse_change(call, if has_offer { 488 } else { 500 });
    }

    /// Answers a waiting re-INVITE or UPDATE with a refusal; the session stays as it was.
    pub(super) fn refuse_change(&mut self, call: &CallId, status: u16) {
        let Some(change) = self.take_change(call) else { return };
        let response = self.response(&change.request, status);
        self.respond(&change.transaction, &response);
        self.rearm(Entry::Call(call.clone()));
    }

    fn offer_change(&mut self, call: &CallId, arrival: Arrival) {
        let Some(transaction) = self.open_server(&arrival, Some(call.clone())) else { return };
        if arrival.request.method == Method::Invite {
            let trying = self.response(&arrival.request, 100);
            self.respond(&transaction, &trying);
        }
        let Some(Call::Established(established)) = self.calls.get_mut(call) else { return };
        let mut request = arrival.request;
        let sdp = (!request.body.is_empty()).then(|| request.body.clone());
        request.body.truncate(1);
        let decide_until = self.now + MAX_CHANGE_WAIT;
        established.change = Some(Change { transaction, request, decide_until });
        self.rearm(Entry::Call(call.clone()));
        self.emit(Event::Offer { call: call.clone(), sdp });
    }

    /// An UPDATE without SDP only says that the peer is alive, and perhaps where.
    fn refresh(&mut self, call: &CallId, arrival: &Arrival) {
        let session = SessionTimer::asked_by(&arrival.request, self.now);
        let Some(Call::Established(established)) = self.calls.get_mut(call) else { return };
        established.dialog.refresh_target(&arrival.request.headers);
        established.session = session;
        let dialog = established.dialog.clone();
        let response = self.ok_with_sdp(&arrival.request, &dialog, session, Vec::new());
        self.answer_once(arrival, Some(call), &response);
        self.rearm(Entry::Call(call.clone()));
    }

    /// One change at a time: 500 with Retry-After while another one waits or its 200 is not acknowledged (§14.2).
    fn ask_to_wait(&mut self, call: &CallId, arrival: &Arrival) {
        let mut response = self.response(&arrival.request, 500);
        let seconds = self.entropy.below(MAX_RETRY_AFTER + 1);
        response.headers.push(HeaderName::RetryAfter, seconds.to_string());
        self.answer_once(arrival, Some(call), &response);
    }

    fn is_settled(&self, call: &CallId) -> bool {
        let settled = |held: &Established| held.change.is_none() && held.unacknowledged.is_none();
        matches!(self.calls.get(call), Some(Call::Established(held)) if settled(held))
    }

    fn take_change(&mut self, call: &CallId) -> Option<Change> {
        match self.calls.get_mut(call) {
            Some(Call::Established(established)) => established.change.take(),
            Some(Call::Calling(_) | Call::Offered(_)) | None => None,
        }
    }
}
