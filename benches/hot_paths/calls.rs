//! What the benches share: a far end's packets, a route that has learnt its peer, and a moving clock.

use std::f32::consts::TAU;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clearline::clock;
use clearline::domain::{CallId, Entropy};
use clearline::media::codec::{Codec, FRAME_MS, FRAME_SAMPLES, LEG_RATE_HZ};
use clearline::media::routes::{Expectation, Framing, NewRoute, OutgoingStream, PortPool, RouteTable};
use clearline::media::sdp::{LocalMedia, Negotiated, Negotiation};

pub(crate) const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);
const PORTS: std::ops::RangeInclusive<u16> = 16_384..=32_767;

/// A tone that is neither silence, which much code treats apart, nor too loud for any codec.
pub(crate) fn tone(rate_hz: u32, samples: usize) -> Vec<i16> {
    let sample = |n: usize| (8_000.0 * (TAU * 440.0 * n as f32 / rate_hz as f32).sin()) as i16;
    (0..samples).map(sample).collect()
}

/// A caller who never stops talking.
pub(crate) struct FarEnd {
    pub(crate) address: SocketAddr,
    stream: OutgoingStream,
    voice: Vec<u8>,
    packet: Vec<u8>,
}

impl FarEnd {
    pub(crate) fn new(address: SocketAddr, entropy: &mut Entropy) -> Self {
        let stream = OutgoingStream::new(entropy.next_u32(), Framing::new(Codec::Pcmu, 0), entropy);
        let voice = tone(LEG_RATE_HZ, FRAME_SAMPLES).into_iter().map(|sample| Codec::Pcmu.encode(sample));
        Self { address, stream, voice: voice.collect(), packet: Vec::new() }
    }

    pub(crate) fn next_packet(&mut self) -> &[u8] {
        self.stream.write_frame(&self.voice, false, &mut self.packet);
        &self.packet
    }
}

/// Many calls of one router, each with a far end that it has heard.
pub(crate) struct Router {
    pub(crate) table: RouteTable,
    pub(crate) callers: Vec<(u16, FarEnd)>,
    pub(crate) media: Negotiated,
    pub(crate) now: Instant,
}

impl Router {
    pub(crate) fn with_calls(calls: u16) -> Self {
        let mut entropy = Entropy::from_number(1);
        let mut router = Self {
            table: RouteTable::new(PortPool::new(PORTS), entropy.fork()),
            callers: Vec::new(),
            media: negotiated(far_address(0)),
            now: clock::now(),
        };
        for number in 0..calls {
            router.open(number, &mut entropy);
        }
        for _ in 0..10 {
            router.hear_all();
        }
        router
    }

    /// Every far end sends one packet, 20 ms after its last.
    pub(crate) fn hear_all(&mut self) {
        self.now += FRAME;
        for (port, far_end) in &mut self.callers {
            let source = far_end.address;
            self.table.receive(*port, source, far_end.next_packet(), self.now);
        }
    }

    fn open(&mut self, number: u16, entropy: &mut Entropy) {
        let call = CallId::new(format!("call-{number}"));
        let port = self.table.acquire_port(self.now).expect("ports for all");
        let new = NewRoute {
            call,
            port,
            ssrc: entropy.next_u32(),
            cname: "bench".into(),
            framing: Framing::new(Codec::Pcmu, 0),
            clock_rate_hz: LEG_RATE_HZ,
        };
        let route = self.table.open(new, self.now).expect("a fresh port");
        let address = far_address(number);
        route.expect(Expectation::new(&negotiated(address), address.ip(), false));
        route.answered();
        self.callers.push((port, FarEnd::new(address, entropy)));
    }
}

fn far_address(number: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 10_000 + 2 * number))
}

fn negotiated(remote: SocketAddr) -> Negotiated {
    let local = |address: SocketAddr| LocalMedia {
        address: address.ip(),
        port: address.port(),
        codecs: vec![Codec::Pcmu],
        ssrc: 1,
        session_id: 1,
        cname: "bench".into(),
    };
    let offer = Negotiation::new(local(remote)).offer();
    let mut ours = Negotiation::new(local(SocketAddr::from(([192, 0, 2, 2], 16_384))));
    ours.answer(&offer).expect("our own offer is acceptable").1
}
