//! Those who have no part in a call and send to it all the same.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use clearline::domain::Entropy;
use clearline::media::codec::LEG_RATE_HZ;
use clearline::media::rtcp::RtcpReporter;
use clearline::media::rtp::RtpHeader;

use crate::network::{Author, Datagram, Network};
use crate::phone::Phone;
use crate::signals::Voice;
use crate::tally::{Seen, Tally};
use crate::trouble::Forgery;

const FORGER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
const BETWEEN_PACKETS: Duration = Duration::from_millis(20);
/// Fewer than could outlast the half second after which a port hears a stranger of its host.
const PACKETS: u64 = 12;
const GARBAGE_BYTES: u64 = 80;

pub(crate) struct Forger {
    bursts: Vec<Burst>,
    entropy: Entropy,
    pub(crate) tally: Tally,
}

/// A few packets in sequence.
struct Burst {
    from: SocketAddr,
    to: SocketAddr,
    author: Author,
    header: RtpHeader,
    payload: Vec<u8>,
    left: u64,
    next_at: Instant,
}

impl Forger {
    pub(crate) fn new(entropy: Entropy) -> Self {
        Self { bursts: Vec::new(), entropy, tally: Tally::default() }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.bursts.is_empty()
    }

    /// `engine` is where the victim's call is heard; `neighbour` another phone of its host.
    pub(crate) fn strike(
        &mut self,
        forgery: Forgery,
        victim: &Phone,
        engine: SocketAddr,
        neighbour: Option<&Phone>,
        network: &mut Network,
        now: Instant,
    ) {
        let stranger = SocketAddr::new(FORGER, 1_024 + self.entropy.next_u16() % 60_000);
        let reports = SocketAddr::new(engine.ip(), engine.port() + 1);
        let packets = 1 + self.entropy.below(PACKETS);
        let stream = victim.mouth.header();
        match forgery {
            Forgery::Stranger => {
                let header = RtpHeader { ssrc: self.entropy.next_u32(), ..stream };
                self.tally.count(Seen::ForgedPackets, packets);
                self.send_later(stranger, engine, header, victim, packets, now);
            }
            Forgery::Thief => {
                self.tally.count(Seen::StolenSsrcs, packets);
                self.send_later(stranger, engine, stream, victim, packets, now);
            }
            Forgery::WrongPort => {
                self.tally.count(Seen::WrongPortPackets, packets);
                self.send_later(victim.address(), reports, stream, victim, packets, now);
            }
            Forgery::Misdirected => {
                let Some(neighbour) = neighbour else { return };
                self.tally.count(Seen::MisdirectedPackets, packets);
                let header = RtpHeader { payload_type: stream.payload_type, ..neighbour.mouth.header() };
                self.send_later(neighbour.address(), engine, header, victim, packets, now);
                if let Some(burst) = self.bursts.last_mut() {
                    burst.author = Author::Phone(neighbour.number);
                    burst.payload = Voice::Caller(neighbour.number).encoded(victim.plan.codec);
                }
            }
            Forgery::Goodbye => {
                self.tally.count(Seen::ForgedReports, 1);
                let ssrc = stream.ssrc;
                let mut reporter =
                    RtcpReporter::new(ssrc, "phone".into(), LEG_RATE_HZ, self.entropy.fork(), now);
                for to in [engine, reports] {
                    send(stranger, to, reporter.bye(now), network, now);
                }
            }
            Forgery::Garbage => {
                let length = self.entropy.below(GARBAGE_BYTES);
                let bytes = (0..length).map(|_| self.entropy.next_u16() as u8).collect();
                send(stranger, engine, bytes, network, now);
            }
        }
    }

    pub(crate) fn tick(&mut self, network: &mut Network, now: Instant) {
        for burst in &mut self.bursts {
            if burst.next_at > now {
                continue;
            }
            burst.left -= 1;
            burst.next_at = now + BETWEEN_PACKETS;
            burst.header.sequence = burst.header.sequence.wrapping_add(1);
            burst.header.timestamp = burst.header.timestamp.wrapping_add(burst.payload.len() as u32);
            let mut bytes = Vec::new();
            burst.header.write(&burst.payload, &mut bytes);
            network.send(Datagram { from: burst.from, to: burst.to, bytes, author: burst.author }, now);
        }
        self.bursts.retain(|burst| burst.left > 0);
    }

    fn send_later(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        header: RtpHeader,
        victim: &Phone,
        left: u64,
        next_at: Instant,
    ) {
        let payload = Voice::Forger(victim.number).encoded(victim.plan.codec);
        let header =
            RtpHeader { payload_type: victim.plan.codec.static_payload_type().unwrap_or(0), ..header };
        self.bursts.push(Burst { from, to, author: Author::Forger, header, payload, left, next_at });
    }
}

fn send(from: SocketAddr, to: SocketAddr, bytes: Vec<u8>, network: &mut Network, now: Instant) {
    network.send(Datagram { from, to, bytes, author: Author::Forger }, now);
}
