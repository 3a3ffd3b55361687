//! Speech that never arrived, on either way: bursts that callers sent and their model never heard, turns of the model
//! that its caller never heard. A stream of silence loses no frame, and is a dead call all the same. Pure.

use std::collections::HashMap;

use serde::Serialize;

use crate::sandbox::callers::{Report, SetUp, VoiceSpan};
use crate::sandbox::model::{Happened, Note, SessionTiming};

use super::delays::{FURTHEST_APART_US, caller_of};

/// What was said within the measurement, and early enough before its end to be heard in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Speech {
    pub(super) bursts: usize,
    pub(super) bursts_unheard: usize,
    /// The model noticed that somebody spoke, and could not read who: a jitter buffer that stretched is enough for that.
    pub(super) bursts_torn: usize,
    pub(super) turns: usize,
    pub(super) turns_unheard: usize,
    /// Of bursts and turns; with them count the torn bursts that are more than chance.
    pub(super) unheard_percent: Option<f64>,
}

/// One in so many bursts, and one of fewer, may be torn by chance.
const BURSTS_A_TORN_ONE: usize = 100;
/// A burst is over after two seconds at most, and its end is noticed within one.
const NOTICED_WITHIN_US: u64 = 3_000_000;
/// A model that does not greet is spoken to after six seconds, and answers. Later no polite pause is so long either: a caller
/// speaks 2.5 s after the model at the latest, for two seconds, and is answered within three.
const MODEL_SPEAKS_WITHIN_US: u64 = 12_000_000;
/// A turn that is interrupted sooner may rightly never sound.
const TURN_SOUNDS_WITHIN_US: u64 = 1_000_000;

impl Speech {
    pub(super) fn compare(report: &Report, sessions: &[SessionTiming]) -> Self {
        let mut speech = Self::default();
        let mut of_caller: HashMap<u16, Vec<&SessionTiming>> = HashMap::new();
        for session in sessions {
            if let Some(caller) = caller_of(session) {
                of_caller.entry(caller).or_default().push(session);
            }
        }
        speech.add_bursts(report, &of_caller);
        for (caller, sessions) in &of_caller {
            let of_caller = |span: &&VoiceSpan| span.caller == *caller;
            let spans: Vec<_> = report.spans.iter().filter(of_caller).collect();
            // Of a call that ended it is not known whether it lived to hear its model's last words.
            if report.set_ups.iter().any(|set_up| set_up.caller == *caller) {
                sessions.iter().for_each(|session| speech.add_turns(report, session, &spans));
            }
        }
        speech.with_percent()
    }

    /// Of all rounds together; `None` of none.
    pub(super) fn of_all(rounds: impl Iterator<Item = Self>) -> Option<Self> {
        let add = |sum: Self, other: Self| Self {
            bursts: sum.bursts + other.bursts,
            bursts_unheard: sum.bursts_unheard + other.bursts_unheard,
            bursts_torn: sum.bursts_torn + other.bursts_torn,
            turns: sum.turns + other.turns,
            turns_unheard: sum.turns_unheard + other.turns_unheard,
            unheard_percent: None,
        };
        rounds.reduce(add).map(Self::with_percent)
    }

    fn with_percent(self) -> Self {
        let by_chance = (self.bursts / BURSTS_A_TORN_ONE).max(1);
        let torn = self.bursts_torn.saturating_sub(by_chance);
        let said = self.bursts + self.turns;
        let unheard = self.bursts_unheard + self.turns_unheard + torn;
        let unheard_percent = (said > 0).then(|| unheard as f64 / said as f64 * 100.0);
        Self { unheard_percent, ..self }
    }

    /// Where nobody can be asked what was said: of each call whether its model fell silent for longer than it ever is, from
    /// the beginning or later. An engine that sends punctual silence would else hold every level. A call that was up for
    /// too short a time, or heard for the last time too shortly before a short measurement, tells nothing; `None`: all
    /// were such calls.
    pub(super) fn of_callers_alone(report: &Report) -> Option<Self> {
        let mut speech = Self::default();
        for set_up in &report.set_ups {
            let of_caller = |span: &&VoiceSpan| span.caller == set_up.caller;
            let spans: Vec<_> = report.spans.iter().filter(of_caller).collect();
            let is_mute = longest_silence_us(report, set_up, &spans) >= MODEL_SPEAKS_WITHIN_US;
            speech.turns += usize::from(is_mute || !spans.is_empty());
            speech.turns_unheard += usize::from(is_mute);
        }
        (speech.turns > 0).then(|| speech.with_percent())
    }

