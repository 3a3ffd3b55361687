//! Secrets at rest (SPEC L3): `dev-s-t-` and a Fernet token, which Python's `cryptography` reads and writes too.
//!
//! The prefix alone tells a sealed value from a plain one, so that values from before there was a key are read as they
//! are. The newest key seals; older ones only open. A token's own time is never held against it: a clock that was set
//! back must not lock anybody out of their secrets.

use std::fmt;

use fernet::Fernet;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Secret, Timestamp};

/// What every sealed value begins with.
const SEALED_PREFIX: &str = "dev-s-t-";
/// So late that no token comes from its future, and early enough that the crate's sums do not overflow.
const END_OF_TIME_S: u64 = u64::MAX / 2;

/// The keys that seal and open; without any, values stay plain.
#[derive(Clone, Default)]
pub struct Sealing {
    /// Newest first.
    keys: Vec<Fernet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "is no encryption key: it must be 32 bytes in URL-safe base64; `clearline secret generate-key` makes one"
)]
pub struct WrongSealingKey;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CannotOpen {
    #[error("the value is sealed and there is no encryption key; set LIVEKIT_SECRET_ENCRYPTION_KEY")]
    NoKey,
    #[error(
        "no encryption key opens this sealed value: it is damaged, or the key it was sealed with is missing from \
         LIVEKIT_SECRET_ENCRYPTION_KEYS_OLD"
    )]
    NoKeyFits,
    #[error("the sealed value holds no text")]
    NoText,
}

pub fn is_sealed(value: &Secret) -> bool {
    value.expose().starts_with(SEALED_PREFIX)
}

/// Made of 32 bytes of randomness.
pub fn new_sealing_key() -> Secret {
    Secret::new(Fernet::generate_key())
}

impl Sealing {
    /// The first key seals, all of them open.
    pub fn new<'a>(newest_first: impl IntoIterator<Item = &'a Secret>) -> Result<Self, WrongSealingKey> {
        let key = |key: &Secret| Fernet::new(key.expose().trim()).ok_or(WrongSealingKey);
        Ok(Self { keys: newest_first.into_iter().map(key).collect::<Result<_, _>>()? })
    }

    pub fn has_key(&self) -> bool {
        !self.keys.is_empty()
    }

    /// What is sealed already, or cannot be for want of a key, stays as it is.
    pub fn seal(&self, value: &Secret, now: Timestamp) -> Secret {
        let newest = self.keys.first().filter(|_| !is_sealed(value));
        newest.map_or_else(|| value.clone(), |key| sealed_by(key, value, now))
    }

    /// What is plain is given as it is.
    pub fn open(&self, value: &Secret) -> Result<Secret, CannotOpen> {
        let Some(token) = value.expose().strip_prefix(SEALED_PREFIX) else { return Ok(value.clone()) };
        if self.keys.is_empty() {
            return Err(CannotOpen::NoKey);
        }
        let opened = self.keys.iter().find_map(|key| key.decrypt_at_time(token, None, END_OF_TIME_S).ok());
        let text = String::from_utf8(opened.ok_or(CannotOpen::NoKeyFits)?);
        text.map(Secret::new).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            CannotOpen::NoText
        })
    }

    /// What may be shown of a value, sealed or not.
    pub fn hint(&self, value: &Secret) -> String {
        self.open(value).map_or_else(|_| "sealed, no key opens it".to_owned(), |plain| plain.hint())
    }

    /// Sealed with a key that is not the newest, or not sealed at all though it could be.
    pub fn is_behind(&self, value: &Secret) -> bool {
        let Some(newest) = self.keys.first() else { return false };
        let token = value.expose().strip_prefix(SEALED_PREFIX);
        token.is_none_or(|token| newest.decrypt_at_time(token, None, END_OF_TIME_S).is_err())
    }
}

