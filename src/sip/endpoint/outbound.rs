//! Calls we place, until they are answered, refused or given up.

use std::net::SocketAddr;

use super::auth::{Authentication, renumbered};
use super::calls::{Call, Calling, Established};
use super::requests::content_type;
use super::schedule::Entry;
use super::send::{ALLOWED_METHODS, SDP, TAG_LENGTH};
use super::transactions::{AcceptedFork, Attempt, MAX_ACCEPTED_FORKS, Purpose, TransactionKey, tag_of};
use super::{EndCause, Endpoint, Event, Gateway, PlaceCall};
use crate::domain::CallId;
use crate::sip::dialog::{Dialog, DialogSnapshot, socket_address};
use crate::sip::digest::Credentials;
use crate::sip::transaction::TRANSACTION_TIMEOUT;
use crate::sip::{CSeq, HeaderName, Method, NameAddr, Request, Response, Scheme, Uri};

const CALL_ID_LENGTH: usize = 24;
/// Redirections one call follows.
const MAX_REDIRECTS: u8 = 2;
/// How much of a peer's reason phrase is kept.
const MAX_REASON_CHARACTERS: usize = 64;

impl Endpoint {
    pub(super) fn place(&mut self, place: PlaceCall) {
        if self.calls.contains_key(&place.call) {
            self.counters.stale_commands += 1;
            return;
        }
        let call = place.call.clone();
        if let Err(status) = self.try_place(place) {
            self.emit(Event::Ended { call, cause: EndCause::Refused { status } });
        }
    }

    fn try_place(&mut self, place: PlaceCall) -> Result<(), u16> {
        self.check_room_to_place()?;
        let gateway = self.config.gateway(&place.gateway).cloned().ok_or(404_u16)?;
        let uri = target_uri(&place.target, &gateway.domain).ok_or(484_u16)?;
        let call = place.call.clone();
        let request = self.invite(place, &gateway, uri);
        let auth = Authentication::new(credentials_of(&gateway));
        let attempt = Attempt { waiting: Some(call.clone()), auth, redirects_left: MAX_REDIRECTS };
        let invite = self.send_request(request, gateway.address, Purpose::Invite(Box::new(attempt)));
        let ring_until = self.now + self.config.ring_timeout;
        self.calls.insert(call.clone(), Call::Calling(Calling { invite, ring_until, has_rung: false }));
        self.touch_call(&call);
        self.rearm(Entry::Call(call));
        Ok(())
    }

    fn check_room_to_place(&mut self) -> Result<(), u16> {
        let limits = &self.config.limits;
        if self.is_draining {
            self.counters.refused_while_draining += 1;
        } else if self.calls.len() >= limits.calls {
            self.counters.calls_full += 1;
        } else if self.clients.len() >= limits.transactions {
            self.counters.transactions_full += 1;
        } else {
            return Ok(());
        }
        Err(503)
    }

    fn invite(&mut self, place: PlaceCall, gateway: &Gateway, uri: Uri) -> Request {
        let user = place.from_user.unwrap_or_else(|| gateway.user.clone());
        let from_uri = Uri::sip(Some(&user), &gateway.domain, None);
        let contact = self.contact(from_uri.user.as_deref());
        let mut from = NameAddr::new(from_uri).with_tag(&self.entropy.token(TAG_LENGTH));
        from.display = place.from_display;
        let mut request = Request::new(Method::Invite, uri.clone());
        let headers = &mut request.headers;
        headers.push(HeaderName::From, from.to_string());
        headers.push(HeaderName::To, NameAddr::new(uri).to_string());
        headers.push(HeaderName::CallId, self.entropy.token(CALL_ID_LENGTH));
        headers.push(HeaderName::CSeq, CSeq { number: 1, method: Method::Invite }.to_string());
        headers.push(HeaderName::Contact, contact);
        headers.push(HeaderName::Allow, ALLOWED_METHODS.join(", "));
        headers.push(HeaderName::Accept, SDP);
        if let Some(offer) = place.offer {
            headers.push(HeaderName::ContentType, SDP);
            request.body = offer;
        }
        request
    }

    pub(super) fn on_invite_response(&mut self, key: &TransactionKey, response: &Response) {
        if let Some(call) = self.waiting_call(key) {
            self.touch_call(&call);
        }
        match response.status {
            ..200 => self.on_progress(key, response),
            200..300 => self.on_accepted(key, response),
            300.. => self.on_refused(key, response),
        }
    }

