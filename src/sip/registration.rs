//! When to REGISTER (RFC 3261 §10.2): first, again before it runs out, again after a failure, and out at the end.
//!
//! | phase | timer | success | failure | too brief (423) |
//! |---|---|---|---|---|
//! | Due | → Trying, send | | | |
//! | Trying | | → Registered | → Due after a growing pause | send again with the longer time |
//! | Registered | refresh → Trying, send | | | |
//! | Leaving | | → Left | → Left | → Left |

use std::time::{Duration, Instant};

use crate::domain::Entropy;

/// The first pause after a failure; it doubles with each further one.
const FIRST_RETRY_PAUSE: Duration = Duration::from_secs(4);
/// No registrar is asked less often than this while it fails.
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(300);
/// A registrar that wants longer registrations than this gets none.
const MAX_EXPIRES: Duration = Duration::from_secs(86_400);
/// A registrar that grants less would be asked all the time.
const MIN_REFRESH_PAUSE: Duration = Duration::from_secs(5);

/// How a gateway's registration stands, for whoever watches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationState {
    Registering,
    Registered,
    Failed(RegistrationFailure),
    Unregistered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationFailure {
    NoAnswer,
    WrongPassword,
    Refused { status: u16 },
}

#[derive(Debug)]
pub struct Registration {
    expires: Duration,
    phase: Phase,
    failures: u32,
    state: RegistrationState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Due { at: Instant },
    Trying,
    Registered { refresh_at: Instant },
    Leaving,
    Left,
}

impl Registration {
    pub fn start(expires: Duration, now: Instant) -> Self {
        let phase = Phase::Due { at: now };
        Self { expires, phase, failures: 0, state: RegistrationState::Registering }
    }

    /// The time to ask for when a REGISTER is to leave now.
    pub fn on_timeout(&mut self, now: Instant) -> Option<Duration> {
        match self.phase {
            Phase::Due { at } | Phase::Registered { refresh_at: at } if now >= at => {
                self.phase = Phase::Trying;
                Some(self.expires)
            }
            Phase::Due { .. } | Phase::Registered { .. } | Phase::Trying | Phase::Leaving | Phase::Left => {
                None
            }
        }
    }

    /// The registrar keeps us for `granted`; the refresh comes at 80 to 90 % of it.
    pub fn on_success(&mut self, granted: Duration, now: Instant, entropy: &mut Entropy) {
        if self.phase != Phase::Trying {
            return self.on_left();
        }
        let share = 80 + entropy.below(11) as u32;
        let refresh_at = now + (granted * share / 100).max(MIN_REFRESH_PAUSE);
        self.phase = Phase::Registered { refresh_at };
        self.failures = 0;
        self.state = RegistrationState::Registered;
    }

    pub fn on_failure(&mut self, failure: RegistrationFailure, now: Instant, entropy: &mut Entropy) {
        if self.phase != Phase::Trying {
            return self.on_left();
        }
        self.phase = Phase::Due { at: now + retry_pause(self.failures, entropy) };
        self.failures = self.failures.saturating_add(1);
        self.state = RegistrationState::Failed(failure);
    }

    /// A 423 with its Min-Expires: the time to ask for at once, if that is longer than what was asked and sane.
    pub fn on_too_brief(&mut self, min_expires: Duration) -> Option<Duration> {
        let is_sane = min_expires > self.expires && min_expires <= MAX_EXPIRES;
        if self.phase != Phase::Trying || !is_sane {
            return None;
        }
        self.expires = min_expires;
        Some(min_expires)
    }

    /// The engine stops. Whether a REGISTER with no time is to leave: only where the registrar may know us.
    pub fn leave(&mut self) -> bool {
        let may_be_known = matches!(self.phase, Phase::Registered { .. } | Phase::Trying)
            || self.state == RegistrationState::Registered;
        self.phase = if may_be_known { Phase::Leaving } else { Phase::Left };
        if !may_be_known {
            self.state = RegistrationState::Unregistered;
        }
        may_be_known
    }

    pub fn state(&self) -> RegistrationState {
        self.state
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Due { at } | Phase::Registered { refresh_at: at } => Some(at),
            Phase::Trying | Phase::Leaving | Phase::Left => None,
        }
    }

    fn on_left(&mut self) {
        if self.phase == Phase::Leaving {
            self.phase = Phase::Left;
            self.state = RegistrationState::Unregistered;
        }
    }
}

/// Doubling up to the bound, between half and all of it, so that many engines do not come back as one.
fn retry_pause(failures: u32, entropy: &mut Entropy) -> Duration {
    let pause = FIRST_RETRY_PAUSE.saturating_mul(1 << failures.min(16)).min(MAX_RETRY_PAUSE);
    let half = pause / 2;
    half + Duration::from_millis(entropy.below(half.as_millis() as u64 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[expect(clippy::disallowed_methods, reason = "one origin; all other times are computed from it")]
    fn trying() -> (Registration, Instant, Entropy) {
        let now = Instant::now();
        let mut registration = Registration::start(HOUR, now);
        assert_eq!(registration.on_timeout(now), Some(HOUR));
        (registration, now, Entropy::from_number(7))
    }

    #[test]
    fn a_registration_is_refreshed_well_before_it_runs_out() {
        let (mut registration, now, mut entropy) = trying();
        registration.on_success(Duration::from_secs(100), now, &mut entropy);
        let refresh = registration.next_timeout().unwrap() - now;
        assert!((80..=90).contains(&refresh.as_secs()), "{refresh:?}");
        assert_eq!(registration.on_timeout(now + refresh), Some(HOUR));
    }

    #[test]
    fn pauses_after_failures_grow_to_a_bound() {
        let (mut registration, mut now, mut entropy) = trying();
        let mut pauses = Vec::new();
        for _ in 0..20 {
            registration.on_failure(RegistrationFailure::NoAnswer, now, &mut entropy);
            let at = registration.next_timeout().unwrap();
            pauses.push(at - now);
            now = at;
            assert!(registration.on_timeout(now).is_some());
        }
        assert!(pauses[0] >= FIRST_RETRY_PAUSE / 2 && pauses[0] <= FIRST_RETRY_PAUSE);
        assert!(pauses.iter().all(|pause| *pause <= MAX_RETRY_PAUSE));
        assert!(pauses[19] >= MAX_RETRY_PAUSE / 2);
    }

    #[test]
    fn a_registrar_that_wants_longer_gets_it_once() {
        let (mut registration, ..) = trying();
        assert_eq!(registration.on_too_brief(2 * HOUR), Some(2 * HOUR));
        assert_eq!(registration.on_too_brief(2 * HOUR), None);
        assert_eq!(registration.on_too_brief(100 * HOUR), None);
    }

    #[test]
    fn leaving_tells_only_a_registrar_that_may_know_us() {
        let (mut registration, now, mut entropy) = trying();
        registration.on_success(HOUR, now, &mut entropy);
        assert!(registration.leave());
        registration.on_success(Duration::ZERO, now, &mut entropy);
        assert_eq!(
            (registration.state(), registration.next_timeout()),
            (RegistrationState::Unregistered, None)
        );
        assert!(!Registration::start(HOUR, now).leave());
    }
}
