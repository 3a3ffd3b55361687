//! All routes of one router: the door the UdpRouter knocks on.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::domain::{CallId, Entropy};
use crate::media::rtcp::RtcpReporter;
use crate::media::rtp::RtpPacket;

use super::counters::{Counters, DropReason};
use super::expectation::canonical;
use super::index::PeerIndex;
use super::latch::Latch;
use super::ports::PortPool;
use super::route::{Route, Verdict};
use super::stream::{Framing, OutgoingStream};

pub struct RouteTable {
    ports: PortPool,
    routes: HashMap<u16, Route>,
    port_of_call: HashMap<CallId, u16>,
    peers: PeerIndex,
    counters: Counters,
    entropy: Entropy,
}

/// What a route is opened with.
#[derive(Debug, Clone)]
pub struct NewRoute {
    pub call: CallId,
    /// From [`RouteTable::acquire_port`], or the port of a call that outlived its router.
    pub port: u16,
    /// Ours, as said in the SDP.
    pub ssrc: u32,
    pub cname: String,
    pub framing: Framing,
    pub clock_rate_hz: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("the call has an audio route already")]
    CallHasRoute,
    #[error("the port belongs to another call")]
    PortTaken,
    #[error("the port is odd or outside the range set for media")]
    NotOurPort,
}

impl RouteTable {
    pub fn new(ports: PortPool, entropy: Entropy) -> Self {
        Self {
            ports,
            routes: HashMap::new(),
            port_of_call: HashMap::new(),
            peers: PeerIndex::default(),
            counters: Counters::default(),
            entropy,
        }
    }

    /// A rested port to bind; `None` when all are held or resting: refuse the call.
    pub fn acquire_port(&mut self, now: Instant) -> Option<u16> {
        self.ports.acquire(now)
    }

    /// Gives back an acquired port that could not be bound: another program has it.
    pub fn abandon_port(&mut self, port: u16, now: Instant) {
        if !self.routes.contains_key(&port) {
            self.ports.release(port, None, now);
        }
    }

    /// A call's route is opened once, before its first SDP leaves.
    pub fn open(&mut self, new: NewRoute, now: Instant) -> Result<&mut Route, OpenError> {
        if self.port_of_call.contains_key(&new.call) {
            return Err(OpenError::CallHasRoute);
        }
        if self.routes.contains_key(&new.port) {
            return Err(OpenError::PortTaken);
        }
        if !self.ports.hold(new.port) {
            return Err(OpenError::NotOurPort);
        }
        let NewRoute { call, port, ssrc, cname, framing, clock_rate_hz } = new;
        let latch = Latch::new(self.ports.last_tenant(port, now));
        let stream = OutgoingStream::new(ssrc, framing, &mut self.entropy);
        let reporter = RtcpReporter::new(ssrc, cname, clock_rate_hz, self.entropy.fork(), now);
        self.port_of_call.insert(call.clone(), port);
        Ok(self.routes.entry(port).insert_entry(Route::new(call, port, latch, stream, reporter)).into_mut())
    }

    /// Judges a datagram that came to `port` (a call's own, or the odd one above it).
    pub fn receive<'a>(
        &mut self,
        port: u16,
        source: SocketAddr,
        datagram: &'a [u8],
        now: Instant,
    ) -> Verdict<'a> {
        let source = canonical(source);
        let Some(route) = self.routes.get_mut(&(port & !1)) else {
            return self.receive_homeless(port, source, datagram, now);
        };
        let former = route.tenant();
        let verdict = explained(route.receive(port, source, datagram, now), &self.peers, source, datagram);
        if let (Verdict::Accepted { event: Some(_), .. }, Some(taken)) = (&verdict, route.tenant()) {
            if let Some(former) = former {
                self.peers.remove(former.ssrc, former.source);
            }
            self.peers.insert(taken.ssrc, taken.source);
        }
        route.count(&verdict);
        self.counters.count(&verdict);
        verdict
    }

    /// Ends a call's route. Its port rests; what still comes there is counted as late.
    pub fn close(&mut self, call: &CallId, now: Instant) -> Option<Route> {
        let route = self.routes.remove(&self.port_of_call.remove(call)?)?;
        let tenant = route.tenant();
        if let Some(tenant) = tenant {
            self.peers.remove(tenant.ssrc, tenant.source);
        }
        self.ports.release(route.port(), tenant, now);
        Some(route)
    }

    pub fn route(&self, call: &CallId) -> Option<&Route> {
        self.routes.get(self.port_of_call.get(call)?)
    }

    pub fn route_mut(&mut self, call: &CallId) -> Option<&mut Route> {
        self.routes.get_mut(self.port_of_call.get(call)?)
    }

    /// For the media clock, which knows calls by their ports.
    pub fn route_at_mut(&mut self, port: u16) -> Option<&mut Route> {
        self.routes.get_mut(&port)
    }

    /// Open routes.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.port_of_call.is_empty() && self.peers.is_empty()
    }

    pub fn ports(&self) -> &PortPool {
        &self.ports
    }

    /// Over all routes there ever were.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    fn receive_homeless<'a>(
        &mut self,
        port: u16,
        source: SocketAddr,
        datagram: &'a [u8],
        now: Instant,
    ) -> Verdict<'a> {
        let is_late = self.ports.heard(port, now);
        let reason = if is_late { DropReason::Late } else { DropReason::Unknown };
        let verdict = explained(Verdict::Dropped(reason), &self.peers, source, datagram);
        self.counters.count(&verdict);
        verdict
    }
}

/// Makes a refusal of a stranger more telling where another call's stream explains it.
fn explained<'a>(
    verdict: Verdict<'a>,
    peers: &PeerIndex,
    source: SocketAddr,
    datagram: &[u8],
) -> Verdict<'a> {
    if !matches!(verdict, Verdict::Dropped(DropReason::Foreign | DropReason::Unknown)) {
        return verdict;
    }
    let packet = RtpPacket::parse(datagram);
    let explanation = packet.and_then(|packet| peers.explain(packet.ssrc, source));
    explanation.map_or(verdict, Verdict::Dropped)
}
