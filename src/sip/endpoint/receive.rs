//! From a datagram to a message: the gates, the parser, and what is answered when it fails.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::requests::stamp_source;
use super::schedule::Entry;
use super::{Endpoint, EndpointLimits};
use crate::domain::Gate;
use crate::sip::parse::{ParseError, ParseErrorKind};
use crate::sip::transaction::earliest;
use crate::sip::{Message, parse};

/// Two tables, so that a flood of strangers takes no place from a gateway, and a third for what strangers are told.
#[derive(Debug)]
pub(super) struct Gates {
    trusted: Gate,
    strangers: Gate,
    refusals: Gate,
}

impl Gates {
    pub(super) fn new(limits: &EndpointLimits) -> Self {
        Self {
            trusted: Gate::new(limits.trusted_rate, limits.sources),
            strangers: Gate::new(limits.stranger_rate, limits.sources),
            refusals: Gate::new(limits.refusal_rate, limits.sources),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.all_mut().into_iter().for_each(|gate| gate.handle_timeout(now));
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        earliest(self.all().map(Gate::next_timeout))
    }

    pub(super) fn sources(&self) -> usize {
        self.all().into_iter().map(Gate::sources).sum()
    }

    fn all(&self) -> [&Gate; 3] {
        [&self.trusted, &self.strangers, &self.refusals]
    }

    fn all_mut(&mut self) -> [&mut Gate; 3] {
        [&mut self.trusted, &mut self.strangers, &mut self.refusals]
    }
}

impl Endpoint {
    pub(super) fn receive(&mut self, source: SocketAddr, bytes: &[u8]) {
        if !self.admit(source.ip()) {
            self.counters.rate_limited += 1;
            return;
        }
        match parse(bytes) {
            Ok(Message::Request(request)) => self.on_request(request, source),
            Ok(Message::Response(response)) => self.on_response(&response, source),
            Err(error) => self.on_malformed(error, source),
        }
    }

    /// Whether a stranger may be answered once more; counts either way.
    pub(super) fn may_refuse_stranger(&mut self, source: IpAddr) -> bool {
        let may_answer = self.gates.refusals.admit(source, self.now);
        if may_answer {
            self.counters.strangers_refused += 1;
        } else {
            self.counters.strangers_ignored += 1;
        }
        self.rearm(Entry::Gates);
        may_answer
    }

    fn admit(&mut self, source: IpAddr) -> bool {
        let is_trusted = self.config.trusts(source);
        let gate = if is_trusted { &mut self.gates.trusted } else { &mut self.gates.strangers };
        let is_admitted = gate.admit(source, self.now);
        self.rearm(Entry::Gates);
        is_admitted
    }

    fn on_malformed(&mut self, error: ParseError, source: SocketAddr) {
        if error.kind == ParseErrorKind::KeepAlive {
            return;
        }
        self.counters.malformed += 1;
        let Some(mut request) = error.answerable else { return };
        if self.config.trusts(source.ip()) || self.may_refuse_stranger(source.ip()) {
            let answer_to = stamp_source(&mut request, source);
            let response = self.response(&request, error.kind.status());
            self.transmit(answer_to, response.to_bytes());
        }
    }
}
