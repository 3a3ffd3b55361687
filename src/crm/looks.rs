//! When the outbox is looked at: from time to time, soon after something has become due, and again as long as it has more
//! than the queue takes.

use std::time::{Duration, Instant};

/// Between two looks, whoever rings and however much there is: what others are at is found each time.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Looks {
    every: Duration,
    last: Option<Instant>,
    is_looking: bool,
    /// Somebody has rung since the last one began.
    was_rung: bool,
    /// The outbox has more than the queue takes.
    more: bool,
    /// When nothing has been looked at yet.
    first: Instant,
}

impl Looks {
    pub(super) fn new(every: Duration, now: Instant) -> Self {
        Self { every, last: None, is_looking: false, was_rung: false, more: false, first: now }
    }

    pub(super) fn there_is_more(&mut self) {
        self.more = true;
    }

    pub(super) fn is_over(&mut self, more: bool) {
        self.is_looking = false;
        self.more |= more;
    }

    /// Many calls that end at once share a look.
    pub(super) fn ring(&mut self) {
        self.was_rung = true;
    }

    /// Whether one begins now. A queue that is half full has enough to do.
    pub(super) fn begins(&mut self, is_half_empty: bool, now: Instant) -> bool {
        let begins = self.next(is_half_empty).is_some_and(|at| at <= now);
        if begins {
            (self.is_looking, self.was_rung, self.more) = (true, false, false);
            self.last = Some(now);
        }
        begins
    }

    /// When the next one begins by itself; `None`: one is under way.
    pub(super) fn next(&self, is_half_empty: bool) -> Option<Instant> {
        if self.is_looking {
            return None;
        }
        let is_hurried = is_half_empty && (self.was_rung || self.more);
        let pause = if is_hurried { LOOK_PAUSE.min(self.every) } else { self.every };
        Some(self.last.map_or(self.first, |last| last + pause))
    }
}
