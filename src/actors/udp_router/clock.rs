//! One clock for all audio of a router: 5 ms steps against a monotonic origin, each call in one of four phases.
//!
//! A late wake-up does not shift what follows: steps are counted from the origin, never from the last wake-up.

use std::time::{Duration, Instant};

pub(super) const STEP: Duration = Duration::from_millis(5);
/// Steps in one 20 ms frame; each call's frame is due in one of them.
pub(super) const PHASES: usize = 4;
/// After a longer stall the missed frames are skipped: a burst would only overrun the far end's jitter buffer.
pub(super) const FRAMES_CAUGHT_UP_MAX: u64 = 3;

#[derive(Debug)]
pub(super) struct MediaClock {
    origin: Instant,
    /// The number of the next step to be done.
    next_step: u64,
}

impl MediaClock {
    pub(super) fn new(origin: Instant) -> Self {
        Self { origin, next_step: 0 }
    }

    /// The steps that are due now, oldest first; more than one when the thread was late.
    pub(super) fn take_due(&mut self, now: Instant) -> std::ops::Range<u64> {
        let elapsed = now.saturating_duration_since(self.origin);
        let due = u64::try_from(elapsed.as_nanos() / STEP.as_nanos()).unwrap_or(u64::MAX) + 1;
        let first = self.next_step.min(due);
        self.next_step = self.next_step.max(due);
        first..due
    }

    pub(super) fn next_wake(&self) -> Instant {
        self.origin + STEP * u32::try_from(self.next_step).unwrap_or(u32::MAX)
    }
}

/// The frame that falls due in `step` for calls of the step's phase.
pub(super) fn frame_of_step(step: u64) -> u64 {
    step / PHASES as u64
}

pub(super) fn phase_of_step(step: u64) -> usize {
    (step % PHASES as u64) as usize
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;

    #[test]
    fn pacing_does_not_drift_when_every_wake_up_is_late() {
        let origin = Instant::now();
        let mut clock = MediaClock::new(origin);
        let mut steps = 0;
        for wake in 0..1000_u32 {
            steps += clock.take_due(origin + STEP * wake + Duration::from_millis(3)).count();
        }
        assert_eq!(steps, 1000);
        assert_eq!(clock.next_wake(), origin + STEP * 1000);
    }

    #[test]
    fn a_late_wake_up_gets_every_missed_step_once() {
        let origin = Instant::now();
        let mut clock = MediaClock::new(origin);
        assert_eq!(clock.take_due(origin), 0..1);
        assert_eq!(clock.take_due(origin + STEP * 7), 1..8);
        assert_eq!(clock.take_due(origin + STEP * 7), 8..8);
    }
}
