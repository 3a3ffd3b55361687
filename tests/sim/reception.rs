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

    /// The longest gap of a talk, without what of it the far end was silent itself before it began anew somewhere else:
    /// nobody can find it before it does. `pauses` are in their order.
    pub(crate) fn longest_gap(
        &self,
        (since, end): (Instant, Instant),
        pauses: &[(Instant, Instant)],
    ) -> Duration {
        let last = (self.last.unwrap_or(since), end);
        let gap = |(from, to): (Instant, Instant)| {
            let mut counted_until = from;
            let mut own_doing = Duration::ZERO;
            for (begin, end) in pauses {
                let (begin, end) = ((*begin).max(counted_until), (*end).min(to));
                own_doing += end.saturating_duration_since(begin);
                counted_until = counted_until.max(end);
            }
            to.saturating_duration_since(from).saturating_sub(own_doing)
        };
        self.gaps.iter().copied().chain([last]).map(gap).max().unwrap_or_default()
    }
}

#[test]
fn a_far_end_s_own_pauses_are_no_gap_and_all_else_is() {
    let begin = clearline::clock::now();
    let at = |ms| begin + Duration::from_millis(ms);
    let mut reception = Reception::default();
    [0, 20, 1_620, 1_640].map(at).into_iter().for_each(|now| reception.hear(now));
    let longest = |pauses: &[(u64, u64)]| {
        let pauses: Vec<_> = pauses.iter().map(|(from, to)| (at(*from), at(*to))).collect();
        reception.longest_gap((at(0), at(1_650)), &pauses).as_millis()
    };
    assert_eq!(longest(&[]), 1_600);
    assert_eq!(longest(&[(1_500, 1_500)]), 1_600, "deaf before a move is deaf");
    assert_eq!(longest(&[(0, 700), (600, 1_300)]), 320, "two pauses that overlap");
    assert_eq!(longest(&[(900, 1_600), (1_630, 1_640)]), 900);
    assert_eq!(reception.longest_gap((at(0), at(9_640)), &[(at(0), at(700))]), Duration::from_secs(8));
}
