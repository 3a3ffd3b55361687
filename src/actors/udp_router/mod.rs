//! Owns the RTP sockets, the tables that say whose packet is whose, and the one clock that paces all audio.
//!
//! Every 5 ms the calls of one phase have their turn: drain the socket, send exactly one frame (voice from the
//! session's playout, or silence), hand the accepted packets to the session in one message that may be dropped. The
//! packet path never waits and never logs per packet. A call's line is stepped under a guard: data that makes it
//! panic costs that call alone.

mod clock;
mod handlers;
mod line;
mod messages;
mod sockets;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Instant;

use actix::prelude::*;

use crate::clock as time;
use crate::domain::{CallId, Entropy};
use crate::media::codec::{Codec, LEG_RATE_HZ};
use crate::media::routes::{Framing, NewRoute, PortPool, RouteTable};
use crate::telemetry::{self, Counter};

use super::Directory;
use super::call_supervisor::RouteLost;
use super::guard::guarded;
use clock::{MediaClock, PHASES, frame_of_step, phase_of_step};
use line::Line;
use sockets::{DATAGRAM_BYTES_MAX, PortPair};

pub use messages::{
    AskRouterSizes, AttachSession, CloseRoute, ExpectMedia, FRAME_BYTES, MediaConnected, MediaStep,
    OpenRoute, OpenedRoute, PacketBatch, RouteRefused, RouterSizes, SendDigits,
};

/// Ports that other programs on this machine hold are passed over, so many in a row: another engine with the usual ports
/// takes them from the same end, two a call. A try costs some microseconds, all of them less than a frame.
const TAKEN_PORTS_PASSED_MAX: usize = 1_024;
/// Resting ports are listened to once in a second.
const STEPS_BETWEEN_REST_CHECKS: u64 = 200;

#[derive(Debug, Clone)]
pub struct RouterSettings {
    /// Which of the engine's routers this is; each has a part of the ports.
    pub index: usize,
    pub bind: IpAddr,
    /// What far ends are told to send to.
    pub advertise: IpAddr,
    pub ports: RangeInclusive<u16>,
}

pub struct UdpRouter {
    settings: RouterSettings,
    table: RouteTable,
    lines: HashMap<CallId, Line>,
    phases: [Vec<CallId>; PHASES],
    /// Closed ports whose sockets stay open until they have been silent for a while.
    resting: Vec<(u16, PortPair)>,
    clock: MediaClock,
    entropy: Entropy,
    buffer: Vec<u8>,
    directory: Directory,
}

