//! The local ports, one even number for each call; the odd one above carries its RTCP.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Outside the kernel's ephemeral ports, so that nobody is handed one of ours by chance.
pub const DEFAULT_PORTS: RangeInclusive<u16> = 16_384..=32_767;
/// A port rests after a call, and longer while its last tenant still sends to it.
const REST: Duration = Duration::from_secs(10);
const SILENCE_BEFORE_REUSE: Duration = Duration::from_secs(2);
/// For so long the next call on a port refuses the stream of the last one.
const TENANT_MEMORY: Duration = Duration::from_secs(60);

/// The stream a port's last call listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenant {
    pub ssrc: u32,
    pub source: SocketAddr,
    pub last_sequence: u16,
    pub last_timestamp: u32,
}

/// Gives the least recently used port first, so that a port's past is as far away as the range allows.
#[derive(Debug)]
pub struct PortPool {
    first: u16,
    slots: Vec<Slot>,
    /// Ports nobody holds, the longest rested in front.
    queue: VecDeque<u16>,
}

#[derive(Debug, Clone, Default)]
struct Slot {
    is_held: bool,
    rest: Option<Rest>,
}

#[derive(Debug, Clone)]
struct Rest {
    released: Instant,
    heard: Instant,
    tenant: Option<Tenant>,
}

impl PortPool {
    /// The pairs of an even and an odd port that lie wholly within `range`.
    pub fn new(range: RangeInclusive<u16>) -> Self {
        let (start, end) = (u32::from(*range.start()).next_multiple_of(2), u32::from(*range.end()));
        let pairs = (end + 1).saturating_sub(start) / 2;
        let first = u16::try_from(start).unwrap_or(u16::MAX - 1);
        let queue = (0..pairs).filter_map(|pair| u16::try_from(start + 2 * pair).ok()).collect();
        Self { first, slots: vec![Slot::default(); pairs as usize], queue }
    }

    /// A rested port, or `None` while every port is held or resting.
    pub fn acquire(&mut self, now: Instant) -> Option<u16> {
        let is_rested = |&port: &u16| self.slot(port).is_some_and(|slot| slot.is_rested(now));
        let position = self.queue.iter().position(is_rested)?;
        let port = self.queue.remove(position)?;
        self.slot_mut(port)?.is_held = true;
        Some(port)
    }

    /// Takes a certain port, for a call that lived on it before this pool was made. False outside the range.
    pub fn hold(&mut self, port: u16) -> bool {
        if !port.is_multiple_of(2) {
            return false;
        }
        let Some(slot) = self.slot_mut(port) else { return false };
        slot.is_held = true;
        self.queue.retain(|&free| free != port);
        true
    }

    /// Ends a tenancy; `tenant` is the stream the call listened to, if it ever heard one.
    pub fn release(&mut self, port: u16, tenant: Option<Tenant>, now: Instant) {
        let Some(slot) = self.slot_mut(port).filter(|slot| slot.is_held) else { return };
        *slot = Slot { is_held: false, rest: Some(Rest { released: now, heard: now, tenant }) };
        self.queue.push_back(port);
    }

    /// A packet came to a port (or to the odd one above it). True while that port rests from a call.
    pub fn heard(&mut self, port: u16, now: Instant) -> bool {
        match self.slot_mut(port & !1) {
            Some(Slot { is_held: false, rest: Some(rest) }) => {
                rest.heard = now;
                true
            }
            _ => false,
        }
    }

    /// Whether a closed port must still be listened to before anybody else may have it.
    pub fn is_resting(&self, port: u16, now: Instant) -> bool {
        self.slot(port).is_some_and(|slot| !slot.is_held && !slot.is_rested(now))
    }

    /// The stream whose late packets the present call on this port must not hear.
    pub fn last_tenant(&self, port: u16, now: Instant) -> Option<(Tenant, Instant)> {
        let rest = self.slot(port)?.rest.as_ref()?;
        let until = rest.released + TENANT_MEMORY;
        rest.tenant.filter(|_| now < until).map(|tenant| (tenant, until))
    }

    /// Ports in use: 0 when no call is left, or one leaked.
    pub fn held(&self) -> usize {
        self.slots.len() - self.queue.len()
    }

    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    fn slot(&self, port: u16) -> Option<&Slot> {
        self.slots.get(usize::from(port.checked_sub(self.first)? / 2))
    }

