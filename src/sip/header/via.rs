use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::sip::message::{Malformed, Params};
use crate::sip::parse::scan;

/// One hop of the way back (RFC 3261 §20.42, RFC 3581).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    pub transport: Transport,
    /// As written; an IPv6 address keeps its brackets.
    pub host: String,
    pub port: Option<u16>,
    pub params: Params,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Ws,
    Wss,
    Other(String),
}

/// Branches that start so are unique per transaction (RFC 3261 §8.1.1.7).
pub const BRANCH_COOKIE: &str = "z9hG4bK";

impl Via {
    /// A Via of ours: asks for `rport`.
    pub fn new(transport: Transport, host: impl Into<String>, port: Option<u16>, branch: &str) -> Self {
        let mut params = Params::default();
        params.set("branch", Some(branch));
        params.set("rport", None);
        Self { transport, host: host.into(), port, params }
    }

    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    pub fn received(&self) -> Option<IpAddr> {
        self.params.get("received")?.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The port of an `rport` that has been filled in.
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport")?.parse().ok()
    }

    /// Whether the sender wants the answer at the port it sent from.
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// Notes where the request really came from. `received` is always written when `rport` was asked for
    /// (RFC 3581 §4), else only when it differs from the sent-by host (RFC 3261 §18.2.1).
    pub fn stamp_source(&mut self, address: IpAddr, port: u16) {
        let is_truthful = scan::host_address(&self.host) == Some(address);
        if self.wants_rport() {
            self.params.set("rport", Some(&port.to_string()));
        } else if is_truthful {
            return;
        }
        self.params.set("received", Some(&address.to_string()));
    }
}

impl FromStr for Via {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = Malformed("Via");
        let (protocol, rest) = text.trim().split_once('/').ok_or(malformed)?;
        let (version, rest) = rest.split_once('/').ok_or(malformed)?;
        // Any version: a request that gets a 505 must find its way back too.
        if !protocol.trim().eq_ignore_ascii_case("SIP") || !scan::is_token(version.trim()) {
            return Err(malformed);
        }
        let (transport, rest) =
            rest.trim_start().split_once(|c: char| c.is_ascii_whitespace()).ok_or(malformed)?;
        let (sent_by, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = scan::host_port(sent_by).ok_or(malformed)?;
        Ok(Self {
            transport: Transport::from_token(transport).ok_or(malformed)?,
            host: host.to_owned(),
            port,
            params: Params::parse(params)?,
        })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}

impl Transport {
    /// `None` for what is no token.
    pub fn from_token(token: &str) -> Option<Self> {
        match token.to_ascii_uppercase().as_str() {
            "UDP" => Some(Self::Udp),
            "TCP" => Some(Self::Tcp),
            "TLS" => Some(Self::Tls),
            "WS" => Some(Self::Ws),
            "WSS" => Some(Self::Wss),
            other => scan::is_token(other).then(|| Self::Other(other.to_owned())),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
            Self::Other(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(via: &str, from: &str) -> String {
        let mut via: Via = via.parse().unwrap();
        let source: std::net::SocketAddr = from.parse().unwrap();
        via.stamp_source(source.ip(), source.port());
        via.to_string()
    }

    #[test]
    fn an_honest_via_is_left_alone() {
        let via = "SIP/2.0/UDP 192.0.2.1;branch=b";
        assert_eq!(stamped(via, "192.0.2.1:9999"), via);
        let via = "SIP/2.0/UDP [2001:DB8:0::1];branch=b";
        assert_eq!(stamped(via, "[2001:db8::1]:9999"), via);
    }

    #[test]
    fn a_via_that_differs_from_the_source_says_so() {
        let stamped = stamped("SIP/2.0/UDP phone.local;received=6.6.6.6", "192.0.2.1:9999");
        assert_eq!(stamped, "SIP/2.0/UDP phone.local;received=192.0.2.1");
    }

    #[test]
    fn asked_for_rport_both_are_filled_in_even_over_forged_ones() {
        let stamped = stamped("SIP/2.0/UDP 192.0.2.1:5060;rport=1;branch=b", "192.0.2.1:40000");
        assert_eq!(stamped, "SIP/2.0/UDP 192.0.2.1:5060;rport=40000;branch=b;received=192.0.2.1");
        let stamped: Via = stamped.parse().unwrap();
        assert_eq!((stamped.rport(), stamped.received()), (Some(40000), Some("192.0.2.1".parse().unwrap())));
    }

    #[test]
    fn a_via_of_ours_asks_for_rport() {
        let via = Via::new(Transport::Udp, "192.0.2.1", Some(5060), "z9hG4bKx");
        assert_eq!(via.to_string(), "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport");
        assert_eq!((via.wants_rport(), via.rport()), (true, None));
    }
}
