//! The way between the two sides: it loses, doubles, delays and reorders datagrams, the same way for the same seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clearline::domain::Entropy;

use crate::digest::Digest;

pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    pub(crate) author: Author,
}

/// Who really sent it, whatever its addresses and its bytes say. Nobody in the world knows, only its judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    Signalling,
    Engine(usize),
    Phone(usize),
    Forger,
}

/// How bad the way is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) loss_permille: u64,
    doubled_permille: u64,
    reordered_permille: u64,
    delay_ms: u64,
    jitter_ms: u64,
}

/// How much longer a datagram may take that others overtake.
const DETOUR_MS: u64 = 60;

pub(crate) struct Network {
    weather: Weather,
    entropy: Entropy,
    /// By arrival, then by order of sending.
    on_the_way: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    pub(crate) digest: Digest,
}

impl Weather {
    /// Every other world is calm, the others are as bad as a mobile network on a train.
    pub(crate) fn drawn(entropy: &mut Entropy) -> Self {
        let calm = entropy.below(2) == 0;
        let delay_ms = 1 + entropy.below(60);
        if calm {
            let still =
                Self { loss_permille: 0, doubled_permille: 0, reordered_permille: 0, jitter_ms: 0, delay_ms };
            return still;
        }
        Self {
            loss_permille: entropy.below(30),
            doubled_permille: entropy.below(20),
            reordered_permille: entropy.below(20),
            delay_ms,
            jitter_ms: entropy.below(40),
        }
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.loss_permille + self.doubled_permille + self.reordered_permille + self.jitter_ms == 0
    }
}

impl Network {
    pub(crate) fn new(weather: Weather, entropy: Entropy, now: Instant) -> Self {
        Self { weather, entropy, on_the_way: BTreeMap::new(), sent: 0, digest: Digest::new(now) }
    }

    pub(crate) fn send(&mut self, datagram: Datagram, now: Instant) {
        if self.strikes(self.weather.loss_permille) {
            return;
        }
        if self.strikes(self.weather.doubled_permille) {
            let Datagram { from, to, author, .. } = datagram;
            self.post(Datagram { from, to, author, bytes: datagram.bytes.clone() }, now);
        }
        self.post(datagram, now);
    }

    /// The next datagram that has arrived.
    pub(crate) fn arrived(&mut self, now: Instant) -> Option<Datagram> {
        let entry = self.on_the_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        let at = entry.key().0;
        let datagram = entry.remove();
        self.digest.note(at, &datagram);
        Some(datagram)
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.on_the_way.keys().next().map(|(at, _)| *at)
    }

    fn strikes(&mut self, permille: u64) -> bool {
        permille > 0 && self.entropy.below(1_000) < permille
    }

    fn post(&mut self, datagram: Datagram, now: Instant) {
        let detour =
            if self.strikes(self.weather.reordered_permille) { self.entropy.below(DETOUR_MS) } else { 0 };
        let ms = self.weather.delay_ms + self.entropy.below(self.weather.jitter_ms + 1) + detour;
        self.sent += 1;
        self.on_the_way.insert((now + Duration::from_millis(ms), self.sent), datagram);
    }
}
