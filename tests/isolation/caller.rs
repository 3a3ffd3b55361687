//! One call as its far end and its model hear it, and what its two judges say.

use std::collections::BTreeSet;
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
    pub(crate) ears: Ears,
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
            ears: Ears::new(index),
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

    /// From now on, with a pause after each `ms`.
    pub(crate) fn speak(&self, ms: usize, pause_ms: usize) {
        let tones = callers_voice(self.index).tones_hz().map(f64::from);
        self.far_end.say_tones(&tones, ms, Some(pause_ms));
    }

    /// What has been heard since the last time, to be judged.
    pub(crate) fn gather(&mut self, model: &ModelServer) {
        self.ears.packets.extend(self.far_end.seen.change(|seen| std::mem::take(&mut seen.packets)));
        let heard = self.connection.and_then(|connection| model.take_audio(connection)).unwrap_or_default();
        // The telephone's band ends below half of the lower rate: every second sample says it all.
        self.ears.audio.extend(heard.into_iter().step_by(2));
    }

    pub(crate) fn heard(&self) -> Heard {
        Heard { by_far_end: self.ears.downlink.tally(), by_model: self.ears.uplink.tally() }
    }

    /// Whom else the far end heard, and whom the model.
    pub(crate) fn strangers(&self) -> [&BTreeSet<Marker>; 2] {
        [self.ears.downlink.strangers(), self.ears.uplink.strangers()]
    }

    /// Packets of the engine that never came, between those that did.
    pub(crate) fn missing(&self) -> u64 {
        self.ears.missing
    }

    /// What the network did in each direction.
    pub(crate) fn traffic(&self) -> Option<[LaneReport; 2]> {
        let relay = self.relay.as_ref()?;
        Some([relay.report(Towards::Phone), relay.report(Towards::Engine)])
    }
}

/// Both judges of a call and what they have still to judge. They do their work on another thread than that of all the
/// audio, which would be held up by it.
pub(crate) struct Ears {
    downlink: Judge,
    uplink: Judge,
    packets: Vec<Packet>,
    audio: Vec<i16>,
    last_sequence: Option<u16>,
    packets_judged: usize,
    missing: u64,
}

impl Ears {
    pub(crate) fn new(index: u16) -> Self {
        Self {
            downlink: Judge::new(models_voice(index)),
            uplink: Judge::new(callers_voice(index)),
            packets: Vec::new(),
            audio: Vec::new(),
            last_sequence: None,
            packets_judged: 0,
            missing: 0,
        }
    }

    /// All but the newest packets.
    pub(crate) fn judge(&mut self) {
        self.judge_packets(PACKETS_HELD_BACK);
        self.uplink.hear(self.audio.drain(..));
    }

    pub(crate) fn judge_all(&mut self) {
        self.judge();
        self.judge_packets(0);
    }

    /// How many of the engine's packets have been judged, which is how much time has passed for the call.
    pub(crate) fn packets_judged(&self) -> usize {
        self.packets_judged
    }

    /// In the order in which the engine sent them.
    fn judge_packets(&mut self, held_back: usize) {
        let Some(first) = self.packets.first() else { return };
        let origin = self.last_sequence.unwrap_or(first.sequence);
        self.packets.sort_by_key(|packet| packet.sequence.wrapping_sub(origin).cast_signed());
        let ready = self.packets.len().saturating_sub(held_back);
        for packet in self.packets.drain(..ready) {
            let due = self.last_sequence.map_or(packet.sequence, |last| last.wrapping_add(1));
            if packet.sequence != due {
                self.missing += u64::from(packet.sequence.wrapping_sub(due));
                self.downlink.gap();
            }
            self.last_sequence = Some(packet.sequence);
            self.packets_judged += 1;
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
