//! The audio of the phone's call.

use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use crate::domain::{CallId, Entropy};
use crate::media::codec::{Codec, FRAME_SAMPLES};
use crate::media::dtmf::DtmfSender;
use crate::media::path::{CallerFrame, CallerPacket, CallerPath};
use crate::media::routes::{Framing, OutgoingStream};
use crate::media::rtp::RtpPacket;
use crate::media::sdp::{LocalMedia, Negotiated, Negotiation};

use super::audio::{Ear, Voice};

pub(super) struct Leg {
    pub(super) call: CallId,
    negotiation: Negotiation,
    media: Option<Negotiated>,
    path: CallerPath,
    frame: CallerFrame,
    stream: OutgoingStream,
    voice: Voice,
    ear: Ear,
    keys: DtmfSender,
    packet: Vec<u8>,
}

/// One frame of both directions, and what was noticed in it.
pub(super) struct Step {
    pub(super) said: [i16; FRAME_SAMPLES],
    pub(super) heard: [i16; FRAME_SAMPLES],
    pub(super) news: Vec<Heard>,
}

pub(super) enum Heard {
    Speech,
    Silence,
    Key(char),
    AllSaid,
}

impl Leg {
    pub(super) fn new(call: CallId, codec: Codec, media: SocketAddr, entropy: &mut Entropy) -> Self {
        let ssrc = entropy.next_u32();
        let framing = Framing::new(codec, codec.static_payload_type().unwrap_or_default());
        let local = LocalMedia {
            address: media.ip(),
            port: media.port(),
            codecs: vec![codec],
            ssrc,
            session_id: u64::from(ssrc),
            cname: format!("{ssrc:08x}"),
        };
        Self {
            call,
            negotiation: Negotiation::new(local),
            media: None,
            path: CallerPath::default(),
            frame: CallerFrame::SILENT,
            stream: OutgoingStream::new(ssrc, framing, entropy),
            voice: Voice::default(),
            ear: Ear::default(),
            keys: DtmfSender::default(),
            packet: Vec::new(),
        }
    }

    pub(super) fn offer(&mut self) -> Vec<u8> {
        self.negotiation.offer()
    }

    /// `None` when the offer cannot be accepted.
    pub(super) fn answer(&mut self, offer: &[u8]) -> Option<Vec<u8>> {
        let (answer, media) = self.negotiation.answer(offer).ok()?;
        self.take(media);
        Some(answer)
    }

    pub(super) fn learn(&mut self, answer: &[u8]) {
        if let Ok(media) = self.negotiation.accept_answer(answer) {
            self.take(media);
        }
    }

    fn take(&mut self, media: Negotiated) {
        self.stream.set_framing(Framing::new(media.codec, media.payload_type));
        self.media = Some(media);
    }

    pub(super) fn say(&mut self, samples: &[i16]) {
        self.voice.say(samples);
    }

    /// Keys that are none are not pressed.
    pub(super) fn press(&mut self, keys: &str) {
        self.keys.press(keys).ok();
    }

    pub(super) fn receive(&mut self, datagram: &[u8], now: Instant) {
        let Some(packet) = RtpPacket::parse(datagram) else { return };
        let Some(media) = &self.media else { return };
        if let Some(packet) = CallerPacket::new(&packet, media, now) {
            self.path.receive(packet);
        }
    }

    /// Sends one frame and hears one.
    pub(super) fn step(&mut self, now: Instant, socket: &UdpSocket) -> Step {
        let mut news = Vec::new();
        let report = self.path.step(now, &mut self.frame);
        news.extend(report.dtmf.map(Heard::Key));
        let change = self.ear.hear(&self.frame.pcm_8k);
        news.extend(change.map(|speech| if speech { Heard::Speech } else { Heard::Silence }));
        let (said, last) = self.voice.next_frame();
        news.extend(last.then_some(Heard::AllSaid));
        self.send(&said, socket);
        Step { said, heard: self.frame.pcm_8k, news }
    }

    fn send(&mut self, said: &[i16; FRAME_SAMPLES], socket: &UdpSocket) {
        let Some(media) = self.media.as_ref().filter(|media| media.direction.sends()) else {
            return self.stream.skip(1);
        };
        let events = media.dtmf_payload_type;
        let key = events.and_then(|events| Some((events, self.keys.next_frame()?)));
        match key {
            Some((events, key)) => {
                self.stream.write_event(events, &key.payload, key.marker, &mut self.packet)
            }
            None => {
                let payload = said.map(|sample| media.codec.encode(sample));
                self.stream.write_frame(&payload, false, &mut self.packet);
            }
        }
        // A frame the kernel cannot take is lost like any other.
        socket.send_to(&self.packet, media.remote).ok();
    }
}
