//! The only place that reads a clock or the operating system's randomness.
//!
//! Everything else takes `now: Instant`, a [`Timestamp`] or an [`Entropy`] as an argument, so that a whole call can
//! be replayed on a virtual clock from one seed.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

use crate::domain::{CallId, Entropy, Timestamp};

/// The monotonic clock: for time-outs and pacing.
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the monotonic clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// A moment of the monotonic clock in a form that other processes of this machine understand: the same instant has the
/// same number in all of them, which an [`Instant`] hides.
pub fn machine_time(of: Instant) -> Duration {
    let read = clock_gettime(ClockId::Monotonic);
    let since_boot = Duration::new(read.tv_sec.unsigned_abs(), u32::try_from(read.tv_nsec).unwrap_or(0));
    let now = now();
    since_boot + of.saturating_duration_since(now) - now.saturating_duration_since(of)
}

/// How far the wall clock is ahead of the machine's: what the kernel stamps is wall-clock time.
pub fn wall_clock_lead() -> Duration {
    let read = clock_gettime(ClockId::Realtime);
    let wall = Duration::new(read.tv_sec.unsigned_abs(), u32::try_from(read.tv_nsec).unwrap_or(0));
    wall.saturating_sub(machine_time(now()))
}

/// The wall clock: for records that people read, never for time-outs.
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the wall clock")]
pub fn unix_time() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// A fresh UUIDv7: sorted by time of birth, so neighbouring calls are neighbours in the store.
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

pub fn new_call_id() -> CallId {
    CallId::new(new_id())
}

/// A stream of randomness seeded by the operating system; fails only where the system has none to give.
pub fn entropy() -> io::Result<Entropy> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Entropy::from_seed(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_ids_sort_by_the_time_they_were_made() {
        let (first, second) = (new_call_id(), new_call_id());
        assert!(first < second, "{first} {second}");
        assert_eq!(Uuid::parse_str(first.as_str()).unwrap().get_version_num(), 7);
    }

    #[test]
    fn the_machine_s_time_keeps_the_distance_of_two_moments() {
        let now = now();
        let apart = machine_time(now + Duration::from_secs(3)) - machine_time(now - Duration::from_secs(2));
        assert!(apart.abs_diff(Duration::from_secs(5)) < Duration::from_secs(1), "{apart:?}");
    }

    #[test]
    fn two_streams_of_entropy_differ() {
        assert_ne!(entropy().unwrap().next_u64(), entropy().unwrap().next_u64());
    }
}
