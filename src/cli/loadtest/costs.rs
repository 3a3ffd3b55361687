//! What a step cost: what the engine used, and what the harness used beside it and how late it was itself. Pure.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use crate::sandbox::histogram::Histogram;
use crate::sandbox::model::SessionTiming;

use super::levels::SPACING_MARGIN_MS;
use super::outcome::{Gathered, Look, Window};
use super::quantiles::Quantiles;
use super::usage::Usage;

/// What the engine used. `None`: its process cannot be seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Engine {
    /// Of one core.
    pub(super) cpu_percent: Option<f64>,
    pub(super) cpu_percent_per_call: Option<f64>,
    /// Of a call that is set up and hung up at once; roughly, from one burst. `None` too where a call of it was refused,
    /// or it cost less than nothing.
    pub(super) cpu_ms_per_set_up: Option<f64>,
    pub(super) idle_cpu_percent: Option<f64>,
    pub(super) idle_mib: Option<f64>,
    pub(super) loaded_mib: Option<f64>,
    pub(super) mib_per_call: Option<f64>,
    pub(super) descriptors: Option<usize>,
    pub(super) threads: Option<usize>,
    /// `None`: the engine cannot be asked.
    pub(super) media_steps_late: Option<u64>,
}

/// What the harness used and how late it was itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Harness {
    pub(super) callers_cpu_percent_per_call: Option<f64>,
    pub(super) model_cpu_percent_per_call: Option<f64>,
    /// Resident, at the end.
    pub(super) callers_mib: Option<f64>,
    pub(super) model_mib: Option<f64>,
    pub(super) callers_late_ms: Quantiles,
    pub(super) model_late_ms: Quantiles,
    /// Too late itself to judge anybody.
    pub(super) limited: bool,
    /// The callers were late so often that packets further apart than the level allows may be their own fault, or that
    /// of whatever kept them from running.
    pub(super) spacing_in_doubt: bool,
}

/// The engine before its first call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Idle {
    pub(super) cpu_share: f64,
    pub(super) usage: Usage,
}

/// A generator later than this sends jitter; a stand-in later than this answers late.
const CALLERS_LATE_P99_MAX: Duration = Duration::from_millis(10);
const MODEL_LATE_P99_MAX: Duration = Duration::from_millis(20);
/// Spacing is judged at p99.9, and so are those who judge it.
const SPACING_MARGIN: Duration = Duration::from_millis(SPACING_MARGIN_MS);

impl Engine {
    pub(super) fn of(gathered: &Gathered) -> Self {
        let Gathered { idle, set_ups, .. } = gathered;
        let media_steps_late = gathered.counted("clearline_media_steps_late_total");
        let (Some(cpu), Some(last)) = (gathered.cpu_percent(|look| look.engine), gathered.last_engine())
        else {
            return Self { media_steps_late, ..Self::default() };
        };
        let calls = gathered.calls_held();
        let loaded = mib(last.resident_bytes);
        let idle_mib = idle.map(|idle| mib(idle.usage.resident_bytes));
        Self {
            cpu_percent: Some(cpu),
            cpu_percent_per_call: per_call(cpu, calls),
            cpu_ms_per_set_up: set_ups.and_then(|burst| burst.cpu_ms_each()).filter(|cost| *cost > 0.0),
            idle_cpu_percent: idle.map(|idle| idle.cpu_share * 100.0),
            idle_mib,
            loaded_mib: Some(loaded),
            mib_per_call: idle_mib.and_then(|idle| per_call(loaded - idle, calls)),
            descriptors: Some(last.descriptors),
            threads: Some(last.threads),
            media_steps_late,
        }
    }
}

impl Harness {
    pub(super) fn of(gathered: &Gathered) -> Self {
        let cost =
            |of: fn(&Look) -> Option<Usage>| per_call(gathered.cpu_percent(of)?, gathered.calls_held());
        let last =
            |of: fn(&Look) -> Option<Usage>| gathered.windows.last().and_then(|window| of(&window.end));
        let (mut lateness, mut model_lateness) = (Histogram::default(), Histogram::default());
        for Window { report, begin, end, .. } in &gathered.windows {
            lateness.merge(&report.lateness);
            sessions_alive(begin, end).for_each(|session| model_lateness.merge(&session.lateness));
        }
        Self {
            callers_cpu_percent_per_call: cost(|look| look.callers),
            model_cpu_percent_per_call: cost(|look| look.model),
            callers_mib: last(|look| look.callers).map(|usage| mib(usage.resident_bytes)),
            model_mib: last(|look| look.model).map(|usage| mib(usage.resident_bytes)),
            limited: is_late(&lateness, CALLERS_LATE_P99_MAX) || is_late(&model_lateness, MODEL_LATE_P99_MAX),
            spacing_in_doubt: lateness.quantile(0.999).is_some_and(|late| late > SPACING_MARGIN),
            callers_late_ms: Quantiles::of(&lateness),
            model_late_ms: Quantiles::of(&model_lateness),
        }
    }
}

