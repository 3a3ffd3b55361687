//! The way of the model's voice to the caller: decoded audio in, frames of the leg's codec into the playout.
//!
//! It belongs to the session and is used by the websocket's reader, on the same thread: a barge-in silences the
//! caller's ear before anybody else hears of it.

use crate::media::codec::Codec;
use crate::media::path::ModelPath;
use crate::media::playout::PlayoutWriter;
use crate::telemetry::{Counter, count};

pub(super) struct Speaker {
    path: ModelPath,
    playout: PlayoutWriter,
}

impl Speaker {
    pub(super) fn new(codec: Codec, playout: PlayoutWriter) -> Self {
        Self { path: ModelPath::new(codec), playout }
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
    }

    /// Everything that waits to be heard is thrown away, at once.
    pub(super) fn hush(&mut self) {
        self.playout.flush();
        self.path.reset();
    }

    pub(super) fn is_playing(&self) -> bool {
        self.playout.buffered_ms() > 0
    }
}
