//! What becomes of a packet: lost, or late by so much.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::domain::Entropy;

/// How bad the network is. The default is a perfect one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Impairment {
    /// This share of the packets, 0 to 1, never arrives.
    pub loss: f64,
    /// How long packets take on average.
    pub delay: Duration,
    /// Each takes up to so much less or more, evenly spread; less than nothing counts as nothing.
    pub jitter: Duration,
}

/// What a lane did to the packets that entered it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct LaneReport {
    pub entered: u64,
    pub lost: u64,
    /// Dropped because too many were in flight.
    pub crowded_out: u64,
    /// Of those that were let through.
    pub delay_ms_mean: f64,
    /// How much the delays of neighbours differ, on average.
    pub jitter_ms_mean: f64,
}

/// One direction of one connection.
pub(super) struct Lane {
    impairment: Impairment,
    entropy: Entropy,
    entered: u64,
    lost: u64,
    crowded_out: u64,
    delays: Duration,
    differences: Duration,
    last_delay: Option<Duration>,
}

impl Lane {
    pub(super) fn new(impairment: Impairment, entropy: Entropy) -> Self {
        Self {
            impairment,
            entropy,
            entered: 0,
            lost: 0,
            crowded_out: 0,
            delays: Duration::ZERO,
            differences: Duration::ZERO,
            last_delay: None,
        }
    }

    /// When a packet that enters now arrives; `None` if it never does.
    pub(super) fn fate(&mut self, now: Instant) -> Option<Instant> {
        self.entered += 1;
        // Both are drawn for each packet, so that a run without loss has the same delays.
        let (luck, delay) = (self.share(), self.delay());
        if luck < self.impairment.loss {
            self.lost += 1;
            return None;
        }
        self.delays += delay;
        self.differences += self.last_delay.unwrap_or(delay).abs_diff(delay);
        self.last_delay = Some(delay);
        Some(now + delay)
    }

    pub(super) fn note_crowded_out(&mut self) {
        self.crowded_out += 1;
    }

    pub(super) fn report(&self) -> LaneReport {
        let let_through = (self.entered - self.lost).max(1) as f64;
        LaneReport {
            entered: self.entered,
            lost: self.lost,
            crowded_out: self.crowded_out,
            delay_ms_mean: self.delays.as_secs_f64() * 1_000.0 / let_through,
            jitter_ms_mean: self.differences.as_secs_f64() * 1_000.0 / let_through,
        }
    }

    fn delay(&mut self) -> Duration {
        let Impairment { delay, jitter, .. } = self.impairment;
        let swing = jitter.mul_f64(2.0 * self.share());
        (delay + swing).saturating_sub(jitter)
    }

    /// Evenly spread from 0 up to, not including, 1.
    fn share(&mut self) -> f64 {
        f64::from(self.entropy.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const BAD: Impairment =
        Impairment { loss: 0.02, delay: Duration::from_millis(40), jitter: Duration::from_millis(30) };

    fn fates(impairment: Impairment, seed: u64, packets: usize) -> (Vec<Option<Duration>>, LaneReport) {
        let mut lane = Lane::new(impairment, Entropy::from_number(seed));
        let now = clock::now();
        let fates = (0..packets).map(|_| lane.fate(now).map(|at| at - now)).collect();
        (fates, lane.report())
    }

    #[test]
    fn loss_and_delays_are_those_that_were_ordered() {
        let (fates, report) = fates(BAD, 1, 50_000);
        let delays: Vec<Duration> = fates.into_iter().flatten().collect();
        assert!(delays.iter().all(|delay| (10..=70).contains(&delay.as_millis())));
        assert!(delays.iter().any(|delay| delay.as_millis() < 12));
        assert!(delays.iter().any(|delay| delay.as_millis() > 68));
        let loss = report.lost as f64 / report.entered as f64;
        assert!((0.018..0.022).contains(&loss), "{report:?}");
        assert!((39.0..41.0).contains(&report.delay_ms_mean), "{report:?}");
        assert!((19.0..21.0).contains(&report.jitter_ms_mean), "a third of the whole swing: {report:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_network_and_another_one_another() {
        assert_eq!(fates(BAD, 7, 100), fates(BAD, 7, 100));
        assert_ne!(fates(BAD, 7, 100).0, fates(BAD, 8, 100).0);
    }

    #[test]
    fn jitter_cannot_deliver_a_packet_before_it_was_sent() {
        let impairment = Impairment { delay: Duration::from_millis(5), ..BAD };
        let (fates, _) = fates(impairment, 3, 1_000);
        assert!(fates.contains(&Some(Duration::ZERO)));
    }

    #[test]
    fn a_perfect_network_lets_all_through_at_once() {
        let (fates, report) = fates(Impairment::default(), 3, 100);
        assert!(fates.iter().all(|fate| *fate == Some(Duration::ZERO)));
        assert_eq!(report, LaneReport { entered: 100, ..LaneReport::default() });
    }
}
