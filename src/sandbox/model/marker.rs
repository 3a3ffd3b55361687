//! Marker tones: who hears them knows whose model is speaking.
//!
//! A marker is a pair out of eighteen tones between 1700 and 3060 Hz: inside the telephone band, above most of a
//! voice's energy, away from the DTMF tones, and 80 Hz apart, so that a tenth of a second tells them apart even after
//! G.711. The 153 pairs are dealt like the games of a round-robin tournament: nine in a row share no tone.
//!
//! More sessions at once than that get a pair with a tone from fifteen deeper ones, down to 500 Hz, where voices have
//! theirs: 375 more pairs that are told apart only where nothing but markers is spoken
//! ([`SpeechStyle::MarkerOnly`](super::SpeechStyle::MarkerOnly)).

use std::f64::consts::TAU;

use super::tones::{Tones, amplitude_at, weighted};

const TONES: usize = 18;
const LOWEST_HZ: f64 = 1_700.0;
const SPACING_HZ: f64 = 80.0;
const DEEP_TONES: usize = 15;
const LOWEST_DEEP_HZ: f64 = 500.0;
/// Deep and high ones lie on one ladder.
pub(super) const ANY_TONES: usize = DEEP_TONES + TONES;
const DEEP_PAIRS: usize = DEEP_TONES * TONES + DEEP_TONES * (DEEP_TONES - 1) / 2;
const ROUNDS: usize = TONES - 1;
const PAIRS_A_ROUND: usize = TONES / 2;

/// Of each tone; together they peak 20 dB below full scale.
const TONE_AMPLITUDE: f64 = 1_638.0;

/// A tone is heard in a window when it holds this part of the window's energy …
const SHARE_HEARD: f64 = 0.02;
/// … and is at least so strong (amplitude, of 32768), which keeps silence silent.
const AMPLITUDE_HEARD: f64 = 100.0;
/// Words hide tones now and then, and have none of their own for long.
const WINDOWS_HEARD: usize = 3;

/// One of the [`Marker::COUNT`] distinguishable pairs of tones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Marker(u16);

impl Marker {
    /// So many lie above a voice.
    pub const OVER_SPEECH: u16 = (ROUNDS * PAIRS_A_ROUND) as u16;
    pub const COUNT: u16 = Self::OVER_SPEECH + DEEP_PAIRS as u16;

    /// Numbers beyond the last begin anew.
    pub fn number(number: u16) -> Self {
        Self(number % Self::COUNT)
    }

    pub fn index(self) -> u16 {
        self.0
    }

    /// Both tones in Hz, the lower first.
    pub fn tones_hz(self) -> [f32; 2] {
        if let Some(deep_pair) = self.0.checked_sub(Self::OVER_SPEECH) {
            return deep_pair_hz(usize::from(deep_pair)).map(|hz| hz as f32);
        }
        let (round, pair) = (usize::from(self.0) / PAIRS_A_ROUND, usize::from(self.0) % PAIRS_A_ROUND);
        let seat = |turn: usize| (round + turn) % ROUNDS;
        let (a, b) = match pair {
            0 => (ROUNDS, seat(0)),
            other => (seat(other), seat(ROUNDS - other)),
        };
        [tone_hz(a.min(b)) as f32, tone_hz(a.max(b)) as f32]
    }

    /// Where both tones lie among all, the deepest being 0.
    pub(super) fn tone_numbers(self) -> [usize; 2] {
        self.tones_hz().map(|hz| ((f64::from(hz) - LOWEST_DEEP_HZ) / SPACING_HZ).round() as usize)
    }

    /// All tones that markers above a voice are made of.
    pub fn all_tones_hz() -> impl Iterator<Item = f32> {
        (0..TONES).map(|tone| tone_hz(tone) as f32)
    }

    /// Whether both tones of this marker are in the recording, at any rate from 8 kHz up.
    pub fn heard_in(self, samples: &[i16], rate: u32) -> bool {
        self.tones_hz().iter().all(|tone| is_tone_heard_in(samples, rate, *tone))
    }

    /// Every marker tone that is in the recording. More than one's own two means that somebody else is heard.
    pub fn tones_heard_in(samples: &[i16], rate: u32) -> Vec<f32> {
        Self::all_tones_hz().filter(|hz| is_tone_heard_in(samples, rate, *hz)).collect()
    }

    /// The marker's value `position` samples into the turn.
    pub fn sample(self, position: usize, rate: u32) -> f64 {
        let time = position as f64 / f64::from(rate);
        self.tones_hz().iter().map(|hz| TONE_AMPLITUDE * (TAU * f64::from(*hz) * time).sin()).sum()
    }
}

/// The marker named in a system instruction as `[marker 17]`.
pub(super) fn wanted_in(instruction: &str) -> Option<Marker> {
    let (_, rest) = instruction.split_once("[marker ")?;
    let (number, _) = rest.split_once(']')?;
    number.trim().parse().ok().map(Marker::number)
}

pub(super) fn any_tone_hz(number: usize) -> f64 {
    LOWEST_DEEP_HZ + SPACING_HZ * number as f64
}

fn tone_hz(tone: usize) -> f64 {
    LOWEST_HZ + SPACING_HZ * tone as f64
}

