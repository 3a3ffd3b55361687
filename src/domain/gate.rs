//! How much a source may speak: a token bucket for every one, which stands before the parser.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many messages a source may send: so many a second in the long run, so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// A token bucket for each source address. The table is bounded: sources that find no place share one bucket, so a
/// flood of forged addresses costs its own kind and no memory. A bucket that has filled up again is forgotten.
#[derive(Debug)]
pub struct Gate {
    rate: Rate,
    max_sources: usize,
    buckets: HashMap<IpAddr, Bucket>,
    shared: Option<Bucket>,
    sweep_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    counted_at: Instant,
}

/// How often filled buckets are looked for.
const SWEEP_PAUSE: Duration = Duration::from_secs(5);

impl Gate {
    pub fn new(rate: Rate, max_sources: usize) -> Self {
        Self { rate, max_sources, buckets: HashMap::new(), shared: None, sweep_at: None }
    }

    /// Takes a token of this source; false when it has none left.
    pub fn admit(&mut self, source: IpAddr, now: Instant) -> bool {
        self.sweep_at.get_or_insert(now + SWEEP_PAUSE);
        let rate = self.rate;
        let full = || Bucket { tokens: f64::from(rate.burst), counted_at: now };
        let has_place = self.buckets.len() < self.max_sources || self.buckets.contains_key(&source);
        let bucket = if has_place {
            self.buckets.entry(source).or_insert_with(full)
        } else {
            self.shared.get_or_insert_with(full)
        };
        bucket.take(rate, now)
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let rate = self.rate;
        self.buckets.retain(|_, bucket| !bucket.is_full(rate, now));
        self.shared = self.shared.filter(|bucket| !bucket.is_full(rate, now));
        self.sweep_at = (!self.is_idle()).then(|| now + SWEEP_PAUSE);
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.sweep_at
    }

    /// How many sources are remembered.
    pub fn sources(&self) -> usize {
        self.buckets.len()
    }

    fn is_idle(&self) -> bool {
        self.buckets.is_empty() && self.shared.is_none()
    }
}

impl Bucket {
    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        self.tokens = self.level(rate, now);
        self.counted_at = now;
        let has_token = self.tokens >= 1.0;
        if has_token {
            self.tokens -= 1.0;
        }
        has_token
    }

    fn is_full(&self, rate: Rate, now: Instant) -> bool {
        self.level(rate, now) >= f64::from(rate.burst)
    }

    fn level(&self, rate: Rate, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.counted_at).as_secs_f64();
        (self.tokens + elapsed * f64::from(rate.per_second)).min(f64::from(rate.burst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 2, burst: 3 };

    #[expect(clippy::disallowed_methods, reason = "one origin; all other times are computed from it")]
    fn start() -> Instant {
        Instant::now()
    }

    fn source(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_source_may_burst_and_then_keeps_its_rate() {
        let (now, mut gate) = (start(), Gate::new(RATE, 10));
        let admitted = (0..5).filter(|_| gate.admit(source(1), now)).count();
        assert_eq!(admitted, 3);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..5).filter(|_| gate.admit(source(1), later)).count(), 2);
        assert!(gate.admit(source(2), now), "another source has its own bucket");
    }

    #[test]
    fn sources_without_a_place_share_one_bucket() {
        let (now, mut gate) = (start(), Gate::new(RATE, 1));
        assert!(gate.admit(source(1), now));
        assert_eq!((2..100).filter(|last| gate.admit(source(*last), now)).count(), 3);
        assert_eq!(gate.sources(), 1);
        assert!(gate.admit(source(1), now), "who had a place keeps it");
    }

    #[test]
    fn a_source_that_fell_silent_is_forgotten() {
        let (now, mut gate) = (start(), Gate::new(RATE, 10));
        gate.admit(source(1), now);
        let sweep = gate.next_timeout().expect("a remembered source is swept some time");
        gate.handle_timeout(sweep);
        assert_eq!((gate.sources(), gate.next_timeout()), (0, None));
    }
}
