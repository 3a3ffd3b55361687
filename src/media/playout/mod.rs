//! What the model said and the caller has not heard yet: one queue between the session's model reader, which gets a
//! sentence in a burst, and the router's clock, which takes 20 ms every 20 ms.
//!
//! No side ever waits for the other. The queue carries blocks of G.711 bytes in whatever size they came, and between
//! them two marks: the generation that follows, and the end of a turn. When the caller interrupts, the writer raises
//! the generation in one atomic; from that instant the reader throws away all that was queued under an older one. The
//! reader reports in two further atomics how much it has taken and how much of the turn was heard, each tagged with
//! its generation, so that a position of an abandoned turn is never taken for one of the next.
//!
//! Bounds: by duration (`max_ms`), and by `MAX_ENTRIES` slots of 24 bytes plus the audio itself.

mod reader;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

pub use reader::{FrameSource, PlayoutReader};
pub use writer::{PlayoutFull, PlayoutWriter};

/// Which stretch of the model's speech a block belongs to; an interruption begins the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Generation(u32);

/// Makes the two ends; at most `max_ms` of audio waits between them.
pub fn playout(max_ms: u32) -> (PlayoutWriter, PlayoutReader) {
    let (producer, consumer) = rtrb::RingBuffer::new(MAX_ENTRIES);
    let shared = Arc::new(Shared::default());
    (PlayoutWriter::new(producer, Arc::clone(&shared), max_ms), PlayoutReader::new(consumer, shared))
}

/// Two minutes in blocks of 40 ms, and their marks: 72 KiB of slots.
const MAX_ENTRIES: usize = 3_072;
/// G.711: a byte a sample, 8,000 a second.
const BYTES_PER_MS: u32 = 8;

enum Entry {
    Audio(Box<[u8]>),
    Begin(Generation),
    EndOfTurn,
}

#[derive(Default)]
struct Shared {
    generation: AtomicU32,
    /// Bytes that left the queue, in this generation.
    taken: Progress,
    /// Bytes that the caller heard, of the turn that plays.
    heard: Progress,
}

impl Shared {
    fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::Acquire))
    }

    fn raise_generation(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

/// A number of bytes and the generation it belongs to, changed as one.
#[derive(Default)]
struct Progress(AtomicU64);

impl Progress {
    fn set(&self, generation: Generation, bytes: u32) {
        self.0.store(u64::from(generation.0) << 32 | u64::from(bytes), Ordering::Release);
    }

    /// 0 when nothing was reported for this generation yet.
    fn get(&self, generation: Generation) -> u32 {
        let packed = self.0.load(Ordering::Acquire);
        if packed >> 32 == u64::from(generation.0) { packed as u32 } else { 0 }
    }
}