impl UdpRouter {
    pub fn new(settings: RouterSettings, mut entropy: Entropy, directory: Directory) -> Self {
        Self {
            table: RouteTable::new(PortPool::new(settings.ports.clone()), entropy.fork()),
            settings,
            lines: HashMap::new(),
            phases: Default::default(),
            resting: Vec::new(),
            clock: MediaClock::new(time::now()),
            entropy,
            buffer: vec![0; DATAGRAM_BYTES_MAX],
            directory,
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = time::now();
        let due = self.clock.take_due(now);
        telemetry::metrics().add(Counter::MediaStepsLate, (due.end - due.start).saturating_sub(1));
        // A line knows by the frame's number what it missed: after a stall each phase is stepped once.
        for step in due.start.max(due.end.saturating_sub(PHASES as u64))..due.end {
            self.step(step, now);
        }
        let wait = self.clock.next_wake().saturating_duration_since(time::now());
        ctx.run_later(time::timer_for(wait), Self::tick);
    }

    fn step(&mut self, step: u64, now: Instant) {
        let mut lost = Vec::new();
        for call in &self.phases[phase_of_step(step)] {
            let Some(line) = self.lines.get_mut(call) else { continue };
            let (table, buffer) = (&mut self.table, &mut self.buffer);
            if guarded(call, || line.step(table, frame_of_step(step), buffer, now)).is_err() {
                lost.push(call.clone());
            }
        }
        for call in lost {
            self.lose(call, now);
        }
        if step.is_multiple_of(STEPS_BETWEEN_REST_CHECKS) {
            self.listen_to_resting_ports(now);
        }
    }

    /// The call's line panicked on its own data: that call ends, nobody else's.
    fn lose(&mut self, call: CallId, now: Instant) {
        self.close(&call, now);
        if let Some(supervisor) = self.directory.supervisor() {
            supervisor.do_send(RouteLost { call });
        }
    }

    fn listen_to_resting_ports(&mut self, now: Instant) {
        let (table, buffer) = (&mut self.table, &mut self.buffer);
        self.resting.retain(|(port, sockets)| {
            sockets.drain(buffer, |source, datagram| {
                // Booked as late: what it was cannot matter any more.
                table.receive(*port, source, datagram, now);
            });
            table.ports().is_resting(*port, now)
        });
    }

    fn open(&mut self, ask: OpenRoute, now: Instant) -> Result<OpenedRoute, RouteRefused> {
        let (port, sockets) = self.free_port(now)?;
        let (call, ssrc) = (ask.call.clone(), self.entropy.next_u32());
        let new = NewRoute {
            call: call.clone(),
            port,
            ssrc,
            cname: format!("{ssrc:08x}"),
            framing: Framing::new(Codec::Pcmu, 0),
            clock_rate_hz: LEG_RATE_HZ,
        };
        if let Err(error) = self.table.open(new, now) {
            self.table.abandon_port(port, now);
            return Err(RouteRefused::Unusable(error));
        }
        self.lines.insert(call.clone(), Line::new(ask, port, sockets));
        self.least_loaded_phase().push(call.clone());
        tracing::info!("Initializing RTP session {call} with actual port {port} and SSRC {ssrc}");
        let advertised = SocketAddr::new(self.settings.advertise, port);
        Ok(OpenedRoute { router: self.settings.index, advertised, ssrc })
    }

    /// A rested port of our range that no other program on this machine has taken.
    fn free_port(&mut self, now: Instant) -> Result<(u16, PortPair), RouteRefused> {
        let range = &self.settings.ports;
        let mut found = Err(RouteRefused::NoPort { first: *range.start(), last: *range.end() });
        let mut passed = Vec::new();
        while passed.len() < TAKEN_PORTS_PASSED_MAX {
            let Some(port) = self.table.acquire_port(now) else { break };
            self.resting.retain(|(resting, _)| *resting != port);
            match PortPair::open(self.settings.bind, port) {
                Ok(sockets) => {
                    found = Ok((port, sockets));
                    break;
                }
                Err(error) if sockets::is_out_of_descriptors(&error) => {
                    self.table.abandon_port(port, now);
                    found = Err(RouteRefused::NoDescriptors);
                    break;
                }
                Err(error) => {
                    self.table.abandon_port(port, now);
                    passed.push(error);
                }
            }
        }
        // Once for all of them: there may be hundreds.
        if let Some(error) = passed.last() {
            tracing::warn!(ports = passed.len(), %error, "RTP ports cannot be opened and were passed over");
        }
        found
    }

    fn least_loaded_phase(&mut self) -> &mut Vec<CallId> {
        let index = (0..PHASES).min_by_key(|&phase| self.phases[phase].len()).unwrap_or(0);
        &mut self.phases[index]
    }

    fn close(&mut self, call: &CallId, now: Instant) {
        for phase in &mut self.phases {
            phase.retain(|other| other != call);
        }
        let Some(line) = self.lines.remove(call) else { return };
        let rest = match self.table.close(call, now) {
            Some(mut route) => line.close(&mut route, now),
            None => line.into_sockets(),
        };
        self.resting.push(rest);
    }
}

impl Actor for UdpRouter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(super::SERVICE_MAILBOX_SIZE);
        self.tick(ctx);
    }
}

impl Supervised for UdpRouter {}
