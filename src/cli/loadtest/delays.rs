//! How long the engine took: what callers noted against what the stand-in model noted, on one clock. Pure.
//!
//! A caller's bursts carry its number, so the session that heard them is known to be that caller's; from there on the
//! nearest events of the two belong together. What is the stand-in's own (its set-up, its delay before it answers) is
//! subtracted where both are noted, and published beside.

use std::collections::HashMap;
use std::time::Duration;

use crate::sandbox::callers::{Burst, Report, SetUp, VoiceSpan};
use crate::sandbox::histogram::Histogram;
use crate::sandbox::model::{Happened, SessionTiming};
use crate::sandbox::signature::Signature;

/// Two events further apart do not belong together.
pub(super) const FURTHEST_APART_US: u64 = 2_000_000;

/// A voice whose last packet is older was not sounding any more.
const PACKETS_APART_US: u64 = 30_000;
/// A turn's first packet may leave in the very moment in which its pre-buffer is full.
const FRAME_US: u64 = 20_000;

/// All of it as distributions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Delays {
    /// A burst's first packet sent → its first sample at the model, the engine's jitter buffer included.
    pub(super) uplink: Histogram,
    /// The message sent that fills the pre-buffer → the turn's first voiced packet at the caller.
    pub(super) downlink: Histogram,
    /// `interrupted` sent → the last voiced packet at the caller.
    pub(super) barge_in: Histogram,
    /// 200 at the caller → first voiced packet.
    pub(super) first_audio: Histogram,
    /// The same without the stand-in's own delay.
    pub(super) first_audio_engine: Histogram,
    /// INVITE sent → 200.
    pub(super) set_up: Histogram,
    /// The same without the stand-in's own delay.
    pub(super) set_up_engine: Histogram,
    /// Bursts of one caller that another one's session heard.
    pub(super) crosstalk: usize,
}

impl Delays {
    /// Of what happened within the callers' report, which the stand-in's notes may exceed on both sides.
    pub(super) fn measure(report: &Report, sessions: &[SessionTiming]) -> Self {
        let mut delays = Self::default();
        let callers = Callers::of(report);
        for session in sessions {
            delays.add_session(session, &callers);
        }
        for set_up in &report.set_ups {
            delays.set_up.note(micros(set_up.answered_us.saturating_sub(set_up.invited_us)));
            if let Some(voice) = set_up.first_voice_us {
                delays.first_audio.note(micros(voice.saturating_sub(set_up.answered_us)));
            }
        }
        delays
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let Self { uplink, downlink, barge_in, first_audio, first_audio_engine, .. } = self;
        uplink.merge(&other.uplink);
        downlink.merge(&other.downlink);
        barge_in.merge(&other.barge_in);
        first_audio.merge(&other.first_audio);
        first_audio_engine.merge(&other.first_audio_engine);
        self.set_up.merge(&other.set_up);
        self.set_up_engine.merge(&other.set_up_engine);
        self.crosstalk += other.crosstalk;
    }

    /// Bursts that a model heard, whoever's they were.
    pub(super) fn bursts_heard(&self) -> usize {
        usize::try_from(self.uplink.count()).unwrap_or(usize::MAX).saturating_add(self.crosstalk)
    }

    fn add_session(&mut self, session: &SessionTiming, callers: &Callers<'_>) {
        let Some(caller) = caller_of(session) else { return };
        for (signature, at_us) in signatures(session) {
            // A burst that the jitter buffer stretched or cut may read as one that nobody sent.
            let Some(sent_us) = callers.sent_before(signature, at_us) else { continue };
            if signature.caller == caller {
                self.uplink.note(micros(at_us - sent_us));
            } else {
                self.crosstalk += 1;
            }
        }
        let spans = callers.spans.get(&caller).map(Vec::as_slice).unwrap_or_default();
        for note in &session.notes {
            match note.what {
                Happened::PrebufferSent => self.downlink.note_some(first_voice_after(spans, note.at_us)),
                Happened::Interrupted => {
                    let until_us = next_turn(session, note.at_us);
                    self.barge_in.note_some(last_voice_between(spans, note.at_us, until_us));
                }
                Happened::SetupAsked | Happened::SetupAnswered | Happened::TurnBegun | Happened::Heard(_) => {
                }
            }
        }
        if let Some(set_up) = callers.set_ups.get(&caller) {
            self.add_beginning(session, set_up);
        }
    }

    fn add_beginning(&mut self, session: &SessionTiming, set_up: &SetUp) {
        let first =
            |what: Happened| session.notes.iter().find(|note| note.what == what).map(|note| note.at_us);
        let asked = first(Happened::SetupAsked);
        // A stand-in that runs already remembers the calls of earlier steps, whose callers had the same numbers.
        if !asked.is_some_and(|asked| (set_up.invited_us..=set_up.answered_us).contains(&asked)) {
            return;
        }
        if let Some(models) = between(asked, first(Happened::SetupAnswered)) {
            let whole = set_up.answered_us.saturating_sub(set_up.invited_us);
            self.set_up_engine.note(micros(whole.saturating_sub(models)));
        }
        let models = between(first(Happened::TurnBegun), first(Happened::PrebufferSent));
        if let (Some(models), Some(voice)) = (models, set_up.first_voice_us) {
            let whole = voice.saturating_sub(set_up.answered_us);
            self.first_audio_engine.note(micros(whole.saturating_sub(models)));
        }
    }
}

