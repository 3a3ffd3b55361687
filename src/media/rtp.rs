//! RTP packets (RFC 3550, section 5): a view of one that arrived, and the header of one that leaves.

use rtp_rs::RtpReader;

/// One packet that arrived. Header extensions, contributing sources and padding are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub payload_type: u8,
    pub marker: bool,
    pub payload: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// `None` for anything that is not a whole RTP packet of version 2.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let reader = RtpReader::new(datagram).ok()?;
        Some(Self {
            ssrc: reader.ssrc(),
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            payload_type: reader.payload_type(),
            marker: reader.mark(),
            payload: reader.payload(),
        })
    }
}

/// The fixed header of a packet that leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub payload_type: u8,
    pub marker: bool,
}

impl RtpHeader {
    pub const BYTES: usize = 12;
    const VERSION_2: u8 = 0x80;
    const MARKER: u8 = 0x80;

    /// Replaces what is in `out`, whose memory is used again.
    pub fn write(&self, payload: &[u8], out: &mut Vec<u8>) {
        let marker = if self.marker { Self::MARKER } else { 0 };
        out.clear();
        out.extend([Self::VERSION_2, marker | (self.payload_type & !Self::MARKER)]);
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
        out.extend_from_slice(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Entropy;

    const HEADER: RtpHeader =
        RtpHeader { ssrc: 0xDEAD_BEEF, sequence: 65_535, timestamp: 160, payload_type: 8, marker: true };

    #[test]
    fn a_written_packet_reads_back_the_same() {
        let mut datagram = vec![1, 2, 3];
        HEADER.write(&[7; 160], &mut datagram);
        let packet = RtpPacket::parse(&datagram).unwrap();
        assert_eq!((packet.ssrc, packet.sequence, packet.timestamp), (0xDEAD_BEEF, 65_535, 160));
        assert_eq!((packet.payload_type, packet.marker, packet.payload), (8, true, &[7; 160][..]));
        assert_eq!(datagram.len(), RtpHeader::BYTES + 160);
    }

    #[test]
    fn extensions_sources_and_padding_are_not_audio() {
        let mut datagram = Vec::new();
        HEADER.write(&[], &mut datagram);
        datagram[0] |= 0x31;
        datagram.extend([0, 0, 0, 9]);
        datagram.extend([0xBE, 0xDE, 0, 1, 1, 2, 3, 4]);
        datagram.extend([42, 43, 0, 0, 3]);
        assert_eq!(RtpPacket::parse(&datagram).unwrap().payload, [42, 43]);
    }

    #[test]
    fn a_cut_packet_is_not_a_packet() {
        let mut datagram = Vec::new();
        HEADER.write(&[0; 4], &mut datagram);
        assert!(RtpPacket::parse(&datagram[..11]).is_none());
        datagram[0] = 0x40;
        assert!(RtpPacket::parse(&datagram).is_none());
        datagram[0] = 0x9f;
        assert!(RtpPacket::parse(&datagram).is_none());
    }

    #[test]
    fn no_bytes_make_the_parser_panic() {
        let mut entropy = Entropy::from_number(7);
        for _ in 0..50_000 {
            let length = entropy.below(96) as usize;
            let mut datagram: Vec<u8> = (0..length).map(|_| entropy.next_u32() as u8).collect();
            if let Some(first) = datagram.first_mut() {
                *first = 0x80 | (*first & 0x3f);
            }
            let payload_bytes = RtpPacket::parse(&datagram).map_or(0, |packet| packet.payload.len());
            assert!(payload_bytes <= length);
        }
    }
}
