//! An address, or a block of them in CIDR form.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    pub fn contains(&self, other: IpAddr) -> bool {
        let (network, network_bits) = bits(self.address);
        let (other, other_bits) = bits(other.to_canonical());
        let ignored = u32::from(network_bits) - u32::from(self.prefix_bits);
        network_bits == other_bits
            && network.checked_shr(ignored).unwrap_or(0) == other.checked_shr(ignored).unwrap_or(0)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.to_owned().try_into()
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self { address, prefix_bits: bits(address).1 }
    }
}

fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is neither an address nor a block such as 192.0.2.0/24");
        let (address, prefix) =
            text.split_once('/').map_or((text.as_str(), None), |(left, right)| (left, Some(right)));
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let longest = bits(address).1;
        let prefix_bits = prefix.map_or(Ok(longest), |prefix| prefix.trim().parse().map_err(|_| wrong()))?;
        if prefix_bits > longest { Err(wrong()) } else { Ok(Self { address, prefix_bits }) }
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        format!("{}/{}", network.address, network.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Network::try_from(network.to_owned()).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_block_holds_its_addresses_and_no_others() {
        assert!(contains("192.0.2.0/24", "192.0.2.77") && !contains("192.0.2.0/24", "192.0.3.1"));
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("2001:db8::/32", "2001:db8::5") && contains("::/0", "2001:db8::5"));
        assert!(contains("192.0.2.0/24", "::ffff:192.0.2.1"), "a mapped address is the IPv4 one");
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for bad in ["", "gateway", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2/24"] {
            assert!(Network::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
