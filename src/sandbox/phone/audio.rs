//! What a phone says and hears.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use crate::media::level::rms;

const RATE_HZ: u32 = 8_000;
const FRAME_SAMPLES: usize = 160;
/// Ten minutes; a longer call keeps its beginning.
const TAPE_FRAMES_MAX: usize = 30_000;
/// About −44 dBFS: above the comfort noise of any codec, below any voice.
const SPEECH_LEVEL: f32 = 200.0;
const FRAMES_UNTIL_SPEECH: u32 = 4;
const FRAMES_UNTIL_SILENCE: u32 = 40;

/// Both directions of a call, frame by frame, at 8 kHz.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    pub said: Vec<i16>,
    pub heard: Vec<i16>,
}

impl Tape {
    pub(super) fn record(&mut self, said: &[i16], heard: &[i16]) {
        if self.said.len() < TAPE_FRAMES_MAX * FRAME_SAMPLES {
            self.said.extend_from_slice(said);
            self.heard.extend_from_slice(heard);
        }
    }
}

/// A pure tone at 8 kHz, with soft ends so that it does not click.
pub fn tone(frequency_hz: f64, seconds: f64, amplitude: f64) -> Vec<i16> {
    let length = (seconds * f64::from(RATE_HZ)) as usize;
    let ramp = (RATE_HZ / 100) as usize;
    let sample = |index: usize| {
        let edge = index.min(length - 1 - index).min(ramp) as f64 / ramp as f64;
        let phase = TAU * frequency_hz * index as f64 / f64::from(RATE_HZ);
        (amplitude * edge * phase.sin()) as i16
    };
    (0..length).map(sample).collect()
}

/// What waits to be said.
#[derive(Default)]
pub(super) struct Voice {
    waiting: VecDeque<i16>,
}

impl Voice {
    pub(super) fn say(&mut self, samples: &[i16]) {
        self.waiting.extend(samples);
    }

    /// The next frame, and whether it was the last of something said.
    pub(super) fn next_frame(&mut self) -> ([i16; FRAME_SAMPLES], bool) {
        let mut frame = [0; FRAME_SAMPLES];
        let speaking = !self.waiting.is_empty();
        for (slot, sample) in
            frame.iter_mut().zip(self.waiting.drain(..FRAME_SAMPLES.min(self.waiting.len())))
        {
            *slot = sample;
        }
        (frame, speaking && self.waiting.is_empty())
    }
}

/// Tells speech from silence in what is heard.
#[derive(Default)]
pub(super) struct Ear {
    hears_speech: bool,
    frames_of_change: u32,
}

impl Ear {
    /// `Some(true)` when speech begins, `Some(false)` when it has ended.
    pub(super) fn hear(&mut self, frame: &[i16]) -> Option<bool> {
        let loud = rms(frame) > SPEECH_LEVEL;
        if loud == self.hears_speech {
            self.frames_of_change = 0;
            return None;
        }
        self.frames_of_change += 1;
        let needed = if loud { FRAMES_UNTIL_SPEECH } else { FRAMES_UNTIL_SILENCE };
        if self.frames_of_change < needed {
            return None;
        }
        self.frames_of_change = 0;
        self.hears_speech = loud;
        Some(loud)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_comes_out_whole_and_its_end_is_told_once() {
        let mut voice = Voice::default();
        voice.say(&tone(440.0, 0.05, 8000.0));
        let ends: Vec<bool> = (0..5).map(|_| voice.next_frame().1).collect();
        assert_eq!(ends, [false, false, true, false, false]);
    }

    #[test]
    fn the_ear_notices_the_beginning_and_the_end_of_speech() {
        let mut ear = Ear::default();
        let speech = tone(440.0, 0.02, 8000.0);
        let heard: Vec<_> = (0..10).filter_map(|_| ear.hear(&speech)).collect();
        assert_eq!(heard, [true]);
        let heard: Vec<_> = (0..100).filter_map(|_| ear.hear(&[0; 160])).collect();
        assert_eq!(heard, [false]);
    }
}
