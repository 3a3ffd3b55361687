//! What the server wants to see: the hashes of RFC 7616 §3.4 and the header that carries them.

use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Credentials;
use super::challenge::{Algorithm, Challenge, Qop};
use crate::sip::parse::scan;

/// What the answer is about. The URI is text: it must be hashed exactly as it is sent.
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
}

pub(super) fn header_value(
    credentials: &Credentials,
    challenge: &Challenge,
    asked: &Asked<'_>,
    uses: u32,
    cnonce: &str,
) -> String {
    let nonce_count = format!("{uses:08x}");
    let response = response(credentials, challenge, asked, &nonce_count, cnonce);
    let mut value = format!(
        "Digest username={}, realm=\"{}\", nonce=\"{}\", uri=\"{}\", response=\"{response}\"",
        scan::quote(&credentials.username),
        challenge.realm,
        challenge.nonce,
        asked.uri,
    );
    let mut add = |name: &str, text: &str| value.extend([", ", name, "=", text]);
    if challenge.names_algorithm {
        add("algorithm", challenge.algorithm.as_str());
    }
    if let Some(qop) = challenge.qop {
        add("qop", qop.as_str());
        add("nc", &nonce_count);
    }
    if challenge.qop.is_some() || challenge.algorithm.is_session() {
        add("cnonce", &format!("\"{cnonce}\""));
    }
    if let Some(opaque) = &challenge.opaque {
        add("opaque", &format!("\"{opaque}\""));
    }
    value
}

pub(super) fn response(
    credentials: &Credentials,
    challenge: &Challenge,
    asked: &Asked<'_>,
    nonce_count: &str,
    cnonce: &str,
) -> String {
    let hash = |text: &str| hash(challenge.algorithm, text.as_bytes());
    let who = who(credentials, challenge, cnonce);
    let what = hash(&what(challenge, asked));
    let nonce = &challenge.nonce;
    match challenge.qop {
        Some(qop) => hash(&format!("{}:{nonce}:{nonce_count}:{cnonce}:{}:{what}", *who, qop.as_str())),
        None => hash(&format!("{}:{nonce}:{what}", *who)),
    }
}

/// H(A1): as good as the password at this realm, so it is wiped like one.
fn who(credentials: &Credentials, challenge: &Challenge, cnonce: &str) -> Zeroizing<String> {
    // Hashed as it is sent: with its escapes, without the quotes around it.
    let quoted = scan::quote(&credentials.username);
    let username = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    let secret = Zeroizing::new(format!("{username}:{}:{}", challenge.realm, credentials.password.expose()));
    let key = Zeroizing::new(hash(challenge.algorithm, secret.as_bytes()));
    if !challenge.algorithm.is_session() {
        return key;
    }
    let session = Zeroizing::new(format!("{}:{}:{cnonce}", *key, challenge.nonce));
    Zeroizing::new(hash(challenge.algorithm, session.as_bytes()))
}

/// A2
fn what(challenge: &Challenge, asked: &Asked<'_>) -> String {
    match challenge.qop {
        Some(Qop::AuthInt) => {
            format!("{}:{}:{}", asked.method, asked.uri, hash(challenge.algorithm, asked.body))
        }
        Some(Qop::Auth) | None => format!("{}:{}", asked.method, asked.uri),
    }
}

fn hash(algorithm: Algorithm, bytes: &[u8]) -> String {
    match algorithm {
        Algorithm::Md5 | Algorithm::Md5Sess => hex(&Md5::digest(bytes)),
        Algorithm::Sha256 | Algorithm::Sha256Sess => hex(&Sha256::digest(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}
