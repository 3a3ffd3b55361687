//! One call as its far end and its model hear it, and what its two judges say.

use std::net::SocketAddr;

use clearline::sandbox::model::{Marker, ModelServer};
use clearline::sandbox::network::{LaneReport, Relay, Towards};

use crate::far_end::rtp::Packet;
use crate::far_end::{FarEnd, Plan};
use crate::hall::number_of;
use crate::judge::{Judge, Tally};

/// All calls of a proof use one SSRC, which real gateways do too.
const SSRC: u32 = 777;
/// So many of the newest packets wait to be judged: those that they overtook may still come.
const PACKETS_HELD_BACK: usize = 10;
/// Markers of the two directions lie half of all apart, so that an echo is no less foreign than a neighbour.
const ECHO_DISTANCE: u16 = Marker::COUNT / 2;

pub(crate) struct Caller {
    pub(crate) index: u16,
    pub(crate) far_end: FarEnd,
    pub(crate) relay: Option<Relay>,
    downlink: Judge,
    uplink: Judge,
    waiting: Vec<Packet>,
    last_sequence: Option<u16>,
    packets: usize,
    /// The model's session.
    pub(crate) connection: Option<u64>,
}

/// What both ends of a call heard.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heard {
    pub(crate) by_far_end: Tally,
    pub(crate) by_model: Tally,
}

impl Caller {
    pub(crate) async fn new(index: u16) -> Self {
        Self {
            index,
            far_end: FarEnd::new(Plan { ssrc: SSRC, ..Plan::default() }).await,
            relay: None,
            downlink: Judge::new(models_voice(index)),
            uplink: Judge::new(callers_voice(index)),
            waiting: Vec::new(),
            last_sequence: None,
            packets: 0,
            connection: None,
        }
    }

    pub(crate) fn stand_behind(&mut self, relay: Relay) {
        self.far_end.seen.change(|seen| {
            seen.plan.claimed_media = Some(relay.address);
            seen.plan.media_relay = Some(relay.address);
        });
        self.relay = Some(relay);
    }

    pub(crate) fn rtp_address(&self) -> SocketAddr {
        self.far_end.seen.look(|seen| seen.rtp.local_addr()).expect("a bound socket")
    }

    pub(crate) async fn dial(&self, engine: SocketAddr) {
        self.far_end.dial(engine, &number_of(self.index)).await;
        self.far_end.connected().await;
    }

    pub(crate) fn speak(&self, ms: usize) {
        self.far_end.say_tones(&callers_voice(self.index).tones_hz().map(f64::from), ms);
    }

    /// Judges what has been heard since the last time.
    pub(crate) fn listen(&mut self, model: &ModelServer) {
        self.listen_to_packets(PACKETS_HELD_BACK);
        let heard = self.connection.and_then(|connection| model.take_audio(connection)).unwrap_or_default();
        // The telephone's band ends below half of the lower rate: every second sample says it all.
        self.uplink.hear(heard.into_iter().step_by(2));
    }

    /// Judges the last packets, too.
    pub(crate) fn conclude(&mut self, model: &ModelServer) {
        self.listen(model);
        self.listen_to_packets(0);
    }

    /// How many of the engine's packets have been judged, which is how much time has passed for the call.
    pub(crate) fn packets(&self) -> usize {
        self.packets
    }

    pub(crate) fn heard(&self) -> Heard {
        Heard { by_far_end: self.downlink.tally(), by_model: self.uplink.tally() }
    }

    /// What the network did in each direction.
    pub(crate) fn traffic(&self) -> Option<[LaneReport; 2]> {
        let relay = self.relay.as_ref()?;
        Some([relay.report(Towards::Phone), relay.report(Towards::Engine)])
    }

    /// In the order in which the engine sent them.
    fn listen_to_packets(&mut self, held_back: usize) {
        self.waiting.extend(self.far_end.seen.change(|seen| std::mem::take(&mut seen.packets)));
        let Some(first) = self.waiting.first() else { return };
        let origin = self.last_sequence.unwrap_or(first.sequence);
        self.waiting.sort_by_key(|packet| packet.sequence.wrapping_sub(origin).cast_signed());
        let ready = self.waiting.len().saturating_sub(held_back);
        for packet in self.waiting.drain(..ready) {
            if self.last_sequence.is_some_and(|last| packet.sequence != last.wrapping_add(1)) {
                self.downlink.gap();
            }
            self.last_sequence = Some(packet.sequence);
            self.packets += 1;
            self.downlink.hear(packet.samples());
        }
    }
}

pub(crate) fn models_voice(index: u16) -> Marker {
    Marker::number(index)
}

pub(crate) fn callers_voice(index: u16) -> Marker {
    Marker::number(index + ECHO_DISTANCE)
}
