//! The caller as the model hears them: every rate brought to 16 kHz, kept, searched for speech and for tones.

use super::report::HeardTone;
use super::settings::Listening;
use super::spectrum::{TONE_STEP_MS, ToneMeter};
use super::vad::{Detection, Edge, FRAME_MS, Vad};

pub(super) const RATE: u32 = 16_000;
const FRAME_SAMPLES: usize = RATE as usize * FRAME_MS as usize / 1_000;

/// Distinct tones kept per session and per utterance.
const MAX_TONES: usize = 16;
/// Measurements of one tone lie within this.
const SAME_TONE_HZ: f64 = 12.0;

const DTMF_LOW_HZ: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const DTMF_HIGH_HZ: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const DTMF_KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Started,
    /// The utterance is over; what was recognised in it, if it was tones, and how long it was.
    Ended {
        words: Option<String>,
        ms: u64,
    },
}

pub(super) struct Ear {
    /// `None`: the client brackets speech itself.
    vad: Option<Vad>,
    bracket_open: bool,
    rate: u32,
    phase: f64,
    previous: f64,
    frame: Vec<i16>,
    recording: Vec<i16>,
    max_recording: usize,
    heard_samples: u64,
    utterance_samples: u64,
    /// `None`: tones are not looked for.
    meter: Option<ToneMeter>,
    utterance_tones: Vec<HeardTone>,
    tones: Vec<HeardTone>,
}

impl Ear {
    pub(super) fn new(detection: Option<Detection>, listening: Listening, keep_audio_s: u32) -> Self {
        Self {
            vad: detection.map(Vad::new),
            bracket_open: false,
            rate: RATE,
            phase: 0.0,
            previous: 0.0,
            frame: Vec::with_capacity(FRAME_SAMPLES),
            recording: Vec::new(),
            max_recording: keep_audio_s as usize * RATE as usize,
            heard_samples: 0,
            utterance_samples: 0,
            meter: (listening == Listening::Closely).then(ToneMeter::default),
            utterance_tones: Vec::new(),
            tones: Vec::new(),
        }
    }

    pub(super) fn is_manual(&self) -> bool {
        self.vad.is_none()
    }

    pub(super) fn is_in_speech(&self) -> bool {
        self.vad.as_ref().map_or(self.bracket_open, Vad::is_speaking)
    }

    pub(super) fn heard_ms(&self) -> u64 {
        self.heard_samples * 1_000 / u64::from(RATE)
    }

    pub(super) fn recording(&self) -> &[i16] {
        &self.recording
    }

    pub(super) fn take_recording(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.recording)
    }

    pub(super) fn tones(&self) -> &[HeardTone] {
        &self.tones
    }

    /// Takes audio at its declared rate. Gives what happened, in order.
    pub(super) fn hear(&mut self, samples: &[i16], rate: u32) -> Vec<Heard> {
        if rate != self.rate {
            (self.rate, self.phase) = (rate, 0.0);
        }
        let mut events = Vec::new();
        for sample in samples {
            self.resample(f64::from(*sample), &mut events);
        }
        events
    }

    /// `activityStart`, where the client brackets speech itself.
    pub(super) fn open_bracket(&mut self) -> Heard {
        self.bracket_open = true;
        self.begin_utterance()
    }

    /// `activityEnd`, or `audioStreamEnd` where detection is automatic: the utterance is over now.
    pub(super) fn close(&mut self) -> Option<Heard> {
        let open = match &mut self.vad {
            Some(vad) => vad.flush().is_some(),
            None => std::mem::take(&mut self.bracket_open),
        };
        open.then(|| self.end_utterance())
    }

    /// On straight lines between the samples; good enough to judge levels and find tones.
    fn resample(&mut self, sample: f64, events: &mut Vec<Heard>) {
        let step = f64::from(self.rate) / f64::from(RATE);
        while self.phase < 1.0 {
            let value = self.previous + (sample - self.previous) * self.phase;
            self.take(value as i16, events);
            self.phase += step;
        }
        self.phase -= 1.0;
        self.previous = sample;
    }

    fn take(&mut self, sample: i16, events: &mut Vec<Heard>) {
        self.heard_samples += 1;
        if self.recording.len() < self.max_recording {
            self.recording.push(sample);
        }
        self.frame.push(sample);
        if self.frame.len() == FRAME_SAMPLES {
            let frame = std::mem::take(&mut self.frame);
            self.judge(&frame, events);
            self.frame = frame;
            self.frame.clear();
        }
    }

    fn judge(&mut self, frame: &[i16], events: &mut Vec<Heard>) {
        let edge = self.vad.as_mut().and_then(|vad| vad.push(frame));
        if edge == Some(Edge::SpeechStarted) {
            events.push(self.begin_utterance());
        }
        if self.is_in_speech() {
            self.measure(frame);
        }
        if edge == Some(Edge::SpeechEnded) {
            events.push(self.end_utterance());
        }
    }

    fn begin_utterance(&mut self) -> Heard {
        self.utterance_samples = 0;
        self.utterance_tones.clear();
        self.meter.iter_mut().for_each(ToneMeter::reset);
        Heard::Started
    }

    fn measure(&mut self, frame: &[i16]) {
        self.utterance_samples += frame.len() as u64;
        let Some(meter) = &mut self.meter else { return };
        for sample in frame {
            for hz in meter.push(*sample).unwrap_or_default() {
                note(&mut self.utterance_tones, hz);
                note(&mut self.tones, hz);
            }
        }
    }

    fn end_utterance(&mut self) -> Heard {
        let ms = self.utterance_samples * 1_000 / u64::from(RATE);
        Heard::Ended { words: words_for(&self.utterance_tones), ms }
    }
}

