//! The service levels: what an engine must hold, with the figure it is judged by. One table, printed with each result.

use serde::Serialize;

use super::loss::FRAME_MS;
use super::outcome::{Generator, Step};
use super::quantiles::{Quantile, Quantiles};

/// One promise.
pub(super) struct Level {
    /// As in the JSON document.
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    pub(super) limit: f64,
    figure: Figure,
}

/// What a level is judged by.
enum Figure {
    /// `None`: it was not measured.
    Counted(fn(&Step) -> Option<f64>),
    /// Of so many; too few of them may break it, and do not hold it.
    Share(fn(&Step) -> Option<f64>, fn(&Step) -> u64, u64),
    Quantile(fn(&Step) -> &Quantiles, Quantile),
}

use Figure::{Counted, Quantile as Of, Share};

/// What the level leaves beyond a frame.
pub(super) const SPACING_MARGIN_MS: u64 = 5;
const PROCESS_DIED: &str = "process_died";
const LOSS: &str = "loss";
const SPEECH: &str = "speech";
const SPACING: &str = "spacing_p999";
const JITTER_TARGET: &str = "jitter_target";
/// As of frames. Of 728 bursts and turns of an engine that loses nothing, on a machine that was building meanwhile, every
/// one arrived.
const SPEECH_LIMIT_PERCENT: f64 = 0.1;
/// As of a p95.
const SPEECH_SAMPLES_MIN: u64 = 20;
/// The callers of a step that is judged send a packet each 20 ms and are at most 10 ms late: one frame of depth covers
/// them, and a second one is slack. A buffer that aims at more has grown by itself, and what is subtracted from the delay
/// to the model would hide that.
const JITTER_TARGET_LIMIT_MS: f64 = 40.0;
/// Unless all of these are judged, nobody can say that a step held.
pub(super) const NEEDED: [&str; 3] = ["calls_failed", LOSS, SPACING];
const WHY_NOT_OF_SIPP: &str =
    "SIPp does not tell what its callers hear: that they lose nothing cannot be judged";
const WHY_NOT_HALF_SEEN: &str =
    "what was lost on the way from the callers was not measured (loss): --metrics or --model-side tells";
const WHY_NOT_OF_SILENCE: &str = "no caller heard a voice";

pub(super) const LEVELS: [Level; 13] = [
    Level {
        name: PROCESS_DIED,
        what: "engine or stand-in that died, or hung, in mid-step",
        unit: "",
        limit: 0.0,
        figure: Counted(|step| match (&step.died, step.deaths_are_seen) {
            (Some(_), _) => Some(1.0),
            (None, true) => Some(0.0),
            (None, false) => None,
        }),
    },
    Level {
        name: "calls_failed",
        what: "calls refused, or lost in mid-call",
        unit: "",
        limit: 0.0,
        figure: Counted(|step| Some((step.refused.len() + step.lost.len()) as f64)),
    },
    Level {
        name: "crosstalk",
        what: "crosstalk: callers' bursts at, and callers hearing, another one's model",
        unit: "",
        limit: 0.0,
        figure: Counted(|step| step.crosstalk.map(|found| found as f64)),
    },
    Level {
        name: LOSS,
        what: "20 ms frames of either direction that we lost",
        unit: "%",
        limit: 0.1,
        figure: Counted(|step| step.loss.percent),
    },
    Level {
        name: SPEECH,
        what: "speech that never arrived: callers' bursts, the model's turns",
        unit: "%",
        limit: SPEECH_LIMIT_PERCENT,
        figure: Share(
            |step| step.speech.and_then(|speech| speech.unheard_percent),
            |step| step.speech.map_or(0, |speech| (speech.bursts + speech.turns) as u64),
            SPEECH_SAMPLES_MIN,
        ),
    },
    Level {
        name: "recording",
        what: "seconds of recordings that were lost",
        unit: "s",
        limit: 0.0,
        figure: Counted(|step| step.recording_lost_s.map(|seconds| seconds as f64)),
    },
    Level {
        name: SPACING,
        what: "time between two packets to a caller, p99.9",
        unit: "ms",
        limit: (FRAME_MS + SPACING_MARGIN_MS) as f64,
        figure: Of(|step| &step.spacing_ms, Quantile::P999),
    },
    Level {
        name: "uplink_delay_p95",
        what: "delay added from caller to model, p95",
        unit: "ms",
        limit: 30.0,
        figure: Of(|step| &step.uplink_delay_ms, Quantile::P95),
    },
    Level {
        name: JITTER_TARGET,
        what: "what the jitter buffers aim at, which is not in that delay, mean",
        unit: "ms",
        limit: JITTER_TARGET_LIMIT_MS,
        figure: Counted(|step| step.beside.jitter_target_ms),
    },
    Level {
        name: "downlink_delay_p95",
        what: "delay added from model to caller, p95",
        unit: "ms",
        limit: 30.0,
        figure: Of(|step| &step.downlink_delay_ms, Quantile::P95),
    },
    Level {
        name: "first_audio_p95",
        what: "answer to first audio beyond the model's own delay, p95",
        unit: "ms",
        limit: 100.0,
        figure: Of(|step| &step.first_audio_ms, Quantile::P95),
    },
    Level {
        name: "set_up_p95",
        what: "INVITE to 200 beyond the model's own set-up, p95",
        unit: "ms",
        limit: 200.0,
        figure: Of(|step| &step.set_up_ms, Quantile::P95),
    },
    Level {
        name: "barge_in_p99",
        what: "the model's \"interrupted\" to our last voiced packet, p99",
        unit: "ms",
        limit: 100.0,
        figure: Of(|step| &step.barge_in_ms, Quantile::P99),
    },
];

