//! Many durations in little space: counts in buckets that grow with the value, so that each is known to 2 %.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds below this have a bucket each; above, each doubling has half as many.
const FINE: u64 = 128;
const HALF: u64 = FINE / 2;
/// Half an hour: nothing a load test waits for takes longer.
const LONGEST_US: u64 = 1_800_000_000;

/// How often which duration was seen. Made in one process, sent as JSON, merged and read in another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// By bucket, without the empty ones behind the last.
    counts: Vec<u64>,
}

impl Histogram {
    pub fn note(&mut self, value: Duration) {
        let bucket = bucket_of(u64::try_from(value.as_micros()).unwrap_or(LONGEST_US).min(LONGEST_US));
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
    }

    pub fn note_some(&mut self, value: Option<Duration>) {
        if let Some(value) = value {
            self.note(value);
        }
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The duration that `share` (0 to 1) of all do not pass, rounded up to its bucket's end; `None` without any.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let wanted = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(Duration::from_micros(longest_in(bucket)))
    }

    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }
}

fn bucket_of(us: u64) -> usize {
    if us < FINE {
        return us as usize;
    }
    let doublings = us.ilog2() - HALF.ilog2();
    (u64::from(doublings) * HALF + (us >> doublings)) as usize
}

fn longest_in(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < FINE {
        return bucket;
    }
    let doublings = bucket / HALF - 1;
    ((bucket - doublings * HALF + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(milliseconds: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        milliseconds.into_iter().for_each(|ms| histogram.note(Duration::from_millis(ms)));
        histogram
    }

    #[test]
    fn every_value_lies_within_two_percent_of_its_bucket_s_end() {
        for us in (0..2_000).chain((0..200_000).map(|n| n * 7_919)) {
            let end = longest_in(bucket_of(us));
            assert!(end >= us && (end - us) as f64 <= us as f64 * 0.02, "{us}: {end}");
        }
    }

    #[test]
    fn quantiles_are_where_they_belong() {
        let histogram = of(1..=1_000);
        for (share, ms) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1_000.0)] {
            let found = histogram.quantile(share).unwrap().as_secs_f64() * 1_000.0;
            assert!((ms..ms * 1.02).contains(&found), "{share}: {found}");
        }
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn two_halves_make_the_whole() {
        let mut half = of(1..=3);
        half.merge(&of(4..=900));
        assert_eq!(half, of(1..=900));
    }

    #[test]
    fn it_survives_the_way_to_another_process() {
        let histogram = of([1, 20, 3_000]);
        let text = serde_json::to_string(&histogram).unwrap();
        assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), histogram);
    }
}
