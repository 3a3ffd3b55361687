//! The speech codings a leg can use. Today both are G.711: eight bits a sample, 8,000 samples a second, stateless.
//!
//! A [`Codec`] knows its names on the wire and turns samples into bytes and back; the tables live in [`g711`].
//! Codecs with state (G.722, Opus) will bring an encoder and a decoder of their own beside it.

pub mod g711;

use serde::{Deserialize, Serialize};

/// What the two sides agreed to speak (RFC 3551, table 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// µ-law: North America, Japan.
    Pcmu,
    /// A-law: everywhere else.
    Pcma,
}

/// Samples a second of every leg we speak.
pub const LEG_RATE_HZ: u32 = 8_000;
/// Samples in one frame of 20 ms at [`LEG_RATE_HZ`]; with G.711 also the bytes of its payload.
pub const FRAME_SAMPLES: usize = 160;
/// Length of one frame.
pub const FRAME_MS: u32 = 20;

impl Codec {
    /// Every codec we can be told to use.
    pub const ALL: [Self; 2] = [Self::Pcmu, Self::Pcma];

    /// The number RFC 3551 gives it; such a number needs no `a=rtpmap`.
    pub fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
        }
    }

    /// The name in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// RTP clock ticks in a second, as said in `a=rtpmap`.
    pub fn clock_rate_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => LEG_RATE_HZ,
        }
    }

    /// The byte that decodes to (nearly) nothing; what a route sends while nobody speaks.
    pub fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xFF,
            Self::Pcma => 0xD5,
        }
    }

    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Pcmu => g711::encode_ulaw(sample),
            Self::Pcma => g711::encode_alaw(sample),
        }
    }

    pub fn decode(self, code: u8) -> i16 {
        match self {
            Self::Pcmu => g711::decode_ulaw(code),
            Self::Pcma => g711::decode_alaw(code),
        }
    }

    /// Decodes as many bytes as `samples` has room for.
    pub fn decode_into(self, codes: &[u8], samples: &mut [i16]) {
        let table = match self {
            Self::Pcmu => &g711::ULAW_SAMPLES,
            Self::Pcma => &g711::ALAW_SAMPLES,
        };
        for (sample, &code) in samples.iter_mut().zip(codes) {
            *sample = table[usize::from(code)];
        }
    }

    /// Appends one byte for each sample.
    pub fn encode_onto(self, samples: &[i16], codes: &mut Vec<u8>) {
        codes.extend(samples.iter().map(|&sample| self.encode(sample)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_silence_byte_cannot_be_heard() {
        for codec in Codec::ALL {
            assert!(codec.decode(codec.silence()).abs() <= 8, "{codec:?}");
        }
    }

    #[test]
    fn decoding_stops_at_the_shorter_side() {
        let mut samples = [1; 4];
        Codec::Pcmu.decode_into(&[0xFF; 2], &mut samples);
        assert_eq!(samples, [0, 0, 1, 1]);
        Codec::Pcmu.decode_into(&[0xFF; 9], &mut samples);
        assert_eq!(samples, [0; 4]);
    }
}