/// How one level came out in one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Verdict {
    pub(super) level: &'static str,
    pub(super) limit: f64,
    pub(super) unit: &'static str,
    /// `None`: not measured, or too few samples.
    pub(super) value: Option<f64>,
    /// `None` where the figure is no quantile.
    pub(super) samples: Option<Samples>,
    /// `None`: there is no value, or it is not judged because the harness itself was late.
    pub(super) held: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Samples {
    pub(super) taken: u64,
    pub(super) needed: u64,
}

impl Figure {
    fn value(&self, step: &Step) -> Option<f64> {
        match self {
            Counted(value) | Share(value, ..) => value(step),
            Of(quantiles, quantile) => quantiles(step).get(*quantile),
        }
    }

    fn samples(&self, step: &Step) -> Option<Samples> {
        match self {
            Counted(_) => None,
            Share(_, taken, needed) => Some(Samples { taken: taken(step), needed: *needed }),
            Of(quantiles, quantile) => {
                Some(Samples { taken: quantiles(step).count, needed: quantile.samples_needed() })
            }
        }
    }
}

impl Verdict {
    /// As a multiple of its limit. What must never be is past it by more than anything else.
    fn excess(&self) -> f64 {
        if self.limit > 0.0 { self.value.unwrap_or(0.0) / self.limit } else { f64::INFINITY }
    }
}

/// What a late generator saw says nothing of the engine, and is not judged.
pub(super) fn judge(step: &Step) -> Vec<Verdict> {
    let verdict = |level: &Level| {
        let is_known = step.died.is_none() || level.name == PROCESS_DIED;
        let value = level.figure.value(step).filter(|_| is_known);
        // However late the harness was: who is dead is dead.
        let can_judge = !step.harness.limited || step.died.is_some();
        let held = value.filter(|_| can_judge).map(|value| value <= level.limit);
        // Late callers make no engine look better: what held, held.
        let in_doubt = is_in_doubt(step, level.name);
        let held = held.filter(|held| *held || !in_doubt);
        // What one way alone was seen to lose breaks it too; that nothing was lost both must tell.
        let is_half = is_half_seen(step, level.name);
        let held = held.filter(|held| !*held || !is_half);
        let samples = level.figure.samples(step);
        let are_few = samples.is_some_and(|samples| samples.taken < samples.needed);
        let held = held.filter(|held| !*held || !are_few);
        Verdict { level: level.name, limit: level.limit, unit: level.unit, value, samples, held }
    };
    LEVELS.iter().map(verdict).collect()
}

/// Whether it may be the callers who were late and not the engine; how late SIPp was nobody measures.
fn is_in_doubt(step: &Step, level: &str) -> bool {
    match level {
        SPACING => step.harness.spacing_in_doubt,
        JITTER_TARGET => step.generator == Generator::Sipp,
        _ => false,
    }
}

