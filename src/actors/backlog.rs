//! What a sweep of the outbox has seen for the figures: how many entries are parked, and since when the oldest waits. It
//! reads a page of those that are parked at each look, so that as many as there may be cost no look more.

use crate::clock;
use crate::domain::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Backlog {
    parked: usize,
    counted: usize,
    /// Where the next page of those that are parked begins.
    pub(super) parked_after: Option<String>,
    oldest_due: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct BacklogFigures {
    pub(super) parked: i64,
    /// 0: nothing waits.
    pub(super) oldest_due_s: i64,
}

impl Backlog {
    /// They are as many as were counted when the last page is there.
    pub(super) fn note_parked(&mut self, found: usize, next: Option<String>) {
        self.counted += found;
        if next.is_none() {
            self.parked = std::mem::take(&mut self.counted);
        }
        self.parked_after = next;
    }

    pub(super) fn note_due(&mut self, since: impl Iterator<Item = Timestamp>) {
        self.oldest_due = since.min();
    }

    pub(super) fn figures(&self) -> BacklogFigures {
        let waits_ms = |since: Timestamp| clock::unix_time().as_millis().saturating_sub(since.as_millis());
        BacklogFigures {
            parked: i64::try_from(self.parked).unwrap_or(i64::MAX),
            oldest_due_s: i64::try_from(self.oldest_due.map_or(0, waits_ms) / 1_000).unwrap_or(i64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parked_is_known_once_the_last_page_was_counted() {
        let mut backlog = Backlog::default();
        for (found, next, parked) in [(100, Some("a"), 0), (100, Some("b"), 0), (7, None, 207), (3, None, 3)]
        {
            backlog.note_parked(found, next.map(str::to_owned));
            assert_eq!((backlog.figures().parked, backlog.parked_after.as_deref()), (parked, next));
        }
    }

    #[test]
    fn the_oldest_of_what_is_due_counts_and_nothing_waits_where_nothing_is() {
        let mut backlog = Backlog::default();
        let ago = |s: u64| Timestamp::from_millis(clock::unix_time().as_millis() - s * 1_000);
        backlog.note_due([ago(5), ago(70), ago(6)].into_iter());
        assert!(backlog.figures().oldest_due_s >= 70);
        backlog.note_due(std::iter::empty());
        assert_eq!(backlog.figures().oldest_due_s, 0);
    }
}
