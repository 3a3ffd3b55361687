//! What a call owns beyond its sessions: its audio line, its newest checkpoint, the signals nobody listened to, and
//! the model at the other end of the websocket. A session that dies is rebuilt from these, as the actors do it.

use std::time::{Duration, Instant};

use clearline::call::{
    CallLimits, CallMachine, Checkpoint, Finish, Input, MediaCommand, Setup, Signal, SignalCommand,
};
use clearline::domain::{CallId, Direction, Entropy};
use clearline::media::codec::FRAME_SAMPLES;
use clearline::media::playout::{FrameSource, PlayoutReader};
use clearline::media::routes::{Expectation, Framing, Route, RouteTable};
use clearline::media::rtp::RtpPacket;
use clearline::media::sdp::{Negotiated, Negotiation};

use crate::model::Model;
use crate::network::Network;
use crate::plan::Plan;
use crate::session::{Effect, Session};
use crate::world::{GATEWAY_SIP, media_address};

/// Between a session's death and its successor's first breath.
const REBUILD_TIME: Duration = Duration::from_millis(20);

pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) port: u16,
    pub(crate) model: Model,
    pub(crate) finishes: Vec<Finish>,
    pub(crate) rebuilds: Vec<Rebuild>,
    started_at: Instant,
    crashes: Vec<Instant>,
    session: Option<Session>,
    reader: Option<PlayoutReader>,
    media: Option<Negotiated>,
    checkpoint: Option<Box<Checkpoint>>,
    rebuild_at: Option<Instant>,
    connected: Option<Signal>,
    waiting: Vec<Signal>,
    inbox: Vec<Vec<u8>>,
    last_sent: Option<(u32, u16)>,
    entropy: Entropy,
}

/// A session that died and came back.
pub(crate) struct Rebuild {
    pub(crate) at: Instant,
    /// The caller was hearing the model, or waiting for what it had been asked to say.
    pub(crate) owed_speech: bool,
}

impl Call {
    pub(crate) fn new(
        number: usize,
        id: CallId,
        port: u16,
        plan: &Plan,
        entropy: Entropy,
        now: Instant,
    ) -> Self {
        let mut crashes: Vec<Instant> = plan.crashes.iter().flatten().map(|after| now + *after).collect();
        crashes.sort();
        Self {
            id,
            port,
            model: Model::new(number, plan.model_ends_at_answer()),
            finishes: Vec::new(),
            rebuilds: Vec::new(),
            started_at: now,
            crashes,
            session: None,
            reader: None,
            media: None,
            checkpoint: None,
            rebuild_at: None,
            connected: None,
            waiting: Vec::new(),
            inbox: Vec::new(),
            last_sent: None,
            entropy,
        }
    }

    pub(crate) fn started_at(&self) -> Instant {
        self.started_at
    }

    pub(crate) fn is_over(&self) -> bool {
        !self.finishes.is_empty()
    }

    pub(crate) fn begin(
        &mut self,
        direction: Direction,
        negotiation: Negotiation,
        offer: Option<Vec<u8>>,
        now: Instant,
    ) {
        let setup = Setup { direction, limits: CallLimits::default() };
        self.attach(CallMachine::new(setup, negotiation));
        self.handle(Input::Start { offer }, now);
    }

    pub(crate) fn handle(&mut self, input: Input, now: Instant) {
        if let Some(session) = &mut self.session {
            session.handle(input, now);
        }
    }

    pub(crate) fn signal(&mut self, signal: Signal, now: Instant) {
        if self.connected.is_none() && matches!(signal, Signal::Answered { .. } | Signal::Confirmed { .. }) {
            self.connected = Some(signal.clone());
        }
        match &mut self.session {
            Some(session) => session.signal(signal, now),
            None => self.waiting.push(signal),
        }
    }

    /// A packet its route has accepted.
    pub(crate) fn receive(&mut self, datagram: Vec<u8>) {
        self.inbox.push(datagram);
    }

