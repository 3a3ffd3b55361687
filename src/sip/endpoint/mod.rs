//! The one machine that holds every SIP transaction, dialog, call and registration of an engine.
//!
//! A datagram passes the gates (`receive`: token bucket, then parser), finds its transaction (`responses`, `requests`),
//! and what the transaction calls news goes to the subject it belongs to: an incoming call (`inbound`), a placed one
//! (`outbound`), an established one (`in_dialog`, and `changes` for its offers), a registration (`registrars`), a call of an
//! engine that is gone (`lost`).
//! Commands come in from the other side and meet the same subjects. Everything that leaves does so through `send`.
//!
//! What needs no decision is answered here: ACK, BYE, CANCEL, OPTIONS, INFO, session refreshes, repetitions, and all
//! that is refused. What needs one becomes an [`Event`]. A call's last event is [`Event::Ended`], and it comes at
//! once: what the protocol still wants done (CANCEL and its 487, the BYE of a fork that answers too late, repeated
//! ACKs) is the transaction's own affair, which no longer needs the call.
//!
//! Strangers never cause state: an INVITE is taken only from a gateway's address or an allowed one, anything else of
//! others is answered statelessly within a rate, then ignored.
//!
//! After a panic inside [`Endpoint::handle`] the shell calls [`Endpoint::discard_touched`]: the transaction and call
//! that were being touched are lost, the tables go on.
//!
//! Left out: 100rel (a request that requires it gets 420), PRACK, REFER, subscriptions, DNS (gateways are resolved
//! beforehand), TCP and TLS, being the refresher of a session timer, and re-INVITEs of our own.
//!
//! RFC 3261, 3581 (rport), 4028 (session timers, answering side), 6026 (Accepted), 3311 (UPDATE), 2976 (INFO).

mod auth;
mod calls;
mod changes;
mod config;
mod counters;
mod dtmf;
mod faults;
mod in_dialog;
mod inbound;
mod interface;
mod lost;
mod outbound;
mod receive;
mod registrars;
mod requests;
mod responses;
mod schedule;
mod send;
mod session_timer;
mod timeouts;
mod transactions;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

pub use config::{DEFAULT_RING_TIMEOUT, EndpointConfig, EndpointLimits, Gateway};
pub use counters::{Counters, Sizes};
pub use interface::{Command, EndCause, Event, IncomingCall, Input, Output, PlaceCall};

use super::transaction::T2;
use crate::domain::{CallId, Entropy, GatewayId};
use calls::Call;
use receive::Gates;
use registrars::Registrar;
use schedule::{Entry, Schedule};
use transactions::{ClientTransaction, ServerTransaction, TransactionKey};

const STATELESS_TAG_LENGTH: usize = 16;
const FORGETTING_STEP: Duration = Duration::from_millis(500);

pub struct Endpoint {
    config: EndpointConfig,
    entropy: Entropy,
    new_call_id: Box<dyn FnMut() -> CallId + Send>,
    began: Instant,
    /// The time of the input being handled.
    now: Instant,
    /// Keyed by our own branches.
    clients: HashMap<TransactionKey, ClientTransaction>,
    /// Keyed by what peers choose: the collision-resistant hasher matters.
    servers: HashMap<TransactionKey, ServerTransaction>,
    /// The identities of the INVITEs in `servers`, by which one that took two paths is recognised.
    identities: HashSet<String>,
    calls: HashMap<CallId, Call>,
    /// By our own tag, which nobody can guess.
    dialogs: HashMap<String, CallId>,
    registrars: HashMap<GatewayId, Registrar>,
    schedule: Schedule,
    gates: Gates,
    outputs: VecDeque<Output>,
    counters: Counters,
    /// What the input being handled has touched, for [`Endpoint::discard_touched`].
    touched: Vec<Entry>,
    /// The To tag of everything answered without state: the same for a repeated request, as RFC 3261 §8.2.7 wants.
    stateless_tag: String,
    is_draining: bool,
    #[cfg(test)]
    panics_at: Option<CallId>,
}

