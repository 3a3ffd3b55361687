//! An arriving request finds its transaction, its call, or the answer for those that have neither.

use std::net::SocketAddr;

use super::Endpoint;
use super::schedule::Entry;
use super::send::SDP;
use super::transactions::{ServerMachine, ServerTransaction, TransactionKey, identity, tag_of};
use crate::domain::CallId;
use crate::sip::parse::scan;
use crate::sip::transaction::{InviteServer, NonInviteServer, OnAck, OnRepeat};
use crate::sip::{HeaderName, Headers, Method, Request, Response, Scheme};

const DEFAULT_PORT: u16 = 5060;
/// What a refused caller is asked to wait when we are full or stopping.
const RETRY_AFTER_SECONDS: &str = "5";
const SUPPORTED_EXTENSIONS: [&str; 1] = ["timer"];

/// A request on its way to whoever answers it.
pub(super) struct Arrival {
    pub(super) request: Request,
    pub(super) source: SocketAddr,
    /// Where its responses go.
    pub(super) answer_to: SocketAddr,
    pub(super) key: TransactionKey,
}

impl Endpoint {
    pub(super) fn on_request(&mut self, mut request: Request, source: SocketAddr) {
        let Some(key) = TransactionKey::of_request(&request) else { return };
        let answer_to = stamp_source(&mut request, source);
        let arrival = Arrival { request, source, answer_to, key };
        if arrival.request.method == Method::Ack {
            return self.on_ack(&arrival);
        }
        if self.servers.contains_key(&arrival.key) {
            return self.on_repeated(&arrival.key);
        }
        let to_tag = tag_of(arrival.request.headers.to_addr());
        if arrival.request.method == Method::Cancel {
            self.on_cancel(arrival);
        } else if to_tag.is_empty() {
            self.out_of_dialog(arrival);
        } else {
            self.in_dialog(arrival, &to_tag);
        }
    }

    /// Opens the transaction of a request that will be answered; `None` when there is no place, which is answered.
    pub(super) fn open_server(&mut self, arrival: &Arrival, call: Option<CallId>) -> Option<TransactionKey> {
        if self.servers.len() >= self.config.limits.transactions {
            self.counters.transactions_full += 1;
            self.refuse_for_now(arrival);
            return None;
        }
        let is_invite = arrival.request.method == Method::Invite;
        let machine = if is_invite {
            ServerMachine::Invite(InviteServer::start())
        } else {
            ServerMachine::Other(NonInviteServer::start())
        };
        // Within a dialog the CSeq already tells a repeated INVITE.
        let begins_call = is_invite && tag_of(arrival.request.headers.to_addr()).is_empty();
        let identity = if begins_call { identity(&arrival.request) } else { None };
        self.identities.extend(identity.clone());
        let transaction =
            ServerTransaction { machine, answer_to: arrival.answer_to, last: None, call, identity };
        self.servers.insert(arrival.key.clone(), transaction);
        self.touched.push(Entry::Server(arrival.key.clone()));
        Some(arrival.key.clone())
    }

    /// Answers a request at once, in a transaction that repeats the answer when asked again.
    pub(super) fn answer_once(&mut self, arrival: &Arrival, call: Option<&CallId>, response: &Response) {
        if let Some(key) = self.open_server(arrival, call.cloned()) {
            self.respond(&key, response);
        }
    }

    /// Answers without keeping anything.
    pub(super) fn answer_stateless(&mut self, arrival: &Arrival, status: u16) {
        let response = self.response(&arrival.request, status);
        self.transmit(arrival.answer_to, response.to_bytes());
    }

    /// 503: another time.
    pub(super) fn refuse_for_now(&mut self, arrival: &Arrival) {
        let mut response = self.response(&arrival.request, 503);
        response.headers.push(HeaderName::RetryAfter, RETRY_AFTER_SECONDS);
        self.transmit(arrival.answer_to, response.to_bytes());
    }

    /// 481, as often as the sender may be answered.
    pub(super) fn refuse_unknown_dialog(&mut self, arrival: &Arrival) {
        self.counters.unknown_dialogs += 1;
        let source = arrival.source.ip();
        if self.config.trusts(source) || self.may_refuse_stranger(source) {
            self.answer_stateless(arrival, 481);
        }
    }

    /// 420 with the names of what we do not know; false when there are none.
    pub(super) fn refuse_extensions(&mut self, arrival: &Arrival) -> bool {
        let unknown = unsupported_extensions(&arrival.request.headers);
        if unknown.is_empty() {
            return false;
        }
        let mut response = self.response(&arrival.request, 420);
        for name in unknown {
            response.headers.push(HeaderName::Unsupported, name);
        }
        self.answer_once(arrival, None, &response);
        true
    }

