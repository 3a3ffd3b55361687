//! What the model says in one turn: samples and words, cut into chunks, each with the time it is due.

use std::time::{Duration, Instant};

use super::marker::Marker;
use super::prompts::Prompt;
use super::settings::{SpeechStyle, Voicing};

pub(super) const RATE: u32 = 24_000;
const CHUNK_MS: usize = 40;
const CHUNK_SAMPLES: usize = RATE as usize * CHUNK_MS / 1_000;

/// Nothing a peer asks for is longer than this.
const MAX_SPEECH_MS: u64 = 120_000;

/// What is to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Prompt(Prompt),
    /// The marker alone, so long.
    Tone {
        ms: u64,
    },
}

/// When the audio comes and how fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) first_audio_at: Instant,
    pub(super) burst_factor: f64,
}

/// Faster or slower than this the due times lose their meaning.
const BURST_FACTORS: std::ops::RangeInclusive<f64> = 0.05..=10_000.0;

/// One turn's speech while it is being sent.
#[derive(Debug)]
pub(super) struct Speech {
    words: Vec<&'static str>,
    prompt: &'static [i16],
    length: usize,
    marker: Marker,
    pace: Pace,
    sent: usize,
    words_sent: usize,
}

pub(super) struct Chunk {
    pub(super) samples: Vec<i16>,
    /// The words that begin in this chunk, with their leading blank.
    pub(super) words: Option<String>,
}

impl Speech {
    pub(super) fn new(line: Line, voicing: &Voicing, marker: Marker, pace: Pace) -> Self {
        let (text, prompt, length_ms): (_, &[i16], _) = match (line, voicing.style) {
            (Line::Prompt(prompt), SpeechStyle::Words) => {
                (prompt.text(), prompt.samples(), samples_to_ms(prompt.samples().len()) + voicing.tail_ms)
            }
            (Line::Prompt(prompt), SpeechStyle::MarkerOnly) => (prompt.text(), &[], voicing.marker_ms),
            (Line::Tone { ms }, _) => ("A long tone.", &[], ms),
        };
        let length = ms_to_samples(length_ms.min(MAX_SPEECH_MS));
        let pace = Pace {
            burst_factor: pace.burst_factor.clamp(*BURST_FACTORS.start(), *BURST_FACTORS.end()),
            ..pace
        };
        let words = text.split(' ').collect();
        Self { words, prompt, length, marker, pace, sent: 0, words_sent: 0 }
    }

    pub(super) fn is_sent(&self) -> bool {
        self.sent >= self.length
    }

    pub(super) fn sent_ms(&self) -> u64 {
        samples_to_ms(self.sent)
    }

    pub(super) fn has_begun(&self) -> bool {
        self.sent > 0
    }

    /// Whether the chunk about to be taken is the one in the middle.
    pub(super) fn is_at_half(&self) -> bool {
        (self.sent..self.sent + CHUNK_SAMPLES).contains(&(self.length / 2))
    }

    pub(super) fn next_due(&self) -> Instant {
        let ahead = self.sent as f64 / f64::from(RATE) / self.pace.burst_factor;
        self.pace.first_audio_at + Duration::from_secs_f64(ahead)
    }

    /// When a listener who began with the first chunk has heard all.
    pub(super) fn played_at(&self) -> Instant {
        self.pace.first_audio_at + Duration::from_millis(samples_to_ms(self.length))
    }

    /// What was said up to the last chunk sent.
    pub(super) fn text_sent(&self) -> String {
        self.words.get(..self.words_sent).unwrap_or_default().join(" ")
    }

    pub(super) fn next_chunk(&mut self) -> Chunk {
        let end = (self.sent + CHUNK_SAMPLES).min(self.length);
        let samples = (self.sent..end).map(|position| self.sample(position)).collect();
        self.sent = end;
        Chunk { samples, words: self.take_words() }
    }

    fn sample(&self, position: usize) -> i16 {
        let voice = f64::from(self.prompt.get(position).copied().unwrap_or(0));
        let mixed = voice * 0.7 + self.marker.sample(position, RATE);
        mixed.clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
    }

    /// The transcript keeps pace with the audio: so much of the one, so much of the other.
    fn take_words(&mut self) -> Option<String> {
        let due = (self.words.len() * self.sent).div_ceil(self.length.max(1)).min(self.words.len());
        let fresh = self.words.get(self.words_sent..due).filter(|words| !words.is_empty())?;
        self.words_sent = due;
        Some(fresh.iter().flat_map(|word| [" ", word]).collect())
    }
}

pub(super) fn samples_to_ms(samples: usize) -> u64 {
    samples as u64 * 1_000 / u64::from(RATE)
}

fn ms_to_samples(ms: u64) -> usize {
    (ms * u64::from(RATE) / 1_000) as usize
}

#[cfg(test)]
mod tests {
    use super::super::connection::now;
    use super::*;

    fn speech(line: Line, burst_factor: f64) -> Speech {
        let pace = Pace { first_audio_at: now(), burst_factor };
        Speech::new(line, &Voicing::default(), Marker::number(5), pace)
    }

    #[test]
    fn audio_is_due_faster_than_it_is_played() {
        let mut speech = speech(Line::Tone { ms: 1_000 }, 4.0);
        let first = speech.next_due();
        while !speech.is_sent() {
            speech.next_chunk();
        }
        assert_eq!(speech.next_due() - first, Duration::from_millis(250));
        assert_eq!(speech.played_at() - first, Duration::from_millis(1_000));
    }

    #[test]
    fn a_prompt_carries_its_words_and_its_marker() {
        let mut speech = speech(Line::Prompt(Prompt::Greeting), 1.0);
        let (mut audio, mut text) = (Vec::new(), String::new());
        while !speech.is_sent() {
            let chunk = speech.next_chunk();
            audio.extend(chunk.samples);
            text.extend(chunk.words);
        }
        assert_eq!(text, " Hello, this is Clearline. How can I help you?");
        assert_eq!(Marker::tones_heard_in(&audio, RATE), Marker::number(5).tones_hz());
    }

    #[test]
    fn a_length_a_peer_asks_for_is_bounded() {
        let speech = speech(Line::Tone { ms: u64::MAX }, 1.0);
        assert_eq!(samples_to_ms(speech.length), MAX_SPEECH_MS);
    }
}
