//! When one side was without the other's packets, and for how long that can be held against the engine.

use std::time::{Duration, Instant};

/// Shorter gaps are the network's.
const NOTED_FROM: Duration = Duration::from_millis(200);

#[derive(Default)]
pub(crate) struct Reception {
    last: Option<Instant>,
    gaps: Vec<(Instant, Instant)>,
}

impl Reception {
    /// From here on packets are due.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.last.get_or_insert(now);
    }

    pub(crate) fn hear(&mut self, now: Instant) {
        let before = self.last.replace(now);
        self.gaps.extend(before.filter(|before| now - *before >= NOTED_FROM).map(|before| (before, now)));
    }

    /// The longest gap of a talk. A far end that begins anew somewhere else cannot be found before it does, however often
    /// it moves on the way there: what came before its newest beginning is its own doing.
    pub(crate) fn longest_gap(&self, (since, end): (Instant, Instant), beginnings: &[Instant]) -> Duration {
        let last = (self.last.unwrap_or(since), end);
        let gap = |(from, to): (Instant, Instant)| {
            let begun_anew = beginnings.iter().copied().filter(|at| *at <= to).max();
            to.saturating_duration_since(begun_anew.map_or(from, |at| at.max(from)))
        };
        self.gaps.iter().copied().chain([last]).map(gap).max().unwrap_or_default()
    }
}

#[test]
fn a_gap_begins_when_the_far_end_does() {
    let begin = clearline::clock::now();
    let at = |ms| begin + Duration::from_millis(ms);
    let mut reception = Reception::default();
    [0, 20, 1_620, 1_640].map(at).into_iter().for_each(|now| reception.hear(now));
    let talk = (at(0), at(1_650));
    assert_eq!(reception.longest_gap(talk, &[]), Duration::from_millis(1_600));
    assert_eq!(reception.longest_gap(talk, &[at(700), at(1_400), at(1_630)]), Duration::from_millis(220));
    assert_eq!(reception.longest_gap((at(0), at(9_640)), &[at(700)]), Duration::from_secs(8));
}
