//! Quantiles of what was measured, as far as there are samples enough for them. Pure.

use serde::Serialize;

use crate::sandbox::histogram::Histogram;

/// Milliseconds. `None` where there are fewer than [`Quantile::samples_needed`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Quantiles {
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) p999: Option<f64>,
    /// Samples.
    pub(super) count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantile {
    P50,
    P95,
    P99,
    P999,
}

impl Quantile {
    pub(super) const ALL: [Self; 4] = [Self::P50, Self::P95, Self::P99, Self::P999];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
        }
    }

    /// With fewer it would be the largest sample under another name.
    pub(super) fn samples_needed(self) -> u64 {
        match self {
            Self::P50 => 1,
            Self::P95 => 20,
            Self::P99 => 100,
            Self::P999 => 1_000,
        }
    }

    fn share(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
            Self::P999 => 0.999,
        }
    }
}

impl Quantiles {
    pub(super) fn of(histogram: &Histogram) -> Self {
        let count = histogram.count();
        let at = |quantile: Quantile| {
            let value = histogram.quantile(quantile.share()).filter(|_| count >= quantile.samples_needed());
            value.map(|value| value.as_secs_f64() * 1_000.0)
        };
        Self {
            p50: at(Quantile::P50),
            p95: at(Quantile::P95),
            p99: at(Quantile::P99),
            p999: at(Quantile::P999),
            count,
        }
    }

    pub(super) fn get(&self, quantile: Quantile) -> Option<f64> {
        match quantile {
            Quantile::P50 => self.p50,
            Quantile::P95 => self.p95,
            Quantile::P99 => self.p99,
            Quantile::P999 => self.p999,
        }
    }

    /// The same beside something of this length that is not counted.
    pub(super) fn without(self, ms: f64) -> Self {
        let less = |value: Option<f64>| value.map(|value| (value - ms).max(0.0));
        Self { p50: less(self.p50), p95: less(self.p95), p99: less(self.p99), p999: less(self.p999), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn known(samples: u64) -> Vec<&'static str> {
        let mut histogram = Histogram::default();
        (0..samples).for_each(|ms| histogram.note(Duration::from_millis(ms)));
        let quantiles = Quantiles::of(&histogram);
        let known = Quantile::ALL.into_iter().filter(|quantile| quantiles.get(*quantile).is_some());
        known.map(Quantile::name).collect()
    }

    #[test]
    fn a_quantile_needs_as_many_samples_as_leave_one_beyond_it() {
        assert!(known(0).is_empty());
        assert_eq!((known(1), known(19)), (vec!["p50"], vec!["p50"]));
        assert_eq!((known(20), known(100)), (vec!["p50", "p95"], vec!["p50", "p95", "p99"]));
        assert_eq!((known(999).len(), known(1_000).len()), (3, 4));
    }

    #[test]
    fn what_is_not_counted_leaves_nothing_below_zero() {
        let whole = Quantiles { p50: Some(15.0), p95: Some(30.0), count: 20, ..Quantiles::default() };
        let rest = whole.without(20.0);
        assert_eq!((rest.p50, rest.p95, rest.p99, rest.count), (Some(0.0), Some(10.0), None, 20));
    }
}
