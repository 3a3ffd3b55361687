//! Packets under way, in the order in which they arrive.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Instant;

/// Some seconds of a call in both directions; more is no telephone call.
const PACKETS_MAX: usize = 512;

#[derive(Debug, Default)]
pub(super) struct InFlight {
    packets: BinaryHeap<Reverse<Packet>>,
    entered: u64,
}

/// Compared by arrival, then by the order in which they entered.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    arrival: Instant,
    number: u64,
    destination: SocketAddr,
    bytes: Vec<u8>,
}

impl InFlight {
    /// False when it is full.
    pub(super) fn push(&mut self, arrival: Instant, destination: SocketAddr, bytes: Vec<u8>) -> bool {
        if self.packets.len() >= PACKETS_MAX {
            return false;
        }
        self.entered += 1;
        self.packets.push(Reverse(Packet { arrival, number: self.entered, destination, bytes }));
        true
    }

    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.packets.peek().map(|Reverse(packet)| packet.arrival)
    }

    pub(super) fn pop_arrived(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        self.next_arrival().filter(|arrival| *arrival <= now)?;
        self.packets.pop().map(|Reverse(packet)| (packet.destination, packet.bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    const SOMEWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

    fn arrived(packets: &mut InFlight, now: Instant) -> Vec<u8> {
        std::iter::from_fn(|| packets.pop_arrived(now)).map(|(_, bytes)| bytes[0]).collect()
    }

    #[test]
    fn a_quick_packet_overtakes_a_slow_one_and_equals_keep_their_order() {
        let (now, mut packets) = (clock::now(), InFlight::default());
        for (number, ms) in [(1, 30), (2, 10), (3, 10), (4, 50)] {
            assert!(packets.push(now + Duration::from_millis(ms), SOMEWHERE, vec![number]));
        }
        assert!(arrived(&mut packets, now).is_empty());
        assert_eq!(arrived(&mut packets, now + Duration::from_millis(30)), [2, 3, 1]);
        assert_eq!(packets.next_arrival(), Some(now + Duration::from_millis(50)));
    }

    #[test]
    fn a_flood_is_refused_and_not_kept() {
        let (now, mut packets) = (clock::now(), InFlight::default());
        let taken = (0..1_000).filter(|_| packets.push(now, SOMEWHERE, vec![0])).count();
        assert_eq!(taken, PACKETS_MAX);
    }
}
