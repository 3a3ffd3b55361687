//! Times, as they are told.

use std::fmt;
use std::time::Duration;

#[derive(Default)]
pub(crate) struct Figures {
    times: Vec<Duration>,
}

impl Figures {
    pub(crate) fn add(&mut self, time: Duration) {
        self.times.push(time);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.times.extend(other.times);
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn median_ms(&self) -> f64 {
        self.at(0.5)
    }

    fn at(&self, part: f64) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let place = ((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len());
        sorted[place - 1].as_secs_f64() * 1e3
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.times.is_empty() {
            return f.write_str("nothing was measured");
        }
        let [p50, p95, p99, most] = [0.5, 0.95, 0.99, 1.0].map(|part| self.at(part));
        write!(
            f,
            "p50 {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms, most {most:.2} ms (of {})",
            self.times.len()
        )
    }
}
