//! Which sequence numbers were seen: duplicates, and what never came (RFC 3550, appendix A.1 and A.3).

/// Everything of one stream's numbering; survives jumps.
#[derive(Debug, Default)]
pub(super) struct SequenceLog {
    run: Option<Run>,
    /// Of runs that a jump ended.
    lost_before: u64,
    pub(super) received: u64,
    pub(super) duplicated: u64,
}

/// Numbers without a jump, extended beyond 16 bits.
#[derive(Debug)]
struct Run {
    first: u64,
    newest: u64,
    received: u64,
    /// Bit n: `newest - n` was seen.
    seen: u64,
}

/// A number further ahead than this, or further behind than `seen` remembers, begins a new run.
const MAX_AHEAD: u16 = 3_000;
const MAX_BEHIND: u16 = 63;
/// Extended numbers begin above zero, so that packets from just before the first have a place.
const ORIGIN: u64 = 1 << 16;

impl SequenceLog {
    /// Tells whether the packet is new.
    pub(super) fn note(&mut self, sequence: u16) -> bool {
        let fresh = match &mut self.run {
            Some(run) if run.continues_with(sequence) => run.note(sequence),
            _ => {
                self.begin_run(sequence);
                true
            }
        };
        if fresh {
            self.received += 1;
        } else {
            self.duplicated += 1;
        }
        fresh
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost_before + self.run.as_ref().map_or(0, Run::lost)
    }

    /// What was seen before belongs to another numbering.
    pub(super) fn begin_run(&mut self, sequence: u16) {
        self.lost_before = self.lost();
        let first = ORIGIN + u64::from(sequence);
        self.run = Some(Run { first, newest: first, received: 1, seen: 1 });
    }
}

impl Run {
    fn continues_with(&self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.newest as u16);
        ahead <= MAX_AHEAD || ahead.wrapping_neg() <= MAX_BEHIND
    }

    fn note(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.newest as u16);
        if (1..=MAX_AHEAD).contains(&ahead) {
            self.newest += u64::from(ahead);
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0);
        }
        let behind = (self.newest as u16).wrapping_sub(sequence);
        let bit = 1 << behind;
        if self.seen & bit != 0 {
            return false;
        }
        self.seen |= bit;
        self.received += 1;
        self.first = self.first.min(self.newest - u64::from(behind));
        true
    }

    fn lost(&self) -> u64 {
        (self.newest - self.first + 1).saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sequences: impl IntoIterator<Item = u16>) -> (u64, u64, u64) {
        let mut log = SequenceLog::default();
        for sequence in sequences {
            log.note(sequence);
        }
        (log.received, log.lost(), log.duplicated)
    }

    #[test]
    fn loss_duplicates_and_reordering_are_told_apart() {
        assert_eq!(after([1, 2, 3, 4]), (4, 0, 0));
        assert_eq!(after([1, 2, 5]), (3, 2, 0));
        assert_eq!(after([1, 3, 2, 4]), (4, 0, 0));
        assert_eq!(after([1, 2, 2, 1, 3]), (3, 0, 2));
        assert_eq!(after([5, 4, 3, 4]), (3, 0, 1), "packets from before the first");
    }

    #[test]
    fn the_numbers_wrap_round() {
        assert_eq!(after((0..200_000_u32).map(|n| (n + 65_500) as u16)), (200_000, 0, 0));
        assert_eq!(after([65_534, 1, 65_535, 0]), (4, 0, 0));
        assert_eq!(after([0, 65_535, 1]), (3, 0, 0));
    }

    #[test]
    fn a_jump_is_not_loss() {
        assert_eq!(after([10, 11, 13, 40_000, 40_001, 20_000]), (6, 1, 0));
    }
}
