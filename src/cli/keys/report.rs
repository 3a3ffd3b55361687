//! What `clearline keys` prints: for a person, and as a document for a script.

use std::fmt;

use serde::Serialize;

use crate::keys::NoKeyToGive;
use crate::store::{KeyLine, KeyReport, KeyState};

/// For a person before a screen.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Shown(pub(super) KeyReport);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(KeyReport { keys, outside_the_pool, without_key, unopened }) = self;
        match (keys.as_slice(), outside_the_pool.as_slice()) {
            ([], []) => writeln!(f, "{}", NoKeyToGive::Empty)?,
            // They were given out by an engine with other settings than this command has.
            ([], _) => writeln!(
                f,
                "the settings of this command name no key, and users hold some; give it those of the engine \
                 (--config, --env-file, GOOGLE_API_KEY, …) before you change anything"
            )?,
            (_, _) => {}
        }
        for line in keys {
            let shared = if line.shares_project { "  (project shared with another key)" } else { "" };
            let users = if line.users.is_empty() { "nobody".to_owned() } else { line.users.join(", ") };
            writeln!(f, "{:<14} {:>3}  {users}{shared}{}", line.key, line.users.len(), trouble(line))?;
        }
        for name in outside_the_pool {
            writeln!(
                f,
                "{name} has a key that is not in the pool; `clearline keys reassign {name:?}` gives another"
            )?;
        }
        for name in unopened {
            writeln!(
                f,
                "the key of {name} cannot be opened: it was sealed with another LIVEKIT_SECRET_ENCRYPTION_KEY; set that \
                 one, or `clearline keys reassign {name:?}` gives a new key"
            )?;
        }
        match without_key.as_slice() {
            [] if !unopened.is_empty() => write!(f, "every admin and agent has a key, but see above"),
            [] => write!(f, "every admin and agent has a key"),
            names if keys.is_empty() => write!(f, "without a key: {}", names.join(", ")),
            names if keys.iter().all(|line| !matches!(line.health, KeyState::Ok)) => {
                write!(f, "without a key: {}; {}", names.join(", "), NoKeyToGive::Refused)
            }
            names => write!(f, "without a key: {}; `clearline keys assign` gives them one", names.join(", ")),
        }
    }
}

/// What the model thinks of a key, where it is not well (SPEC K8).
fn trouble(line: &KeyLine) -> String {
    let since = line.since.map(|since| since.to_string()).unwrap_or_default();
    let until = line.until.map(|until| until.to_string()).unwrap_or_default();
    match line.health {
        KeyState::Ok => String::new(),
        KeyState::KeyBad => format!(
            "  (refused by the model since {since}; once it is mended: `clearline keys heal {:?}`)",
            line.key
        ),
        KeyState::Quota => format!("  (its project's quota is spent; not used until {until})"),
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
