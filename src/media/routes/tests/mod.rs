//! The rules of isolation and latching, each by name, played out on a table with a few hand-made far ends.

mod forgers;
mod isolation;
mod latching;
mod table;

use std::time::{Duration, Instant};

use super::*;
use crate::domain::{CallId, Entropy};
use crate::media::rtp::RtpHeader;
use crate::media::sdp::{Codec, Direction, Negotiated, ReceivedFormat};

const OURS: u32 = 0xC1EA_0001;
const FRAME: Duration = Duration::from_millis(20);
const PCMA: u8 = 8;

#[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of a test")]
pub(super) fn start() -> Instant {
    Instant::now()
}

pub(super) fn expectation(remote: &str, signalling: &str) -> Expectation {
    Expectation::new(&negotiated(remote), signalling.parse().unwrap(), false)
}

fn negotiated(remote: &str) -> Negotiated {
    Negotiated {
        remote: remote.parse().unwrap(),
        remote_rtcp: None,
        codec: Codec::Pcma,
        payload_type: PCMA,
        dtmf_payload_type: Some(101),
        direction: Direction::SendRecv,
        rtcp_mux: true,
        ptime_ms: 20,
        receive: vec![ReceivedFormat { payload_type: PCMA, codec: Codec::Pcma }],
        dtmf_receive_payload_type: Some(101),
    }
}

/// A table, a clock and calls named by numbers.
struct World {
    table: RouteTable,
    now: Instant,
}

/// A far end (or somebody who claims to be one) with its own numbering.
#[derive(Clone, Copy)]
struct FarEnd {
    source: &'static str,
    ssrc: u32,
    sequence: u16,
    /// Its clock at number 0.
    clock_begins: u32,
    payload_type: u8,
}

/// A verdict without its packet, for comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Yes,
    First(LatchEvent),
    No(DropReason),
}

use Heard::{First, No, Yes};

fn call(number: usize) -> CallId {
    CallId::new(format!("call-{number}"))
}

impl World {
    fn new() -> Self {
        Self::with_ports(PortPool::new(10_000..=10_199))
    }

    fn with_ports(ports: PortPool) -> Self {
        Self { table: RouteTable::new(ports, Entropy::from_number(1)), now: start() }
    }

    /// Opens a call and returns its port.
    fn open(&mut self, number: usize) -> u16 {
        let port = self.table.acquire_port(self.now).unwrap();
        let new = NewRoute {
            call: call(number),
            port,
            ssrc: OURS,
            cname: "test".into(),
            framing: Framing::new(Codec::Pcma, PCMA),
            clock_rate_hz: 8_000,
        };
        self.table.open(new, self.now).unwrap().port()
    }

    /// A call that was answered with an SDP from a public host, signalled by another.
    fn answered(&mut self, number: usize, remote: &str, signalling: &str) -> u16 {
        let port = self.open(number);
        self.expect(number, remote, signalling);
        self.route(number).answered();
        port
    }

    fn expect(&mut self, number: usize, remote: &str, signalling: &str) {
        self.route(number).expect(expectation(remote, signalling));
    }

    fn route(&mut self, number: usize) -> &mut Route {
        self.table.route_mut(&call(number)).unwrap()
    }

    fn destination(&mut self, number: usize) -> Option<String> {
        self.route(number).destination().map(|address| address.to_string())
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
    }

    /// One packet of `from`, and 20 ms pass.
    fn hear(&mut self, port: u16, from: &mut FarEnd) -> Heard {
        let heard = self.hear_at_once(port, from);
        self.pass(FRAME);
        heard
    }

    fn hear_at_once(&mut self, port: u16, from: &mut FarEnd) -> Heard {
        let mut datagram = Vec::new();
        let timestamp = from.clock_begins.wrapping_add(u32::from(from.sequence) * 160);
        let FarEnd { ssrc, sequence, payload_type, .. } = *from;
        RtpHeader { ssrc, sequence, timestamp, payload_type, marker: false }.write(&[0; 160], &mut datagram);
        from.sequence = sequence.wrapping_add(1);
        match self.table.receive(port, from.source.parse().unwrap(), &datagram, self.now) {
            Verdict::Accepted { event: None, .. } => Yes,
            Verdict::Accepted { event: Some(event), .. } => First(event),
            Verdict::Dropped(reason) => No(reason),
            Verdict::Rtcp(_) => panic!("this is RTP"),
        }
    }

    fn hear_many(&mut self, port: u16, from: &mut FarEnd, count: usize) -> Vec<Heard> {
        (0..count).map(|_| self.hear(port, from)).collect()
    }

    /// Lets `from` prove itself and talk until the learning window is over.
    fn lock(&mut self, port: u16, from: &mut FarEnd) {
        let heard = self.hear_many(port, from, 160);
        assert!(matches!(heard[1], First(_)) && heard[159] == Yes, "{heard:?}");
    }
}

impl FarEnd {
    fn new(source: &'static str, ssrc: u32) -> Self {
        Self { source, ssrc, sequence: 65_530, clock_begins: 0, payload_type: PCMA }
    }

    fn locked(&self) -> Heard {
        First(LatchEvent::Locked { ssrc: self.ssrc, source: self.source.parse().unwrap() })
    }

    fn moved_from(&self, former: &str) -> Heard {
        let (from, to) = (former.parse().unwrap(), self.source.parse().unwrap());
        First(LatchEvent::Moved { from, to, ssrc: self.ssrc })
    }
}
