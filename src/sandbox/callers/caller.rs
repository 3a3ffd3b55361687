//! One caller: its line, what it says, what it hears.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::clock;
use crate::domain::Entropy;
use crate::media::codec::Codec;
use crate::media::demux::{PacketKind, classify};
use crate::media::routes::{Framing, OutgoingStream};
use crate::media::rtp::RtpPacket;
use crate::media::sdp::{LocalMedia, Negotiation};
use crate::sandbox::signature::Loudness;

use super::audio::Payloads;
use super::hearing::{Hearing, micros};
use super::line::{Buffers, Line};
use super::orders::{Burst, Lost, Report, SetUp};
use super::talk::{Said, Talk};

/// What every caller speaks.
pub(super) const CODEC: Codec = Codec::Pcmu;

pub(super) struct Caller {
    number: u16,
    line: Line,
    negotiation: Negotiation,
    /// Where the engine wants our audio, once it has said so.
    remote: Option<SocketAddr>,
    stream: OutgoingStream,
    hearing: Hearing,
    talk: Option<Talk>,
    invited: Instant,
    answered: Option<Instant>,
    packet: Vec<u8>,
}

/// What all callers use and fill.
pub(super) struct Shared<'a> {
    pub(super) buffers: &'a mut Buffers,
    pub(super) payloads: &'a Payloads,
    pub(super) entropy: &'a mut Entropy,
    pub(super) report: &'a mut Report,
}

impl Caller {
    pub(super) fn new(number: u16, ip: IpAddr, entropy: &mut Entropy, now: Instant) -> io::Result<Self> {
        let line = Line::open(ip)?;
        let address = line.address()?;
        let ssrc = entropy.next_u32();
        let local = LocalMedia {
            address: address.ip(),
            port: address.port(),
            codecs: vec![CODEC],
            ssrc,
            session_id: u64::from(ssrc),
            cname: format!("{ssrc:08x}"),
        };
        let framing = Framing::new(CODEC, CODEC.static_payload_type().unwrap_or_default());
        Ok(Self {
            number,
            line,
            negotiation: Negotiation::new(local),
            remote: None,
            stream: OutgoingStream::new(ssrc, framing, entropy),
            hearing: Hearing::new(number),
            talk: None,
            invited: now,
            answered: None,
            packet: Vec::new(),
        })
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }

    pub(super) fn offer(&mut self) -> Vec<u8> {
        self.negotiation.offer()
    }

    pub(super) fn learn(&mut self, sdp: &[u8]) {
        if let Ok(media) = self.negotiation.accept_answer(sdp) {
            self.stream.set_framing(Framing::new(media.codec, media.payload_type));
            self.remote = Some(media.remote);
        }
    }

    pub(super) fn picked_up(&mut self, now: Instant) {
        self.answered = Some(now);
        self.hearing.count_from(clock::machine_time(now));
        self.talk = Some(Talk::new(self.number, now));
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answered.is_some()
    }

    /// Hears what came and says the next 20 ms.
    pub(super) fn step(&mut self, shared: &mut Shared<'_>, now: Instant) {
        self.hear(shared);
        let Some(talk) = &mut self.talk else { return };
        let said = talk.next_frame(self.hearing.model_speaks(), now, shared.entropy);
        self.say(said, shared);
    }

    /// Hears what came.
    pub(super) fn hear(&mut self, shared: &mut Shared<'_>) {
        self.line.drain(shared.buffers, |datagram, at| {
            let is_rtp = classify(datagram) == PacketKind::Rtp;
            if let Some(packet) = RtpPacket::parse(datagram).filter(|_| is_rtp) {
                shared.report.spans.extend(self.hearing.hear(&packet, at));
            }
        });
    }

    fn say(&mut self, said: Said, shared: &mut Shared<'_>) {
        let Some(remote) = self.remote else { return };
        let loudness = match said {
            Said::Silence => None,
            Said::Tone(loudness) => Some(loudness),
            Said::Onset { signature, barges_in } => {
                let at_us = micros(clock::machine_time(clock::now()));
                shared.report.bursts.push(Burst { signature, at_us, barges_in });
                Some(Loudness::Loud)
            }
        };
        self.stream.write_frame(shared.payloads.get(loudness), false, &mut self.packet);
        match self.line.send(&self.packet, remote) {
            Ok(_) => shared.report.packets_sent += 1,
            Err(_) => shared.report.packets_unsent += 1,
        }
        shared.report.voiced_sent += u64::from(loudness.is_some());
    }

    pub(super) fn begin_counting(&mut self, now: Instant) {
        if self.is_answered() {
            self.hearing.count_from(clock::machine_time(now));
        }
    }

    /// What it heard until now.
    pub(super) fn add_heard_to(&self, report: &mut Report, now: Instant) {
        self.hearing.counts.add_to(report, clock::machine_time(now));
        report.spans.extend(self.hearing.sounding());
        report.voices.extend(self.hearing.voices());
    }

    /// Of a call that nobody has ended.
    pub(super) fn add_to(&self, report: &mut Report, now: Instant) {
        self.add_heard_to(report, now);
        let Some(answered) = self.answered else { return };
        if self.hearing.is_cut_off(clock::machine_time(now)) {
            let reason = "the engine's audio ended, without a word".into();
            report.lost.push(Lost { caller: self.number, reason });
            return;
        }
        report.calls += 1;
        report.set_ups.push(SetUp {
            caller: self.number,
            invited_us: micros(clock::machine_time(self.invited)),
            answered_us: micros(clock::machine_time(answered)),
            first_voice_us: self.hearing.first_voice().map(micros),
            last_voice_us: self.hearing.last_voice().map(micros),
        });
    }
}
