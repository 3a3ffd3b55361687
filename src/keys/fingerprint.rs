//! What a Google key is called where it must not be seen: in unique fields, in counts and in logs (SPEC K10).

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::{KeyFingerprint, ProjectId, Secret};

/// Of the store that all engines share: the same key has the same fingerprint on each of them, and another one anywhere
/// else.
#[derive(Clone)]
pub struct Fingerprints {
    key: Zeroizing<Vec<u8>>,
}

/// 128 bits of the HMAC-SHA-256 are kept, in hexadecimal.
const FINGERPRINT_BYTES: usize = 16;

impl Fingerprints {
    pub fn new(key: impl Into<Vec<u8>>) -> Self {
        Self { key: Zeroizing::new(key.into()) }
    }

    pub fn of(&self, google_key: &Secret) -> KeyFingerprint {
        self.of_parts(&[google_key.expose()])
    }

    /// Never that of a key: no key has a space.
    pub fn of_project(&self, project: &ProjectId) -> KeyFingerprint {
        self.of_parts(&["project ", project.as_str()])
    }

    fn of_parts(&self, parts: &[&str]) -> KeyFingerprint {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        parts.iter().for_each(|part| mac.update(part.as_bytes()));
        let digest = mac.finalize().into_bytes();
        let hexadecimal = digest.iter().take(FINGERPRINT_BYTES).map(|byte| format!("{byte:02x}"));
        KeyFingerprint::new(hexadecimal.collect::<String>())
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprints")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn it_is_the_beginning_of_an_hmac_sha_256() {
        let fingerprint = Fingerprints::new("Jefe").of(&Secret::new("what do ya want for nothing?"));
        assert_eq!(fingerprint.as_str(), "5bdcc146bf60754e6a042426089575c7");
    }

    #[test]
    fn k10_it_tells_keys_and_stores_apart_and_shows_neither() {
        let (here, there) = (Fingerprints::new([1; 32]), Fingerprints::new([2; 32]));
        let (one, two) = (Secret::new("key-one"), Secret::new("key-two"));
        assert_eq!(here.of(&one), here.of(&one.clone()));
        assert_ne!(here.of(&one), here.of(&two));
        assert_ne!(here.of(&one), there.of(&one));
        assert_eq!(format!("{here:?}"), "Fingerprints");
    }
}
