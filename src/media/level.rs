//! How loud a stretch of samples is, as a whole or at one frequency. All levels are in sample units (0 to 32,768).

use std::f32::consts::TAU;

/// The root mean square; 0 of nothing.
pub fn rms(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    let energy: i64 = samples.iter().map(|&sample| i64::from(sample) * i64::from(sample)).sum();
    (energy as f64 / samples.len() as f64).sqrt() as f32
}

/// The largest distance from zero.
pub fn peak(samples: &[i16]) -> u16 {
    samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

/// The amplitude of the sine of `frequency_hz` within `samples` (Goertzel). Two tones are told apart when they differ
/// by more than the inverse of the stretch's length: 20 Hz in 50 ms.
pub fn tone_level(samples: &[i16], rate_hz: u32, frequency_hz: f32) -> f32 {
    if samples.is_empty() || rate_hz == 0 {
        return 0.0;
    }
    let turn = TAU * frequency_hz / rate_hz as f32;
    let coefficient = f64::from(2.0 * turn.cos());
    let (mut last, mut before) = (0.0_f64, 0.0_f64);
    for &sample in samples {
        (last, before) = (f64::from(sample) + coefficient * last - before, last);
    }
    let power = last * last + before * before - coefficient * last * before;
    (power.max(0.0).sqrt() * 2.0 / samples.len() as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frequency_hz: f32, amplitude: f32) -> Vec<i16> {
        (0..800).map(|n| (amplitude * (TAU * frequency_hz * n as f32 / 8_000.0).sin()) as i16).collect()
    }

    #[test]
    fn a_tone_is_found_at_its_own_frequency_and_nowhere_else() {
        let samples = tone(1_000.0, 10_000.0);
        assert!((tone_level(&samples, 8_000, 1_000.0) - 10_000.0).abs() < 20.0);
        for other in [300.0, 900.0, 1_100.0, 3_000.0] {
            assert!(tone_level(&samples, 8_000, other) < 20.0, "{other} Hz");
        }
    }

    #[test]
    fn two_tones_at_once_are_measured_apart() {
        let (low, high) = (tone(700.0, 8_000.0), tone(1_900.0, 2_000.0));
        let both: Vec<i16> = low.iter().zip(&high).map(|(a, b)| a + b).collect();
        assert!((tone_level(&both, 8_000, 700.0) - 8_000.0).abs() < 50.0);
        assert!((tone_level(&both, 8_000, 1_900.0) - 2_000.0).abs() < 50.0);
    }

    #[test]
    fn a_sine_has_its_peak_and_seven_tenths_of_it_as_rms() {
        let samples = tone(1_000.0, 10_000.0);
        assert_eq!(peak(&samples), 10_000);
        assert!((rms(&samples) - 7_071.0).abs() < 5.0);
        assert_eq!((peak(&[i16::MIN]), rms(&[i16::MIN])), (32_768, 32_768.0));
    }

    #[test]
    fn nothing_has_no_level() {
        assert_eq!((rms(&[]), peak(&[]), tone_level(&[], 8_000, 440.0)), (0.0, 0, 0.0));
        assert_eq!(tone_level(&[1, 2], 0, 440.0), 0.0);
    }
}
