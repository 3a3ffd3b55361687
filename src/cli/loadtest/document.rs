//! The result as one JSON document, and in a few lines.
//!
//! The document's members keep their names and meanings; new ones may come:
//! `version` (1) · `machine` {`cores`, `pinned`} · `joined`, the SIP address of an engine that ran already, null for one
//! of our own · `levels` [{`name`, `what`, `unit`, `limit`}] · `calls_held`, the most that held every level that could be
//! judged, null if none did · `broke_first`, the level that broke just above it, null if none · `ended_early`, why the
//! test ended before its last step (interrupted, or somebody died), null if it did not · `steps` [[`super::outcome::Step`]], in the order they were run.
//! `generator` of a step says who called (`callers` are our own), (what `sipp` has its callers hear nobody knows, so no step of it holds; `calls_held` of a step is how many were up), `rounds` how often it was measured, with new calls each time. A step's `held` is true, false (a level broke) or null (`not_judged` says why: the harness was late itself, or a level
//! that is needed had too few samples), and so is `held` of each of its `verdicts`. All times are milliseconds,
//! all shares percent (of one core, where it is CPU); what was not measured is null (but what nobody could tell of adds nothing to `downlink_*`, `bursts_heard`, `voices_heard`), and so is a quantile with too few
//! samples: p95 needs 20, p99 100, p99.9 1,000.

use std::fmt::Display;
use std::net::SocketAddr;

use serde::Serialize;

use super::levels::{self, LEVELS};
use super::outcome::Step;

#[derive(Debug, Serialize)]
pub(super) struct Document {
    version: u32,
    machine: Machine,
    joined: Option<SocketAddr>,
    levels: Vec<LevelShown>,
    pub(super) calls_held: Option<usize>,
    broke_first: Option<String>,
    ended_early: Option<String>,
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

pub(super) const VERSION: u32 = 1;

impl Document {
    pub(super) fn new(
        machine: Machine,
        joined: Option<SocketAddr>,
        steps: Vec<Step>,
        ended_early: Option<String>,
    ) -> Self {
        let held = steps.iter().filter(|step| step.held == Some(true));
        let calls_held = held.map(|step| step.calls).max();
        let worst = first_broken(&steps).and_then(|step| levels::worst(&step.verdicts));
        let shown = |level: &levels::Level| LevelShown {
            name: level.name,
            what: level.what,
            unit: level.unit,
            limit: level.limit,
        };
        Self {
            version: VERSION,
            machine,
            joined,
            levels: LEVELS.iter().map(shown).collect(),
            calls_held,
            broke_first: worst.map(|verdict| verdict.level.to_owned()),
            ended_early,
            steps,
        }
    }

    /// The answer, a line for each part of it.
    pub(super) fn summary(&self) -> Vec<String> {
        let lines =
            [Some(self.what_held()), self.what_broke(), self.what_was_not_judged(), self.why_it_ended()];
        lines.into_iter().flatten().chain([self.where_it_ran()]).collect()
    }

    fn what_held(&self) -> String {
        let held = self.steps.iter().filter(|step| step.held == Some(true));
        let Some(step) = held.max_by_key(|step| step.calls) else {
            return "no step held its service levels".into();
        };
        let (judged, not_judged): (Vec<_>, Vec<_>) =
            step.verdicts.iter().partition(|verdict| verdict.held.is_some());
        let calls = counted(step.calls, "call");
        if not_judged.is_empty() {
            return format!("{calls} held every service level");
        }
        let names: Vec<_> = not_judged.iter().map(|verdict| verdict.level).collect();
        let judged = counted(judged.len(), "service level");
        format!("{calls} held the {judged} that could be judged (not judged: {})", names.join(", "))
    }

    fn what_broke(&self) -> Option<String> {
        let (step, level) = (first_broken(&self.steps)?, self.broke_first.as_deref()?);
        let calls = counted(step.calls, "call");
        Some(format!("what broke first, at {calls}: {level} ({})", levels::what(level)))
    }

    fn what_was_not_judged(&self) -> Option<String> {
        let why =
            |step: &Step| Some(format!("{} ({})", counted(step.calls, "call"), step.not_judged.as_deref()?));
        let steps: Vec<_> = self.steps.iter().filter_map(why).collect();
        (!steps.is_empty()).then(|| format!("not judged: {}", steps.join(", ")))
    }

    fn why_it_ended(&self) -> Option<String> {
        self.ended_early.as_ref().map(|reason| format!("ended early, these are the finished steps: {reason}"))
    }

