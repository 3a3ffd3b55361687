//! Each call's own signal, in both directions, and the ear that tells whose signal was heard.

use std::f64::consts::TAU;

use clearline::media::level::{rms, tone_level};

pub(crate) const CALLS_MAX: usize = 8;
const MODEL_LOWEST_HZ: usize = 400;
const CALLER_LOWEST_HZ: usize = 1_600;
/// Far enough apart for a tenth of a second to tell them.
const SPACING_HZ: usize = 137;
const AMPLITUDE: f64 = 8_000.0;
/// Below this nobody speaks.
const LOUD: f32 = 1_000.0;
/// One frame of another call among five of one's own would be heard at 1,600; beginnings and ends spread to 400.
const FOREIGN: f32 = 800.0;

pub(crate) fn model_tone_hz(call: usize) -> usize {
    MODEL_LOWEST_HZ + call * SPACING_HZ
}

pub(crate) fn caller_tone_hz(call: usize) -> usize {
    CALLER_LOWEST_HZ + call * SPACING_HZ
}

/// `length` samples of a tone, from its `start`th on.
pub(crate) fn tone(hz: usize, rate_hz: usize, start: usize, length: usize) -> Vec<i16> {
    let sample = |n: usize| (AMPLITUDE * (TAU * (hz * n) as f64 / rate_hz as f64).sin()) as i16;
    (start..start + length).map(sample).collect()
}

pub(crate) fn is_loud(samples: &[i16]) -> bool {
    rms(samples) > LOUD
}

/// Whether the own tone was heard; panics at any other.
pub(crate) fn hears_only(own_hz: usize, samples: &[i16], rate_hz: u32, who: &str) -> bool {
    let mut heard = false;
    for (number, window) in
        samples.chunks_exact(rate_hz as usize / 10).enumerate().filter(|(_, w)| is_loud(w))
    {
        for hz in (0..CALLS_MAX).flat_map(|call| [model_tone_hz(call), caller_tone_hz(call)]) {
            let level = tone_level(window, rate_hz, hz as f32);
            heard |= hz == own_hz && level > LOUD;
            assert!(hz == own_hz || level < FOREIGN, "{who} hears {hz} Hz at {level} in tenth {number}");
        }
    }
    heard
}
