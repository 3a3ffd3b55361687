//! Cool-downs of keys the model refused (SPEC K8).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::pool::project_of_key;
use crate::domain::{ProjectId, Secret};

pub const QUOTA_PAUSE_FIRST: Duration = Duration::from_secs(60);
pub const QUOTA_PAUSE_LONGEST: Duration = Duration::from_secs(300);

/// What the model said about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Invalid or revoked: stays out until an operator acts.
    KeyBad,
    /// The project's quota is spent: stays out for a pause that doubles.
    Quota,
}

struct Pause {
    until: Instant,
    length: Duration,
}

/// Quota is the project's, a revoked key is that key's alone. Keys are kept as fingerprints.
#[derive(Default)]
pub(super) struct Health {
    bad_keys: Vec<ProjectId>,
    pauses: HashMap<ProjectId, Pause>,
}

impl Health {
    pub(super) fn failure_of(&self, key: &Secret, project: &ProjectId, now: Instant) -> Option<Failure> {
        if self.bad_keys.contains(&project_of_key(key)) {
            return Some(Failure::KeyBad);
        }
        self.pauses.get(project).filter(|pause| now < pause.until).map(|_| Failure::Quota)
    }

    pub(super) fn report_bad_key(&mut self, key: &Secret) {
        let fingerprint = project_of_key(key);
        if !self.bad_keys.contains(&fingerprint) {
            self.bad_keys.push(fingerprint);
        }
    }

    /// Calls that were under way when the quota ran out report it too; only a failure after the pause doubles it.
    pub(super) fn report_quota(&mut self, project: &ProjectId, now: Instant) {
        let length = match self.pauses.get(project) {
            Some(pause) if now < pause.until => return,
            Some(pause) => (pause.length * 2).min(QUOTA_PAUSE_LONGEST),
            None => QUOTA_PAUSE_FIRST,
        };
        self.pauses.insert(project.clone(), Pause { until: now + length, length });
    }

    /// A success during a pause is an older call's and proves nothing about new ones.
    pub(super) fn report_success(&mut self, project: &ProjectId, now: Instant) {
        if self.pauses.get(project).is_some_and(|pause| now >= pause.until) {
            self.pauses.remove(project);
        }
    }

    /// The operator has looked after this key.
    pub(super) fn clear(&mut self, key: &Secret, project: &ProjectId) {
        let fingerprint = project_of_key(key);
        self.bad_keys.retain(|bad| *bad != fingerprint);
        self.pauses.remove(project);
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some origin of time")]
mod tests {
    use super::*;

    #[test]
    fn k8_the_quota_pause_doubles_up_to_five_minutes_and_a_success_ends_it() {
        let (mut health, project, key) = (Health::default(), ProjectId::new("p"), Secret::new("k"));
        let mut now = Instant::now();
        for seconds in [60, 120, 240, 300, 300] {
            health.report_quota(&project, now);
            let last = now + Duration::from_secs(seconds - 1);
            assert_eq!(health.failure_of(&key, &project, last), Some(Failure::Quota));
            now += Duration::from_secs(seconds);
            assert_eq!(health.failure_of(&key, &project, now), None);
        }
        health.report_success(&project, now);
        health.report_quota(&project, now);
        assert_eq!(health.failure_of(&key, &project, now + QUOTA_PAUSE_FIRST), None);
    }

    #[test]
    fn k8_several_calls_that_hit_the_same_quota_count_once() {
        let (mut health, project, now) = (Health::default(), ProjectId::new("p"), Instant::now());
        for _ in 0..5 {
            health.report_quota(&project, now);
        }
        assert_eq!(health.failure_of(&Secret::new("k"), &project, now + QUOTA_PAUSE_FIRST), None);
    }

    #[test]
    fn k11_a_revoked_key_does_not_harm_another_key_of_its_project() {
        let (mut health, project, now) = (Health::default(), ProjectId::new("p"), Instant::now());
        let (bad, good) = (Secret::new("bad"), Secret::new("good"));
        health.report_bad_key(&bad);
        let much_later = now + Duration::from_secs(86_400);
        assert_eq!(health.failure_of(&bad, &project, much_later), Some(Failure::KeyBad));
        assert_eq!(health.failure_of(&good, &project, much_later), None);
        health.clear(&bad, &project);
        assert_eq!(health.failure_of(&bad, &project, much_later), None);
    }
}