impl Endpoint {
    pub fn new(
        config: EndpointConfig,
        mut entropy: Entropy,
        new_call_id: Box<dyn FnMut() -> CallId + Send>,
        now: Instant,
    ) -> Self {
        let stateless_tag = entropy.token(STATELESS_TAG_LENGTH);
        let gates = Gates::new(&config.limits);
        let mut endpoint = Self {
            config,
            entropy,
            new_call_id,
            began: now,
            now,
            clients: HashMap::new(),
            servers: HashMap::new(),
            identities: HashSet::new(),
            calls: HashMap::new(),
            dialogs: HashMap::new(),
            registrars: HashMap::new(),
            schedule: Schedule::default(),
            gates,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            touched: Vec::new(),
            stateless_tag,
            is_draining: false,
            #[cfg(test)]
            panics_at: None,
        };
        endpoint.start_registrars();
        endpoint
    }

    /// Changes the state once; drain [`Endpoint::poll_output`] afterwards, then ask [`Endpoint::next_timeout`].
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.now = now;
        self.touched.clear();
        match input {
            Input::Datagram { source, bytes } => self.receive(source, bytes),
            Input::Command(command) => self.command(command),
            Input::Timeout => self.ring_due(),
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.schedule.next()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many gateways hold a registration of ours.
    pub fn registered(&self) -> usize {
        self.registrars.values().filter(|registrar| registrar.is_registered()).count()
    }

    /// How many requests of ours wait for their final response: a BYE that nobody answered is repeated.
    pub fn unanswered(&self) -> usize {
        self.clients.values().filter(|transaction| transaction.is_open()).count()
    }

    pub fn sizes(&self) -> Sizes {
        Sizes {
            calls: self.calls.len(),
            dialogs: self.dialogs.len(),
            client_transactions: self.clients.len(),
            server_transactions: self.servers.len(),
            sources: self.gates.sources(),
            timers: self.schedule.transient(),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Place(place) => self.place(place),
            Command::Ring { call } => self.ring(&call),
            Command::EarlyMedia { call, sdp } => self.early_media(&call, sdp),
            Command::Answer { call, sdp } => self.answer_call(&call, sdp),
            Command::Reject { call, status, retry_after } => self.reject(&call, status, retry_after),
            Command::AnswerOffer { call, sdp } => self.answer_offer(&call, sdp),
            Command::RejectOffer { call, status } => self.reject_offer(&call, status),
            Command::HangUp { call } => self.hang_up(&call),
            Command::Forget { call } => self.forget(&call),
            Command::EndLost { dialog } => self.end_lost(&dialog),
            Command::Drain => self.drain(),
            Command::LimitCalls(calls) => self.config.limits.calls = calls,
        }
    }

    /// Winds up an entry's timer again after the entry was touched or removed.
    fn rearm(&mut self, entry: Entry) {
        let at = match &entry {
            Entry::Client(key) => {
                let at = self.clients.get(key).and_then(ClientTransaction::next_timeout);
                at.map(|at| self.together_with_others(at))
            }
            Entry::Server(key) => {
                let at = self.servers.get(key).and_then(ServerTransaction::next_timeout);
                at.map(|at| self.together_with_others(at))
            }
            Entry::Call(call) => self.calls.get(call).and_then(Call::next_timeout),
            Entry::Registrar(gateway) => self.registrars.get(gateway).and_then(Registrar::next_timeout),
            Entry::Gates => self.gates.next_timeout(),
        };
        self.schedule.set(entry, at);
    }

    /// A transaction that only waits to be forgotten does so in one go with others: a busy endpoint would wake for
    /// each of them, half a minute after every call. Nothing is repeated at longer pauses than T2.
    fn together_with_others(&self, at: Instant) -> Instant {
        if at.saturating_duration_since(self.now) <= T2 {
            return at;
        }
        let step = FORGETTING_STEP.as_nanos();
        let steps = at.saturating_duration_since(self.began).as_nanos().div_ceil(step);
        self.began + FORGETTING_STEP * u32::try_from(steps).unwrap_or(u32::MAX)
    }
}
