//! What one step came to: the figures of the JSON document, and how they follow from what was measured. Pure.

use std::time::Duration;

use serde::Serialize;

use crate::sandbox::callers::{Lost, Report};
use crate::sandbox::histogram::Histogram;
use crate::sandbox::model::{PREBUFFER_MS, SessionTiming};

use super::costs::{Engine, Harness, Idle, sessions_alive};
use super::crosstalk::VoicesHeard;
use super::delays::Delays;
use super::fetch::Figures;
use super::levels::{self, Verdict};
use super::loss::{Loss, heard_by_engine, percent};
use super::quantiles::Quantiles;
use super::ramp::Answer;
use super::set_ups::Burst;
use super::sipp::said_within;
use super::speech::Speech;
use super::usage::Usage;

/// One number of calls, held for a while.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Step {
    pub(super) calls: usize,
    pub(super) generator: Generator,
    /// Calls that were up at the end.
    pub(super) calls_held: usize,
    /// How often it was measured, each time with new calls.
    pub(super) rounds: usize,
    /// Measured, in all rounds.
    pub(super) seconds: f64,
    /// `None` of an engine that is not ours.
    pub(super) recording: Option<bool>,
    /// Seconds of recordings that the engine could not write, of all calls together; `None` where nothing is recorded, or
    /// nobody tells, or none was lost and nobody knows whether anything is recorded.
    pub(super) recording_lost_s: Option<u64>,
    pub(super) refused: Vec<Lost>,
    pub(super) lost: Vec<Lost>,
    pub(super) loss: Loss,
    pub(super) spacing_ms: Quantiles,
    /// Without the jitter buffer's target.
    pub(super) uplink_delay_ms: Quantiles,
    pub(super) downlink_delay_ms: Quantiles,
    pub(super) first_audio_ms: Quantiles,
    pub(super) set_up_ms: Quantiles,
    pub(super) barge_in_ms: Quantiles,
    /// Bursts of speech that the callers' models heard of them, and moments at which callers listened for whose model
    /// spoke.
    pub(super) bursts_heard: usize,
    pub(super) voices_heard: u64,
    /// Bursts that another one's model heard, and moments at which another one's model was heard; `None` unless both
    /// ways were listened to.
    pub(super) crosstalk: Option<u64>,
    /// `None` where the stand-in is not ours to ask, and no call was up for long enough to tell without it.
    pub(super) speech: Option<Speech>,
    pub(super) beside: Beside,
    pub(super) engine: Engine,
    pub(super) harness: Harness,
    /// Which process died in it, how, and where its log is; nothing else is known of such a step. `None` too where a death
    /// could not be seen.
    pub(super) died: Option<String>,
    /// Whether a death of the engine or the stand-in would have been seen.
    #[serde(skip)]
    pub(super) deaths_are_seen: bool,
    pub(super) verdicts: Vec<Verdict>,
    /// Whether every level that was judged held; `None` if one of those that are needed was not.
    pub(super) held: Option<bool>,
    pub(super) not_judged: Option<String>,
}

/// Who calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Generator {
    /// Our own.
    #[default]
    Callers,
    /// It does not tell when packets came, nor what each of its calls said.
    Sipp,
}

/// What belongs beside the delays, not into them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Beside {
    /// What the engine's jitter buffers aim at, and how long packets wait in them, on average; `None` if the engine
    /// does not tell.
    pub(super) jitter_target_ms: Option<f64>,
    pub(super) jitter_depth_ms: Option<f64>,
    /// What the playout gathers before a turn begins.
    pub(super) prebuffer_ms: u64,
    /// With the jitter buffer.
    pub(super) uplink_whole_ms: Quantiles,
    /// With the model's own delay.
    pub(super) first_audio_whole_ms: Quantiles,
    pub(super) set_up_whole_ms: Quantiles,
    /// Share of the time that each side speaks, in percent; `None` where nobody told of any.
    pub(super) callers_speak_percent: Option<f64>,
    pub(super) model_speaks_percent: Option<f64>,
}

/// One look at everything, at the beginning or the end of a stretch of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    pub(super) engine: Option<Usage>,
    pub(super) callers: Option<Usage>,
    pub(super) model: Option<Usage>,
    pub(super) figures: Figures,
    /// `None` where the stand-in is not ours to ask.
    pub(super) sessions: Option<Vec<SessionTiming>>,
}