/// What the callers noted, by caller.
struct Callers<'a> {
    bursts: HashMap<Signature, Vec<&'a Burst>>,
    spans: HashMap<u16, Vec<&'a VoiceSpan>>,
    set_ups: HashMap<u16, &'a SetUp>,
}

impl<'a> Callers<'a> {
    fn of(report: &'a Report) -> Self {
        let mut callers = Self { bursts: HashMap::new(), spans: HashMap::new(), set_ups: HashMap::new() };
        for burst in &report.bursts {
            callers.bursts.entry(burst.signature).or_default().push(burst);
        }
        for span in &report.spans {
            callers.spans.entry(span.caller).or_default().push(span);
        }
        callers.set_ups.extend(report.set_ups.iter().map(|set_up| (set_up.caller, set_up)));
        callers
    }

    /// When the burst of this signature was sent; its number comes again after a while.
    fn sent_before(&self, signature: Signature, at_us: u64) -> Option<u64> {
        let sent = self.bursts.get(&signature)?.iter().map(|burst| burst.at_us);
        sent.filter(|sent| (*sent..sent + FURTHEST_APART_US).contains(&at_us)).max()
    }
}

/// Whom of those who called in this report each session heard most.
pub(super) fn callers_heard(report: &Report, sessions: &[SessionTiming]) -> Vec<Option<u16>> {
    let callers = Callers::of(report);
    let was_sent = |(signature, at_us): &(Signature, u64)| callers.sent_before(*signature, *at_us).is_some();
    let heard = |session| signatures(session).filter(was_sent).map(|(signature, _)| signature.caller);
    sessions.iter().map(|session| most_frequent(heard(session))).collect()
}

/// A session that heard nobody cannot be told from the others.
pub(super) fn caller_of(session: &SessionTiming) -> Option<u16> {
    most_frequent(signatures(session).map(|(signature, _)| signature.caller))
}

fn signatures(session: &SessionTiming) -> impl Iterator<Item = (Signature, u64)> {
    session.notes.iter().filter_map(|note| match note.what {
        Happened::Heard(signature) => Some((signature, note.at_us)),
        Happened::SetupAsked
        | Happened::SetupAnswered
        | Happened::TurnBegun
        | Happened::PrebufferSent
        | Happened::Interrupted => None,
    })
}

fn most_frequent(callers: impl Iterator<Item = u16>) -> Option<u16> {
    let mut times: HashMap<u16, usize> = HashMap::new();
    callers.for_each(|caller| *times.entry(caller).or_default() += 1);
    times
        .into_iter()
        .max_by_key(|(caller, times)| (*times, std::cmp::Reverse(*caller)))
        .map(|(caller, _)| caller)
}

fn first_voice_after(spans: &[&VoiceSpan], at_us: u64) -> Option<Duration> {
    let from = spans.iter().map(|span| span.from_us);
    let first = from.filter(|from| (at_us..at_us + FURTHEST_APART_US).contains(from)).min()?;
    Some(micros(first - at_us))
}

/// From when on a voice may sound again after an interruption.
fn next_turn(session: &SessionTiming, at_us: u64) -> u64 {
    let turns =
        session.notes.iter().filter(|note| note.what == Happened::PrebufferSent && note.at_us > at_us);
    turns.map(|note| note.at_us - FRAME_US).min().unwrap_or(u64::MAX)
}

/// How long after `at_us` the interrupted turn was heard, be it that it fell silent in between. Zero when the packet
/// before the interruption was its last; `None` when nothing was sounding.
fn last_voice_between(spans: &[&VoiceSpan], at_us: u64, until_us: u64) -> Option<Duration> {
    let stale = spans.iter().filter(|span| span.to_us + PACKETS_APART_US >= at_us && span.from_us < until_us);
    let last = stale.map(|span| span.to_us.min(until_us)).max()?;
    Some(micros(last.saturating_sub(at_us)))
}

fn between(from_us: Option<u64>, to_us: Option<u64>) -> Option<u64> {
    to_us?.checked_sub(from_us?)
}

