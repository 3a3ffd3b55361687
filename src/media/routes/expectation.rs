//! What signalling says about the source of a call's audio, and how far it can be believed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::media::sdp::Negotiated;

/// How well a source fits what signalling said; the best comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// The address and port in the SDP.
    SdpAddress,
    /// Its host, another port.
    SdpHost,
    /// The host that signals.
    SignallingHost,
    /// Any host, where that is allowed.
    AnyHost,
    /// A source that fitted an older SDP and is kept until one that fits the newest has proven itself.
    Former,
}

/// Where a call's audio may come from: set by an answer, early media, a re-INVITE, another fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    remote: SocketAddr,
    /// `None` where RTCP shares the port of the audio.
    remote_rtcp: Option<SocketAddr>,
    signalling: IpAddr,
    trunk_allows_any_host: bool,
    payload_types: PayloadTypes,
}

impl Expectation {
    /// `any_host` is the trunk's setting: off where the far end's media is known to be public.
    pub fn new(negotiated: &Negotiated, signalling: IpAddr, any_host: bool) -> Self {
        Self {
            remote: canonical(negotiated.remote),
            remote_rtcp: negotiated.remote_rtcp.map(canonical),
            signalling: signalling.to_canonical(),
            trunk_allows_any_host: any_host,
            payload_types: negotiated.accepted_payload_types().collect(),
        }
    }

    pub fn rank(&self, source: SocketAddr) -> Option<Rank> {
        if source == self.remote {
            Some(Rank::SdpAddress)
        } else if source.ip() == self.remote.ip() {
            Some(Rank::SdpHost)
        } else if source.ip() == self.signalling {
            Some(Rank::SignallingHost)
        } else {
            self.admits_any_host().then_some(Rank::AnyHost)
        }
    }

    pub(super) fn remote(&self) -> SocketAddr {
        self.remote
    }

    pub(super) fn remote_rtcp(&self) -> Option<SocketAddr> {
        self.remote_rtcp
    }

    pub(super) fn accepts(&self, payload_type: u8) -> bool {
        self.payload_types.contains(payload_type)
    }

    /// Whether both let the same sources in; a change of codecs alone is no reason to learn anew.
    pub(super) fn has_same_sources(&self, other: &Self) -> bool {
        self.remote == other.remote
            && self.signalling == other.signalling
            && self.trunk_allows_any_host == other.trunk_allows_any_host
    }

    /// A zero address puts a call on hold; it says nothing about where its audio comes from.
    pub(super) fn is_hold(&self) -> bool {
        self.remote.ip().is_unspecified()
    }

    pub(super) fn keep_addresses_of(&mut self, former: &Self) {
        self.remote = former.remote;
        self.remote_rtcp = former.remote_rtcp;
    }

    /// Where to send before anything was heard. Never to ourselves at an outsider's bidding.
    pub(super) fn address_to_try(&self) -> Option<SocketAddr> {
        let is_sendable = self.remote.port() != 0
            && !self.remote.ip().is_unspecified()
            && !self.remote.ip().is_multicast()
            && self.remote.ip() != IpAddr::V4(Ipv4Addr::BROADCAST)
            && (!self.remote.ip().is_loopback() || self.signalling.is_loopback());
        is_sendable.then_some(self.remote)
    }

    /// The address again, if it can be reached from where the signalling comes from.
    pub(super) fn believable_address(&self) -> Option<SocketAddr> {
        self.address_to_try().filter(|_| !self.is_behind_nat())
    }

    fn admits_any_host(&self) -> bool {
        self.trunk_allows_any_host || self.remote.ip().is_unspecified() || self.is_behind_nat()
    }

    /// A private address said from outside that private network: no packet of ours or theirs can bear it.
    fn is_behind_nat(&self) -> bool {
        Reach::of(self.remote.ip()) < Reach::of(self.signalling)
    }
}

/// How far away an address can be reached from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Host,
    Site,
    World,
}

impl Reach {
    fn of(address: IpAddr) -> Self {
        match address {
            _ if address.is_loopback() => Self::Host,
            IpAddr::V4(v4) if v4.is_private() || v4.is_link_local() || is_carrier_nat(v4) => Self::Site,
            IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => Self::Site,
            IpAddr::V4(_) | IpAddr::V6(_) => Self::World,
        }
    }
}

/// 100.64.0.0/10 (RFC 6598).
fn is_carrier_nat(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && second & 0xc0 == 64
}

/// A socket bound to `::` tells IPv4 peers by their mapped addresses.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// One bit for each of the 128 numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct PayloadTypes(u128);

impl PayloadTypes {
    fn contains(self, payload_type: u8) -> bool {
        1_u128.checked_shl(payload_type.into()).is_some_and(|bit| self.0 & bit != 0)
    }
}

impl FromIterator<u8> for PayloadTypes {
    fn from_iter<I: IntoIterator<Item = u8>>(numbers: I) -> Self {
        let bits = numbers.into_iter().filter_map(|number| 1_u128.checked_shl(number.into()));
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::routes::tests::expectation;

    fn rank(remote: &str, signalling: &str, source: &str) -> Option<Rank> {
        expectation(remote, signalling).rank(source.parse().unwrap())
    }

    #[test]
    fn sources_are_ranked_by_how_well_they_fit() {
        let of = |source| rank("203.0.113.5:6000", "203.0.113.1", source);
        assert_eq!(of("203.0.113.5:6000"), Some(Rank::SdpAddress));
        assert_eq!(of("203.0.113.5:7000"), Some(Rank::SdpHost));
        assert_eq!(of("203.0.113.1:6000"), Some(Rank::SignallingHost));
        assert_eq!(of("198.51.100.9:6000"), None);
    }

    #[test]
    fn any_host_is_let_in_only_where_the_sdp_cannot_be_meant() {
        let any = |remote, signalling| rank(remote, signalling, "198.51.100.9:6000") == Some(Rank::AnyHost);
        for private in ["10.0.0.5:1", "192.168.1.5:1", "100.64.0.1:1", "127.0.0.1:1", "[fd00::1]:1"] {
            assert!(any(private, "203.0.113.1"), "{private}");
        }
        assert!(any("0.0.0.0:6000", "203.0.113.1"));
        assert!(any("127.0.0.1:6000", "10.0.0.1"));
        assert!(!any("10.0.0.5:6000", "10.0.0.1"));
        assert!(!any("100.128.0.1:6000", "203.0.113.1"));
        assert!(!any("127.0.0.1:6000", "127.0.0.1"));
    }

    #[test]
    fn an_outsider_cannot_make_us_send_to_ourselves_or_to_everybody() {
        let tried = |remote, signalling| expectation(remote, signalling).address_to_try().is_some();
        assert!(tried("192.168.1.5:6000", "203.0.113.1"));
        assert!(tried("127.0.0.1:6000", "127.0.0.1"));
        let refused =
            ["127.0.0.1:6000", "0.0.0.0:6000", "224.0.0.1:6000", "255.255.255.255:6000", "203.0.113.5:0"];
        for remote in refused {
            assert!(!tried(remote, "203.0.113.1"), "{remote}");
        }
    }

    #[test]
    fn negotiated_payload_types_and_comfort_noise_are_accepted() {
        let expectation = expectation("203.0.113.5:6000", "203.0.113.1");
        let accepted: Vec<u8> = (0..=255).filter(|&number| expectation.accepts(number)).collect();
        assert_eq!(accepted, [8, 13, 101]);
    }
}