impl Look {
    pub(super) fn sessions(&self) -> &[SessionTiming] {
        self.sessions.as_deref().unwrap_or_default()
    }
}

/// All that a step gathers.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) calls: usize,
    pub(super) generator: Generator,
    pub(super) recording: Option<bool>,
    pub(super) refused: Vec<Lost>,
    pub(super) idle: Option<Idle>,
    /// One for each round, with calls of its own.
    pub(super) windows: Vec<Window>,
    pub(super) set_ups: Option<Burst>,
}

/// A stretch of time that was measured.
#[derive(Debug, Default)]
pub(super) struct Window {
    pub(super) report: Report,
    pub(super) stretch: Duration,
    pub(super) begin: Look,
    pub(super) end: Look,
}

impl Window {
    /// Where the callers tell neither what they sent nor what they heard: what the engine heard of them should have
    /// reached the model, and what it could not send in time nobody can have heard.
    pub(super) fn with_what_the_engine_counted(mut self) -> Self {
        let grown = |name: &str| self.end.figures.since(&self.begin.figures, name) as u64;
        self.report.packets_sent = heard_by_engine(&self.begin, &self.end).unwrap_or(0);
        self.report.frames_skipped = grown("clearline_media_frames_skipped_total");
        self
    }
}

impl Gathered {
    /// In every window.
    pub(super) fn calls_held(&self) -> usize {
        self.windows.iter().map(|window| window.report.calls).min().unwrap_or(0)
    }

    /// Of one core. `None`: it was not seen.
    pub(super) fn cpu_percent(&self, of: fn(&Look) -> Option<Usage>) -> Option<f64> {
        let used = |window: &Window| Some(of(&window.end)?.cpu.saturating_sub(of(&window.begin)?.cpu));
        let used: Duration = self.windows.iter().map(used).sum::<Option<_>>()?;
        let stretch = self.stretch();
        (!stretch.is_zero()).then(|| used.as_secs_f64() / stretch.as_secs_f64() * 100.0)
    }

    /// How much a counter of the engine's has grown in all windows.
    pub(super) fn grown(&self, name: &str) -> f64 {
        self.windows.iter().map(|window| window.end.figures.since(&window.begin.figures, name)).sum()
    }

    /// The same of an engine that tells it at all.
    pub(super) fn counted(&self, name: &str) -> Option<u64> {
        let is_told = |window: &Window| window.end.figures.know(name);
        (!self.windows.is_empty() && self.windows.iter().all(is_told)).then(|| self.grown(name) as u64)
    }

    /// By its process or its counters the engine, the stand-in by its notes.
    fn deaths_are_seen(&self) -> bool {
        let are_seen = |Look { engine, figures, sessions, .. }: &Look| {
            (engine.is_some() || !figures.are_none()) && sessions.is_some()
        };
        !self.windows.is_empty() && self.windows.iter().all(|window| are_seen(&window.end))
    }

    /// What the engine was at the end.
    pub(super) fn last_engine(&self) -> Option<Usage> {
        self.windows.last()?.end.engine
    }

    fn stretch(&self) -> Duration {
        self.windows.iter().map(|window| window.stretch).sum()
    }

    pub(super) fn sum(&self, of: fn(&Report) -> u64) -> u64 {
        self.windows.iter().map(|window| of(&window.report)).sum()
    }

    /// The mean over one look a second at each call's jitter buffer.
    fn jitter_buffer(&self, what: &str) -> Option<f64> {
        let looks = self.grown("clearline_jitter_buffer_looks_total");
        (looks > 0.0).then(|| self.grown(&format!("clearline_jitter_buffer_{what}_ms_total")) / looks)
    }

    fn delays(&self) -> Delays {
        let mut delays = Delays::default();
        for Window { report, end, .. } in &self.windows {
            delays.merge(&Delays::measure(report, end.sessions()));
        }
        delays
    }

    fn recording_lost_s(&self) -> Option<u64> {
        const TOO_SLOW: &str = "clearline_recording_blocks_dropped_total";
        const UNWRITTEN: &str = "clearline_recording_blocks_unwritten_total";
        let lost = self.counted(UNWRITTEN).map(|unwritten| unwritten + self.grown(TOO_SLOW) as u64);
        // What is lost was recorded; that nothing is says nothing where perhaps nothing was.
        lost.filter(|lost| self.recording.unwrap_or(*lost > 0))
    }

