//! What a server asks: `Digest realm="…", nonce="…", qop="auth,auth-int", algorithm=SHA-256`.

use crate::sip::parse::scan;

/// One that we can answer. Texts are what stood between the quotes, escapes kept: they are hashed and sent back so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) realm: String,
    pub(super) nonce: String,
    pub(super) opaque: Option<String>,
    pub(super) algorithm: Algorithm,
    /// Whether the server named it: RFC 2617 peers may choke on an algorithm they did not ask for.
    pub(super) names_algorithm: bool,
    /// `None` asks for the form of RFC 2069.
    pub(super) qop: Option<Qop>,
    pub(super) is_stale: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Md5,
    Md5Sess,
    Sha256,
    Sha256Sess,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Qop {
    Auth,
    AuthInt,
}

impl Algorithm {
    fn from_token(token: &str) -> Option<Self> {
        let known = [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess];
        known.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(token))
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
        }
    }

    pub(super) fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess)
    }

    pub(super) fn strength(self) -> u8 {
        match self {
            Self::Md5 | Self::Md5Sess => 0,
            Self::Sha256 | Self::Sha256Sess => 1,
        }
    }
}

impl Qop {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

/// The challenges of one header value that we can answer; schemes may follow one another, parted by commas.
pub(super) fn read_all(value: &str) -> Vec<Challenge> {
    let mut challenges: Vec<(&str, Vec<&str>)> = Vec::new();
    for part in scan::split_outside(value, ',').map(str::trim) {
        match (scheme_and_first(part), challenges.last_mut()) {
            (Some((scheme, first)), _) => challenges.push((scheme, vec![first])),
            (None, Some((_, pairs))) => pairs.push(part),
            (None, None) => {}
        }
    }
    let digests = challenges.into_iter().filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Digest"));
    digests.filter_map(|(_, pairs)| read(&pairs)).collect()
}

/// `Digest realm="x"`: a word before the first pair starts a new challenge; `realm = "x"` does not.
fn scheme_and_first(part: &str) -> Option<(&str, &str)> {
    let (scheme, first) = part.split_once(|c: char| c.is_ascii_whitespace())?;
    let first = first.trim_start();
    (scan::is_token(scheme) && !first.starts_with('=')).then_some((scheme, first))
}

fn read(pairs: &[&str]) -> Option<Challenge> {
    let value = |wanted: &str| {
        let mut named = pairs.iter().filter_map(|pair| pair.split_once('='));
        named
            .find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
            .map(|(_, value)| without_quotes(value))
    };
    let algorithm = value("algorithm");
    Some(Challenge {
        realm: value("realm")?.to_owned(),
        nonce: value("nonce")?.to_owned(),
        opaque: value("opaque").map(str::to_owned),
        algorithm: algorithm.map_or(Some(Algorithm::Md5), Algorithm::from_token)?,
        names_algorithm: algorithm.is_some(),
        qop: value("qop").map_or(Some(None), |list| choose_qop(list).map(Some))?,
        is_stale: value("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
    })
}

/// `None` when nothing in the list is known. An empty list is taken as none at all.
fn choose_qop(list: &str) -> Option<Qop> {
    let offers = |wanted: &str| list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case(wanted));
    [Qop::Auth, Qop::AuthInt].into_iter().find(|qop| offers(qop.as_str()))
}

fn without_quotes(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}
