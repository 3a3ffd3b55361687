//! One call on one port: who it hears, what it sends, how well both arrive.

use std::net::SocketAddr;
use std::time::Instant;

use crate::domain::CallId;
use crate::media::demux::{PacketKind, classify};
use crate::media::rtcp::{Feedback, Quality, RtcpReporter};
use crate::media::rtp::RtpPacket;

use super::counters::{Counters, DropReason};
use super::expectation::Expectation;
use super::latch::{Latch, LatchEvent};
use super::ports::Tenant;
use super::stream::{Framing, OutgoingStream};

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// For the call's jitter buffer.
    Accepted {
        packet: RtpPacket<'a>,
        event: Option<LatchEvent>,
    },
    /// Read and booked.
    Rtcp(Feedback),
    Dropped(DropReason),
}

/// Lives from the first SDP we send until the call is over, whatever becomes of its session.
pub struct Route {
    call: CallId,
    port: u16,
    latch: Latch,
    stream: OutgoingStream,
    reporter: RtcpReporter,
    counters: Counters,
}

impl Route {
    pub(super) fn new(
        call: CallId,
        port: u16,
        latch: Latch,
        stream: OutgoingStream,
        reporter: RtcpReporter,
    ) -> Self {
        Self { call, port, latch, stream, reporter, counters: Counters::default() }
    }

    pub fn call(&self) -> &CallId {
        &self.call
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn ssrc(&self) -> u32 {
        self.stream.ssrc()
    }

    /// Signalling said where audio comes from. Saying the same again changes nothing.
    pub fn expect(&mut self, expectation: Expectation) {
        self.latch.expect(expectation);
    }

    /// The call was answered: from its next packet on the learning window runs.
    pub fn answered(&mut self) {
        self.latch.answered();
    }

    /// Where audio goes; `None` while nobody said and nobody was heard.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.latch.destination()
    }

    /// Where reports go. Equal to [`Route::destination`] when they share its port; then they leave by our even port.
    pub fn rtcp_destination(&self) -> Option<SocketAddr> {
        self.latch.rtcp_destination()
    }

    pub fn set_framing(&mut self, framing: Framing) {
        self.stream.set_framing(framing);
    }

    /// Writes the next frame into `out`, whose content it replaces.
    pub fn write_frame(&mut self, payload: &[u8], marker: bool, now: Instant, out: &mut Vec<u8>) {
        self.reporter.on_sent(self.stream.timestamp(), payload.len(), now);
        self.stream.write_frame(payload, marker, out);
    }

    /// Writes one packet of a DTMF event in place of a frame.
    pub fn write_event(
        &mut self,
        payload_type: u8,
        payload: &[u8],
        is_first: bool,
        now: Instant,
        out: &mut Vec<u8>,
    ) {
        self.reporter.on_sent(self.stream.timestamp(), payload.len(), now);
        self.stream.write_event(payload_type, payload, is_first, out);
    }

    /// Time that passes without a packet: a hold, or frames a late step gives up.
    pub fn skip(&mut self, frames: u32) {
        self.stream.skip(frames);
    }

    /// The RTCP packet that is due, if one is.
    pub fn report_due(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.reporter.due(now)
    }

    /// The last RTCP packet of the call.
    pub fn goodbye(&mut self, now: Instant) -> Vec<u8> {
        self.reporter.bye(now)
    }

    pub fn quality(&self) -> Quality {
        self.reporter.quality()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// When the call last heard its far end; `None` while it never has.
    pub fn last_heard(&self) -> Option<Instant> {
        self.latch.last_heard()
    }

    /// The stream the call listens to.
    pub fn tenant(&self) -> Option<Tenant> {
        self.latch.tenant()
    }

    /// `source` is in canonical form; `port` is ours or the odd one above it.
    pub(super) fn receive<'a>(
        &mut self,
        port: u16,
        source: SocketAddr,
        datagram: &'a [u8],
        now: Instant,
    ) -> Verdict<'a> {
        match classify(datagram) {
            PacketKind::Rtp if port == self.port => self.receive_rtp(source, datagram, now),
            PacketKind::Rtcp => self.receive_rtcp(source, datagram, now),
            PacketKind::Rtp | PacketKind::Stun | PacketKind::Dtls | PacketKind::Other => {
                Verdict::Dropped(DropReason::NotMedia)
            }
        }
    }

    pub(super) fn count(&mut self, verdict: &Verdict<'_>) {
        self.counters.count(verdict);
    }

    fn receive_rtp<'a>(&mut self, source: SocketAddr, datagram: &'a [u8], now: Instant) -> Verdict<'a> {
        let Some(packet) = RtpPacket::parse(datagram) else {
            return Verdict::Dropped(DropReason::Malformed);
        };
        match self.latch.judge(&packet, source, now) {
            Ok(event) => {
                self.reporter.on_received(&packet, now);
                Verdict::Accepted { packet, event }
            }
            Err(reason) => Verdict::Dropped(reason),
        }
    }

    fn receive_rtcp<'a>(&mut self, source: SocketAddr, datagram: &[u8], now: Instant) -> Verdict<'a> {
        if self.latch.knows_host(source.ip()) {
            Verdict::Rtcp(self.reporter.on_packet(datagram, now))
        } else {
            Verdict::Dropped(DropReason::Foreign)
        }
    }
}
