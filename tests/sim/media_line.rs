//! One call's line at the router: what it sends by the media clock, as the UdpRouter does it, whatever becomes of the
//! call's sessions, and how steadily its far end is heard.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use clearline::media::codec::FRAME_SAMPLES;
use clearline::media::playout::{FrameSource, PlayoutReader};
use clearline::media::routes::{Expectation, Framing, Route};
use clearline::media::rtp::RtpPacket;
use clearline::media::sdp::Negotiated;

use crate::engine::CUT_OFF_AFTER;
use crate::engine::media_address;
use crate::model::is_in_second_word;
use crate::network::{Author, Datagram, Network};
use crate::phone::PORTS_PER_PHONE;
use crate::reception::Reception;
use crate::sabotage::Sabotage;

const FRAMES_BETWEEN_REPORTS: u64 = 10;

pub(crate) struct MediaLine {
    number: usize,
    port: u16,
    media: Option<Negotiated>,
    playout: Option<PlayoutReader>,
    frames: u64,
    speaking: bool,
    last_sent: Option<(u32, u16)>,
    begins_anew: bool,
    sabotage: Option<Sabotage>,
    talks_since: Option<Instant>,
    /// Of what the far end sends and the route accepts, from the answer on.
    pub(crate) reception: Reception,
}

impl MediaLine {
    pub(crate) fn new(number: usize, port: u16, sabotage: Option<Sabotage>) -> Self {
        Self {
            number,
            port,
            media: None,
            playout: None,
            frames: 0,
            speaking: false,
            last_sent: None,
            begins_anew: false,
            sabotage,
            talks_since: None,
            reception: Reception::default(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn attach(&mut self, playout: PlayoutReader) {
        self.playout = Some(playout);
    }

    pub(crate) fn expect(&mut self, route: &mut Route, media: Negotiated, signalling: IpAddr) {
        route.expect(Expectation::new(&media, signalling, false));
        route.set_framing(Framing::new(media.codec, media.payload_type));
        self.media = Some(media);
    }

    /// Exactly one frame: voice from the session's playout, or silence.
    pub(crate) fn step(&mut self, route: &mut Route, network: &mut Network, now: Instant) {
        self.frames += 1;
        if self.frames.is_multiple_of(FRAMES_BETWEEN_REPORTS)
            && let (Some(to), Some(bytes)) = (route.rtcp_destination(), route.report_due(now))
        {
            self.report(to, bytes, route.destination(), network, now);
        }
        let sends = self.media.as_ref().filter(|media| media.direction.sends());
        let (Some(media), Some(to)) = (sends, route.destination()) else { return route.skip(1) };
        let silence = media.codec.silence();
        let mut frame = [silence; FRAME_SAMPLES];
        let source = match &mut self.playout {
            Some(playout) => playout.next_frame(&mut frame, silence),
            None => FrameSource::Silence,
        };
        let speech = source == FrameSource::Speech;
        if speech {
            self.spoil(&mut frame, silence);
        }
        let opens_talkspurt = speech && !std::mem::replace(&mut self.speaking, speech);
        let mut bytes = Vec::new();
        route.write_frame(&frame, opens_talkspurt, now, &mut bytes);
        self.check_numbering(&mut bytes);
        if self.is_cut_off(now) {
            return;
        }
        if self.sabotage == Some(Sabotage::AudioIsCopied) {
            let neighbour = SocketAddr::new(to.ip(), to.port() + PORTS_PER_PHONE);
            self.send(self.port, neighbour, bytes.clone(), network, now);
        }
        self.send(self.port, to, bytes, network, now);
    }

    /// Sabotage of what the model says.
    fn spoil(&self, frame: &mut [u8], silence: u8) {
        match self.sabotage {
            Some(Sabotage::HalfOfTheModelIsSilent) if is_in_second_word(self.frames) => frame.fill(silence),
            Some(Sabotage::AudioIsGarbled) if self.frames.is_multiple_of(4) => {
                // Loud, of either sign, and without a rhythm that would be anybody's tone.
                let noise =
                    (0..frame.len() as u32).map(|n| n.wrapping_mul(2_654_435_761).rotate_left(9) as u8);
                frame.iter_mut().zip(noise).for_each(|(sample, noise)| *sample = noise & 0x9f);
            }
            _ => {}
        }
    }

    fn is_cut_off(&mut self, now: Instant) -> bool {
        let since = *self.talks_since.get_or_insert(now);
        self.sabotage == Some(Sabotage::CallerIsCutOff) && since + CUT_OFF_AFTER <= now
    }

    /// The last packet of the route.
    pub(crate) fn say_goodbye(&mut self, route: &mut Route, network: &mut Network, now: Instant) {
        if let Some(to) = route.rtcp_destination() {
            let goodbye = route.goodbye(now);
            self.report(to, goodbye, route.destination(), network, now);
        }
    }

    /// Sabotage: the next packet bears another number than the route has given it.
    pub(crate) fn forget_numbering(&mut self) {
        self.begins_anew = true;
    }

    /// Muxed reports leave by the audio's own port.
    fn report(
        &self,
        to: SocketAddr,
        bytes: Vec<u8>,
        audio: Option<SocketAddr>,
        network: &mut Network,
        now: Instant,
    ) {
        let port = if audio == Some(to) { self.port } else { self.port + 1 };
        self.send(port, to, bytes, network, now);
    }

    fn send(&self, port: u16, to: SocketAddr, bytes: Vec<u8>, network: &mut Network, now: Instant) {
        let author = Author::Engine(self.number);
        network.send(Datagram { from: media_address(port), to, bytes, author }, now);
    }

    /// Whatever becomes of the sessions: one SSRC, and no number is left out.
    fn check_numbering(&mut self, bytes: &mut [u8]) {
        if std::mem::take(&mut self.begins_anew) {
            bytes[2] ^= 0xff;
        }
        let packet = RtpPacket::parse(bytes).expect("we write RTP");
        if let Some((ssrc, sequence)) = self.last_sent {
            let goes_on = (packet.ssrc, packet.sequence) == (ssrc, sequence.wrapping_add(1));
            assert!(goes_on, "the stream of call {} does not go on in its numbers", self.number);
        }
        self.last_sent = Some((packet.ssrc, packet.sequence));
    }
}
