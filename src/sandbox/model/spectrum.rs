//! Which steady tones are in a stretch of the caller's audio: a Fourier transform and its peaks.

use std::f64::consts::TAU;

/// 128 ms at 8 kHz: bins 7.8 Hz apart.
const WINDOW: usize = 1_024;
const RATE: f64 = 8_000.0;

/// A tone holds at least this part of its window's energy.
const MIN_SHARE: f64 = 0.08;
const MAX_PEAKS: usize = 4;
/// Two windows in a row must agree within this.
const SAME_TONE_HZ: f64 = 8.0;
/// Bins that belong to one peak, to either side.
const PEAK_BINS: usize = 3;

/// Collects 16 kHz audio and tells which tones held over two windows.
#[derive(Debug, Default)]
pub(super) struct ToneMeter {
    window: Vec<f64>,
    half: Option<f64>,
    last_peaks: Vec<f64>,
}

/// How long one agreement of two windows counts.
pub(super) const TONE_STEP_MS: u64 = (WINDOW as u64 * 1_000) / RATE as u64;

impl ToneMeter {
    /// Gives the tones (Hz) of each window that this sample completes and that the window before had, too.
    pub(super) fn push(&mut self, sample: i16) -> Option<Vec<f64>> {
        let value = f64::from(sample);
        match self.half.take() {
            None => self.half = Some(value),
            Some(first) => self.window.push((first + value) / 2.0),
        }
        if self.window.len() < WINDOW {
            return None;
        }
        let peaks = peaks(&self.window);
        self.window.clear();
        let steady = peaks.iter().copied().filter(|hz| holds(&self.last_peaks, *hz)).collect();
        self.last_peaks = peaks;
        Some(steady)
    }

    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

fn holds(tones: &[f64], hz: f64) -> bool {
    tones.iter().any(|tone| (tone - hz).abs() <= SAME_TONE_HZ)
}

/// The frequencies that stand out of a window, lowest first.
fn peaks(window: &[f64]) -> Vec<f64> {
    let mut powers = power_spectrum(window);
    let total: f64 = powers.iter().sum();
    let mut found = Vec::new();
    while found.len() < MAX_PEAKS {
        let Some((bin, _)) = powers.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)) else { break };
        let around = bin.saturating_sub(PEAK_BINS)..(bin + PEAK_BINS + 1).min(powers.len());
        let share: f64 = powers[around.clone()].iter().sum();
        if total <= 0.0 || share < MIN_SHARE * total || bin == 0 {
            break;
        }
        let centre = around.clone().map(|index| index as f64 * powers[index]).sum::<f64>() / share;
        found.push(centre * RATE / WINDOW as f64);
        powers[around].fill(0.0);
    }
    found.sort_by(f64::total_cmp);
    found
}

/// Power of each bin below half the rate, under a Hann window.
fn power_spectrum(window: &[f64]) -> Vec<f64> {
    let turn = TAU / window.len() as f64;
    let weighted = |(position, value): (usize, &f64)| (value * (1.0 - (turn * position as f64).cos()), 0.0);
    let points: Vec<(f64, f64)> = window.iter().enumerate().map(weighted).collect();
    fourier(&points).iter().take(window.len() / 2).map(|(re, im)| re * re + im * im).collect()
}

/// Cooley and Tukey's halving; the length is a power of two.
fn fourier(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let [first, _, ..] = points else { return points.to_vec() };
    let half = points.len() / 2;
    let every_other = |from: usize| points.iter().skip(from).step_by(2).copied().collect::<Vec<_>>();
    let (even, odd) = (fourier(&every_other(0)), fourier(&every_other(1)));
    let mut result = vec![*first; points.len()];
    for (bin, (even, odd)) in even.iter().zip(&odd).enumerate() {
        let (sin, cos) = (-TAU * bin as f64 / points.len() as f64).sin_cos();
        let turned = (odd.0 * cos - odd.1 * sin, odd.0 * sin + odd.1 * cos);
        result[bin] = (even.0 + turned.0, even.1 + turned.1);
        result[bin + half] = (even.0 - turned.0, even.1 - turned.1);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(tones: &[f64]) -> Vec<f64> {
        let mut meter = ToneMeter::default();
        let sample = |position: usize| {
            tones.iter().map(|hz| 4_000.0 * (TAU * hz * position as f64 / 16_000.0).sin()).sum::<f64>() as i16
        };
        (0..16_000).filter_map(|position| meter.push(sample(position))).nth(2).unwrap()
    }

    #[test]
    fn a_single_tone_is_measured_to_a_few_hertz() {
        for hz in [320.0, 440.0, 697.0, 1_004.0, 2_500.0, 3_300.0] {
            let tones = heard(&[hz]);
            assert_eq!(tones.len(), 1, "{hz}: {tones:?}");
            assert!((tones[0] - hz).abs() < 4.0, "{hz}: {tones:?}");
        }
    }

    #[test]
    fn both_tones_of_a_key_press_are_found() {
        let tones = heard(&[770.0, 1_336.0]);
        assert!(tones.len() == 2 && (tones[0] - 770.0).abs() < 4.0 && (tones[1] - 1_336.0).abs() < 4.0);
    }

    #[test]
    fn noise_has_no_tones() {
        let mut noise = crate::domain::Entropy::from_number(3);
        let mut meter = ToneMeter::default();
        let windows = (0..32_000).filter_map(|_| meter.push(noise.next_u16() as i16));
        assert!(windows.flatten().next().is_none());
    }
}
