//! One of the CRM's two endpoints: whether it serves, and when it is asked again if it does not.
//!
//! While it is down one attempt at a time goes to it, the probe; what it comes to is said of the endpoint and not of the
//! call that was chosen for it.

use std::time::{Duration, Instant};

use super::Answer;
use crate::domain::Entropy;

/// Before the second attempt; each further pause is twice as long, up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// A CRM that is back is noticed within this time (SPEC U5).
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// A CRM that asks to be left alone is believed for so long at most.
const ASKED_FOR_MAX: Duration = Duration::from_secs(120);
/// So often an endpoint fails before it is said to be in vain.
const IN_VAIN_MIN: u32 = 3;

/// For whoever wants to know how the CRM is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// What its endpoints fail of, while they do.
    pub recordings: Option<String>,
    pub call_data: Option<String>,
}

impl Health {
    pub fn trouble(&self) -> Option<&str> {
        self.call_data.as_deref().or(self.recordings.as_deref())
    }
}

#[derive(Debug, Default)]
pub(super) struct Door {
    down: Option<Down>,
    up_since: Option<Instant>,
    last_served: Option<Instant>,
}

/// What an attempt failed of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure<'a> {
    pub(super) why: &'a str,
    /// The CRM wants to be left alone for so long.
    pub(super) after: Option<Duration>,
    /// There was a CRM that it failed at.
    pub(super) was_reached: bool,
    pub(super) was_probe: bool,
}

#[derive(Debug)]
struct Down {
    since: Instant,
    failures: u32,
    /// The last failures in a row at which the CRM was there.
    in_vain: Option<InVain>,
    probe_at: Instant,
    is_probed: bool,
    why: String,
}

#[derive(Debug, Clone, Copy)]
struct InVain {
    since: Instant,
    times: u32,
}

impl Door {
    pub(super) fn is_up(&self) -> bool {
        self.down.is_none()
    }

    pub(super) fn may_be_probed(&self, now: Instant) -> bool {
        self.down.as_ref().is_some_and(|down| !down.is_probed && down.probe_at <= now)
    }

    /// When it may be probed next; `None`: it is up, or a probe is on its way.
    pub(super) fn next_probe(&self) -> Option<Instant> {
        self.down.as_ref().filter(|down| !down.is_probed).map(|down| down.probe_at)
    }

    pub(super) fn why_down(&self) -> Option<&str> {
        self.down.as_ref().map(|down| down.why.as_str())
    }

    pub(super) fn down_since(&self) -> Option<Instant> {
        self.down.as_ref().map(|down| down.since)
    }

    /// Since when the CRM has been there and has taken nothing here, if that was more than once or twice.
    pub(super) fn in_vain_since(&self) -> Option<Instant> {
        let in_vain = self.down.as_ref()?.in_vain?;
        (in_vain.times >= IN_VAIN_MIN).then_some(in_vain.since)
    }

    /// Since when it has served without a failure, if it has also done so after `moment`.
    pub(super) fn up_since_and_after(&self, moment: Instant) -> Option<Instant> {
        self.up_since.filter(|_| self.last_served.is_some_and(|last| last >= moment))
    }

    pub(super) fn probe_begins(&mut self) {
        if let Some(down) = &mut self.down {
            down.is_probed = true;
        }
    }

    /// The probe told nothing about the endpoint: somebody else may probe at once.
    pub(super) fn probe_came_to_nothing(&mut self, now: Instant) {
        if let Some(down) = &mut self.down {
            down.is_probed = false;
            down.probe_at = now;
        }
    }

    /// It has decided something, if only to refuse it.
    pub(super) fn served(&mut self, now: Instant) {
        self.down = None;
        self.up_since.get_or_insert(now);
        self.last_served = Some(now);
    }

    /// Something was refused for good: here, unless it could not even be sent.
    pub(super) fn refused(&mut self, answer: &Answer, was_probe: bool, now: Instant) {
        match answer {
            Answer::Unsendable(_) if was_probe => self.probe_came_to_nothing(now),
            Answer::Unsendable(_) => {}
            Answer::Http { .. } | Answer::Unreachable(_) | Answer::Broken(_) => self.served(now),
        }
    }

    /// An attempt that began while it was up says nothing new of one that is down.
    pub(super) fn failed(&mut self, failure: Failure<'_>, entropy: &mut Entropy, now: Instant) {
        let Failure { why, after, was_reached, was_probe } = failure;
        self.up_since = None;
        if self.down.is_some() && !was_probe {
            return;
        }
        let before = self.down.as_ref();
        let failures = before.map_or(0, |down| down.failures).saturating_add(1);
        let in_vain = before.and_then(|down| down.in_vain).unwrap_or(InVain { since: now, times: 0 });
        let in_vain = InVain { times: in_vain.times.saturating_add(1), ..in_vain };
        let pause = pause(failures, entropy).max(after.unwrap_or_default().min(ASKED_FOR_MAX));
        self.down = Some(Down {
            since: self.down_since().unwrap_or(now),
            failures,
            in_vain: was_reached.then_some(in_vain),
            probe_at: now + pause,
            is_probed: false,
            why: why.to_owned(),
        });
    }
}

/// Growing, with as much chance in it that those who wait for the same do not come at once.
pub(super) fn pause(failures: u32, entropy: &mut Entropy) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    let longest = PAUSE_FIRST.saturating_mul(1 << doublings).min(PAUSE_MAX);
    let half = longest / 2;
    half + Duration::from_millis(entropy.below(u64::try_from(half.as_millis()).unwrap_or(0) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u5_pauses_grow_are_jittered_and_end_at_twenty_seconds() {
        let mut entropy = Entropy::from_number(1);
        for (failures, longest_ms) in [(1, 500), (2, 1_000), (6, 16_000), (7, 20_000), (u32::MAX, 20_000)] {
            let pauses: Vec<_> = (0..50).map(|_| pause(failures, &mut entropy)).collect();
            let within = Duration::from_millis(longest_ms / 2)..=Duration::from_millis(longest_ms);
            assert!(pauses.iter().all(|pause| within.contains(pause)), "{failures}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{failures}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of a test")]
    fn u5_a_crm_that_asks_for_time_is_given_it() {
        let (mut door, mut entropy, now) = (Door::default(), Entropy::from_number(1), Instant::now());
        let asks_for = |seconds, was_probe| Failure {
            why: "429",
            after: Some(Duration::from_secs(seconds)),
            was_reached: true,
            was_probe,
        };
        door.failed(asks_for(60, false), &mut entropy, now);
        assert_eq!(door.next_probe(), Some(now + Duration::from_secs(60)));
        door.failed(asks_for(86_400, true), &mut entropy, now);
        assert_eq!(door.next_probe(), Some(now + ASKED_FOR_MAX));
    }
}
