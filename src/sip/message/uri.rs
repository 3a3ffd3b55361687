//! SIP, SIPS and tel addresses, and whatever else a peer may write in their place (RFC 3261 §19.1, RFC 3966).

use std::fmt;
use std::str::FromStr;

use super::{Malformed, Params};
use crate::sip::parse::scan;

/// An address. `Display` is the wire form; parts are kept as they were written, escapes included.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    pub scheme: Scheme,
    /// Of a `tel:` address the number.
    pub user: Option<String>,
    pub password: Option<String>,
    /// An IPv6 address keeps its brackets. Empty for `tel:`; for unknown schemes all that follows the colon.
    pub host: String,
    pub port: Option<u16>,
    pub params: Params,
    /// What follows the `?`, as written.
    pub headers: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scheme {
    Sip,
    Sips,
    Tel,
    /// In lower case.
    Other(String),
}

impl Uri {
    /// `sip:user@host:port`; the user is escaped where the grammar wants it.
    pub fn sip(user: Option<&str>, host: impl Into<String>, port: Option<u16>) -> Self {
        Self {
            scheme: Scheme::Sip,
            user: user.map(escape_user),
            password: None,
            host: host.into(),
            port,
            params: Params::default(),
            headers: None,
        }
    }

    /// The user with its escapes resolved: a number or name as a person would write it.
    pub fn user_text(&self) -> Option<String> {
        self.user.as_deref().map(unescape)
    }

    /// Whether this hop routes loosely (RFC 3261 §16.12).
    pub fn is_loose_router(&self) -> bool {
        self.params.has("lr")
    }

    pub fn transport(&self) -> Option<&str> {
        self.params.get("transport")
    }

    pub fn maddr(&self) -> Option<&str> {
        self.params.get("maddr")
    }

    /// Whether both name the same resource (RFC 3261 §19.1.4); not the same as being written the same.
    pub fn matches(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.user_text() == other.user_text()
            && self.password == other.password
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.port == other.port
            && self.headers == other.headers
            && params_agree(&self.params, &other.params)
            && params_agree(&other.params, &self.params)
    }
}

/// These matter even when only one side has them; any other parameter counts only if both have it.
const PARAMS_THAT_MUST_BE_IN_BOTH: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

fn params_agree(ours: &Params, theirs: &Params) -> bool {
    ours.iter().all(|(name, value)| match (theirs.has(name), value, theirs.get(name)) {
        (false, _, _) => !PARAMS_THAT_MUST_BE_IN_BOTH.iter().any(|held| held.eq_ignore_ascii_case(name)),
        (true, Some(ours), Some(theirs)) => ours.eq_ignore_ascii_case(theirs),
        (true, ours, theirs) => ours.is_none() && theirs.is_none(),
    })
}

impl FromStr for Uri {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = Malformed("address");
        let (scheme, rest) = text.split_once(':').ok_or(malformed)?;
        if !is_scheme(scheme) || rest.is_empty() || rest.chars().any(is_never_in_an_address) {
            return Err(malformed);
        }
        match scheme.to_ascii_lowercase().as_str() {
            "sip" => host_address(Scheme::Sip, rest),
            "sips" => host_address(Scheme::Sips, rest),
            "tel" => telephone(rest),
            other => Ok(opaque(other, rest)),
        }
    }
}

fn host_address(scheme: Scheme, text: &str) -> Result<Uri, Malformed> {
    let (userinfo, rest) = match text.rsplit_once('@') {
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, text),
    };
    let (user, password) = userinfo.map(split_userinfo).transpose()?.unwrap_or_default();
    let (rest, headers) = split_off(rest, '?');
    let (sent_by, params) = rest.split_once(';').unwrap_or((rest, ""));
    let (host, port) = scan::host_port(sent_by).ok_or(Malformed("host"))?;
    let (host, params) = (host.to_owned(), Params::parse(params)?);
    Ok(Uri { scheme, user, password, host, port, params, headers })
}

