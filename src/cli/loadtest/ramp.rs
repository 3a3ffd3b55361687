//! Which number of calls is tried next: doubled until a step does not hold, then halved between the best that held and
//! the first that did not. Pure.

/// Where the ramp stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ramp {
    first: usize,
    /// Calls added at each step; `None` doubles.
    step: Option<usize>,
    calls_max: usize,
    /// The most that held, or that had too few samples to break: more calls have more.
    floor: Option<usize>,
    /// The fewest that broke, or could not be judged: more calls than a late harness can make tell nothing more.
    ceiling: Option<usize>,
    /// So many could not be judged once, and are tried again before that is believed: a machine stalls now and then.
    again: Option<usize>,
}

/// What a step says of its number of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Held,
    Broke,
    /// More calls would tell nothing more.
    TooLateToTell,
    /// More calls have more samples.
    TooLittleToTell,
}

/// The answer need not be closer than a twentieth.
const CLOSE_ENOUGH: usize = 20;

impl Ramp {
    pub(super) fn new(first: usize, step: Option<usize>, calls_max: usize) -> Self {
        Self {
            first: first.clamp(1, calls_max.max(1)),
            step,
            calls_max,
            floor: None,
            ceiling: None,
            again: None,
        }
    }

    /// `None` when the answer is known well enough.
    pub(super) fn next(&self) -> Option<usize> {
        if self.again.is_some() {
            return self.again;
        }
        match (self.floor, self.ceiling) {
            (None, None) => Some(self.first),
            (Some(floor), None) => {
                let more = floor + self.step.unwrap_or(floor);
                (floor < self.calls_max).then(|| more.min(self.calls_max))
            }
            (floor, Some(ceiling)) => {
                let floor = floor.unwrap_or(0);
                let gap = ceiling.saturating_sub(floor);
                (gap > 1 && gap > ceiling / CLOSE_ENOUGH).then(|| floor + gap / 2)
            }
        }
    }

    pub(super) fn note(&mut self, calls: usize, answer: Answer) {
        let is_second = self.again.take() == Some(calls);
        match answer {
            Answer::TooLateToTell if !is_second => self.again = Some(calls),
            Answer::Held | Answer::TooLittleToTell => self.floor = self.floor.max(Some(calls)),
            Answer::Broke | Answer::TooLateToTell => {
                self.ceiling = Some(self.ceiling.map_or(calls, |ceiling| ceiling.min(calls)));
            }
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
            ramp.note(calls, if calls <= capacity { Answer::Held } else { Answer::Broke });
            assert!(steps.len() < 50, "{steps:?}");
        }
        (steps, ramp.floor)
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
    fn a_step_that_could_not_be_judged_ends_its_growth() {
        let mut ramp = Ramp::new(10, None, 1_000);
        ramp.note(10, Answer::Held);
        ramp.note(20, Answer::TooLateToTell);
        ramp.note(20, Answer::TooLateToTell);
        assert_eq!((ramp.floor, ramp.next()), (Some(10), Some(15)));
    }

    #[test]
    fn one_step_that_could_not_be_judged_is_repeated_and_then_forgotten() {
        let mut ramp = Ramp::new(10, None, 1_000);
        ramp.note(10, Answer::TooLateToTell);
        assert_eq!(ramp.next(), Some(10));
        ramp.note(10, Answer::Held);
        assert_eq!(ramp.next(), Some(20));
        ramp.note(20, Answer::TooLateToTell);
        assert_eq!(ramp.next(), Some(20));
    }

    #[test]
    fn a_step_with_too_few_samples_is_followed_by_one_with_more() {
        let mut ramp = Ramp::new(2, None, 1_000);
        ramp.note(2, Answer::TooLittleToTell);
        assert_eq!(ramp.next(), Some(4));
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