    /// Nobody waits for this INVITE any more: cancels it as soon as that is allowed (§9.1).
    pub(super) fn abandon(&mut self, key: &TransactionKey) {
        let Some(transaction) = self.clients.get_mut(key) else { return };
        if let Purpose::Invite(attempt) = &mut transaction.purpose {
            attempt.waiting = None;
        }
        self.cancel_if_allowed(key);
    }

    fn cancel_if_allowed(&mut self, key: &TransactionKey) {
        let Some(transaction) = self.clients.get_mut(key).filter(|held| held.may_cancel()) else { return };
        transaction.cancelled_until = Some(self.now + TRANSACTION_TIMEOUT);
        let (cancel, destination) = (transaction.cancel(), transaction.destination);
        self.rearm(Entry::Client(key.clone()));
        let branch = cancel.headers.top_via().and_then(|via| via.branch().map(str::to_owned));
        let cancel_key = TransactionKey::of_client(&Method::Cancel, &branch.unwrap_or_default());
        self.send_dressed(cancel_key, cancel, destination, Purpose::Nothing);
    }

    fn on_progress(&mut self, key: &TransactionKey, response: &Response) {
        let Some(call) = self.waiting_call(key) else { return self.cancel_if_allowed(key) };
        let Some(Call::Calling(calling)) = self.calls.get_mut(&call) else { return };
        if response.status == 180 && !calling.has_rung {
            calling.has_rung = true;
            let dialog = self.early_dialog(key, response);
            self.emit(Event::Ringing { call: call.clone(), dialog });
        }
        if let Some(sdp) = self.sdp_of(response) {
            self.emit(Event::EarlyMedia { call, sdp });
        }
    }

    fn early_dialog(&self, key: &TransactionKey, response: &Response) -> Option<DialogSnapshot> {
        response.headers.to_addr()?.tag()?;
        let transaction = self.clients.get(key)?;
        Dialog::of_caller(&transaction.request, response, transaction.destination)
            .map(|dialog| dialog.snapshot())
    }

    /// The first 2xx makes the call; that of another fork, or one that crossed our CANCEL, is acknowledged and ended
    /// (§13.2.2.4). A repeated 2xx gets its ACK again.
    fn on_accepted(&mut self, key: &TransactionKey, response: &Response) {
        let remote_tag = tag_of(response.headers.to_addr());
        if self.acknowledge_again(key, &remote_tag) {
            return;
        }
        let Some((dialog, auth)) = self.acknowledge(key, remote_tag, response) else { return };
        let Some(transaction) = self.clients.get_mut(key) else { return };
        let Purpose::Invite(attempt) = &mut transaction.purpose else { return };
        match attempt.waiting.take() {
            Some(call) => self.establish(call, dialog, auth, response),
            None => self.send_bye(dialog, auth),
        }
    }

    fn acknowledge_again(&mut self, key: &TransactionKey, remote_tag: &str) -> bool {
        let forks = self.clients.get(key).map(|held| held.accepted.as_slice()).unwrap_or_default();
        let Some(fork) = forks.iter().find(|fork| fork.remote_tag == remote_tag) else { return false };
        let (destination, ack) = (fork.destination, fork.ack.clone());
        self.transmit(destination, ack);
        true
    }

    fn acknowledge(
        &mut self,
        key: &TransactionKey,
        remote_tag: String,
        response: &Response,
    ) -> Option<(Dialog, Authentication)> {
        let transaction = self.clients.get(key)?;
        if transaction.accepted.len() >= MAX_ACCEPTED_FORKS {
            self.counters.forks_ignored += 1;
            return None;
        }
        let Purpose::Invite(attempt) = &transaction.purpose else { return None };
        let auth = attempt.auth.clone();
        let dialog = Dialog::of_caller(&transaction.request, response, transaction.destination)?;
        let mut ack = dialog.ack(dialog.local_cseq);
        copy_credentials(&transaction.request, &mut ack);
        self.dress(&mut ack);
        let (destination, ack) = (dialog.next_hop(), ack.to_bytes());
        self.transmit(destination, ack.clone());
        self.clients.get_mut(key)?.accepted.push(AcceptedFork { remote_tag, destination, ack });
        Some((dialog, auth))
    }

    fn establish(&mut self, call: CallId, dialog: Dialog, auth: Authentication, response: &Response) {
        let (snapshot, sdp) = (dialog.snapshot(), self.sdp_of(response));
        self.dialogs.insert(dialog.local_tag().to_owned(), call.clone());
        let mut established = Established::new(dialog, auth);
        established.is_confirmed = true;
        self.calls.insert(call.clone(), Call::Established(Box::new(established)));
        self.rearm(Entry::Call(call.clone()));
        self.emit(Event::Answered { call, sdp, dialog: snapshot });
    }

