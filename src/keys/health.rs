//! Keys that the model refused, and until when (SPEC K8, K11).
//!
//! Quota is the project's, a revoked key is that key's alone; both go by their fingerprints. What one engine hears from
//! the model it writes into the store, and what others wrote it reads ([`Health::learn`]). A pause is stored by the wall
//! clock, and lasts no longer than its length from when this engine first heard of it: a clock that was set back keeps
//! nobody out for a day.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprints;
use super::pool::PoolKey;
use crate::domain::{KeyFingerprint, ProjectId, Secret, Timestamp};

pub const QUOTA_PAUSE_FIRST: Duration = Duration::from_secs(60);
pub const QUOTA_PAUSE_LONGEST: Duration = Duration::from_secs(300);
/// A quota that is spent again later than this after its last pause begins with the first pause again.
pub const QUOTA_FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

/// What the model said about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Invalid or revoked: stays out until an operator acts.
    KeyBad,
    /// The project's quota is spent: stays out for a pause that doubles.
    Quota,
}

/// Why a key, or all keys of a project, are not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTrouble {
    /// Of the key, or of the project.
    pub fingerprint: KeyFingerprint,
    pub failure: Failure,
    pub since: Timestamp,
    /// `None`: until an operator acts.
    pub until: Option<Timestamp>,
}

impl KeyTrouble {
    fn length(&self) -> Duration {
        self.until.map_or(Duration::ZERO, |until| between(self.since, until))
    }

    pub fn is_over(&self, wall: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= wall)
    }

    /// It does not even lengthen the next pause any more.
    pub fn is_forgotten(&self, wall: Timestamp) -> bool {
        self.until.is_some_and(|until| until.after(QUOTA_FORGOTTEN_AFTER) <= wall)
    }

    /// Several calls, on several engines, meet the same trouble: the first one to write it down is right, until it is
    /// over. Where it seems to last longer than it can, the clock was set back.
    pub fn gives_way_to(&self, newer: &Self, wall: Timestamp) -> bool {
        let set_back = self.until.is_some_and(|until| between(wall, until) > self.length());
        self.failure != newer.failure || self.is_over(wall) || set_back
    }
}

fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::from_millis(later.as_millis().saturating_sub(earlier.as_millis()))
}

/// The troubles of one moment, for whoever gives keys to users or shows them.
#[derive(Debug, Default)]
pub struct Troubles {
    current: HashMap<KeyFingerprint, KeyTrouble>,
}

impl Troubles {
    pub fn at(wall: Timestamp, all: impl IntoIterator<Item = KeyTrouble>) -> Self {
        let current = all.into_iter().filter(|trouble| !trouble.is_over(wall));
        Self { current: current.map(|trouble| (trouble.fingerprint.clone(), trouble)).collect() }
    }

    pub fn of(&self, entry: &PoolKey, fingerprints: &Fingerprints) -> Option<&KeyTrouble> {
        let of_key = self.current.get(&fingerprints.of(&entry.key));
        of_key.or_else(|| self.current.get(&fingerprints.of_project(&entry.project)))
    }
}

/// Bounded by the keys and projects that were ever used.
pub(super) struct Health {
    fingerprints: Fingerprints,
    known: HashMap<KeyFingerprint, Known>,
    readings: u64,
}

struct Known {
    trouble: KeyTrouble,
    /// `None`: until an operator acts.
    until: Option<Instant>,
    standing: Standing,
}

#[derive(PartialEq, Eq)]
enum Standing {
    /// Only this engine knows.
    Unsaved,
    /// In the store. Only a reading that began later than this one can tell that it was taken away.
    SavedDuring(u64),
}

impl Health {
    pub(super) fn new(fingerprints: Fingerprints) -> Self {
        Self { fingerprints, known: HashMap::new(), readings: 0 }
    }

    pub(super) fn failure_of(&self, key: &Secret, project: &ProjectId, now: Instant) -> Option<Failure> {
        let lasts = |known: &&Known| known.until.is_none_or(|until| now < until);
        let find = |fingerprint| self.known.get(&fingerprint).filter(lasts);
        let found = find(self.fingerprints.of(key)).or_else(|| find(self.fingerprints.of_project(project)));
        found.map(|known| known.trouble.failure)
    }

    /// Calls that were under way when the quota ran out report it too; only a failure after the pause doubles it.
    pub(super) fn report(
        &mut self,
        key: &Secret,
        project: &ProjectId,
        failure: Failure,
        now: Instant,
        wall: Timestamp,
    ) {
        let fingerprint = match failure {
            Failure::KeyBad => self.fingerprints.of(key),
            Failure::Quota => self.fingerprints.of_project(project),
        };
        let before = self.known.get(&fingerprint);
        if before.is_some_and(|known| known.until.is_none_or(|until| now < until)) {
            return;
        }
        let length = (failure == Failure::Quota).then(|| next_pause(before, now));
        let trouble = KeyTrouble {
            fingerprint: fingerprint.clone(),
            failure,
            since: wall,
            until: length.map(|length| wall.after(length)),
        };
        let until = length.map(|length| now + length);
        self.known.insert(fingerprint, Known { trouble, until, standing: Standing::Unsaved });
    }

    /// What the store does not know yet, as often as it takes.
    pub(super) fn unsaved(&self) -> Vec<KeyTrouble> {
        let unsaved = self.known.values().filter(|known| known.standing == Standing::Unsaved);
        unsaved.map(|known| known.trouble.clone()).collect()
    }

    pub(super) fn saved(&mut self, trouble: &KeyTrouble) {
        if let Some(known) =
            self.known.get_mut(&trouble.fingerprint).filter(|known| known.trouble == *trouble)
        {
            known.standing = Standing::SavedDuring(self.readings);
        }
    }

    pub(super) fn begin_reading(&mut self) -> u64 {
        self.readings += 1;
        self.readings
    }

    /// What the store holds: what is not there any more is over, because an operator has mended it.
    pub(super) fn learn(&mut self, reading: u64, stored: Vec<KeyTrouble>, now: Instant, wall: Timestamp) {
        self.known.retain(|fingerprint, known| {
            let may_be_missing = match known.standing {
                Standing::Unsaved => true,
                Standing::SavedDuring(saved) => saved >= reading,
            };
            may_be_missing || stored.iter().any(|trouble| trouble.fingerprint == *fingerprint)
        });
        for trouble in stored {
            let is_known = self.known.get(&trouble.fingerprint).is_some_and(|known| known.trouble == trouble);
            if !is_known {
                let left = trouble.until.map(|until| between(wall, until).min(trouble.length()));
                let until = left.map(|left| now + left);
                let fingerprint = trouble.fingerprint.clone();
                self.known
                    .insert(fingerprint, Known { trouble, until, standing: Standing::SavedDuring(reading) });
            }
        }
    }
}

fn next_pause(before: Option<&Known>, now: Instant) -> Duration {
    let remembered =
        before.filter(|known| known.until.is_some_and(|until| now < until + QUOTA_FORGOTTEN_AFTER));
    remembered.map_or(QUOTA_PAUSE_FIRST, |known| (known.trouble.length() * 2).min(QUOTA_PAUSE_LONGEST))
}

#[cfg(test)]
mod tests;
