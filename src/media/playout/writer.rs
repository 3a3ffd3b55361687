//! The end that the session's model reader holds.

use std::sync::Arc;

use rtrb::Producer;

use super::{BYTES_PER_MS, Entry, Generation, Shared};

/// Queues audio, and takes all of it back in one stroke.
pub struct PlayoutWriter {
    queue: Producer<Entry>,
    shared: Arc<Shared>,
    max_bytes: u32,
    /// What the last mark in the queue announced.
    begun: Generation,
    /// Bytes queued since that mark.
    queued_bytes: u32,
    turn_is_open: bool,
}

/// The model is too far ahead of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the playout queue is full: the model is {buffered_ms} ms ahead of the caller; drop this audio")]
pub struct PlayoutFull {
    pub buffered_ms: u32,
}

/// Kept free behind every block of audio, so that the marks around it always find room.
const ENTRIES_OF_A_BLOCK: usize = 3;

impl PlayoutWriter {
    pub(super) fn new(queue: Producer<Entry>, shared: Arc<Shared>, max_ms: u32) -> Self {
        let max_bytes = max_ms.saturating_mul(BYTES_PER_MS);
        let begun = Generation::default();
        Self { queue, shared, max_bytes, begun, queued_bytes: 0, turn_is_open: false }
    }

    /// What new audio is to be pushed under.
    pub fn generation(&self) -> Generation {
        self.shared.generation()
    }

    /// Queues audio of a generation. What belongs to an older one is dropped without an error: it was interrupted.
    pub fn push(&mut self, generation: Generation, encoded: Vec<u8>) -> Result<(), PlayoutFull> {
        if generation != self.generation() || encoded.is_empty() {
            return Ok(());
        }
        self.make_room(encoded.len())?;
        if self.begun != generation {
            self.begun = generation;
            self.queued_bytes = 0;
            self.put(Entry::Begin(generation));
        }
        self.queued_bytes = self.queued_bytes.wrapping_add(encoded.len() as u32);
        self.turn_is_open = true;
        self.put(Entry::Audio(encoded.into_boxed_slice()));
        Ok(())
    }

    /// The model has said all it had to say: the rest plays out even if it is short.
    pub fn end_of_turn(&mut self) {
        if self.turn_is_open && self.begun == self.generation() {
            self.put(Entry::EndOfTurn);
        }
        self.turn_is_open = false;
    }

    /// The caller interrupted: from now on nothing that was queued is heard. Ask [`Self::played_ms`] before.
    pub fn flush(&self) {
        self.shared.raise_generation();
    }

    pub fn buffered_ms(&self) -> u32 {
        self.buffered_bytes() / BYTES_PER_MS
    }

    /// How much of the current turn the caller has heard (or of the last one, until the next is heard).
    pub fn played_ms(&self) -> u64 {
        u64::from(self.shared.heard.get(self.generation()) / BYTES_PER_MS)
    }

    fn buffered_bytes(&self) -> u32 {
        let generation = self.generation();
        if self.begun != generation {
            return 0;
        }
        self.queued_bytes.wrapping_sub(self.shared.taken.get(generation))
    }

    fn make_room(&self, bytes: usize) -> Result<(), PlayoutFull> {
        let buffered = self.buffered_bytes();
        let fits = bytes <= self.max_bytes.saturating_sub(buffered) as usize;
        if fits && self.queue.slots() >= ENTRIES_OF_A_BLOCK {
            return Ok(());
        }
        Err(PlayoutFull { buffered_ms: buffered / BYTES_PER_MS })
    }

    fn put(&mut self, entry: Entry) {
        self.queue.push(entry).expect("make_room kept entries free for a block and its marks");
    }
}