    fn on_refused(&mut self, key: &TransactionKey, response: &Response) {
        let Some(call) = self.waiting_call(key) else { return };
        let retried = match response.status {
            401 | 407 => self.retry_with_credentials(key, response),
            300..=399 => self.follow_redirect(key, response),
            _ => None,
        };
        match retried {
            Some(invite) => {
                if let Some(Call::Calling(calling)) = self.calls.get_mut(&call) {
                    calling.invite = invite;
                }
            }
            None => self.end_call(&call, cause_of_refusal(response)),
        }
    }

    fn retry_with_credentials(
        &mut self,
        key: &TransactionKey,
        response: &Response,
    ) -> Option<TransactionKey> {
        let cnonce = self.cnonce();
        let (request, destination, mut attempt) = self.take_attempt(key)?;
        let retry = attempt.auth.retry(&request, response, &cnonce)?;
        Some(self.send_request(retry, destination, Purpose::Invite(attempt)))
    }

    /// The first Contact that can be called over UDP; a host that is a name is left to the gateway to find.
    fn follow_redirect(&mut self, key: &TransactionKey, response: &Response) -> Option<TransactionKey> {
        let is_usable = |contact: &NameAddr| {
            let transport = contact.uri.transport().unwrap_or("udp");
            contact.uri.scheme == Scheme::Sip && transport.eq_ignore_ascii_case("udp")
        };
        let target = response.headers.addresses(&HeaderName::Contact).into_iter().find(is_usable)?.uri;
        let (request, destination, mut attempt) = self.take_attempt(key)?;
        attempt.redirects_left = attempt.redirects_left.checked_sub(1)?;
        let mut retry = renumbered(&request)?;
        let destination = socket_address(&target).unwrap_or(destination);
        retry.uri = target;
        Some(self.send_request(retry, destination, Purpose::Invite(attempt)))
    }

    /// Takes what a further attempt needs from the transaction of one that failed.
    fn take_attempt(&mut self, key: &TransactionKey) -> Option<(Request, SocketAddr, Box<Attempt>)> {
        let transaction = self.clients.get_mut(key)?;
        let (request, destination) = (transaction.request.clone(), transaction.destination);
        match std::mem::replace(&mut transaction.purpose, Purpose::Nothing) {
            Purpose::Invite(attempt) => Some((request, destination, attempt)),
            Purpose::Bye(_) | Purpose::Register(_) | Purpose::Nothing => None,
        }
    }

    fn waiting_call(&self, key: &TransactionKey) -> Option<CallId> {
        match &self.clients.get(key)?.purpose {
            Purpose::Invite(attempt) => attempt.waiting.clone(),
            Purpose::Bye(_) | Purpose::Register(_) | Purpose::Nothing => None,
        }
    }

    fn sdp_of(&self, response: &Response) -> Option<Vec<u8>> {
        let is_sane = !response.body.is_empty() && response.body.len() <= self.config.limits.body_bytes;
        (is_sane && content_type(&response.headers) == SDP).then(|| response.body.clone())
    }
}

pub(super) fn credentials_of(gateway: &Gateway) -> Option<Credentials> {
    let password = gateway.password.clone()?;
    Some(Credentials { username: gateway.user.clone(), password })
}

/// A `sip:` or `tel:` address as it is, anything else as a number at the gateway.
fn target_uri(target: &str, domain: &str) -> Option<Uri> {
    let target = target.trim();
    match target.split_once(':') {
        Some(("sip" | "sips" | "SIP" | "SIPS", _)) => target.parse().ok(),
        Some(("tel", number)) => Some(Uri::sip(Some(number), domain, None)),
        Some(_) => None,
        None => (!target.is_empty()).then(|| Uri::sip(Some(target), domain, None)),
    }
}

fn cause_of_refusal(response: &Response) -> EndCause {
    match response.status {
        401 | 407 => EndCause::AuthenticationFailed,
        status => EndCause::Rejected { status, reason: printable(&response.reason) },
    }
}

/// A peer's words may reach a log: only plain characters, and not many.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_REASON_CHARACTERS).collect()
}

/// §13.2.2.4: the ACK of a 2xx carries the credentials of its INVITE.
fn copy_credentials(from: &Request, to: &mut Request) {
    for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
        for value in from.headers.all(&name) {
            to.headers.push(name.clone(), value);
        }
    }
}
