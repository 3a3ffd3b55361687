//! The way between the two sides: it loses, doubles, delays and reorders datagrams, the same way for the same seed.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clearline::domain::Entropy;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::tally::{Seen, Tally};

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Weather {
    pub(crate) loss_permille: u64,
    doubled_permille: u64,
    reordered_permille: u64,
    delay_ms: u64,
    jitter_ms: u64,
}

/// A frame's time: who did not wait for what is so late has missed it.
const FRAME_MS: u64 = 20;
/// How much longer a datagram may take that others overtake.
const DETOUR_MS: u64 = 60;

pub(crate) struct Network {
    weather: Weather,
    entropy: Entropy,
    /// By arrival, then by order of sending.
    on_the_way: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    /// The newest that has arrived on each way, by the order of sending.
    newest: HashMap<(SocketAddr, SocketAddr), u64>,
    pub(crate) digest: Digest,
    pub(crate) tally: Tally,
}

impl Weather {
    /// Every other world is calm, the others are as bad as a mobile network on a train.
    pub(crate) fn drawn(entropy: &mut Entropy) -> Self {
        let calm = entropy.below(2) == 0;
        let delay_ms = 1 + entropy.below(60);
        if calm {
            return Self { delay_ms, ..Self::default() };
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
        Self {
            weather,
            entropy,
            on_the_way: BTreeMap::new(),
            sent: 0,
            newest: HashMap::new(),
            digest: Digest::new(now),
            tally: Tally::default(),
        }
    }

    pub(crate) fn send(&mut self, datagram: Datagram, now: Instant) {
        self.tally.count(Seen::Datagrams, 1);
        if self.strikes(self.weather.loss_permille) {
            let is_signal = datagram.author == Author::Signalling;
            return self.tally.count(if is_signal { Seen::SignalsLost } else { Seen::PacketsLost }, 1);
        }
        if self.strikes(self.weather.doubled_permille) {
            self.tally.count(Seen::Doubled, 1);
            let Datagram { from, to, author, .. } = datagram;
            self.post(Datagram { from, to, author, bytes: datagram.bytes.clone() }, now);
        }
        self.post(datagram, now);
    }

    /// The next datagram that has arrived.
    pub(crate) fn arrived(&mut self, now: Instant) -> Option<Datagram> {
        let entry = self.on_the_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        let (at, number) = *entry.key();
        let datagram = entry.remove();
        self.digest.note(at, &datagram);
        let newest = self.newest.entry((datagram.from, datagram.to)).or_default();
        self.tally.count(Seen::Overtaken, u64::from(number < *newest));
        *newest = number.max(*newest);
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
        let jitter = self.entropy.below(self.weather.jitter_ms + 1);
        let ms = self.weather.delay_ms + jitter + detour;
        self.tally.count(Seen::DelayedByAFrame, u64::from(ms >= FRAME_MS));
        self.tally.count(Seen::Jittered, u64::from(jitter > 0));
        self.sent += 1;
        self.on_the_way.insert((now + Duration::from_millis(ms), self.sent), datagram);
    }
}
