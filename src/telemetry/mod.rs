//! What an operator sees: log lines on standard error, and figures for Prometheus.
//!
//! Secrets and phone numbers mask themselves by type (`Secret`, `PhoneNumber`), so no filter stands between a line
//! and its writer. Libraries know nothing of those types: they are heard from WARN upwards only, whatever the level
//! is. The packet path never logs; it counts, in [`Metrics`], which are plain atomics behind a fixed table of names.

mod logging;
mod metrics;

#[cfg(test)]
pub(crate) use logging::tests::json_line_of;
pub use logging::{LoggingError, init_logging, set_log_level};
pub use metrics::{Counter, Gauge, Metrics};

use std::sync::LazyLock;

use crate::domain::Outcome;

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::default);

/// This process's figures.
pub fn metrics() -> &'static Metrics {
    &METRICS
}

/// One more of something.
pub fn count(counter: Counter) {
    METRICS.count(counter);
}

/// A call is over.
pub fn count_ended(outcome: Outcome) {
    METRICS.count_ended(outcome);
}