/// Whether only one way of what the level counts was seen. SIPp tells neither when packets came to its callers, nor whether
/// any did.
fn is_half_seen(step: &Step, level: &str) -> bool {
    let by_sipp = step.generator == Generator::Sipp;
    match level {
        LOSS => by_sipp || step.loss.uplink_missing.is_none(),
        SPEECH => by_sipp || step.speech.is_none_or(|speech| speech.bursts == 0 || speech.turns == 0),
        _ => false,
    }
}

/// As [`all_held`]; nor does anybody hold whose callers heard no voice, however punctual the silence was.
pub(super) fn held(step: &Step) -> Option<bool> {
    all_held(&step.verdicts).filter(|held| !*held || callers_heard_a_voice(step))
}

fn callers_heard_a_voice(step: &Step) -> bool {
    step.beside.model_speaks_percent.is_some_and(|percent| percent > 0.0)
}

/// False if a level broke; `None` if none did and one of those that are needed was not judged.
fn all_held(verdicts: &[Verdict]) -> Option<bool> {
    if verdicts.iter().any(|verdict| verdict.held == Some(false)) {
        return Some(false);
    }
    needed_and_not_judged(verdicts).is_empty().then_some(true)
}

/// Why it is not known whether a step held; `None` if it is.
pub(super) fn why_not_judged(step: &Step) -> Option<String> {
    if step.held.is_some() {
        return None;
    }
    if step.harness.limited {
        return Some("callers or stand-in were late themselves".into());
    }
    if step.generator == Generator::Sipp {
        return Some(WHY_NOT_OF_SIPP.into());
    }
    let is_half = |name: &&str| *name == LOSS && is_half_seen(step, LOSS);
    let (half, others): (Vec<_>, Vec<_>) =
        needed_and_not_judged(&step.verdicts).into_iter().partition(is_half);
    let (in_doubt, without): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|name| *name == SPACING && is_measured(step, name));
    let half = (!half.is_empty()).then(|| WHY_NOT_HALF_SEEN.to_owned());
    let doubts = (!in_doubt.is_empty())
        .then(|| format!("callers were too late now and then to judge {}", in_doubt.join(", ")));
    let few = (!without.is_empty()).then(|| {
        format!("too few samples for {}; longer steps and more calls have more", without.join(", "))
    });
    let silent = (!callers_heard_a_voice(step)).then(|| WHY_NOT_OF_SILENCE.to_owned());
    Some([half, doubts, few, silent].into_iter().flatten().collect::<Vec<_>>().join("; "))
}

fn is_measured(step: &Step, level: &str) -> bool {
    step.verdicts.iter().any(|verdict| verdict.level == level && verdict.value.is_some())
}

/// Whether more calls would be as little worth: the harness was late, and not short of samples.
pub(super) fn was_too_late(step: &Step) -> bool {
    let in_doubt =
        |verdict: &Verdict| verdict.level == SPACING && verdict.held.is_none() && verdict.value.is_some();
    step.harness.limited || step.verdicts.iter().any(in_doubt)
}

fn needed_and_not_judged(verdicts: &[Verdict]) -> Vec<&'static str> {
    let judged = |name: &str| verdicts.iter().any(|verdict| verdict.level == name && verdict.held.is_some());
    NEEDED.into_iter().filter(|name| !judged(name)).collect()
}

/// The broken level that is furthest past its limit; of several as far the first of the table.
pub(super) fn worst(verdicts: &[Verdict]) -> Option<&Verdict> {
    let broken = verdicts.iter().filter(|verdict| verdict.held == Some(false));
    broken.rev().max_by(|a, b| a.excess().total_cmp(&b.excess()))
}

