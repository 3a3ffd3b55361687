//! A caller's burst of tone that says who speaks and how often it has spoken, in its loudness.
//!
//! A load test must know which caller a model hears, through an engine that tells neither. So a burst begins loud and
//! then is loud or soft, 40 ms at a time, by the bits of the caller's number, the burst's, and a check sum. Loudness
//! survives G.711, resampling and a jitter buffer; a burst that a lost packet has torn fails its check and is not
//! counted. The moment of its first sample is the marker by which the way from caller to model is timed.

use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Who speaks, and for the how manyth time; both begin anew after their last number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signature {
    pub caller: u16,
    pub burst: u16,
}

/// How loud a 20 ms frame of a burst is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loudness {
    Loud,
    Soft,
}

const CALLER_BITS: u32 = 12;
const BURST_BITS: u32 = 8;
const CHECK_BITS: u32 = 4;
/// The lead-in, which is loud, and the bits.
const SLOTS: usize = 1 + (CALLER_BITS + BURST_BITS + CHECK_BITS) as usize;
const FRAMES_A_SLOT: usize = 2;

impl Signature {
    pub const CALLERS: u16 = 1 << CALLER_BITS;
    const BURSTS: u16 = 1 << BURST_BITS;
    /// Frames of 20 ms in a whole signature; a burst may go on behind it.
    pub const FRAMES: usize = SLOTS * FRAMES_A_SLOT;

    pub fn new(caller: u16, burst: u16) -> Self {
        Self { caller: caller % Self::CALLERS, burst: burst % Self::BURSTS }
    }

    /// Behind the signature a burst stays loud.
    pub fn loudness(self, frame: usize) -> Loudness {
        let slot = frame / FRAMES_A_SLOT;
        let is_soft = (1..SLOTS).contains(&slot) && self.bits() >> (SLOTS - 1 - slot) & 1 == 0;
        if is_soft { Loudness::Soft } else { Loudness::Loud }
    }

    fn bits(self) -> u32 {
        let payload = u32::from(self.caller) << BURST_BITS | u32::from(self.burst);
        payload << CHECK_BITS | check(payload)
    }

    fn from_bits(bits: u32) -> Option<Self> {
        let payload = bits >> CHECK_BITS;
        let signature = Self {
            caller: (payload >> BURST_BITS) as u16,
            burst: (payload & (u32::from(Self::BURSTS) - 1)) as u16,
        };
        (bits == signature.bits()).then_some(signature)
    }
}

/// The sum of the payload's digits to base 16, begun at five so that silence is no signature.
fn check(payload: u32) -> u32 {
    (0..u32::BITS / CHECK_BITS).fold(5, |sum, digit| sum + (payload >> (digit * CHECK_BITS) & 15)) & 15
}

/// A period of 20 samples at 8 kHz: every frame begins and ends at zero, so frames can be put in any order.
const TONE_HZ: f64 = 400.0;
const LOUD_AMPLITUDE: f64 = 8_000.0;
/// 12 dB below, and still far above what any voice detection takes for silence.
const SOFT_AMPLITUDE: f64 = 2_000.0;

impl Loudness {
    /// The frame's value at a sample of the telephone's rate.
    pub fn sample(self, index: usize, rate_hz: u32) -> i16 {
        let amplitude = match self {
            Self::Loud => LOUD_AMPLITUDE,
            Self::Soft => SOFT_AMPLITUDE,
        };
        (amplitude * (TAU * TONE_HZ * index as f64 / f64::from(rate_hz)).sin()) as i16
    }
}

/// A burst that was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    pub signature: Signature,
    /// When its first sample would sound at a listener who plays each frame as it comes.
    pub onset: Instant,
}

/// Searches a stream of 16 kHz audio for signatures, at the cost of one look at each sample.
#[derive(Debug, Default)]
pub struct SignatureReader {
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waiting for a burst, after so much quiet.
    Quiet {
        samples: usize,
    },
    Reading(Reading),
}

impl Default for State {
    fn default() -> Self {
        Self::Quiet { samples: QUIET_SAMPLES }
    }
}

#[derive(Debug)]
struct Reading {
    onset: Instant,
    position: usize,
    slots: [u32; SLOTS],
}

const RATE_HZ: usize = 16_000;
const SLOT_SAMPLES: usize = RATE_HZ / 25;
/// Only the middle half of a slot is measured: filters and concealment blur its ends.
const SLOT_MIDDLE: std::ops::Range<usize> = SLOT_SAMPLES / 4..SLOT_SAMPLES * 3 / 4;
const ONSET_LEVEL: u16 = 300;
/// So much quiet before a burst tells its onset from a word's within one.
const QUIET_SAMPLES: usize = RATE_HZ / 10;

