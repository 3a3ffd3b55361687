//! Who is alive, who may come in, and who is rebuilt once more: the rules behind the CallSupervisor.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::domain::{CallId, Direction};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistryLimits {
    pub calls_max: usize,
    /// Outbound calls leave this many places free, so that dialling out never starves the people who call in.
    pub inbound_reserve: usize,
    /// A session may be rebuilt this often within [`RegistryLimits::rebuild_window`].
    pub rebuilds_max: usize,
    pub rebuild_window: Duration,
}

impl Default for RegistryLimits {
    fn default() -> Self {
        Self { calls_max: 500, inbound_reserve: 10, rebuilds_max: 2, rebuild_window: Duration::from_secs(60) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionRefused {
    #[error(
        "the engine holds as many calls as it may ({calls_max}); raise calls.max_calls or try again later"
    )]
    Full { calls_max: usize },
    #[error("the last {reserve} places are kept for incoming calls; try again later")]
    ReservedForInbound { reserve: usize },
    #[error("the engine is stopping and takes no new calls")]
    Stopping,
}

/// What becomes of a call whose session died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterCrash {
    /// Build a new session; `attempt` counts from 1.
    Rebuild {
        attempt: usize,
    },
    GiveUp,
    /// The call is not known (any more): nothing to do.
    Unknown,
}

/// The table of live calls.
#[derive(Debug)]
pub struct Registry {
    limits: RegistryLimits,
    calls: HashMap<CallId, Entry>,
    stopping: bool,
}

#[derive(Debug)]
struct Entry {
    /// When the session died, newest last; at most `rebuilds_max + 1` entries.
    crashes: VecDeque<Instant>,
}

impl Registry {
    pub fn new(limits: RegistryLimits) -> Self {
        Self { limits, calls: HashMap::new(), stopping: false }
    }

    pub fn admit(&mut self, call: CallId, direction: Direction) -> Result<(), AdmissionRefused> {
        if self.stopping {
            return Err(AdmissionRefused::Stopping);
        }
        let free = self.limits.calls_max.saturating_sub(self.calls.len());
        if free == 0 {
            return Err(AdmissionRefused::Full { calls_max: self.limits.calls_max });
        }
        if direction == Direction::Outbound && free <= self.inbound_reserve() {
            return Err(AdmissionRefused::ReservedForInbound { reserve: self.inbound_reserve() });
        }
        self.calls.insert(call, Entry { crashes: VecDeque::new() });
        Ok(())
    }

    /// A machine of few calls keeps at most half of them for callers.
    fn inbound_reserve(&self) -> usize {
        self.limits.inbound_reserve.min(self.limits.calls_max / 2)
    }

    /// Calls that are there stay, also past a lower limit.
    pub fn limit_calls(&mut self, calls_max: usize) {
        self.limits.calls_max = calls_max;
    }

    pub fn session_died(&mut self, call: &CallId, now: Instant) -> AfterCrash {
        let Some(entry) = self.calls.get_mut(call) else { return AfterCrash::Unknown };
        let window = self.limits.rebuild_window;
        entry.crashes.retain(|crash| now.saturating_duration_since(*crash) < window);
        entry.crashes.push_back(now);
        if entry.crashes.len() > self.limits.rebuilds_max {
            return AfterCrash::GiveUp;
        }
        AfterCrash::Rebuild { attempt: entry.crashes.len() }
    }

    /// True when the call was known.
    pub fn ended(&mut self, call: &CallId) -> bool {
        self.calls.remove(call).is_some()
    }

    pub fn stop_admitting(&mut self) {
        self.stopping = true;
    }

    pub fn len(&self) -> usize {
        self.calls.len()
    }

    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;

    fn call(number: usize) -> CallId {
        CallId::new(format!("call-{number}"))
    }

    fn registry(calls_max: usize, inbound_reserve: usize) -> Registry {
        Registry::new(RegistryLimits { calls_max, inbound_reserve, ..RegistryLimits::default() })
    }

    #[test]
    fn the_third_crash_within_the_window_ends_the_call() {
        let start = Instant::now();
        let mut registry = registry(10, 0);
        registry.admit(call(1), Direction::Inbound).unwrap();
        assert_eq!(registry.session_died(&call(1), start), AfterCrash::Rebuild { attempt: 1 });
        let later = start + Duration::from_secs(30);
        assert_eq!(registry.session_died(&call(1), later), AfterCrash::Rebuild { attempt: 2 });
        assert_eq!(registry.session_died(&call(1), start + Duration::from_secs(59)), AfterCrash::GiveUp);
    }

    #[test]
    fn crashes_that_lie_far_apart_are_forgiven() {
        let start = Instant::now();
        let mut registry = registry(10, 0);
        registry.admit(call(1), Direction::Inbound).unwrap();
        for minute in 0..10 {
            let now = start + Duration::from_secs(61 * minute);
            assert_eq!(registry.session_died(&call(1), now), AfterCrash::Rebuild { attempt: 1 });
        }
    }

    #[test]
    fn dialling_out_leaves_places_for_those_who_call_in() {
        let mut registry = registry(4, 2);
        registry.admit(call(1), Direction::Outbound).unwrap();
        registry.admit(call(2), Direction::Outbound).unwrap();
        let refused = registry.admit(call(3), Direction::Outbound);
        assert_eq!(refused, Err(AdmissionRefused::ReservedForInbound { reserve: 2 }));
        registry.admit(call(4), Direction::Inbound).unwrap();
        registry.admit(call(5), Direction::Inbound).unwrap();
        assert_eq!(registry.admit(call(6), Direction::Inbound), Err(AdmissionRefused::Full { calls_max: 4 }));
        assert!(registry.ended(&call(1)));
        assert!(!registry.ended(&call(1)));
        registry.admit(call(6), Direction::Inbound).unwrap();
    }

    #[test]
    fn a_lower_limit_ends_no_call_and_a_higher_one_lets_in_more() {
        let mut registry = registry(2, 0);
        registry.admit(call(1), Direction::Inbound).unwrap();
        registry.admit(call(2), Direction::Inbound).unwrap();
        registry.limit_calls(1);
        assert_eq!(registry.admit(call(3), Direction::Inbound), Err(AdmissionRefused::Full { calls_max: 1 }));
        assert_eq!(registry.len(), 2);
        registry.limit_calls(3);
        registry.admit(call(3), Direction::Inbound).unwrap();
    }

    #[test]
    fn nothing_comes_in_while_the_engine_stops() {
        let mut registry = registry(4, 0);
        registry.stop_admitting();
        assert_eq!(registry.admit(call(1), Direction::Inbound), Err(AdmissionRefused::Stopping));
    }
}
