//! How much later than the quickest packets the slow ones come, and so how deep the buffer must be.
//!
//! The quickest is a minimum over the last five to ten seconds, so that it follows a clock that drifts; the slow ones
//! are a histogram that forgets over ten seconds, read at 99 %.

/// Everything is in ticks of 1/8 ms (8,000 a second).
pub(super) type Ticks = i64;

pub(super) const TICKS_PER_MS: Ticks = 8;
pub(super) const MIN_TARGET: Ticks = 20 * TICKS_PER_MS;
pub(super) const MAX_TARGET: Ticks = 200 * TICKS_PER_MS;

const BUCKETS: usize = 50;
const BUCKET_TICKS: Ticks = 5 * TICKS_PER_MS;
const HALF_WINDOW: Ticks = 5_000 * TICKS_PER_MS;
/// Share of a new packet in the histogram: 500 packets are ten seconds.
const WEIGHT: f32 = 1.0 / 500.0;
/// A second of packets tells something of a network.
const PACKETS_TO_KNOW: u32 = 50;
/// One packet in a hundred may come too late; waiting for it would delay all others.
const TAIL: f32 = 0.01;

#[derive(Debug)]
pub(super) struct DelayEstimator {
    quickest: Quickest,
    histogram: [f32; BUCKETS],
    packets: u32,
    previous_transit: Option<Ticks>,
    /// RFC 3550's mean deviation, for reports.
    jitter: f32,
}

/// The minimum transit of this half window and of the one before.
#[derive(Debug, Default)]
struct Quickest {
    until: Ticks,
    current: Option<Ticks>,
    previous: Option<Ticks>,
}

impl Default for DelayEstimator {
    fn default() -> Self {
        Self {
            quickest: Quickest::default(),
            histogram: [0.0; BUCKETS],
            packets: 0,
            previous_transit: None,
            jitter: 0.0,
        }
    }
}

impl DelayEstimator {
    /// A packet came at `arrival`, `transit` after its time stamp (on a scale of our own: only differences count).
    pub(super) fn note(&mut self, arrival: Ticks, transit: Ticks) {
        self.quickest.note(arrival, transit);
        let late = transit - self.quickest.get().unwrap_or(transit);
        self.packets = self.packets.saturating_add(1);
        self.note_lateness(late);
        let deviation = self.previous_transit.map_or(0, |previous| (transit - previous).abs());
        self.jitter += (deviation as f32 - self.jitter) / 16.0;
        self.previous_transit = Some(transit);
    }

    /// The sender's clock jumped: transits are on a new scale, the network is the same.
    pub(super) fn restart(&mut self) {
        self.quickest = Quickest::default();
        self.previous_transit = None;
    }

    pub(super) fn quickest(&self) -> Option<Ticks> {
        self.quickest.get()
    }

    /// Whether the target is more than a guess.
    pub(super) fn is_known(&self) -> bool {
        self.packets >= PACKETS_TO_KNOW
    }

    pub(super) fn jitter_ms(&self) -> f32 {
        self.jitter / TICKS_PER_MS as f32
    }

    /// The depth at which 99 of 100 packets come in time.
    pub(super) fn target(&self) -> Ticks {
        let mut tail = 0.0;
        let needed = self.histogram.iter().rposition(|share| {
            tail += share;
            tail > TAIL
        });
        let depth = needed.map_or(0, |bucket| (bucket as Ticks + 1) * BUCKET_TICKS);
        depth.clamp(MIN_TARGET, MAX_TARGET)
    }

    fn note_lateness(&mut self, late: Ticks) {
        let weight = WEIGHT.max(1.0 / self.packets as f32);
        self.histogram.iter_mut().for_each(|share| *share *= 1.0 - weight);
        let bucket = (late / BUCKET_TICKS).clamp(0, BUCKETS as Ticks - 1);
        self.histogram[bucket as usize] += weight;
    }
}

impl Quickest {
    fn note(&mut self, arrival: Ticks, transit: Ticks) {
        if arrival >= self.until {
            self.previous = self.current.take();
            self.until = arrival + HALF_WINDOW;
        }
        self.current = Some(self.current.map_or(transit, |quickest| quickest.min(transit)));
    }

    fn get(&self) -> Option<Ticks> {
        match (self.current, self.previous) {
            (Some(current), Some(previous)) => Some(current.min(previous)),
            (current, previous) => current.or(previous),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Entropy;

    fn after(packets: i64, mut delay: impl FnMut(i64) -> Ticks) -> DelayEstimator {
        let mut estimator = DelayEstimator::default();
        for n in 0..packets {
            estimator.note(n * 160 + delay(n), delay(n));
        }
        estimator
    }

    #[test]
    fn a_steady_network_needs_the_least_depth() {
        assert_eq!(after(100, |_| 77).target(), MIN_TARGET);
    }

    #[test]
    fn the_target_covers_the_jitter_there_is_and_no_more() {
        let mut entropy = Entropy::from_number(1);
        let estimator = after(2_000, |_| entropy.below(30 * TICKS_PER_MS as u64) as Ticks);
        assert!((28..=35).contains(&(estimator.target() / TICKS_PER_MS)), "{}", estimator.target());
        assert_eq!(after(500, |n| n % 2 * 5_000).target(), MAX_TARGET);
    }

    #[test]
    fn a_bad_minute_is_forgotten() {
        let estimator = after(5_000, |n| if n < 1_000 { n % 5 * 200 } else { 0 });
        assert_eq!(estimator.target(), MIN_TARGET);
    }

    #[test]
    fn the_quickest_follows_a_clock_that_runs_slow() {
        let estimator = after(30_000, |n| n / 60);
        assert!(30_000 / 60 - estimator.quickest().unwrap() < 10, "{:?}", estimator.quickest());
        assert_eq!(estimator.target(), MIN_TARGET);
    }
}
