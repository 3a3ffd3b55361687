//! One step for a person, a row a figure. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::sandbox::callers::Lost;

use super::costs::{Engine, Harness};
use super::document::counted;
use super::levels::{self, Verdict};
use super::loss::Loss;
use super::outcome::{Beside, Generator, Step};
use super::quantiles::{Quantile, Quantiles};
use super::speech::Speech;

#[derive(Default)]
struct Table(String);

/// Wider than the longest name.
const NAME_WIDTH: usize = 74;

pub(super) fn describe(step: &Step) -> String {
    let mut table = Table::default();
    table.row("calls held / asked", format!("{} / {} for {}", step.calls_held, step.calls, how_long(step)));
    if let Some(died) = &step.died {
        table.row("what died", died.clone());
    }
    table.most_frequent("  refused, most often for", &step.refused);
    table.most_frequent("  lost, most often for", &step.lost);
    for verdict in &step.verdicts {
        table.row(levels::what(verdict.level), shown(verdict));
    }
    table.delays(step);
    table.loss(&step.loss);
    table.row("speech that never arrived", step.speech.map_or("not measured".into(), unheard));
    table.engine(&step.engine);
    table.harness(&step.harness);
    if step.generator == Generator::Callers {
        table.row("who speaks", who_speaks(&step.beside));
    }
    table.row("this step", outcome(step));
    table.0
}

impl Table {
    fn row(&mut self, name: &str, value: String) {
        writeln!(self.0, "  {name:<NAME_WIDTH$}{value}").expect("a String takes every text");
    }

    /// Nothing if there are none.
    fn most_frequent(&mut self, name: &str, lost: &[Lost]) {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        lost.iter().for_each(|lost| *times.entry(&lost.reason).or_default() += 1);
        if let Some((reason, times)) = times.into_iter().max_by_key(|(_, times)| *times) {
            self.row(name, format!("{reason} ({times} of {})", lost.len()));
        }
    }

    fn delays(&mut self, step: &Step) {
        let Beside { jitter_target_ms, jitter_depth_ms, prebuffer_ms, .. } = step.beside;
        self.row("delay added, caller → model", quantiles(&step.uplink_delay_ms));
        self.row("  beside it: jitter buffer's target", optional(jitter_target_ms, "ms"));
        self.row("  how long packets wait in it", optional(jitter_depth_ms, "ms"));
        self.row("delay added, model → caller", quantiles(&step.downlink_delay_ms));
        self.row("  beside it: pre-buffer of a turn", format!("{prebuffer_ms} ms"));
        self.row("answer → first audio, model's too", quantiles(&step.beside.first_audio_whole_ms));
        self.row("INVITE → 200, model's too", quantiles(&step.beside.set_up_whole_ms));
    }

    fn loss(&mut self, loss: &Loss) {
        let Loss { downlink_missing, downlink_skipped, downlink_absent, uplink_missing, frames, .. } = loss;
        let not_sent = downlink_skipped + downlink_absent;
        let lost = downlink_missing + not_sent + uplink_missing.unwrap_or(0);
        let up = uplink_missing.map_or("not measured".into(), |frames| frames.to_string());
        let ways = format!("down {downlink_missing} + {not_sent} not sent, up {up}");
        self.row("lost frames", format!("{lost} of {frames} ({ways})"));
    }

    fn engine(&mut self, engine: &Engine) {
        self.row("engine: CPU per call", optional(engine.cpu_percent_per_call, "% of a core"));
        self.row("engine: CPU in all", optional(engine.cpu_percent, "% of a core"));
        self.row("engine: CPU before the first call", optional(engine.idle_cpu_percent, "% of a core"));
        self.row("engine: CPU per call set up and hung up", optional(engine.cpu_ms_per_set_up, "ms"));
        self.row("engine: memory per call", optional(engine.mib_per_call, "MiB"));
        self.row("engine: memory in all", optional(engine.loaded_mib, "MiB"));
    }

    fn harness(&mut self, harness: &Harness) {
        self.row(
            "harness: callers' CPU per call",
            optional(harness.callers_cpu_percent_per_call, "% of a core"),
        );
        self.row(
            "harness: stand-in's CPU per call",
            optional(harness.model_cpu_percent_per_call, "% of a core"),
        );
        self.row("harness: callers' memory in all", optional(harness.callers_mib, "MiB"));
        self.row("harness: stand-in's memory in all", optional(harness.model_mib, "MiB"));
        self.row("harness: callers' own lateness", quantiles(&harness.callers_late_ms));
        self.row("harness: stand-in's own lateness", quantiles(&harness.model_late_ms));
    }
}

fn how_long(step: &Step) -> String {
    match step.rounds {
        0 | 1 => format!("{:.0} s", step.seconds),
        rounds => format!("{:.0} s in {rounds} rounds", step.seconds),
    }
}

fn outcome(step: &Step) -> String {
    match step.held {
        Some(true) => "held".into(),
        Some(false) => "BROKEN".into(),
        None => format!("NOT JUDGED: {}", step.not_judged.as_deref().unwrap_or_default()),
    }
}

