//! Everything that leaves: outputs, responses and requests with the headers that all of them carry.

use std::net::{IpAddr, SocketAddr};

use super::auth::Authentication;
use super::schedule::Entry;
use super::transactions::{ClientTransaction, Purpose, TransactionKey};
use super::{Endpoint, Event, Output};
use crate::sip::dialog::Dialog;
use crate::sip::header::BRANCH_COOKIE;
use crate::sip::{HeaderName, Headers, Method, NameAddr, Request, Response, Transport, Uri, Via};

pub(super) const ALLOWED_METHODS: [&str; 7] = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE", "INFO"];
pub(super) const SDP: &str = "application/sdp";

const BRANCH_LENGTH: usize = 20;
pub(super) const TAG_LENGTH: usize = 16;
const CNONCE_LENGTH: usize = 16;
const MAX_FORWARDS: &str = "70";

impl Endpoint {
    pub(super) fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn transmit(&mut self, destination: SocketAddr, bytes: Vec<u8>) {
        self.outputs.push_back(Output::Transmit { destination, bytes });
    }

    /// A response whose To has a tag (the stateless one where the request brought none). A 100 needs no tag.
    pub(super) fn response(&self, request: &Request, status: u16) -> Response {
        self.response_of(request, status, &self.stateless_tag)
    }

    pub(super) fn response_of(&self, request: &Request, status: u16, local_tag: &str) -> Response {
        let mut response = Response::to_request(request, status);
        if let Some(to) = response.headers.to_addr().filter(|to| to.tag().is_none() && status != 100) {
            response.headers.set(HeaderName::To, to.with_tag(local_tag).to_string());
        }
        response.headers.push(HeaderName::Server, &self.config.user_agent);
        if status == 405 {
            response.headers.push(HeaderName::Allow, ALLOWED_METHODS.join(", "));
        }
        response
    }

    /// What a peer learns of us with a 2xx to INVITE, UPDATE or OPTIONS.
    pub(super) fn add_abilities(&self, headers: &mut Headers) {
        headers.push(HeaderName::Allow, ALLOWED_METHODS.join(", "));
        headers.push(HeaderName::Supported, "timer");
        headers.push(HeaderName::Accept, SDP);
    }

    /// Sends a response within its transaction.
    pub(super) fn respond(&mut self, key: &TransactionKey, response: &Response) {
        let Some(transaction) = self.servers.get_mut(key) else { return };
        let bytes = response.to_bytes();
        transaction.on_send(response.status, self.now);
        transaction.last = Some(bytes.clone());
        let destination = transaction.answer_to;
        self.transmit(destination, bytes);
        self.rearm(Entry::Server(key.clone()));
    }

    /// Sends a new request in a new transaction. Where there is no place for one it leaves once, unrepeated: a lost
    /// BYE is better than growth without a bound.
    pub(super) fn send_request(
        &mut self,
        mut request: Request,
        destination: SocketAddr,
        purpose: Purpose,
    ) -> TransactionKey {
        let branch = self.dress(&mut request);
        let key = TransactionKey::of_client(&request.method, &branch);
        self.send_dressed(key.clone(), request, destination, purpose);
        key
    }

    /// Sends a request that has its Via already: a CANCEL shares its INVITE's.
    pub(super) fn send_dressed(
        &mut self,
        key: TransactionKey,
        request: Request,
        destination: SocketAddr,
        purpose: Purpose,
    ) {
        let transaction = ClientTransaction::start(request, destination, purpose, self.now);
        self.transmit(destination, transaction.bytes.clone());
        if self.clients.len() >= self.config.limits.transactions {
            self.counters.transactions_full += 1;
            return;
        }
        self.clients.insert(key.clone(), transaction);
        self.rearm(Entry::Client(key));
    }

    /// Gives a request its Via with a fresh branch, in place of an older one, and what every request carries.
    pub(super) fn dress(&mut self, request: &mut Request) -> String {
        let branch = format!("{BRANCH_COOKIE}{}", self.entropy.token(BRANCH_LENGTH));
        let (host, port) = self.advertised();
        let via = Via::new(Transport::Udp, host, Some(port), &branch);
        request.headers.remove(&HeaderName::Via);
        request.headers.prepend(HeaderName::Via, via.to_string());
        request.headers.set(HeaderName::MaxForwards, MAX_FORWARDS);
        request.headers.set(HeaderName::UserAgent, &self.config.user_agent);
        branch
    }

    pub(super) fn send_bye(&mut self, mut dialog: Dialog, mut auth: Authentication) {
        let mut bye = dialog.next_request(Method::Bye);
        let cnonce = self.cnonce();
        auth.begin(&mut bye, &cnonce);
        self.send_request(bye, dialog.next_hop(), Purpose::Bye(Box::new(auth)));
    }

    pub(super) fn contact(&self, user: Option<&str>) -> String {
        let (host, port) = self.advertised();
        let uri = Uri { user: user.map(str::to_owned), ..Uri::sip(None, host, Some(port)) };
        NameAddr::new(uri).to_string()
    }

    pub(super) fn cnonce(&mut self) -> String {
        self.entropy.token(CNONCE_LENGTH)
    }

    pub(super) fn advertised(&self) -> (String, u16) {
        let host = match self.config.advertise.ip() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        (host, self.config.advertise.port())
    }
}

pub(super) fn set_sdp(response: &mut Response, sdp: Vec<u8>) {
    response.headers.set(HeaderName::ContentType, SDP);
    response.body = sdp;
}
