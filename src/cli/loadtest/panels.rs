//! What the chart shows: one panel a question, a line a figure.

use super::outcome::Step;

/// One picture.
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    pub(super) lines: &'static [Line],
    /// The level whose limit is drawn.
    pub(super) level: Option<&'static str>,
}

/// `None` where it was not measured: no point.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) colour: &'static str,
    pub(super) value: fn(&Step) -> Option<f64>,
}

const BLUE: &str = "#1f5fa8";
const ORANGE: &str = "#d9731a";
const GREEN: &str = "#3b8a4a";
const GREY: &str = "#8a8a8a";

pub(super) const PANELS: [Panel; 8] = [
    Panel {
        title: "Calls held",
        unit: "calls",
        lines: &[
            Line { name: "asked", colour: GREY, value: |step| Some(step.calls as f64) },
            Line { name: "up at the end", colour: BLUE, value: |step| Some(step.calls_held as f64) },
        ],
        level: None,
    },
    Panel {
        title: "Frames lost by the engine",
        unit: "%",
        lines: &[Line { name: "both ways", colour: BLUE, value: |step| step.loss.percent }],
        level: Some("loss"),
    },
    Panel {
        title: "Delay added, caller to model",
        unit: "ms",
        lines: &[
            Line { name: "p50", colour: GREEN, value: |step| step.uplink_delay_ms.p50 },
            Line { name: "p95", colour: BLUE, value: |step| step.uplink_delay_ms.p95 },
            Line { name: "p99", colour: ORANGE, value: |step| step.uplink_delay_ms.p99 },
        ],
        level: Some("uplink_delay_p95"),
    },
    Panel {
        title: "Delay added, model to caller",
        unit: "ms",
        lines: &[
            Line { name: "p50", colour: GREEN, value: |step| step.downlink_delay_ms.p50 },
            Line { name: "p95", colour: BLUE, value: |step| step.downlink_delay_ms.p95 },
            Line { name: "p99", colour: ORANGE, value: |step| step.downlink_delay_ms.p99 },
        ],
        level: Some("downlink_delay_p95"),
    },
    Panel {
        title: "Time between packets, p99.9",
        unit: "ms",
        lines: &[Line { name: "to a caller", colour: BLUE, value: |step| step.spacing_ms.p999 }],
        level: Some("spacing_p999"),
    },
    Panel {
        title: "The harness's own lateness, p99",
        unit: "ms",
        lines: &[
            Line { name: "callers", colour: GREEN, value: |step| step.harness.callers_late_ms.p99 },
            Line { name: "stand-in", colour: ORANGE, value: |step| step.harness.model_late_ms.p99 },
        ],
        level: None,
    },
    Panel {
        title: "CPU per call",
        unit: "% of a core",
        lines: &[
            Line { name: "engine", colour: BLUE, value: |step| step.engine.cpu_percent_per_call },
            Line { name: "stand-in", colour: ORANGE, value: |step| step.harness.model_cpu_percent_per_call },
            Line { name: "callers", colour: GREEN, value: |step| step.harness.callers_cpu_percent_per_call },
        ],
        level: None,
    },
    Panel {
        title: "Memory per call",
        unit: "MiB",
        lines: &[Line { name: "engine", colour: BLUE, value: |step| step.engine.mib_per_call }],
        level: None,
    },
];
