//! The result as one JSON document, and as a table for a person.
//!
//! The document's members keep their names and meanings; new ones may come:
//! `version` (1) · `machine` {`cores`, `pinned`} · `levels` [{`name`, `what`, `unit`, `limit`}] · `calls_held`, the most
//! that held every level, null if none did · `broke_first`, the level that broke just above it, null if none ·
//! `steps` [[`super::outcome::Step`]], in the order they were run. All times are milliseconds, all shares percent (of
//! one core, where it is CPU); what was not measured is null.

use std::fmt::Write;

use serde::Serialize;

use super::levels::{self, LEVELS, Verdict};
use super::outcome::{Quantiles, Step};

#[derive(Debug, Serialize)]
pub(super) struct Document {
    version: u32,
    machine: Machine,
    levels: Vec<LevelShown>,
    pub(super) calls_held: Option<usize>,
    pub(super) broke_first: Option<String>,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Machine {
    pub(super) cores: usize,
    /// Whether engine, stand-in and callers had cores of their own.
    pub(super) pinned: bool,
}

#[derive(Debug, Serialize)]
struct LevelShown {
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    limit: f64,
}

const VERSION: u32 = 1;

impl Document {
    pub(super) fn new(machine: Machine, steps: Vec<Step>) -> Self {
        let judged = steps.iter().filter(|step| !step.harness.limited);
        let calls_held = judged.clone().filter(|step| step.held).map(|step| step.calls).max();
        let broken = judged.filter(|step| !step.held).min_by_key(|step| step.calls);
        let broke_first =
            broken.and_then(|step| levels::worst(&step.verdicts)).map(|worst| worst.level.to_owned());
        let shown = |level: &levels::Level| LevelShown {
            name: level.name,
            what: level.what,
            unit: level.unit,
            limit: level.limit,
        };
        Self {
            version: VERSION,
            machine,
            levels: LEVELS.iter().map(shown).collect(),
            calls_held,
            broke_first,
            steps,
        }
    }

    pub(super) fn summary(&self) -> String {
        let mut text = String::new();
        let held = self.calls_held.map_or("no step held".into(), |calls| format!("{calls} calls held"));
        write!(text, "{held} every service level").expect(INFALLIBLE);
        if let Some(level) = &self.broke_first {
            write!(text, "; what broke first: {level} ({})", levels::what(level)).expect(INFALLIBLE);
        }
        let late = self.steps.iter().filter(|step| step.harness.limited).count();
        if late > 0 {
            write!(text, "; not judged, the harness was late itself: {late} of {}", self.steps.len())
                .expect(INFALLIBLE);
        }
        let Machine { cores, pinned } = self.machine;
        let where_ =
            if pinned { "each on cores of its own" } else { "all on the same cores, nothing pinned" };
        write!(text, "\n{cores} cores; engine, stand-in and callers {where_}").expect(INFALLIBLE);
        text
    }
}

const INFALLIBLE: &str = "a String takes every text";

/// One step for a person.
pub(super) fn describe(step: &Step) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| writeln!(text, "  {name:<58}{value}").expect(INFALLIBLE);
    let Step { engine, harness, beside, loss, .. } = step;
    line("calls held / asked", format!("{} / {} for {:.0} s", step.calls_held, step.calls, step.seconds));
    for verdict in &step.verdicts {
        line(levels::what(verdict.level), shown(verdict));
    }
    line("delay caller → model", quantiles(&step.uplink_delay_ms));
    line("  beside it: jitter buffer's target", optional(beside.jitter_target_ms, "ms"));
    line("  how long packets wait in it", optional(beside.jitter_depth_ms, "ms"));
    line("delay model → caller", quantiles(&step.downlink_delay_ms));
    line("  beside it: pre-buffer of a turn", format!("{} ms", beside.prebuffer_ms));
    line("answer → first audio, model's too", quantiles(&beside.first_audio_whole_ms));
    line("INVITE → 200, model's too", quantiles(&beside.set_up_whole_ms));
    line(
        "lost frames",
        format!(
            "{} of {} (down {} + {} not sent, up {})",
            loss.downlink_missing + loss.downlink_skipped + loss.uplink_missing,
            loss.frames,
            loss.downlink_missing,
            loss.downlink_skipped,
            loss.uplink_missing
        ),
    );
    line("engine: CPU per call", optional(engine.cpu_percent_per_call, "% of a core"));
    line("engine: CPU in all", optional(engine.cpu_percent, "% of a core"));
    line("engine: memory per call", optional(engine.mib_per_call, "MiB"));
    line("engine: CPU per set-up", optional(engine.cpu_ms_per_set_up, "ms"));
    line("harness: callers' CPU per call", optional(harness.callers_cpu_percent_per_call, "% of a core"));
    line("harness: stand-in's CPU per call", optional(harness.model_cpu_percent_per_call, "% of a core"));
    line("harness: callers' own lateness", quantiles(&harness.callers_late_ms));
    line("harness: stand-in's own lateness", quantiles(&harness.model_late_ms));
    line(
        "who speaks",
        format!(
            "callers {:.0} %, model {:.0} % of the time",
            beside.callers_speak_percent, beside.model_speaks_percent
        ),
    );
    if harness.limited {
        line("NOT JUDGED", "callers or stand-in were late themselves".into());
    }
    text
}

fn shown(verdict: &Verdict) -> String {
    let mark = match verdict.held {
        Some(true) => "held",
        Some(false) => "BROKEN",
        None => "not judged",
    };
    let value = verdict.value.map_or("–".into(), |value| format!("{value:.2}"));
    format!("{value} (limit {} {}) {mark}", verdict.limit, verdict.unit)
}

fn optional(value: Option<f64>, unit: &str) -> String {
    value.map_or("–".into(), |value| format!("{value:.3} {unit}"))
}

fn quantiles(of: &Quantiles) -> String {
    let one = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.1}"));
    format!("p50 {}  p95 {}  p99 {}  p99.9 {} ms", one(of.p50), one(of.p95), one(of.p99), one(of.p999))
}
