//! The only place that reads a clock or the operating system's randomness.
//!
//! Everything else takes `now: Instant`, a [`Timestamp`] or an [`Entropy`] as an argument, so that a whole call can
//! be replayed on a virtual clock from one seed.
//!
//! A proof with more calls than the machine can play in real time slows the whole process ([`slow_down`]): engine,
//! stand-ins and far ends then live in the same slow time, and everything still goes through real actors and sockets.
//! Who arms a timer of the operating system therefore asks [`timer_for`] how long it has to run. No setting, variable
//! or command slows anything, and `tests/architecture.rs` sees to it that nothing in the product does.

use std::io;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::domain::{CallId, Entropy, Timestamp};

/// The monotonic clock: for time-outs and pacing.
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the monotonic clock")]
pub fn now() -> Instant {
    of_real(Instant::now())
}

/// What our clock shows at this moment of the real one.
pub fn of_real(real: Instant) -> Instant {
    SLOWED.get().map_or(real, |slowed| slowed.of_real(real))
}

/// How long a timer of the operating system has to run for so much of our time to pass.
pub fn timer_for(wait: Duration) -> Duration {
    SLOWED.get().map_or(wait, |slowed| wait.saturating_mul(slowed.times))
}

/// From now on this process's time passes so many times slower than the real one; it can be done once. For proofs
/// that play more calls than the machine holds in real time.
pub fn slow_down(times: u32) {
    let since = now();
    let slowed = Slowed { since, times: times.max(1) };
    assert!(SLOWED.set(slowed).is_ok(), "time has been slowed already: whose speed would count?");
}

/// Not set in production: then the clock is the real one.
static SLOWED: OnceLock<Slowed> = OnceLock::new();

#[derive(Debug)]
struct Slowed {
    since: Instant,
    times: u32,
}

impl Slowed {
    fn of_real(&self, real: Instant) -> Instant {
        self.since + real.saturating_duration_since(self.since) / self.times
    }
}

/// A moment of the monotonic clock in a form that other processes of this machine understand: the same instant has the
/// same number in all of them, which an [`Instant`] hides.
pub fn machine_time(of: Instant) -> Duration {
    let read = clock_gettime(ClockId::Monotonic);
    let since_boot = Duration::new(read.tv_sec.unsigned_abs(), u32::try_from(read.tv_nsec).unwrap_or(0));
    let now = now();
    since_boot + of.saturating_duration_since(now) - now.saturating_duration_since(of)
}

/// What the calling thread has used of a core since it began: for work that must keep to a budget.
pub fn thread_cpu_time() -> Duration {
    let read = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(read.tv_sec.unsigned_abs(), u32::try_from(read.tv_nsec).unwrap_or(0))
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

/// Randomness of the operating system for salts and tokens, wiped when it is dropped.
pub fn random_bytes<const N: usize>() -> io::Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
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
    fn slowed_time_goes_on_from_where_it_was_and_never_backwards() {
        let since = now();
        let slowed = Slowed { since, times: 4 };
        assert_eq!(slowed.of_real(since), since);
        assert_eq!(slowed.of_real(since + Duration::from_secs(8)), since + Duration::from_secs(2));
        assert_eq!(slowed.of_real(since - Duration::from_nanos(1)), since, "read before, compared after");
    }

    #[test]
    fn two_streams_of_entropy_differ() {
        assert_ne!(entropy().unwrap().next_u64(), entropy().unwrap().next_u64());
    }
}
