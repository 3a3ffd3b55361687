//! Passwords as Argon2id hashes in their usual text form, which carries salt and parameters.
//!
//! The cost is OWASP's smallest recommended one: 19 MiB and two passes, some 20 ms of a core. The next step up (64 MiB)
//! would buy little against theft of the store and cost every log-in of an engine that has calls to serve. Hashes with
//! other parameters are accepted and said to be [`Checked::RightButOld`]; absurd ones are not computed at all, because
//! whoever can write to the store must not be able to exhaust memory.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use thiserror::Error;

use crate::domain::Secret;

pub const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const HASH_BYTES: usize = 32;
pub const SALT_BYTES: usize = 16;

/// The most that a stored hash may ask for.
const STORED_MEMORY_KIB_MAX: u32 = 131_072;
const STORED_PASSES_MAX: u32 = 10;

pub const MIN_CHARS: usize = 12;
/// More would only be a means to keep us busy.
pub const MAX_BYTES: usize = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unfit {
    #[error("a password has at least {MIN_CHARS} characters")]
    TooShort,
    #[error("a password has at most {MAX_BYTES} bytes")]
    TooLong,
    #[error("a password is not the user's name")]
    IsTheName,
    #[error("the new password is the old one")]
    IsTheOldOne,
    #[error("a password has no line breaks or other control characters")]
    ControlCharacters,
}

/// The store holds something that is no Argon2 hash, or one nobody should compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the stored password hash cannot be used; give this user a new password")]
pub struct BadHash;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    Wrong,
    Right,
    /// Made with other parameters than today's: hash it again while it is known.
    RightButOld,
}

/// Length is what counts; rules about signs and digits only make people write passwords down.
pub fn fit(password: &Secret, user_name: &str) -> Result<(), Unfit> {
    let text = password.expose();
    if text.len() > MAX_BYTES {
        return Err(Unfit::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(Unfit::ControlCharacters);
    }
    if text.to_lowercase() == user_name.to_lowercase() {
        return Err(Unfit::IsTheName);
    }
    if text.chars().count() < MIN_CHARS { Err(Unfit::TooShort) } else { Ok(()) }
}

/// Takes tens of milliseconds and [`MEMORY_KIB`].
pub fn hash(password: &Secret, salt: &[u8; SALT_BYTES]) -> Secret {
    let salt = SaltString::encode_b64(salt).expect("sixteen bytes are a salt");
    let hashed = todays_hasher().hash_password(password.expose().as_bytes(), &salt);
    Secret::new(hashed.expect("length and parameters are within Argon2's bounds").to_string())
}

/// What the password of somebody who has none is checked against, so that it takes as long. Nothing fits it: who finds
/// a password with this hash has broken Argon2.
pub fn decoy() -> Secret {
    const SALT: &str = "Y2xlYXJsaW5lLWRlY295IQ";
    const NOBODYS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    Secret::new(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${SALT}${NOBODYS}"))
}

/// As long as [`hash`], also for a wrong password.
pub fn check(password: &Secret, stored: &Secret) -> Result<Checked, BadHash> {
    let stored = PasswordHash::new(stored.expose()).map_err(|_| BadHash)?;
    let params = Params::try_from(&stored).map_err(|_| BadHash)?;
    if params.m_cost() > STORED_MEMORY_KIB_MAX || params.t_cost() > STORED_PASSES_MAX {
        return Err(BadHash);
    }
    let is_todays = stored.algorithm == Algorithm::Argon2id.ident() && is_same_cost(&params, &todays());
    match todays_hasher().verify_password(password.expose().as_bytes(), &stored) {
        Ok(()) if is_todays => Ok(Checked::Right),
        Ok(()) => Ok(Checked::RightButOld),
        Err(argon2::password_hash::Error::Password) => Ok(Checked::Wrong),
        Err(_) => Err(BadHash),
    }
}

fn is_same_cost(left: &Params, right: &Params) -> bool {
    let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    cost(left) == cost(right)
}

fn todays() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES))
        .expect("the constants are within Argon2's bounds")
}

fn todays_hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, todays())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; SALT_BYTES] = [3; SALT_BYTES];

    fn password() -> Secret {
        Secret::new("correct horse")
    }

    #[test]
    fn o3_a_password_is_known_again_and_another_is_not() {
        let stored = hash(&password(), &SALT);
        assert!(stored.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(check(&password(), &stored), Ok(Checked::Right));
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert_eq!(check(&Secret::new(wrong), &stored), Ok(Checked::Wrong), "{wrong}");
        }
        assert_ne!(hash(&password(), &[4; SALT_BYTES]), stored, "the salt counts");
    }

    /// Made by argon2-cffi 25.1 (Python): `PasswordHasher(time_cost=3, memory_cost=4096, parallelism=2)`.
    const PYTHONS: &str =
        "$argon2id$v=19$m=4096,t=3,p=2$wHMXGebK8Nw5hyxxzlWp7g$fCNELmtmWgXCIXlWevYWdppdhcxd39HP/2Gsk+y+CtI";

    #[test]
    fn a_hash_of_another_program_with_other_parameters_is_accepted_and_said_to_be_old() {
        let pythons = Secret::new(PYTHONS);
        assert_eq!(check(&password(), &pythons), Ok(Checked::RightButOld));
        assert_eq!(check(&Secret::new("wrong"), &pythons), Ok(Checked::Wrong));
    }

    #[test]
    fn a_stored_hash_that_is_none_or_asks_for_too_much_is_refused_without_computing_it() {
        let salt_and_hash = "$AwMDAwMDAwMDAwMDAwMDAw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for stored in [
            String::new(),
            "correct horse".into(),
            "$2b$12$abcdefghijklmnopqrstuv".into(),
            format!("$argon2id$v=19$m=4194304,t=2,p=1{salt_and_hash}"),
            format!("$argon2id$v=19$m=19456,t=4000000,p=1{salt_and_hash}"),
        ] {
            assert_eq!(check(&password(), &Secret::new(&*stored)), Err(BadHash), "{stored}");
        }
    }

    #[test]
    fn a_decoy_is_computed_like_any_other_hash() {
        assert_eq!(check(&password(), &decoy()), Ok(Checked::Wrong));
    }

    #[test]
    fn an_unfit_password_is_refused_with_the_rule_it_breaks() {
        let fit = |text: &str| fit(&Secret::new(text), "Ada Lovelace");
        assert_eq!(fit("twelve chars"), Ok(()));
        assert_eq!(fit("pässwörter"), Err(Unfit::TooShort));
        assert_eq!(fit("ada lovelace"), Err(Unfit::IsTheName));
        assert_eq!(fit("twelve chars\n"), Err(Unfit::ControlCharacters));
        assert_eq!(fit(&"x".repeat(MAX_BYTES + 1)), Err(Unfit::TooLong));
    }
}