    fn slot_mut(&mut self, port: u16) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(port.checked_sub(self.first)? / 2))
    }
}

impl Slot {
    fn is_rested(&self, now: Instant) -> bool {
        self.rest
            .as_ref()
            .is_none_or(|rest| now >= rest.released + REST && now >= rest.heard + SILENCE_BEFORE_REUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::routes::tests::start;

    const SECOND: Duration = Duration::from_secs(1);

    fn tenant() -> Tenant {
        Tenant { ssrc: 9, source: "192.0.2.1:6000".parse().unwrap(), last_sequence: 500, last_timestamp: 0 }
    }

    #[test]
    fn every_call_gets_an_even_port_whose_odd_neighbour_is_in_the_range_too() {
        let mut pool = PortPool::new(10_001..=10_006);
        let ports: Vec<_> = std::iter::from_fn(|| pool.acquire(start())).collect();
        assert_eq!(ports, [10_002, 10_004]);
        assert_eq!((pool.held(), pool.capacity()), (2, 2));
    }

    #[test]
    fn odd_ranges_give_what_they_hold_and_no_more() {
        assert_eq!(PortPool::new(DEFAULT_PORTS).capacity(), 8_192);
        assert_eq!(PortPool::new(65_534..=65_535).acquire(start()), Some(65_534));
        assert_eq!(PortPool::new(65_535..=65_535).acquire(start()), None);
        assert_eq!(PortPool::new(10_001..=10_002).acquire(start()), None);
        assert_eq!(PortPool::new(std::ops::RangeInclusive::new(20, 10)).acquire(start()), None);
    }

    #[test]
    fn a_released_port_rests_ten_seconds() {
        let mut pool = PortPool::new(10_000..=10_001);
        let now = start();
        let port = pool.acquire(now).unwrap();
        pool.release(port, None, now);
        assert_eq!(pool.acquire(now + 9 * SECOND), None);
        assert_eq!(pool.acquire(now + 10 * SECOND), Some(port));
    }

    #[test]
    fn a_port_that_is_still_sent_to_is_not_given_before_two_seconds_of_silence() {
        let mut pool = PortPool::new(10_000..=10_001);
        let now = start();
        let port = pool.acquire(now).unwrap();
        assert!(!pool.heard(port, now));
        pool.release(port, Some(tenant()), now);
        assert!(pool.heard(port + 1, now + 9 * SECOND));
        assert_eq!(pool.acquire(now + 10 * SECOND), None);
        assert_eq!(pool.acquire(now + 11 * SECOND), Some(port));
    }

    #[test]
    fn the_port_unused_for_longest_comes_first_and_a_noisy_one_is_passed_over() {
        let mut pool = PortPool::new(10_000..=10_005);
        let now = start();
        let ports = [0; 3].map(|_| pool.acquire(now).unwrap());
        for port in [ports[2], ports[0], ports[1]] {
            pool.release(port, None, now);
        }
        pool.heard(ports[2], now + 20 * SECOND);
        assert_eq!(pool.acquire(now + 20 * SECOND), Some(ports[0]));
    }

    #[test]
    fn the_last_tenants_stream_is_remembered_for_a_minute() {
        let mut pool = PortPool::new(10_000..=10_001);
        let now = start();
        let port = pool.acquire(now).unwrap();
        pool.release(port, Some(tenant()), now);
        pool.acquire(now + 15 * SECOND).unwrap();
        assert_eq!(pool.last_tenant(port, now + 59 * SECOND), Some((tenant(), now + 60 * SECOND)));
        assert_eq!(pool.last_tenant(port, now + 60 * SECOND), None);
    }

    #[test]
    fn a_port_can_be_held_by_name_and_is_then_nobody_elses() {
        let mut pool = PortPool::new(10_000..=10_003);
        assert!(pool.hold(10_000) && pool.hold(10_000));
        assert!(!pool.hold(10_001) && !pool.hold(9_998) && !pool.hold(10_004));
        assert_eq!((pool.acquire(start()), pool.acquire(start())), (Some(10_002), None));
    }

    #[test]
    fn giving_a_port_back_twice_or_a_foreign_one_changes_nothing() {
        let mut pool = PortPool::new(10_000..=10_001);
        let port = pool.acquire(start()).unwrap();
        pool.release(9_000, None, start());
        pool.release(port, None, start());
        pool.release(port, None, start());
        assert_eq!((pool.held(), pool.queue.len()), (0, 1));
    }
}
