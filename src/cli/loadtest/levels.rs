//! The service levels: what an engine must hold, with the figure it is judged by. One table, printed with each result.

use serde::Serialize;

use super::outcome::Step;
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
    Quantile(fn(&Step) -> &Quantiles, Quantile),
}

use Figure::{Counted, Quantile as Of};

pub(super) const LEVELS: [Level; 9] = [
    Level {
        name: "calls_failed",
        what: "calls refused, or lost in mid-call",
        unit: "",
        limit: 0.0,
        figure: Counted(|step| Some((step.refused.len() + step.lost.len()) as f64)),
    },
    Level {
        name: "crosstalk",
        what: "crosstalk: bursts of a caller that another one's model heard",
        unit: "",
        limit: 0.0,
        figure: Counted(|step| step.crosstalk.map(|bursts| bursts as f64)),
    },
    Level {
        name: "loss",
        what: "20 ms frames of either direction that we lost",
        unit: "%",
        limit: 0.1,
        figure: Counted(|step| Some(step.loss.percent)),
    },
    Level {
        name: "spacing_p999",
        what: "time between two packets to a caller, p99.9",
        unit: "ms",
        limit: 25.0,
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
            Counted(value) => value(step),
            Of(quantiles, quantile) => quantiles(step).get(*quantile),
        }
    }

    fn samples(&self, step: &Step) -> Option<Samples> {
        match self {
            Counted(_) => None,
            Of(quantiles, quantile) => {
                Some(Samples { taken: quantiles(step).count, needed: quantile.samples_needed() })
            }
        }
    }
}

impl Verdict {
    /// How far past its limit; the worst broke first.
    fn excess(&self) -> f64 {
        let value = self.value.unwrap_or(0.0);
        if self.limit > 0.0 { value / self.limit } else { value + 1.0 }
    }
}

/// What a late generator saw says nothing of the engine, and is not judged.
pub(super) fn judge(step: &Step) -> Vec<Verdict> {
    let verdict = |level: &Level| {
        let value = level.figure.value(step);
        let held = value.filter(|_| !step.harness.limited).map(|value| value <= level.limit);
        let samples = level.figure.samples(step);
        Verdict { level: level.name, limit: level.limit, unit: level.unit, value, samples, held }
    };
    LEVELS.iter().map(verdict).collect()
}

/// Whether all that were judged held; `None` if none was.
pub(super) fn all_held(verdicts: &[Verdict]) -> Option<bool> {
    verdicts.iter().filter_map(|verdict| verdict.held).reduce(|all, held| all && held)
}

/// The broken level that is furthest past its limit.
pub(super) fn worst(verdicts: &[Verdict]) -> Option<&Verdict> {
    let broken = verdicts.iter().filter(|verdict| verdict.held == Some(false));
    broken.max_by(|a, b| a.excess().total_cmp(&b.excess()))
}

pub(super) fn what(name: &str) -> &'static str {
    LEVELS.iter().find(|level| level.name == name).map_or("", |level| level.what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::loadtest::outcome::Loss;

    fn good() -> Step {
        let fast =
            Quantiles { p50: Some(5.0), p95: Some(9.0), p99: Some(10.0), p999: Some(20.0), count: 100 };
        Step {
            spacing_ms: fast,
            uplink_delay_ms: fast,
            downlink_delay_ms: fast,
            first_audio_ms: fast,
            set_up_ms: fast,
            barge_in_ms: fast,
            crosstalk: Some(0),
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
        let step = Step { loss: Loss { percent: 5.0, ..Loss::default() }, spacing_ms: spaced, ..good() };
        let verdicts = judge(&step);
        assert_eq!(verdicts.iter().filter(|verdict| verdict.held == Some(false)).count(), 2);
        assert_eq!(worst(&verdicts).unwrap().level, "loss");
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
    fn a_late_harness_condemns_nobody() {
        let mut step = Step { loss: Loss { percent: 5.0, ..Loss::default() }, ..good() };
        step.harness.limited = true;
        let verdicts = judge(&step);
        assert_eq!((all_held(&verdicts), worst(&verdicts)), (None, None));
    }
}
