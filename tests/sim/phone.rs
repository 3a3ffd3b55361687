//! One phone: it says its caller's tone from an address that may move, under an SSRC that may change, and listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use clearline::domain::{CallId, Entropy};
use clearline::media::codec::LEG_RATE_HZ;
use clearline::media::demux::{PacketKind, classify};
use clearline::media::path::{CallerFrame, CallerPacket, CallerPath, FrameOrigin};
use clearline::media::rtcp::RtcpReporter;
use clearline::media::rtp::RtpPacket;
use clearline::media::sdp::{LocalMedia, Negotiated, Negotiation};

use crate::climate::Climate;
use crate::mouth::Mouth;
use crate::network::{Author, Datagram, Network};
use crate::plan::{Claim, Plan};
use crate::reception::Reception;
use crate::signals::{Ear, Impression, Voice};
use crate::tally::{Seen, Tally};
use crate::trouble::Move;

pub(crate) const FIRST_PORT: u16 = 10_000;
/// The one all phones of a gateway with a single media socket share.
pub(crate) const SHARED_PORT: u16 = 9_000;
/// A port pair for each rebinding.
pub(crate) const PORTS_PER_PHONE: u16 = 16;
const PAUSE_BEFORE_STRANGER: Duration = Duration::from_millis(700);

pub(crate) struct Phone {
    pub(crate) number: usize,
    pub(crate) plan: Plan,
    pub(crate) call: Option<CallId>,
    pub(crate) negotiation: Negotiation,
    pub(crate) media: Option<Negotiated>,
    pub(crate) mouth: Mouth,
    host: IpAddr,
    shares_address: bool,
    rebindings: u16,
    silent_until: Option<Instant>,
    reporter: RtcpReporter,
    path: CallerPath,
    frame: CallerFrame,
    entropy: Entropy,
    /// From here on it sends.
    talks_from: Option<Instant>,
    pub(crate) connected_at: Option<Instant>,
    pub(crate) ended_at: Option<Instant>,
    pub(crate) ear: Ear,
    pub(crate) loud_at: Vec<Instant>,
    /// Each frame of its caller's signal, from the answer on.
    pub(crate) spoken_at: Vec<Instant>,
    /// What became of its stream, and when.
    pub(crate) moves: Vec<(Instant, Move)>,
    /// Of the engine's packets.
    pub(crate) reception: Reception,
    /// When it was silent itself, before it began anew at another place under another name.
    pub(crate) pauses: Vec<(Instant, Instant)>,
    pub(crate) tally: Tally,
}

