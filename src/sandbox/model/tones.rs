//! Which marker tones a tenth of a second holds, all of them at once: cheap enough for a load test's callers, who must know
//! whose model they hear.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::marker::{self, Marker};

/// A bit for each tone, the deepest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tones(u64);

impl Tones {
    /// So long a piece of audio tells the tones apart.
    pub const WINDOW_MS: usize = 100;

    pub fn heard_in(window: &[i16], rate: u32) -> Self {
        let energy: f64 = window.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let weighted = weighted(window);
        let is_heard = |tone: &usize| {
            let amplitude = amplitude_at(&weighted, rate, marker::any_tone_hz(*tone));
            marker::is_loud_enough(amplitude, energy, window.len())
        };
        Self((0..marker::ANY_TONES).filter(is_heard).fold(0, |tones, tone| tones | 1 << tone))
    }

    /// Of that marker and of nothing else.
    pub fn of(marker: Marker) -> Self {
        Self(marker.tone_numbers().iter().fold(0, |tones, tone| tones | 1 << tone))
    }

    /// Both sound at once.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether somebody with this marker is among those who are heard.
    pub fn hold(self, marker: Marker) -> bool {
        let wanted = Self::of(marker).0;
        self.0 & wanted == wanted
    }
}

/// By Hann's window, so that a loud neighbour does not leak into a tone.
pub(super) fn weighted(window: &[i16]) -> Vec<f64> {
    let turn = TAU / window.len() as f64;
    let weight = |position: usize| 1.0 - (turn * position as f64).cos();
    window.iter().enumerate().map(|(position, sample)| f64::from(*sample) * weight(position)).collect()
}

/// Goertzel's filter.
pub(super) fn amplitude_at(weighted: &[f64], rate: u32, hz: f64) -> f64 {
    let twice_cosine = 2.0 * (TAU * hz / f64::from(rate)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in weighted {
        let next = sample + twice_cosine * last - before;
        (before, last) = (last, next);
    }
    let power: f64 = last * last + before * before - twice_cosine * last * before;
    2.0 * power.max(0.0).sqrt() / weighted.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::Codec;

    const RATE: u32 = 8_000;

    /// A tenth of a second, as a telephone passes it on.
    fn heard(markers: &[Marker], from: usize) -> Tones {
        let mixed = |position| markers.iter().map(|marker| marker.sample(position, RATE)).sum::<f64>() as i16;
        let coded = |position| Codec::Pcmu.decode(Codec::Pcmu.encode(mixed(position)));
        let window: Vec<i16> = (from..from + RATE as usize / 10).map(coded).collect();
        Tones::heard_in(&window, RATE)
    }

    #[test]
    fn every_marker_is_told_from_every_other_in_a_tenth_of_a_second() {
        for number in 0..Marker::COUNT {
            let marker = Marker::number(number);
            assert_eq!(heard(&[marker], usize::from(number) * 37), Tones::of(marker), "{number}");
        }
    }

    #[test]
    fn two_that_are_heard_at_once_are_both_told() {
        for number in 0..Marker::OVER_SPEECH {
            let (own, foreign) = (Marker::number(number), Marker::number(number + 1));
            let tones = heard(&[own, foreign], 400);
            assert!(tones.hold(own) && tones.hold(foreign), "{number}: {tones:?}");
        }
    }

    #[test]
    fn silence_holds_nobody() {
        assert_eq!(Tones::heard_in(&[0; 800], RATE), Tones::default());
        assert_eq!(Tones::heard_in(&[], RATE), Tones::default());
    }
}
