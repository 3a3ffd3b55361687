//! Digest authentication, client side (RFC 7616, RFC 8760, RFC 3261 §22).
//!
//! `challenge` reads what a server asks, `answer` computes what it wants to see, [`DigestClient`] remembers the
//! challenge of every realm on the way and decides whether another try makes sense. Randomness (the cnonce) comes
//! from the caller. Basic, unknown algorithms and unknown protection are passed over: the server may have offered
//! something else beside them.

mod answer;
mod challenge;
#[cfg(test)]
mod tests;

use crate::domain::Secret;
use crate::sip::message::{HeaderName, Request, Response};
use challenge::Challenge;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}

/// What a 401 or 407 means for whoever sent the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send the request again, [`DigestClient::authorize`]d.
    TryAgain,
    /// The server knows our answer to this very challenge and does not want it: user or password is wrong.
    Rejected,
    /// No challenge that we can answer.
    Unanswerable,
}

/// Remembers the challenge of every realm met so far and answers all of them, beforehand too. One request at a time:
/// a challenge is held to be about the newest [`DigestClient::authorize`]d one.
#[derive(Debug, Clone)]
pub struct DigestClient {
    credentials: Credentials,
    realms: Vec<Realm>,
}

#[derive(Debug, Clone)]
struct Realm {
    asker: Asker,
    challenge: Challenge,
    /// One for as long as the nonce lives: servers differ on which cnonce a `-sess` key is made of.
    cnonce: Option<String>,
    /// How often the nonce has been answered: the `nc` of the last answer.
    uses: u32,
    was_called_stale: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    Server,
    Proxy,
}

/// Realms of one request's way; more is an attack on our memory.
const MAX_REALMS: usize = 8;
/// Challenges of one response that are looked at, realms times algorithms.
const MAX_CHALLENGES: usize = 32;

impl DigestClient {
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, realms: Vec::new() }
    }

    /// Takes the challenges of a 401 or 407. A forked request's answer may bring several.
    pub fn take_challenges(&mut self, response: &Response) -> Verdict {
        let mut verdict = Verdict::Unanswerable;
        for (asker, challenge) in strongest_by_realm(response) {
            match self.take(asker, challenge) {
                Verdict::Rejected => return Verdict::Rejected,
                Verdict::TryAgain => verdict = Verdict::TryAgain,
                Verdict::Unanswerable => {}
            }
        }
        verdict
    }

    /// Puts an answer for every remembered realm into the request, in place of older ones. `cnonce` is a fresh
    /// random token. Does nothing before the first challenge.
    pub fn authorize(&mut self, request: &mut Request, cnonce: &str) {
        request.headers.remove(&HeaderName::Authorization);
        request.headers.remove(&HeaderName::ProxyAuthorization);
        for realm in &mut self.realms {
            let value = realm.answer(&self.credentials, request, cnonce);
            request.headers.push(realm.asker.answer_header(), value);
        }
    }

    fn take(&mut self, asker: Asker, challenge: Challenge) -> Verdict {
        let is_full = self.realms.len() == MAX_REALMS;
        let mut realms = self.realms.iter_mut();
        match realms.find(|held| held.asker == asker && held.challenge.realm == challenge.realm) {
            Some(held) => held.renew(challenge),
            None if is_full => Verdict::Unanswerable,
            None => {
                self.realms.push(Realm { asker, challenge, cnonce: None, uses: 0, was_called_stale: false });
                Verdict::TryAgain
            }
        }
    }
}

impl Realm {
    /// A nonce that grew old while it served is replaced without fuss. One that was answered for the first time and
    /// is challenged again means a wrong password, unless the server calls it stale: that is believed once.
    fn renew(&mut self, challenge: Challenge) -> Verdict {
        let is_first_answer = self.uses == 1;
        let is_same_nonce = self.challenge.nonce == challenge.nonce;
        let is_refused = match (self.uses, challenge.is_stale) {
            (0, _) => false,
            (_, true) => is_first_answer && self.was_called_stale,
            (_, false) => is_first_answer || is_same_nonce,
        };
        if is_refused {
            return Verdict::Rejected;
        }
        self.was_called_stale = challenge.is_stale;
        if !is_same_nonce {
            (self.uses, self.cnonce) = (0, None);
        }
        self.challenge = challenge;
        Verdict::TryAgain
    }

    fn answer(&mut self, credentials: &Credentials, request: &Request, cnonce: &str) -> String {
        self.uses = self.uses.saturating_add(1);
        let cnonce = self.cnonce.get_or_insert_with(|| cnonce.to_owned());
        let asked = answer::Asked {
            method: request.method.as_str(),
            uri: &request.uri.to_string(),
            body: &request.body,
        };
        answer::header_value(credentials, &self.challenge, &asked, self.uses, cnonce)
    }
}

impl Asker {
    fn answer_header(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::Authorization,
            Self::Proxy => HeaderName::ProxyAuthorization,
        }
    }
}

/// A server lists the same realm once per algorithm, in its order of preference; ours is SHA-256 first.
fn strongest_by_realm(response: &Response) -> Vec<(Asker, Challenge)> {
    let mut strongest: Vec<(Asker, Challenge)> = Vec::new();
    for (asker, challenge) in answerable_challenges(response).take(MAX_CHALLENGES) {
        let rival =
            strongest.iter_mut().find(|(held, rival)| *held == asker && rival.realm == challenge.realm);
        match rival {
            Some((_, rival)) if challenge.algorithm.strength() > rival.algorithm.strength() => {
                *rival = challenge
            }
            Some(_) => {}
            None => strongest.push((asker, challenge)),
        }
    }
    strongest
}

fn answerable_challenges(response: &Response) -> impl Iterator<Item = (Asker, Challenge)> {
    let headers =
        [(Asker::Server, HeaderName::WwwAuthenticate), (Asker::Proxy, HeaderName::ProxyAuthenticate)];
    response.headers.iter().flat_map(move |(name, value)| {
        let asker = headers.iter().find(|(_, header)| header == name).map(|(asker, _)| *asker);
        asker
            .into_iter()
            .flat_map(|asker| challenge::read_all(value).into_iter().map(move |read| (asker, read)))
    })
}