/// `sip:@host` is what some gateways write for a caller they do not know.
fn split_userinfo(userinfo: &str) -> Result<(Option<String>, Option<String>), Malformed> {
    let (user, password) = split_off(userinfo, ':');
    match user {
        "" if password.is_none() => Ok((None, None)),
        "" => Err(Malformed("user")),
        user if user.contains('@') => Err(Malformed("user")),
        user => Ok((Some(user.to_owned()), password)),
    }
}

fn telephone(text: &str) -> Result<Uri, Malformed> {
    let (number, params) = text.split_once(';').unwrap_or((text, ""));
    let is_number = |c: char| c.is_ascii_hexdigit() || "+-.()*#%".contains(c);
    if number.is_empty() || !number.chars().all(is_number) {
        return Err(Malformed("telephone number"));
    }
    let mut uri = opaque("tel", "");
    uri.scheme = Scheme::Tel;
    uri.user = Some(number.to_owned());
    uri.params = Params::parse(params)?;
    Ok(uri)
}

fn opaque(scheme: &str, rest: &str) -> Uri {
    let mut uri = Uri::sip(None, rest, None);
    uri.scheme = Scheme::Other(scheme.to_owned());
    uri
}

fn split_off(text: &str, separator: char) -> (&str, Option<String>) {
    match text.split_once(separator) {
        Some((head, tail)) => (head, Some(tail.to_owned())),
        None => (text, None),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_never_in_an_address(c: char) -> bool {
    c.is_control() || matches!(c, ' ' | '<' | '>' | '"')
}

/// RFC 3261 §25.1 `user`: what is neither unreserved nor allowed there travels as `%HH`.
fn escape_user(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = (first == b'%').then(|| tail.split_at_checked(2)).flatten();
        let value = escape.and_then(|(digits, _)| hex_value(digits));
        bytes.push(value.unwrap_or(first));
        rest = match (value, escape) {
            (Some(_), Some((_, after))) => after,
            _ => tail,
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_value(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(text, 16).ok()
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme)?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            self.password.iter().try_for_each(|password| write!(f, ":{password}"))?;
            f.write_str(if self.scheme == Scheme::Tel { "" } else { "@" })?;
        }
        f.write_str(&self.host)?;
        self.port.iter().try_for_each(|port| write!(f, ":{port}"))?;
        self.params.fmt(f)?;
        self.headers.iter().try_for_each(|headers| write!(f, "?{headers}"))
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
            Self::Other(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_match_by_the_rules_of_rfc_3261() {
        let same = [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        ];
        let different = [
            ("SIP:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ];
        for (one, other) in same {
            assert!(uri(one).matches(&uri(other)) && uri(other).matches(&uri(one)), "{one} {other}");
        }
        for (one, other) in different {
            assert!(!uri(one).matches(&uri(other)) && !uri(other).matches(&uri(one)), "{one} {other}");
        }
    }

    #[test]
    fn a_user_with_letters_that_have_a_meaning_is_escaped_and_comes_back() {
        let ours = Uri::sip(Some("a b@c:#é>"), "example.org", Some(5070));
        assert_eq!(ours.to_string(), "sip:a%20b%40c%3A%23%C3%A9%3E@example.org:5070");
        assert_eq!(uri(&ours.to_string()).user_text().as_deref(), Some("a b@c:#é>"));
    }

    #[test]
    fn an_escape_that_is_none_stays_as_it_is() {
        assert_eq!(uri("sip:50%@x").user_text().as_deref(), Some("50%"));
        assert_eq!(uri("sip:%+1%zz%41@x").user_text().as_deref(), Some("%+1%zzA"));
    }

    #[test]
    fn an_unknown_caller_has_no_user() {
        assert_eq!(uri("sip:@192.0.2.1"), uri("sip:192.0.2.1"));
    }
}
