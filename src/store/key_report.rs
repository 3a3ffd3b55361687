//! Which user holds which Google key, as people are told it: on the command line and over HTTP.

use std::collections::HashMap;

use serde::Serialize;

use super::KeyAssignment;
use crate::domain::{ProjectId, Secret, Timestamp, User};
use crate::keys::{Failure, KeyPool, KeyTrouble, Troubles};

/// SPEC K9: users per key, keys nobody holds with 0, and what an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    pub keys: Vec<KeyLine>,
    /// Users whose key is not in the pool any more: used while the model accepts it.
    pub outside_the_pool: Vec<String>,
    pub without_key: Vec<String>,
    /// Users whose key was sealed with another encryption key than the settings have: their calls have the default key.
    pub unopened: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyLine {
    /// Its hint, never whole.
    pub key: String,
    pub project: ProjectId,
    pub users: Vec<String>,
    /// Other keys of the pool that Google counts together with this one (SPEC K11).
    pub shares_project: bool,
    pub health: KeyState,
    /// Since when, and until when, the key is not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What the model thinks of a key (SPEC K8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Ok,
    KeyBad,
    Quota,
}

impl KeyReport {
    pub fn of(assignment: &KeyAssignment, pool: &KeyPool, users: &[User], troubles: &Troubles) -> Self {
        let names = |chosen: &dyn Fn(&User) -> bool| -> Vec<String> {
            users.iter().filter(|user| chosen(user)).map(|user| user.name.clone()).collect()
        };
        let known: Vec<_> = pool.keys().iter().map(|entry| assignment.fingerprints.of(&entry.key)).collect();
        // Each key is opened once, not once for every key of the pool.
        let held: HashMap<_, _> =
            users.iter().filter_map(|user| Some((&user.id, assignment.fingerprint_of(user)?))).collect();
        let keys = pool.keys().iter().zip(&known).map(|(entry, fingerprint)| {
            let trouble = troubles.of(entry, &assignment.fingerprints);
            KeyLine {
                key: entry.key.hint(),
                project: entry.project.clone(),
                users: names(&|user| held.get(&user.id) == Some(fingerprint)),
                shares_project: pool.keys().iter().filter(|other| other.project == entry.project).count() > 1,
                health: KeyState::of(trouble),
                since: trouble.map(|trouble| trouble.since),
                until: trouble.and_then(|trouble| trouble.until),
            }
        });
        let outside = |user: &User| held.get(&user.id).is_some_and(|held| !known.contains(held));
        let cannot_be_opened = |key: &Secret| assignment.sealing.open(key).is_err();
        let unopened = |user: &User| user.google_api_key.as_ref().is_some_and(cannot_be_opened);
        Self {
            keys: keys.collect(),
            outside_the_pool: names(&outside),
            without_key: names(&|user| user.may_own_calls() && user.google_api_key.is_none()),
            unopened: names(&unopened),
        }
    }
}

impl KeyState {
    fn of(trouble: Option<&KeyTrouble>) -> Self {
        match trouble.map(|trouble| trouble.failure) {
            None => Self::Ok,
            Some(Failure::KeyBad) => Self::KeyBad,
            Some(Failure::Quota) => Self::Quota,
        }
    }
}