fn sealed_by(key: &Fernet, value: &Secret, now: Timestamp) -> Secret {
    let token = key.encrypt_at_time(value.expose().as_bytes(), now.as_millis() / 1_000);
    Secret::new(format!("{SEALED_PREFIX}{token}"))
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealing({} keys)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Python's `cryptography` 48, dated 2096.
    const PYTHONS_KEY: &str = "c8YuMOv0dWyGAkNkzXCq7JYOtfpUXiVVAxcoDfWnf8o=";
    const PYTHONS_TOKEN: &str = "gAAAAADuaygA2SBewMO0qqXXRnkLc-MKA5dwtrRRh1G96UhRU5D0bg5RTkb2-eTUrS34-v-ZAh5zQqQHZlkXkvToTB6JcGccOuGeVf1ycsscNrdbB09MIGE=";
    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    fn sealing(keys: &[&Secret]) -> Sealing {
        Sealing::new(keys.iter().copied()).unwrap()
    }

    #[test]
    fn l3_a_sealed_value_has_the_prefix_and_opens_to_what_it_was() {
        let sealing = sealing(&[&new_sealing_key()]);
        for text in ["AIza-a-key", "", "pässwörd with blanks ", "\u{1f511}"] {
            let sealed = sealing.seal(&Secret::new(text), NOW);
            assert!(is_sealed(&sealed) && (text.is_empty() || !sealed.expose().contains(text)));
            assert_eq!(sealing.open(&sealed).unwrap().expose(), text);
        }
    }

    #[test]
    fn l3_a_token_of_python_from_the_far_future_is_read_by_a_clock_that_was_set_back() {
        let sealing = sealing(&[&Secret::new(PYTHONS_KEY)]);
        let sealed = Secret::new(format!("{SEALED_PREFIX}{PYTHONS_TOKEN}"));
        assert_eq!(sealing.open(&sealed).unwrap().expose(), "schlüssel-of-ada");
    }

    #[test]
    fn l3_an_old_key_opens_and_the_newest_seals() {
        let (old, new) = (new_sealing_key(), new_sealing_key());
        let before = sealing(&[&old]).seal(&Secret::new("k"), NOW);
        let both = sealing(&[&new, &old]);
        assert_eq!(both.open(&before).unwrap().expose(), "k");
        assert!(both.is_behind(&before) && both.is_behind(&Secret::new("k")));
        let after = both.seal(&Secret::new("k"), NOW);
        assert!(!both.is_behind(&after));
        assert_eq!(sealing(&[&new]).open(&after).unwrap().expose(), "k");
        assert_eq!(sealing(&[&old]).open(&after), Err(CannotOpen::NoKeyFits));
    }

    #[test]
    fn what_is_sealed_is_not_sealed_twice_and_what_is_plain_is_read_as_it_is() {
        let sealing = sealing(&[&new_sealing_key()]);
        let once = sealing.seal(&Secret::new("k"), NOW);
        assert_eq!(sealing.seal(&once, NOW), once);
        assert_eq!(sealing.open(&Secret::new("k")).unwrap().expose(), "k");
    }

    #[test]
    fn without_a_key_values_stay_plain_and_sealed_ones_say_what_is_missing() {
        let none = Sealing::default();
        assert_eq!(none.seal(&Secret::new("k"), NOW), Secret::new("k"));
        let sealed = Secret::new(format!("{SEALED_PREFIX}{PYTHONS_TOKEN}"));
        assert_eq!(none.open(&sealed), Err(CannotOpen::NoKey));
    }

    #[test]
    fn whatever_is_done_to_a_token_it_is_refused() {
        let sealing = sealing(&[&Secret::new(PYTHONS_KEY)]);
        let padding = PYTHONS_TOKEN.len() - PYTHONS_TOKEN.trim_end_matches('=').len();
        for end in 0..PYTHONS_TOKEN.len() - padding {
            let cut = Secret::new(format!("{SEALED_PREFIX}{}", &PYTHONS_TOKEN[..end]));
            assert_eq!(sealing.open(&cut), Err(CannotOpen::NoKeyFits), "cut at {end}");
            let mut bytes = PYTHONS_TOKEN.as_bytes().to_vec();
            bytes[end] = if bytes[end] == b'B' { b'C' } else { b'B' };
            let changed = format!("{SEALED_PREFIX}{}", String::from_utf8(bytes).unwrap());
            assert_eq!(sealing.open(&Secret::new(changed)), Err(CannotOpen::NoKeyFits), "changed at {end}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_and_no_key_is_ever_shown() {
        for wrong in ["", "short", "not base64 at all, but long enough!!!!!!!!!!", &PYTHONS_KEY[1..]] {
            let error = Sealing::new([&Secret::new(wrong)]).unwrap_err().to_string();
            assert!(
                error.contains("generate-key") && (wrong.is_empty() || !error.contains(wrong)),
                "{error}"
            );
        }
        let shown = format!("{:?}", sealing(&[&Secret::new(PYTHONS_KEY)]));
        assert_eq!(shown, "Sealing(1 keys)");
    }
}
