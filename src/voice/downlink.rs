//! What is played of what the model sends. Runs in the websocket's reader, before anybody else hears of a message, so
//! that an interruption silences the old turn at once (reference §6.1).

use super::wire::server::{InlineData, ServerContent, ServerMessage};

/// Decoded audio: whole 16-bit little-endian samples, mono.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioChunk {
    pub pcm: Vec<u8>,
    pub rate_hz: u32,
}

/// What one message means for the playout.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DownlinkStep {
    /// Drop everything queued of the old turn *before* playing `audio`.
    pub flush: bool,
    pub audio: Vec<AudioChunk>,
    /// No more audio of this turn will come; what is queued plays on.
    pub end_of_turn: bool,
    /// Something is left for the session.
    pub control: bool,
    /// Audio that could not be read.
    pub bad_audio: u32,
}

/// One for each connection, in its reader.
#[derive(Debug, Default)]
pub struct Downlink {
    state: State,
    /// The first half of a sample that was cut between two chunks.
    odd_byte: Option<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between turns.
    #[default]
    Idle,
    Playing,
    /// The turn was interrupted; what still comes of it is stale.
    Discarding {
        bytes: usize,
    },
}

const DEFAULT_RATE_HZ: u32 = 24_000;
const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=48_000;
/// Two seconds. More than this after an interruption is no leftover but an answer whose start we missed: an
/// interruption without a `turnComplete` must not make the call deaf.
const MAX_STALE_BYTES: usize = 2 * 2 * DEFAULT_RATE_HZ as usize;

impl Downlink {
    /// Takes the audio out of `message` and says what is to be done with it.
    pub fn on_message(&mut self, message: &mut ServerMessage) -> DownlinkStep {
        let mut step = DownlinkStep::default();
        let new_input = message.tool_call.is_some();
        if let Some(content) = &mut message.server_content {
            message.audio_started = self.on_content(content, &mut step);
        }
        if new_input {
            self.accept_again();
        }
        // A message that held nothing but audio is used up.
        message.server_content =
            message.server_content.take().filter(|rest| *rest != ServerContent::default());
        step.control = *message != ServerMessage::default();
        step
    }

    /// In the order the reference gives: transcripts, audio, interruption, end of turn. True when audio began a turn.
    fn on_content(&mut self, content: &mut ServerContent, step: &mut DownlinkStep) -> bool {
        if content.input_transcription.is_some() && !content.interrupted {
            self.accept_again();
        }
        let parts = content.model_turn.take().map(|turn| turn.parts).unwrap_or_default();
        let was_playing = self.state == State::Playing;
        parts.into_iter().filter_map(|part| part.inline_data).for_each(|data| self.on_audio(data, step));
        let started = !was_playing && self.state == State::Playing;
        if content.interrupted {
            self.interrupt(step);
        }
        if content.generation_complete || content.turn_complete {
            step.end_of_turn = true;
            self.odd_byte = None;
        }
        if content.turn_complete {
            self.state = State::Idle;
        }
        started && !content.interrupted
    }

    fn on_audio(&mut self, data: InlineData, step: &mut DownlinkStep) {
        if !is_pcm(data.mime_type.as_deref()) {
            return;
        }
        let Some(bytes) = data.data else {
            step.bad_audio += 1;
            return;
        };
        if self.is_stale(bytes.len()) {
            return;
        }
        let pcm = self.whole_samples(bytes);
        if !pcm.is_empty() {
            self.state = State::Playing;
            step.audio.push(AudioChunk { pcm, rate_hz: rate_hz(data.mime_type.as_deref()) });
        }
    }

    fn is_stale(&mut self, length: usize) -> bool {
        let State::Discarding { bytes } = &mut self.state else { return false };
        *bytes = bytes.saturating_add(length);
        if *bytes <= MAX_STALE_BYTES {
            return true;
        }
        self.state = State::Idle;
        false
    }

    fn whole_samples(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if let Some(first) = self.odd_byte.take() {
            bytes.insert(0, first);
        }
        if bytes.len() % 2 == 1 {
            self.odd_byte = bytes.pop();
        }
        bytes
    }

    /// Valid in any state: between turns it flushes what still plays, but there is nothing stale to wait for.
    fn interrupt(&mut self, step: &mut DownlinkStep) {
        step.flush = true;
        step.audio.clear();
        self.odd_byte = None;
        if self.state == State::Playing {
            self.state = State::Discarding { bytes: 0 };
        }
    }

    /// New input has begun a new turn, whether or not the old one was reported complete.
    fn accept_again(&mut self) {
        if matches!(self.state, State::Discarding { .. }) {
            self.state = State::Idle;
        }
    }
}

/// `audio/pcm;rate=24000`, with a blank after the semicolon, without the rate, or missing altogether.
fn is_pcm(mime_type: Option<&str>) -> bool {
    mime_type.is_none_or(|mime| mime.trim_start().to_ascii_lowercase().starts_with("audio/"))
}

fn rate_hz(mime_type: Option<&str>) -> u32 {
    let parameters = mime_type.unwrap_or_default().split(';').skip(1);
    let rate = parameters.filter_map(|p| p.trim().strip_prefix("rate=")?.trim().parse().ok()).next();
    rate.filter(|rate| RATES_HZ.contains(rate)).unwrap_or(DEFAULT_RATE_HZ)
}

#[cfg(test)]
mod tests;
