//! Who may speak, and how much: address rules and a token bucket for every source, which stand before the parser.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::sip::Malformed;

/// How many messages a source may send: so many a second in the long run, so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// A token bucket for each source address. The table is bounded: sources that find no place share one bucket, so a
/// flood of forged addresses costs its own kind and no memory. A bucket that has filled up again is forgotten.
#[derive(Debug)]
pub struct Gate {
    rate: Rate,
    max_sources: usize,
    buckets: HashMap<IpAddr, Bucket>,
    shared: Option<Bucket>,
    sweep_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    counted_at: Instant,
}

/// How often filled buckets are looked for.
const SWEEP_PAUSE: Duration = Duration::from_secs(5);

impl Gate {
    pub fn new(rate: Rate, max_sources: usize) -> Self {
        Self { rate, max_sources, buckets: HashMap::new(), shared: None, sweep_at: None }
    }

    /// Takes a token of this source; false when it has none left.
    pub fn admit(&mut self, source: IpAddr, now: Instant) -> bool {
        self.sweep_at.get_or_insert(now + SWEEP_PAUSE);
        let rate = self.rate;
        let full = || Bucket { tokens: f64::from(rate.burst), counted_at: now };
        let has_place = self.buckets.len() < self.max_sources || self.buckets.contains_key(&source);
        let bucket = if has_place {
            self.buckets.entry(source).or_insert_with(full)
        } else {
            self.shared.get_or_insert_with(full)
        };
        bucket.take(rate, now)
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let rate = self.rate;
        self.buckets.retain(|_, bucket| !bucket.is_full(rate, now));
        self.shared = self.shared.filter(|bucket| !bucket.is_full(rate, now));
        self.sweep_at = (!self.is_idle()).then(|| now + SWEEP_PAUSE);
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.sweep_at
    }

    /// How many sources are remembered.
    pub fn sources(&self) -> usize {
        self.buckets.len()
    }

    fn is_idle(&self) -> bool {
        self.buckets.is_empty() && self.shared.is_none()
    }
}

impl Bucket {
    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        self.tokens = self.level(rate, now);
        self.counted_at = now;
        let has_token = self.tokens >= 1.0;
        if has_token {
            self.tokens -= 1.0;
        }
        has_token
    }

    fn is_full(&self, rate: Rate, now: Instant) -> bool {
        self.level(rate, now) >= f64::from(rate.burst)
    }

    fn level(&self, rate: Rate, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.counted_at).as_secs_f64();
        (self.tokens + elapsed * f64::from(rate.per_second)).min(f64::from(rate.burst))
    }
}

/// An address or a net in CIDR form: `127.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRule {
    net: IpAddr,
    prefix_bits: u8,
}

impl AddressRule {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.net, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix_bits);
                shared_prefix(net.to_bits().into(), address.to_bits().into(), shift)
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                shared_prefix(net.to_bits(), address.to_bits(), 128 - u32::from(self.prefix_bits))
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Whether two addresses agree once `shift` low bits are left out; a shift of all bits leaves nothing to differ in.
fn shared_prefix(left: u128, right: u128, shift: u32) -> bool {
    (left ^ right).checked_shr(shift).unwrap_or(0) == 0
}

impl FromStr for AddressRule {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = Malformed("address rule: write an IP address or a net such as 10.0.0.0/8");
        let (address, prefix) =
            text.trim().split_once('/').map_or((text.trim(), None), |(a, p)| (a, Some(p)));
        let net = address.parse::<IpAddr>().map_err(|_| malformed)?;
        let max_bits = if net.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix.map_or(Ok(max_bits), str::parse).map_err(|_| malformed)?;
        if prefix_bits > max_bits {
            return Err(malformed);
        }
        Ok(Self { net, prefix_bits })
    }
}

impl TryFrom<String> for AddressRule {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<AddressRule> for String {
    fn from(rule: AddressRule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for AddressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.net, self.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 2, burst: 3 };

    #[expect(clippy::disallowed_methods, reason = "one origin; all other times are computed from it")]
    fn start() -> Instant {
        Instant::now()
    }

    fn source(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_source_may_burst_and_then_keeps_its_rate() {
        let (now, mut gate) = (start(), Gate::new(RATE, 10));
        let admitted = (0..5).filter(|_| gate.admit(source(1), now)).count();
        assert_eq!(admitted, 3);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..5).filter(|_| gate.admit(source(1), later)).count(), 2);
        assert!(gate.admit(source(2), now), "another source has its own bucket");
    }

    #[test]
    fn sources_without_a_place_share_one_bucket() {
        let (now, mut gate) = (start(), Gate::new(RATE, 1));
        assert!(gate.admit(source(1), now));
        assert_eq!((2..100).filter(|last| gate.admit(source(*last), now)).count(), 3);
        assert_eq!(gate.sources(), 1);
        assert!(gate.admit(source(1), now), "who had a place keeps it");
    }

    #[test]
    fn a_source_that_fell_silent_is_forgotten() {
        let (now, mut gate) = (start(), Gate::new(RATE, 10));
        gate.admit(source(1), now);
        let sweep = gate.next_timeout().expect("a remembered source is swept some time");
        gate.handle_timeout(sweep);
        assert_eq!((gate.sources(), gate.next_timeout()), (0, None));
    }

    #[test]
    fn a_rule_is_an_address_or_a_net() {
        let rule: AddressRule = "10.0.0.0/8".parse().unwrap();
        assert!(rule.contains(IpAddr::from([10, 255, 1, 2])));
        assert!(!rule.contains(IpAddr::from([11, 0, 0, 1])));
        assert!(rule.contains("::ffff:10.0.0.1".parse().unwrap()), "IPv4 in IPv6 clothes");
        let host: AddressRule = " 127.0.0.1".parse().unwrap();
        assert!(host.contains(IpAddr::from([127, 0, 0, 1])) && !host.contains(IpAddr::from([127, 0, 0, 2])));
        assert!("0.0.0.0/0".parse::<AddressRule>().unwrap().contains(source(9)));
        assert!("2001:db8::/32".parse::<AddressRule>().unwrap().contains("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn a_rule_that_is_none_is_refused() {
        for text in ["", "ten", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129"] {
            assert!(text.parse::<AddressRule>().is_err(), "{text}");
        }
    }
}
