//! Which addresses belong to the public internet. What an operator's tool names must not lead into the operator's own
//! network, nor to this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Neither private, nor this machine's, its link's or its provider's own, nor set aside for something else.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = match first {
        0 | 10 | 127 | 224.. => true,
        100 => (64..128).contains(&second),
        169 => second == 254,
        172 => (16..32).contains(&second),
        192 => second == 168 || (second == 0 && (third == 0 || third == 2)),
        198 => second == 18 || second == 19 || (second == 51 && third == 100),
        203 => second == 0 && third == 113,
        _ => false,
    };
    !is_special
}

/// Of the one block that is given out, without what is set aside in it. The forms that carry an IPv4 address are what
/// that address is.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let carried = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => carried(high, low),
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_internet_are_public() {
        for public in ["8.8.8.8", "172.15.0.1", "100.128.0.1", "192.1.0.1", "2a00:1450::1", "2606:4700::1111"]
        {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
    }

    #[test]
    fn private_local_and_reserved_ones_are_not_however_they_are_written() {
        for other in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b::10.0.0.1",
            "2002:0a00:0001::1",
            "::7f00:1",
        ] {
            assert!(!is_public(other.parse().expect("an address")), "{other}");
        }
    }
}
