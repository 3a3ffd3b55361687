//! One call's sockets at the router, and what it is lent by its session: the playout that is played, and the way for
//! what was heard. Latch, numbering and reports are the route's, which is pure and outlives every session.

use std::net::SocketAddr;
use std::time::Instant;

use actix::Recipient;

use crate::domain::CallId;
use crate::media::codec::Codec;
use crate::media::dtmf::DtmfSender;
use crate::media::playout::{FrameSource, PlayoutReader};
use crate::media::routes::{Expectation, Framing, LatchEvent, Route, RouteTable, Verdict};
use crate::media::sdp::Negotiated;
use crate::telemetry::{Counter, count, metrics};

use super::clock::FRAMES_CAUGHT_UP_MAX;
use super::messages::{FRAME_BYTES, MediaStep, OpenRoute, PacketBatch};
use super::sockets::{PortPair, receive};

/// RTCP is rare: its socket is looked at every tenth frame.
const FRAMES_BETWEEN_REPORTS: u64 = 10;

pub(super) struct Line {
    call: CallId,
    port: u16,
    sockets: PortPair,
    signalling: std::net::IpAddr,
    any_media_host: bool,
    media: Option<Negotiated>,
    playout: Option<PlayoutReader>,
    session: Option<Recipient<MediaStep>>,
    keys: DtmfSender,
    /// Frames since the far end's audio was agreed on; the recording is laid out by it.
    frame_number: u64,
    /// The last frame of the router's clock that was done.
    last_frame: Option<u64>,
    speaking: bool,
    packet: Vec<u8>,
}

impl Line {
    pub(super) fn new(ask: OpenRoute, port: u16, sockets: PortPair) -> Self {
        Self {
            call: ask.call,
            port,
            sockets,
            signalling: ask.signalling,
            any_media_host: ask.any_media_host,
            media: None,
            playout: None,
            session: None,
            keys: DtmfSender::default(),
            frame_number: 0,
            last_frame: None,
            speaking: false,
            packet: Vec::new(),
        }
    }

    /// A (new) session takes the line; the stream goes on where it is.
    pub(super) fn attach(&mut self, session: Recipient<MediaStep>, playout: PlayoutReader) {
        self.session = Some(session);
        self.playout = Some(playout);
    }

    pub(super) fn expect(&mut self, route: &mut Route, media: Negotiated) {
        route.expect(Expectation::new(&media, self.signalling, self.any_media_host));
        route.set_framing(Framing::new(media.codec, media.payload_type));
        self.media = Some(media);
    }

    pub(super) fn press(&mut self, keys: &str) {
        let takes_events = self.media.as_ref().is_some_and(|media| media.dtmf_payload_type.is_some());
        if !takes_events {
            tracing::warn!(call = %self.call, "keys are not sent: the far end takes no telephone events");
        } else if let Err(refused) = self.keys.press(keys) {
            tracing::warn!(call = %self.call, %refused, "keys are not sent");
        }
    }

    /// The frames that are due by the router's clock; after a long stall most of them are skipped.
    pub(super) fn step(&mut self, table: &mut RouteTable, frame: u64, buffer: &mut [u8], now: Instant) {
        let due = frame.saturating_sub(self.last_frame.unwrap_or(frame.saturating_sub(1)));
        self.last_frame = Some(frame);
        let skipped = due.saturating_sub(FRAMES_CAUGHT_UP_MAX);
        if skipped > 0 {
            metrics().add(Counter::FramesSkipped, skipped);
            self.frame_number += if self.media.is_some() { skipped } else { 0 };
            if let Some(route) = table.route_mut(&self.call) {
                route.skip(u32::try_from(skipped).unwrap_or(u32::MAX));
            }
        }
        for _ in 0..due - skipped {
            self.one_frame(table, buffer, now);
        }
    }

    fn one_frame(&mut self, table: &mut RouteTable, buffer: &mut [u8], now: Instant) {
        let packets = self.receive(table, buffer, now);
        let Some(route) = table.route_mut(&self.call) else { return };
        if self.media.is_none() {
            // While it rings there is nothing that could be understood or played: the session sleeps.
            route.skip(1);
            return;
        }
        let played = self.send(route, now);
        if self.frame_number.is_multiple_of(FRAMES_BETWEEN_REPORTS) {
            self.exchange_reports(table, buffer, now);
        }
        let step = MediaStep { frame_number: self.frame_number, packets, played };
        self.frame_number += 1;
        if let Some(session) = &self.session
            && session.try_send(step).is_err()
        {
            // The session is busy, or being rebuilt: the packet path never waits.
            count(Counter::MediaStepsDropped);
        }
    }