impl Phone {
    pub(crate) fn new(
        number: usize,
        plan: &Plan,
        climate: &Climate,
        ssrc: u32,
        entropy: &mut Entropy,
        now: Instant,
    ) -> Self {
        let mut tally = Tally::default();
        tally.count(Seen::SharedSsrcs, u64::from(climate.shares_ssrc));
        tally.count(Seen::SharedAddresses, u64::from(climate.shares_address));
        tally.count(Seen::PrivateAddresses, u64::from(plan.claim == Claim::Private));
        tally.count(Seen::WrongAddresses, u64::from(plan.claim == Claim::Wrong));
        let host = climate.media_host;
        let own = if climate.shares_address { SHARED_PORT } else { first_port(number) };
        let claimed = match plan.claim {
            Claim::True => SocketAddr::new(host, own),
            Claim::Private => SocketAddr::new(private_address(number), own),
            Claim::Wrong => SocketAddr::new(host, first_port(number + 1)),
        };
        let local = LocalMedia {
            address: claimed.ip(),
            port: claimed.port(),
            codecs: vec![plan.codec],
            ssrc,
            session_id: 1,
            cname: "phone".into(),
        };
        Self {
            number,
            plan: plan.clone(),
            call: None,
            negotiation: Negotiation::new(local),
            media: None,
            mouth: Mouth::new(Voice::Caller(number), plan, ssrc, entropy),
            host,
            shares_address: climate.shares_address,
            rebindings: 0,
            silent_until: None,
            reporter: RtcpReporter::new(ssrc, "phone".into(), LEG_RATE_HZ, entropy.fork(), now),
            path: CallerPath::default(),
            frame: CallerFrame::SILENT,
            entropy: entropy.fork(),
            talks_from: None,
            connected_at: None,
            ended_at: None,
            ear: Ear::new(Voice::Model(number)),
            loud_at: Vec::new(),
            spoken_at: Vec::new(),
            moves: Vec::new(),
            reception: Reception::default(),
            pauses: Vec::new(),
            tally,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let own = first_port(self.number) + 2 * self.rebindings;
        SocketAddr::new(self.host, if self.shares_address { SHARED_PORT } else { own })
    }

    /// Sending, and not only after the end.
    pub(crate) fn is_talking(&self) -> bool {
        self.talks_from.is_some() && self.ended_at.is_none()
    }

    /// Without a pause that another stream could fill.
    pub(crate) fn flows(&self, now: Instant) -> bool {
        self.is_talking() && !self.plan.comfort_noise && self.silent_until.is_none_or(|until| until <= now)
    }

    pub(crate) fn is_done(&self, now: Instant) -> bool {
        self.talks_from.is_none() || self.ended_at.is_some_and(|at| at + self.plan.lingers_for < now)
    }

    /// One frame heard and one said.
    pub(crate) fn step(&mut self, network: &mut Network, now: Instant) {
        if self.is_done(now) {
            return;
        }
        let Some(engine) = self.media.as_ref().map(|media| media.remote) else { return };
        match self.ended_at {
            None => self.listen(now),
            Some(_) => self.tally.count(Seen::PacketsAfterTheEnd, 1),
        }
        let is_speaking = self.connected_at.is_none_or(|since| self.plan.caller_speaks(now - since));
        self.tally.count(Seen::PacketsBeforeTheAnswer, u64::from(self.connected_at.is_none()));
        let is_silent = self.silent_until.is_some_and(|until| now < until);
        let Some(bytes) = self.mouth.say(is_speaking).filter(|_| !is_silent) else { return };
        if is_speaking && self.connected_at.is_some() {
            self.spoken_at.push(now);
        }
        self.reporter.on_sent(self.mouth.header().timestamp, bytes.len(), now);
        self.send(engine, bytes, network, now);
        if let Some(report) = self.reporter.due(now) {
            let port = engine.port() + self.entropy.below(2) as u16;
            self.send(SocketAddr::new(engine.ip(), port), report, network, now);
        }
    }

    pub(crate) fn receive(&mut self, datagram: &Datagram, now: Instant) {
        let Some(media) = &self.media else { return };
        // Whoever else sends here has read a wrong SDP.
        if datagram.from != media.remote || self.ended_at.is_some() {
            return;
        }
        assert_eq!(
            datagram.author,
            Author::Engine(self.number),
            "phone {} is sent another call",
            self.number
        );
        if classify(&datagram.bytes) != PacketKind::Rtp {
            return;
        }
        self.reception.hear(now);
        let Some(packet) = RtpPacket::parse(&datagram.bytes) else { return };
        self.reporter.on_received(&packet, now);
        if let Some(packet) = CallerPacket::new(&packet, media, now) {
            self.path.receive(packet);
        }
    }

    pub(crate) fn change(&mut self, what: Move, now: Instant) {
        if !self.is_talking() {
            return;
        }
        self.moves.push((now, what));
        match what {
            Move::Rebind => {
                self.rebind();
            }
            Move::ChangeSsrc => {
                self.tally.count(Seen::SsrcChanges, 1);
                self.mouth.begin_anew(self.entropy.next_u32(), &mut self.entropy);
            }
            Move::JumpInSequence => {
                self.tally.count(Seen::SequenceJumps, 1);
                self.mouth.begin_anew(self.mouth.header().ssrc, &mut self.entropy);
            }
            Move::StepBack(steps) => {
                self.tally.count(Seen::StepsBack, 1);
                self.mouth.step_back(steps, &mut self.entropy);
            }
            Move::RebindUnderAnotherSsrc => {
                self.tally.count(Seen::MovesUnderAnotherSsrc, 1);
                let begins = now + PAUSE_BEFORE_STRANGER;
                self.silent_until = Some(begins);
                self.pauses.push((now, begins));
                self.rebind();
                self.mouth.begin_anew(self.entropy.next_u32(), &mut self.entropy);
            }
        }
    }

    /// Sabotage: from now on another caller's voice comes out of it.
    pub(crate) fn speak_as(&mut self, voice: Voice) {
        self.mouth.speak_as(voice, &self.plan);
    }

    pub(crate) fn answer(&mut self, offer: &[u8]) -> Vec<u8> {
        let (answer, media) = self.negotiation.answer(offer).expect("we have a codec in common");
        self.media = Some(media);
        answer
    }

    /// From now on it sends, whether or not it has been answered.
    pub(crate) fn talk(&mut self, now: Instant) {
        self.talks_from.get_or_insert(now);
    }

    pub(crate) fn connect(&mut self, sdp: Option<&[u8]>, now: Instant) {
        if let Some(Ok(media)) = sdp.map(|sdp| self.negotiation.accept_answer(sdp)) {
            self.media = Some(media);
        }
        self.connected_at.get_or_insert(now);
        self.talk(now);
    }

    pub(crate) fn end(&mut self, now: Instant) {
        self.call = None;
        self.ended_at = Some(now);
    }

    pub(crate) fn speaks_between(&self, from: Instant, to: Instant) -> bool {
        let Some(since) = self.connected_at.filter(|since| *since <= to) else { return false };
        self.plan.caller_speaks_between(from.saturating_duration_since(since), to - since)
    }

    fn listen(&mut self, now: Instant) {
        let report = self.path.step(now, &mut self.frame);
        let is_made_up = report.source == FrameOrigin::Concealed;
        if self.ear.listen(&self.frame.pcm_8k, is_made_up) != Impression::Silence {
            self.loud_at.push(now);
        }
    }

    fn rebind(&mut self) {
        if !self.shares_address && 2 * (self.rebindings + 1) < PORTS_PER_PHONE {
            self.rebindings += 1;
            self.tally.count(Seen::Rebindings, 1);
        }
    }

    fn send(&self, to: SocketAddr, bytes: Vec<u8>, network: &mut Network, now: Instant) {
        network.send(Datagram { from: self.address(), to, bytes, author: Author::Phone(self.number) }, now);
    }
}

fn first_port(number: usize) -> u16 {
    FIRST_PORT + PORTS_PER_PHONE * number as u16
}

fn private_address(number: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, (number / 250) as u8, (1 + number % 250) as u8).into()
}