pub(super) fn callers_are_late(lateness: &Histogram) -> bool {
    is_late(lateness, CALLERS_LATE_P99_MAX)
}

pub(super) fn models_are_late<'a>(sessions: impl Iterator<Item = &'a SessionTiming>) -> bool {
    let mut lateness = Histogram::default();
    sessions.for_each(|session| lateness.merge(&session.lateness));
    is_late(&lateness, MODEL_LATE_P99_MAX)
}

/// Of few samples too: who is in doubt does not judge.
fn is_late(lateness: &Histogram, max: Duration) -> bool {
    lateness.quantile(0.99).is_some_and(|late| late > max)
}

/// A stand-in that runs already remembers the sessions of earlier steps, and how late it was then.
pub(super) fn sessions_alive<'a>(begin: &'a Look, end: &'a Look) -> impl Iterator<Item = &'a SessionTiming> {
    let heard_before: HashMap<&str, u64> =
        begin.sessions().iter().map(|session| (session.session.as_str(), session.heard_ms)).collect();
    end.sessions().iter().filter(move |session| {
        heard_before.get(session.session.as_str()).is_none_or(|before| session.heard_ms > *before)
    })
}

/// Of one core.
pub(super) fn share(first: Usage, last: Usage, stretch: Duration) -> f64 {
    last.cpu.saturating_sub(first.cpu).as_secs_f64() / stretch.as_secs_f64().max(f64::MIN_POSITIVE)
}

fn per_call(of_all: f64, calls: usize) -> Option<f64> {
    (calls > 0).then(|| of_all / calls as f64)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::loadtest::outcome::tests::{during, gathered, usage};
    use crate::sandbox::callers::Report;

    #[test]
    fn a_call_costs_its_part_of_what_all_cost() {
        let engine = Engine::of(&gathered());
        let near = |value: Option<f64>, expected: f64| (value.unwrap() - expected).abs() < 1e-9;
        assert!(near(engine.cpu_percent, 4.0) && near(engine.cpu_percent_per_call, 0.4));
        assert!(near(engine.mib_per_call, 0.4) && near(engine.cpu_ms_per_set_up, 2.0));
    }

    #[test]
    fn the_harness_tells_what_it_used_itself() {
        let mut gathered = gathered();
        let window = &mut gathered.windows[0];
        (window.begin.callers, window.end.callers) = (usage(100, 8), usage(300, 9));
        let harness = Harness::of(&gathered);
        assert_eq!((harness.callers_cpu_percent_per_call, harness.callers_mib), (Some(0.2), Some(9.0)));
        assert_eq!((harness.model_cpu_percent_per_call, harness.model_mib), (None, None));
    }

    #[test]
    fn callers_that_are_late_once_in_five_hundred_times_cannot_judge_the_thousandth_packet() {
        let doubts = |late_ms| {
            let mut report = Report::default();
            (0..1_000).for_each(|_| report.lateness.note(Duration::ZERO));
            (0..2).for_each(|_| report.lateness.note(Duration::from_millis(late_ms)));
            let harness = Harness::of(&during(Window { report, ..gathered().windows.remove(0) }));
            (harness.limited, harness.spacing_in_doubt)
        };
        assert_eq!((doubts(9), doubts(3)), ((false, true), (false, false)));
    }

    fn spoke(session: &str, heard_ms: u64, late_ms: u64) -> SessionTiming {
        let mut timing = SessionTiming { session: session.into(), heard_ms, ..SessionTiming::default() };
        timing.lateness.note(Duration::from_millis(late_ms));
        timing
    }

    #[test]
    fn a_stand_in_is_not_late_for_what_it_was_in_an_earlier_step() {
        let look = |sessions: Vec<SessionTiming>| Look { sessions: Some(sessions), ..Look::default() };
        let limited = |now_late_ms| {
            let begin = look(vec![spoke("old", 500, 90)]);
            let end = look(vec![spoke("old", 500, 90), spoke("new", 900, now_late_ms)]);
            let stretch = Duration::from_secs(1);
            Harness::of(&during(Window { report: Report::default(), stretch, begin, end })).limited
        };
        assert!(limited(90) && !limited(1));
    }
}