fn note(tones: &mut Vec<HeardTone>, hz: f64) {
    let known = tones.iter().position(|tone| (f64::from(tone.hz) - hz).abs() <= SAME_TONE_HZ);
    if let Some(tone) = known.and_then(|index| tones.get_mut(index)) {
        tone.ms += TONE_STEP_MS;
    } else if tones.len() < MAX_TONES {
        tones.push(HeardTone { hz: hz.round() as f32, ms: TONE_STEP_MS });
    }
}

/// Tones as the words of a transcript. Speech has steady pitches now and then; only what lasted is taken for a signal.
fn words_for(tones: &[HeardTone]) -> Option<String> {
    let longest = tones.iter().map(|tone| tone.ms).max().filter(|ms| *ms >= 2 * TONE_STEP_MS)?;
    let lasting: Vec<f64> =
        tones.iter().filter(|tone| tone.ms * 2 >= longest).map(|tone| f64::from(tone.hz)).collect();
    if let Some(key) = dtmf_key(&lasting) {
        return Some(format!("digit {key}"));
    }
    let names: Vec<String> = lasting.iter().map(|hz| format!("tone {} Hz", well_known(*hz))).collect();
    Some(names.join(" and "))
}

fn dtmf_key(tones: &[f64]) -> Option<char> {
    let &[first, second] = tones else { return None };
    let place = |table: &[f64], hz: f64| table.iter().position(|known| (known - hz).abs() < SAME_TONE_HZ);
    let row = place(&DTMF_LOW_HZ, first.min(second))?;
    DTMF_KEYS.get(row)?.get(place(&DTMF_HIGH_HZ, first.max(second))?).copied()
}

/// A measured frequency, named by the DTMF tone it is, or else to the next 10 Hz.
fn well_known(hz: f64) -> u32 {
    let dtmf = DTMF_LOW_HZ.iter().chain(&DTMF_HIGH_HZ).find(|known| (*known - hz).abs() < 5.0);
    dtmf.copied().unwrap_or((hz / 10.0).round() * 10.0) as u32
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tones(hertz: &[f64], rate: u32, ms: usize) -> Vec<i16> {
        let sample = |at: usize| {
            hertz.iter().map(|hz| 5_000.0 * (TAU * hz * at as f64 / f64::from(rate)).sin()).sum::<f64>()
                as i16
        };
        (0..rate as usize * ms / 1_000).map(sample).collect()
    }

    fn recognised(hertz: &[f64], rate: u32) -> Option<String> {
        let mut ear = Ear::new(Some(Detection::default()), Listening::Closely, 1);
        let mut audio = tones(hertz, rate, 800);
        audio.extend(vec![0; rate as usize]);
        match ear.hear(&audio, rate).as_slice() {
            [Heard::Started, Heard::Ended { words, .. }] => words.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_tone_is_recognised_at_every_declared_rate() {
        for rate in [8_000, 16_000, 24_000, 48_000] {
            assert_eq!(recognised(&[697.0], rate).as_deref(), Some("tone 697 Hz"), "{rate}");
            assert_eq!(recognised(&[440.0], rate).as_deref(), Some("tone 440 Hz"), "{rate}");
        }
    }

    #[test]
    fn a_key_press_is_recognised_as_its_digit() {
        assert_eq!(recognised(&[770.0, 1_336.0], 8_000).as_deref(), Some("digit 5"));
        assert_eq!(recognised(&[941.0, 1_477.0], 16_000).as_deref(), Some("digit #"));
    }

    #[test]
    fn what_is_kept_of_the_caller_is_bounded() {
        let mut ear = Ear::new(None, Listening::Closely, 1);
        ear.hear(&vec![7; 40_000], 16_000);
        assert_eq!((ear.recording().len(), ear.heard_ms()), (16_000, 2_500));
    }

    #[test]
    fn who_takes_the_recording_away_makes_room_for_what_follows() {
        let mut ear = Ear::new(None, Listening::Closely, 1);
        ear.hear(&vec![7; 20_000], 16_000);
        assert_eq!(ear.take_recording().len(), 16_000);
        ear.hear(&vec![9; 8_000], 16_000);
        let taken = ear.take_recording();
        assert_eq!((taken.len(), taken.last()), (8_000, Some(&9)));
    }

    #[test]
    fn a_wrong_rate_makes_the_caller_sound_wrong() {
        let mut ear = Ear::new(Some(Detection::default()), Listening::Closely, 1);
        let mut audio = tones(&[440.0], 8_000, 1_600);
        audio.extend(vec![0; 16_000]);
        let events = ear.hear(&audio, 16_000);
        assert!(matches!(&events[1], Heard::Ended { words: Some(words), .. } if words == "tone 880 Hz"));
    }
}
