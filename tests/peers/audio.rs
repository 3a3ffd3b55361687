//! Listening: is this tone there, and is what arrived the same as what was sent?
//!
//! All files are read through sox, so that rates, laws and containers are decoded by a stranger. They are held to the
//! telephone's band, where every peer's filter agrees, and brought to 96 kHz, so that two signals can be laid on each
//! other to a hundredth of a millisecond.

use std::f64::consts::TAU;
use std::path::Path;
use std::process::Command;

pub(crate) const RATE: usize = 96_000;
/// Telephone audio holds nothing above 4 kHz: a coarse search may look at every twelfth sample.
const COARSE_STEP: usize = 12;
const BLOCK: usize = RATE / 50;
/// The share of a block's energy that has to lie in the tone.
const TONE_SHARE: f64 = 0.8;
const AUDIBLE_RMS: f64 = 0.01;

/// One channel at [`RATE`], full scale ±1.
pub(crate) struct Sound(pub Vec<f64>);

/// The two forms of G.711.
#[derive(Clone, Copy)]
pub(crate) enum Law {
    Mu,
    A,
}

#[derive(Debug)]
pub(crate) struct Match {
    pub(crate) at: usize,
    /// 1 for the same signal at any loudness, 0 for strangers.
    pub(crate) correlation: f64,
}

impl Law {
    pub(crate) fn codec(self) -> &'static str {
        match self {
            Self::Mu => "PCMU",
            Self::A => "PCMA",
        }
    }

    pub(crate) fn payload_type(self) -> u8 {
        match self {
            Self::Mu => 0,
            Self::A => 8,
        }
    }

    /// How sox is told to read or write bare octets of this law.
    pub(crate) fn sox_form(self) -> [&'static str; 6] {
        let name = match self {
            Self::Mu => "ul",
            Self::A => "al",
        };
        ["-t", name, "-r", "8000", "-c", "1"]
    }
}

impl Sound {
    pub(crate) fn of_wav(file: &Path) -> Self {
        Self::read(file, &[])
    }

    /// Reads bare G.711 octets.
    pub(crate) fn of_g711(file: &Path, law: Law) -> Self {
        Self::read(file, &law.sox_form())
    }

    fn read(file: &Path, form: &[&str]) -> Self {
        let output = Command::new("sox")
            .args(form)
            .arg(file)
            .args(["-c", "1", "-e", "signed", "-b", "16", "-t", "raw", "-"])
            .args(["rate", "8000", "rate", "96000"])
            .output()
            .expect("sox can be run");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "sox cannot read {}: {complaint}", file.display());
        let sample = |bytes: &[u8]| f64::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0;
        Self(output.stdout.chunks_exact(2).map(sample).collect())
    }

    /// From the first audible block on, without its first `skipped` seconds, at most `seconds` long.
    pub(crate) fn beginning(&self, skipped: f64, seconds: f64) -> Self {
        let silence = self.0.chunks(BLOCK).take_while(|block| rms(block) < AUDIBLE_RMS).count() * BLOCK;
        let start = (silence + (skipped * RATE as f64) as usize).min(self.0.len());
        let end = (start + (seconds * RATE as f64) as usize).min(self.0.len());
        Self(self.0[start..end].to_vec())
    }

    /// The longest stretch, in seconds, in which nearly all that sounds is a tone of `hz`.
    pub(crate) fn longest_tone(&self, hz: f64) -> f64 {
        let is_tone = |block: &[f64]| rms(block) > AUDIBLE_RMS && share_of_tone(block, hz) > TONE_SHARE;
        let blocks: Vec<bool> = self.0.chunks_exact(BLOCK).map(is_tone).collect();
        let longest = blocks.split(|is_tone| !is_tone).map(<[bool]>::len).max().unwrap_or(0);
        (longest * BLOCK) as f64 / RATE as f64
    }

    /// Where in `self` the `part` fits best, and how well.
    pub(crate) fn find(&self, part: &Sound) -> Match {
        let thin = |samples: &[f64]| samples.iter().step_by(COARSE_STEP).copied().collect::<Vec<_>>();
        let (coarse_whole, coarse_part) = (thin(&self.0), thin(&part.0));
        let lags = coarse_whole.len().saturating_sub(coarse_part.len()) + 1;
        let coarse = best_of(0..lags, &coarse_whole, &coarse_part).at * COARSE_STEP;
        best_of(coarse.saturating_sub(COARSE_STEP)..coarse + COARSE_STEP + 1, &self.0, &part.0)
    }
}

