//! The only place that reads a clock or the operating system's randomness.
//!
//! Everything else takes `now: Instant`, a [`Timestamp`] or an [`Entropy`] as an argument, so that a whole call can
//! be replayed on a virtual clock from one seed.

use std::io;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::domain::{CallId, Entropy, Timestamp};

/// The monotonic clock: for time-outs and pacing.
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the monotonic clock")]
pub fn now() -> Instant {
    Instant::now()
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
    fn two_streams_of_entropy_differ() {
        assert_ne!(entropy().unwrap().next_u64(), entropy().unwrap().next_u64());
    }
}
