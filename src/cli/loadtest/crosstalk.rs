//! Whether each caller hears the model that hears it. Calls that are crossed pairwise sound well at either end: the
//! session that hears a caller is known by the bursts it heard, the session that a caller hears by its marker, and both
//! must be the same. What is crossed on both ways alike no far end can tell from what is not crossed. Pure.

use std::collections::HashMap;

use crate::sandbox::callers::{Report, Voice};
use crate::sandbox::model::{Marker, SessionTiming};

use super::delays::callers_heard;

/// Moments at which callers listened for whose model spoke.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct VoicesHeard {
    /// Of callers whose own model is known.
    pub(super) judged: u64,
    /// Somebody else's model, alone or beside their own.
    pub(super) foreign: u64,
}

impl VoicesHeard {
    pub(super) fn compare(report: &Report, sessions: &[SessionTiming]) -> Self {
        let mut own: HashMap<u16, Vec<Marker>> = HashMap::new();
        for (session, caller) in sessions.iter().zip(callers_heard(report, sessions)) {
            if let (Some(caller), Some(marker)) = (caller, session.marker) {
                own.entry(caller).or_default().push(Marker::number(marker));
            }
        }
        // Those too that heard nobody: they greet.
        let all: Vec<_> = sessions.iter().filter_map(|session| session.marker).map(Marker::number).collect();
        let mut heard = Self::default();
        for Voice { caller, tones, times } in &report.voices {
            let Some(own) = own.get(caller) else { continue };
            heard.judged += times;
            let is_foreign = |marker: &Marker| !own.contains(marker) && tones.hold(*marker);
            heard.foreign += if all.iter().any(is_foreign) { *times } else { 0 };
        }
        heard
    }

    pub(super) fn add(&mut self, other: Self) {
        self.judged += other.judged;
        self.foreign += other.foreign;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::callers::Burst;
    use crate::sandbox::model::{Happened, Note, Tones};
    use crate::sandbox::signature::Signature;

    /// Caller 1 and caller 2 each spoke once.
    fn report(voices: Vec<Voice>) -> Report {
        let burst = |caller| Burst { signature: Signature::new(caller, 0), at_us: 1_000, barges_in: false };
        Report { bursts: vec![burst(1), burst(2)], voices, ..Report::default() }
    }

    fn voice(caller: u16, markers: &[u16]) -> Voice {
        let tones = markers.iter().map(|marker| Tones::of(Marker::number(*marker)));
        Voice { caller, tones: tones.fold(Tones::default(), Tones::and), times: 3 }
    }

    fn session(marker: u16, heard: u16) -> SessionTiming {
        let notes = vec![Note { at_us: 61_000, what: Happened::Heard(Signature::new(heard, 0)) }];
        SessionTiming { marker: Some(marker), notes, ..SessionTiming::default() }
    }

    fn judged_and_foreign(voices: Vec<Voice>, sessions: &[SessionTiming]) -> (u64, u64) {
        let heard = VoicesHeard::compare(&report(voices), sessions);
        (heard.judged, heard.foreign)
    }

    #[test]
    fn callers_who_hear_the_model_that_hears_them_hear_nobody_else() {
        let voices = vec![voice(1, &[11]), voice(2, &[22])];
        assert_eq!(judged_and_foreign(voices, &[session(11, 1), session(22, 2)]), (6, 0));
    }

    #[test]
    fn one_way_that_is_crossed_pairwise_shows_whichever_it_is() {
        let straight = vec![voice(1, &[11]), voice(2, &[22])];
        assert_eq!(judged_and_foreign(straight, &[session(11, 2), session(22, 1)]), (6, 6), "up");
        let crossed = vec![voice(1, &[22]), voice(2, &[11])];
        assert_eq!(judged_and_foreign(crossed, &[session(11, 1), session(22, 2)]), (6, 6), "down");
    }

    #[test]
    fn another_one_s_model_beside_one_s_own_is_foreign() {
        let voices = vec![voice(1, &[11]), voice(2, &[22, 11])];
        assert_eq!(judged_and_foreign(voices, &[session(11, 1), session(22, 2)]), (6, 3));
    }

    #[test]
    fn a_model_that_heard_nobody_is_foreign_too() {
        let mut deaf = session(22, 2);
        deaf.notes.clear();
        assert_eq!(judged_and_foreign(vec![voice(1, &[22])], &[session(11, 1), deaf]), (3, 3));
    }

    #[test]
    fn a_caller_that_no_model_heard_is_not_judged_nor_is_a_session_of_an_earlier_step() {
        let voices = vec![voice(1, &[11]), voice(2, &[22])];
        assert_eq!(judged_and_foreign(voices.clone(), &[session(11, 1)]), (3, 0));
        let mut earlier = session(22, 1);
        earlier.notes[0].at_us = 500;
        assert_eq!(judged_and_foreign(voices, &[session(11, 1), earlier]), (3, 0));
    }
}
