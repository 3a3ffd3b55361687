//! Each call's own signal in each direction, and the ear that tells whose signal a frame holds.
//!
//! A signal is two of 33 tones, 528 pairs for each side. All tones are multiples of 50 Hz: in 20 ms each makes whole
//! turns, so that a frame of a signal is like the next one and any two tones are orthogonal in every frame, whatever
//! their phases. Hence the ear judges each single frame: so much of its energy is one's own signal, and where that is
//! little, so much is somebody else's.

use std::f64::consts::TAU;

use clearline::media::codec::Codec;
use clearline::media::level::{rms, tone_level};

pub(crate) const CALLS_MAX: usize = 500;
pub(crate) const LEG_RATE_HZ: usize = 8_000;
pub(crate) const FRAMES_PER_SECOND: usize = 50;

const TONES: usize = 33;
const PAIRS: usize = TONES * (TONES - 1) / 2;
const FORGERS: usize = PAIRS - CALLS_MAX;
const SPACING_HZ: usize = 100;
const MODEL_LOWEST_HZ: usize = 200;
const CALLER_LOWEST_HZ: usize = 250;
/// Prime to the number of pairs: neighbouring calls sound unlike each other.
const STRIDE: usize = 211;
/// Of each of the two tones.
const AMPLITUDE: f64 = 6_000.0;
/// Below this nobody speaks: 12 dB under a signal, or a sixteenth of a frame.
const AUDIBLE: f32 = 1_500.0;
/// Below this it is too little of a frame to be clear: a quarter of it.
const LOUD: f32 = 3_000.0;
/// Of a frame in which one's own signal begins or ends so much is one's own at least, if it is loud.
const OWN_SHARE: f32 = 0.22;
/// Of a frame that is all one's own, G.711's noise and the resampler's taken off.
const PURE_SHARE: f32 = 0.9;
/// A splice of one's own voice, which the jitter buffer makes, sounds by up to a quarter like somebody else's. What is
/// softer than this behind one's own voice is looked for on real sockets (`tests/isolation`), 15 dB down.
const FOREIGN_SHARE: f32 = 0.35;

/// Who is to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    Model(usize),
    Caller(usize),
    Forger(usize),
}

impl Voice {
    /// 20 ms.
    pub(crate) fn frame(self, rate_hz: usize) -> Vec<i16> {
        let tones = self.tones_hz();
        let wave = |n: usize, hz: usize| AMPLITUDE * (TAU * (hz * n) as f64 / rate_hz as f64).sin();
        (0..rate_hz / FRAMES_PER_SECOND).map(|n| (wave(n, tones[0]) + wave(n, tones[1])) as i16).collect()
    }

    pub(crate) fn encoded(self, codec: Codec) -> Vec<u8> {
        self.frame(LEG_RATE_HZ).into_iter().map(|sample| codec.encode(sample)).collect()
    }

    fn tones_hz(self) -> [usize; 2] {
        let (lowest_hz, number) = match self {
            Self::Model(call) => (MODEL_LOWEST_HZ, call),
            Self::Caller(call) => (CALLER_LOWEST_HZ, call),
            Self::Forger(number) => (CALLER_LOWEST_HZ, CALLS_MAX + number % FORGERS),
        };
        pair(number * STRIDE % PAIRS).map(|tone| lowest_hz + tone * SPACING_HZ)
    }

    fn share_of(self, frame: &[i16], loudness: f32) -> f32 {
        let energy = self.energies(frame);
        (energy[0] + energy[1]) / loudness.powi(2)
    }

    /// By the weaker of its two tones: the other one may be another voice's too.
    fn certain_share_of(self, frame: &[i16], loudness: f32) -> f32 {
        let energy = self.energies(frame);
        2.0 * energy[0].min(energy[1]) / loudness.powi(2)
    }

    fn energies(self, frame: &[i16]) -> [f32; 2] {
        let rate_hz = (frame.len() * FRAMES_PER_SECOND) as u32;
        self.tones_hz().map(|hz| tone_level(frame, rate_hz, hz as f32).powi(2) / 2.0)
    }
}

/// The `number`th pair in the order (0, 1), (0, 2) … (31, 32).
fn pair(number: usize) -> [usize; 2] {
    let mut rest = number;
    for low in 0..TONES {
        let partners = TONES - 1 - low;
        if rest < partners {
            return [low, low + 1 + rest];
        }
        rest -= partners;
    }
    unreachable!("there are {PAIRS} pairs")
}

/// What one frame sounded like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Impression {
    Silence,
    Own,
    /// Loud, but nobody's: a gap that was filled, or a splice.
    Unclear,
}

