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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_with_its_comment_or_parameters() {
        let mut headers = Headers::default();
        headers.push(HeaderName::RetryAfter, "18000;duration=3600");
        headers.push(HeaderName::MinSe, "90 (in s)");
        headers.push(HeaderName::Expires, "soon");
        assert_eq!(headers.number(&HeaderName::RetryAfter), Some(18000));
        assert_eq!(headers.number(&HeaderName::MinSe), Some(90));
        assert_eq!(headers.number(&HeaderName::Expires), None);
    }

    #[test]
    fn an_option_tag_is_found_in_any_case() {
        let mut headers = Headers::default();
        headers.push(HeaderName::Supported, "timer");
        headers.push(HeaderName::Supported, "100Rel");
        assert!(headers.has_token(&HeaderName::Supported, "100rel"));
        assert!(!headers.has_token(&HeaderName::Require, "100rel"));
    }

    #[test]
    fn unreadable_addresses_of_a_list_are_passed_over() {
        let mut headers = Headers::default();
        for route in ["<sip:p1;lr>", "nonsense", "<sip:p2;lr>"] {
            headers.push(HeaderName::RecordRoute, route);
        }
        let hosts: Vec<String> =
            headers.addresses(&HeaderName::RecordRoute).into_iter().map(|route| route.uri.host).collect();
        assert_eq!(hosts, ["p1", "p2"]);
    }
}
