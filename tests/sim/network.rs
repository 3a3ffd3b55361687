//! The way between the two sides: it loses, doubles, delays and so reorders datagrams, the same way for the same seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clearline::domain::Entropy;

pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// How bad the way is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    loss_permille: u64,
    doubled_permille: u64,
    delay_ms: u64,
    jitter_ms: u64,
}

pub(crate) struct Network {
    weather: Weather,
    entropy: Entropy,
    /// By arrival, then by order of sending.
    on_the_way: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
}

impl Weather {
    /// Every other world is calm, the others are as bad as a mobile network on a train.
    pub(crate) fn drawn(entropy: &mut Entropy) -> Self {
        let calm = entropy.below(2) == 0;
        let delay_ms = 1 + entropy.below(60);
        if calm {
            return Self { loss_permille: 0, doubled_permille: 0, delay_ms, jitter_ms: 0 };
        }
        Self {
            loss_permille: entropy.below(30),
            doubled_permille: entropy.below(20),
            delay_ms,
            jitter_ms: entropy.below(40),
        }
    }
}

impl Network {
    pub(crate) fn new(weather: Weather, entropy: Entropy) -> Self {
        Self { weather, entropy, on_the_way: BTreeMap::new(), sent: 0 }
    }

    pub(crate) fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>, now: Instant) {
        if self.entropy.below(1_000) < self.weather.loss_permille {
            return;
        }
        if self.entropy.below(1_000) < self.weather.doubled_permille {
            self.post(Datagram { from, to, bytes: bytes.clone() }, now);
        }
        self.post(Datagram { from, to, bytes }, now);
    }

    /// The next datagram that has arrived.
    pub(crate) fn arrived(&mut self, now: Instant) -> Option<Datagram> {
        let entry = self.on_the_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    fn post(&mut self, datagram: Datagram, now: Instant) {
        let ms = self.weather.delay_ms + self.entropy.below(self.weather.jitter_ms + 1);
        self.sent += 1;
        self.on_the_way.insert((now + Duration::from_millis(ms), self.sent), datagram);
    }
}