pub(super) fn what(name: &str) -> &'static str {
    LEVELS.iter().find(|level| level.name == name).map_or("", |level| level.what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::loadtest::loss::Loss;
    use crate::cli::loadtest::outcome::Beside;
    use crate::cli::loadtest::speech::Speech;
    use crate::sandbox::callers::Lost;

    fn lost(percent: f64) -> Loss {
        Loss { percent: Some(percent), frames: 1_000, uplink_missing: Some(0), ..Loss::default() }
    }

    fn good() -> Step {
        let fast =
            Quantiles { p50: Some(5.0), p95: Some(9.0), p99: Some(10.0), p999: Some(20.0), count: 1_000 };
        Step {
            spacing_ms: fast,
            uplink_delay_ms: fast,
            downlink_delay_ms: fast,
            first_audio_ms: fast,
            set_up_ms: fast,
            barge_in_ms: fast,
            crosstalk: Some(0),
            recording_lost_s: Some(0),
            loss: lost(0.0),
            speech: Some(Speech { bursts: 50, turns: 50, unheard_percent: Some(0.0), ..Speech::default() }),
            beside: Beside {
                jitter_target_ms: Some(20.5),
                model_speaks_percent: Some(40.0),
                ..Beside::default()
            },
            deaths_are_seen: true,
            ..Step::default()
        }
    }

    #[test]
    fn a_step_within_all_limits_holds_every_level() {
        assert!(judge(&good()).iter().all(|verdict| verdict.held == Some(true)));
        assert_eq!(all_held(&judge(&good())), Some(true));
    }

    #[test]
    fn one_foreign_burst_breaks_a_step() {
        let verdicts = judge(&Step { crosstalk: Some(1), ..good() });
        assert_eq!((all_held(&verdicts), worst(&verdicts).unwrap().level), (Some(false), "crosstalk"));
    }

    #[test]
    fn the_level_furthest_past_its_limit_broke_first() {
        let spaced = Quantiles { p999: Some(26.0), ..good().spacing_ms };
        let step = Step { loss: lost(5.0), spacing_ms: spaced, ..good() };
        let verdicts = judge(&step);
        assert_eq!(verdicts.iter().filter(|verdict| verdict.held == Some(false)).count(), 2);
        assert_eq!(worst(&verdicts).unwrap().level, "loss");
    }

    #[test]
    fn a_lost_call_breaks_before_all_that_was_lost_with_it() {
        let hung_up = Lost { caller: 1, reason: "hung up".into() };
        let step = Step { lost: vec![hung_up], loss: lost(100.0), crosstalk: Some(7), ..good() };
        assert_eq!(worst(&judge(&step)).unwrap().level, "calls_failed");
    }

    #[test]
    fn speech_of_one_side_alone_holds_nobody() {
        let speech = |bursts, turns, unheard_percent| {
            let speech =
                Speech { bursts, turns, unheard_percent: Some(unheard_percent), ..Speech::default() };
            let verdicts = judge(&Step { speech: Some(speech), ..good() });
            verdicts.iter().find(|verdict| verdict.level == SPEECH).unwrap().held
        };
        assert_eq!((speech(0, 22, 0.0), speech(22, 0, 0.0), speech(11, 11, 0.0)), (None, None, Some(true)));
        assert_eq!(speech(0, 22, 5.0), Some(false));
    }

    #[test]
    fn punctual_silence_holds_nobody() {
        let hearing = |percent| {
            let beside = Beside { model_speaks_percent: percent, ..good().beside };
            let mut step = Step { beside, speech: None, ..good() };
            step.verdicts = judge(&step);
            step.held = held(&step);
            (step.held, why_not_judged(&step))
        };
        assert_eq!(hearing(Some(40.0)), (Some(true), None));
        assert_eq!(hearing(Some(0.0)), (None, Some("no caller heard a voice".into())));
        assert_eq!(hearing(None).0, None);
    }

    #[test]
    fn the_way_that_was_not_measured_is_named() {
        let loss = Loss { percent: None, uplink_missing: None, ..lost(0.0) };
        let mut step = Step { loss, ..good() };
        step.verdicts = judge(&step);
        step.held = held(&step);
        let why = why_not_judged(&step).unwrap();
        assert!(why.starts_with("what was lost on the way from the callers was not measured"), "{why}");
        assert!(!was_too_late(&step));
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let verdicts = judge(&Step { uplink_delay_ms: Quantiles::default(), ..good() });
        let held = |name| verdicts.iter().find(|verdict| verdict.level == name).unwrap().held;
        assert_eq!((held("uplink_delay_p95"), held("downlink_delay_p95")), (None, Some(true)));
        assert_eq!(all_held(&verdicts), Some(true));
        let samples =
            verdicts.iter().find_map(|verdict| verdict.samples.filter(|samples| samples.taken == 0));
        assert_eq!(samples, Some(Samples { taken: 0, needed: 20 }));
    }

    #[test]
    fn a_step_whose_packets_were_too_few_to_judge_did_not_hold() {
        let spaced = Quantiles { p999: None, ..good().spacing_ms };
        let mut step = Step { spacing_ms: spaced, ..good() };
        step.verdicts = judge(&step);
        assert_eq!(all_held(&step.verdicts), None);
        let why = why_not_judged(&step).unwrap();
        assert!(why.starts_with("too few samples for spacing_p999"), "{why}");
    }

    #[test]
    fn too_few_packets_are_not_called_late_callers() {
        let mut step = Step { spacing_ms: Quantiles { p999: None, ..good().spacing_ms }, ..good() };
        step.harness.spacing_in_doubt = true;
        step.verdicts = judge(&step);
        assert!(why_not_judged(&step).unwrap().starts_with("too few samples for spacing_p999"));
        assert!(!was_too_late(&step));
        let late = Step { spacing_ms: Quantiles { p999: Some(26.0), ..good().spacing_ms }, ..step };
        let late = Step { verdicts: judge(&late), ..late };
        assert_eq!(
            why_not_judged(&late).unwrap(),
            "callers were too late now and then to judge spacing_p999"
        );
        assert!(was_too_late(&late));
    }

    /// Its target is taken off the delay to the model, which therefore stays the same however it grows.
    #[test]
    fn a_jitter_buffer_that_grows_breaks_a_step_whose_delays_hold() {
        let aiming_at = |ms: f64| {
            let beside = Beside { jitter_target_ms: Some(ms), ..Beside::default() };
            let verdicts = judge(&Step { beside, ..good() });
            (all_held(&verdicts), worst(&verdicts).map(|verdict| verdict.level))
        };
        assert_eq!(aiming_at(40.0), (Some(true), None));
        assert_eq!(aiming_at(60.0), (Some(false), Some("jitter_target")));
    }

    #[test]
    fn a_jitter_buffer_that_grows_under_sipp_may_do_so_because_sipp_was_late() {
        let beside = Beside { jitter_target_ms: Some(89.0), ..Beside::default() };
        let verdicts = judge(&Step { beside, generator: Generator::Sipp, ..good() });
        let target = verdicts.iter().find(|verdict| verdict.level == JITTER_TARGET).unwrap();
        assert_eq!((target.value, target.held), (Some(89.0), None));
    }

    #[test]
    fn who_died_while_the_harness_was_late_is_dead_all_the_same() {
        let mut step = Step { died: Some("the engine was killed".into()), ..good() };
        step.harness.limited = true;
        let verdicts = judge(&step);
        assert_eq!((all_held(&verdicts), worst(&verdicts).unwrap().level), (Some(false), "process_died"));
    }

    #[test]
    fn speech_that_nobody_hears_breaks_a_step_that_loses_no_packet() {
        let unheard = Speech { unheard_percent: Some(100.0), ..Speech::default() };
        let verdicts = judge(&Step { speech: Some(unheard), ..good() });
        assert_eq!((all_held(&verdicts), worst(&verdicts).unwrap().level), (Some(false), "speech"));
        let few = |bursts_unheard, unheard_percent| {
            let speech = Speech { bursts: 1, bursts_unheard, unheard_percent, ..Speech::default() };
            let verdicts = judge(&Step { speech: Some(speech), ..good() });
            verdicts.iter().find(|verdict| verdict.level == "speech").unwrap().held
        };
        assert_eq!((few(0, Some(0.0)), few(1, Some(100.0))), (None, Some(false)), "one is few");
        let nobody_to_ask = judge(&Step { speech: None, ..good() });
        assert_eq!(all_held(&nobody_to_ask), Some(true));
    }

    #[test]
    fn callers_that_are_late_now_and_then_condemn_nobody_s_spacing() {
        let spacing = |p999: f64| {
            let spaced = Quantiles { p999: Some(p999), ..good().spacing_ms };
            let mut step = Step { spacing_ms: spaced, ..good() };
            step.harness.spacing_in_doubt = true;
            all_held(&judge(&step))
        };
        assert_eq!((spacing(26.0), spacing(24.0)), (None, Some(true)));
    }

    #[test]
    fn a_late_harness_condemns_nobody() {
        let mut step = Step { loss: lost(5.0), ..good() };
        step.harness.limited = true;
        let verdicts = judge(&step);
        assert_eq!((all_held(&verdicts), worst(&verdicts)), (None, None));
    }
}