fn best_of(lags: impl Iterator<Item = usize>, whole: &[f64], part: &[f64]) -> Match {
    let fitting = lags.map(|at| Match { at, correlation: correlation_at(at, whole, part) });
    let nothing = Match { at: 0, correlation: 0.0 };
    fitting.fold(nothing, |best, next| if next.correlation > best.correlation { next } else { best })
}

/// Normalised: 0 where either is silent or `part` does not fit.
fn correlation_at(at: usize, whole: &[f64], part: &[f64]) -> f64 {
    let Some(window) = whole.get(at..at + part.len()) else { return 0.0 };
    let (mut both, mut ours, mut theirs) = (0.0, 0.0, 0.0);
    for (a, b) in window.iter().zip(part) {
        both += a * b;
        ours += a * a;
        theirs += b * b;
    }
    if ours * theirs > 0.0 { both / (ours * theirs).sqrt() } else { 0.0 }
}

fn rms(block: &[f64]) -> f64 {
    (block.iter().map(|sample| sample * sample).sum::<f64>() / block.len() as f64).sqrt()
}

fn share_of_tone(block: &[f64], hz: f64) -> f64 {
    let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 0.0);
    for (n, sample) in block.iter().enumerate() {
        let angle = TAU * hz * n as f64 / RATE as f64;
        real += sample * angle.cos();
        imaginary += sample * angle.sin();
        energy += sample * sample;
    }
    2.0 * (real * real + imaginary * imaginary) / (energy * block.len() as f64)
}

mod the_ear {
    use super::*;

    fn tone(hz: f64, seconds: f64) -> Vec<f64> {
        (0..(seconds * RATE as f64) as usize)
            .map(|n| 0.5 * (TAU * hz * n as f64 / RATE as f64).sin())
            .collect()
    }

    fn sweep(seconds: f64) -> Vec<f64> {
        let angle = |t: f64| TAU * (400.0 + 300.0 * t) * t;
        (0..(seconds * RATE as f64) as usize).map(|n| 0.5 * angle(n as f64 / RATE as f64).sin()).collect()
    }

    #[test]
    fn finds_a_part_where_it_is_at_any_loudness() {
        let part = sweep(0.5);
        let quieter = part.iter().map(|sample| sample * 0.3);
        let whole = Sound(std::iter::repeat_n(0.0, 7_003).chain(quieter).chain(tone(300.0, 0.2)).collect());
        let found = whole.find(&Sound(part));
        assert_eq!(found.at, 7_003);
        assert!(found.correlation > 0.9999, "{found:?}");
    }

    #[test]
    fn is_not_content_with_a_hole_or_with_a_stranger() {
        let part = sweep(0.5);
        let mut with_hole = part.clone();
        with_hole[4_000..4_000 + BLOCK].fill(0.0);
        assert!(Sound(with_hole).find(&Sound(part.clone())).correlation < 0.99);
        assert!(Sound(tone(1_000.0, 1.0)).find(&Sound(part)).correlation < 0.3);
        assert_eq!(Sound(vec![0.0; RATE]).find(&Sound(sweep(0.1))).correlation, 0.0);
        assert_eq!(Sound(vec![]).find(&Sound(sweep(0.1))).correlation, 0.0);
    }

    #[test]
    fn measures_the_longest_stretch_of_one_tone() {
        let mut heard = tone(440.0, 0.4);
        heard.extend(tone(700.0, 0.2));
        heard.extend(tone(440.0, 1.0));
        let heard = Sound(heard);
        assert!((heard.longest_tone(440.0) - 1.0).abs() < 0.05, "{}", heard.longest_tone(440.0));
        assert!((heard.longest_tone(700.0) - 0.2).abs() < 0.05);
        assert_eq!(heard.longest_tone(1_500.0), 0.0);
        assert_eq!(Sound(vec![0.0; RATE]).longest_tone(440.0), 0.0);
    }

    #[test]
    fn begins_where_sound_begins() {
        let late = Sound([vec![0.0; RATE], tone(440.0, 2.0)].concat());
        let beginning = late.beginning(0.5, 1.0);
        assert_eq!(beginning.0.len(), RATE);
        assert!(beginning.longest_tone(440.0) > 0.9);
    }
}
