//! The generator's clock: 2 ms steps against an origin, each caller in one of ten phases, so that the engine gets an
//! even stream of packets and not fifty floods a second.

use std::time::{Duration, Instant};

pub(super) const STEP: Duration = Duration::from_millis(2);
pub(super) const PHASES: usize = 10;

pub(super) struct Steps {
    origin: Instant,
    next: u64,
}

impl Steps {
    pub(super) fn new(origin: Instant) -> Self {
        Self { origin, next: 0 }
    }

    /// The next step if it is due: its phase, and how late it is.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(usize, Duration)> {
        let due = self.next_due();
        let late = now.checked_duration_since(due)?;
        let phase = (self.next % PHASES as u64) as usize;
        self.next += 1;
        Some((phase, late))
    }

    pub(super) fn next_due(&self) -> Instant {
        self.origin + Duration::from_micros(self.next.saturating_mul(STEP.as_micros() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_late_clock_makes_up_for_every_step_and_knows_how_late_each_is() {
        let origin = clock::now();
        let mut steps = Steps::new(origin);
        let now = origin + STEP * 11 + STEP / 2;
        let done: Vec<_> = std::iter::from_fn(|| steps.take_due(now)).collect();
        assert_eq!(done.len(), 12);
        assert_eq!((done[0], done[11]), ((0, STEP * 11 + STEP / 2), (1, STEP / 2)));
        assert_eq!(steps.next_due(), origin + STEP * 12);
    }
}
