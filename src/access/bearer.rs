//! The text that proves who somebody is: `cls_<id>_<secret>` for a session, `cla_<id>_<secret>` for an API token.
//!
//! The id leads to the one document that knows it, the secret is 256 random bits of which the store keeps the SHA-256
//! alone. The prefix tells people and secret scanners what they have found.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::Secret;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BearerKind {
    Session,
    ApiToken,
}

impl BearerKind {
    const ALL: [Self; 2] = [Self::Session, Self::ApiToken];

    fn prefix(self) -> &'static str {
        match self {
            Self::Session => "cls_",
            Self::ApiToken => "cla_",
        }
    }
}

/// A session's or API token's text, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub kind: BearerKind,
    /// Of the document that holds the hash.
    pub id: String,
    secret: Secret,
}

const SECRET_BYTES: usize = 32;
/// A UUID with its hyphens.
const ID_CHARS: usize = 36;

impl Bearer {
    pub fn new(kind: BearerKind, id: &str, random: &Zeroizing<[u8; SECRET_BYTES]>) -> Self {
        Self { kind, id: id.to_owned(), secret: Secret::new(URL_SAFE_NO_PAD.encode(**random)) }
    }

    /// What a client sent; `None` for everything that cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let kind = BearerKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
        let (id, secret) = text.strip_prefix(kind.prefix())?.split_once('_')?;
        let is_id = id.len() == ID_CHARS && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        let is_secret = URL_SAFE_NO_PAD.decode(secret).is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
        (is_id && is_secret).then(|| Self { kind, id: id.to_owned(), secret: Secret::new(secret) })
    }

    /// What is handed to the client, once.
    pub fn text(&self) -> Secret {
        Secret::new(format!("{}{}_{}", self.kind.prefix(), self.id, self.secret.expose()))
    }

    /// What the store keeps. Being random, the secret needs no salt and no slow hash.
    pub fn hash(&self) -> String {
        Sha256::digest(self.secret.expose().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Hashes are compared as they come: their bytes cannot be chosen, so the time it takes tells nothing about them.
    pub fn fits(&self, hash: &str) -> bool {
        self.hash() == hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01936f3a-0000-7000-8000-00000000000a";

    fn bearer(kind: BearerKind) -> Bearer {
        Bearer::new(kind, ID, &Zeroizing::new([7; 32]))
    }

    #[test]
    fn the_text_is_read_back_and_fits_its_own_hash_alone() {
        for kind in BearerKind::ALL {
            let made = bearer(kind);
            let read = Bearer::parse(made.text().expose()).unwrap();
            assert_eq!((read.kind, read.id.as_str()), (kind, ID));
            assert!(read.fits(&made.hash()));
            let other = Bearer::new(kind, ID, &Zeroizing::new([8; 32]));
            assert!(!other.fits(&made.hash()));
        }
    }

    #[test]
    fn the_hash_tells_nothing_and_neither_does_debug() {
        let made = bearer(BearerKind::Session);
        let secret = made.secret.expose().to_owned();
        assert!(!made.hash().contains(&secret) && !format!("{made:?}").contains(&secret));
        assert_eq!(made.hash().len(), 64);
    }

    #[test]
    fn what_is_no_bearer_of_ours_is_refused_without_a_look_at_the_store() {
        let good = bearer(BearerKind::ApiToken).text().expose().to_owned();
        for wrong in ["", "cls_", "cla__", "Bearer x", "clx_a_b", &good[1..], &good[..good.len() - 1]] {
            assert_eq!(Bearer::parse(wrong), None, "{wrong}");
        }
        for (from, to) in [("cla_", "cla_../"), ("_", "__"), ("01936f3a", "01936f3\u{e9}")] {
            assert_eq!(Bearer::parse(&good.replacen(from, to, 2)), None, "{to}");
        }
    }
}
