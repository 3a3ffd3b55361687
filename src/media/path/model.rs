//! Model to caller: PCM in, leg bytes out.

use crate::media::codec::{Codec, LEG_RATE_HZ};
use crate::media::resample::{Resampler, UnsupportedRate};

/// Encodes one model's speech for one leg.
pub struct ModelPath {
    codec: Codec,
    rate_hz: u32,
    /// `None` while the model speaks at the leg's own rate.
    resampler: Option<Resampler>,
    /// The first half of a sample whose second half is in the next chunk.
    odd_byte: Option<u8>,
}

const SAMPLES_AT_ONCE: usize = 256;

impl ModelPath {
    pub fn new(codec: Codec) -> Self {
        Self { codec, rate_hz: LEG_RATE_HZ, resampler: None, odd_byte: None }
    }

    /// After a re-INVITE. What was encoded before stays in the old codec.
    pub fn set_codec(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// Appends what becomes ready of `pcm` (16 bits, little end first, one channel) to `out`.
    pub fn encode(&mut self, pcm: &[u8], rate_hz: u32, out: &mut Vec<u8>) -> Result<(), UnsupportedRate> {
        self.set_rate(rate_hz)?;
        let pcm = self.complete_odd_sample(pcm, out);
        let (pairs, odd) = pcm.as_chunks::<2>();
        for block in pairs.chunks(SAMPLES_AT_ONCE) {
            let mut samples = [0; SAMPLES_AT_ONCE];
            for (sample, pair) in samples.iter_mut().zip(block) {
                *sample = i16::from_le_bytes(*pair);
            }
            self.encode_samples(&samples[..block.len()], out);
        }
        if let Some(&byte) = odd.first() {
            self.odd_byte = Some(byte);
        }
        Ok(())
    }

    /// The model was interrupted, or a turn is over: nothing of it may colour the next.
    pub fn reset(&mut self) {
        self.odd_byte = None;
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
    }

    fn set_rate(&mut self, rate_hz: u32) -> Result<(), UnsupportedRate> {
        if rate_hz == self.rate_hz {
            return Ok(());
        }
        self.resampler =
            if rate_hz == LEG_RATE_HZ { None } else { Some(Resampler::new(rate_hz, LEG_RATE_HZ)?) };
        self.rate_hz = rate_hz;
        self.odd_byte = None;
        Ok(())
    }

    /// Joins a byte left over from the last chunk with the first of this one; gives back the rest.
    fn complete_odd_sample<'a>(&mut self, pcm: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let Some((&high, rest)) = pcm.split_first() else { return pcm };
        let Some(low) = self.odd_byte.take() else { return pcm };
        self.encode_samples(&[i16::from_le_bytes([low, high])], out);
        rest
    }

    fn encode_samples(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        let codec = self.codec;
        match &mut self.resampler {
            None => codec.encode_onto(samples, out),
            Some(resampler) => resampler.process(samples, |sample| out.push(codec.encode(sample))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::level::tone_level;
    use std::f32::consts::TAU;

    fn tone(rate_hz: u32, frequency_hz: f32) -> Vec<u8> {
        let sample = |n: u32| (10_000.0 * (TAU * frequency_hz * n as f32 / rate_hz as f32).sin()) as i16;
        (0..rate_hz / 2).flat_map(|n| sample(n).to_le_bytes()).collect()
    }

    fn decoded(codec: Codec, codes: &[u8]) -> Vec<i16> {
        codes.iter().map(|&code| codec.decode(code)).collect()
    }

    #[test]
    fn a_tone_of_any_rate_reaches_the_caller_at_its_own_pitch_and_level() {
        for codec in Codec::ALL {
            for rate_hz in [8_000, 16_000, 24_000, 44_100, 48_000] {
                let mut out = Vec::new();
                ModelPath::new(codec).encode(&tone(rate_hz, 1_000.0), rate_hz, &mut out).unwrap();
                assert_eq!(out.len(), 4_000);
                let level = tone_level(&decoded(codec, &out[400..3_600]), 8_000, 1_000.0);
                assert!((9_700.0..10_300.0).contains(&level), "{codec:?} {rate_hz}: {level}");
            }
        }
    }

    #[test]
    fn chunks_may_be_cut_anywhere_even_within_a_sample() {
        let pcm = tone(24_000, 440.0);
        let mut whole = Vec::new();
        ModelPath::new(Codec::Pcma).encode(&pcm, 24_000, &mut whole).unwrap();
        for size in [1, 2, 3, 479, 1_921] {
            let mut path = ModelPath::new(Codec::Pcma);
            let mut cut = Vec::new();
            for chunk in pcm.chunks(size) {
                path.encode(chunk, 24_000, &mut cut).unwrap();
                path.encode(&[], 24_000, &mut cut).unwrap();
            }
            assert_eq!(cut, whole, "chunks of {size} bytes");
        }
    }

    #[test]
    fn after_an_interruption_nothing_of_the_old_sentence_is_left() {
        let mut path = ModelPath::new(Codec::Pcmu);
        let mut out = Vec::new();
        path.encode(&tone(24_000, 440.0)[..4_801], 24_000, &mut out).unwrap();
        path.reset();
        out.clear();
        path.encode(&[0; 960], 24_000, &mut out).unwrap();
        assert_eq!(out, [Codec::Pcmu.silence(); 160]);
    }

    #[test]
    fn a_rate_without_a_filter_is_refused_and_the_old_one_goes_on() {
        let mut path = ModelPath::new(Codec::Pcmu);
        let mut out = Vec::new();
        assert!(path.encode(&[0; 4], 7_919, &mut out).is_err());
        assert!(path.encode(&[0; 4], 8_000, &mut out).is_ok());
        assert_eq!(out.len(), 2);
    }
}
