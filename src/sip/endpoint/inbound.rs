//! Calls that come to us, until they are answered, refused or cancelled.

use std::net::SocketAddr;
use std::time::Duration;

use super::auth::Authentication;
use super::calls::{Call, Established, Held200, MAX_OFFERED, Offered};
use super::outbound::credentials_of;
use super::requests::{Arrival, is_known_scheme};
use super::schedule::Entry;
use super::send::{TAG_LENGTH, set_sdp};
use super::session_timer::{self, MIN_SESSION_SECONDS, SessionTimer};
use super::transactions::{TransactionKey, identity};
use super::{EndCause, Endpoint, Event, IncomingCall};
use crate::domain::{CallId, GatewayId, PhoneNumber};
use crate::sip::dialog::Dialog;
use crate::sip::transaction::Unacknowledged;
use crate::sip::{HeaderName, Headers, Request, Response, Uri};

/// What a caller hears when a command asks to reject it with a status that is no refusal.
const FALLBACK_REFUSAL: u16 = 480;

impl Endpoint {
    /// An INVITE from somebody we know. The order of the checks is that of RFC 3261 §8.2.
    pub(super) fn on_invite(&mut self, arrival: Arrival) {
        if !self.is_acceptable(&arrival) {
            return;
        }
        let local_tag = self.entropy.token(TAG_LENGTH);
        let Some(dialog) = Dialog::of_callee(&arrival.request, &local_tag, arrival.source) else {
            return self.answer_stateless(&arrival, 400);
        };
        let call = (self.new_call_id)();
        let Some(invite) = self.open_server(&arrival, Some(call.clone())) else { return };
        self.touched.push(Entry::Call(call.clone()));
        let trying = self.response(&arrival.request, 100);
        self.respond(&invite, &trying);
        self.offer_call(call, invite, arrival, dialog);
    }

    pub(super) fn ring(&mut self, call: &CallId) {
        let Some(Call::Offered(offered)) = self.call_for_command(call) else { return };
        let (invite, ringing) = (offered.invite.clone(), self.early_response(call, 180));
        if let Some(ringing) = ringing {
            self.respond(&invite, &ringing);
        }
    }

    pub(super) fn early_media(&mut self, call: &CallId, sdp: Vec<u8>) {
        let Some(Call::Offered(offered)) = self.call_for_command(call) else { return };
        let (invite, progress) = (offered.invite.clone(), self.early_response(call, 183));
        if let Some(mut progress) = progress {
            set_sdp(&mut progress, sdp);
            self.respond(&invite, &progress);
        }
    }

    pub(super) fn answer_call(&mut self, call: &CallId, sdp: Vec<u8>) {
        let Some(Call::Offered(_)) = self.call_for_command(call) else { return };
        let Some(Call::Offered(offered)) = self.calls.remove(call) else { return };
        let Offered { invite, request, dialog, auth, .. } = *offered;
        let session = SessionTimer::asked_by(&request, self.now);
        let response = self.ok_with_sdp(&request, &dialog, session, sdp);
        let mut established = Established::new(dialog, auth);
        established.session = session;
        established.unacknowledged = self.hold_200(&invite, &request, &response);
        self.respond(&invite, &response);
        self.calls.insert(call.clone(), Call::Established(Box::new(established)));
        self.rearm(Entry::Call(call.clone()));
    }

    pub(super) fn reject(&mut self, call: &CallId, status: u16, retry_after: Option<Duration>) {
        let Some(Call::Offered(_)) = self.call_for_command(call) else { return };
        let status = if (300..700).contains(&status) { status } else { FALLBACK_REFUSAL };
        self.refuse_offered(call, status, retry_after, EndCause::Refused { status });
    }

    /// Ends an offered call with a final response.
    pub(super) fn refuse_offered(
        &mut self,
        call: &CallId,
        status: u16,
        retry_after: Option<Duration>,
        cause: EndCause,
    ) {
        let Some(Call::Offered(offered)) = self.take_call(call) else { return };
        let mut response = self.response_of(&offered.request, status, offered.dialog.local_tag());
        if let Some(pause) = retry_after {
            response.headers.push(HeaderName::RetryAfter, pause.as_secs().max(1).to_string());
        }
        self.respond(&offered.invite, &response);
        self.emit(Event::Ended { call: call.clone(), cause });
    }

    /// §9.2: the CANCEL itself is always answered; it only matters while the INVITE has no final response.
    pub(super) fn on_cancel(&mut self, arrival: Arrival) {
        let invite = TransactionKey::of_cancelled(&arrival.request);
        let Some(transaction) = invite.as_ref().and_then(|key| self.servers.get(key)) else {
            return self.refuse_unknown_dialog(&arrival);
        };
        let (is_open, call) = (transaction.is_open(), transaction.call.clone());
        let call = call.filter(|call| self.calls.contains_key(call));
        if let Some(call) = &call {
            self.touch_call(call);
        }
        let tag =
            call.as_ref().and_then(|call| self.calls.get(call)?.local_tag()).unwrap_or(&self.stateless_tag);
        let ok = self.response_of(&arrival.request, 200, tag);
        self.answer_once(&arrival, call.as_ref(), &ok);
        let Some(call) = call.filter(|_| is_open) else { return };
        match self.calls.get(&call) {
            Some(Call::Offered(_)) => self.refuse_offered(&call, 487, None, EndCause::RemoteCancel),
            Some(Call::Established(_)) => self.refuse_change(&call, 487),
            Some(Call::Calling(_)) | None => {}
        }
    }