/// Listens for one signal.
#[derive(Debug)]
pub(crate) struct Ear {
    own: Voice,
    pub(crate) own_frames: u64,
    pub(crate) unclear_frames: u64,
}

impl Ear {
    pub(crate) fn new(own: Voice) -> Self {
        Self { own, own_frames: 0, unclear_frames: 0 }
    }

    /// `is_made_up` when the receiver itself filled the frame over a gap: that may sound like anything, and comes from
    /// frames that were judged before. Panics at anybody else's voice.
    pub(crate) fn listen(&mut self, frame: &[i16], is_made_up: bool) -> Impression {
        let loudness = rms(frame);
        if loudness < AUDIBLE {
            return Impression::Silence;
        }
        let own = self.own.share_of(frame, loudness);
        // A second voice, or a part of a frame, may hide behind one's own.
        if own < PURE_SHARE && !is_made_up {
            let foreign = loudest_but(self.own, frame, loudness);
            assert!(foreign.is_none(), "who listens for {:?} hears {foreign:?}", self.own);
        }
        if own >= OWN_SHARE && loudness >= LOUD {
            self.own_frames += 1;
            return Impression::Own;
        }
        if loudness < LOUD {
            return Impression::Silence;
        }
        self.unclear_frames += u64::from(!is_made_up);
        Impression::Unclear
    }
}

/// Who of all others has the largest share of a frame, if that is a large one.
fn loudest_but(own: Voice, frame: &[i16], loudness: f32) -> Option<Voice> {
    let models = (0..CALLS_MAX).map(Voice::Model);
    let callers = (0..CALLS_MAX).map(Voice::Caller);
    let all = models.chain(callers).chain((0..FORGERS).map(Voice::Forger));
    let others = all.filter(|voice| *voice != own);
    let shares = others.map(|voice| (voice, voice.certain_share_of(frame, loudness)));
    let (voice, share) = shares.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    (share >= FOREIGN_SHARE).then_some(voice)
}

#[test]
fn no_two_of_a_thousand_signals_are_the_same() {
    let voices = (0..CALLS_MAX).flat_map(|call| [Voice::Model(call), Voice::Caller(call)]);
    let all: Vec<_> = voices.chain((0..FORGERS).map(Voice::Forger)).map(Voice::tones_hz).collect();
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), 2 * CALLS_MAX + FORGERS);
    assert!(all.iter().flatten().all(|hz| hz.is_multiple_of(FRAMES_PER_SECOND) && *hz < 3_500));
}

fn heard_behind(own: Voice, frame: &[i16]) -> Option<String> {
    let listening = std::panic::catch_unwind(|| Ear::new(own).listen(frame, false));
    listening.err().and_then(|panic| panic.downcast_ref::<String>().cloned())
}

#[test]
fn one_foreign_frame_among_ones_own_is_noticed_whoevers_it_is() {
    let own = Voice::Caller(7);
    let mut ear = Ear::new(own);
    assert_eq!(ear.listen(&own.frame(16_000), false), Impression::Own);
    assert_eq!(ear.listen(&[0; 320], false), Impression::Silence);
    for voice in [Voice::Caller(8), Voice::Model(7), Voice::Caller(499), Voice::Forger(3)] {
        let frame = voice.frame(16_000);
        let says = format!("who listens for Caller(7) hears Some({voice:?})");
        assert_eq!(heard_behind(own, &frame), Some(says.clone()));
        let quiet: Vec<i16> = frame.iter().map(|sample| sample / 3).collect();
        assert_eq!(heard_behind(own, &quiet), Some(says), "10 dB below");
    }
}

#[test]
fn a_voice_as_loud_as_ones_own_is_noticed_behind_it_and_a_splice_is_none() {
    let own = Voice::Caller(7);
    let mine = own.frame(16_000);
    for voice in [Voice::Caller(8), Voice::Model(7), Voice::Caller(499), Voice::Forger(3)] {
        let other = voice.frame(16_000);
        let mixed: Vec<i16> = mine.iter().zip(&other).map(|(one, two)| (one + two) / 2).collect();
        assert!(heard_behind(own, &mixed).is_some(), "{voice:?} as loud");
        assert!(heard_behind(own, &[&mine[..100], &other[100..]].concat()).is_some(), "most of {voice:?}");
    }
    assert_eq!(heard_behind(own, &[&mine[..90], &mine[40..270]].concat()), None, "a splice of one's own");
}

#[test]
#[should_panic(expected = "who listens for Caller(7) hears Some(Model(7))")]
fn the_echo_of_ones_own_model_is_foreign_too() {
    Ear::new(Voice::Caller(7)).listen(&Voice::Model(7).frame(16_000), false);
}