    /// Of callers who all say the same over and over, for longer than it takes to say it twice: whether each model heard
    /// it at all.
    pub(super) fn of_monologues<'a>(sessions: impl Iterator<Item = &'a SessionTiming>) -> Self {
        let mut speech = Self::default();
        for session in sessions {
            let heard = session.notes.iter().any(|note| matches!(note.what, Happened::Heard(_)));
            speech.bursts += 1;
            speech.bursts_unheard += usize::from(!heard);
        }
        speech.with_percent()
    }

    fn add_bursts(&mut self, report: &Report, of_caller: &HashMap<u16, Vec<&SessionTiming>>) {
        for burst in report.bursts.iter().filter(|burst| can_be_heard(report, burst.at_us)) {
            let sessions = of_caller.get(&burst.signature.caller).map(Vec::as_slice).unwrap_or_default();
            if sessions.iter().any(|session| session.has_stopped_noting_by(burst.at_us)) {
                continue;
            }
            let heard = |note: &Note| {
                note.what == Happened::Heard(burst.signature)
                    && (burst.at_us..burst.at_us + FURTHEST_APART_US).contains(&note.at_us)
            };
            self.bursts += 1;
            let noticed = |note: &Note| {
                matches!(note.what, Happened::Interrupted | Happened::TurnBegun)
                    && (burst.at_us..burst.at_us + NOTICED_WITHIN_US).contains(&note.at_us)
            };
            let any =
                |is: &dyn Fn(&Note) -> bool| sessions.iter().any(|session| session.notes.iter().any(is));
            if !any(&heard) {
                *(if any(&noticed) { &mut self.bursts_torn } else { &mut self.bursts_unheard }) += 1;
            }
        }
    }

    fn add_turns(&mut self, report: &Report, session: &SessionTiming, spans: &[&VoiceSpan]) {
        let interrupted = |at_us: u64| {
            let soon = at_us..at_us + TURN_SOUNDS_WITHIN_US;
            let in_time = |note: &Note| note.what == Happened::Interrupted && soon.contains(&note.at_us);
            session.notes.iter().any(in_time)
        };
        let turns = session.notes.iter().filter(|note| note.what == Happened::PrebufferSent);
        for at_us in turns.map(|note| note.at_us) {
            if at_us < report.begun_us || !can_be_heard(report, at_us) || interrupted(at_us) {
                continue;
            }
            let sounds = |span: &&VoiceSpan| span.to_us >= at_us && span.from_us < at_us + FURTHEST_APART_US;
            self.turns += 1;
            self.turns_unheard += usize::from(!spans.iter().any(sounds));
        }
    }
}

/// At the call's end since the last voice, whenever it was; before that within the measurement only.
fn longest_silence_us(report: &Report, set_up: &SetUp, spans: &[&VoiceSpan]) -> u64 {
    let mut spans = spans.to_vec();
    spans.sort_by_key(|span| span.from_us);
    let mut silent_since = report.begun_us.max(set_up.answered_us);
    let mut longest = report.ended_us.saturating_sub(set_up.last_voice_us.unwrap_or(set_up.answered_us));
    for span in spans {
        longest = longest.max(span.from_us.saturating_sub(silent_since));
        silent_since = span.to_us;
    }
    longest
}