fn unheard(speech: Speech) -> String {
    let Speech { bursts, bursts_unheard, bursts_torn, turns, turns_unheard, .. } = speech;
    format!("{bursts_unheard} of {bursts} bursts ({bursts_torn} torn), {turns_unheard} of {turns} turns")
}

fn who_speaks(beside: &Beside) -> String {
    let share = |percent: Option<f64>| percent.map_or("–".into(), |percent| format!("{percent:.0} %"));
    let (callers, model) = (share(beside.callers_speak_percent), share(beside.model_speaks_percent));
    format!("callers {callers}, model {model} of the time")
}

fn shown(verdict: &Verdict) -> String {
    let mark = match verdict.held {
        Some(true) => "held",
        Some(false) => "BROKEN",
        None => "not judged",
    };
    let value = match verdict.unit {
        // What has no unit is counted in whole ones.
        "" => verdict.value.map(|value| format!("{value:.0}")),
        unit => verdict.value.map(|value| format!("{value:.2} {unit}")),
    };
    let value = value.unwrap_or_else(|| "–".into());
    let limit = format!("{} {}", verdict.limit, verdict.unit);
    let few = verdict.samples.filter(|samples| samples.taken < samples.needed);
    let few =
        few.map_or(String::new(), |few| format!(": {} of the {} samples needed", few.taken, few.needed));
    format!("{value} (limit {}) {mark}{few}", limit.trim_end())
}

fn optional(value: Option<f64>, unit: &str) -> String {
    value.map_or("–".into(), |value| format!("{value:.3} {unit}"))
}

fn quantiles(of: &Quantiles) -> String {
    let one = |quantile: Quantile| {
        let missing = || format!("– (needs {})", quantile.samples_needed());
        let value = of.get(quantile).map_or_else(missing, |value| format!("{value:.1} ms"));
        format!("{} {value}", quantile.name())
    };
    format!("{}  of {}", Quantile::ALL.map(one).join("  "), counted(of.count, "sample"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::loadtest::levels::{LEVELS, Samples, judge};

    fn verdict(value: f64, limit: f64, unit: &'static str) -> String {
        let held = Some(value <= limit);
        shown(&Verdict { level: "loss", limit, unit, value: Some(value), samples: None, held })
    }

    #[test]
    fn a_figure_and_its_limit_both_have_their_unit() {
        assert_eq!(verdict(22.27, 25.0, "ms"), "22.27 ms (limit 25 ms) held");
        assert_eq!(verdict(0.5, 0.1, "%"), "0.50 % (limit 0.1 %) BROKEN");
        assert_eq!(verdict(0.0, 0.0, ""), "0 (limit 0) held");
    }

    #[test]
    fn too_few_samples_are_told_with_how_many_are_needed() {
        let samples = Some(Samples { taken: 3, needed: 100 });
        let few = Verdict { level: "loss", limit: 25.0, unit: "ms", value: None, samples, held: None };
        assert_eq!(shown(&few), "– (limit 25 ms) not judged: 3 of the 100 samples needed");
        let some = Quantiles { p50: Some(9.96), count: 1, ..Quantiles::default() };
        assert_eq!(
            quantiles(&some),
            "p50 10.0 ms  p95 – (needs 20)  p99 – (needs 100)  p99.9 – (needs 1000)  of 1 sample"
        );
    }

    #[test]
    fn every_figure_that_a_load_test_is_for_has_a_row() {
        let step = Step::default();
        let text = describe(&Step { verdicts: judge(&step), ..step });
        for row in [
            "calls held / asked",
            "crosstalk",
            "delay added, caller → model",
            "delay added, model → caller",
            "engine: CPU per call",
            "engine: CPU before the first call",
            "engine: memory per call",
            "harness: callers' CPU per call",
            "harness: stand-in's CPU per call",
            "NOT JUDGED",
        ] {
            assert!(text.contains(row), "{row}: {text}");
        }
        assert!(!text.contains("most often"), "{text}");
    }

    #[test]
    fn no_row_is_wider_than_its_column() {
        for level in &LEVELS {
            assert!(level.what.chars().count() < NAME_WIDTH, "{}", level.what);
        }
    }

    #[test]
    fn who_died_is_told() {
        let text = describe(&Step::cut_short(
            Generator::Callers,
            6,
            None,
            "the engine was killed by signal 9".into(),
        ));
        assert!(text.contains("the engine was killed by signal 9") && text.contains("BROKEN"), "{text}");
    }

    #[test]
    fn the_commonest_reason_of_calls_that_failed_is_told_with_its_count() {
        let lost = |reason: &str| Lost { caller: 1, reason: reason.into() };
        let refused =
            vec![lost("486 Busy Here"), lost("503 Service Unavailable"), lost("503 Service Unavailable")];
        let text = describe(&Step { refused, ..Step::default() });
        assert!(text.contains("503 Service Unavailable (2 of 3)"), "{text}");
    }
}