fn micros(us: u64) -> Duration {
    Duration::from_micros(us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::model::Note;

    fn milliseconds(histogram: &Histogram) -> Vec<u64> {
        [0.01, 1.0]
            .map(|share| histogram.quantile(share).map_or(0, |value| value.as_millis() as u64))
            .to_vec()
    }

    fn session(notes: &[(u64, Happened)]) -> SessionTiming {
        let note = |(at_ms, what): &(u64, Happened)| Note { at_us: at_ms * 1_000, what: *what };
        SessionTiming { notes: notes.iter().map(note).collect(), ..SessionTiming::default() }
    }

    fn burst(caller: u16, number: u16, at_ms: u64) -> Burst {
        Burst { signature: Signature::new(caller, number), at_us: at_ms * 1_000, barges_in: false }
    }

    fn span(caller: u16, from_ms: u64, to_ms: u64) -> VoiceSpan {
        VoiceSpan { caller, from_us: from_ms * 1_000, to_us: to_ms * 1_000 }
    }

    fn set_up(caller: u16, invited_ms: u64, answered_ms: u64, voice_ms: u64) -> SetUp {
        let us = |ms| ms * 1_000;
        SetUp {
            caller,
            invited_us: us(invited_ms),
            answered_us: us(answered_ms),
            first_voice_us: Some(us(voice_ms)),
            last_voice_us: Some(us(voice_ms)),
        }
    }

    #[test]
    fn each_caller_is_compared_with_the_session_that_heard_it() {
        let report = Report {
            bursts: vec![burst(1, 0, 1_000), burst(2, 0, 1_010)],
            spans: vec![span(2, 2_030, 3_000), span(1, 2_050, 3_000)],
            ..Report::default()
        };
        let one = session(&[
            (1_060, Happened::Heard(Signature::new(1, 0))),
            (2_010, Happened::PrebufferSent),
            (2_500, Happened::Interrupted),
        ]);
        let two =
            session(&[(1_080, Happened::Heard(Signature::new(2, 0))), (2_000, Happened::PrebufferSent)]);
        let delays = Delays::measure(&report, &[one, two]);
        assert_eq!(milliseconds(&delays.uplink), [60, 70]);
        assert_eq!(milliseconds(&delays.downlink), [30, 40]);
        assert_eq!((delays.barge_in.count(), milliseconds(&delays.barge_in)[0]), (1, 503));
        assert_eq!(delays.crosstalk, 0);
    }

    #[test]
    fn a_voice_that_is_hushed_at_once_has_no_packet_after_the_interruption() {
        let span = span(1, 1_000, 2_000);
        let after = |at_ms: u64| last_voice_between(&[&span], at_ms * 1_000, u64::MAX);
        assert_eq!(after(1_900), Some(Duration::from_millis(100)));
        assert_eq!(after(2_015), Some(Duration::ZERO));
        assert_eq!(after(2_100), None);
    }

    #[test]
    fn an_interrupted_turn_that_is_heard_again_was_not_hushed() {
        let spans = vec![span(1, 1_000, 2_000), span(1, 2_400, 2_900), span(1, 4_030, 6_000)];
        let session = session(&[
            (1_050, Happened::Heard(Signature::new(1, 0))),
            (2_000, Happened::Interrupted),
            (4_030, Happened::PrebufferSent),
        ]);
        let report = Report { spans, ..Report::default() };
        let delays = Delays::measure(&report, &[session]);
        assert_eq!((delays.barge_in.count(), milliseconds(&delays.barge_in)[0] / 10), (1, 90));
    }

    #[test]
    fn what_the_stand_in_took_itself_is_not_the_engine_s() {
        let report = Report { set_ups: vec![set_up(4, 0, 250, 800)], ..Report::default() };
        let heard = session(&[
            (20, Happened::SetupAsked),
            (220, Happened::SetupAnswered),
            (260, Happened::TurnBegun),
            (740, Happened::PrebufferSent),
            (5_000, Happened::Heard(Signature::new(4, 0))),
        ]);
        let delays = Delays::measure(&report, &[heard]);
        assert_eq!(milliseconds(&delays.set_up_engine)[0], 50);
        assert_eq!(milliseconds(&delays.first_audio_engine)[0], 70);
        assert_eq!((delays.set_up.count(), delays.first_audio.count()), (1, 1));
    }

    #[test]
    fn a_call_of_an_earlier_step_says_nothing_of_this_one() {
        let report = Report { set_ups: vec![set_up(4, 9_000, 9_250, 9_800)], ..Report::default() };
        let earlier = session(&[
            (20, Happened::SetupAsked),
            (220, Happened::SetupAnswered),
            (5_000, Happened::Heard(Signature::new(4, 0))),
        ]);
        let delays = Delays::measure(&report, &[earlier]);
        assert_eq!((delays.set_up.count(), delays.set_up_engine.count(), delays.bursts_heard()), (1, 0, 0));
    }

    #[test]
    fn a_strangers_burst_is_crosstalk_but_neither_an_old_one_nor_one_that_nobody_sent() {
        let bursts = vec![burst(1, 0, 1_000), burst(1, 1, 4_000), burst(2, 0, 9_450), burst(3, 3, 11_000)];
        let report = Report { bursts, ..Report::default() };
        let heard = session(&[
            (700, Happened::Heard(Signature::new(7, 3))),
            (1_050, Happened::Heard(Signature::new(1, 0))),
            (4_050, Happened::Heard(Signature::new(1, 1))),
            (9_000, Happened::Heard(Signature::new(1, 0))),
            (9_500, Happened::Heard(Signature::new(2, 0))),
            (11_050, Happened::Heard(Signature::new(3, 9))),
        ]);
        let delays = Delays::measure(&report, &[heard]);
        assert_eq!((delays.uplink.count(), delays.crosstalk), (2, 1));
    }
}
