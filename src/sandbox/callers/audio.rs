//! What callers send, made once: a payload of silence, a loud one, a soft one.

use crate::media::codec::{Codec, FRAME_SAMPLES, LEG_RATE_HZ};
use crate::sandbox::signature::{Loudness, Signature};
use std::time::Duration;

const FRAME_MS: usize = 20;

pub(super) type Payload = [u8; FRAME_SAMPLES];

pub(super) struct Payloads {
    silence: Payload,
    loud: Payload,
    soft: Payload,
}

impl Payloads {
    pub(super) fn new(codec: Codec) -> Self {
        let tone = |loudness: Loudness| {
            std::array::from_fn(|index| codec.encode(loudness.sample(index, LEG_RATE_HZ)))
        };
        Self {
            silence: [codec.silence(); FRAME_SAMPLES],
            loud: tone(Loudness::Loud),
            soft: tone(Loudness::Soft),
        }
    }

    pub(super) fn get(&self, said: Option<Loudness>) -> &Payload {
        match said {
            None => &self.silence,
            Some(Loudness::Loud) => &self.loud,
            Some(Loudness::Soft) => &self.soft,
        }
    }
}

/// How long [`monologue`] is.
pub const MONOLOGUE: Duration = Duration::from_secs(6);

/// What a caller of another program's says over and over, as µ-law octets: one burst that a model of ours recognises, and
/// then silence for long enough to be answered. All who play it are one caller to that model.
pub fn monologue() -> Vec<u8> {
    let payloads = Payloads::new(Codec::Pcmu);
    let signature = Signature::new(0, 0);
    let frames = MONOLOGUE.as_millis() as usize / FRAME_MS;
    let loudness = |frame| (frame < Signature::FRAMES).then(|| signature.loudness(frame));
    (0..frames).flat_map(|frame| *payloads.get(loudness(frame))).collect()
}

/// Whether there is more in a µ-law payload than silence and a filter's last ringing. Nothing is decoded: in µ-law a
/// code's low bits fall as the sample grows, and the lowest segment (to −48 dB of full scale) is one range of them.
pub(super) fn is_voiced(payload: &[u8]) -> bool {
    const SIGN: u8 = 0x80;
    const LOWEST_SEGMENT: u8 = 0x70;
    payload.iter().any(|code| code & !SIGN < LOWEST_SEGMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monologue_is_a_burst_and_then_silence() {
        let said = monologue();
        assert_eq!(said.len(), 6 * 8_000);
        let (burst, rest) = said.split_at(Signature::FRAMES * FRAME_SAMPLES);
        assert!(burst.chunks(FRAME_SAMPLES).all(is_voiced) && !is_voiced(rest));
    }

    #[test]
    fn tones_are_voiced_and_silence_is_not() {
        let payloads = Payloads::new(Codec::Pcmu);
        assert!(is_voiced(payloads.get(Some(Loudness::Loud))));
        assert!(is_voiced(payloads.get(Some(Loudness::Soft))));
        assert!(!is_voiced(payloads.get(None)));
        assert!(!is_voiced(&[Codec::Pcmu.encode(90), Codec::Pcmu.encode(-90), 0x7F]));
        assert!(is_voiced(&[Codec::Pcmu.encode(-200)]));
    }
}