    fn where_it_ran(&self) -> String {
        let Machine { cores, pinned } = self.machine;
        let cores = counted(cores, "core");
        match self.joined {
            None if pinned => format!("{cores}; engine, stand-in and callers each on cores of their own"),
            None => format!("{cores}; engine, stand-in and callers all on the same cores, nothing pinned"),
            Some(engine) if engine.ip().is_loopback() => format!(
                "{cores}; callers not pinned; the engine at {engine} runs on this machine too, on which cores is not known"
            ),
            Some(engine) => {
                format!("{cores} for the callers, not pinned; where the engine at {engine} runs is not known")
            }
        }
    }
}

/// The step of fewest calls in which a level broke.
fn first_broken(steps: &[Step]) -> Option<&Step> {
    steps.iter().filter(|step| step.held == Some(false)).min_by_key(|step| step.calls)
}

/// "1 call", "2 calls".
pub(super) fn counted<N: Display + PartialEq + From<u8>>(number: N, what: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {what}{ending}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::loadtest::levels::{Samples, Verdict};
    use crate::cli::loadtest::loss::Loss;
    use crate::cli::loadtest::outcome::Beside;

    /// The levels that are needed held, unless something else is said of them.
    pub(in super::super) fn step(calls: usize, verdicts: &[(&'static str, Option<bool>)]) -> Step {
        let verdict = |(level, held): &(&'static str, Option<bool>)| Verdict {
            level,
            limit: 1.0,
            unit: "ms",
            value: held.map(|held| if held { 0.5 } else { 2.0 }),
            samples: Some(Samples { taken: 3, needed: 20 }),
            held: *held,
        };
        let others =
            levels::NEEDED.into_iter().filter(|level| verdicts.iter().all(|(name, _)| name != level));
        let others: Vec<_> = others.map(|level| (level, Some(true))).collect();
        let verdicts: Vec<_> = verdicts.iter().chain(&others).map(verdict).collect();
        let loss = Loss { uplink_missing: Some(0), ..Loss::default() };
        let beside = Beside { model_speaks_percent: Some(40.0), ..Beside::default() };
        let mut step = Step { calls, verdicts, loss, beside, ..Step::default() };
        step.held = levels::held(&step);
        step.not_judged = levels::why_not_judged(&step);
        step
    }

    pub(in super::super) fn of(steps: Vec<Step>) -> Document {
        Document::new(Machine { cores: 2, pinned: false }, None, steps, None)
    }

    const HELD: (&str, Option<bool>) = ("loss", Some(true));

    #[test]
    fn what_could_not_be_judged_is_not_called_held() {
        let all = of(vec![step(10, &[HELD])]).summary();
        assert_eq!(all[0], "10 calls held every service level");
        let some = of(vec![step(1, &[HELD, ("barge_in_p99", None), ("set_up_p95", None)])]).summary();
        let expected =
            "1 call held the 3 service levels that could be judged (not judged: barge_in_p99, set_up_p95)";
        assert_eq!(some[0], expected);
    }

    #[test]
    fn a_step_that_was_not_judged_neither_held_nor_broke() {
        let document = of(vec![step(10, &[HELD]), step(20, &[("loss", None)])]);
        assert_eq!((document.calls_held, document.broke_first.as_deref()), (Some(10), None));
        let told = document.summary().join("\n");
        assert!(
            told.contains("not judged: 20 calls (too few samples for loss") && !told.contains("broke"),
            "{told}"
        );
        let json = serde_json::to_value(&document).unwrap();
        assert_eq!(
            (&json["steps"][0]["held"], &json["steps"][1]["held"]),
            (&true.into(), &serde_json::Value::Null)
        );
    }

    #[test]
    fn the_level_that_broke_is_told_with_the_number_of_calls() {
        let document =
            of(vec![step(40, &[("loss", Some(false))]), step(20, &[("spacing_p999", Some(false))])]);
        assert_eq!((document.calls_held, document.broke_first.as_deref()), (None, Some("spacing_p999")));
        let told = document.summary();
        assert_eq!(told[0], "no step held its service levels");
        assert!(told[1].starts_with("what broke first, at 20 calls: spacing_p999 (time between"), "{told:?}");
    }

    #[test]
    fn an_end_before_the_last_step_is_told() {
        let machine = Machine { cores: 1, pinned: false };
        let document = Document::new(machine, None, vec![step(10, &[HELD])], Some("interrupted".into()));
        assert_eq!(document.summary()[1], "ended early, these are the finished steps: interrupted");
        assert_eq!(serde_json::to_value(&document).unwrap()["ended_early"], "interrupted");
    }

    #[test]
    fn of_an_engine_that_ran_already_no_more_is_told_than_is_known() {
        let place = |joined: &str| {
            let engine = Some(joined.parse().unwrap());
            Document::new(Machine { cores: 2, pinned: false }, engine, Vec::new(), None).where_it_ran()
        };
        let here = place("127.0.0.1:5060");
        assert!(here.contains("127.0.0.1:5060 runs on this machine") && here.contains("not known"), "{here}");
        assert!(place("192.0.2.1:5060").contains("where the engine at 192.0.2.1:5060 runs is not known"));
        assert!(of(Vec::new()).where_it_ran().contains("all on the same cores"));
    }
}
