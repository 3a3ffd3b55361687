//! A value that must never be seen: masked whenever it is printed, wiped when dropped.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A key, password or token. `Debug` and `Display` show only [`Secret::hint`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(Zeroizing<String>);

/// Shorter secrets show their last two characters only.
const LENGTH_FOR_LONG_HINT: usize = 16;

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself. Call it only where the secret is put on the wire or into the store.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// First six characters … last four; of a short secret the last two only.
    pub fn hint(&self) -> String {
        let characters: Vec<char> = self.0.chars().collect();
        let tail =
            |count: usize| characters.iter().skip(characters.len().saturating_sub(count)).collect::<String>();
        if characters.len() < LENGTH_FOR_LONG_HINT {
            return format!("…{}", tail(2));
        }
        format!("{}…{}", characters.iter().take(6).collect::<String>(), tail(4))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.hint())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_a_secret_shows_only_its_hint() {
        let key = Secret::new("AIzaSyA-very-long-key-9876");
        assert_eq!(format!("{key} {key:?}"), "AIzaSy…9876 Secret(AIzaSy…9876)");
    }

    #[test]
    fn a_short_secret_shows_two_characters() {
        assert_eq!(Secret::new("hunter2").hint(), "…r2");
        assert_eq!(Secret::new("").hint(), "…");
    }
}
