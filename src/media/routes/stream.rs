//! The one stream a call sends: a single SSRC, numbers without gaps, a clock that never stops.

use crate::domain::Entropy;
use crate::media::rtp::RtpHeader;
use crate::media::sdp::Codec;

/// How the audio of a stream is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    pub payload_type: u8,
    /// Ticks of the RTP clock in one frame.
    pub ticks_per_frame: u32,
}

/// The media clock sends one frame in this time.
const FRAMES_PER_SECOND: u32 = 50;

impl Framing {
    pub fn new(codec: Codec, payload_type: u8) -> Self {
        Self { payload_type, ticks_per_frame: codec.clock_rate_hz() / FRAMES_PER_SECOND }
    }
}

/// Lives as long as its call: a rebuilt session, a re-INVITE or another codec go on in the same numbering.
#[derive(Debug)]
pub struct OutgoingStream {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    framing: Framing,
    event_timestamp: u32,
}

impl OutgoingStream {
    /// Numbering and clock begin at random values (RFC 3550, section 5.1).
    pub fn new(ssrc: u32, framing: Framing, entropy: &mut Entropy) -> Self {
        let timestamp = entropy.next_u32();
        Self { ssrc, sequence: entropy.next_u16(), timestamp, framing, event_timestamp: timestamp }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Where the clock stands: the time-stamp of the next frame.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    pub fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// One frame of audio; `marker` opens a talkspurt.
    pub fn write_frame(&mut self, payload: &[u8], marker: bool, out: &mut Vec<u8>) {
        self.write(self.framing.payload_type, self.timestamp, payload, marker, out);
    }

    /// One packet of a DTMF event in place of a frame. All packets of an event bear the time of its first one, which
    /// is marked (RFC 4733, section 2.5), while the clock runs on beneath.
    pub fn write_event(&mut self, payload_type: u8, payload: &[u8], is_first: bool, out: &mut Vec<u8>) {
        if is_first {
            self.event_timestamp = self.timestamp;
        }
        self.write(payload_type, self.event_timestamp, payload, is_first, out);
    }

    /// Time that passes without a packet: the clock moves on, the numbers do not.
    pub fn skip(&mut self, frames: u32) {
        self.timestamp = self.timestamp.wrapping_add(self.framing.ticks_per_frame.wrapping_mul(frames));
    }

    fn write(&mut self, payload_type: u8, timestamp: u32, payload: &[u8], marker: bool, out: &mut Vec<u8>) {
        let (ssrc, sequence) = (self.ssrc, self.sequence);
        RtpHeader { ssrc, sequence, timestamp, payload_type, marker }.write(payload, out);
        self.sequence = sequence.wrapping_add(1);
        self.skip(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::rtp::RtpPacket;

    const G711: Framing = Framing { payload_type: 8, ticks_per_frame: 160 };

    fn stream() -> OutgoingStream {
        OutgoingStream::new(7, G711, &mut Entropy::from_number(1))
    }

    fn header(datagram: &[u8]) -> (u16, u32, u8, bool) {
        let packet = RtpPacket::parse(datagram).unwrap();
        assert_eq!(packet.ssrc, 7);
        (packet.sequence, packet.timestamp, packet.payload_type, packet.marker)
    }

    #[test]
    fn numbers_and_clock_go_on_across_their_ends() {
        let mut stream = OutgoingStream { sequence: 65_535, timestamp: u32::MAX - 159, ..stream() };
        let mut out = Vec::new();
        stream.write_frame(&[0; 160], true, &mut out);
        assert_eq!(header(&out), (65_535, u32::MAX - 159, 8, true));
        stream.write_frame(&[0; 160], false, &mut out);
        assert_eq!(header(&out), (0, 0, 8, false));
    }

    #[test]
    fn a_pause_moves_the_clock_and_leaves_no_gap_in_the_numbers() {
        let mut stream = OutgoingStream { sequence: 1, timestamp: 0, ..stream() };
        let mut out = Vec::new();
        stream.skip(50);
        stream.write_frame(&[0; 160], true, &mut out);
        assert_eq!(header(&out), (1, 8_000, 8, true));
    }

    #[test]
    fn an_event_keeps_the_time_of_its_start_and_audio_goes_on_where_the_clock_is() {
        let mut stream = OutgoingStream { sequence: 1, timestamp: 1_600, ..stream() };
        let mut out = Vec::new();
        let seen: Vec<_> = [true, false, false]
            .map(|is_first| {
                stream.write_event(101, &[1, 10, 0, 160], is_first, &mut out);
                header(&out)
            })
            .to_vec();
        assert_eq!(seen, [(1, 1_600, 101, true), (2, 1_600, 101, false), (3, 1_600, 101, false)]);
        stream.write_frame(&[0; 160], false, &mut out);
        assert_eq!(header(&out), (4, 2_080, 8, false));
    }

    #[test]
    fn another_codec_goes_on_in_the_same_numbering() {
        let mut stream = OutgoingStream { sequence: 1, timestamp: 0, ..stream() };
        let mut out = Vec::new();
        stream.write_frame(&[0; 160], false, &mut out);
        stream.set_framing(Framing { payload_type: 0, ..G711 });
        stream.write_frame(&[0; 160], false, &mut out);
        assert_eq!(header(&out), (2, 160, 0, false));
    }
}