/// Each deep tone with each of the high ones, then the deep ones among themselves.
fn deep_pair_hz(pair: usize) -> [f64; 2] {
    let deep_hz = |tone: usize| LOWEST_DEEP_HZ + SPACING_HZ * tone as f64;
    let Some(mut pair) = pair.checked_sub(DEEP_TONES * TONES) else {
        return [deep_hz(pair % DEEP_TONES), tone_hz(pair / DEEP_TONES)];
    };
    let mut lower = 0;
    while pair >= DEEP_TONES - 1 - lower {
        pair -= DEEP_TONES - 1 - lower;
        lower += 1;
    }
    [deep_hz(lower), deep_hz(lower + 1 + pair)]
}

fn is_tone_heard_in(samples: &[i16], rate: u32, hz: f32) -> bool {
    let window = rate as usize * Tones::WINDOW_MS / 1_000;
    let windows = samples.chunks_exact(window.max(1));
    windows.filter(|window| is_heard(window, rate, f64::from(hz))).count() >= WINDOWS_HEARD
}

fn is_heard(window: &[i16], rate: u32, hz: f64) -> bool {
    let energy: f64 = window.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    is_loud_enough(amplitude_at(&weighted(window), rate, hz), energy, window.len())
}

/// Of a tone in a window of so many samples that holds so much energy.
pub(super) fn is_loud_enough(amplitude: f64, energy: f64, samples: usize) -> bool {
    let own_energy = amplitude.powi(2) / 2.0 * samples as f64;
    amplitude >= AMPLITUDE_HEARD && own_energy >= SHARE_HEARD * energy
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::prompts::Prompt;
    use super::*;

    fn recording(markers: &[Marker], rate: u32, ms: usize) -> Vec<i16> {
        let length = rate as usize * ms / 1_000;
        let mixed = |position| markers.iter().map(|marker| marker.sample(position, rate)).sum::<f64>();
        (0..length).map(|position| mixed(position) as i16).collect()
    }

    #[test]
    fn every_marker_is_a_pair_of_its_own() {
        let pairs: HashSet<_> =
            (0..Marker::COUNT).map(|number| Marker::number(number).tones_hz().map(f32::to_bits)).collect();
        assert_eq!((pairs.len(), Marker::OVER_SPEECH), (528, 153));
    }

    #[test]
    fn tones_of_a_marker_keep_their_distance_from_each_other_and_stay_in_the_telephone_band() {
        for number in 0..Marker::COUNT {
            let [lower, higher] = Marker::number(number).tones_hz();
            assert!(lower >= 500.0 && higher <= 3_060.0 && higher - lower >= 80.0, "{number}");
        }
    }

    #[test]
    fn nine_markers_in_a_row_share_no_tone() {
        for round in 0..ROUNDS as u16 {
            let tones: HashSet<_> = (0..9)
                .flat_map(|pair| Marker::number(round * 9 + pair).tones_hz())
                .map(f32::to_bits)
                .collect();
            assert_eq!(tones.len(), TONES);
        }
    }

    #[test]
    fn exactly_its_own_two_tones_are_heard_at_telephone_rate() {
        for number in 0..Marker::OVER_SPEECH {
            let marker = Marker::number(number);
            let heard = Marker::tones_heard_in(&recording(&[marker], 8_000, 500), 8_000);
            assert_eq!(heard, marker.tones_hz());
        }
    }

    /// Quantised as G.711 µ-law does: 255 levels, spaced by the logarithm.
    fn through_g711(sample: i16) -> i16 {
        let level = (1.0 + 255.0 * f64::from(sample).abs() / 32_768.0).ln() / 256.0_f64.ln();
        let quantised = (level * 127.0).round() / 127.0;
        (f64::from(sample).signum() * (256.0_f64.powf(quantised) - 1.0) / 255.0 * 32_767.0) as i16
    }

    #[test]
    fn a_marker_survives_the_telephone_codec() {
        for number in (0..Marker::COUNT).step_by(7) {
            let marker = Marker::number(number);
            let coded: Vec<i16> = recording(&[marker], 8_000, 500).into_iter().map(through_g711).collect();
            assert!(marker.heard_in(&coded, 8_000), "{number}");
            let high = marker.tones_hz().into_iter().filter(|hz| *hz >= LOWEST_HZ as f32);
            assert_eq!(Marker::tones_heard_in(&coded, 8_000), high.collect::<Vec<_>>());
        }
    }

    #[test]
    fn crosstalk_of_a_second_marker_shows_as_foreign_tones() {
        let (own, foreign) = (Marker::number(3), Marker::number(4));
        let mixed = recording(&[own, foreign], 24_000, 500);
        assert!(own.heard_in(&mixed, 24_000) && foreign.heard_in(&mixed, 24_000));
        assert_eq!(Marker::tones_heard_in(&mixed, 24_000).len(), 4);
    }

    #[test]
    fn no_prompt_sounds_like_a_marker() {
        for prompt in Prompt::ALL {
            assert!(Marker::tones_heard_in(prompt.samples(), 24_000).is_empty(), "{prompt:?}");
        }
    }

    #[test]
    fn silence_holds_no_marker() {
        assert!(Marker::tones_heard_in(&[0; 24_000], 24_000).is_empty());
        assert!(Marker::tones_heard_in(&[], 0).is_empty());
    }

    #[test]
    fn an_instruction_can_pick_the_marker() {
        assert_eq!(wanted_in("You are Mira. [marker 17] Be brief."), Some(Marker::number(17)));
        assert_eq!(wanted_in("You are Mira. [marker x]"), None);
    }
}