    fn voices(&self) -> VoicesHeard {
        let mut voices = VoicesHeard::default();
        for Window { report, end, .. } in &self.windows {
            voices.add(VoicesHeard::compare(report, end.sessions()));
        }
        voices
    }

    fn speech(&self) -> Option<Speech> {
        let of_window = |window: &Window| match (self.generator, &window.end.sessions) {
            (Generator::Callers, Some(sessions)) => Some(Speech::compare(&window.report, sessions)),
            (Generator::Callers, None) => Speech::of_callers_alone(&window.report),
            (Generator::Sipp, _) => said_within(window.stretch)
                .then(|| Speech::of_monologues(sessions_alive(&window.begin, &window.end))),
        };
        Speech::of_all(self.windows.iter().filter_map(of_window))
    }

    fn spacing(&self) -> Histogram {
        let mut spacing = Histogram::default();
        self.windows.iter().for_each(|window| spacing.merge(&window.report.spacing));
        spacing
    }
}

impl Step {
    pub(super) fn of(gathered: &Gathered) -> Self {
        let (delays, voices) = (gathered.delays(), gathered.voices());
        let jitter_target_ms = gathered.jitter_buffer("target");
        let lost = gathered.windows.iter().flat_map(|window| window.report.lost.iter().cloned());
        let step = Self {
            calls: gathered.calls,
            generator: gathered.generator,
            calls_held: gathered.calls_held(),
            rounds: gathered.windows.len(),
            seconds: gathered.stretch().as_secs_f64(),
            recording: gathered.recording,
            recording_lost_s: gathered.recording_lost_s(),
            refused: gathered.refused.clone(),
            lost: lost.collect(),
            loss: Loss::of(gathered),
            spacing_ms: Quantiles::of(&gathered.spacing()),
            uplink_delay_ms: Quantiles::of(&delays.uplink).without(jitter_target_ms.unwrap_or(0.0)),
            downlink_delay_ms: Quantiles::of(&delays.downlink),
            first_audio_ms: Quantiles::of(&delays.first_audio_engine),
            set_up_ms: Quantiles::of(&delays.set_up_engine),
            barge_in_ms: Quantiles::of(&delays.barge_in),
            bursts_heard: delays.bursts_heard(),
            voices_heard: voices.judged,
            crosstalk: crosstalk(&delays, voices),
            speech: gathered.speech(),
            beside: Beside {
                jitter_target_ms,
                jitter_depth_ms: gathered.jitter_buffer("depth"),
                prebuffer_ms: PREBUFFER_MS,
                uplink_whole_ms: Quantiles::of(&delays.uplink),
                first_audio_whole_ms: Quantiles::of(&delays.first_audio),
                set_up_whole_ms: Quantiles::of(&delays.set_up),
                callers_speak_percent: percent(
                    gathered.sum(|report| report.voiced_sent),
                    gathered.sum(|report| report.packets_sent),
                )
                .filter(|_| gathered.generator == Generator::Callers),
                model_speaks_percent: percent(
                    gathered.sum(|report| report.voiced_heard),
                    gathered.sum(|report| report.packets_heard),
                ),
            },
            engine: Engine::of(gathered),
            harness: Harness::of(gathered),
            deaths_are_seen: gathered.deaths_are_seen(),
            ..Self::default()
        };
        step.judged()
    }

    /// Whose calls were lost because somebody died; which calls that were stays a part of the result.
    pub(super) fn with_death(mut self, died: String) -> Self {
        self.died = Some(died);
        self.calls_held = 0;
        self.judged()
    }

    /// That engine or stand-in died is a result, and the only one.
    pub(super) fn cut_short(
        generator: Generator,
        calls: usize,
        recording: Option<bool>,
        died: String,
    ) -> Self {
        Self { generator, calls, recording, died: Some(died), ..Self::default() }.judged()
    }

    fn judged(mut self) -> Self {
        self.verdicts = levels::judge(&self);
        self.held = levels::held(&self);
        self.not_judged = levels::why_not_judged(&self);
        self
    }

