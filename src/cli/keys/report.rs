//! What `clearline keys` prints: for a person, and as a document for a script.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::domain::{ProjectId, Timestamp, User};
use crate::keys::{Failure, KeyPool, KeyTrouble, Troubles};
use crate::store::KeyAssignment;

/// SPEC K9: users per key, keys nobody holds with 0, and what an operator should look at.
#[derive(Serialize)]
pub(super) struct Report {
    keys: Vec<KeyLine>,
    /// Users whose key is not in the pool any more: used while the model accepts it.
    outside_the_pool: Vec<String>,
    without_key: Vec<String>,
}

#[derive(Serialize)]
struct KeyLine {
    key: String,
    project: ProjectId,
    users: Vec<String>,
    /// Other keys of the pool that Google counts together with this one (SPEC K11).
    shares_project: bool,
    health: KeyState,
    /// Since when, and until when, the key is not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

/// What the model thinks of a key (SPEC K8).
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum KeyState {
    Ok,
    KeyBad,
    Quota,
}

impl Report {
    pub(super) fn of(
        assignment: &KeyAssignment,
        pool: &KeyPool,
        users: &[User],
        troubles: &Troubles,
    ) -> Self {
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
        let outside = |user: &User| {
            user.google_api_key.is_some() && held.get(&user.id).is_none_or(|held| !known.contains(held))
        };
        Self {
            keys: keys.collect(),
            outside_the_pool: names(&outside),
            without_key: names(&|user| user.may_own_calls() && user.google_api_key.is_none()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keys.is_empty() {
            writeln!(f, "the pool has no keys; set GOOGLE_API_KEY, GOOGLE_API_KEY_2, …")?;
        }
        for line in &self.keys {
            let shared = if line.shares_project { "  (project shared with another key)" } else { "" };
            let users = if line.users.is_empty() { "nobody".to_owned() } else { line.users.join(", ") };
            writeln!(f, "{:<14} {:>3}  {users}{shared}{}", line.key, line.users.len(), line.trouble())?;
        }
        for name in &self.outside_the_pool {
            writeln!(
                f,
                "{name} has a key that is not in the pool; `clearline keys reassign {name:?}` gives another"
            )?;
        }
        match self.without_key.as_slice() {
            [] => write!(f, "every admin and agent has a key"),
            names => write!(f, "without a key: {}; `clearline keys assign` gives them one", names.join(", ")),
        }
    }
}

impl KeyLine {
    fn trouble(&self) -> String {
        let since = self.since.map(|since| since.to_string()).unwrap_or_default();
        let until = self.until.map(|until| until.to_string()).unwrap_or_default();
        match self.health {
            KeyState::Ok => String::new(),
            KeyState::KeyBad => format!(
                "  (refused by the model since {since}; once it is mended: `clearline keys heal {:?}`)",
                self.key
            ),
            KeyState::Quota => format!("  (its project's quota is spent; not used until {until})"),
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

#[derive(Serialize)]
pub(super) struct SealReport {
    pub(super) sealed: usize,
    pub(super) unreadable: Vec<Unreadable>,
}

#[derive(Serialize)]
pub(super) struct Unreadable {
    pub(super) user: String,
    pub(super) why: String,
}

impl fmt::Display for SealReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Unreadable { user, why } in &self.unreadable {
            writeln!(f, "the key of {user} was left as it is: {why}")?;
        }
        write!(f, "stored keys that were sealed: {}", self.sealed)
    }
}