    /// The 200 to an INVITE, re-INVITE or UPDATE.
    pub(super) fn ok_with_sdp(
        &self,
        request: &Request,
        dialog: &Dialog,
        session: Option<SessionTimer>,
        sdp: Vec<u8>,
    ) -> Response {
        let mut response = self.response_of(request, 200, dialog.local_tag());
        response.headers.push(HeaderName::Contact, self.contact(dialog.local.uri.user.as_deref()));
        self.add_abilities(&mut response.headers);
        if let Some(session) = session {
            session.announce(&mut response);
        }
        if !sdp.is_empty() {
            set_sdp(&mut response, sdp);
        }
        response
    }

    /// Keeps a 200 to an INVITE for repetition until its ACK comes.
    pub(super) fn hold_200(
        &self,
        key: &TransactionKey,
        request: &Request,
        response: &Response,
    ) -> Option<Held200> {
        Some(Held200 {
            timer: Unacknowledged::start(self.now),
            destination: self.servers.get(key)?.answer_to,
            bytes: response.to_bytes(),
            cseq: request.headers.cseq()?.number,
            is_offer: request.body.is_empty(),
        })
    }

    fn is_acceptable(&mut self, arrival: &Arrival) -> bool {
        if identity(&arrival.request).is_some_and(|identity| self.identities.contains(&identity)) {
            self.counters.merged_requests += 1;
            self.answer_stateless(arrival, 482);
            return false;
        }
        if !is_known_scheme(&arrival.request.uri.scheme) {
            self.answer_stateless(arrival, 416);
            return false;
        }
        if self.refuse_extensions(arrival) || self.refuse_body(arrival) || self.refuse_brief_session(arrival)
        {
            return false;
        }
        self.has_room_for(arrival)
    }

    fn has_room_for(&mut self, arrival: &Arrival) -> bool {
        if self.is_draining {
            self.counters.refused_while_draining += 1;
        } else if self.calls.len() >= self.config.limits.calls {
            self.counters.calls_full += 1;
        } else {
            return true;
        }
        self.refuse_for_now(arrival);
        false
    }

    pub(super) fn refuse_brief_session(&mut self, arrival: &Arrival) -> bool {
        let is_too_brief = session_timer::is_too_brief(&arrival.request);
        if is_too_brief {
            let mut response = self.response(&arrival.request, 422);
            response.headers.push(HeaderName::MinSe, MIN_SESSION_SECONDS.to_string());
            self.answer_once(arrival, None, &response);
        }
        is_too_brief
    }

    fn offer_call(&mut self, call: CallId, invite: TransactionKey, arrival: Arrival, dialog: Dialog) {
        let Arrival { mut request, source, .. } = arrival;
        let gateway = self.config.gateway_at(source);
        let auth = Authentication::new(gateway.and_then(credentials_of));
        let gateway = gateway.map(|gateway| gateway.id.clone());
        let incoming = incoming_call(&call, gateway, source, &request, &dialog);
        // Later looks at the request only ask whether there was an offer.
        request.body.truncate(1);
        self.dialogs.insert(dialog.local_tag().to_owned(), call.clone());
        let decide_until = self.now + MAX_OFFERED;
        let offered = Offered { invite, request, dialog, auth, decide_until };
        self.calls.insert(call.clone(), Call::Offered(Box::new(offered)));
        self.rearm(Entry::Call(call));
        self.emit(Event::Incoming(Box::new(incoming)));
    }

    fn early_response(&self, call: &CallId, status: u16) -> Option<Response> {
        let Some(Call::Offered(offered)) = self.calls.get(call) else { return None };
        let mut response = self.response_of(&offered.request, status, offered.dialog.local_tag());
        let user = offered.dialog.local.uri.user.as_deref();
        response.headers.push(HeaderName::Contact, self.contact(user));
        Some(response)
    }
}

fn incoming_call(
    call: &CallId,
    gateway: Option<GatewayId>,
    source: SocketAddr,
    request: &Request,
    dialog: &Dialog,
) -> IncomingCall {
    IncomingCall {
        call: call.clone(),
        gateway,
        source,
        from: caller_number(&request.headers),
        to: number_of(&request.uri),
        offer: (!request.body.is_empty()).then(|| request.body.clone()),
        dialog: dialog.snapshot(),
    }
}

/// The From, or what the network asserts when the caller wants to stay anonymous.
fn caller_number(headers: &Headers) -> PhoneNumber {
    let from = headers.from_addr().map(|from| from.uri);
    let is_named = from.as_ref().and_then(|uri| uri.user.as_deref()).is_some_and(|user| user != "anonymous");
    let asserted = headers.addresses(&HeaderName::PAssertedIdentity).into_iter().next().map(|held| held.uri);
    let uri = if is_named { from } else { asserted.or(from) };
    uri.as_ref().map_or_else(|| PhoneNumber::new(""), number_of)
}

/// The user part without its parameters (`+49170;phone-context=…`).
fn number_of(uri: &Uri) -> PhoneNumber {
    let user = uri.user_text().unwrap_or_default();
    PhoneNumber::new(user.split(';').next().unwrap_or_default())
}
