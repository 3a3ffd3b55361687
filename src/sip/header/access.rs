//! The headers everybody asks for, as values instead of text.

use super::{CSeq, NameAddr, RAck, SessionExpires, Via};
use crate::sip::message::{HeaderName, Headers};

/// In a message that came from [`crate::sip::parse()`] the top Via, From, To, Call-ID and CSeq are always `Some`.
impl Headers {
    pub fn top_via(&self) -> Option<Via> {
        self.get(&HeaderName::Via)?.parse().ok()
    }

    pub fn from_addr(&self) -> Option<NameAddr> {
        self.get(&HeaderName::From)?.parse().ok()
    }

    pub fn to_addr(&self) -> Option<NameAddr> {
        self.get(&HeaderName::To)?.parse().ok()
    }

    pub fn call_id(&self) -> Option<&str> {
        self.get(&HeaderName::CallId)
    }

    pub fn cseq(&self) -> Option<CSeq> {
        self.get(&HeaderName::CSeq)?.parse().ok()
    }

    pub fn rack(&self) -> Option<RAck> {
        self.get(&HeaderName::RAck)?.parse().ok()
    }

    pub fn session_expires(&self) -> Option<SessionExpires> {
        self.get(&HeaderName::SessionExpires)?.parse().ok()
    }

    /// The first Contact; `None` also for `*`.
    pub fn contact(&self) -> Option<NameAddr> {
        self.get(&HeaderName::Contact)?.parse().ok()
    }

    /// The readable addresses of a list: Contact, Route, Record-Route, Path.
    pub fn addresses(&self, name: &HeaderName) -> Vec<NameAddr> {
        self.all(name).filter_map(|value| value.parse().ok()).collect()
    }

    /// A header that starts with a count (Expires, Max-Forwards, Min-SE, RSeq, Retry-After); a count too great for
    /// 32 bits is the greatest one.
    pub fn number(&self, name: &HeaderName) -> Option<u32> {
        let value = self.get(name)?;
        let digits = value.split(|c: char| !c.is_ascii_digit()).next().filter(|digits| !digits.is_empty())?;
        Some(digits.parse().unwrap_or(u32::MAX))
    }

    /// Whether a list of tokens (Supported, Require, Allow) holds this one, in any case.
    pub fn has_token(&self, name: &HeaderName, token: &str) -> bool {
        self.all(name).any(|value| value.eq_ignore_ascii_case(token))
    }
}
