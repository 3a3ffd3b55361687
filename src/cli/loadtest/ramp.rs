//! Which number of calls is tried next: doubled until a step breaks, then halved between the best that held and the
//! first that broke. Pure.

/// Where the ramp stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ramp {
    first: usize,
    /// Calls added at each step; `None` doubles.
    step: Option<usize>,
    calls_max: usize,
    held: Option<usize>,
    broken: Option<usize>,
}

/// The answer need not be closer than a twentieth.
const CLOSE_ENOUGH: usize = 20;

impl Ramp {
    pub(super) fn new(first: usize, step: Option<usize>, calls_max: usize) -> Self {
        Self { first: first.clamp(1, calls_max.max(1)), step, calls_max, held: None, broken: None }
    }

    /// `None` when the answer is known well enough.
    pub(super) fn next(&self) -> Option<usize> {
        match (self.held, self.broken) {
            (None, None) => Some(self.first),
            (Some(held), None) => {
                let more = held + self.step.unwrap_or(held);
                (held < self.calls_max).then(|| more.min(self.calls_max))
            }
            (held, Some(broken)) => {
                let held = held.unwrap_or(0);
                let gap = broken - held;
                (gap > 1 && gap > broken / CLOSE_ENOUGH).then(|| held + gap / 2)
            }
        }
    }

    pub(super) fn note(&mut self, calls: usize, held: bool) {
        if held {
            self.held = self.held.max(Some(calls));
        } else {
            self.broken = Some(self.broken.map_or(calls, |broken| broken.min(calls)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps taken on a machine that holds `capacity`, and the answer.
    fn taken(mut ramp: Ramp, capacity: usize) -> (Vec<usize>, Option<usize>) {
        let mut steps = Vec::new();
        while let Some(calls) = ramp.next() {
            steps.push(calls);
            ramp.note(calls, calls <= capacity);
            assert!(steps.len() < 50, "{steps:?}");
        }
        (steps, ramp.held)
    }

    #[test]
    fn it_doubles_until_a_step_breaks_and_then_closes_in() {
        let (steps, held) = taken(Ramp::new(10, None, 1_000), 130);
        assert_eq!(steps, [10, 20, 40, 80, 160, 120, 140, 130, 135]);
        assert_eq!(held, Some(130));
    }

    #[test]
    fn it_never_goes_past_the_most_and_ends_there() {
        assert_eq!(taken(Ramp::new(50, None, 120), 9_999), (vec![50, 100, 120], Some(120)));
        assert_eq!(taken(Ramp::new(500, None, 120), 9_999).0, [120]);
    }

    #[test]
    fn steps_can_be_even() {
        assert_eq!(taken(Ramp::new(10, Some(10), 40), 9_999).0, [10, 20, 30, 40]);
    }

    #[test]
    fn a_machine_that_holds_nothing_is_told_so() {
        let (steps, held) = taken(Ramp::new(8, None, 100), 0);
        assert_eq!((steps, held), (vec![8, 4, 2, 1], None));
    }
}
