//! Digest authentication, client side (RFC 7616, RFC 8760, RFC 3261 §22).

use crate::domain::Secret;
use crate::sip::message::{Request, Response};

#[derive(Debug, Clone)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}

/// What a 401 or 407 means for whoever sent the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send the request again, [`DigestClient::authorize`]d.
    TryAgain,
    /// The server has seen our answer to this very challenge and does not want it: the password is wrong.
    Rejected,
    /// No challenge that we can answer.
    Unanswerable,
}

/// Remembers the challenge of every realm met so far and answers all of them.
#[derive(Debug, Clone)]
pub struct DigestClient {
    credentials: Credentials,
}

impl DigestClient {
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials }
    }

    /// Takes the challenges of a 401 or 407.
    pub fn take_challenges(&mut self, _response: &Response) -> Verdict {
        let _ = &self.credentials;
        Verdict::Unanswerable
    }

    /// Puts an answer for every remembered realm into the request, in place of older ones. `cnonce` is a fresh
    /// random token. Does nothing before the first challenge.
    pub fn authorize(&mut self, _request: &mut Request, _cnonce: &str) {}
}
