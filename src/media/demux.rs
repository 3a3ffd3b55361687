//! Which protocol a datagram on a media port speaks, by its first two bytes (RFC 7983; RFC 5761 for RTCP).

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketKind {
    Rtp,
    Rtcp,
    Stun,
    Dtls,
    /// ZRTP, TURN channels, keep-alives of one byte, noise.
    Other,
}

pub fn classify(datagram: &[u8]) -> PacketKind {
    match *datagram {
        // RTCP's packet types look like marked RTP of the payload types 64-95, which nobody assigns.
        [128..=191, 192..=223, ..] => PacketKind::Rtcp,
        [128..=191, _, ..] => PacketKind::Rtp,
        [0..=3, _, ..] => PacketKind::Stun,
        [20..=63, _, ..] => PacketKind::Dtls,
        _ => PacketKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocols_apart() {
        let kinds = [
            (&[0x80, 0][..], PacketKind::Rtp),
            (&[0x90, 0x80 | 101], PacketKind::Rtp),
            (&[0x80, 200], PacketKind::Rtcp),
            (&[0xa1, 203], PacketKind::Rtcp),
            (&[0, 1], PacketKind::Stun),
            (&[22, 254], PacketKind::Dtls),
            (&[0x40, 0], PacketKind::Other),
            (&[0x80], PacketKind::Other),
            (&[], PacketKind::Other),
        ];
        for (datagram, expected) in kinds {
            assert_eq!(classify(datagram), expected, "{datagram:?}");
        }
    }
}