    pub(super) fn answer(&self) -> Answer {
        match self.held {
            Some(true) => Answer::Held,
            Some(false) => Answer::Broke,
            None if levels::was_too_late(self) => Answer::TooLateToTell,
            None => Answer::TooLittleToTell,
        }
    }
}

/// Found on one way it is found; that there is none only both ways can tell.
fn crosstalk(delays: &Delays, voices: VoicesHeard) -> Option<u64> {
    let found = delays.crosstalk as u64 + voices.foreign;
    (found > 0 || delays.bursts_heard() > 0 && voices.judged > 0).then_some(found)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::loadtest::loss::FRAME_MS;

    pub(in super::super) fn usage(cpu_ms: u64, mib: u64) -> Option<Usage> {
        let resident_bytes = mib * 1024 * 1024;
        Some(Usage { cpu: Duration::from_millis(cpu_ms), resident_bytes, descriptors: 50, threads: 6 })
    }

    pub(in super::super) fn gathered() -> Gathered {
        let session = |heard_ms| Some(vec![SessionTiming { heard_ms, ..SessionTiming::default() }]);
        let report = Report {
            calls: 10,
            packets_sent: 5_000,
            packets_heard: 4_990,
            packets_missing: 8,
            frames_skipped: 2,
            voiced_sent: 1_000,
            ..Report::default()
        };
        let window = Window {
            report,
            stretch: Duration::from_secs(10),
            begin: Look { engine: usage(1_000, 30), sessions: session(1_000), ..Look::default() },
            end: Look { engine: usage(1_400, 32), sessions: session(101_000 - 20 * 40), ..Look::default() },
        };
        Gathered {
            calls: 10,
            windows: vec![window],
            idle: Some(Idle { cpu_share: 0.01, usage: usage(900, 28).unwrap() }),
            set_ups: Some(Burst {
                answered: 20,
                refused: 0,
                cpu: Duration::from_millis(60),
                took: Duration::from_secs(2),
                rest_share: 0.01,
            }),
            ..Gathered::default()
        }
    }

    pub(in super::super) fn during(window: Window) -> Gathered {
        Gathered { windows: vec![window], ..gathered() }
    }

    fn near(value: Option<f64>, expected: f64) -> bool {
        value.is_some_and(|value| (value - expected).abs() < 1e-9)
    }

    fn unseen(report: Report) -> Gathered {
        during(Window { report, stretch: Duration::from_secs(10), ..Window::default() })
    }

    #[test]
    fn rounds_are_counted_together_and_the_worst_says_how_many_calls_held() {
        let mut twice = gathered();
        twice.windows.extend(gathered().windows);
        twice.windows[1].report.calls = 9;
        let (step, once) = (Step::of(&twice), Step::of(&gathered()));
        assert_eq!((step.rounds, step.calls_held, step.seconds), (2, 9, 20.0));
        assert_eq!((step.loss.frames, step.loss.downlink_missing), (once.loss.frames * 2, 16));
        assert_eq!(step.engine.cpu_percent, once.engine.cpu_percent);
    }

    #[test]
    fn loss_is_counted_on_both_ways() {
        let step = Step::of(&gathered());
        assert_eq!(
            (step.loss.downlink_missing, step.loss.downlink_skipped, step.loss.uplink_missing),
            (8, 2, Some(30))
        );
        assert!(near(step.loss.percent, 0.4), "{:?}", step.loss.percent);
        assert_eq!(step.held, Some(false));
        assert!(near(step.beside.callers_speak_percent, 20.0));
    }

    /// A packet that is lost on its way is concealed: the model gets its frame all the same.
    #[test]
    fn packets_that_the_engine_never_heard_are_lost_though_the_model_got_every_frame() {
        let heard = |packets: u64| Figures::parse(&format!("clearline_rtp_heard_packets_total {packets}\n"));
        let mut concealed = gathered();
        let every_frame = concealed.windows[0].report.packets_sent * FRAME_MS;
        concealed.windows[0].end.sessions.as_mut().unwrap()[0].heard_ms = 1_000 + every_frame;
        assert_eq!(Step::of(&concealed).loss.uplink_missing, Some(0));
        let window = &mut concealed.windows[0];
        (window.begin.figures, window.end.figures) = (heard(700), heard(700 + 4_900));
        assert_eq!(Step::of(&concealed).loss.uplink_missing, Some(90));
        let window = &mut concealed.windows[0];
        (window.begin.sessions, window.end.sessions) = (None, None);
        let step = Step::of(&concealed);
        assert_eq!(
            (step.loss.uplink_missing, step.held),
            (Some(90), Some(false)),
            "the engine alone is asked"
        );
    }

    /// SIPp does not say what it sent: what the engine heard of it the model must have got.
    #[test]
    fn what_the_engine_heard_of_another_generator_and_the_model_never_got_is_lost() {
        let heard = |packets: u64| Figures::parse(&format!("clearline_rtp_heard_packets_total {packets}\n"));
        let mut window = gathered().windows.remove(0);
        window.report = Report { calls: 10, ..Report::default() };
        (window.begin.figures, window.end.figures) = (heard(0), heard(5_000));
        let window = window.with_what_the_engine_counted();
        let step = Step::of(&Gathered { generator: Generator::Sipp, ..during(window) });
        assert_eq!((step.loss.frames, step.loss.uplink_missing, step.held), (5_000, Some(30), Some(false)));
        assert_eq!(step.beside.callers_speak_percent, None, "SIPp does not tell when it speaks");
        assert_eq!(step.verdicts.iter().find(|verdict| verdict.level == "spacing_p999").unwrap().held, None);
    }

    /// Its callers may hear nothing at all.
    #[test]
    fn what_the_engine_counted_does_not_vouch_for_what_sipp_s_callers_hear() {
        let heard = |packets: u64| Figures::parse(&format!("clearline_rtp_heard_packets_total {packets}\n"));
        let mut window = gathered().windows.remove(0);
        window.report = Report { calls: 10, ..Report::default() };
        (window.begin.figures, window.end.figures) = (heard(0), heard(4_960));
        let window = window.with_what_the_engine_counted();
        let step = Step::of(&Gathered { generator: Generator::Sipp, ..during(window) });
        let verdict = |level| step.verdicts.iter().find(|verdict| verdict.level == level).unwrap();
        assert_eq!((verdict("loss").value, verdict("loss").held), (None, None));
        assert_eq!((step.crosstalk, verdict("crosstalk").held, step.held), (None, None, None));
        let why = step.not_judged.unwrap();
        assert!(why.starts_with("SIPp does not tell what its callers hear"), "{why}");
    }

    #[test]
    fn seconds_that_are_not_in_the_recordings_break_a_step_that_records() {
        let figures = |too_slow: u64, unwritten: u64| {
            Figures::parse(&format!(
                "clearline_recording_blocks_dropped_total {too_slow}\n\
                 clearline_recording_blocks_unwritten_total {unwritten}\n"
            ))
        };
        let judged = |recording: Option<bool>, too_slow: u64, unwritten: u64| {
            let mut gathered = Gathered { recording, ..gathered() };
            let window = &mut gathered.windows[0];
            (window.begin.figures, window.end.figures) =
                (figures(5, 5), figures(5 + too_slow, 5 + unwritten));
            let step = Step::of(&gathered);
            let verdict = step.verdicts.iter().find(|verdict| verdict.level == "recording").unwrap();
            (verdict.value, verdict.held)
        };
        assert_eq!(judged(Some(true), 0, 0), (Some(0.0), Some(true)));
        assert_eq!(judged(Some(true), 2, 0), (Some(2.0), Some(false)));
        assert_eq!(judged(Some(true), 0, 3), (Some(3.0), Some(false)));
        assert_eq!(judged(Some(false), 2, 3), (None, None));
        // Of an engine of which nobody knows whether it records.
        assert_eq!(judged(None, 0, 0), (None, None));
        assert_eq!(judged(None, 0, 3), (Some(3.0), Some(false)));
    }

    #[test]
    fn an_engine_nobody_can_see_has_no_cost() {
        let step = Step::of(&unseen(gathered().windows.remove(0).report));
        assert_eq!((step.engine.cpu_percent, step.loss.uplink_missing, step.speech), (None, None, None));
        assert!(near(step.loss.percent, 0.2), "only what was measured: {:?}", step.loss.percent);
        let told = serde_json::to_value(&step).unwrap();
        for (part, counter) in [
            ("loss", "engine_steps_dropped"),
            ("loss", "engine_uplink_dropped"),
            ("loss", "engine_frames_skipped"),
            ("loss", "engine_playout_overflows"),
            ("engine", "media_steps_late"),
        ] {
            let counted = told[part].get(counter);
            assert_eq!(counted, Some(&serde_json::Value::Null), "nobody counted: {counter}");
        }
    }

    #[test]
    fn what_an_engine_counts_is_told() {
        let figures = |late: u64| Figures::parse(&format!("clearline_media_steps_late_total {late}\n"));
        let mut gathered = gathered();
        let window = &mut gathered.windows[0];
        (window.begin.figures, window.end.figures) = (figures(2), figures(7));
        let step = Step::of(&gathered);
        assert_eq!((step.engine.media_steps_late, step.loss.engine_steps_dropped), (Some(5), None));
    }

    /// The callers hear every frame, and nobody knows whether anybody hears them.
    #[test]
    fn an_engine_that_may_be_deaf_does_not_hold() {
        let report = Report { packets_missing: 0, frames_skipped: 0, ..gathered().windows.remove(0).report };
        let step = Step::of(&unseen(report.clone()));
        let loss = step.verdicts.iter().find(|verdict| verdict.level == "loss").unwrap();
        assert_eq!((step.loss.percent, loss.value, loss.held), (None, None, None));
        assert_ne!(step.held, Some(true));
        // One frame of ten thousand is within the limit, on the way that was measured.
        let few = Report { packets_heard: 9_999, packets_missing: 1, ..report };
        let step = Step::of(&unseen(few));
        let loss = step.verdicts.iter().find(|verdict| verdict.level == "loss").unwrap();
        assert_eq!((loss.value.is_some(), loss.held), (true, None));
        assert_eq!(step.answer(), Answer::TooLittleToTell);
    }

    #[test]
    fn whether_somebody_died_is_not_known_of_whom_nobody_sees() {
        let died = |gathered: &Gathered| Step::of(gathered).verdicts[0].held;
        assert_eq!(died(&gathered()), Some(true));
        let mut without_engine = gathered();
        without_engine.windows[0].end.engine = None;
        assert_eq!(died(&without_engine), None);
        without_engine.windows[0].end.figures = Figures::parse("clearline_rtp_heard_packets_total 7\n");
        assert_eq!(died(&without_engine), Some(true), "its counters would begin anew");
        let mut without_model = gathered();
        without_model.windows[0].end.sessions = None;
        assert_eq!(died(&without_model), None);
    }

    #[test]
    fn an_engine_that_sends_nothing_loses_everything() {
        let report = Report { calls: 10, frames_absent: 4_980, ..Report::default() };
        let step = Step::of(&unseen(report));
        assert_eq!((step.loss.percent, step.held), (Some(100.0), Some(false)));
    }

    #[test]
    fn a_stand_in_that_nobody_spoke_to_heard_nothing() {
        let begin = Look { sessions: Some(Vec::new()), ..Look::default() };
        let step = Step::of(&during(Window { end: begin.clone(), begin, ..gathered().windows.remove(0) }));
        assert_eq!(step.loss.uplink_missing, Some(4_990));
    }

    #[test]
    fn a_step_in_which_a_process_died_broke_and_shows_no_other_figure() {
        let step = Step::cut_short(Generator::Sipp, 10, None, "the engine was killed by signal 9".into());
        assert_eq!((step.generator, step.loss.percent), (Generator::Sipp, None));
        let judged = step.verdicts.iter().filter(|verdict| verdict.held.is_some());
        let judged: Vec<_> = judged.map(|verdict| (verdict.level, verdict.value)).collect();
        assert_eq!((judged, step.held), (vec![("process_died", Some(1.0))], Some(false)));
        assert_eq!(Step::of(&gathered()).verdicts[0].held, Some(true));
    }

    #[test]
    fn a_late_generator_is_told_from_a_late_engine() {
        let mut late = gathered();
        for _ in 0..100 {
            late.windows[0].report.lateness.note(Duration::from_millis(30));
        }
        let step = Step::of(&late);
        assert!(step.harness.limited && step.held.is_none());
    }
}