    /// Everything but audio that is due. Gives back what the session asks of signalling.
    pub(crate) fn tick(&mut self, routes: &mut RouteTable, now: Instant) -> Vec<SignalCommand> {
        self.crash_and_rebuild(now);
        let Some(session) = &mut self.session else { return Vec::new() };
        while let Some(news) = self.model.next_news(now) {
            session.hear_model(news, now);
        }
        session.ring_timers(now);
        let effects = session.pump(&mut self.model, now);
        effects.into_iter().filter_map(|effect| self.apply(effect, routes, now)).collect()
    }

    /// One frame of the media clock, in both directions.
    pub(crate) fn step(&mut self, routes: &mut RouteTable, network: &mut Network, now: Instant) {
        if self.is_over() {
            return;
        }
        let packets = std::mem::take(&mut self.inbox);
        if let Some(route) = routes.route_mut(&self.id) {
            self.send(route, network, now);
        }
        if let Some(session) = &mut self.session {
            session.step(&packets, &mut self.model, now);
        }
    }

    fn send(&mut self, route: &mut Route, network: &mut Network, now: Instant) {
        let sends = self.media.as_ref().filter(|media| media.direction.sends());
        let (Some(media), Some(destination)) = (sends, route.destination()) else { return route.skip(1) };
        let mut frame = [0; FRAME_SAMPLES];
        let silence = media.codec.silence();
        frame.fill(silence);
        let source = match &mut self.reader {
            Some(reader) => reader.next_frame(&mut frame, silence),
            None => FrameSource::Silence,
        };
        let mut packet = Vec::new();
        route.write_frame(&frame, source == FrameSource::Speech, now, &mut packet);
        self.check_numbering(&packet);
        network.send(media_address(self.port), destination, packet, now);
    }

    /// Whatever becomes of the sessions: one SSRC, and no number is left out.
    fn check_numbering(&mut self, packet: &[u8]) {
        let packet = RtpPacket::parse(packet).expect("we write RTP");
        if let Some((ssrc, sequence)) = self.last_sent {
            assert_eq!((packet.ssrc, packet.sequence), (ssrc, sequence.wrapping_add(1)), "{}", self.id);
        }
        self.last_sent = Some((packet.ssrc, packet.sequence));
    }

    fn apply(&mut self, effect: Effect, routes: &mut RouteTable, now: Instant) -> Option<SignalCommand> {
        match effect {
            Effect::Signal(command) => return Some(command),
            Effect::Media(MediaCommand::Expect(media)) => {
                if let Some(route) = routes.route_mut(&self.id) {
                    route.expect(Expectation::new(&media, GATEWAY_SIP.ip(), false));
                    route.set_framing(Framing::new(media.codec, media.payload_type));
                }
                self.media = Some(media);
            }
            Effect::Media(MediaCommand::Connected) => {
                if let Some(route) = routes.route_mut(&self.id) {
                    route.answered();
                }
            }
            Effect::Media(MediaCommand::Hush | MediaCommand::Press(_)) => {}
            Effect::Checkpoint(checkpoint) => self.checkpoint = Some(checkpoint),
            Effect::Finished(finish) => {
                self.finishes.push(finish);
                self.session = None;
                self.rebuild_at = None;
                self.crashes.clear();
                routes.close(&self.id, now);
            }
        }
        None
    }

    fn crash_and_rebuild(&mut self, now: Instant) {
        if self.crashes.first().is_some_and(|at| *at <= now) && self.checkpoint.is_some() {
            self.crashes.remove(0);
            self.crash(now);
        }
        if self.rebuild_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let Some(checkpoint) = self.checkpoint.clone() else { return };
        self.attach(CallMachine::rebuild(*checkpoint, now));
        let told_again = self.connected.clone().into_iter().chain(std::mem::take(&mut self.waiting));
        for signal in told_again.collect::<Vec<_>>() {
            self.signal(signal, now);
        }
    }

    fn crash(&mut self, now: Instant) {
        let Some(session) = self.session.take() else { return };
        let owed_speech = session.is_talking() && (session.is_playing() || self.model.has_more_to_say());
        let at = now + REBUILD_TIME;
        self.rebuilds.push(Rebuild { at, owed_speech });
        self.rebuild_at = Some(at);
        self.model.disconnect();
    }

    fn attach(&mut self, machine: CallMachine) {
        let (session, reader) = Session::new(machine, self.entropy.fork());
        self.session = Some(session);
        self.reader = Some(reader);
    }
}
