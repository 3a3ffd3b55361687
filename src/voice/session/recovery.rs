//! Whether and when a lost connection is tried again, and with what. The caller will not wait long, so there is a
//! budget of silence; and since some sessions die again each time they are restored, health is believed only after
//! a stable while *and* a completed turn (reference §11).

use std::time::{Duration, Instant};

use crate::domain::Entropy;
use crate::voice::config::ResumeHandle;
use crate::voice::failure::{FailureClass, Phase, Verdict};

pub(super) struct Recovery {
    pub(super) handle: Option<ResumeHandle>,
    budget: Duration,
    entropy: Entropy,
    /// Silence since the last time that all was well, the current outage not counted.
    spent: Duration,
    outage_since: Option<Instant>,
    attempts: usize,
    short_resumes: u32,
    poisonings: u32,
    suspicions: u32,
}

/// What became of the connection that was lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) phase: Phase,
    pub(super) resumed: bool,
    /// It was stable for a while and completed a turn.
    pub(super) healthy: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    ConnectAt(Instant),
    GiveUp(FailureClass),
}

/// Pauses before the second, third … attempt; the first follows at once.
const BACK_OFF_MS: [u64; 5] = [0, 250, 500, 1_000, 2_000];
/// Pauses vary by a quarter either way, so that calls cut together do not return together.
const JITTER_PERCENT: u64 = 25;
const MAX_SHORT_RESUMES: u32 = 2;
const MAX_POISONINGS: u32 = 1;
const MAX_SUSPICIONS: u32 = 1;

impl Recovery {
    pub(super) fn new(handle: Option<ResumeHandle>, budget: Duration, entropy: Entropy) -> Self {
        Self {
            handle,
            budget,
            entropy,
            spent: Duration::ZERO,
            outage_since: None,
            attempts: 0,
            short_resumes: 0,
            poisonings: 0,
            suspicions: 0,
        }
    }

    pub(super) fn outage_begins(&mut self, now: Instant) {
        self.outage_since.get_or_insert(now);
    }

    pub(super) fn outage_ends(&mut self, now: Instant) {
        if let Some(since) = self.outage_since.take() {
            self.spent += now.saturating_duration_since(since);
        }
    }

    /// The end of the caller's patience with the current outage.
    pub(super) fn budget_ends(&self, now: Instant) -> Instant {
        self.outage_since.unwrap_or(now) + self.budget.saturating_sub(self.spent)
    }

    pub(super) fn lost(&mut self, verdict: Verdict, life: Life, now: Instant) -> Decision {
        if life.healthy {
            self.forgive();
        }
        let class = self.judge(verdict, life);
        if !matches!(class, FailureClass::Transient | FailureClass::Poison) || self.is_hopeless() {
            return Decision::GiveUp(class);
        }
        self.outage_begins(now);
        let at = now + self.pause();
        if at >= self.budget_ends(now) { Decision::GiveUp(class) } else { Decision::ConnectAt(at) }
    }

    pub(super) fn forgive(&mut self) {
        self.spent = Duration::ZERO;
        self.outage_since = None;
        self.attempts = 0;
        self.short_resumes = 0;
        self.poisonings = 0;
        self.suspicions = 0;
    }

    /// Decides on the handle and whose fault the loss is in the light of what happened before.
    fn judge(&mut self, verdict: Verdict, life: Life) -> FailureClass {
        let mut class = verdict.class;
        let mut drop_handle = verdict.drop_handle;
        if life.resumed && life.phase == Phase::Setup && class == FailureClass::Config {
            // The same settings worked when the handle was made: the handle is what is refused.
            (class, drop_handle) = (FailureClass::Transient, true);
        }
        if verdict.poison_if_repeated {
            self.suspicions += 1;
            if self.suspicions > MAX_SUSPICIONS {
                class = FailureClass::Poison;
            }
        }
        if class == FailureClass::Poison {
            self.poisonings += 1;
        }
        if drop_handle || class == FailureClass::Poison || self.keeps_dying(life) {
            self.handle = None;
        }
        class
    }

    fn is_hopeless(&self) -> bool {
        self.poisonings > MAX_POISONINGS
    }

    fn keeps_dying(&mut self, life: Life) -> bool {
        if life.resumed && !life.healthy && life.phase != Phase::Upgrade {
            self.short_resumes += 1;
        }
        self.short_resumes >= MAX_SHORT_RESUMES
    }

    fn pause(&mut self) -> Duration {
        let base_ms = BACK_OFF_MS.get(self.attempts).or(BACK_OFF_MS.last()).copied().unwrap_or_default();
        self.attempts += 1;
        let percent = 100 - JITTER_PERCENT + self.entropy.below(2 * JITTER_PERCENT + 1);
        Duration::from_millis(base_ms * percent / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::origin;

    const SETUP: Life = Life { phase: Phase::Setup, resumed: true, healthy: false };

    fn recovery() -> Recovery {
        let handle = ResumeHandle { handle: "h".into(), model: "m".into() };
        Recovery::new(Some(handle), Duration::from_secs(12), Entropy::from_number(1))
    }

    #[test]
    fn pauses_grow_with_jitter_until_the_budget_is_spent() {
        let (mut recovery, start) = (recovery(), origin());
        let life = Life { phase: Phase::Upgrade, resumed: false, healthy: false };
        let (mut now, mut pauses_ms) = (start, Vec::new());
        while let Decision::ConnectAt(at) = recovery.lost(FailureClass::Transient.into(), life, now) {
            pauses_ms.push((at - now).as_millis());
            now = at;
        }
        assert_eq!(pauses_ms[0], 0);
        for (pause, base) in pauses_ms.iter().zip([0, 250, 500, 1_000, 2_000, 2_000]) {
            assert!(*pause >= base * 3 / 4 && *pause <= base * 5 / 4, "{pauses_ms:?}");
        }
        assert!(
            now - start < Duration::from_secs(12) && now - start > Duration::from_secs(8),
            "{pauses_ms:?}"
        );
    }

    #[test]
    fn a_setting_refused_while_resuming_is_blamed_on_the_handle() {
        let mut recovery = recovery();
        let now = origin();
        assert_eq!(recovery.lost(FailureClass::Config.into(), SETUP, now), Decision::ConnectAt(now));
        assert!(recovery.handle.is_none());
        let fresh = Life { resumed: false, ..SETUP };
        assert_eq!(
            recovery.lost(FailureClass::Config.into(), fresh, now),
            Decision::GiveUp(FailureClass::Config)
        );
    }

    #[test]
    fn a_second_poisoning_in_a_row_gives_up_but_a_healthy_while_forgives_the_first() {
        let live = Life { phase: Phase::Live, resumed: false, healthy: false };
        let now = origin();
        let mut patient = recovery();
        for healthy in [false, true, true] {
            let decision = patient.lost(FailureClass::Poison.into(), Life { healthy, ..live }, now);
            assert!(matches!(decision, Decision::ConnectAt(_)), "{decision:?}");
        }
        let decision = patient.lost(FailureClass::Poison.into(), live, now);
        assert_eq!(decision, Decision::GiveUp(FailureClass::Poison));
    }

    #[test]
    fn silence_in_short_outages_adds_up() {
        let (mut recovery, mut now) = (recovery(), origin());
        let live = Life { phase: Phase::Live, resumed: false, healthy: false };
        let mut outages = 0;
        while let Decision::ConnectAt(_) = recovery.lost(FailureClass::Transient.into(), live, now) {
            now += Duration::from_secs(5);
            recovery.outage_ends(now);
            outages += 1;
        }
        assert_eq!(outages, 3, "twelve seconds hold two outages of five and begin a third");
    }
}