impl SignatureReader {
    /// Takes the next samples, which came at `at`. A signature is told when its last slot has been heard.
    pub fn hear(&mut self, samples: &[i16], at: Instant) -> Option<Recognised> {
        let rest = match &mut self.state {
            State::Reading(_) => samples,
            State::Quiet { samples: quiet } => {
                let Some(onset) = samples.iter().position(|sample| sample.unsigned_abs() >= ONSET_LEVEL)
                else {
                    *quiet += samples.len();
                    return None;
                };
                if *quiet + onset < QUIET_SAMPLES {
                    *quiet = 0;
                    return None;
                }
                let into_frame = Duration::from_micros((onset * 1_000_000 / RATE_HZ) as u64);
                let reading = Reading { onset: at + into_frame, position: 0, slots: [0; SLOTS] };
                self.state = State::Reading(reading);
                &samples[onset..]
            }
        };
        let State::Reading(reading) = &mut self.state else { return None };
        let finished = reading.read(rest);
        let recognised = finished.then(|| reading.recognise()).flatten();
        if finished {
            self.state = State::Quiet { samples: 0 };
        }
        recognised
    }
}

impl Reading {
    /// True when the last slot is full.
    fn read(&mut self, samples: &[i16]) -> bool {
        for sample in samples {
            let (slot, within) = (self.position / SLOT_SAMPLES, self.position % SLOT_SAMPLES);
            let Some(sum) = self.slots.get_mut(slot) else { return true };
            if SLOT_MIDDLE.contains(&within) {
                *sum += u32::from(sample.unsigned_abs());
            }
            self.position += 1;
        }
        self.position >= SLOTS * SLOT_SAMPLES
    }

    fn recognise(&self) -> Option<Recognised> {
        let (lead_in, bits) = self.slots.split_first()?;
        let is_loud = |sum: &u32| u32::from(sum * 2 > *lead_in);
        let bits = bits.iter().fold(0, |bits, sum| bits << 1 | is_loud(sum));
        Some(Recognised { signature: Signature::from_bits(bits)?, onset: self.onset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn burst(signature: Signature) -> Vec<i16> {
        let frame = |frame| {
            let loudness = signature.loudness(frame);
            (0..320).map(move |index| loudness.sample(index, 16_000))
        };
        (0..Signature::FRAMES + 10).flat_map(frame).collect()
    }

    fn heard(reader: &mut SignatureReader, audio: &[i16], start: Instant) -> Vec<Recognised> {
        let frames = audio.chunks(320).zip(0..);
        frames
            .filter_map(|(frame, number)| reader.hear(frame, start + Duration::from_millis(20) * number))
            .collect()
    }

    #[test]
    fn a_burst_is_recognised_with_the_moment_of_its_first_sample() {
        let start = clock::now();
        for (caller, number, lead) in [(0, 0, 3_200), (1, 2, 3_327), (4_095, 255, 4_000), (1_234, 77, 3_519)]
        {
            let signature = Signature::new(caller, number);
            let mut audio = vec![0; lead];
            audio.extend(burst(signature));
            let found = heard(&mut SignatureReader::default(), &audio, start);
            assert_eq!(found.iter().map(|found| found.signature).collect::<Vec<_>>(), [signature]);
            let expected = start + Duration::from_micros(lead as u64 * 1_000_000 / 16_000);
            assert!(
                found[0].onset - expected < Duration::from_micros(500),
                "{:?}",
                found[0].onset - expected
            );
        }
    }

    #[test]
    fn bursts_one_after_the_other_are_each_recognised() {
        let mut audio = Vec::new();
        for number in 0..3 {
            audio.extend(burst(Signature::new(9, number)));
            audio.extend([0; 6_400]);
        }
        let found = heard(&mut SignatureReader::default(), &audio, clock::now());
        assert_eq!(found.iter().map(|found| found.signature.burst).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_torn_burst_is_nobody_s() {
        let mut audio = burst(Signature::new(5, 5));
        audio[6_400..7_040].fill(0);
        audio[7_680..8_320].fill(8_000);
        assert!(heard(&mut SignatureReader::default(), &audio, clock::now()).is_empty());
    }

    #[test]
    fn silence_and_a_long_tone_are_no_signatures() {
        let tone: Vec<i16> = (0..64_000).map(|index| Loudness::Loud.sample(index, 16_000)).collect();
        assert!(heard(&mut SignatureReader::default(), &tone, clock::now()).is_empty());
        assert!(heard(&mut SignatureReader::default(), &[0; 64_000], clock::now()).is_empty());
    }

    #[test]
    fn no_two_callers_bursts_sound_alike() {
        let bits: std::collections::HashSet<_> = (0..Signature::CALLERS)
            .flat_map(|caller| [0, 1].map(|burst| Signature::new(caller, burst).bits()))
            .collect();
        assert_eq!(bits.len(), 2 * usize::from(Signature::CALLERS));
    }
}