fn can_be_heard(report: &Report, at_us: u64) -> bool {
    at_us + NOTICED_WITHIN_US <= report.ended_us
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::callers::Burst;
    use crate::sandbox::signature::Signature;

    const END_US: u64 = 20_000_000;

    fn burst(number: u16, at_ms: u64) -> Burst {
        Burst { signature: Signature::new(1, number), at_us: at_ms * 1_000, barges_in: false }
    }

    fn report(bursts: Vec<Burst>, spans_ms: &[(u64, u64)]) -> Report {
        let span = |(from_ms, to_ms): &(u64, u64)| VoiceSpan {
            caller: 1,
            from_us: from_ms * 1_000,
            to_us: to_ms * 1_000,
        };
        let set_up =
            SetUp { caller: 1, invited_us: 0, answered_us: 0, first_voice_us: None, last_voice_us: None };
        Report {
            ended_us: END_US,
            bursts,
            spans: spans_ms.iter().map(span).collect(),
            set_ups: vec![set_up],
            ..Report::default()
        }
    }

    fn session(notes: &[(u64, Happened)]) -> SessionTiming {
        let note = |(at_ms, what): &(u64, Happened)| Note { at_us: at_ms * 1_000, what: *what };
        SessionTiming { notes: notes.iter().map(note).collect(), ..SessionTiming::default() }
    }

    fn heard(number: u16) -> Happened {
        Happened::Heard(Signature::new(1, number))
    }

    /// Turns, and those unheard, of one call of the model that spoke at these times, the last time before the measurement
    /// or in it.
    fn heard_by_caller(answered_ms: u64, begun_ms: u64, spoken_ms: &[(u64, u64)]) -> Option<(usize, usize)> {
        let in_it: Vec<_> = spoken_ms.iter().copied().filter(|(_, to_ms)| *to_ms >= begun_ms).collect();
        let set_up = SetUp {
            caller: 1,
            invited_us: 0,
            answered_us: answered_ms * 1_000,
            first_voice_us: spoken_ms.first().map(|(from_ms, _)| from_ms * 1_000),
            last_voice_us: spoken_ms.last().map(|(_, to_ms)| to_ms * 1_000),
        };
        let begun_us = begun_ms * 1_000;
        let report = Report { begun_us, set_ups: vec![set_up], ..report(vec![], &in_it) };
        Speech::of_callers_alone(&report).map(|speech| (speech.turns, speech.turns_unheard))
    }

    #[test]
    fn a_model_that_is_never_heard_is_missed_without_asking_it() {
        assert_eq!(heard_by_caller(1_000, 5_000, &[]), Some((1, 1)));
        assert_eq!(heard_by_caller(19_000, 5_000, &[]), None);
    }

    #[test]
    fn a_model_that_greets_and_dies_is_missed_without_asking_it() {
        assert_eq!(heard_by_caller(1_000, 5_000, &[(1_500, 4_000)]), Some((1, 1)));
        assert_eq!(heard_by_caller(1_000, 5_000, &[(1_500, 7_000)]), Some((1, 1)));
        // In the midst of the measurement.
        assert_eq!(heard_by_caller(0, 1_000, &[(0, 3_000), (15_500, 19_000)]), Some((1, 1)));
    }

    #[test]
    fn a_pause_of_the_model_convicts_nobody_and_vouches_for_nobody() {
        let turns = [(1_500, 4_000), (11_500, 13_000)];
        assert_eq!(heard_by_caller(1_000, 2_000, &turns), Some((1, 0)));
        assert_eq!(heard_by_caller(1_000, 15_000, &turns), None);
    }

    #[test]
    fn a_burst_that_no_model_heard_never_arrived() {
        let report = report(vec![burst(0, 1_000), burst(1, 5_000), burst(2, 19_500)], &[]);
        let speech = Speech::compare(&report, &[session(&[(1_060, heard(0))])]);
        // The third may still be heard after the end.
        assert_eq!((speech.bursts, speech.bursts_unheard, speech.unheard_percent), (2, 1, Some(50.0)));
        assert_eq!(Speech::compare(&report, &[]).unheard_percent, Some(100.0));
    }

    #[test]
    fn a_burst_that_was_noticed_and_not_read_is_torn_and_a_hundredth_is_chance() {
        let percent = |torn: u64| {
            let bursts = (0..torn + 1).map(|number| burst(number as u16, 1_000 + number * 4_000)).collect();
            let mut notes = vec![(1_060, heard(0))];
            notes.extend((1..=torn).map(|number| (3_000 + number * 4_000, Happened::TurnBegun)));
            let speech = Speech::compare(&report(bursts, &[]), &[session(&notes)]);
            assert_eq!((speech.bursts_unheard, speech.bursts_torn as u64), (0, torn));
            speech.unheard_percent
        };
        assert_eq!((percent(1), percent(3)), (Some(0.0), Some(50.0)));
    }

    #[test]
    fn a_model_that_never_hears_a_monologue_is_missed() {
        let sessions = [session(&[(1_060, heard(0))]), session(&[(900, Happened::TurnBegun)])];
        let speech = Speech::of_monologues(sessions.iter());
        assert_eq!((speech.bursts, speech.bursts_unheard, speech.unheard_percent), (2, 1, Some(50.0)));
    }

    /// One burst of a hundred may be torn by chance: in all rounds together, not in each of them.
    #[test]
    fn rounds_are_judged_together() {
        let torn_in_each = Speech { bursts: 10, bursts_torn: 1, ..Speech::default() };
        let all = Speech::of_all([torn_in_each; 4].into_iter()).unwrap();
        assert_eq!((all.bursts, all.bursts_torn, all.unheard_percent), (40, 4, Some(7.5)));
        assert_eq!(Speech::of_all(std::iter::empty()), None);
    }

    #[test]
    fn a_turn_that_is_only_silence_at_the_caller_never_arrived() {
        let session =
            session(&[(1_060, heard(0)), (3_000, Happened::PrebufferSent), (9_000, Happened::PrebufferSent)]);
        let speech = Speech::compare(&report(vec![], &[(3_020, 6_000)]), std::slice::from_ref(&session));
        assert_eq!((speech.turns, speech.turns_unheard), (2, 1));
        let speech = Speech::compare(&report(vec![], &[(3_020, 6_000), (9_010, 12_000)]), &[session]);
        assert_eq!((speech.turns, speech.turns_unheard, speech.unheard_percent), (2, 0, Some(0.0)));
    }

    #[test]
    fn a_turn_that_was_interrupted_at_once_need_not_sound() {
        let notes = [(1_060, heard(0)), (3_000, Happened::PrebufferSent), (3_500, Happened::Interrupted)];
        let speech = Speech::compare(&report(vec![], &[]), &[session(&notes)]);
        assert_eq!((speech.turns, speech.unheard_percent), (0, None));
    }
}
