//! The way of the model's voice to the caller: decoded audio in, frames of the leg's codec into the playout.
//!
//! It belongs to the session and is used by the websocket's reader, on the same thread: a barge-in silences the
//! caller's ear before anybody else hears of it.

use crate::media::codec::Codec;
use crate::media::path::ModelPath;
use crate::media::playout::PlayoutWriter;
use crate::telemetry::{Counter, count};
use crate::voice::Heard;

pub(super) struct Speaker {
    path: ModelPath,
    playout: PlayoutWriter,
    /// Queued of the turn that is being said, or was said last.
    said_bytes: u64,
    /// Of the last turn: what was thrown away before it was heard.
    unheard_ms: Option<u32>,
    turn_is_over: bool,
}

/// G.711: a byte a sample, 8,000 a second.
const BYTES_PER_MS: u64 = 8;

impl Speaker {
    pub(super) fn new(codec: Codec, playout: PlayoutWriter) -> Self {
        Self { path: ModelPath::new(codec), playout, said_bytes: 0, unheard_ms: None, turn_is_over: false }
    }

    pub(super) fn speak(&mut self, codec: Codec) {
        self.path.set_codec(codec);
    }

    pub(super) fn say(&mut self, pcm: &[u8], rate_hz: u32) {
        let mut encoded = Vec::new();
        if let Err(unsupported) = self.path.encode(pcm, rate_hz, &mut encoded) {
            tracing::warn!(%unsupported, "the model's audio cannot be played");
            return;
        }
        let begins_turn = std::mem::take(&mut self.turn_is_over) | self.unheard_ms.take().is_some();
        self.said_bytes = encoded.len() as u64 + if begins_turn { 0 } else { self.said_bytes };
        if self.playout.push(self.playout.generation(), encoded).is_err() {
            count(Counter::PlayoutOverflows);
        }
    }

    pub(super) fn say_samples(&mut self, samples: &[i16], rate_hz: u32) {
        let pcm: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.say(&pcm, rate_hz);
    }

    pub(super) fn end_of_turn(&mut self) {
        self.playout.end_of_turn();
        self.turn_is_over = true;
    }

    /// Of the turn that is being said, or was said last. Without any sound nothing can be told.
    pub(super) fn heard(&self) -> Option<Heard> {
        let said_ms = self.said_bytes / BYTES_PER_MS;
        let unheard_ms = self.unheard_ms.unwrap_or_else(|| self.playout.buffered_ms());
        (said_ms > 0).then(|| Heard { heard_ms: said_ms.saturating_sub(unheard_ms.into()), said_ms })
    }

    /// Everything that waits to be heard is thrown away, at once.
    pub(super) fn hush(&mut self) {
        self.unheard_ms.get_or_insert(self.playout.buffered_ms());
        self.playout.flush();
        self.path.reset();
    }

    pub(super) fn is_playing(&self) -> bool {
        self.playout.buffered_ms() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::FRAME_SAMPLES;
    use crate::media::playout::{PlayoutReader, playout};

    const LEG_RATE_HZ: u32 = 8_000;
    const SILENCE: u8 = 0xff;

    fn say_ms(speaker: &mut Speaker, ms: usize) {
        speaker.say_samples(&vec![1_000; ms * 8], LEG_RATE_HZ);
    }

    /// The router's clock, for so long.
    fn play(reader: &mut PlayoutReader, frames: usize) {
        for _ in 0..frames {
            reader.next_frame(&mut [0; FRAME_SAMPLES], SILENCE);
        }
    }

    fn bench() -> (Speaker, PlayoutReader) {
        let (writer, reader) = playout(10_000);
        (Speaker::new(Codec::Pcmu, writer), reader)
    }

    #[test]
    fn of_an_interrupted_turn_is_told_what_was_heard_also_after_the_hush() {
        let (mut speaker, mut reader) = bench();
        assert_eq!(speaker.heard(), None);
        say_ms(&mut speaker, 1_000);
        play(&mut reader, 20);
        let heard = speaker.heard().expect("something was said");
        assert_eq!((heard.said_ms, heard.heard_ms), (1_000, 400));
        speaker.hush();
        speaker.hush();
        assert_eq!(speaker.heard(), Some(heard));
    }

    #[test]
    fn each_turn_is_counted_for_itself() {
        let (mut speaker, mut reader) = bench();
        say_ms(&mut speaker, 200);
        speaker.end_of_turn();
        play(&mut reader, 20);
        assert!(speaker.heard().is_some_and(Heard::is_all));
        say_ms(&mut speaker, 400);
        assert_eq!(speaker.heard(), Some(Heard { heard_ms: 0, said_ms: 400 }));
        speaker.hush();
        say_ms(&mut speaker, 300);
        assert_eq!(speaker.heard().map(|heard| heard.said_ms), Some(300));
    }
}
