//! Whose password is looked at when there is not room for everybody's (SPEC O3).
//!
//! Computing a hash is slow on purpose, so whoever guesses from many addresses can keep the few threads that do it busy.
//! Part of their queue is therefore kept from addresses where somebody has failed lately, and of the rest a part from
//! addresses nobody knows: an attacker can come by new ones, but not by those where a user has logged in before.

/// How an attempt to log in stands before it begins; the last is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Wrong passwords came from this address lately.
    HasFailed,
    /// Nothing is known against this address, and nothing for it.
    Clean,
    /// This user has logged in at this address before, and nobody has failed at it there lately.
    AtHome,
}

impl Standing {
    /// Of so many places in a queue, how many stay free for those who stand better.
    pub fn places_kept_from_it(self, places: usize) -> usize {
        match self {
            Self::HasFailed => places / 2,
            Self::Clean => places / 4,
            Self::AtHome => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_better_finds_places_where_all_others_are_refused_and_nobody_is_left_without_any() {
        let standings = [Standing::HasFailed, Standing::Clean, Standing::AtHome];
        for places in 4..200 {
            let kept = standings.map(|standing| standing.places_kept_from_it(places));
            assert!(kept[0] > kept[1] && kept[1] > kept[2], "{places}: {kept:?}");
            assert!(kept[0] < places, "{places}: {kept:?}");
        }
    }
}