    fn receive(&self, table: &mut RouteTable, buffer: &mut [u8], now: Instant) -> PacketBatch {
        let mut batch = PacketBatch::default();
        receive(&self.sockets.rtp, buffer, |source, datagram| {
            match table.receive(self.port, source, datagram, now) {
                Verdict::Accepted { event, .. } => {
                    batch.push(datagram);
                    event.inspect(|event| self.log(*event));
                }
                // The table counts these.
                Verdict::Rtcp(_) | Verdict::Dropped(_) => {}
            }
        });
        batch
    }

    /// Sends one frame of voice, of a pressed key, or of silence; gives back what the far end was sent.
    fn send(&mut self, route: &mut Route, now: Instant) -> [u8; FRAME_BYTES] {
        let silence = self.media.as_ref().map_or(Codec::Pcmu, |media| media.codec).silence();
        let quiet = [silence; FRAME_BYTES];
        let held = self.media.as_ref().is_none_or(|media| !media.direction.sends());
        let Some(destination) = route.destination().filter(|_| !held) else {
            route.skip(1);
            return quiet;
        };
        let mut frame = quiet;
        let source = match &mut self.playout {
            Some(playout) => playout.next_frame(&mut frame, silence),
            None => FrameSource::Silence,
        };
        self.write_packet(route, &frame, source, now);
        // What the kernel cannot take now is lost like any packet on the way.
        drop(self.sockets.rtp.send_to(&self.packet, destination));
        frame
    }

    fn write_packet(&mut self, route: &mut Route, frame: &[u8], source: FrameSource, now: Instant) {
        let events = self.media.as_ref().and_then(|media| media.dtmf_payload_type);
        let pressed = events.and_then(|events| Some((events, self.keys.next_frame()?)));
        if let Some((payload_type, key)) = pressed {
            route.write_event(payload_type, &key.payload, key.marker, now, &mut self.packet);
            return;
        }
        let speech = source == FrameSource::Speech;
        let opens_talkspurt = speech && !self.speaking;
        self.speaking = speech;
        route.write_frame(frame, opens_talkspurt, now, &mut self.packet);
    }

    fn exchange_reports(&self, table: &mut RouteTable, buffer: &mut [u8], now: Instant) {
        let rtcp_port = self.port + 1;
        receive(&self.sockets.rtcp, buffer, |source, datagram| {
            // Booked by the route; a report asks for nothing.
            table.receive(rtcp_port, source, datagram, now);
        });
        let Some(route) = table.route_mut(&self.call) else { return };
        if let (Some(destination), Some(report)) = (route.rtcp_destination(), route.report_due(now)) {
            self.send_report(&report, destination, route.destination());
        }
    }

    /// Muxed reports leave by the audio's own port.
    fn send_report(&self, report: &[u8], destination: SocketAddr, audio: Option<SocketAddr>) {
        let muxed = audio == Some(destination);
        let socket = if muxed { &self.sockets.rtp } else { &self.sockets.rtcp };
        drop(socket.send_to(report, destination));
    }

    /// The last packet of the route, and its sockets, which stay open while the port rests.
    pub(super) fn close(self, route: &mut Route, now: Instant) -> (u16, PortPair) {
        if let Some(destination) = route.rtcp_destination() {
            let goodbye = route.goodbye(now);
            self.send_report(&goodbye, destination, route.destination());
        }
        (self.port, self.sockets)
    }

    /// The sockets of a line whose route is gone already.
    pub(super) fn into_sockets(self) -> (u16, PortPair) {
        (self.port, self.sockets)
    }

    /// These lines are a contract: operators and tests look for them (SPEC R5).
    fn log(&self, event: LatchEvent) {
        let call = &self.call;
        match event {
            LatchEvent::Locked { ssrc, .. } => tracing::info!("Locked RTP session {call} to SSRC {ssrc}"),
            LatchEvent::Moved { from, to, .. } => tracing::info!(%call, %from, %to, "RTP source moved"),
            LatchEvent::SsrcChanged { from, to, .. } => {
                tracing::info!(%call, from, to, "RTP stream goes on under another SSRC");
            }
        }
    }
}