    /// 415 or 413 for a body that is no SDP of sane length; false when it is fine.
    pub(super) fn refuse_body(&mut self, arrival: &Arrival) -> bool {
        let request = &arrival.request;
        let status = if request.body.len() > self.config.limits.body_bytes {
            self.counters.bodies_too_long += 1;
            413
        } else if !request.body.is_empty() && content_type(&request.headers) != SDP {
            415
        } else {
            return false;
        };
        let mut response = self.response(request, status);
        response.headers.push(HeaderName::Accept, SDP);
        self.answer_once(arrival, None, &response);
        true
    }

    fn on_repeated(&mut self, key: &TransactionKey) {
        self.touched.push(Entry::Server(key.clone()));
        let Some(transaction) = self.servers.get(key) else { return };
        if let (OnRepeat::Resend, Some(bytes)) = (transaction.on_repeat(), transaction.last.clone()) {
            let destination = transaction.answer_to;
            self.transmit(destination, bytes);
        }
    }

    /// An ACK ends the transaction of a refusal, or goes to the call whose 200 it acknowledges.
    fn on_ack(&mut self, arrival: &Arrival) {
        if let Some(transaction) = self.servers.get_mut(&arrival.key) {
            self.touched.push(Entry::Server(arrival.key.clone()));
            let action = transaction.on_ack(self.now);
            self.rearm(Entry::Server(arrival.key.clone()));
            if action == OnAck::Absorb {
                return;
            }
        }
        self.on_ack_of_200(arrival);
    }

    fn out_of_dialog(&mut self, arrival: Arrival) {
        if !self.config.trusts(arrival.source.ip()) {
            return self.on_stranger(&arrival);
        }
        let request = &arrival.request;
        if request.headers.number(&HeaderName::MaxForwards) == Some(0) && request.method != Method::Options {
            return self.answer_stateless(&arrival, 483);
        }
        match &request.method {
            Method::Invite => self.on_invite(arrival),
            Method::Options => self.on_options(&arrival),
            Method::Bye | Method::Info | Method::Update | Method::Prack => {
                self.refuse_unknown_dialog(&arrival)
            }
            method @ (Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_)) => self.answer_stateless(&arrival, refusal_of_method(method)),
        }
    }

    fn on_stranger(&mut self, arrival: &Arrival) {
        if !self.may_refuse_stranger(arrival.source.ip()) {
            return;
        }
        if arrival.request.method == Method::Options {
            self.on_options(arrival);
        } else {
            self.answer_stateless(arrival, 403);
        }
    }

    pub(super) fn on_options(&mut self, arrival: &Arrival) {
        if self.is_draining {
            self.counters.refused_while_draining += 1;
            return self.refuse_for_now(arrival);
        }
        let mut response = self.response(&arrival.request, 200);
        self.add_abilities(&mut response.headers);
        self.transmit(arrival.answer_to, response.to_bytes());
    }
}

/// Notes in the top Via where the request came from and says where its responses go: to the source's port when the
/// sender asked for it (RFC 3581) or is behind an address translator, else to the port it named (§18.2.2).
pub(super) fn stamp_source(request: &mut Request, source: SocketAddr) -> SocketAddr {
    let Some(mut via) = request.headers.top_via() else { return source };
    let is_truthful = scan::host_address(&via.host) == Some(source.ip());
    let answer_to = if via.wants_rport() || !is_truthful {
        source
    } else {
        SocketAddr::new(source.ip(), via.port.unwrap_or(DEFAULT_PORT))
    };
    via.stamp_source(source.ip(), source.port());
    request.headers.replace_first(&HeaderName::Via, via.to_string());
    answer_to
}

/// In lower case, without parameters.
pub(super) fn content_type(headers: &Headers) -> String {
    let value = headers.get(&HeaderName::ContentType).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(super) fn is_known_scheme(scheme: &Scheme) -> bool {
    matches!(scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel)
}

/// We do not serve it (405, known to RFCs) or do not even know it (501).
pub(super) fn refusal_of_method(method: &Method) -> u16 {
    if matches!(method, Method::Other(_)) { 501 } else { 405 }
}

fn unsupported_extensions(headers: &Headers) -> Vec<String> {
    let is_unknown = |name: &&str| !SUPPORTED_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(name));
    headers.all(&HeaderName::Require).filter(is_unknown).map(str::to_owned).collect()
}
